//! Who gets what: topics, members, batches, rings and backlogs of one shard. Pure: no sockets,
//! no clock, no tokio.
//!
//! A publish only appends to batches and marks their topics; [`Broker::flush`] gives out what
//! gathered. Nothing here writes, waits or knows that there is more than one thread.

#[cfg(feature = "benches")]
pub(crate) mod bench;
mod bounds;
mod bus;
mod fanout;
mod given;
mod member;
mod pace;
mod pubsub;
mod pushpull;
mod ring;
mod role;
mod room;
mod slots;
mod stopwatch;
mod survey;
pub mod topic;
mod topic_tree;
mod turn;
mod waiting;

use std::ops::Range;
use std::sync::Arc;

pub use self::bounds::Bounds;
use self::bus::Bus;
use self::fanout::Pool;
use self::member::{Members, Part};
use self::pubsub::PubSub;
use self::pushpull::PushPull;
pub use self::role::{Pattern, Role};
pub use self::room::{NoRoom, Ticket};
use self::room::{Place, copies_bytes, has_memory};
pub use self::survey::{Place as TopicPlace, Seen};
use self::topic::Topic;
use self::topic_tree::{TopicId, TopicTree};
use self::turn::{Job, Turn, mark};
use self::waiting::Waiting;
use crate::faults;
pub use crate::frame::Kind;
use crate::limits::Limits;
use crate::outbound::Batch;

/// One socket on one topic; small, and used again after [`Broker::forget`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MemberId(pub u32);

/// Those who get what [`Broker::flush`] gives out.
pub trait Receivers {
    /// One member gets these ranges of a batch. All of them begin and end with a frame.
    fn fan_out(&mut self, member: MemberId, batch: &Batch, runs: &[Range<usize>]);

    /// One member gets all of a batch: the usual case, and the hot path.
    fn fan_out_whole(&mut self, member: MemberId, batch: &Batch) {
        let whole = 0..batch.len();
        self.fan_out(member, batch, std::slice::from_ref(&whole));
    }

    /// A puller gets jobs, whole frames.
    fn jobs(&mut self, puller: MemberId, frames: Vec<u8>) -> Taken;
}

/// What became of a puller's jobs.
#[derive(Debug)]
pub struct Taken {
    /// Bytes that wait in the puller's outbound now.
    pub outbound: usize,
    /// The buffer, if it is free again.
    pub spare: Option<Vec<u8>>,
}

/// `--max-topics` is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyTopics;

/// All topics of one shard.
#[derive(Debug)]
pub struct Broker {
    bounds: Bounds,
    members: Members,
    bus: Bus,
    pubsub: PubSub,
    pushpull: PushPull,
    turn: Turn,
    /// Publishers who found no memory.
    starving: Waiting,
    /// Tickets given out so far.
    tickets: u64,
    /// A change is under way: whoever sees this from outside sees half of one.
    changing: bool,
}

impl Broker {
    /// Other limits from here on. The budgets that brokers share are not its own to change.
    pub fn adopt(&mut self, limits: &Limits) {
        self.bounds.batch_bytes_max = limits.batch_bytes_max;
        self.bounds.outbound_bytes_max = limits.outbound_bytes_max;
        self.bounds.backlog_bytes_max = limits.backlog_bytes_max;
        self.bounds.backlog_messages_max = limits.backlog_messages_max;
    }

