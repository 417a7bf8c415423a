//! Bytes waiting for one receiver, bounded.
//!
//! Most receivers never have any: what is published is written at once. Only what a socket did
//! not take comes here, as slices shared with everybody else who is behind.

mod buffer;
mod dropping;
mod marks;
mod piece;

use std::collections::VecDeque;
use std::io::IoSlice;
use std::rc::Rc;
use std::sync::Arc;

use smallvec::SmallVec;

pub use self::buffer::{Batch, Buffer};
pub use self::dropping::Dropped;
use self::piece::{Content, Piece};
use crate::frame;
use crate::limits::{OUTBOUND_GATHERED_BYTES, OUTBOUND_SMALL_BYTES, WRITE_PIECES_MAX};
use crate::memory::Meter;

/// The pieces that one socket has not taken, oldest first. Every piece begins and ends with a
/// frame; the first may be partly written.
#[derive(Debug, Default)]
pub struct Outbound {
    pieces: VecDeque<Piece>,
    /// Unwritten bytes over all pieces.
    bytes: usize,
    /// Pieces that are pongs.
    pongs: u32,
}

/// The piece does not fit behind what is being written: the receiver is a slow consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overflow;

impl Outbound {
    /// Whether everything was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Unwritten bytes.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Queues `buffer[start..end]`, whole frames of which the first `written` bytes are already
    /// on the wire. When nothing is queued it takes any size; otherwise what is behind the first
    /// piece must stay within `bytes_max`.
    pub fn push(
        &mut self,
        buffer: &Batch,
        start: usize,
        end: usize,
        written: usize,
        bytes_max: usize,
    ) -> Result<(), Overflow> {
        let behind = self.bytes_behind().saturating_add(end - start - written);
        if behind > bytes_max && !self.is_empty() {
            return Err(Overflow);
        }
        let (buffer, content) = (Rc::clone(buffer), Content::Messages);
        self.add(Piece { buffer, at: start, end, content }, written);
        Ok(())
    }

    /// What it takes of memory, buffers that are shared in equal parts.
    #[must_use]
    pub fn share(&self) -> usize {
        let part = |piece: &Piece| piece.buffer.capacity() / Rc::strong_count(&piece.buffer);
        self.pieces.iter().map(part).sum()
    }

    /// Unwritten bytes behind the first piece.
    fn bytes_behind(&self) -> usize {
        self.bytes - self.pieces.front().map_or(0, Piece::unwritten)
    }

    /// Queues messages of the connection's own: jobs, or the runs of one batch. Their bound is
    /// the caller's.
    pub fn push_own(&mut self, frames: Vec<u8>, written: usize, meter: &Arc<Meter>) {
        self.push_all(frames, written, Content::Messages, meter);
    }

    /// Queues a control frame.
    pub fn push_control(&mut self, frame: Vec<u8>, written: usize, meter: &Arc<Meter>) {
        self.push_all(frame, written, Content::Control, meter);
    }

    fn push_all(&mut self, bytes: Vec<u8>, written: usize, content: Content, meter: &Arc<Meter>) {
        let end = bytes.len();
        if written < end {
            let buffer = Rc::new(Buffer::new(bytes, meter));
            self.add(Piece { buffer, at: 0, end, content }, written);
        }
    }

    /// Marks what was queued last as a pong; how many pongs wait now.
    pub fn mark_pong(&mut self) -> u32 {
        if let Some(last) = self.pieces.back_mut() {
            last.content = Content::Pong;
            self.pongs += 1;
        }
        self.pongs
    }

    /// Queues a piece that begins with a frame, of which so many bytes are written.
    fn add(&mut self, mut piece: Piece, written: usize) {
        piece.at += written;
        let unwritten = piece.unwritten();
        if unwritten == 0 || self.gather(&piece) {
            return;
        }
        // whoever begins with a frame need not look for it
        let alone = if written == 0 { unwritten } else { piece.alone_bytes() };
        let is_small = alone <= OUTBOUND_SMALL_BYTES && Rc::strong_count(&piece.buffer) > 1;
        if (is_small || piece.is_worth_leaving(alone)) && piece.buffer.has_room(alone) {
            piece = piece.alone();
        }
        self.bytes += unwritten;
        self.pieces.push_back(piece);
    }

