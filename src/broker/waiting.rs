//! Publishers that wait for room in a topic, first come, first woken.

use std::collections::VecDeque;
use std::task::Waker;

use crate::slack;

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

    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.row.is_empty()
    }

    /// Whether this number still waits.
    pub(super) fn contains(&self, number: u64) -> bool {
        self.place(number).is_some()
    }

    /// Takes a number out of the row, if it is still in it.
    pub(super) fn leave(&mut self, number: u64) {
        if let Some(place) = self.place(number) {
            self.row.remove(place);
            self.trim();
        }
    }

    /// There is room for one more.
    pub(super) fn wake_one(&mut self) {
        if let Some((_, waker)) = self.row.pop_front() {
            waker.wake();
            self.trim();
        }
    }

    /// There is room for all.
    #[inline]
    pub(super) fn wake_all(&mut self) {
        if !self.row.is_empty() {
            self.wake_row();
        }
    }

    #[cold]
    fn wake_row(&mut self) {
        for (_, waker) in self.row.drain(..) {
            waker.wake();
        }
        self.trim();
    }

    /// Gives back what a long row left behind.
    fn trim(&mut self) {
        if let Some(kept) = slack::kept(self.row.len(), self.row.capacity()) {
            self.row.shrink_to(kept);
        }
    }

    fn place(&self, number: u64) -> Option<usize> {
        self.row.binary_search_by_key(&number, |(number, _)| *number).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(length: u64) -> Waiting {
        let mut waiting = Waiting::default();
        (1..=length).for_each(|number| waiting.enter(number, Waker::noop().clone()));
        waiting
    }

    #[test]
    fn a_long_row_leaves_no_room_behind_however_it_ends() {
        let ends: [fn(&mut Waiting); 3] = [
            Waiting::wake_all,
            |waiting| (0..10_000).for_each(|_| waiting.wake_one()),
            |waiting| (1..=10_000).rev().for_each(|number| waiting.leave(number)),
        ];
        for end in ends {
            let mut waiting = row(10_000);
            end(&mut waiting);
            assert!(!waiting.contains(1));
            assert!(waiting.row.capacity() <= 8, "room for {}", waiting.row.capacity());
        }
    }
}
