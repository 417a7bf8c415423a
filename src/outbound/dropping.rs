//! What becomes of messages that overflow an outbound whose receiver is not closed for it.

use std::ops::Range;
use std::rc::Rc;

use super::piece::{Content, Piece};
use super::{Batch, Outbound};

/// What a receiver that does not keep up will never get.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Whole messages.
    pub messages: u64,
    /// Their frames, bytes.
    pub bytes: usize,
}

impl Dropped {
    /// These frames of a buffer, too.
    fn add(&mut self, buffer: &Batch, run: Range<usize>) {
        self.bytes += run.len();
        self.messages += buffer.frames(run);
    }
}

impl Outbound {
    /// Queues `run`, whole frames that overflowed, as far as they fit; the others are dropped.
    pub fn push_dropping_newest(
        &mut self,
        buffer: &Batch,
        run: Range<usize>,
        bytes_max: usize,
    ) -> Dropped {
        let room = bytes_max.saturating_sub(self.bytes_behind());
        let end = buffer.floor((run.start + room).min(run.end));
        let mut dropped = Dropped::default();
        dropped.add(buffer, end..run.end);
        self.push_messages(buffer, run.start..end);
        dropped
    }

    /// Queues `run`, whole frames that overflowed, and drops the oldest messages that nobody
    /// began to write until all the rest is within `bytes_max`. The first `sealed` bytes of what
    /// waits are encrypted, and go as they are.
    pub fn push_dropping_oldest(
        &mut self,
        buffer: &Batch,
        run: Range<usize>,
        bytes_max: usize,
        sealed: usize,
    ) -> Dropped {
        let start = buffer.ceiling(run.end.saturating_sub(bytes_max).max(run.start));
        let mut dropped = Dropped::default();
        dropped.add(buffer, run.start..start);
        if start < run.end {
            self.drop_oldest(bytes_max - (run.end - start), sealed, &mut dropped);
            self.push_messages(buffer, start..run.end);
        }
        dropped
    }

    /// Drops all messages that nobody began to write, or to seal: so many bytes.
    pub fn drop_messages(&mut self, sealed: usize) -> Dropped {
        let mut dropped = Dropped::default();
        self.drop_oldest(0, sealed, &mut dropped);
        dropped
    }

    fn push_messages(&mut self, buffer: &Batch, run: Range<usize>) {
        let (buffer, content) = (Rc::clone(buffer), Content::Messages);
        self.add(Piece { buffer, at: run.start, end: run.end, content }, 0);
    }

