//! Looks at the deadlines of all connections of a shard, at every tick of the clock.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::yield_now;

use super::Shard;
use crate::faults;
use crate::handover::Settings;
use crate::limits::{Limits, SWEEP_INTERVAL_MAX, SWEEP_TURN_MAX};

/// Shortest time between two sweeps, however short the timeouts are.
const INTERVAL_MIN: Duration = Duration::from_millis(10);

/// What passes between two sweeps counts as no more than this, in milliseconds. When the process
/// was stopped or its machine slept, it was not the peers who were silent.
const STEP_MAX: u64 = 1000;

/// Runs for as long as its shard, and sees to it that other settings are adopted, after `settings`.
pub(super) async fn run(shard: Rc<Shard>, mut settings: Arc<Settings>) {
    let (mut last, mut now) = (shard.clock.now(), 0);
    let counters = Arc::clone(shard.home.table.borrow().counters());
    loop {
        let tick = shard.clock.tick().await;
        counters.pulse.beat(tick, shard.clock.since_tick());
        faults::pass(faults::Place::Sweep);
        now += (tick - last).min(STEP_MAX);
        last = tick;
        if !Arc::ptr_eq(&settings, &shard.live.now()) {
            settings = shard.live.kept();
            shard.home.adopt(&settings.limits);
        }
        let mut next = Some(0);
        while let Some(from) = next {
            next = sweep(&shard, now, from);
            if next.is_some() {
                yield_now().await;
            }
        }
    }
}

fn sweep(shard: &Shard, now: u64, from: usize) -> Option<usize> {
    let table = &mut *shard.home.table.borrow_mut();
    let next = table.sweep(now, from, SWEEP_TURN_MAX);
    table.poke();
    next
}

/// Time between two sweeps: a quarter of the shortest timeout, so that none is late by more.
pub(crate) fn period(limits: &Limits) -> Duration {
    let timeouts = [
        limits.ping_interval,
        Some(limits.pong_wait_max),
        Some(limits.pull_pong_wait_max),
        limits.inactivity_max,
        Some(limits.write_stall_max),
    ];
    let shortest = timeouts.into_iter().flatten().min().unwrap_or(SWEEP_INTERVAL_MAX);
    (shortest / 4).clamp(INTERVAL_MIN, SWEEP_INTERVAL_MAX)
}
