//! The bus: what a peer sends goes to every other peer of its topic.

use super::fanout::{Fanout, OwnFrames};
use super::member::{Members, Part, Peer, Seat};
use super::topic::Topic;
use super::topic_tree::{TopicId, TopicTree};
use super::{Bounds, Job, Kind, MemberId, NoRoom, Place, TooManyTopics, Turn};
use super::{acquire, has_memory, mark, release};

/// All bus topics of a shard. There is no hierarchy.
#[derive(Debug, Default)]
pub(super) struct Bus {
    pub(super) topics: TopicTree<Fanout>,
}

impl Bus {
    pub(super) fn join(
        &mut self,
        id: MemberId,
        topic: &Topic,
        echo: bool,
        bounds: &Bounds,
    ) -> Result<Part, TooManyTopics> {
        let topic = acquire(&mut self.topics, topic.name(), bounds)?;
        let seat = Seat::new(topic, self.topics[topic].join(id));
        Ok(Part::Peer(Box::new(Peer { seat, echo, own: OwnFrames::default() })))
    }

    pub(super) fn leave(&mut self, peer: &Peer, members: &mut Members, bounds: &Bounds) {
        self.topics[peer.seat.topic].leave(peer.seat.slot as usize, members);
        release(&mut self.topics, peer.seat.topic, bounds);
    }

    #[inline]
    pub(super) fn room(
        &self,
        topic: TopicId,
        payload: usize,
        bounds: &Bounds,
    ) -> Result<(), NoRoom> {
        if !self.topics[topic].has_room(bounds.batch_bytes_max) {
            return Err(NoRoom(Place::Bus(topic)));
        }
        has_memory(payload, 1, bounds)
    }

    #[inline]
    pub(super) fn publish(
        &mut self,
        id: MemberId,
        kind: Kind,
        payload: &[u8],
        members: &mut Members,
        turn: &mut Turn,
    ) {
        let Part::Peer(peer) = &mut members[id] else { return };
        let Peer { seat, echo, own } = &mut **peer;
        let fanout = &mut self.topics[seat.topic];
        fanout.pace.count(turn.beat);
        if fanout.members() == 1 && !*echo {
            return;
        }
        let range = fanout.publish(kind, payload, turn);
        if !*echo {
            fanout.published_by(seat.slot as usize, range, own);
        }
        mark(&mut self.topics, seat.topic, turn, Job::Bus);
    }

    pub(super) fn post(
        &mut self,
        topic: &Topic,
        kind: Kind,
        payload: &[u8],
        bounds: &Bounds,
        turn: &mut Turn,
    ) -> Result<(), NoRoom> {
        let Some(topic) = self.topics.find(topic.name()) else { return Ok(()) };
        self.room(topic, payload.len(), bounds)?;
        let fanout = &mut self.topics[topic];
        fanout.pace.count(turn.beat);
        if fanout.members() > 0 {
            fanout.publish(kind, payload, turn);
            mark(&mut self.topics, topic, turn, Job::Bus);
        }
        Ok(())
    }
}
