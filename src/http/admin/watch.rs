//! Who looks at the shards from outside, without asking them.

use std::time::Duration;

use crate::handover::Clock;
use crate::limits::SHARD_STUCK_AFTER;
use crate::metrics::Metrics;

/// What is seen of the broker.
#[derive(Debug)]
pub(crate) struct Watch {
    metrics: Metrics,
    clock: Clock,
}

impl Watch {
    /// Looks at these shards, to which this clock ticks.
    pub(crate) const fn new(metrics: Metrics, clock: Clock) -> Self {
        Self { metrics, clock }
    }

    /// The shard that has not answered the clock for longest, if that is too long, and how long
    /// it is. From tick to answer: when nobody ticks, nobody is late.
    pub(super) fn stuck(&self) -> Option<(usize, Duration)> {
        let ticked = self.clock.ticked();
        let silence = |at: usize| ticked.saturating_sub(self.metrics.shards()[at].pulse.last());
        let shard = (0..self.metrics.shards().len()).max_by_key(|at| silence(*at))?;
        let silence = Duration::from_millis(silence(shard));
        (silence > SHARD_STUCK_AFTER).then_some((shard, silence))
    }
}
