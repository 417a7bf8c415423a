//! Who looks at the broker from outside, without asking anybody.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::handover::{Clock, Fill, Inboxes, Shutdown};
use crate::limits::Budget;
use crate::metrics::Metrics;

/// Where it looks.
#[derive(Debug)]
pub(crate) struct Watch {
    /// What all threads count.
    pub(crate) metrics: Metrics,
    /// The one that ticks for the shards.
    pub(crate) clock: Clock,
    /// Where arrivals land.
    pub(crate) inboxes: Inboxes,
    /// Tells that the broker drains.
    pub(crate) shutdown: Shutdown,
    /// The descriptors that clients may use.
    pub(crate) descriptors: Arc<Budget>,
    /// `--memory-max`.
    pub(crate) memory_max: usize,
    /// When the broker started.
    pub(crate) started: SystemTime,
}

/// What it saw.
#[derive(Debug)]
pub(super) struct Seen {
    /// What all threads count, which goes on.
    pub(super) metrics: Metrics,
    /// The latest tick of the clock, in milliseconds since the broker began.
    pub(super) ticked: u64,
    /// How full the inbox of each shard is.
    pub(super) inboxes: Vec<Fill>,
    /// Whether the drain has begun.
    pub(super) is_draining: bool,
    /// Descriptors that clients use.
    pub(super) descriptors: u64,
    /// Those that they may use.
    pub(super) descriptors_max: u64,
    /// `--memory-max`.
    pub(super) memory_max: u64,
    /// When the broker started, since 1970.
    pub(super) started: Duration,
}

impl Watch {
    /// How things are now.
    pub(super) fn see(&self) -> Seen {
        Seen {
            metrics: self.metrics.clone(),
            ticked: self.clock.ticked(),
            inboxes: self.inboxes.fill(),
            is_draining: self.shutdown.has_begun(),
            descriptors: self.descriptors.used() as u64,
            descriptors_max: self.descriptors.max() as u64,
            memory_max: self.memory_max as u64,
            // a clock that is set before 1970 says nothing
            started: self.started.duration_since(UNIX_EPOCH).unwrap_or_default(),
        }
    }
}

impl Seen {
    /// The shard that has not answered the clock for longest, if that is too long, and how long
    /// it is.
    pub(super) fn stuck(&self) -> Option<(usize, Duration)> {
        self.metrics.stuck(self.ticked)
    }

    /// How long the loop of a shard has not answered.
    pub(super) fn silence(&self, shard: usize) -> Duration {
        self.metrics.shards()[shard].pulse.silence(self.ticked)
    }
}
