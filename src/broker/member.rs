//! What each socket of a shard is on its topic.

use std::ops::{Index, IndexMut};

use smallvec::SmallVec;

use super::fanout::{OwnFrames, OwnFramesOf};
use super::slots::Slots;
use super::topic_tree::TopicId;
use super::{Bounds, MemberId, Role};

/// A socket's part. Subscribers are far more than all others, so what those need is boxed.
#[derive(Debug)]
pub(super) enum Part {
    Peer(Box<Peer>),
    /// Its topic and the ancestors, nearest first.
    Publisher(Box<Path>),
    Subscriber(Seat),
    Pusher(TopicId),
    Puller(Box<Puller>),
    /// It left, and its connection is closing.
    Left,
}

impl Part {
    /// What the socket is; nothing once it left.
    pub(super) const fn role(&self) -> Option<Role> {
        Some(match self {
            Self::Peer(_) => Role::Peer,
            Self::Publisher(_) => Role::Publisher,
            Self::Subscriber(_) => Role::Subscriber,
            Self::Pusher(_) => Role::Pusher,
            Self::Puller(_) => Role::Puller,
            Self::Left => return None,
        })
    }
}

// there is one for each connection
const _: () = assert!(size_of::<Option<Part>>() <= 16);

/// A publisher's topic and all its ancestors. Most topics are at most four segments deep.
pub(super) type Path = SmallVec<[TopicId; 4]>;

/// Where a receiver stands in its topic.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seat {
    pub(super) topic: TopicId,
    /// Index into the topic's members.
    pub(super) slot: u32,
}

impl Seat {
    pub(super) fn new(topic: TopicId, slot: usize) -> Self {
        Self { topic, slot: u32::try_from(slot).expect("fewer members than descriptors") }
    }
}

/// On the bus.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) seat: Seat,
    /// It wants its own messages too.
    pub(super) echo: bool,
    /// What it sent and must not hear.
    pub(super) own: OwnFrames,
}

/// Of jobs.
#[derive(Debug)]
pub(super) struct Puller {
    pub(super) topic: TopicId,
    /// Jobs given to it in this turn.
    pub(super) pending: Vec<u8>,
    /// How many they are.
    pub(super) jobs: u32,
    /// When the first of them was given, in microseconds of the broker's clock, if it is timed.
    pub(super) since: Option<u64>,
    /// Bytes of earlier jobs that its socket has not taken.
    pub(super) outbound: usize,
    /// Whether the flusher has a job for it.
    pub(super) queued: bool,
    /// Its socket has taken nothing for too long.
    pub(super) stalled: bool,
}

impl Puller {
    pub(super) const fn new(topic: TopicId) -> Self {
        Self {
            topic,
            pending: vec![],
            jobs: 0,
            since: None,
            outbound: 0,
            queued: false,
            stalled: false,
        }
    }

    /// Whether a job whose frame has this size may be given to it. One that has nothing takes
    /// any size.
    pub(super) fn takes(&self, frame_bytes: usize, outbound_bytes_max: usize) -> bool {
        let held = self.pending.len() + self.outbound;
        !self.stalled && (held == 0 || held.saturating_add(frame_bytes) <= outbound_bytes_max)
    }

    /// So much waits for its socket now.
    pub(super) fn waits(&mut self, outbound: usize, bounds: &Bounds) {
        if outbound > self.outbound {
            bounds.hoard.take_regardless(outbound - self.outbound);
        } else if outbound < self.outbound {
            bounds.hoard.give(self.outbound - outbound);
        }
        self.outbound = outbound;
    }
}

/// All members of a shard by id.
#[derive(Debug, Default)]
pub(super) struct Members(Slots<Part>);

impl Members {
    /// The id that the next [`Members::insert`] gives.
    pub(super) fn next_id(&self) -> MemberId {
        MemberId(self.0.next())
    }

    pub(super) fn insert(&mut self, id: MemberId, part: Part) {
        let number = self.0.insert(part);
        debug_assert_eq!(number, id.0);
    }

    pub(super) fn replace(&mut self, id: MemberId, part: Part) -> Part {
        std::mem::replace(&mut self[id], part)
    }

    pub(super) fn remove(&mut self, id: MemberId) {
        let part = self.0.remove(id.0);
        debug_assert!(matches!(part, Part::Left), "{part:?} was forgotten before it left");
    }

    /// The part of a member that may be gone.
    pub(super) fn get_mut(&mut self, id: MemberId) -> Option<&mut Part> {
        self.0.find(id.0)
    }

    pub(super) fn puller(&self, id: MemberId) -> &Puller {
        match &self[id] {
            Part::Puller(puller) => puller,
            other => unreachable!("{other:?} stands in a ring"),
        }
    }

    pub(super) fn puller_mut(&mut self, id: MemberId) -> &mut Puller {
        match &mut self[id] {
            Part::Puller(puller) => puller,
            other => unreachable!("{other:?} stands in a ring"),
        }
    }
}

impl Index<MemberId> for Members {
    type Output = Part;

    fn index(&self, id: MemberId) -> &Part {
        self.0.at(id.0)
    }
}

impl IndexMut<MemberId> for Members {
    fn index_mut(&mut self, id: MemberId) -> &mut Part {
        self.0.at_mut(id.0)
    }
}

impl OwnFramesOf for Members {
    fn own_frames(&mut self, member: MemberId) -> &mut OwnFrames {
        match &mut self[member] {
            Part::Peer(peer) => &mut peer.own,
            other => unreachable!("{other:?} sent on a bus"),
        }
    }

    fn moved(&mut self, member: MemberId, slot: usize) {
        let slot = u32::try_from(slot).expect("fewer members than descriptors");
        match &mut self[member] {
            Part::Peer(peer) => peer.seat.slot = slot,
            Part::Subscriber(seat) => seat.slot = slot,
            other => unreachable!("{other:?} has a seat"),
        }
    }
}
