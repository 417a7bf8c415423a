//! How long messages took: a histogram that takes equal ones in a row at once.

use hdrhistogram::Histogram;

/// The longest that is told apart from longer ones: a minute.
const LATENCY_NS_MAX: u64 = 60_000_000_000;

/// An empty histogram of times in ns, to three digits.
pub(crate) fn empty() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_NS_MAX, 3).expect("bounds are sound")
}

/// Latencies in ns. Messages that left together and came with one read took equally long, and
/// finding their place is dearer than counting.
#[derive(Debug)]
pub(crate) struct Latencies {
    /// All but the last run.
    histogram: Histogram<u64>,
    /// The latency that the last ones had.
    last: u64,
    /// How many of them there are.
    run: u64,
}

impl Latencies {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self { histogram: empty(), last: 0, run: 0 }
    }

    /// Notes one.
    #[inline]
    pub(crate) fn record(&mut self, latency: u64) {
        if latency != self.last {
            self.settle();
            self.last = latency;
        }
        self.run += 1;
    }

    /// All of them.
    pub(crate) fn histogram(&mut self) -> &Histogram<u64> {
        self.settle();
        &self.histogram
    }

    fn settle(&mut self) {
        let run = std::mem::take(&mut self.run);
        if run > 0 {
            self.histogram.saturating_record_n(self.last, run);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_count_as_often_as_they_are_long() {
        let mut latencies = Latencies::new();
        let mut plain = empty();
        for latency in [0, 0, 7, 7, 7, 0, 5_000, LATENCY_NS_MAX * 4, 9, 9] {
            latencies.record(latency);
            plain.saturating_record(latency);
            assert_eq!(*latencies.histogram(), plain);
        }
        for latency in [9, 9, 8, 8, 9] {
            latencies.record(latency);
            plain.saturating_record(latency);
        }
        assert_eq!(*latencies.histogram(), plain, "not looked at in between");
    }
}
