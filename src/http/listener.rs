//! Listening sockets: bound before anything starts, accepted from until the drain begins.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::Door;
use super::rebuff::rebuff;
use super::visit::visit;
use crate::config::Listen;
use crate::handover::{Descriptor, PeerAddress};
use crate::limits::{LINGER_MAX, Limits, SOCKET_DEAD_AFTER, SOCKET_SEND_BYTES};

/// Binds one listening address. Without a backlog the kernel's maximum holds.
pub(crate) fn bind(
    listen: &Listen,
    backlog: Option<u32>,
    limits: &Limits,
) -> io::Result<std::net::TcpListener> {
    match bind_address(listen.address, listen.dual_stack, backlog, limits) {
        Err(error) if listen.dual_stack && is_without_ipv6(&error) => {
            let every_ipv4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, listen.address.port()));
            bind_address(every_ipv4, false, backlog, limits)
        }
        result => result,
    }
}

/// Binds exactly this address.
fn bind_address(
    address: SocketAddr,
    dual_stack: bool,
    backlog: Option<u32>,
    limits: &Limits,
) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(!dual_stack)?;
    }
    socket.set_nonblocking(true)?;
    tune(&socket, limits)?;
    socket.bind(&address.into())?;
    let backlog = backlog.and_then(|backlog| i32::try_from(backlog).ok());
    socket.listen(backlog.unwrap_or(i32::MAX))?;
    Ok(socket.into())
}

/// Whether the machine has no IPv6, compiled out or switched off.
fn is_without_ipv6(error: &io::Error) -> bool {
    let off = [Errno::AFNOSUPPORT, Errno::ADDRNOTAVAIL, Errno::PROTONOSUPPORT];
    Errno::from_io_error(error).is_some_and(|errno| off.contains(&errno))
}

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
pub(super) async fn accept(door: Rc<Door>, listener: TcpListener) {
    while let Some(accepted) = until_drain(&door, listener.accept()).await {
        match accepted {
            Ok((socket, peer)) => {
                door.counters.accepted.add(1);
                let peer = PeerAddress::from(peer);
                // each request of a proxy counts for its own client
                let client = Some(peer.address()).filter(|it| !door.proxies.believe(*it));
                let place = match door.turnstile.pass(client) {
                    Ok(place) => place,
                    Err(refusal) => {
                        rebuff(&door, socket.into(), refusal);
                        continue;
                    }
                };
                let Some(mut descriptor) = descriptor(&door).await else { return };
                descriptor.keep(place);
                let guest = door.visits.enter(&door);
                tokio::task::spawn_local(visit(guest, socket.into(), peer, descriptor));
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

/// Sets what a shard and we want of every socket: those that are accepted have it from the one that
/// listens, which saves a system call for each. The kernel counts a peer that reads nothing as
/// dead, too, however well it answers: it must not come before our own `--write-timeout`.
fn tune(socket: &Socket, limits: &Limits) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    socket.set_send_buffer_size(SOCKET_SEND_BYTES)?;
    let dead_after = SOCKET_DEAD_AFTER.max(limits.write_stall_max + 2 * LINGER_MAX);
    // as long as the kernel can wait; more is invalid to it
    let longest = Duration::from_millis(i32::MAX.unsigned_abs().into());
    socket.set_tcp_user_timeout(Some(dead_after.min(longest)))
}

/// Whether accepting failed for want of descriptors or memory: trying again at once would spin.
fn is_exhausted(error: &io::Error) -> bool {
    let scarce = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS];
    error.kind() == ErrorKind::OutOfMemory
        || Errno::from_io_error(error).is_some_and(|errno| scarce.contains(&errno))
}

#[cfg(test)]
mod tests {
    use socket2::SockRef;

    use super::*;

    fn bound(address: &str, dual_stack: bool) -> io::Result<std::net::TcpListener> {
        let address = address.parse().unwrap();
        bind(&Listen { url: String::new(), address, dual_stack }, None, &Limits::default())
    }

    #[test]
    fn a_wildcard_takes_both_families() {
        let listener = bound("[::]:0", true).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    }

    #[test]
    fn a_taken_port_is_an_error() {
        let held = bound("127.0.0.1:0", false).unwrap();
        let error = bound(&held.local_addr().unwrap().to_string(), false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
    }

    /// A listener with this write timeout, in seconds, and a socket that it accepted.
    fn accepted(write_timeout: u64) -> (std::net::TcpListener, std::net::TcpStream) {
        let address = "127.0.0.1:0".parse().unwrap();
        let listen = Listen { url: String::new(), address, dual_stack: false };
        let write_stall_max = Duration::from_secs(write_timeout);
        let limits = Limits { write_stall_max, ..Limits::default() };
        let listener = bind(&listen, None, &limits).unwrap();
        listener.set_nonblocking(false).unwrap();
        let _client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (socket, _) = listener.accept().unwrap();
        (listener, socket)
    }

    #[test]
    fn a_host_is_not_dead_before_its_write_timeout() {
        for (write_timeout, dead_after) in [(10, 30), (26, 30), (60, 64)] {
            let (_, socket) = accepted(write_timeout);
            let set = SockRef::from(&socket).tcp_user_timeout().unwrap();
            assert_eq!(set, Some(Duration::from_secs(dead_after)), "{write_timeout}");
        }
    }

    #[test]
    fn a_write_timeout_of_months_is_no_reason_not_to_listen() {
        let (_, socket) = accepted(365 * 24 * 3600);
        let set = SockRef::from(&socket).tcp_user_timeout().unwrap();
        assert_eq!(set, Some(Duration::from_millis(i32::MAX.unsigned_abs().into())));
    }

    #[test]
    fn who_is_accepted_has_what_the_listener_has() {
        let (listener, socket) = accepted(10);
        assert!(socket.nodelay().unwrap());
        // how much the kernel allows depends on the machine
        let size = SockRef::from(&socket).send_buffer_size().unwrap();
        assert_eq!(size, SockRef::from(&listener).send_buffer_size().unwrap());
        let untuned = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
        assert_ne!(size, untuned.send_buffer_size().unwrap());
    }

    #[test]
    fn exhaustion_is_told_from_a_lost_client() {
        let error = |errno: Errno| io::Error::from_raw_os_error(errno.raw_os_error());
        for errno in [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS] {
            assert!(is_exhausted(&error(errno)), "{errno}");
        }
        assert!(!is_exhausted(&error(Errno::CONNABORTED)));
    }
}
