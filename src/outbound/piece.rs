//! A slice of a buffer that one socket has not taken.

use std::ops::Range;
use std::rc::Rc;

use super::Batch;
use crate::frame;
use crate::limits::OUTBOUND_COPY_RATIO;

/// Whole frames, of which the first may be partly written.
#[derive(Debug)]
pub(super) struct Piece {
    /// Shared with all who are behind.
    pub(super) buffer: Batch,
    /// A frame begins here, at or before `at`.
    pub(super) start: usize,
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

/// The ranges of the frames that `run` consists of.
pub(super) fn frames(buffer: &[u8], run: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let mut at = run.start;
    std::iter::from_fn(move || {
        (at < run.end).then(|| {
            let sent = frame::sent_at(buffer, at).range;
            at = sent.end;
            sent
        })
    })
}

impl Piece {
    pub(super) fn unwritten(&self) -> usize {
        self.end - self.at
    }

    pub(super) fn is_pong(&self) -> bool {
        self.content == Content::Pong
    }

    /// The end of the frame that is partly written, or `at` when none is.
    pub(super) fn boundary(&self) -> usize {
        let mut boundary = self.start;
        while boundary < self.at {
            boundary = frame::sent_at(&self.buffer, boundary).range.end;
        }
        boundary
    }

    /// Whether it holds a large buffer for a few bytes.
    pub(super) fn is_wasteful(&self) -> bool {
        self.unwritten() * OUTBOUND_COPY_RATIO < self.buffer.capacity()
    }

    /// The same in a buffer of its own.
    pub(super) fn alone(&self) -> Self {
        let start = self.frame_start();
        let copy = self.buffer.copy(start..self.end);
        let (at, end) = (self.at - start, copy.len());
        Self { buffer: Rc::new(copy), start: 0, at, end, content: self.content }
    }

    /// The start of the frame that `at` is in.
    pub(super) fn frame_start(&self) -> usize {
        let mut start = self.start;
        loop {
            if start == self.at {
                return start;
            }
            let end = frame::sent_at(&self.buffer, start).range.end;
            if end > self.at {
                return start;
            }
            start = end;
        }
    }
}
