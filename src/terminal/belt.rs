//! Messages on their way from one future to another of the same thread, bounded.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use tokio::sync::Notify;

use super::message::Message;

/// What who leaves still takes, to be done with: more than the sockets in between hold.
const LAST_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A bounded queue with one future at each end. Whoever puts waits for room first, so it holds at
/// most one message more than fits.
pub(super) struct Belt {
    messages: RefCell<VecDeque<Message>>,
    bytes: Cell<usize>,
    bytes_max: Cell<usize>,
    /// Nothing more is put.
    is_closed: Cell<bool>,
    /// There is no room, whatever it holds.
    is_paused: Cell<bool>,
    /// What is put falls off, and is counted.
    is_discarding: Cell<bool>,
    discarded: Cell<u64>,
    /// Something was put, or it was closed.
    filled: Notify,
    /// There is room again.
    freed: Notify,
}

impl Belt {
    /// An empty one.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            messages: RefCell::default(),
            bytes: Cell::default(),
            bytes_max: Cell::new(bytes_max),
            is_closed: Cell::default(),
            is_paused: Cell::default(),
            is_discarding: Cell::default(),
            discarded: Cell::default(),
            filled: Notify::new(),
            freed: Notify::new(),
        }
    }

    /// Whether something may be put.
    pub(super) fn has_room(&self) -> bool {
        !self.is_paused.get() && self.bytes.get() < self.bytes_max.get()
    }

    /// Waits until something may be put.
    pub(super) async fn room(&self) {
        while !self.has_room() {
            self.freed.notified().await;
        }
    }

    /// Puts a message, after [`Belt::room`].
    pub(super) fn put(&self, message: Message) {
        if self.is_discarding.get() {
            return self.spill(1);
        }
        self.bytes.set(self.bytes.get() + message.weight());
        self.messages.borrow_mut().push_back(message);
        self.filled.notify_one();
    }

    /// The oldest message, if there is one.
    pub(super) fn take_now(&self) -> Option<Message> {
        let message = self.messages.borrow_mut().pop_front()?;
        self.bytes.set(self.bytes.get() - message.weight());
        self.freed.notify_one();
        Some(message)
    }

    /// Waits for a message; `None` when there will be no more. May be given up at any time.
    pub(super) async fn take(&self) -> Option<Message> {
        loop {
            if let Some(message) = self.take_now() {
                return Some(message);
            }
            if self.is_closed.get() {
                return None;
            }
            self.filled.notified().await;
        }
    }

    /// Waits until something was put, or there is something else to see to.
    pub(super) async fn stirred(&self) {
        self.filled.notified().await;
    }

    /// Has who takes look up.
    pub(super) fn stir(&self) {
        self.filled.notify_one();
    }

    /// Nothing more is put.
    pub(super) fn close(&self) {
        self.is_closed.set(true);
        self.filled.notify_one();
    }

    /// Nothing is here and nothing will be.
    pub(super) fn is_done(&self) -> bool {
        self.is_closed.get() && self.is_empty()
    }

    /// Nothing is here.
    pub(super) fn is_empty(&self) -> bool {
        self.messages.borrow().is_empty()
    }

    /// Lets nothing in until [`Belt::resume`].
    pub(super) fn pause(&self) {
        self.is_paused.set(true);
    }

    /// Lets something in again.
    pub(super) fn resume(&self) {
        if self.is_paused.replace(false) {
            self.freed.notify_one();
        }
    }

    /// Makes room for all that is still on its way.
    pub(super) fn widen(&self) {
        self.bytes_max.set(LAST_BYTES_MAX);
        self.is_paused.set(false);
        self.freed.notify_one();
    }

    /// Nobody takes any more: what is here and what will be put falls off.
    pub(super) fn discard(&self) {
        self.is_discarding.set(true);
        self.spill(self.messages.take().len() as u64);
        self.bytes.set(0);
        self.widen();
    }

    /// So many that were taken came to nothing.
    pub(super) fn spill(&self, count: u64) {
        self.discarded.set(self.discarded.get() + count);
    }

    /// How many fell off.
    pub(super) fn discarded(&self) -> u64 {
        self.discarded.get()
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;
    use crate::frame::Kind;

    fn message(size: usize) -> Message {
        Message { kind: Kind::Text, payload: vec![b'x'; size], time: std::time::UNIX_EPOCH }
    }

    /// Whether it is ready at once.
    fn is_ready<T>(future: impl Future<Output = T>) -> bool {
        pin!(future).poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn there_is_room_until_it_is_full_and_again_when_something_was_taken() {
        let belt = Belt::new(100);
        belt.put(message(10));
        assert!(is_ready(belt.room()));
        belt.put(message(10));
        assert!(!is_ready(belt.room()));
        assert_eq!(belt.take_now(), belt.take_now());
        assert!(is_ready(belt.room()) && belt.is_empty());
    }

    #[test]
    fn empty_messages_are_bounded_too() {
        let belt = Belt::new(1000);
        let put = (0..).take_while(|_| belt.has_room().then(|| belt.put(message(0))).is_some());
        assert_eq!(put.count(), 16);
    }

    #[test]
    fn what_is_there_is_taken_before_the_end() {
        let belt = Belt::new(100);
        belt.put(message(1));
        belt.close();
        assert!(!belt.is_done());
        assert!(is_ready(belt.take()) && belt.is_done());
        assert!(is_ready(async { assert_eq!(belt.take().await, None) }));
    }

    #[test]
    fn a_paused_belt_takes_nothing_until_it_must() {
        let belt = Belt::new(100);
        belt.pause();
        assert!(!belt.has_room());
        belt.resume();
        assert!(belt.has_room());
        belt.pause();
        belt.widen();
        belt.put(message(1000));
        assert!(belt.has_room());
    }

    #[test]
    fn what_nobody_takes_is_counted() {
        let belt = Belt::new(1);
        belt.put(message(1));
        belt.discard();
        belt.put(message(1));
        assert_eq!((belt.discarded(), belt.is_empty(), belt.has_room()), (2, true, true));
    }
}
