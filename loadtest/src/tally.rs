//! What the threads of one load tell each other, so that one line can speak of all of them.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::ledger::Ledger;

/// What has happened so far, to one thread or to several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Messages sent.
    pub(crate) published: u64,
    /// First deliveries.
    pub(crate) deliveries: u64,
    /// Deliveries that are still to come.
    pub(crate) outstanding: u64,
    /// Of the latency, in ns; of several threads, the longest. 0 before the first that counts.
    pub(crate) p99: u64,
}

/// A tally for each thread of a crew.
#[derive(Debug)]
pub(crate) struct Board {
    /// Messages that all are to send, where that is what ends the load; else 0.
    pub(crate) messages: u64,
    /// One for each thread, which alone writes it.
    lines: Vec<Line>,
}

/// A [`Tally`] that others may read at any time.
#[derive(Debug, Default)]
struct Line {
    published: AtomicU64,
    deliveries: AtomicU64,
    outstanding: AtomicU64,
    p99: AtomicU64,
}

impl Tally {
    /// What the books of one thread say.
    pub(crate) fn of(ledger: &mut Ledger) -> Self {
        let latency = ledger.latencies.histogram();
        let p99 = if latency.is_empty() { 0 } else { latency.value_at_percentile(99.0) };
        Self {
            published: ledger.published,
            deliveries: ledger.deliveries,
            outstanding: ledger.outstanding,
            p99,
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            published: self.published + other.published,
            deliveries: self.deliveries + other.deliveries,
            outstanding: self.outstanding + other.outstanding,
            p99: self.p99.max(other.p99),
        }
    }
}

impl Board {
    /// An empty one for so many threads.
    pub(crate) fn new(threads: usize, messages: u64) -> Self {
        Self { messages, lines: (0..threads).map(|_| Line::default()).collect() }
    }

    /// What thread `number` has done is this.
    pub(crate) fn write(&self, number: usize, tally: Tally) {
        let line = &self.lines[number];
        line.published.store(tally.published, Relaxed);
        line.deliveries.store(tally.deliveries, Relaxed);
        line.outstanding.store(tally.outstanding, Relaxed);
        line.p99.store(tally.p99, Relaxed);
    }

    /// What all have done.
    pub(crate) fn sum(&self) -> Tally {
        self.lines.iter().map(Line::read).fold(Tally::default(), Tally::and)
    }
}

impl Line {
    fn read(&self) -> Tally {
        Tally {
            published: self.published.load(Relaxed),
            deliveries: self.deliveries.load(Relaxed),
            outstanding: self.outstanding.load(Relaxed),
            p99: self.p99.load(Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_and_the_slowest_is_told() {
        let board = Board::new(3, 0);
        let tally = |n| Tally { published: n, deliveries: 10 * n, outstanding: 2 * n, p99: 7 - n };
        board.write(0, tally(1));
        board.write(2, tally(3));
        let sum = Tally { published: 4, deliveries: 40, outstanding: 8, p99: 6 };
        assert_eq!(board.sum(), sum);
        // what it said before is gone
        board.write(0, tally(2));
        assert_eq!(board.sum().published, 5);
    }
}
