//! What we send, as many frames at once as there are.

use std::io;

use fastwebsockets::{Frame, OpCode, Payload};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

/// More than this is not gathered before it is written.
const BATCH_BYTES: usize = 64 * 1024;
/// The longest head of a frame, with its mask (RFC 6455 5.2).
pub(super) const HEAD_BYTES_MAX: usize = 14;

/// Writes one connection.
pub(super) struct Writer<S> {
    stream: S,
    /// Frames that are not written yet.
    batch: Vec<u8>,
}

impl<S: AsyncWrite + Unpin> Writer<S> {
    /// One that has written nothing.
    pub(super) const fn new(stream: S) -> Self {
        Self { stream, batch: Vec::new() }
    }

    /// Adds a whole frame, masked as all of a client's are.
    pub(super) fn append(&mut self, op_code: OpCode, mut payload: Vec<u8>) {
        let mut frame = Frame::new(true, op_code, None, Payload::BorrowedMut(&mut payload));
        frame.mask();
        let mut head = [0; HEAD_BYTES_MAX];
        let size = frame.fmt_head(&mut head);
        self.batch.extend_from_slice(&head[..size]);
        self.batch.extend_from_slice(&frame.payload);
    }

    /// Nothing waits to be written.
    pub(super) const fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// It is time to write.
    pub(super) const fn is_full(&self) -> bool {
        self.batch.len() >= BATCH_BYTES
    }

    /// Writes what was added.
    pub(super) async fn write(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.batch).await?;
        self.stream.flush().await?;
        self.batch.clear();
        // after one large message it is as small as before
        self.batch.shrink_to(2 * BATCH_BYTES);
        Ok(())
    }
}
