//! What `benches/` measures of the core though nobody else may touch it: topics by name, pullers
//! in turn.

use super::MemberId;
use super::ring::Ring;
use super::topic_tree::TopicTree;

/// Topics without a state.
#[derive(Debug, Default)]
pub struct Names(TopicTree<()>);

impl Names {
    /// Adds a user to a topic; whether the topic is new.
    pub fn acquire(&mut self, name: &str) -> bool {
        self.0.acquire(name).1
    }

    /// Whether anybody uses the topic.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.find(name).is_some()
    }

    /// Takes a user away; whether it was the last one.
    pub fn release(&mut self, name: &str) -> bool {
        self.0.find(name).is_some_and(|id| self.0.release(id).is_some())
    }
}

/// The pullers of one topic.
#[derive(Debug, Default)]
pub struct Turns(Ring);

impl Turns {
    /// The pullers with the lowest ids.
    #[must_use]
    pub fn new(pullers: u32) -> Self {
        let mut ring = Ring::default();
        (0..pullers).for_each(|id| ring.join(MemberId(id)));
        Self(ring)
    }

    /// Who gets the next job, if anybody takes it.
    pub fn serve(&mut self, takes: impl FnMut(MemberId) -> bool) -> Option<MemberId> {
        self.0.choose(takes).map(|place| self.0.served(place))
    }

    /// A puller that was full takes jobs again.
    pub fn reopen(&mut self, puller: MemberId) {
        self.0.reopen(puller);
    }

    /// A puller leaves and comes back, behind all others.
    pub fn rejoin(&mut self, puller: MemberId) {
        self.0.leave(puller);
        self.0.join(puller);
    }
}
