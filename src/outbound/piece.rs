//! A slice of a buffer that one socket has not taken.

use super::Batch;
use crate::frame;

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
    /// Answers a ping of the receiver's.
    pub(super) is_pong: bool,
}

impl Piece {
    pub(super) fn unwritten(&self) -> usize {
        self.end - self.at
    }

    /// The end of the frame that is partly written, or `at` when none is.
    pub(super) fn boundary(&self) -> usize {
        let mut boundary = self.start;
        while boundary < self.at {
            boundary = frame::sent_at(&self.buffer, boundary).range.end;
        }
        boundary
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
