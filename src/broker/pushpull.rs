//! Push/pull: each job goes to one puller, in turn, or waits in its topic's backlog.

use std::collections::VecDeque;

use super::given::Landed;
use super::member::{Members, Part, Puller};
use super::pace::Pace;
use super::ring::Ring;
use super::topic::Topic;
use super::topic_tree::{TopicId, TopicTree};
use super::waiting::Waiting;
use super::{Bounds, Job, Kind, MemberId, NoRoom, Place, Receivers, TooManyTopics, Turn};
use super::{acquire, has_memory, release};
use crate::frame;
use crate::limits::{JOB_BYTES, JOB_SMALL_BYTES};

/// All push/pull topics of a shard.
#[derive(Debug, Default)]
pub(super) struct PushPull {
    pub(super) topics: TopicTree<Lane>,
    /// Frames that pullers were given in this turn.
    pending: usize,
}

/// One topic of jobs.
#[derive(Debug, Default)]
pub(super) struct Lane {
    ring: Ring,
    /// Jobs that no puller could take, oldest first. While it is not empty it is one of the
    /// topic's users.
    backlog: VecDeque<Kept>,
    /// Payload in the backlog.
    bytes: usize,
    /// Jobs that came.
    pub(super) pace: Pace,
    /// Pushers who found the backlog full.
    pub(super) waiting: Waiting,
}

/// A job in a backlog.
#[derive(Debug)]
struct Kept {
    frame: Vec<u8>,
    payload: usize,
}

impl Lane {
    pub(super) fn has_backlog(&self) -> bool {
        !self.backlog.is_empty()
    }

    pub(super) fn has_puller(&self) -> bool {
        !self.ring.is_empty()
    }

    pub(super) const fn pullers(&self) -> usize {
        self.ring.len()
    }

    /// Jobs in the backlog, and their payload.
    pub(super) fn backlog(&self) -> (usize, usize) {
        (self.backlog.len(), self.bytes)
    }

    /// Whether the backlog may take a job with this payload.
    fn has_room(&self, payload: usize, bounds: &Bounds) -> bool {
        self.backlog.len() < bounds.backlog_messages_max
            && self.bytes.saturating_add(payload) <= bounds.backlog_bytes_max
            && bounds.backlogs.used().saturating_add(payload) <= bounds.backlogs.max()
            && bounds.hoard.used().saturating_add(kept_bytes(payload)) <= bounds.hoard.max()
            && (self.has_backlog() || bounds.backlog_topics.used() < bounds.backlog_topics.max())
    }

    /// A puller for a job whose frame has this size; its place in the ring.
    fn choose(&mut self, frame_bytes: usize, members: &Members, bounds: &Bounds) -> Option<usize> {
        let outbound_bytes_max = bounds.outbound_bytes_max;
        self.ring.choose(|id| members.puller(id).takes(frame_bytes, outbound_bytes_max))
    }

    /// The same for a job that comes, and does not only move from the backlog. What pullers'
    /// sockets do not take is hoarded like a backlog: when there is too much of it, those who are
    /// behind get no more, and when it is twice as much, nobody gets a job that is not small.
    fn choose_for_new(
        &mut self,
        frame_bytes: usize,
        pending: usize,
        members: &Members,
        bounds: &Bounds,
    ) -> Option<usize> {
        let (hoard, max) = (bounds.hoard.used().saturating_add(pending), bounds.hoard.max());
        if hoard <= max {
            return self.choose(frame_bytes, members, bounds);
        }
        let outbound_bytes_max = bounds.outbound_bytes_max;
        let takes = |id| {
            let puller = members.puller(id);
            puller.outbound == 0
                && puller.pending.is_empty()
                && puller.takes(frame_bytes, outbound_bytes_max)
        };
        let is_small = frame_bytes <= JOB_SMALL_BYTES && !bounds.meter.is_scarce();
        if is_small || hoard <= max.saturating_mul(2) { self.ring.choose(takes) } else { None }
    }

    /// Counts what enters the backlog. It was accepted: it enters whether others have used up
    /// the budget since or not.
    fn entered(&mut self, payload: usize, bounds: &Bounds) {
        if self.backlog.is_empty() {
            bounds.backlog_topics.take_regardless(1);
        }
        self.bytes += payload;
        bounds.backlogs.take_regardless(payload);
        bounds.meter.hold(kept_bytes(payload));
        bounds.hoard.take_regardless(kept_bytes(payload));
        bounds.counters.backlog_messages.add(1);
        bounds.counters.backlog_bytes.add(payload as u64);
    }

