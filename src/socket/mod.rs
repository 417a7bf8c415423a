//! A client's socket, whatever kind it is: one type that crosses threads, and one that a runtime
//! watches.

mod file;
mod listener;
mod peer;

use std::io::{self, IoSlice, Write as _};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

pub(crate) use self::file::SocketFile;
pub(crate) use self::listener::{Listener, Opened, open};
pub(crate) use self::peer::PeerAddress;

/// A client's socket that no runtime knows, on its way from one thread to another.
///
/// Like tokio's, the standard library's `TcpStream` is a descriptor of a stream socket, and nothing
/// that is called here asks for its family.
#[derive(Debug)]
pub(crate) struct Detached(std::net::TcpStream);

/// A client's socket, watched by the runtime of the thread that owns it.
#[derive(Debug)]
pub(crate) struct Socket(TcpStream);

/// What one `recv` brought.
pub(crate) struct Received {
    /// Bytes, at least one.
    pub(crate) count: usize,
    /// The socket is empty now.
    pub(crate) is_last: bool,
}

impl Detached {
    /// Writes these last words and says that no more will come. Does not wait: an empty socket
    /// takes a short answer or is gone.
    pub(crate) fn finish(&mut self, words: &[u8]) -> io::Result<()> {
        self.0.write_all(words)?;
        self.0.shutdown(Shutdown::Write)
    }
}

/// A descriptor that does not block.
impl From<OwnedFd> for Detached {
    fn from(socket: OwnedFd) -> Self {
        Self(socket.into())
    }
}

impl Socket {
    /// From here on the runtime of this thread watches it.
    pub(crate) fn watch(Detached(socket): Detached) -> io::Result<Self> {
        TcpStream::from_std(socket).map(Self)
    }

    /// From here on no runtime watches it.
    pub(crate) fn detach(self) -> io::Result<Detached> {
        self.0.into_std().map(Detached)
    }

    /// Its two sides, to be used apart.
    pub(crate) fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        self.0.split()
    }

    /// One `recv`, straight to the kernel as in [`Self::send`]. A short read means that the socket
    /// is empty: tokio is told so instead of asking the kernel a second time. `None` is the end of
    /// input or an error.
    #[inline]
    pub(crate) fn poll_recv(
        &self,
        buffer: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Poll<Option<Received>> {
        loop {
            let mut result = Err(Errno::AGAIN);
            let seen = self.0.try_io(Interest::READABLE, || {
                result = rustix::net::recv(&self.0, &mut *buffer, RecvFlags::empty());
                match result {
                    Ok((count, _)) if count == buffer.len() => Ok(()),
                    // the end of input stays readable
                    Ok((0, _)) => Ok(()),
                    _ => Err(io::ErrorKind::WouldBlock.into()),
                }
            });
            return Poll::Ready(match result {
                Ok((0, _)) => None,
                Ok((count, _)) => Some(Received { count, is_last: seen.is_err() }),
                Err(Errno::AGAIN) => {
                    if ready!(self.0.poll_read_ready(cx)).is_err() {
                        return Poll::Ready(None);
                    }
                    continue;
                }
                Err(_) => None,
            });
        }
    }

    /// One write, straight to the kernel: libc's `send` is a cancellation point, and tokio first
    /// asks whether the socket was writable, which together costs as much as all the rest of a
    /// delivery.
    #[inline]
    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        match rustix::net::send(&self.0, bytes, SendFlags::NOSIGNAL) {
            Ok(count) => Ok(count),
            Err(errno) => self.not_sent(errno, bytes),
        }
    }

    /// Only when the socket is full tokio is told, by trying once more through it.
    #[cold]
    fn not_sent(&self, errno: Errno, bytes: &[u8]) -> io::Result<usize> {
        if errno != Errno::AGAIN {
            return Err(errno.into());
        }
        self.0.try_io(Interest::WRITABLE, || {
            Ok(rustix::net::send(&self.0, bytes, SendFlags::NOSIGNAL)?)
        })
    }

    /// Several pieces in one write.
    pub(crate) fn send_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(slices)
    }

    /// Whether there may be something to read.
    #[inline]
    pub(crate) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_read_ready(cx)
    }

    /// Whether there may be room to write.
    #[inline]
    pub(crate) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_write_ready(cx)
    }

    /// Waits for any of this.
    pub(crate) async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        self.0.ready(interest).await
    }

    /// Says that no more will come. Immediate; an error means that the socket is gone.
    pub(crate) fn shut(&self) -> rustix::io::Result<()> {
        rustix::net::shutdown(&self.0, rustix::net::Shutdown::Write)
    }

    /// How long the kernel bears with a peer that takes nothing. Only TCP has that: a process of
    /// this machine cannot vanish unnoticed.
    pub(crate) fn set_dead_after(&self, wait: Duration) -> io::Result<()> {
        match SockRef::from(&self.0).set_tcp_user_timeout(Some(wait)) {
            Err(error) if Errno::from_io_error(&error) == Some(Errno::OPNOTSUPP) => Ok(()),
            result => result,
        }
    }

    /// Makes the coming close a reset: what the kernel holds for a peer that does not read is
    /// thrown away.
    pub(crate) fn reset_on_drop(&self) -> io::Result<()> {
        self.0.set_zero_linger()
    }
}

impl From<TcpStream> for Socket {
    fn from(socket: TcpStream) -> Self {
        Self(socket)
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
