//! The first few of many things: what a page shows.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Where a thing stands: larger values first, equal ones by name. Names are unique.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank<N> {
    /// What things are sorted by; 0 for all sorts them by name.
    pub(crate) value: Reverse<u64>,
    /// Whose rank it is.
    pub(crate) name: N,
}

/// Of all things that are offered, the first ones behind a certain rank. Nothing else is kept.
#[derive(Debug)]
pub(crate) struct Ranking<N, L> {
    after: Option<Rank<N>>,
    rows: usize,
    first: BinaryHeap<Row<N, L>>,
    more: bool,
}

/// What a ranking has found.
#[derive(Debug)]
pub(crate) struct Found<N, L> {
    /// In their order.
    pub(crate) rows: Vec<(Rank<N>, L)>,
    /// Whether others stand behind them.
    pub(crate) more: bool,
}

/// A line, compared by its rank alone.
#[derive(Debug)]
struct Row<N, L> {
    rank: Rank<N>,
    line: L,
}

impl<N> Rank<N> {
    pub(crate) const fn new(value: u64, name: N) -> Self {
        Self { value: Reverse(value), name }
    }
}

impl<N: Ord, L> Ranking<N, L> {
    /// At most so many `rows`, all of them behind `after`.
    pub(crate) fn new(after: Option<Rank<N>>, rows: usize) -> Self {
        debug_assert!(rows > 0, "a page has rows");
        Self { after, rows, first: BinaryHeap::new(), more: false }
    }

    /// Offers a thing. Its name is looked at only where its value does not decide, and its line is
    /// made only if it is among the first.
    pub(crate) fn offer(&mut self, value: u64, name: impl FnOnce() -> N, line: impl FnOnce() -> L) {
        if self.after.as_ref().is_some_and(|after| Reverse(value) < after.value) {
            return;
        }
        let last = self.first.peek().filter(|_| self.first.len() == self.rows);
        if last.is_some_and(|last| last.rank.value < Reverse(value)) {
            self.more = true;
            return;
        }
        let rank = Rank::new(value, name());
        if self.after.as_ref().is_some_and(|after| rank <= *after) {
            return;
        }
        if self.first.len() < self.rows {
            self.first.push(Row { rank, line: line() });
            return;
        }
        self.more = true;
        if let Some(mut last) = self.first.peek_mut()
            && rank < last.rank
        {
            *last = Row { rank, line: line() };
        }
    }

    /// What was found.
    pub(crate) fn found(self) -> Found<N, L> {
        let rows = self.first.into_sorted_vec();
        Found { rows: rows.into_iter().map(|row| (row.rank, row.line)).collect(), more: self.more }
    }
}

impl<N: Ord, L> Found<N, L> {
    /// The first of what several have found.
    pub(crate) fn merge(parts: Vec<Self>, rows: usize) -> Self {
        let more = parts.iter().any(|part| part.more);
        let mut all: Vec<_> = parts.into_iter().flat_map(|part| part.rows).collect();
        all.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let more = more || all.len() > rows;
        all.truncate(rows);
        Self { rows: all, more }
    }
}

impl<N: Ord, L> PartialEq for Row<N, L> {
    fn eq(&self, other: &Self) -> bool {
        self.rank == other.rank
    }
}

impl<N: Ord, L> Eq for Row<N, L> {}

impl<N: Ord, L> PartialOrd for Row<N, L> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<N: Ord, L> Ord for Row<N, L> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank.cmp(&other.rank)
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    /// The page behind a rank, of things that two shards hold.
    fn page(
        things: &[(u64, u32)],
        after: Option<&Rank<u32>>,
        rows: usize,
    ) -> Found<u32, (u64, u32)> {
        let mut parts = vec![];
        for shard in things.chunks(things.len().div_ceil(2).max(1)) {
            let mut ranking = Ranking::new(after.cloned(), rows);
            for (value, name) in shard {
                ranking.offer(*value, || *name, || (*value, *name));
            }
            parts.push(ranking.found());
        }
        Found::merge(parts, rows)
    }

    #[test]
    fn pages_hold_everything_once_and_in_order() {
        let mut random = StdRng::seed_from_u64(1);
        for round in 0..300 {
            let count = random.random_range(0..40);
            let mut things: Vec<_> =
                (0..count).map(|name| (random.random_range(0..5), name)).collect();
            let rows = random.random_range(1..9);
            let (mut seen, mut after) = (vec![], None);
            loop {
                let Found { rows: found, more } = page(&things, after.as_ref(), rows);
                assert!(!more || found.len() == rows, "round {round}: a page that is not full");
                seen.extend(found.iter().map(|(_, line)| *line));
                after = found.last().map(|(rank, _)| rank.clone());
                if !more {
                    break;
                }
            }
            things.sort_unstable_by_key(|(value, name)| (Reverse(*value), *name));
            assert_eq!(seen, things, "round {round}");
        }
    }

    #[test]
    fn a_line_is_made_for_those_alone_that_are_among_the_first() {
        let mut ranking = Ranking::new(None, 2);
        let mut made = vec![];
        for name in [3, 4, 5, 1, 6] {
            ranking.offer(0, || name, || made.push(name));
        }
        let found = ranking.found();
        assert_eq!(made, [3, 4, 1]);
        assert!(found.more);
        let names: Vec<_> = found.rows.iter().map(|(rank, ())| rank.name).collect();
        assert_eq!(names, [1, 3]);
    }
}