    /// Takes the oldest job out of the backlog.
    fn pop(&mut self, bounds: &Bounds) -> Option<Vec<u8>> {
        let Kept { frame, payload } = self.backlog.pop_front()?;
        self.bytes -= payload;
        bounds.backlogs.give(payload);
        bounds.meter.release(kept_bytes(payload));
        bounds.hoard.give(kept_bytes(payload));
        bounds.counters.backlog_messages.take(1);
        bounds.counters.backlog_bytes.take(payload as u64);
        if self.backlog.is_empty() {
            self.backlog = VecDeque::new();
            bounds.backlog_topics.give(1);
            self.waiting.wake_all();
        } else {
            self.waiting.wake_one();
        }
        Some(frame)
    }
}

impl PushPull {
    /// Adds a pusher.
    pub(super) fn enter(&mut self, topic: &Topic, bounds: &Bounds) -> Result<Part, TooManyTopics> {
        acquire(&mut self.topics, topic.name(), bounds).map(Part::Pusher)
    }

    /// Makes room for a puller, who gets its turns with [`PushPull::join`].
    pub(super) fn topic(&mut self, topic: &Topic, bounds: &Bounds) -> Result<Part, TooManyTopics> {
        let topic = acquire(&mut self.topics, topic.name(), bounds)?;
        Ok(Part::Puller(Box::new(Puller::new(topic))))
    }

    /// Puts a puller into the ring; it gets what waits.
    pub(super) fn join(
        &mut self,
        id: MemberId,
        members: &mut Members,
        bounds: &Bounds,
        turn: &mut Turn,
    ) {
        let topic = members.puller(id).topic;
        self.topics[topic].ring.join(id);
        self.feed(topic, members, bounds, turn);
        self.topics[topic].waiting.wake_one();
    }

    /// Takes a user of the topic away.
    pub(super) fn release(&mut self, topic: TopicId, bounds: &Bounds) {
        release(&mut self.topics, topic, bounds);
    }

    /// Takes a puller out of the ring. What it did not get goes back to the front of the backlog
    /// in its old order, and on to the others.
    pub(super) fn leave(
        &mut self,
        id: MemberId,
        puller: &Puller,
        mut unwritten: Vec<Vec<u8>>,
        members: &mut Members,
        bounds: &Bounds,
        turn: &mut Turn,
    ) {
        let lane = &mut self.topics[puller.topic];
        lane.ring.leave(id);
        bounds.meter.release(puller.pending.len());
        self.pending -= puller.pending.len();
        bounds.hoard.give(puller.outbound);
        let mut at = 0;
        while at < puller.pending.len() {
            let sent = frame::sent_at(&puller.pending, at);
            at = sent.range.end;
            unwritten.push(puller.pending[sent.range].to_vec());
        }
        bounds.counters.jobs_returned.add(unwritten.len() as u64);
        let had_backlog = lane.has_backlog();
        for frame in unwritten.into_iter().rev() {
            let payload = frame::sent_at(&frame, 0).payload;
            lane.entered(payload, bounds);
            lane.backlog.push_front(Kept { frame, payload });
        }
        if lane.has_backlog() && !had_backlog {
            self.topics.hold(puller.topic);
        }
        self.feed(puller.topic, members, bounds, turn);
        self.release(puller.topic, bounds);
    }

    /// Whether a puller or the backlog can take a job with this payload.
    #[inline]
    pub(super) fn room(
        &mut self,
        topic: TopicId,
        payload: usize,
        members: &Members,
        bounds: &Bounds,
    ) -> Result<(), NoRoom> {
        let lane = &mut self.topics[topic];
        let size = frame::sent_size(payload);
        if (!lane.has_backlog()
            && lane.choose_for_new(size, self.pending, members, bounds).is_some())
            || lane.has_room(payload, bounds)
        {
            return has_memory(payload, 1, bounds);
        }
        Err(NoRoom(Place::PushPull(topic)))
    }

    /// Gives a job to the puller whose turn it is, or to the backlog.
    #[inline]
    pub(super) fn push(
        &mut self,
        topic: TopicId,
        kind: Kind,
        payload: &[u8],
        members: &mut Members,
        bounds: &Bounds,
        turn: &mut Turn,
    ) {
        let lane = &mut self.topics[topic];
        lane.pace.count(turn.beat);
        let size = frame::sent_size(payload.len());
        if !lane.has_backlog()
            && let Some(place) = lane.choose_for_new(size, self.pending, members, bounds)
        {
            let id = lane.ring.served(place);
            self.pending += size;
            frame::append(give(id, size, members, turn), kind.op_code(), payload);
            return;
        }
        let mut frame = Vec::with_capacity(size);
        frame::append(&mut frame, kind.op_code(), payload);
        lane.entered(payload.len(), bounds);
        let first = !lane.has_backlog();
        lane.backlog.push_back(Kept { frame, payload: payload.len() });
        if first {
            self.topics.hold(topic);
        }
    }

