//! Publishers that wait for room in a topic, first come, first woken.

use std::collections::VecDeque;
use std::task::Waker;

/// Those who wait. Numbers only grow, so the row is sorted.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    row: VecDeque<(u64, Waker)>,
}

impl Waiting {
    /// Puts somebody at the end of the row.
    pub(super) fn enter(&mut self, number: u64, waker: Waker) {
        debug_assert!(self.row.back().is_none_or(|(last, _)| *last < number));
        self.row.push_back((number, waker));
    }

    /// Whether this number still waits.
    pub(super) fn contains(&self, number: u64) -> bool {
        self.place(number).is_some()
    }

    /// Takes a number out of the row, if it is still in it.
    pub(super) fn leave(&mut self, number: u64) {
        if let Some(place) = self.place(number) {
            self.row.remove(place);
        }
    }

    /// There is room for one more.
    pub(super) fn wake_one(&mut self) {
        if let Some((_, waker)) = self.row.pop_front() {
            waker.wake();
        }
    }

    /// There is room for all.
    pub(super) fn wake_all(&mut self) {
        for (_, waker) in self.row.drain(..) {
            waker.wake();
        }
    }

    fn place(&self, number: u64) -> Option<usize> {
        self.row.binary_search_by_key(&number, |(number, _)| *number).ok()
    }
}
