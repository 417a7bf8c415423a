//! One topic whose messages go to all its members: the members, the batch that gathers, the
//! batch in flight.
//!
//! Positions count the bytes that the topic ever gathered, so that a member needs to remember
//! only one number, where it joined, and a bus peer only the ranges of its own frames.

use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use smallvec::SmallVec;

use super::given::{Given, Landed};
use super::pace::Pace;
use super::turn::Turn;
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
    /// Messages in it.
    messages: u32,
    /// When it began, in microseconds of the broker's clock, if it is timed.
    since: Option<u64>,
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
    /// What it is, once all have it.
    landed: Landed,
    /// Position of its first byte.
    start: u64,
    /// The next member to get it.
    next: usize,
}

/// What a bus peer published itself and must not hear, oldest first.
#[derive(Debug, Default)]
pub(super) struct OwnFrames(Vec<Own>);

/// Frames of a peer behind each other.
#[derive(Debug)]
struct Own {
    /// Their positions.
    range: Range<u64>,
    /// How many they are.
    messages: u32,
}

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
    pub(super) fn publish(&mut self, kind: Kind, payload: &[u8], turn: &mut Turn) -> Range<u64> {
        if self.batch.capacity() == 0 {
            self.begin(turn);
        }
        let before = self.batch.len();
        frame::append(&mut self.batch, kind.op_code(), payload);
        // each has bytes, which are bounded by far fewer
        self.messages = self.messages.wrapping_add(1);
        let appended = self.batch.len() - before;
        turn.pool.meter.hold_asked(appended);
        let start = self.end;
        self.end += appended as u64;
        start..self.end
    }

    /// A batch begins.
    #[cold]
    fn begin(&mut self, turn: &mut Turn) {
        (self.batch, self.since) = turn.begin();
    }

    /// Remembers that the member at `slot` published `range` and must not hear it.
    pub(super) fn published_by(&mut self, slot: usize, range: Range<u64>, own: &mut OwnFrames) {
        self.members[slot].sent = true;
        let batch_start = self.end - self.batch.len() as u64;
        match own.0.last_mut() {
            Some(last) if last.range.end == range.start && range.start > batch_start => {
                last.range.end = range.end;
                last.messages += 1;
            }
            _ => own.0.push(Own { range, messages: 1 }),
        }
    }

    /// Gives the batch to at most `writes` members; what they got, and the batch once all have it.
    /// What is published meanwhile gathers in the next batch.
    pub(super) fn flush(
        &mut self,
        writes: usize,
        members: &mut impl OwnFramesOf,
        pool: &mut Pool,
        receivers: &mut impl Receivers,
    ) -> (Given, Option<Landed>) {
        if self.flight.is_none() {
            self.seal(&pool.meter);
        }
        let Some(flight) = &mut self.flight else { return (Given::default(), None) };
        let (mut written, mut seen) = (0, 0);
        let mut parts = Given::default();
        for member in &mut self.members[flight.next..] {
            if written == writes {
                break;
            }
            seen += 1;
            if member.since <= flight.start && !member.sent {
                receivers.fan_out_whole(member.id, &flight.batch);
                written += 1;
            } else if member.id != GONE {
                written += member.take_part(flight, members, receivers, &mut parts);
            }
        }
        flight.next += seen;
        let whole = (written - parts.writes) as u64 * u64::from(flight.landed.messages);
        let given = Given { writes: written, messages: whole + parts.messages };
        let has_landed = flight.next == self.members.len();
        (given, if has_landed { self.land(members, pool) } else { None })
    }

    /// Whether nothing is to be given out.
    pub(super) const fn is_flushed(&self) -> bool {
        self.flight.is_none() && self.batch.is_empty()
    }

    /// Gives one member what gathered for it so far, ahead of its turn; what it got. Only for a
    /// member that leaves next: its place in the batches is not moved on.
    pub(super) fn settle(
        &mut self,
        slot: usize,
        members: &mut impl OwnFramesOf,
        meter: &Arc<Meter>,
        receivers: &mut impl Receivers,
    ) -> Given {
        if self.flight.is_none() {
            self.seal(meter);
        }
        let mut given = Given::default();
        let Some(flight) = &self.flight else { return given };
        let member = &mut self.members[slot];
        if slot >= flight.next {
            member.take_part(flight, members, receivers, &mut given);
        }
        if !self.batch.is_empty() {
            let start = self.end - self.batch.len() as u64;
            let batch = Rc::new(Buffer::new(self.batch.clone(), meter));
            let landed = Landed { messages: self.messages, since: self.since };
            let behind = Flight { batch, landed, start, next: slot };
            member.take_part(&behind, members, receivers, &mut given);
        }
        given
    }

    /// Puts the batch that gathered in flight, if there is one.
    fn seal(&mut self, meter: &Arc<Meter>) {
        if self.batch.is_empty() {
            return;
        }
        let batch = Rc::new(Buffer::held(std::mem::take(&mut self.batch), meter));
        let start = self.end - batch.len() as u64;
        let landed = Landed { messages: std::mem::take(&mut self.messages), since: self.since };
        self.flight = Some(Flight { batch, landed, start, next: 0 });
        self.waiting.wake_all();
    }

    /// Everybody has the batch: its buffer goes back, tombstones go.
    fn land(&mut self, members: &mut impl OwnFramesOf, pool: &mut Pool) -> Option<Landed> {
        let flight = self.flight.take()?;
        if let Ok(buffer) = Rc::try_unwrap(flight.batch) {
            pool.give(buffer.into_bytes());
        }
        if self.gone == 0 {
            return Some(flight.landed);
        }
        self.gone = 0;
        self.members.retain(|member| member.id != GONE);
        self.trim();
        for (slot, member) in self.members.iter().enumerate() {
            members.moved(member.id, slot);
        }
        Some(flight.landed)
    }
}

