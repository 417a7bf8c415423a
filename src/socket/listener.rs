//! Listening sockets: bound before anything starts, then watched by every acceptor.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener as StdUnixListener;
use std::time::Duration;

use rustix::io::Errno;
use socket2::{Domain, Protocol, SockRef, Socket as Raw, Type};
use tokio::net::{TcpListener, UnixListener};

use super::file::SocketFile;
use super::{Detached, PeerAddress, Socket};
use crate::config::{Endpoint, Listen};
use crate::limits::{LINGER_MAX, Limits, SOCKET_DEAD_AFTER, SOCKET_SEND_BYTES};

/// A listening socket that no runtime knows.
#[derive(Debug)]
pub(crate) enum Bound {
    /// For those who come over the network.
    Tcp(std::net::TcpListener),
    /// For processes of this machine.
    Unix(StdUnixListener),
}

/// A listening socket and what goes with it.
#[derive(Debug)]
pub(crate) struct Opened {
    /// Where it listens, with the port that the kernel picked.
    pub(crate) url: String,
    /// The socket.
    pub(crate) bound: Bound,
    /// To be dropped when nobody accepts any more.
    pub(crate) file: Option<SocketFile>,
}

/// A listening socket, watched by an acceptor's runtime.
#[derive(Debug)]
pub(crate) enum Listener {
    /// For those who come over the network.
    Tcp(TcpListener),
    /// For processes of this machine.
    Unix(UnixListener),
}

impl Bound {
    /// The same socket once more.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::Tcp(listener) => listener.try_clone().map(Self::Tcp),
            Self::Unix(listener) => listener.try_clone().map(Self::Unix),
        }
    }

    /// Its options.
    pub(super) fn options(&self) -> SockRef<'_> {
        match self {
            Self::Tcp(listener) => SockRef::from(listener),
            Self::Unix(listener) => SockRef::from(listener),
        }
    }

    /// The port that the kernel picked, or was told to.
    pub(crate) fn port(&self) -> Option<u16> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok().map(|address| address.port()),
            Self::Unix(_) => None,
        }
    }
}

impl Listener {
    /// From here on the runtime of this thread watches it.
    pub(crate) fn watch(bound: Bound) -> io::Result<Self> {
        match bound {
            Bound::Tcp(listener) => TcpListener::from_std(listener).map(Self::Tcp),
            Bound::Unix(listener) => UnixListener::from_std(listener).map(Self::Unix),
        }
    }

    /// Waits for the next client.
    pub(crate) async fn accept(&self) -> io::Result<(Socket, PeerAddress)> {
        match self {
            Self::Tcp(listener) => {
                let (socket, address) = listener.accept().await?;
                Ok((socket.into(), address.into()))
            }
            Self::Unix(listener) => {
                let (socket, _) = listener.accept().await?;
                let peer = socket.peer_cred()?.into();
                let socket = OwnedFd::from(socket.into_std()?);
                Ok((Socket::watch(Detached::from(socket))?, peer))
            }
        }
    }
}

/// Binds one listening address. Without a backlog the kernel's maximum holds.
pub(crate) fn open(listen: &Listen, backlog: Option<u32>, limits: &Limits) -> io::Result<Opened> {
    let backlog = backlog.and_then(|backlog| i32::try_from(backlog).ok()).unwrap_or(i32::MAX);
    let (bound, file) = match &listen.endpoint {
        Endpoint::Tcp { address, dual_stack } => {
            let tcp = Tcp { dual_stack: *dual_stack, reuse: listen.reuse, backlog, limits };
            (Bound::Tcp(tcp.bind(*address)?), None)
        }
        Endpoint::Unix { path, mode } => {
            let (listener, file) = SocketFile::bind(path, *mode, backlog)?;
            (Bound::Unix(listener), Some(file))
        }
    };
    Ok(Opened { url: listen.bound(bound.port()), bound, file })
}

/// How to bind an address of the network.
struct Tcp<'a> {
    dual_stack: bool,
    reuse: bool,
    backlog: i32,
    limits: &'a Limits,
}

impl Tcp<'_> {
    fn bind(&self, address: SocketAddr) -> io::Result<std::net::TcpListener> {
        match self.bind_exactly(address, self.dual_stack) {
            Err(error) if self.dual_stack && is_without_ipv6(&error) => {
                self.bind_exactly((Ipv4Addr::UNSPECIFIED, address.port()).into(), false)
            }
            result => result,
        }
    }

    fn bind_exactly(
        &self,
        address: SocketAddr,
        dual_stack: bool,
    ) -> io::Result<std::net::TcpListener> {
        let socket = Raw::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        if self.reuse {
            socket.set_reuse_port(true)?;
        }
        if address.is_ipv6() {
            socket.set_only_v6(!dual_stack)?;
        }
        socket.set_nonblocking(true)?;
        tune(&socket, self.limits)?;
        socket.bind(&address.into())?;
        socket.listen(self.backlog)?;
        Ok(socket.into())
    }
}

/// Whether the machine has no IPv6, compiled out or switched off.
fn is_without_ipv6(error: &io::Error) -> bool {
    let off = [Errno::AFNOSUPPORT, Errno::ADDRNOTAVAIL, Errno::PROTONOSUPPORT];
    Errno::from_io_error(error).is_some_and(|errno| off.contains(&errno))
}

/// Sets what a shard and we want of every socket: those that are accepted have it from the one that
/// listens, which saves a system call for each. The kernel counts a peer that reads nothing as
/// dead, too, however well it answers: it must not come before our own `--write-timeout`.
pub(super) fn tune(socket: &Raw, limits: &Limits) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    socket.set_send_buffer_size(SOCKET_SEND_BYTES)?;
    let dead_after = SOCKET_DEAD_AFTER.max(limits.write_stall_max + 2 * LINGER_MAX);
    // as long as the kernel can wait; more is invalid to it
    let longest = Duration::from_millis(i32::MAX.unsigned_abs().into());
    socket.set_tcp_user_timeout(Some(dead_after.min(longest)))
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;

    fn bound(url: &str, limits: &Limits) -> io::Result<std::net::TcpListener> {
        match open(&Listen::parse(url).unwrap(), None, limits)? {
            Opened { bound: Bound::Tcp(listener), file: None, .. } => Ok(listener),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_wildcard_takes_both_families() {
        let listener = bound("http://*:0", &Limits::default()).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    }

    #[test]
    fn a_taken_port_is_an_error() {
        let held = bound("http://127.0.0.1:0", &Limits::default()).unwrap();
        let address = held.local_addr().unwrap();
        for query in ["", "?reuse=1"] {
            let error = bound(&format!("http://{address}{query}"), &Limits::default()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AddrInUse);
        }
    }

    #[test]
    fn a_port_that_is_shared_may_be_shared() {
        let held = bound("http://127.0.0.1:0?reuse=1", &Limits::default()).unwrap();
        let address = held.local_addr().unwrap();
        bound(&format!("http://{address}?reuse=1"), &Limits::default()).unwrap();
        let error = bound(&format!("http://{address}"), &Limits::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
    }

    /// A listener with this write timeout, in seconds, and a socket that it accepted.
    fn accepted(write_timeout: u64) -> (std::net::TcpListener, std::net::TcpStream) {
        let write_stall_max = Duration::from_secs(write_timeout);
        let limits = Limits { write_stall_max, ..Limits::default() };
        let listener = bound("http://127.0.0.1:0", &limits).unwrap();
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
        let untuned = Raw::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
        assert_ne!(size, untuned.send_buffer_size().unwrap());
    }
}
