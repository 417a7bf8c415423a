//! How long a puller is at work on a job, during which it does not read the next.

use std::time::Duration;

use clap::ValueEnum;
use rand::Rng as _;

/// Times the mean that an exponential time exceeds once in five hundred million.
const LONGEST_MEANS: u32 = 20;

/// How the times are spread
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Spread {
    /// All the same
    #[default]
    Constant,
    /// Mostly short, now and then long: of jobs that have nothing to do with each other
    Exponential,
}

/// The time that a job takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Think {
    /// On average.
    pub(crate) mean: Duration,
    /// How far from that.
    pub(crate) spread: Spread,
}

impl Think {
    /// The next job's.
    pub(crate) fn next(self) -> Duration {
        match self.spread {
            Spread::Constant => self.mean,
            Spread::Exponential => self.after(rand::rng().random()),
        }
    }

    /// The longest that is to be reckoned with.
    pub(crate) fn longest(self) -> Duration {
        match self.spread {
            Spread::Constant => self.mean,
            Spread::Exponential => self.mean * LONGEST_MEANS,
        }
    }

    /// The exponential time that `part` of all are shorter than.
    fn after(self, part: f64) -> Duration {
        self.mean.mul_f64(-(1.0 - part).max(f64::MIN_POSITIVE).ln()).min(self.longest())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponential_times_have_their_mean() {
        let think = Think { mean: Duration::from_millis(10), spread: Spread::Exponential };
        let parts = (0..10_000).map(|part| f64::from(part) / 10_000.0);
        let mean = parts.map(|part| think.after(part)).sum::<Duration>() / 10_000;
        assert!(mean.abs_diff(think.mean) < Duration::from_micros(50), "{mean:?}");
        assert_eq!(think.after(0.0), Duration::ZERO);
        assert_eq!(think.after(1.0), think.longest());
        assert!((0..1000).all(|_| think.next() <= think.longest()));
    }

    #[test]
    fn constant_times_are_the_same() {
        let think = Think { mean: Duration::from_millis(10), spread: Spread::Constant };
        assert_eq!([think.next(), think.longest()], [think.mean; 2]);
    }
}
