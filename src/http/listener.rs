//! Accepts from one listening socket until the drain begins.

use std::io::{self, ErrorKind};
use std::rc::Rc;

use rustix::io::Errno;
use tokio::time::timeout;

use super::introduction::{Introduction, introduce};
use super::rebuff::rebuff;
use super::tls;
use super::visit::visit;
use super::{Door, Entrance, Guest};
use crate::handover::{Descriptor, Identity, Place};
use crate::refusal::Refusal;
use crate::socket::{PeerAddress, Socket};

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

/// Accepts until the drain begins. The listening socket is closed when this returns.
pub(super) async fn accept(door: Rc<Door>, entrance: Entrance) {
    let Entrance { listener, proxied, identity } = entrance;
    while let Some(accepted) = until_drain(&door, listener.accept()).await {
        match accepted {
            Ok((socket, peer)) => {
                door.counters.accepted.add(1);
                let place = match admit(&door, peer, proxied) {
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
                let welcome = welcome(guest, socket, proxied, identity, peer, descriptor);
                tokio::task::spawn_local(welcome);
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

/// Lets a connection in, or not, before it has said anything. One that may speak for others takes
/// no place: each of its requests does, or whom its header names.
fn admit(door: &Door, peer: PeerAddress, proxied: bool) -> Result<Option<Place>, Refusal> {
    if proxied && !door.proxies.trust(peer.address()) {
        return Err(Refusal::proxy_untrusted(peer.address()));
    }
    let is_client = !proxied && !door.proxies.believe(peer.address());
    door.turnstile.pass(peer.counted().filter(|_| is_client))
}

/// Serves one connection, once it is known whose it is, and TLS agreed on where it is spoken.
async fn welcome(
    guest: Guest,
    socket: Socket,
    proxied: bool,
    identity: Option<Identity>,
    peer: PeerAddress,
    mut descriptor: Descriptor,
) {
    // a local is dropped first: the socket is closed before its descriptor is given back
    let (mut socket, mut peer) = (socket, peer);
    if proxied {
        let door = &guest.0;
        let introduction = introduce(door, &mut socket, peer).await;
        if let Introduction::Over = introduction {
            return;
        }
        // who is named by nobody is a proxy, and counts for nobody; a proxy may also pass on the
        // connection of another one, which names its clients in their requests
        if let Introduction::Client(client) = introduction {
            peer = client;
            if !door.proxies.believe(client.address()) {
                match door.turnstile.place(client.address()) {
                    Ok(place) => descriptor.keep(place),
                    Err(refusal) => return rebuff(door, socket, identity, peer, refusal),
                }
            }
        }
    }
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
