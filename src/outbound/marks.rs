//! Where the frames of a buffer begin, roughly: so that it is walked once, and not by each of the
//! receivers that are behind on it.

use std::cell::OnceCell;
use std::ops::Range;

use crate::frame;

/// From one mark to the next, at least. A walk between two takes some microseconds when all
/// messages are tiny.
const STRIDE_BYTES: usize = 4096;

/// A frame's beginning.
#[derive(Debug, Clone, Copy)]
struct Mark {
    at: usize,
    /// Frames before it.
    frames: usize,
}

/// The marks of one buffer that consists of whole frames; made when they are first needed.
#[derive(Debug, Default)]
pub(super) struct Marks(OnceCell<Box<[Mark]>>);

impl Marks {
    /// The last beginning of a frame that is not behind `at`, or the buffer's end if that is `at`.
    pub(super) fn floor(&self, bytes: &[u8], at: usize) -> usize {
        let mark = self.before(bytes, at);
        frames(bytes, mark.at).take_while(|end| *end <= at).last().unwrap_or(mark.at)
    }

    /// The first beginning of a frame that is not before `at`, or the buffer's end.
    pub(super) fn ceiling(&self, bytes: &[u8], at: usize) -> usize {
        let floor = self.floor(bytes, at);
        if floor == at { at } else { frame::sent_at(bytes, floor).range.end }
    }

    /// How many frames `range` has, which begins and ends with one.
    pub(super) fn count(&self, bytes: &[u8], range: Range<usize>) -> usize {
        self.frames_before(bytes, range.end) - self.frames_before(bytes, range.start)
    }

    fn frames_before(&self, bytes: &[u8], at: usize) -> usize {
        let mark = self.before(bytes, at);
        mark.frames + frames(bytes, mark.at).take_while(|end| *end <= at).count()
    }

    /// The last mark that is not behind `at`.
    fn before(&self, bytes: &[u8], at: usize) -> Mark {
        let start = Mark { at: 0, frames: 0 };
        if at < STRIDE_BYTES {
            return start;
        }
        let marks = self.0.get_or_init(|| walk(bytes));
        let count = marks.partition_point(|mark| mark.at <= at);
        if count == 0 { start } else { marks[count - 1] }
    }
}

/// The ends of the frames from `at` on.
fn frames(bytes: &[u8], mut at: usize) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        (at < bytes.len()).then(|| {
            at = frame::sent_at(bytes, at).range.end;
            at
        })
    })
}

#[cold]
fn walk(bytes: &[u8]) -> Box<[Mark]> {
    let (mut marks, mut next) = (vec![], STRIDE_BYTES);
    for (number, at) in frames(bytes, 0).enumerate() {
        if at >= next && at < bytes.len() {
            marks.push(Mark { at, frames: number + 1 });
            next = at + STRIDE_BYTES;
        }
    }
    marks.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::OpCode;

    #[test]
    fn they_say_what_a_walk_would() {
        let mut bytes = vec![];
        let mut starts = vec![0];
        for number in 0..5000_usize {
            // mostly tiny, some larger than a stride
            let size = if number % 700 == 3 { 9000 } else { number % 11 };
            frame::append(&mut bytes, OpCode::Binary, &vec![0; size]);
            starts.push(bytes.len());
        }
        let marks = Marks::default();
        for at in (0..=bytes.len()).step_by(37).chain(starts.iter().copied()) {
            let floor = *starts.iter().rfind(|start| **start <= at).unwrap();
            let ceiling = *starts.iter().find(|start| **start >= at).unwrap();
            assert_eq!(marks.floor(&bytes, at), floor);
            assert_eq!(marks.ceiling(&bytes, at), ceiling);
        }
        for (first, last) in [(0, 5000), (0, 0), (17, 18), (4, 2500), (2999, 5000)] {
            assert_eq!(marks.count(&bytes, starts[first]..starts[last]), last - first);
        }
        assert!(marks.0.get().unwrap().len() <= bytes.len() / STRIDE_BYTES);
    }
}