    /// A broker without topics.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        let pool = Pool::new(Arc::clone(&bounds.meter));
        let turn = Turn::new(pool, bounds.clock);
        Self {
            bounds,
            members: Members::default(),
            bus: Bus::default(),
            pubsub: PubSub::default(),
            pushpull: PushPull::default(),
            turn,
            starving: Waiting::default(),
            tickets: 0,
            changing: false,
        }
    }

    /// Whether a panic left a change half done.
    #[must_use]
    pub const fn is_in_doubt(&self) -> bool {
        self.changing
    }

    #[inline]
    fn change<R>(&mut self, change: impl FnOnce(&mut Self) -> R) -> R {
        self.changing = true;
        let result = change(self);
        self.changing = false;
        result
    }

    /// Joins a topic. A receiver gets everything that is published from now on.
    pub fn join(
        &mut self,
        role: Role,
        topic: &Topic,
        echo: bool,
    ) -> Result<MemberId, TooManyTopics> {
        self.change(|broker| {
            let id = broker.members.next_id();
            let part = match role {
                Role::Peer => broker.bus.join(id, topic, echo, &broker.bounds)?,
                Role::Publisher => broker.pubsub.enter(topic, &broker.bounds)?,
                Role::Subscriber => broker.pubsub.join(id, topic, &broker.bounds)?,
                Role::Pusher => broker.pushpull.enter(topic, &broker.bounds)?,
                Role::Puller => broker.pushpull.topic(topic, &broker.bounds)?,
            };
            broker.members.insert(id, part);
            if role == Role::Puller {
                broker.pushpull.join(id, &mut broker.members, &broker.bounds, &mut broker.turn);
            }
            role.pattern().of(&broker.bounds.counters.joins).add(1);
            Ok(id)
        })
    }

    /// Gives a member that is about to leave what was published before: afterwards it would get
    /// no more of it. What waits for a puller is not given, but goes to the others.
    pub fn settle(&mut self, id: MemberId, receivers: &mut impl Receivers) {
        self.change(|broker| {
            let (pattern, topics, seat) = match &broker.members[id] {
                Part::Peer(peer) => (Pattern::Bus, &mut broker.bus.topics, peer.seat),
                Part::Subscriber(seat) => (Pattern::PubSub, &mut broker.pubsub.topics, *seat),
                _ => return,
            };
            let slot = seat.slot as usize;
            let given = topics[seat.topic].settle(
                slot,
                &mut broker.members,
                &broker.bounds.meter,
                receivers,
            );
            given.count(pattern, &broker.bounds.counters);
        });
    }

    /// Leaves the topic; afterwards nothing is given to the member. `unwritten` are the jobs of a
    /// puller that its socket did not take completely: they go back to the front of the backlog,
    /// before those that were never offered to it. The id stays taken until [`Broker::forget`].
    pub fn leave(&mut self, id: MemberId, unwritten: Vec<Vec<u8>>) {
        self.change(|broker| {
            let Self { bounds, members, turn, .. } = broker;
            let part = members.replace(id, Part::Left);
            let Some(role) = part.role() else { return };
            match part {
                Part::Left => {}
                Part::Peer(peer) => broker.bus.leave(&peer, members, bounds),
                Part::Publisher(path) => broker.pubsub.quit(&path, bounds),
                Part::Subscriber(seat) => broker.pubsub.leave(seat, members, bounds),
                Part::Pusher(topic) => broker.pushpull.release(topic, bounds),
                Part::Puller(puller) => {
                    broker.pushpull.leave(id, &puller, unwritten, members, bounds, turn);
                }
            }
            role.pattern().of(&bounds.counters.leaves).add(1);
        });
    }

    /// Frees the id of a member that left.
    pub fn forget(&mut self, id: MemberId) {
        self.change(|broker| {
            broker.members.remove(id);
        });
    }

    /// The topic's name, for logs; `None` once the member left.
    #[must_use]
    pub fn topic_of(&self, id: MemberId) -> Option<&str> {
        Some(match &self.members[id] {
            Part::Left => return None,
            Part::Peer(peer) => self.bus.topics.name(peer.seat.topic),
            Part::Publisher(path) => self.pubsub.topics.name(path[0]),
            Part::Subscriber(seat) => self.pubsub.topics.name(seat.topic),
            Part::Pusher(topic) => self.pushpull.topics.name(*topic),
            Part::Puller(puller) => self.pushpull.topics.name(puller.topic),
        })
    }

    /// Whether a message of this size from this member can be taken now. If not, the member's
    /// connection is not read until it can: see [`Broker::line_up`].
    #[inline]
    pub fn room(&mut self, id: MemberId, bytes: usize) -> Result<(), NoRoom> {
        match &self.members[id] {
            Part::Peer(peer) => self.bus.room(peer.seat.topic, bytes, &self.bounds),
            Part::Publisher(path) => self.pubsub.room(path, bytes, &self.bounds),
            Part::Pusher(topic) => {
                let topic = *topic;
                self.change(|broker| {
                    broker.pushpull.room(topic, bytes, &broker.members, &broker.bounds)
                })
            }
            Part::Subscriber(_) | Part::Puller(_) | Part::Left => Ok(()),
        }
    }

    /// Takes a message from a member for which there is room; from one that only receives it is
    /// ignored.
    #[inline]
    pub fn publish(&mut self, id: MemberId, kind: Kind, payload: &[u8]) {
        self.change(|broker| {
            let turn = &mut broker.turn;
            let pattern = match &broker.members[id] {
                Part::Peer(_) => {
                    broker.bus.publish(id, kind, payload, &mut broker.members, turn);
                    Pattern::Bus
                }
                Part::Publisher(path) => {
                    broker.pubsub.publish(path, kind, payload, turn);
                    Pattern::PubSub
                }
                Part::Pusher(topic) => {
                    let topic = *topic;
                    broker.pushpull.push(
                        topic,
                        kind,
                        payload,
                        &mut broker.members,
                        &broker.bounds,
                        turn,
                    );
                    Pattern::PushPull
                }
                Part::Subscriber(_) | Part::Puller(_) | Part::Left => {
                    broker.bounds.counters.messages_ignored.add(1);
                    return;
                }
            };
            faults::pass(faults::Place::Broker);
            pattern.of(&broker.bounds.counters.messages_in).add(1);
            pattern.of(&broker.bounds.counters.bytes_in).add(payload.len() as u64);
        });
    }

    /// Takes a message from somebody who is not connected. Creates no topic unless the message
    /// has to wait for a puller.
    pub fn post(
        &mut self,
        pattern: Pattern,
        topic: &Topic,
        kind: Kind,
        payload: &[u8],
    ) -> Result<Result<(), NoRoom>, TooManyTopics> {
        self.change(|broker| {
            let (bounds, turn) = (&broker.bounds, &mut broker.turn);
            let outcome = match pattern {
                Pattern::Bus => broker.bus.post(topic, kind, payload, bounds, turn),
                Pattern::PubSub => broker.pubsub.post(topic, kind, payload, bounds, turn),
                Pattern::PushPull => {
                    let members = &mut broker.members;
                    broker.pushpull.post(topic, kind, payload, members, bounds, turn)?
                }
            };
            if outcome.is_ok() {
                pattern.of(&bounds.counters.posts_in).add(1);
                pattern.of(&bounds.counters.post_bytes_in).add(payload.len() as u64);
            }
            Ok(outcome)
        })
    }

    /// A puller's outbound shrank to `outbound` bytes: it may take more.
    pub fn progress(&mut self, id: MemberId, outbound: usize) {
        self.change(|broker| {
            let (members, bounds) = (&mut broker.members, &broker.bounds);
            broker.pushpull.progress(id, outbound, members, bounds, &mut broker.turn);
        });
    }

    /// A puller's socket takes nothing: it is passed over until it makes progress.
    pub fn stall(&mut self, id: MemberId) {
        self.change(|broker| {
            if let Part::Puller(puller) = &mut broker.members[id] {
                puller.stalled = true;
            }
        });
    }

    /// Whether the member is a puller whose topic holds jobs that it may yet get.
    #[must_use]
    pub fn has_backlog(&self, id: MemberId) -> bool {
        match &self.members[id] {
            Part::Puller(puller) => {
                !puller.stalled && self.pushpull.topics[puller.topic].has_backlog()
            }
            _ => false,
        }
    }

    /// Whether the member is a pusher whose topic has a puller.
    #[must_use]
    pub fn has_puller(&self, id: MemberId) -> bool {
        match &self.members[id] {
            Part::Pusher(topic) => self.pushpull.topics[*topic].has_puller(),
            _ => false,
        }
    }

    /// The topics that hold a backlog: name, jobs, payload bytes.
    pub fn backlogs(&self) -> impl Iterator<Item = (&str, usize, usize)> {
        self.pushpull.backlogs()
    }

    /// Whether nobody uses any topic and nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bus.topics.is_empty()
            && self.pubsub.topics.is_empty()
            && self.pushpull.topics.is_empty()
            && self.turn.jobs.is_empty()
    }
}

/// Adds a user to a topic, within `--max-topics`.
fn acquire<T: Default>(
    tree: &mut TopicTree<T>,
    name: &str,
    bounds: &Bounds,
) -> Result<TopicId, TooManyTopics> {
    let (id, new) = tree.acquire(name);
    if new {
        if !bounds.topics.take(1) {
            tree.release(id);
            return Err(TooManyTopics);
        }
        bounds.counters.topics.add(1);
    }
    Ok(id)
}

/// Takes a user of a topic away.
fn release<T: Default>(tree: &mut TopicTree<T>, id: TopicId, bounds: &Bounds) {
    if tree.release(id).is_some() {
        bounds.topics.give(1);
        bounds.counters.topics.take(1);
    }
}
