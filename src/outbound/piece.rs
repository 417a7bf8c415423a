//! A slice of a buffer that one socket has not taken.

use std::rc::Rc;

use super::Batch;
use crate::limits::OUTBOUND_COPY_RATIO;

/// Whole frames, of which the first may be partly written.
#[derive(Debug)]
pub(super) struct Piece {
    /// Shared with all who are behind.
    pub(super) buffer: Batch,
    /// The next byte to write.
    pub(super) at: usize,
    /// Behind the last byte; a frame ends here.
    pub(super) end: usize,
    /// What it holds.
    pub(super) content: Content,
}

/// What a piece holds, which says whether it may be dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// Data frames, each of them a message.
    Messages,
    /// A control frame.
    Control,
    /// An answer to a ping of the receiver's.
    Pong,
}

impl Piece {
    pub(super) fn unwritten(&self) -> usize {
        self.end - self.at
    }

    pub(super) fn is_pong(&self) -> bool {
        self.content == Content::Pong
    }

    /// The end of the frame that is partly written, or sealed as one of so many bytes; `at` when
    /// none is.
    pub(super) fn boundary(&self, sealed: usize) -> usize {
        self.buffer.ceiling(self.end.min(self.at + sealed))
    }

    /// The start of the frame that `at` is in.
    pub(super) fn frame_start(&self) -> usize {
        self.buffer.floor(self.at)
    }

    /// Whether it holds a large buffer for a few bytes. A frame is only copied whole, so one of
    /// which much was written may stay where it is.
    pub(super) fn is_wasteful(&self) -> bool {
        self.is_worth_leaving(self.unwritten()) && self.is_worth_leaving(self.alone_bytes())
    }

    /// Whether its buffer is far larger than one of so many bytes.
    pub(super) fn is_worth_leaving(&self, bytes: usize) -> bool {
        bytes * OUTBOUND_COPY_RATIO < self.buffer.capacity()
    }

    /// What it would take in a buffer of its own.
    pub(super) fn alone_bytes(&self) -> usize {
        self.end - self.frame_start()
    }

    /// The same in a buffer of its own.
    pub(super) fn alone(&self) -> Self {
        let start = self.frame_start();
        let copy = self.buffer.copy(start..self.end);
        let (at, end) = (self.at - start, copy.len());
        Self { buffer: Rc::new(copy), at, end, content: self.content }
    }
}
