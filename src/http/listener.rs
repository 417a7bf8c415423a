//! Accepts from one listening socket until the drain begins.

use std::io::{self, ErrorKind};
use std::rc::Rc;

use rustix::io::Errno;
use tokio::time::timeout;

use super::rebuff::rebuff;
use super::tls;
use super::visit::visit;
use super::{Door, Guest};
use crate::handover::{Descriptor, Identity};
use crate::socket::{Listener, PeerAddress, Socket};

/// Whether accepting failed since that one client is gone already: accept(2) passes on what the
/// network said of it.
fn is_gone(error: &io::Error) -> bool {
    let gone = [
        Errno::CONNABORTED,
        Errno::PROTO,
        Errno::PERM,
        Errno::INTR,
        Errno::NETDOWN,
        Errno::NOPROTOOPT,
        Errno::HOSTDOWN,
        Errno::NONET,
        Errno::HOSTUNREACH,
        Errno::OPNOTSUPP,
        Errno::NETUNREACH,
    ];
    Errno::from_io_error(error).is_some_and(|errno| gone.contains(&errno))
}

/// Accepts until the drain begins. The listening socket is closed when this returns. With an
/// identity, TLS is spoken.
pub(super) async fn accept(door: Rc<Door>, listener: Listener, identity: Option<Identity>) {
    while let Some(accepted) = until_drain(&door, listener.accept()).await {
        match accepted {
            Ok((socket, peer)) => {
                door.counters.accepted.add(1);
                // each request of a proxy counts for its own client
                let client = peer.counted().filter(|it| !door.proxies.believe(*it));
                let place = match door.turnstile.pass(client) {
                    Ok(place) => place,
                    Err(refusal) => {
                        rebuff(&door, socket, identity.clone(), peer, refusal);
                        continue;
                    }
                };
                let Some(mut descriptor) = descriptor(&door).await else { return };
                descriptor.keep(place);
                let guest = door.visits.enter(&door);
                let identity = identity.clone();
                tokio::task::spawn_local(welcome(guest, socket, identity, peer, descriptor));
            }
            Err(error) if is_exhausted(&error) => pause(&door).await,
            Err(error) => {
                door.counters.accept_errors.add(1);
                if !is_gone(&error) {
                    tracing::warn!(%error, "cannot accept");
                    pause(&door).await;
                }
            }
        }
    }
}

/// Serves one connection, once TLS is agreed on where it is spoken.
async fn welcome(
    guest: Guest,
    socket: Socket,
    identity: Option<Identity>,
    peer: PeerAddress,
    descriptor: Descriptor,
) {
    if let Some(socket) = tls::admit(&guest.0, socket, identity.as_ref(), peer).await {
        visit(guest, socket, peer, descriptor).await;
    }
}

/// One of the descriptors that clients may use. While there is none, nobody else is let in;
/// `None` when the drain begins first.
async fn descriptor(door: &Door) -> Option<Descriptor> {
    loop {
        if let Some(descriptor) = Descriptor::take(&door.descriptors) {
            return Some(descriptor);
        }
        if door.shutdown.has_begun() {
            return None;
        }
        pause(door).await;
    }
}

/// Waits a little, for what those inside give back; not longer than until the drain begins.
async fn pause(door: &Door) {
    door.counters.accept_pauses.add(1);
    timeout(door.times.accept_pause, door.shutdown.begun()).await.unwrap_or_default();
}

/// What a future yields, unless the drain begins first.
pub(super) async fn until_drain<T>(door: &Door, future: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        () = door.shutdown.begun() => None,
        output = future => Some(output),
    }
}

/// Whether accepting failed for want of descriptors or memory: trying again at once would spin.
fn is_exhausted(error: &io::Error) -> bool {
    let scarce = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS];
    error.kind() == ErrorKind::OutOfMemory
        || Errno::from_io_error(error).is_some_and(|errno| scarce.contains(&errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exhaustion_is_told_from_a_lost_client() {
        let error = |errno: Errno| io::Error::from_raw_os_error(errno.raw_os_error());
        for errno in [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS] {
            assert!(is_exhausted(&error(errno)), "{errno}");
        }
        assert!(!is_exhausted(&error(Errno::CONNABORTED)));
    }
}
