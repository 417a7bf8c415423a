//! One turn of a broker: what gathered in it, and how that is given out.

use std::collections::VecDeque;

use super::fanout::{Fanout, Pool};
use super::given::Given;
use super::pace::Beat;
use super::stopwatch::Stopwatch;
use super::topic_tree::{TopicId, TopicTree};
use super::{Broker, MemberId, Pattern, Receivers, release};
use crate::limits::MEMORY_LEASE_BYTES;
use crate::slack;

/// What the flusher has to do. A topic stands here at most once; of a puller that left a job may
/// remain, which then does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Job {
    Bus(TopicId),
    PubSub(TopicId),
    Puller(MemberId),
}

/// What gathered in this turn, and the buffers to gather it in.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) jobs: VecDeque<Job>,
    pub(super) pool: Pool,
    /// When it is, for what is counted by time.
    pub(super) beat: Beat,
    /// Times what gathers.
    watch: Stopwatch,
}

impl Turn {
    /// Nothing gathered so far.
    pub(super) fn new(pool: Pool, clock: fn() -> u64) -> Self {
        let watch = Stopwatch::new(clock);
        Self { jobs: VecDeque::new(), pool, beat: Beat::default(), watch }
    }

    /// A buffer for a batch that begins now, and when that is, if it is timed.
    pub(super) fn begin(&mut self) -> (Vec<u8>, Option<u64>) {
        (self.pool.take(), self.watch.begin())
    }
}

impl Broker {
    /// Whether there is anything to give out.
    #[must_use]
    pub fn has_jobs(&self) -> bool {
        !self.turn.jobs.is_empty()
    }

    /// Whether giving out takes at least so many writes.
    #[must_use]
    pub fn has_writes(&self, least: usize) -> bool {
        let mut writes = 0;
        self.turn.jobs.iter().any(|job| {
            writes += match *job {
                Job::Bus(id) => self.bus.topics[id].members(),
                Job::PubSub(id) => self.pubsub.topics[id].members(),
                Job::Puller(_) => 1,
            };
            writes >= least
        })
    }

    /// Gives out what gathered, in at most `writes` writes, the jobs in turn: each gets its share
    /// and passes on what it does not need. Whether anything is left for the next turn.
    pub fn flush(&mut self, writes: usize, receivers: &mut impl Receivers) -> bool {
        self.change(|broker| {
            broker.turn.watch.flush();
            let mut writes = writes;
            let mut round = broker.turn.jobs.len();
            while writes > 0
                && let Some(job) = broker.turn.jobs.pop_front()
            {
                let share = (writes / round.max(1)).max(1);
                let (written, finished) = broker.work(job, share, receivers);
                writes -= written;
                if !finished {
                    broker.turn.jobs.push_back(job);
                }
                round = if round > 1 { round - 1 } else { broker.turn.jobs.len() };
            }
            if !broker.starving.is_empty() && broker.bounds.meter.has_room(MEMORY_LEASE_BYTES) {
                broker.starving.wake_all();
            }
            broker.has_jobs()
        })
    }

    /// One job, at most `writes` writes; how many it was, and whether nothing is left of it.
    fn work(&mut self, job: Job, writes: usize, receivers: &mut impl Receivers) -> (usize, bool) {
        let Self { bounds, members, turn, .. } = self;
        let (pattern, tree, id) = match job {
            Job::Bus(id) => (Pattern::Bus, &mut self.bus.topics, id),
            Job::PubSub(id) => (Pattern::PubSub, &mut self.pubsub.topics, id),
            Job::Puller(id) => {
                let landed = self.pushpull.deliver(id, members, bounds, turn, receivers);
                let Some(landed) = landed else { return (0, true) };
                let given = Given { writes: 1, messages: landed.messages.into() };
                given.count(Pattern::PushPull, &bounds.counters);
                landed.count(&turn.watch, Pattern::PushPull, &bounds.counters);
                return (1, true);
            }
        };
        let fanout = &mut tree[id];
        let (given, landed) = fanout.flush(writes, members, &mut turn.pool, receivers);
        given.count(pattern, &bounds.counters);
        if let Some(landed) = landed {
            landed.count(&turn.watch, pattern, &bounds.counters);
        }
        let is_finished = fanout.is_flushed();
        if is_finished {
            fanout.queued = false;
            release(tree, id, bounds);
        }
        (given.writes, is_finished)
    }

    /// So many milliseconds have passed since somebody began to count.
    pub fn beat(&mut self, now: u64) {
        self.turn.beat = self.turn.beat.next(now);
        self.turn.watch.beat();
    }

    /// Gives back memory that no turn since the last few calls has needed.
    pub fn trim(&mut self) {
        let Turn { jobs, pool, .. } = &mut self.turn;
        if let Some(kept) = slack::kept(jobs.len(), jobs.capacity()) {
            jobs.shrink_to(kept);
        }
        pool.trim();
    }
}

/// Makes sure that the flusher has a job for this topic; the job is one of its users.
#[inline]
pub(super) fn mark(
    tree: &mut TopicTree<Fanout>,
    id: TopicId,
    turn: &mut Turn,
    job: fn(TopicId) -> Job,
) {
    if !tree[id].queued {
        tree[id].queued = true;
        tree.hold(id);
        turn.jobs.push_back(job(id));
    }
}
