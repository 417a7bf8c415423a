//! Pub/sub: a message reaches the subscribers of its topic and of every ancestor.

use smallvec::SmallVec;

use super::fanout::Fanout;
use super::member::{Members, Part, Path, Seat};
use super::topic::Topic;
use super::topic_tree::{TopicId, TopicTree};
use super::{Bounds, Job, Kind, MemberId, NoRoom, Place, TooManyTopics, Turn};
use super::{acquire, copies_bytes, has_memory, mark, release};

/// All pub/sub topics of a shard.
#[derive(Debug, Default)]
pub(super) struct PubSub {
    pub(super) topics: TopicTree<Fanout>,
}

impl PubSub {
    /// Adds a publisher. It uses its topic and all ancestors, whether anybody subscribes or not.
    pub(super) fn enter(&mut self, topic: &Topic, bounds: &Bounds) -> Result<Part, TooManyTopics> {
        let mut path = Path::new();
        for name in std::iter::once(topic.name()).chain(topic.ancestors()) {
            match acquire(&mut self.topics, name, bounds) {
                Ok(id) => path.push(id),
                Err(error) => {
                    self.release(&path, bounds);
                    return Err(error);
                }
            }
        }
        self.topics[path[0]].publishers += 1;
        Ok(Part::Publisher(Box::new(path)))
    }

    /// Takes a publisher away.
    pub(super) fn quit(&mut self, path: &Path, bounds: &Bounds) {
        self.topics[path[0]].publishers -= 1;
        self.release(path, bounds);
    }

    fn release(&mut self, path: &Path, bounds: &Bounds) {
        for id in path {
            release(&mut self.topics, *id, bounds);
        }
    }

    /// Adds a subscriber.
    pub(super) fn join(
        &mut self,
        id: MemberId,
        topic: &Topic,
        bounds: &Bounds,
    ) -> Result<Part, TooManyTopics> {
        let topic = acquire(&mut self.topics, topic.name(), bounds)?;
        Ok(Part::Subscriber(Seat::new(topic, self.topics[topic].join(id))))
    }

    /// Takes a subscriber away.
    pub(super) fn leave(&mut self, seat: Seat, members: &mut Members, bounds: &Bounds) {
        self.topics[seat.topic].leave(seat.slot as usize, members);
        release(&mut self.topics, seat.topic, bounds);
    }

    #[inline]
    pub(super) fn room(
        &self,
        path: &[TopicId],
        payload: usize,
        bounds: &Bounds,
    ) -> Result<(), NoRoom> {
        for id in path {
            if !self.topics[*id].has_room(bounds.batch_bytes_max) {
                return Err(NoRoom(Place::PubSub(*id)));
            }
        }
        // there is no need to count who hears it where there is room for all
        if bounds.meter.has_leased(copies_bytes(payload, path.len())) {
            return Ok(());
        }
        self.memory(path, payload, bounds)
    }

    /// Whether there is memory for a message's copies, one for each topic that somebody hears.
    #[cold]
    fn memory(&self, path: &[TopicId], payload: usize, bounds: &Bounds) -> Result<(), NoRoom> {
        let copies = path.iter().filter(|id| self.topics[**id].members() > 0).count();
        has_memory(payload, copies, bounds)
    }

    /// Appends to the batch of every topic on the path that has members, all in one step: that
    /// is what gives every level of a tree the same order.
    #[inline]
    pub(super) fn publish(
        &mut self,
        path: &[TopicId],
        kind: Kind,
        payload: &[u8],
        turn: &mut Turn,
    ) {
        for id in path {
            let fanout = &mut self.topics[*id];
            fanout.pace.count(turn.beat);
            if fanout.members() > 0 {
                fanout.publish(kind, payload, turn);
                mark(&mut self.topics, *id, turn, Job::PubSub);
            }
        }
    }

    pub(super) fn post(
        &mut self,
        topic: &Topic,
        kind: Kind,
        payload: &[u8],
        bounds: &Bounds,
        turn: &mut Turn,
    ) -> Result<(), NoRoom> {
        let path: SmallVec<[TopicId; 8]> = std::iter::once(topic.name())
            .chain(topic.ancestors())
            .filter_map(|name| self.topics.find(name))
            .collect();
        self.room(&path, payload.len(), bounds)?;
        self.publish(&path, kind, payload, turn);
        Ok(())
    }
}
