//! Times fan-outs: all of them while they are few, some of them when they are many, since a look at
//! a clock costs more than all else that is counted for a batch.

use crate::limits::{FAN_OUTS_TIMED, FAN_OUTS_TIMED_RATIO};

/// Times what begins between two flushes by the first of it, so that a clock is read once.
#[derive(Debug)]
pub(super) struct Stopwatch {
    /// Tells the time in microseconds.
    clock: fn() -> u64,
    /// Whether anything has begun since the last flush.
    has_begun: bool,
    /// When that was, if it is timed.
    since: Option<u64>,
    /// How often something began since the last beat.
    rounds: u32,
}

impl Stopwatch {
    pub(super) const fn new(clock: fn() -> u64) -> Self {
        Self { clock, has_begun: false, since: None, rounds: 0 }
    }

    /// A batch begins; when that is, if it is timed.
    pub(super) fn begin(&mut self) -> Option<u64> {
        if !self.has_begun {
            self.has_begun = true;
            let is_timed =
                self.rounds < FAN_OUTS_TIMED || self.rounds.is_multiple_of(FAN_OUTS_TIMED_RATIO);
            self.since = is_timed.then(self.clock);
            self.rounds = self.rounds.wrapping_add(1);
        }
        self.since
    }

    /// All that has begun so far is given out from now on.
    pub(super) const fn flush(&mut self) {
        self.has_begun = false;
    }

    /// Some time has passed.
    pub(super) const fn beat(&mut self) {
        self.rounds = 0;
    }

    /// How many microseconds ago this was.
    pub(super) fn passed(&self, since: u64) -> u64 {
        (self.clock)().saturating_sub(since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_timed_while_they_are_few_and_some_when_they_are_many() {
        let mut watch = Stopwatch::new(|| 7);
        for _ in 0..2 {
            let mut timed = 0;
            for round in 0..FAN_OUTS_TIMED + 10 * FAN_OUTS_TIMED_RATIO {
                watch.flush();
                let since = watch.begin();
                assert_eq!(watch.begin(), since, "they are timed together");
                assert!(since == Some(7) || round >= FAN_OUTS_TIMED);
                timed += u32::from(since.is_some());
            }
            assert_eq!(timed, FAN_OUTS_TIMED + 10);
            watch.beat();
        }
    }
}
