//! The reading half of a connection, and whether anything comes over it.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};

/// Reads, and counts what it hears.
pub(super) struct Ear<'a, S> {
    stream: S,
    /// Bytes that came.
    heard: &'a Cell<u64>,
}

impl<'a, S> Ear<'a, S> {
    /// Listens to a stream.
    pub(super) const fn new(stream: S, heard: &'a Cell<u64>) -> Self {
        Self { stream, heard }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Ear<'_, S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.heard.set(self.heard.get() + (buffer.filled().len() - before) as u64);
        read
    }
}