    /// Drops messages from the front until no more than `bytes_max` are left, the frames that are
    /// partly written or sealed not counted. Control frames stay, and keep their order.
    fn drop_oldest(&mut self, bytes_max: usize, sealed: usize, dropped: &mut Dropped) {
        let mut kept = self.take_begun(sealed);
        let begun: usize = kept.iter().map(Piece::unwritten).sum();
        while self.bytes - begun > bytes_max
            && let Some(mut piece) = self.pieces.pop_front()
        {
            if piece.content == Content::Messages {
                let excess = self.bytes - begun - bytes_max;
                let end = piece.buffer.ceiling((piece.at + excess).min(piece.end));
                self.bytes -= end - piece.at;
                dropped.add(&piece.buffer, piece.at..end);
                piece.at = end;
            }
            if piece.unwritten() > 0 {
                kept.push(piece);
            }
        }
        if let Some(rest) = self.pieces.front_mut()
            && rest.is_wasteful()
        {
            *rest = rest.alone();
        }
        for piece in kept.into_iter().rev() {
            let piece = if piece.is_wasteful() { piece.alone() } else { piece };
            self.pieces.push_front(piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{self, OpCode};
    use crate::memory::Meter;
    use crate::outbound::Buffer;

    /// A batch of two-byte messages, four bytes each on the wire.
    fn batch(numbers: Range<u8>) -> Batch {
        let mut out = vec![];
        for number in numbers {
            frame::append(&mut out, OpCode::Binary, &[number; 2]);
        }
        Rc::new(Buffer::new(out, &Meter::unlimited()))
    }

    /// An outbound that took these, and wrote so many bytes of them.
    fn outbound(numbers: Range<u8>, written: usize) -> Outbound {
        let mut outbound = Outbound::default();
        for number in numbers {
            outbound.push(&batch(number..number + 1), 0, 4, 0, 1000).unwrap();
        }
        outbound.advance(written);
        outbound
    }

    /// What will be written, frame by frame; of the first maybe only a rest.
    fn wire(mut outbound: Outbound) -> Vec<u8> {
        let mut bytes = vec![];
        let mut slices = [std::io::IoSlice::new(&[]); crate::limits::WRITE_PIECES_MAX];
        let count = outbound.slices(&mut slices);
        slices[..count].iter().for_each(|slice| bytes.extend_from_slice(slice));
        let total = outbound.bytes();
        assert_eq!(bytes.len(), total);
        outbound.advance(total);
        assert!(outbound.is_empty());
        bytes
    }

    fn dropped(messages: u64) -> Dropped {
        Dropped { messages, bytes: usize::try_from(messages).unwrap() * 4 }
    }

    #[test]
    fn the_newest_are_dropped_as_whole_frames() {
        let new = batch(3..6);
        // behind the first piece there are two of four bytes
        for (bytes_max, fit) in [(8, 0), (11, 0), (12, 1), (19, 2)] {
            let mut outbound = outbound(0..3, 1);
            let lost = outbound.push_dropping_newest(&new, 0..new.len(), bytes_max);
            assert_eq!(lost, dropped(3 - u64::from(fit)), "{bytes_max}");
            assert_eq!(wire(outbound), batch(0..3 + fit)[1..]);
        }
    }

    #[test]
    fn the_oldest_are_dropped_and_the_partly_written_one_is_finished() {
        let new = batch(3..6);
        for (bytes_max, gone) in [(20, 0), (19, 1), (16, 1), (12, 2), (8, 3), (4, 4)] {
            let mut outbound = outbound(0..3, 1);
            let lost = outbound.push_dropping_oldest(&new, 0..new.len(), bytes_max, 0);
            assert_eq!(lost, dropped(gone), "{bytes_max}");
            let expected = [&batch(0..1)[1..], &batch(1 + u8::try_from(gone).unwrap()..6)].concat();
            assert_eq!(wire(outbound), expected);
        }
    }

    #[test]
    fn a_message_that_can_never_fit_is_dropped_itself() {
        let new = batch(3..5);
        let mut outbound = outbound(0..3, 1);
        assert_eq!(outbound.push_dropping_oldest(&new, 0..8, 3, 0), dropped(2));
        assert_eq!(outbound.push_dropping_newest(&new, 0..8, 3), dropped(2));
        assert_eq!(wire(outbound), batch(0..3)[1..]);
    }

    #[test]
    fn a_piece_that_nobody_began_to_write_may_be_dropped_whole() {
        let mut outbound = outbound(0..3, 4);
        let new = batch(3..4);
        assert_eq!(outbound.push_dropping_oldest(&new, 0..4, 4, 0), dropped(2));
        assert_eq!(wire(outbound), new[..]);
    }

    #[test]
    fn what_is_sealed_is_not_dropped() {
        let new = batch(3..4);
        for (sealed, gone) in [(0, 2), (2, 2), (3, 2), (4, 1), (8, 0), (11, 0)] {
            let mut outbound = outbound(0..3, 1);
            let lost = outbound.push_dropping_oldest(&new, 0..4, 4, sealed);
            assert_eq!(lost, dropped(gone), "{sealed}");
            let kept = 3 - u8::try_from(gone).unwrap();
            let expected = [&batch(0..kept)[1..], &new].concat();
            assert_eq!(wire(outbound), expected);
        }
    }

    #[test]
    fn a_large_frame_that_is_mostly_written_is_not_copied_again_and_again() {
        let mut bytes = batch(0..2).to_vec();
        frame::append(&mut bytes, OpCode::Binary, &[2; 3000]);
        let old = Rc::new(Buffer::new(bytes, &Meter::unlimited()));
        let mut outbound = Outbound::default();
        outbound.push(&old, 0, old.len(), 2900, 1000).unwrap();
        for number in 3..9 {
            let lost = outbound.push_dropping_oldest(&batch(number..number + 1), 0..4, 4, 0);
            assert_eq!(lost, dropped(u64::from(number > 3)));
            assert!(Rc::ptr_eq(&outbound.pieces[0].buffer, &old));
        }
        assert_eq!(wire(outbound), [&old[2900..], &batch(8..9)].concat());
    }

    #[test]
    fn control_frames_are_never_dropped_and_keep_their_order() {
        let mut pong = vec![];
        frame::append(&mut pong, OpCode::Pong, b"p");
        let mut outbound = outbound(0..2, 2);
        outbound.push_control(pong.clone(), 0, &Meter::unlimited());
        assert_eq!(outbound.mark_pong(), 1);
        let old = batch(2..5);
        outbound.push(&old, 0, old.len(), 0, 1000).unwrap();
        let new = batch(5..6);
        // what is left: the rest of 0, the pong, 4, 5
        assert_eq!(outbound.push_dropping_oldest(&new, 0..4, 11, 0), dropped(3));
        outbound.push_control(pong.clone(), 0, &Meter::unlimited());
        assert_eq!(outbound.mark_pong(), 2);
        let expected = [&batch(0..1)[2..], &pong, &batch(4..6), &pong].concat();
        assert_eq!(wire(outbound), expected);
    }
}
