//! What may change while the broker runs.

use std::sync::Arc;

use super::Ground;
use crate::config::Config;
use crate::handover::Live;
use crate::limits::Budget;

/// What may change while the broker runs.
#[derive(Debug)]
pub(super) struct Adjustable {
    live: Live,
    bodies: Arc<Budget>,
    backlogs: Arc<Budget>,
    hoard: Arc<Budget>,
    topics: Arc<Budget>,
}

impl Adjustable {
    /// That of a broker that starts.
    pub(super) fn new(ground: &Ground) -> Self {
        let Ground { live, bodies, bounds, .. } = ground;
        Self {
            live: live.clone(),
            bodies: Arc::clone(bodies),
            backlogs: Arc::clone(&bounds.backlogs),
            hoard: Arc::clone(&bounds.hoard),
            topics: Arc::clone(&bounds.topics),
        }
    }

    /// Takes over what may change.
    pub(super) fn adopt(&self, config: &Config) {
        let limits = &config.limits;
        self.bodies.set_max(limits.bodies_budget_max());
        self.backlogs.set_max(limits.backlogs_bytes_max);
        self.hoard.set_max(limits.hoard_bytes_max());
        self.topics.set_max(limits.topics_max);
        self.live.adopt(limits.clone(), config.allow_origin.clone());
    }
}
