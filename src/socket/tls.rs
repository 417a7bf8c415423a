//! TLS between a socket and who reads and writes it.

use std::cell::Cell;
use std::io::{self, ErrorKind, IoSlice};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::ServerConfig;
use tokio::io::ReadBuf;
use tokio::net::TcpStream;

use super::{Plain, Received, recv};
use crate::limits::TLS_RECORD_PLAIN_BYTES_MAX;
use crate::memory::Meter;
use crate::tls::{Broken, Session, WIRE_BYTES};

/// Read at a time for HTTP.
const READ_BYTES: usize = TLS_RECORD_PLAIN_BYTES_MAX;

thread_local! {
    /// What a thread reads or writes of any TLS connection lies here meanwhile.
    static WIRE: Cell<Vec<u8>> = const { Cell::new(vec![]) };
}

/// What is between a socket and its owner.
#[derive(Debug)]
pub(super) struct Tls {
    session: Session,
    /// Decrypted, and not read yet from `read` on. A shard takes all at once, and has none.
    plain: Vec<u8>,
    read: usize,
    /// The first byte has come.
    has_begun: bool,
}

/// Why a handshake did not succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    /// The client speaks HTTP without TLS.
    #[error("HTTP without TLS")]
    Plain,
    /// It broke off.
    #[error("hung up")]
    Gone,
    /// One side does not like the other; the client was told if it could be.
    #[error("{0}")]
    Broken(#[from] Broken),
}

impl HandshakeError {
    fn gone(_: io::Error) -> Self {
        Self::Gone
    }
}

impl Tls {
    /// Waits for a client's hello. What is held counts for this thread's meter.
    pub(super) fn new(config: Arc<ServerConfig>, meter: &Arc<Meter>) -> Result<Self, Broken> {
        let mut session = Session::new(config)?;
        session.count_on(meter);
        Ok(Self { session, plain: vec![], read: 0, has_begun: false })
    }

    pub(super) const fn session(&self) -> &Session {
        &self.session
    }

    pub(super) const fn session_mut(&mut self) -> &mut Session {
        &mut self.session
    }

    /// What was decrypted and not read.
    pub(super) fn take_plain(&mut self) -> Vec<u8> {
        let mut plain = std::mem::take(&mut self.plain);
        plain.drain(..std::mem::take(&mut self.read));
        plain
    }

    /// One step of the handshake, or more.
    pub(super) fn poll_handshake(
        &mut self,
        stream: &TcpStream,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), HandshakeError>> {
        loop {
            ready!(self.poll_flush(stream, cx)).map_err(HandshakeError::gone)?;
            if !self.session.is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            ready!(self.fill(stream, cx))?;
        }
    }

    /// Reads once and decrypts what is whole.
    fn fill(
        &mut self,
        stream: &TcpStream,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), HandshakeError>> {
        let Self { session, plain, has_begun, .. } = self;
        let result = with_wire(|wire| {
            let front = session.put_part(wire);
            let wire = &mut wire[..front + READ_BYTES];
            let Some(Received { count, .. }) = ready!(recv(stream, &mut wire[front..], cx)) else {
                return Poll::Ready(Err(HandshakeError::Gone));
            };
            // no record begins with a letter, and every method does
            if !std::mem::replace(has_begun, true) && wire[0].is_ascii_uppercase() {
                return Poll::Ready(Err(HandshakeError::Plain));
            }
            let wire = &mut wire[..front + count];
            session.open(wire, |piece| plain.extend_from_slice(piece))?;
            Poll::Ready(Ok(()))
        });
        if let Poll::Ready(Err(HandshakeError::Broken(_))) = result {
            self.tell(stream);
        }
        result
    }

