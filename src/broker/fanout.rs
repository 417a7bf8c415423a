//! One topic whose messages go to all its members: the members, the batch that gathers, the
//! batch in flight.
//!
//! Positions count the bytes that the topic ever gathered, so that a member needs to remember
//! only one number, where it joined, and a bus peer only the ranges of its own frames.

use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use smallvec::SmallVec;

use super::pace::Pace;
use super::waiting::Waiting;
use super::{Kind, MemberId, Receivers};
use crate::frame;
use crate::limits::{BATCH_POOL_MAX, BATCH_POOLED_BYTES_MAX};
use crate::memory::Meter;
use crate::outbound::{Batch, Buffer};
use crate::slack;

/// Ranges of own frames that an idle peer may keep room for.
const OWN_RANGES_KEPT: usize = 16;
/// Of the buffers that are spare, one in so many is given back at a time.
const POOL_TRIM_RATIO: usize = 8;
/// Stands where a member left while a batch was in flight.
const GONE: MemberId = MemberId(u32::MAX);

/// A topic of the bus or of pub/sub.
#[derive(Debug, Default)]
pub(super) struct Fanout {
    members: Vec<Member>,
    /// How many of `members` are tombstones.
    gone: usize,
    /// What was published in this turn.
    batch: Vec<u8>,
    /// Position behind the last byte of `batch`.
    end: u64,
    /// What is being given out, member by member.
    flight: Option<Flight>,
    /// Whether the flusher has a job for this topic.
    pub(super) queued: bool,
    /// Publishers of this very topic, not of those below it.
    pub(super) publishers: u32,
    /// Messages that came, whether anybody hears them or not.
    pub(super) pace: Pace,
    /// Publishers who found the batch too long.
    pub(super) waiting: Waiting,
}

#[derive(Debug)]
struct Member {
    id: MemberId,
    /// It must not get all of the batch: see its own ranges.
    sent: bool,
    /// What was published before this position is not for it.
    since: u64,
}

#[derive(Debug)]
struct Flight {
    batch: Batch,
    /// Position of its first byte.
    start: u64,
    /// The next member to get it.
    next: usize,
}

/// What a bus peer published itself and must not hear, as positions, oldest first.
#[derive(Debug, Default)]
pub(super) struct OwnFrames(Vec<Range<u64>>);

/// Where the own frames of members are found.
pub(super) trait OwnFramesOf {
    /// The own frames of this member, which published some.
    fn own_frames(&mut self, member: MemberId) -> &mut OwnFrames;
    /// A member stands at another slot now.
    fn moved(&mut self, member: MemberId, slot: usize);
}

/// Buffers for reuse: a flushed topic owns none.
#[derive(Debug)]
pub(super) struct Pool {
    free: Vec<Vec<u8>>,
    /// Counts what is put into buffers, until it is released or its [`Buffer`] dropped.
    pub(super) meter: Arc<Meter>,
}

impl Pool {
    pub(super) const fn new(meter: Arc<Meter>) -> Self {
        Self { free: vec![], meter }
    }

    pub(super) fn take(&mut self) -> Vec<u8> {
        self.free.pop().unwrap_or_default()
    }

    pub(super) fn give(&mut self, mut buffer: Vec<u8>) {
        if buffer.capacity() <= BATCH_POOLED_BYTES_MAX && self.free.len() < BATCH_POOL_MAX {
            buffer.clear();
            self.free.push(buffer);
        }
    }

    /// Gives back a part of what is spare now; called again and again, all that no turn takes.
    pub(super) fn trim(&mut self) {
        let kept = self.free.len() - self.free.len().div_ceil(POOL_TRIM_RATIO);
        self.free.truncate(kept);
    }
}

impl Fanout {
    /// Adds a member, for what is published from now on; its slot.
    pub(super) fn join(&mut self, id: MemberId) -> usize {
        self.members.push(Member { id, sent: false, since: self.end });
        self.members.len() - 1
    }

    /// Takes a member away. While a batch is in flight its place stays, so that nobody moves
    /// under the cursor.
    pub(super) fn leave(&mut self, slot: usize, members: &mut impl OwnFramesOf) {
        if self.flight.is_some() {
            // nothing was ever published since then, so the batch in flight is not for it either
            self.members[slot] = Member { id: GONE, sent: false, since: u64::MAX };
            self.gone += 1;
            return;
        }
        self.members.swap_remove(slot);
        if let Some(moved) = self.members.get(slot) {
            members.moved(moved.id, slot);
        }
        self.trim();
    }

    /// Gives back what a peak of members left behind.
    fn trim(&mut self) {
        if let Some(kept) = slack::kept(self.members.len(), self.members.capacity()) {
            self.members.shrink_to(kept);
        }
    }

    /// How many members there are.
    pub(super) fn members(&self) -> usize {
        self.members.len() - self.gone
    }

    /// Whether the batch may grow, or its publishers should wait.
    pub(super) fn has_room(&self, batch_bytes_max: usize) -> bool {
        self.batch.len() <= batch_bytes_max
    }

    /// Appends one message to the batch, for which there is memory; its positions.
    #[inline]
    pub(super) fn publish(&mut self, kind: Kind, payload: &[u8], pool: &mut Pool) -> Range<u64> {
        if self.batch.capacity() == 0 {
            self.batch = pool.take();
        }
        let before = self.batch.len();
        frame::append(&mut self.batch, kind.op_code(), payload);
        let appended = self.batch.len() - before;
        pool.meter.hold_asked(appended);
        let start = self.end;
        self.end += appended as u64;
        start..self.end
    }

