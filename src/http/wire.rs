//! The socket under hyper, and what the rest of the door must know of it: how much came, and
//! whether it can be taken away.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::tcp::WriteHalf;

use super::head::Head;
use super::upgrade::Upgrade;
use crate::socket::{Flow, Socket};

/// A socket that hyper reads and writes, and that notes what happened in a [`Progress`].
pub(super) struct Wire<'a> {
    /// The socket, TLS taken off.
    flow: Flow<'a>,
    /// The head that passes; a pipelined one, whose start we don't know, is not watched.
    head: Head,
    /// Where the visit reads what happened.
    progress: Rc<Progress>,
}

/// What one HTTP connection has come to: written by its wire and its porter, read by its visit.
#[derive(Default)]
pub(super) struct Progress {
    /// Bytes read, ever.
    read: Cell<u64>,
    /// Bytes written, ever.
    written: Cell<u64>,
    /// hyper holds output that the socket did not take. It flushes us only when it holds none.
    unflushed: Cell<bool>,
    /// The peer will send no more.
    ended: Cell<bool>,
    /// The write side is shut down.
    shut: Cell<bool>,
    /// Requests whose head was read.
    requests: Cell<u64>,
    /// The latest of them has no answer yet.
    serving: Cell<bool>,
    /// It is whole and in the hands of a shard. hyper reads nothing until it is answered.
    sent_off: Cell<bool>,
    /// `read` when the latest answer was decided: more than that is the next head.
    answered_at: Cell<u64>,
    /// The head that was read latest has a Content-Length, whether hyper shows it or not.
    has_length: Cell<bool>,
    /// The first line of the head that comes is longer than we read; hyper gets no more of it.
    is_long: Cell<bool>,
    /// A checked handshake that waits for its socket to be taken from hyper.
    parked: Cell<Option<Box<Upgrade>>>,
}

/// What an HTTP connection is doing, as far as its deadline is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// No request yet.
    First,
    /// Between requests.
    Idle,
    /// Part of a later head has come.
    Head,
    /// A request is being served; what it waits for has its own deadlines.
    Serving,
    /// The peer does not take our answers; so many bytes it took before.
    Writing(u64),
}

impl<'a> Wire<'a> {
    /// A wire over a fresh socket, and what is left to watch the socket with: hyper, once it has
    /// the wire, lets nobody see it.
    pub(super) fn new(socket: &'a mut Socket, progress: Rc<Progress>) -> (Self, WriteHalf<'a>) {
        let (flow, watched) = socket.split();
        (Self { flow, head: Head::default(), progress }, watched)
    }
}

impl Progress {
    /// The head of a request was read. Says whether a Content-Length was seen in it.
    pub(super) fn begin(&self) -> bool {
        self.requests.set(self.requests.get() + 1);
        self.serving.set(true);
        self.has_length.take()
    }

    /// It crosses to a shard, which answers it.
    pub(super) fn send_off(&self) {
        self.sent_off.set(true);
    }

    /// Whether a shard has yet to answer it.
    pub(super) fn is_sent_off(&self) -> bool {
        self.sent_off.get()
    }

    /// Its answer is decided.
    pub(super) fn end(&self) {
        self.serving.set(false);
        self.sent_off.set(false);
        self.answered_at.set(self.read.get());
    }

    /// Leaves a checked handshake for the visit to take.
    pub(super) fn park(&self, upgrade: Box<Upgrade>) {
        self.parked.set(Some(upgrade));
    }

    /// The parked handshake, once nothing is unflushed: taking the socket from hyper drops what
    /// hyper still holds, such as the answer to an earlier request.
    pub(super) fn take_parked(&self) -> Option<Box<Upgrade>> {
        if self.unflushed.get() { None } else { self.parked.take() }
    }

    /// What the connection is doing.
    pub(super) fn phase(&self) -> Phase {
        if self.unflushed.get() {
            Phase::Writing(self.written.get())
        } else if self.serving.get() {
            Phase::Serving
        } else if self.requests.get() == 0 {
            Phase::First
        } else if self.read.get() > self.answered_at.get() {
            Phase::Head
        } else {
            Phase::Idle
        }
    }

    /// Whether the target is too long.
    pub(super) fn is_long(&self) -> bool {
        self.is_long.get()
    }

    /// Whether the socket took all that hyper wrote.
    pub(super) fn is_flushed(&self) -> bool {
        !self.unflushed.get()
    }

    /// Whether nothing of the next request has come.
    pub(super) fn is_idle(&self) -> bool {
        match self.phase() {
            Phase::First => self.read.get() == 0,
            phase => phase == Phase::Idle,
        }
    }

    /// Whether a part of the next head has come.
    pub(super) fn has_part(&self) -> bool {
        match self.phase() {
            Phase::First => self.read.get() > 0,
            phase => phase == Phase::Head,
        }
    }

    /// Whether the peer said that it will send no more.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.get()
    }

    /// Whether all is flushed and the write side shut down.
    pub(super) fn is_shut(&self) -> bool {
        self.shut.get()
    }

    /// hyper tried to write: it holds output, until it flushes.
    fn wrote(&self, result: &Poll<io::Result<usize>>) {
        self.unflushed.set(true);
        if let Poll::Ready(Ok(bytes)) = result {
            self.written.set(self.written.get() + *bytes as u64);
        }
    }
}

impl AsyncRead for Wire<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.flow).poll_read(cx, buffer);
        let came = &buffer.filled()[before..];
        let bytes = came.len();
        let Self { head, progress, .. } = &mut *self;
        if bytes > 0 {
            if progress.is_idle() {
                *head = Head::default();
            }
            head.pass(came);
            if std::mem::take(&mut head.has_length) {
                progress.has_length.set(true);
            }
            progress.read.set(progress.read.get() + bytes as u64);
            if head.is_long {
                progress.is_long.set(true);
                buffer.set_filled(before);
                // the visit looks as soon as hyper waits
                return Poll::Pending;
            }
        }
        let at_end = match &result {
            Poll::Ready(Ok(())) => bytes == 0 && buffer.remaining() > 0,
            Poll::Ready(Err(_)) => true,
            Poll::Pending => false,
        };
        if at_end {
            progress.ended.set(true);
        }
        result
    }
}

impl AsyncWrite for Wire<'_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.flow).poll_write(cx, bytes);
        self.progress.wrote(&result);
        result
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.flow).poll_write_vectored(cx, slices);
        self.progress.wrote(&result);
        result
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.flow).poll_flush(cx);
        self.progress.unflushed.set(result.is_pending());
        result
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.flow).poll_shutdown(cx);
        if result.is_ready() {
            self.progress.shut.set(true);
        }
        result
    }
}
