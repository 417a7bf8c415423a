//! Which numbers have arrived: the next one due and the gaps before it.

use std::ops::Range;

/// What an arriving number means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// The one that was due.
    Next,
    /// Beyond it: what lies between is missing.
    Ahead,
    /// One that was missing.
    Late,
    /// One that was here already.
    Duplicate,
}

/// The numbers that arrived from one publisher, at one receiver or at all together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sequence {
    /// Nothing from here on has arrived.
    next: u64,
    /// What is missing before `next`, ascending; without allocation while nothing is.
    gaps: Vec<Range<u64>>,
}

impl Sequence {
    /// Nothing below `number` is to come.
    pub(crate) fn starting_at(number: u64) -> Self {
        Self { next: number, gaps: vec![] }
    }

    /// Nothing from here on has arrived.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// How many before that have not.
    pub(crate) fn missing(&self) -> u64 {
        self.gaps.iter().map(|gap| gap.end - gap.start).sum()
    }

    /// What is missing will not come any more.
    pub(crate) fn give_up(&mut self) {
        self.gaps.clear();
    }

    /// Notes one number.
    #[inline]
    pub(crate) fn record(&mut self, number: u64) -> Arrival {
        if number == self.next {
            self.next += 1;
            return Arrival::Next;
        }
        if number > self.next {
            self.gaps.push(self.next..number);
            self.next = number + 1;
            return Arrival::Ahead;
        }
        self.fill(number)
    }

    /// Notes one number where any may be left out; false if it is below one that came before.
    #[inline]
    pub(crate) fn rises(&mut self, number: u64) -> bool {
        let rises = number >= self.next;
        self.next = self.next.max(number + 1);
        rises
    }

    fn fill(&mut self, number: u64) -> Arrival {
        let at = self.gaps.partition_point(|gap| gap.end <= number);
        let Some(gap) = self.gaps.get_mut(at).filter(|gap| gap.contains(&number)) else {
            return Arrival::Duplicate;
        };
        let behind = number + 1..gap.end;
        gap.end = number;
        if !behind.is_empty() {
            self.gaps.insert(at + 1, behind);
        }
        if self.gaps[at].is_empty() {
            self.gaps.remove(at);
        }
        Arrival::Late
    }
}

#[cfg(test)]
mod tests {
    use super::Arrival::{Ahead, Duplicate, Late, Next};
    use super::*;

    fn run(numbers: &[u64]) -> (Vec<Arrival>, Vec<Range<u64>>) {
        let mut sequence = Sequence::default();
        (numbers.iter().map(|number| sequence.record(*number)).collect(), sequence.gaps)
    }

    #[test]
    fn gaps_open_split_and_close() {
        assert_eq!(run(&[0, 1, 2]), (vec![Next; 3], vec![]));
        assert_eq!(run(&[0, 2, 5]), (vec![Next, Ahead, Ahead], vec![1..2, 3..5]));
        assert_eq!(run(&[0, 5, 3]), (vec![Next, Ahead, Late], vec![1..3, 4..5]));
        assert_eq!(run(&[3, 0, 2, 1]), (vec![Ahead, Late, Late, Late], vec![]));
        assert_eq!(run(&[2, 6, 4, 0]).1, vec![1..2, 3..4, 5..6]);
    }

    #[test]
    fn a_second_time_is_a_duplicate() {
        assert_eq!(run(&[0, 0]).0, [Next, Duplicate]);
        assert_eq!(run(&[2, 0, 0, 2]).0, [Ahead, Late, Duplicate, Duplicate]);
    }

    #[test]
    fn any_order_of_all_leaves_no_gap() {
        let mut numbers: Vec<u64> = (0..97).collect();
        for step in 1..97 {
            numbers.sort_by_key(|number| number * step % 97);
            let (arrivals, gaps) = run(&numbers);
            assert!(gaps.is_empty() && !arrivals.contains(&Duplicate), "step {step}");
        }
    }

    #[test]
    fn rising_may_skip_but_not_fall() {
        let mut sequence = Sequence::default();
        assert!(sequence.rises(3) && sequence.rises(7));
        assert!(!sequence.rises(5));
        assert!(sequence.rises(8));
    }
}