    /// Reads for HTTP. An end that was not told is an error: somebody may have cut it short.
    pub(super) fn poll_read(
        &mut self,
        stream: &TcpStream,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.read == self.plain.len() {
            (self.plain, self.read) = (vec![], 0);
            if self.session.has_ended() {
                return Poll::Ready(Ok(()));
            }
            ready!(self.fill(stream, cx)).map_err(|error| match error {
                HandshakeError::Broken(broken) => io::Error::new(ErrorKind::InvalidData, broken),
                _ => ErrorKind::UnexpectedEof.into(),
            })?;
            self.tell(stream);
        }
        let rest = &self.plain[self.read..];
        let count = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..count]);
        self.read += count;
        Poll::Ready(Ok(()))
    }

    /// Takes bytes of HTTP once the socket has all that was taken before.
    pub(super) fn poll_write(
        &mut self,
        stream: &TcpStream,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_flush(stream, cx))?;
        let (sealed, written) = self.seal_and_write(stream, slices, 0);
        match written {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(sealed)),
        }
    }

    /// Waits until the socket has all that was taken.
    pub(super) fn poll_flush(
        &mut self,
        stream: &TcpStream,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.has_unsent() {
            match self.write(stream) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    ready!(stream.poll_write_ready(cx))?;
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Waits until the peer is told that no more will come.
    pub(super) fn poll_close(
        &mut self,
        stream: &TcpStream,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        self.session.close();
        self.poll_flush(stream, cx)
    }

    /// One write for a shard: how many bytes of the slices have gone with the records that are
    /// complete on the wire now. Those of incomplete records stay where they are, and stand first
    /// in what comes with the next write.
    pub(super) fn send(&mut self, stream: &TcpStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut gone = 0;
        if self.has_unsent() {
            gone = self.write(stream)?;
            if self.has_unsent() {
                return Ok(gone);
            }
        }
        let (_, written) = self.seal_and_write(stream, slices, gone);
        match written {
            Ok(more) => Ok(gone + more),
            Err(error) if error.kind() == ErrorKind::WouldBlock && gone > 0 => Ok(gone),
            Err(error) => Err(error),
        }
    }

    /// Encrypts what is behind the first `skip` bytes of these slices, and writes it at once; how
    /// many bytes were encrypted, and how many have gone with complete records.
    fn seal_and_write(
        &mut self,
        stream: &TcpStream,
        slices: &[IoSlice<'_>],
        skip: usize,
    ) -> (usize, io::Result<usize>) {
        let mut sealed = 0;
        let written = with_wire(|wire| {
            self.session.lend(std::mem::take(wire));
            let result = self.session.seal(slices, skip).map_err(io::Error::other);
            let written = result.and_then(|bytes| {
                sealed = bytes;
                if self.session.unsent().is_empty() { Ok(0) } else { self.write_some(stream) }
            });
            *wire = self.session.reclaim();
            written
        });
        (sealed, written)
    }

    fn write_some(&mut self, stream: &TcpStream) -> io::Result<usize> {
        let count = Plain(stream).send_some(self.session.unsent())?;
        Ok(self.session.sent(count))
    }

    /// One write of what is unsent; gives its buffer back when all is gone.
    fn write(&mut self, stream: &TcpStream) -> io::Result<usize> {
        let gone = self.write_some(stream)?;
        if !self.has_unsent() {
            drop(self.session.reclaim());
        }
        Ok(gone)
    }

    /// Writes what is unsent as far as the socket takes it at once: a last word, or an answer that
    /// the next write would take along.
    fn tell(&mut self, stream: &TcpStream) {
        if self.has_unsent()
            && self.session.ahead() == 0
            && let Err(error) = self.write(stream)
        {
            tracing::trace!(%error, "cannot tell a TLS peer");
        }
    }

    pub(super) fn has_unsent(&self) -> bool {
        !self.session.unsent().is_empty()
    }

    /// Says that no more will come, as far as the socket takes it at once.
    pub(super) fn close(&mut self, stream: &TcpStream) {
        self.session.close();
        self.tell(stream);
    }

    /// One `recv` for a shard, decrypted as far as records are whole. The end of input is told, or
    /// is a hang-up, and both are the same to a WebSocket.
    pub(super) fn poll_recv(
        &mut self,
        stream: &TcpStream,
        buffer: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Poll<Option<Received>> {
        let Self { session, .. } = self;
        if session.has_ended() {
            self.close(stream);
            return Poll::Ready(None);
        }
        let result = with_wire(|wire| {
            let front = session.put_part(wire);
            // no more comes out than goes in
            let end = buffer.len().min(wire.len());
            let Some(received) = ready!(recv(stream, &mut wire[front..end], cx)) else {
                return Poll::Ready(Ok(None));
            };
            let mut count = 0;
            session.open(&mut wire[..front + received.count], |piece| {
                buffer[count..count + piece.len()].copy_from_slice(piece);
                count += piece.len();
            })?;
            // after the end there is one more look
            let is_last = received.is_last && !session.has_ended();
            Poll::Ready(Ok::<_, Broken>(Some(Received { count, is_last })))
        });
        self.tell(stream);
        result.map(|received| {
            received.unwrap_or_else(|error| {
                tracing::debug!(%error, "TLS broke off");
                None
            })
        })
    }
}

/// Lends the thread's buffer.
fn with_wire<T>(work: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    let mut wire = WIRE.take();
    if wire.is_empty() {
        wire = vec![0; WIRE_BYTES];
    }
    let result = work(&mut wire);
    WIRE.set(wire);
    result
}