    /// Copies a small slice behind the last piece, if that one is not written yet and nobody
    /// else's; says whether it did.
    fn gather(&mut self, piece: &Piece) -> bool {
        let is_small = piece.unwritten() <= OUTBOUND_SMALL_BYTES;
        if !is_small || piece.content != Content::Messages || self.pieces.len() < 2 {
            return false;
        }
        let Some(last) = self.pieces.back_mut() else { return false };
        let fits = last.buffer.len() + piece.unwritten() <= OUTBOUND_GATHERED_BYTES;
        let gathers = fits && last.content == Content::Messages && last.end == last.buffer.len();
        let Some(buffer) = Rc::get_mut(&mut last.buffer).filter(|_| gathers) else { return false };
        if !buffer.extend(&piece.buffer[piece.at..piece.end]) {
            return false;
        }
        last.end = buffer.len();
        self.bytes += piece.unwritten();
        true
    }

    /// What to write next, at most `WRITE_PIECES_MAX` pieces; the count of `slices` used.
    pub fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>; WRITE_PIECES_MAX]) -> usize {
        let count = self.pieces.len().min(WRITE_PIECES_MAX);
        for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
            *slice = IoSlice::new(&piece.buffer[piece.at..piece.end]);
        }
        count
    }

    /// Forgets the first `written` bytes.
    ///
    /// # Panics
    /// When there are fewer.
    pub fn advance(&mut self, mut written: usize) {
        self.bytes -= written;
        while written > 0 {
            let first = self.pieces.front_mut().expect("bytes were written from a piece");
            let step = written.min(first.unwritten());
            first.at += step;
            written -= step;
            if first.unwritten() == 0 {
                self.pongs -= u32::from(first.is_pong());
                self.pieces.pop_front();
            }
        }
        if self.pieces.is_empty() {
            // an idle connection owns no buffer
            self.pieces = VecDeque::new();
        }
    }

    /// Whether a frame is partly written.
    #[must_use]
    pub fn is_inside_frame(&self) -> bool {
        self.pieces.front().is_some_and(|first| first.frame_start() < first.at)
    }

    /// Drops what stands behind the partly written frame, and behind those that the first `sealed`
    /// bytes are part of: they are encrypted, and must go as they are. The bytes dropped.
    pub fn cut(&mut self, sealed: usize) -> usize {
        let before = self.bytes;
        let begun = self.take_begun(sealed);
        self.bytes = begun.iter().map(Piece::unwritten).sum();
        self.pieces = VecDeque::new();
        let alone = |piece: Piece| if piece.is_wasteful() { piece.alone() } else { piece };
        self.pieces.extend(begun.into_iter().map(alone));
        self.pongs = self.pieces.iter().map(|piece| u32::from(piece.is_pong())).sum();
        before - self.bytes
    }

    /// Takes what must go on out of the row: the frame that is partly written, and those that the
    /// first `sealed` bytes are part of. The rest of the last one's piece stays.
    fn take_begun(&mut self, mut sealed: usize) -> SmallVec<[Piece; 4]> {
        let mut begun = SmallVec::new();
        while let Some(first) = self.pieces.front_mut() {
            let boundary = first.boundary(sealed);
            let bytes = boundary - first.at;
            if bytes == 0 {
                break;
            }
            begun.push(Piece { buffer: Rc::clone(&first.buffer), end: boundary, ..*first });
            first.at = boundary;
            if first.unwritten() == 0 {
                self.pieces.pop_front();
            }
            sealed = sealed.saturating_sub(bytes);
        }
        begun
    }

    /// The messages that are not completely written, in order, as whole frames. What is partly
    /// written stays queued as far as its frame goes.
    #[must_use]
    pub fn unwritten_messages(&self) -> Vec<Vec<u8>> {
        let mut messages = vec![];
        for piece in &self.pieces {
            let mut at = piece.frame_start();
            while at < piece.end {
                let sent = frame::sent_at(&piece.buffer, at);
                at = sent.range.end;
                if sent.is_data {
                    messages.push(piece.buffer[sent.range].to_vec());
                }
            }
        }
        messages
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::OpCode;

    fn frames(payloads: &[&[u8]]) -> Batch {
        let mut out = vec![];
        for payload in payloads {
            frame::append(&mut out, OpCode::Text, payload);
        }
        Rc::new(Buffer::new(out, &Meter::unlimited()))
    }

    fn wire(outbound: &Outbound) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); WRITE_PIECES_MAX];
        let count = outbound.slices(&mut slices);
        slices[..count].iter().flat_map(|slice| slice.to_vec()).collect()
    }

    #[test]
    fn pieces_leave_in_order_and_byte_by_byte() {
        let mut outbound = Outbound::default();
        let batch = frames(&[b"ab", b"cd", b"ef"]);
        outbound.push(&batch, 4, 12, 1, 100).unwrap();
        outbound.push_own(frames(&[b"x"]).to_vec(), 0, &Meter::unlimited());
        let expected = [&batch[5..], &frames(&[b"x"])[..]].concat();
        for written in 0..expected.len() {
            assert_eq!(wire(&outbound), &expected[written..]);
            assert_eq!(outbound.bytes(), expected.len() - written);
            outbound.advance(1);
        }
        assert!(outbound.is_empty());
    }

    #[test]
    fn the_bound_is_behind_what_is_being_written() {
        let mut outbound = Outbound::default();
        let batch = frames(&[&[0; 90]]);
        outbound.push(&batch, 0, 92, 0, 10).unwrap();
        assert_eq!(outbound.push(&batch, 0, 92, 0, 91), Err(Overflow));
        outbound.push(&batch, 0, 92, 0, 92).unwrap();
        outbound.advance(50);
        assert_eq!(outbound.push(&batch, 0, 92, 0, 183), Err(Overflow));
        outbound.push(&batch, 0, 92, 0, 184).unwrap();
    }

    #[test]
    fn a_cut_keeps_the_partly_written_frame_whole() {
        let batch = frames(&[b"ab", b"cd", b"ef"]);
        for (written, kept) in [(0, 0), (1, 3), (3, 1), (4, 0), (6, 2), (11, 1)] {
            let mut outbound = Outbound::default();
            outbound.push(&batch, 0, 12, written, 100).unwrap();
            outbound.push(&batch, 0, 12, 0, 100).unwrap();
            let dropped = outbound.cut(0);
            assert_eq!(outbound.bytes(), kept, "{written}");
            assert_eq!(dropped, 24 - written - kept);
            assert_eq!(wire(&outbound), &batch[written..written + kept]);
        }
    }

    #[test]
    fn a_cut_keeps_the_frames_that_are_sealed() {
        let batch = frames(&[b"ab", b"cd", b"ef"]);
        let written = 2;
        for (sealed, kept) in [(0, 2), (2, 2), (3, 6), (10, 10), (11, 14), (22, 22)] {
            let mut outbound = Outbound::default();
            outbound.push(&batch, 0, 12, written, 100).unwrap();
            outbound.push(&batch, 0, 12, 0, 100).unwrap();
            assert_eq!(outbound.cut(sealed), 22 - kept, "{sealed}");
            assert_eq!(outbound.bytes(), kept);
            assert_eq!(wire(&outbound), [&batch[written..], &batch].concat()[..kept]);
        }
    }

    #[test]
    fn a_short_rest_does_not_hold_its_batch() {
        let mut outbound = Outbound::default();
        let payloads = vec![&b"abcdef"[..]; 100];
        let batch = frames(&payloads);
        outbound.push(&batch, 0, 800, 785, 100).unwrap();
        assert_eq!(Rc::strong_count(&batch), 1);
        assert_eq!(wire(&outbound), &batch[785..]);
        assert_eq!(outbound.unwritten_messages().len(), 2);
        outbound.cut(0);
        assert_eq!(outbound.bytes(), 7);
    }

    #[test]
    fn unwritten_messages_include_the_partly_written_one_and_no_control_frames() {
        let mut outbound = Outbound::default();
        let mut out = frames(&[b"ab", b"cd"]).to_vec();
        frame::append(&mut out, OpCode::Pong, b"p");
        outbound.push_own(out, 0, &Meter::unlimited());
        outbound.push_own(frames(&[b"ef"]).to_vec(), 0, &Meter::unlimited());
        outbound.advance(5);
        let expected = [frames(&[b"cd"]).to_vec(), frames(&[b"ef"]).to_vec()];
        assert_eq!(outbound.unwritten_messages(), expected);
        outbound.advance(3);
        assert_eq!(outbound.unwritten_messages().len(), 1);
    }
}
