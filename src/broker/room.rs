//! Those who found no room in a topic, and where they wait for it.

use std::task::Waker;

use super::topic_tree::TopicId;
use super::waiting::Waiting;
use super::{Bounds, Broker};
use crate::limits::BUFFER_BYTES;

const KIB: usize = 1024;

/// A place in the row of those who wait for room in a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    place: Place,
    number: u64,
}

/// Where a publisher finds no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Bus(TopicId),
    PubSub(TopicId),
    PushPull(TopicId),
    /// Nowhere: so much is missing of `--memory-max`, or a little less.
    Memory {
        kib: u32,
    },
}

/// Why a publisher or a POST has to wait; where it lines up. As small as a register, since every
/// message asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRoom(pub(super) Place);

impl NoRoom {
    /// There is no memory for so many bytes.
    #[must_use]
    pub fn memory(bytes: usize) -> Self {
        Self(Place::Memory { kib: u32::try_from(bytes.div_ceil(KIB)).unwrap_or(u32::MAX) })
    }

    /// Whether it is a backlog that is full, not a batch.
    #[must_use]
    pub const fn is_backlog(self) -> bool {
        matches!(self.0, Place::PushPull(_))
    }

    /// How many bytes there is no memory for, in whole KiB, if that is what is missing.
    #[must_use]
    pub const fn memory_bytes(self) -> Option<usize> {
        match self.0 {
            Place::Memory { kib } => Some(kib as usize * KIB),
            _ => None,
        }
    }
}

impl Broker {
    /// Lines up for room: `waker` is woken when there may be some. Whoever has a ticket hands it
    /// back with [`Broker::step_out`], woken or not. A topic that exists no more has no row: who
    /// waits for a budget that other topics use up has to look again after a while.
    #[must_use]
    pub fn line_up(&mut self, no_room: NoRoom, waker: Waker) -> Ticket {
        self.change(|broker| {
            broker.tickets += 1;
            let ticket = Ticket { place: no_room.0, number: broker.tickets };
            if let Some(waiting) = broker.waiting(ticket.place) {
                waiting.enter(ticket.number, waker);
            }
            ticket
        })
    }

    /// Whether this ticket's waker is still to be woken.
    pub fn is_waiting(&mut self, ticket: Ticket) -> bool {
        self.waiting(ticket.place).is_some_and(|waiting| waiting.contains(ticket.number))
    }

    /// Gives a ticket back.
    pub fn step_out(&mut self, ticket: Ticket) {
        self.change(|broker| {
            if let Some(waiting) = broker.waiting(ticket.place) {
                waiting.leave(ticket.number);
            }
        });
    }

    fn waiting(&mut self, place: Place) -> Option<&mut Waiting> {
        match place {
            Place::Memory { .. } => Some(&mut self.starving),
            Place::Bus(id) => self.bus.topics.get_mut(id).map(|fanout| &mut fanout.waiting),
            Place::PubSub(id) => self.pubsub.topics.get_mut(id).map(|fanout| &mut fanout.waiting),
            Place::PushPull(id) => self.pushpull.topics.get_mut(id).map(|lane| &mut lane.waiting),
        }
    }
}

/// Whether so many copies of a message may be held.
#[inline]
pub(super) fn has_memory(payload: usize, copies: usize, bounds: &Bounds) -> Result<(), NoRoom> {
    let bytes = copies_bytes(payload, copies);
    if bounds.meter.has_room(bytes) { Ok(()) } else { Err(NoRoom::memory(bytes)) }
}

/// What so many copies of a message take at most.
#[inline]
pub(super) const fn copies_bytes(payload: usize, copies: usize) -> usize {
    // a head takes less than a buffer does; no size that can be set overflows
    (payload + 2 * BUFFER_BYTES) * copies
}