    /// Remembers that the member at `slot` published `range` and must not hear it.
    pub(super) fn published_by(&mut self, slot: usize, range: Range<u64>, own: &mut OwnFrames) {
        self.members[slot].sent = true;
        let batch_start = self.end - self.batch.len() as u64;
        match own.0.last_mut() {
            Some(last) if last.end == range.start && range.start > batch_start => {
                last.end = range.end;
            }
            _ => own.0.push(range),
        }
    }

    /// Gives the batch to at most `writes` members; how many it was, and whether all have it.
    /// What is published meanwhile gathers in the next batch.
    pub(super) fn flush(
        &mut self,
        writes: usize,
        members: &mut impl OwnFramesOf,
        pool: &mut Pool,
        receivers: &mut impl Receivers,
    ) -> (usize, bool) {
        if self.flight.is_none() && !self.seal(&pool.meter) {
            return (0, true);
        }
        let Some(flight) = &mut self.flight else { return (0, true) };
        let (mut written, mut seen) = (0, 0);
        for member in &mut self.members[flight.next..] {
            if written == writes {
                break;
            }
            seen += 1;
            if member.since <= flight.start && !member.sent {
                receivers.fan_out_whole(member.id, &flight.batch);
                written += 1;
            } else if member.id != GONE {
                written += usize::from(member.take_part(flight, members, receivers));
            }
        }
        flight.next += seen;
        if flight.next < self.members.len() {
            return (written, false);
        }
        self.land(members, pool);
        (written, self.batch.is_empty())
    }

    /// Gives one member what gathered for it so far, ahead of its turn; how many writes it was.
    /// Only for a member that leaves next: its place in the batches is not moved on.
    pub(super) fn settle(
        &mut self,
        slot: usize,
        members: &mut impl OwnFramesOf,
        meter: &Arc<Meter>,
        receivers: &mut impl Receivers,
    ) -> usize {
        if self.flight.is_none() {
            self.seal(meter);
        }
        let Some(flight) = &self.flight else { return 0 };
        let member = &mut self.members[slot];
        let mut written = 0;
        if slot >= flight.next {
            written += usize::from(member.take_part(flight, members, receivers));
        }
        if !self.batch.is_empty() {
            let start = self.end - self.batch.len() as u64;
            let batch = Rc::new(Buffer::new(self.batch.clone(), meter));
            let behind = Flight { batch, start, next: slot };
            written += usize::from(member.take_part(&behind, members, receivers));
        }
        written
    }

    /// Puts the batch that gathered in flight, if there is one.
    fn seal(&mut self, meter: &Arc<Meter>) -> bool {
        if self.batch.is_empty() {
            return false;
        }
        let batch = Rc::new(Buffer::held(std::mem::take(&mut self.batch), meter));
        let start = self.end - batch.len() as u64;
        self.flight = Some(Flight { batch, start, next: 0 });
        self.waiting.wake_all();
        true
    }

    /// Everybody has the batch: its buffer goes back, tombstones go.
    fn land(&mut self, members: &mut impl OwnFramesOf, pool: &mut Pool) {
        let Some(flight) = self.flight.take() else { return };
        if let Ok(buffer) = Rc::try_unwrap(flight.batch) {
            pool.give(buffer.into_bytes());
        }
        if self.gone == 0 {
            return;
        }
        self.gone = 0;
        self.members.retain(|member| member.id != GONE);
        self.trim();
        for (slot, member) in self.members.iter().enumerate() {
            members.moved(member.id, slot);
        }
    }
}

impl Member {
    /// Gives the member what of the batch is for it; whether there was any.
    #[cold]
    fn take_part(
        &mut self,
        flight: &Flight,
        members: &mut impl OwnFramesOf,
        receivers: &mut impl Receivers,
    ) -> bool {
        let length = flight.batch.len();
        let end = flight.start + length as u64;
        let from = self.since.clamp(flight.start, end);
        let mut runs = SmallVec::new();
        if self.sent {
            let own = members.own_frames(self.id);
            own.runs(from, flight.start..end, &mut runs);
            self.sent = !own.0.is_empty();
        } else if from < end {
            runs.push(offset(from, flight.start)..length);
        }
        if runs.is_empty() {
            return false;
        }
        receivers.fan_out(self.id, &flight.batch, &runs);
        true
    }
}

impl OwnFrames {
    /// What is left of the positions `from..batch.end` without the own frames, as ranges of the
    /// batch; forgets the frames that the batch holds.
    fn runs(&mut self, from: u64, batch: Range<u64>, runs: &mut SmallVec<[Range<usize>; 4]>) {
        let mut at = from;
        let mut add = |range: Range<u64>| {
            if range.start < range.end {
                runs.push(offset(range.start, batch.start)..offset(range.end, batch.start));
            }
        };
        let inside = self.0.iter().take_while(|own| own.end <= batch.end).count();
        for own in self.0.drain(..inside) {
            add(at..own.start);
            at = at.max(own.end);
        }
        add(at..batch.end);
        if self.0.is_empty() && self.0.capacity() > OWN_RANGES_KEPT {
            self.0 = vec![];
        }
    }
}

fn offset(position: u64, start: u64) -> usize {
    usize::try_from(position - start).expect("a batch fits into memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_turn_takes_leaves_the_pool() {
        let mut pool = Pool::new(Meter::unlimited());
        (0..BATCH_POOL_MAX).for_each(|_| pool.give(Vec::with_capacity(1)));
        pool.trim();
        assert_eq!(pool.free.len(), BATCH_POOL_MAX - BATCH_POOL_MAX.div_ceil(POOL_TRIM_RATIO));
        (0..40).for_each(|_| pool.trim());
        assert!(pool.free.is_empty());
        pool.trim();
    }
}
