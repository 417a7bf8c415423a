//! A client's socket, whatever kind it is and whether TLS is between or not: one type that crosses
//! threads, and one that a runtime watches.

mod file;
mod inherited;
mod listener;
mod peer;
mod tls;

use std::io::{self, IoSlice, Write as _};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use rustls::ServerConfig;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

pub(crate) use self::file::SocketFile;
pub use self::inherited::{Inherited, InheritedError};
pub(crate) use self::listener::{Listener, Opened, open};
pub(crate) use self::peer::PeerAddress;
pub(crate) use self::tls::HandshakeError;
use self::tls::Tls;
use crate::memory::Meter;
use crate::tls::Broken;

/// A client's socket that no runtime knows, on its way from one thread to another.
///
/// Like tokio's, the standard library's `TcpStream` is a descriptor of a stream socket, and nothing
/// that is called here asks for its family.
#[derive(Debug)]
pub(crate) struct Detached {
    stream: std::net::TcpStream,
    tls: Option<Box<Tls>>,
}

/// A client's socket, watched by the runtime of the thread that owns it.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    /// Apart, since most sockets have none.
    tls: Option<Box<Tls>>,
}

/// A socket as HTTP reads and writes it.
#[derive(Debug)]
pub(crate) struct Flow<'a> {
    /// Reads, and knows the socket to write to.
    half: ReadHalf<'a>,
    tls: Option<&'a mut Tls>,
}

/// A socket that nothing is between: what is given to it goes over the wire as it is.
pub(crate) struct Plain<'a>(&'a TcpStream);

/// What one `recv` brought.
pub(crate) struct Received {
    /// Bytes; none when of a record of TLS only a part has come.
    pub(crate) count: usize,
    /// The socket is empty now.
    pub(crate) is_last: bool,
}

impl Detached {
    /// Writes these last words and says that no more will come. Does not wait: an empty socket
    /// takes a short answer or is gone.
    pub(crate) fn finish(&mut self, words: &[u8]) -> io::Result<()> {
        match &mut self.tls {
            None => self.stream.write_all(words)?,
            Some(tls) => {
                let session = tls.session_mut();
                session.seal(&[IoSlice::new(words)], 0).map_err(io::Error::other)?;
                session.close();
                self.stream.write_all(session.unsent())?;
            }
        }
        self.stream.shutdown(Shutdown::Write)
    }
}

/// A descriptor that does not block.
impl From<OwnedFd> for Detached {
    fn from(socket: OwnedFd) -> Self {
        Self { stream: socket.into(), tls: None }
    }
}

impl Socket {
    /// From here on the runtime of this thread watches it.
    pub(crate) fn watch(Detached { stream, tls }: Detached) -> io::Result<Self> {
        TcpStream::from_std(stream).map(|stream| Self { stream, tls })
    }

    /// From here on no runtime watches it, and no meter counts what TLS holds.
    pub(crate) fn detach(self) -> io::Result<Detached> {
        let Self { stream, mut tls } = self;
        if let Some(tls) = &mut tls {
            tls.session_mut().uncount();
        }
        stream.into_std().map(|stream| Detached { stream, tls })
    }

    /// From here on TLS is between, once hands are shaken.
    pub(crate) fn begin_tls(
        &mut self,
        config: Arc<ServerConfig>,
        meter: &Arc<Meter>,
    ) -> Result<(), Broken> {
        self.tls = Some(Box::new(Tls::new(config, meter)?));
        Ok(())
    }

    /// From here on nothing is between: what came first was no TLS.
    pub(crate) fn end_tls(&mut self) {
        self.tls = None;
    }

    /// Whether TLS is between.
    pub(crate) const fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// The handshake of TLS, as far as it goes at once.
    pub(crate) fn poll_handshake(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), HandshakeError>> {
        let Self { stream, tls } = self;
        tls.as_mut().map_or(Poll::Ready(Ok(())), |tls| tls.poll_handshake(stream, cx))
    }

    /// What TLS holds counts for this meter, which is this thread's.
    pub(crate) fn count_on(&mut self, meter: &Arc<Meter>) {
        if let Some(tls) = &mut self.tls {
            tls.session_mut().count_on(meter);
        }
    }

    /// What was decrypted, and nobody has read.
    pub(crate) fn take_plain(&mut self) -> Vec<u8> {
        self.tls.as_mut().map(|tls| tls.take_plain()).unwrap_or_default()
    }

    /// The bytes at the front of what waits for the socket that are encrypted already: they can
    /// neither be dropped nor taken back.
    #[inline]
    pub(crate) fn ahead(&self) -> usize {
        self.tls.as_ref().map_or(0, |tls| tls.session().ahead())
    }

