//! Looks at the deadlines of all connections of a shard, again and again: one timer for all.

use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::yield_now;
use tokio::time::{MissedTickBehavior, interval};

use crate::connection::Home;
use crate::limits::{Limits, SWEEP_INTERVAL_MAX, SWEEP_TURN_MAX};

/// Shortest time between two sweeps, however short the timeouts are.
const INTERVAL_MIN: Duration = Duration::from_millis(10);
/// What passes between two sweeps counts as no more than this. When the process was stopped or its
/// machine slept, it was not the peers who were silent.
const STEP_MAX: Duration = SWEEP_INTERVAL_MAX.saturating_mul(2);

/// Runs for as long as its shard.
pub(super) async fn run(home: Rc<Home>, limits: Limits) {
    let (mut last, mut age) = (Instant::now(), Duration::ZERO);
    let mut ticks = interval(period(&limits));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let tick = Instant::now();
        age += (tick - last).min(STEP_MAX);
        last = tick;
        let now = u64::try_from(age.as_millis()).expect("a shard is not that old");
        let mut next = Some(0);
        while let Some(from) = next {
            next = home.table.borrow_mut().sweep(now, from, SWEEP_TURN_MAX);
            home.table.borrow_mut().poke();
            if next.is_some() {
                yield_now().await;
            }
        }
    }
}

/// A quarter of the shortest timeout, so that none is late by more than that.
fn period(limits: &Limits) -> Duration {
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
