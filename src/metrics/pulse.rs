//! What a shard says of its own loop: when it was last awake, and how late.

use std::time::Duration;

use super::{Counter, Histogram};

/// The pulse of one shard, taken at every tick of the clock.
#[derive(Debug, Default)]
pub struct Pulse {
    /// When its loop last answered a tick, in milliseconds since the broker began.
    beat: Counter,
    /// How long after each tick it did, in microseconds.
    pub lag: Histogram<6, 1, 18>,
}

impl Pulse {
    /// The loop answers a tick, so many microseconds after it. Only the shard may call it.
    pub fn beat(&self, now_milliseconds: u64, late_microseconds: u64) {
        self.beat.set(now_milliseconds);
        self.lag.observe(late_microseconds);
    }

    /// How long the loop has not answered, by the latest tick of the clock, in milliseconds since
    /// the broker began. From answer to tick: when nobody ticks, nobody is late.
    #[must_use]
    pub fn silence(&self, ticked: u64) -> Duration {
        Duration::from_millis(ticked.saturating_sub(self.beat.value()))
    }
}