impl Member {
    /// Gives the member what of the batch is for it, in a write if there is any; adds that to what
    /// was given, and says how many writes it was.
    #[cold]
    fn take_part(
        &mut self,
        flight: &Flight,
        members: &mut impl OwnFramesOf,
        receivers: &mut impl Receivers,
        given: &mut Given,
    ) -> usize {
        let length = flight.batch.len();
        let end = flight.start + length as u64;
        let from = self.since.clamp(flight.start, end);
        let mut messages = flight.messages_from(from);
        let mut runs = SmallVec::new();
        if self.sent {
            let own = members.own_frames(self.id);
            messages -= own.runs(from, flight.start..end, &mut runs);
            self.sent = !own.0.is_empty();
        } else if from < end {
            runs.push(offset(from, flight.start)..length);
        }
        if runs.is_empty() {
            return 0;
        }
        receivers.fan_out(self.id, &flight.batch, &runs);
        given.writes += 1;
        given.messages += u64::from(messages);
        1
    }
}

impl Flight {
    /// Messages from this position of the batch on, which is a frame's.
    fn messages_from(&self, position: u64) -> u32 {
        let mut at = offset(position, self.start);
        if at == 0 {
            return self.landed.messages;
        }
        let mut messages = 0;
        while at < self.batch.len() {
            at = frame::sent_at(&self.batch, at).range.end;
            messages += 1;
        }
        messages
    }
}

impl OwnFrames {
    /// What is left of the positions `from..batch.end` without the own frames, as ranges of the
    /// batch; forgets the frames that the batch holds, and says how many they were.
    fn runs(
        &mut self,
        from: u64,
        batch: Range<u64>,
        runs: &mut SmallVec<[Range<usize>; 4]>,
    ) -> u32 {
        let mut at = from;
        let mut add = |range: Range<u64>| {
            if range.start < range.end {
                runs.push(offset(range.start, batch.start)..offset(range.end, batch.start));
            }
        };
        let inside = self.0.iter().take_while(|own| own.range.end <= batch.end).count();
        let mut messages = 0;
        for own in self.0.drain(..inside) {
            add(at..own.range.start);
            at = at.max(own.range.end);
            messages += own.messages;
        }
        add(at..batch.end);
        if self.0.is_empty() && self.0.capacity() > OWN_RANGES_KEPT {
            self.0 = vec![];
        }
        messages
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
