//! Things with small numbers for names. A newcomer gets the lowest number that is free, so that
//! the tail empties after a peak, and its memory is given back.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::slack;

/// Things by number. The last slot is never vacant.
#[derive(Debug)]
pub(super) struct Slots<T> {
    list: Vec<Option<T>>,
    /// The vacant slots, and numbers from beyond the end.
    free: BinaryHeap<Reverse<u32>>,
}

impl<T> Slots<T> {
    /// The number that the next newcomer gets.
    pub(super) fn next(&self) -> u32 {
        match self.free.peek() {
            Some(Reverse(lowest)) if (*lowest as usize) < self.list.len() => *lowest,
            _ => u32::try_from(self.list.len()).expect("fewer than u32 can count"),
        }
    }

    /// Adds a thing; its number.
    pub(super) fn insert(&mut self, thing: T) -> u32 {
        let number = self.next();
        if let Some(slot) = self.list.get_mut(number as usize) {
            self.free.pop();
            *slot = Some(thing);
        } else {
            // no slot is vacant: what is left are numbers from beyond the end
            self.free.clear();
            self.list.push(Some(thing));
        }
        number
    }

    /// Takes a thing away that is there.
    pub(super) fn remove(&mut self, number: u32) -> T {
        let thing = self.list[number as usize].take().expect("what is removed is there");
        if number as usize + 1 < self.list.len() {
            self.free.push(Reverse(number));
            return thing;
        }
        while let Some(None) = self.list.last() {
            self.list.pop();
        }
        if let Some(kept) = slack::kept(self.list.len(), self.list.capacity()) {
            self.list.shrink_to(kept);
            let end = self.list.len();
            self.free.retain(|Reverse(number)| (*number as usize) < end);
            self.free.shrink_to_fit();
        }
        thing
    }

    /// A thing that is there.
    #[inline]
    pub(super) fn at(&self, number: u32) -> &T {
        self.list[number as usize].as_ref().expect("what is asked for is there")
    }

    /// A thing that is there.
    #[inline]
    pub(super) fn at_mut(&mut self, number: u32) -> &mut T {
        self.list[number as usize].as_mut().expect("what is asked for is there")
    }

    /// A thing that may be gone.
    pub(super) fn find(&mut self, number: u32) -> Option<&mut T> {
        self.list.get_mut(number as usize)?.as_mut()
    }

    /// What stands at `count` numbers from `from` on, and the number behind them, if there are any
    /// more.
    pub(super) fn part(&self, from: u32, count: usize) -> (impl Iterator<Item = &T>, Option<u32>) {
        let length = self.list.len();
        let from = (from as usize).min(length);
        let until = from.saturating_add(count).min(length);
        let next = (until < length).then(|| u32::try_from(until).expect("numbers are u32"));
        (self.list[from..until].iter().flatten(), next)
    }

    /// All things.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.list.iter().flatten()
    }

    /// Whether there is nothing.
    pub(super) const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { list: vec![], free: BinaryHeap::new() }
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::seq::SliceRandom;
    use rand::{Rng, SeedableRng};

    use super::*;

    fn room<T>(slots: &Slots<T>) -> usize {
        slots.list.capacity() + slots.free.capacity()
    }

    #[test]
    fn a_newcomer_gets_the_lowest_number_that_is_free() {
        let mut slots = Slots::default();
        (0..5).for_each(|number| assert_eq!(slots.insert(number), number));
        for number in [3, 1, 4] {
            assert_eq!(slots.remove(number), number);
        }
        // 3 and 4 are beyond the end now
        assert_eq!(slots.list.len(), 3);
        for number in [1, 3, 4, 5] {
            assert_eq!(slots.next(), number);
            assert_eq!(slots.insert(number), number);
        }
        assert!((0..6).all(|number| *slots.at(number) == number));
        assert_eq!(slots.find(6), None);
    }

    #[test]
    fn a_peak_leaves_no_memory_behind() {
        let mut slots = Slots::default();
        let mut numbers: Vec<_> = (0..100_000).map(|thing| slots.insert(thing)).collect();
        numbers.shuffle(&mut StdRng::seed_from_u64(1));
        for number in numbers {
            assert_eq!(slots.remove(number), number);
        }
        assert!(slots.is_empty());
        assert!(room(&slots) <= 8, "room for {}", room(&slots));
    }

    #[test]
    fn those_who_stay_after_a_peak_move_down_as_they_are_replaced() {
        let mut slots = Slots::default();
        (0..100_000).for_each(|thing| assert_eq!(slots.insert(thing), thing));
        let mut here: Vec<u32> = (0..100_000).step_by(1000).collect();
        (0..100_000).filter(|number| number % 1000 != 0).for_each(|number| {
            slots.remove(number);
        });
        let mut random = StdRng::seed_from_u64(1);
        for _ in 0..2000 {
            let leaver = here.swap_remove(random.random_range(0..here.len()));
            slots.remove(leaver);
            here.push(slots.insert(0));
        }
        assert_eq!(slots.iter().count(), 100);
        assert!(room(&slots) < 1200, "room for {}", room(&slots));
    }

    #[test]
    fn numbers_are_never_given_twice() {
        let mut random = StdRng::seed_from_u64(1);
        let (mut slots, mut here) = (Slots::default(), std::collections::BTreeSet::new());
        for step in 0..20_000 {
            // the number of things swings between 0 and some hundreds
            let grows = random.random_bool(if step / 1000 % 2 == 0 { 0.7 } else { 0.3 });
            if grows || here.is_empty() {
                let lowest =
                    (0..=u32::MAX).find(|number| !here.contains(number)).expect("one is free");
                assert_eq!(slots.insert(()), lowest);
                here.insert(lowest);
            } else {
                let leaver = *here.iter().nth(random.random_range(0..here.len())).expect("some");
                here.remove(&leaver);
                slots.remove(leaver);
            }
            assert_eq!(slots.list.len(), here.last().map_or(0, |last| *last as usize + 1));
        }
    }
}