    /// Whether TLS has something to write, be it only for itself.
    #[inline]
    pub(crate) fn has_unsent(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.has_unsent())
    }

    /// Whether TLS keeps a part of a record.
    #[inline]
    pub(crate) fn is_inside_record(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.session().is_inside_record())
    }

    /// Whether the keys are nearly used up, and there is no way to change them.
    pub(crate) fn is_worn(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.session().is_worn())
    }

    /// Both ways for HTTP, and what is left to watch the socket with.
    pub(crate) fn split(&mut self) -> (Flow<'_>, WriteHalf<'_>) {
        let (half, watched) = self.stream.split();
        (Flow { half, tls: self.tls.as_deref_mut() }, watched)
    }

    /// What came, in one `recv`. `None` is the end of input or an error.
    #[inline]
    pub(crate) fn poll_recv(
        &mut self,
        buffer: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Poll<Option<Received>> {
        match &mut self.tls {
            None => recv(&self.stream, buffer, cx),
            Some(tls) => tls.poll_recv(&self.stream, buffer, cx),
        }
    }

    /// What came, and nobody wants to know.
    pub(crate) fn poll_discard(
        &self,
        buffer: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Poll<Option<Received>> {
        recv(&self.stream, buffer, cx)
    }

    /// The way past all that TLS needs, where there is none.
    #[inline]
    pub(crate) const fn plain(&self) -> Option<Plain<'_>> {
        if self.tls.is_some() { None } else { Some(Plain(&self.stream)) }
    }

    /// One write. What TLS encrypted of these bytes and could not write completely is not among
    /// those that it says have gone, and must come first in the next write.
    #[inline]
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => Plain(&self.stream).send_some(bytes),
            Some(tls) => tls.send(&self.stream, &[IoSlice::new(bytes)]),
        }
    }

    /// Several pieces in one write, the same way.
    pub(crate) fn send_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.stream.try_write_vectored(slices),
            Some(tls) => tls.send(&self.stream, slices),
        }
    }

    /// What a read would bring before there is TLS; it is left to be read.
    pub(crate) async fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.peek(buffer).await
    }

    /// Whether there may be something to read.
    #[inline]
    pub(crate) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_read_ready(cx)
    }

    /// Whether there may be room to write.
    #[inline]
    pub(crate) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_write_ready(cx)
    }

    /// Waits for any of this.
    pub(crate) async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        self.stream.ready(interest).await
    }

    /// Says inside of TLS that no more will come. Until that has gone, something is unsent.
    pub(crate) fn close(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.close(&self.stream);
        }
    }

    /// Says that no more will come. Immediate; an error means that the socket is gone.
    pub(crate) fn shut(&self) -> rustix::io::Result<()> {
        rustix::net::shutdown(&self.stream, rustix::net::Shutdown::Write)
    }

    /// How long the kernel bears with a peer that takes nothing. Only TCP has that: a process of
    /// this machine cannot vanish unnoticed.
    pub(crate) fn set_dead_after(&self, wait: Duration) -> io::Result<()> {
        match SockRef::from(&self.stream).set_tcp_user_timeout(Some(wait)) {
            Err(error) if Errno::from_io_error(&error) == Some(Errno::OPNOTSUPP) => Ok(()),
            result => result,
        }
    }

    /// Makes the coming close a reset: what the kernel holds for a peer that does not read is
    /// thrown away.
    pub(crate) fn reset_on_drop(&self) -> io::Result<()> {
        self.stream.set_zero_linger()
    }
}

/// One `recv`, straight to the kernel as in [`Plain::send`]. A short read means that the socket is
/// empty: tokio is told so instead of asking the kernel a second time. `None` is the end of input
/// or an error.
#[inline]
fn recv(stream: &TcpStream, buffer: &mut [u8], cx: &mut Context<'_>) -> Poll<Option<Received>> {
    loop {
        let mut result = Err(Errno::AGAIN);
        let seen = stream.try_io(Interest::READABLE, || {
            result = rustix::net::recv(stream, &mut *buffer, RecvFlags::empty());
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
                if ready!(stream.poll_read_ready(cx)).is_err() {
                    return Poll::Ready(None);
                }
                continue;
            }
            Err(_) => None,
        });
    }
}

impl Plain<'_> {
    /// One write, straight to the kernel: libc's `send` is a cancellation point, and tokio first
    /// asks whether the socket was writable, which together costs as much as all the rest of a
    /// delivery.
    #[inline]
    pub(crate) fn send(&self, bytes: &[u8]) -> rustix::io::Result<usize> {
        rustix::net::send(self.0, bytes, SendFlags::NOSIGNAL)
    }

    /// What to do when that failed: only when the socket is full tokio is told, by trying once more
    /// through it.
    #[cold]
    pub(crate) fn send_again(&self, errno: Errno, bytes: &[u8]) -> io::Result<usize> {
        if errno != Errno::AGAIN {
            return Err(errno.into());
        }
        self.0.try_io(Interest::WRITABLE, || Ok(self.send(bytes)?))
    }

    /// One write, and what is to be done when it fails.
    #[inline]
    fn send_some(&self, bytes: &[u8]) -> io::Result<usize> {
        self.send(bytes).or_else(|errno| self.send_again(errno, bytes))
    }
}

impl From<TcpStream> for Socket {
    fn from(stream: TcpStream) -> Self {
        Self { stream, tls: None }
    }
}

impl Flow<'_> {
    /// Tries to write until the socket takes something or has no room.
    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = self.half.as_ref();
        if let Some(tls) = &mut self.tls {
            return tls.poll_write(stream, cx, slices);
        }
        loop {
            ready!(stream.poll_write_ready(cx))?;
            match stream.try_write_vectored(slices) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }
}

impl AsyncRead for Flow<'_> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { half, tls } = self.get_mut();
        match tls {
            None => Pin::new(half).poll_read(cx, buffer),
            Some(tls) => tls.poll_read(half.as_ref(), cx, buffer),
        }
    }
}

impl AsyncWrite for Flow<'_> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_send(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_send(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// A socket holds nothing back: what it took is on its way. TLS may.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { half, tls } = self.get_mut();
        match tls {
            None => Poll::Ready(Ok(())),
            Some(tls) => tls.poll_flush(half.as_ref(), cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { half, tls } = self.get_mut();
        if let Some(tls) = tls {
            ready!(tls.poll_close(half.as_ref(), cx))?;
        }
        Poll::Ready(SockRef::from(half.as_ref()).shutdown(Shutdown::Write))
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.split().0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.split().0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.split().0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.split().0).poll_shutdown(cx)
    }
}
