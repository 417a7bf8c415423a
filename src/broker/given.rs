//! What a flush gave out, for the counters.

use super::Pattern;
use super::stopwatch::Stopwatch;
use crate::metrics::Counters;

/// What receivers were given.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Given {
    /// In so many writes, one for each receiver.
    pub(super) writes: usize,
    /// Messages in them, those of each receiver counted anew.
    pub(super) messages: u64,
}

/// A batch that all its receivers have, or a puller's jobs of one turn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Landed {
    /// Messages in it.
    pub(super) messages: u32,
    /// When the first of them came, in microseconds of the broker's clock, if it is timed.
    pub(super) since: Option<u64>,
}

impl Given {
    /// Counts it.
    #[inline]
    pub(super) fn count(self, pattern: Pattern, counters: &Counters) {
        pattern.of(&counters.batches_out).add(self.writes as u64);
        pattern.of(&counters.messages_out).add(self.messages);
    }
}

impl Landed {
    /// Counts it.
    #[inline]
    pub(super) fn count(self, watch: &Stopwatch, pattern: Pattern, counters: &Counters) {
        pattern.of(&counters.batch_messages).observe(self.messages.into());
        if let Some(since) = self.since {
            pattern.of(&counters.fan_out).observe(watch.passed(since));
        }
    }
}
