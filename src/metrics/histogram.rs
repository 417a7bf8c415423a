//! How often values of which size came, counted by one thread and read by any.

use super::{ByPattern, Counter, Counters, Metrics};

/// Counts in steps: the first goes up to 2^`FIRST`, each next one to 2^`STEP` times as much, and
/// what is above the last has a place of its own.
#[derive(Debug)]
pub struct Histogram<const FIRST: u32, const STEP: u32, const STEPS: usize> {
    steps: [Counter; STEPS],
    /// Values above the last step.
    above: Counter,
    /// All values, added up.
    sum: Counter,
}

/// What was counted until a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// The upper end of each step, and how many values came in it.
    pub steps: Vec<(u64, u64)>,
    /// All values, added up.
    pub sum: u64,
    /// How many there were.
    pub count: u64,
}

impl Counted {
    /// Adds what another counted in the same steps.
    fn add(&mut self, other: &Self) {
        for ((_, count), (_, more)) in self.steps.iter_mut().zip(&other.steps) {
            *count += more;
        }
        self.sum = self.sum.wrapping_add(other.sum);
        self.count += other.count;
    }
}

impl<const FIRST: u32, const STEP: u32, const STEPS: usize> Default
    for Histogram<FIRST, STEP, STEPS>
{
    fn default() -> Self {
        let steps = std::array::from_fn(|_| Counter::default());
        Self { steps, above: Counter::default(), sum: Counter::default() }
    }
}

impl<const FIRST: u32, const STEP: u32, const STEPS: usize> Histogram<FIRST, STEP, STEPS> {
    /// One more value. Only the thread that owns the histogram may call it.
    #[inline]
    pub fn observe(&self, value: u64) {
        // bits that hold what is one less are the power of two that is not below it
        let power = u64::BITS - value.saturating_sub(1).leading_zeros();
        let step = power.saturating_sub(FIRST).div_ceil(STEP) as usize;
        self.steps.get(step).unwrap_or(&self.above).add(1);
        self.sum.add(value);
    }

    /// What was counted so far, from any thread.
    #[must_use]
    pub fn counted(&self) -> Counted {
        let mut count = 0;
        let bounds = (FIRST..).step_by(STEP as usize).map(|power| 1_u64 << power);
        let steps = bounds.zip(&self.steps).map(|(bound, step)| {
            count += step.value();
            (bound, step.value())
        });
        let steps = steps.collect();
        Counted { steps, sum: self.sum.value(), count: count + self.above.value() }
    }
}

impl Metrics {
    /// Histograms of all patterns, by the names that patterns have outside, over all threads.
    pub fn by_pattern<const FIRST: u32, const STEP: u32, const STEPS: usize>(
        &self,
        of: impl Fn(&Counters) -> &ByPattern<Histogram<FIRST, STEP, STEPS>>,
    ) -> [(&'static str, Counted); 3] {
        let none = ByPattern::<Histogram<FIRST, STEP, STEPS>>::default();
        let mut sums = none.each().map(|(word, none)| (word, none.counted()));
        for thread in &self.threads {
            for ((_, sum), (_, more)) in sums.iter_mut().zip(of(thread).each()) {
                sum.add(&more.counted());
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_in_the_first_step_that_reaches_it() {
        let histogram = Histogram::<2, 2, 3>::default();
        for value in [0, 1, 4, 5, 16, 17, 64, 65, u64::from(u32::MAX)] {
            histogram.observe(value);
        }
        let sum = 172 + u64::from(u32::MAX);
        let counted = Counted { steps: vec![(4, 3), (16, 2), (64, 2)], sum, count: 9 };
        assert_eq!(histogram.counted(), counted);
    }
}