    pub(super) fn post(
        &mut self,
        topic: &Topic,
        kind: Kind,
        payload: &[u8],
        members: &mut Members,
        bounds: &Bounds,
        turn: &mut Turn,
    ) -> Result<Result<(), NoRoom>, TooManyTopics> {
        let id = acquire(&mut self.topics, topic.name(), bounds)?;
        let room = self.room(id, payload.len(), members, bounds);
        if room.is_ok() {
            self.push(id, kind, payload, members, bounds, turn);
        }
        self.release(id, bounds);
        Ok(room)
    }

    /// Gives out what waits, as long as somebody can take it.
    fn feed(&mut self, topic: TopicId, members: &mut Members, bounds: &Bounds, turn: &mut Turn) {
        let lane = &mut self.topics[topic];
        let had_backlog = lane.has_backlog();
        while let Some(oldest) = lane.backlog.front()
            && let Some(place) = lane.choose(oldest.frame.len(), members, bounds)
            && let Some(frame) = lane.pop(bounds)
        {
            let id = lane.ring.served(place);
            self.pending += frame.len();
            give(id, frame.len(), members, turn).extend_from_slice(&frame);
        }
        if had_backlog && !lane.has_backlog() {
            self.release(topic, bounds);
        }
    }

    /// Writes a puller's jobs of this turn, all at once, if there are any.
    pub(super) fn deliver(
        &mut self,
        id: MemberId,
        members: &mut Members,
        bounds: &Bounds,
        turn: &mut Turn,
        receivers: &mut impl Receivers,
    ) -> Option<Landed> {
        // it may have left since, and its id may belong to another by now
        let Some(Part::Puller(puller)) = members.get_mut(id) else { return None };
        puller.queued = false;
        if puller.pending.is_empty() {
            return None;
        }
        let landed = Landed { messages: std::mem::take(&mut puller.jobs), since: puller.since };
        turn.pool.meter.release(puller.pending.len());
        self.pending -= puller.pending.len();
        let taken = receivers.jobs(id, std::mem::take(&mut puller.pending));
        puller.waits(taken.outbound, bounds);
        if let Some(spare) = taken.spare {
            turn.pool.give(spare);
        }
        self.resume(id, members, bounds, turn);
        Some(landed)
    }

    /// A puller's socket took something.
    pub(super) fn progress(
        &mut self,
        id: MemberId,
        outbound: usize,
        members: &mut Members,
        bounds: &Bounds,
        turn: &mut Turn,
    ) {
        let Part::Puller(puller) = &mut members[id] else { return };
        puller.waits(outbound, bounds);
        puller.stalled = false;
        self.resume(id, members, bounds, turn);
    }

    /// A puller may be able to take more than before.
    fn resume(&mut self, id: MemberId, members: &mut Members, bounds: &Bounds, turn: &mut Turn) {
        let topic = members.puller(id).topic;
        self.topics[topic].ring.reopen(id);
        if self.topics[topic].has_backlog() {
            self.feed(topic, members, bounds, turn);
        }
        self.topics[topic].waiting.wake_one();
    }

    /// Topics with a backlog: name, jobs, payload.
    pub(super) fn backlogs(&self) -> impl Iterator<Item = (&str, usize, usize)> {
        let full = |(_, lane): &(&str, &Lane)| lane.has_backlog();
        self.topics.iter().filter(full).map(|(name, lane)| (name, lane.backlog.len(), lane.bytes))
    }
}

/// What a job with this payload takes while it is in a backlog.
fn kept_bytes(payload: usize) -> usize {
    frame::sent_size(payload) + JOB_BYTES
}

/// The buffer of jobs that a puller gets in this turn, to which so many bytes will be appended.
fn give<'a>(
    id: MemberId,
    bytes: usize,
    members: &'a mut Members,
    turn: &mut Turn,
) -> &'a mut Vec<u8> {
    let puller = members.puller_mut(id);
    turn.pool.meter.hold(bytes);
    if puller.pending.capacity() == 0 {
        (puller.pending, puller.since) = turn.begin();
    }
    puller.jobs = puller.jobs.wrapping_add(1);
    if !puller.queued {
        puller.queued = true;
        turn.jobs.push_back(Job::Puller(id));
    }
    &mut puller.pending
}
