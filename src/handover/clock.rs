//! The time of all shards: one thread that ticks for them.
//!
//! A runtime with a timer of its own looks at the clock before and after every wait for events,
//! which costs a shard more than all its deadlines are worth. So shards have no timers: they are
//! told the time twice a second, or more often where a setting asks for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::Shutdown;
use crate::limits::DRAIN_STEP;

/// What the shards see.
#[derive(Debug, Clone)]
pub(crate) struct Clock(Arc<Dial>);

/// What the clock's thread moves. It ends when nobody looks any more.
#[derive(Debug)]
pub(crate) struct Pendulum(Weak<Dial>);

#[derive(Debug)]
struct Dial {
    begin: Instant,
    tick: Notify,
    /// When the latest tick was, in microseconds since the beginning.
    ticked: AtomicU64,
}

impl Clock {
    /// A clock that stands until its pendulum swings.
    pub(crate) fn new() -> (Self, Pendulum) {
        let dial = Arc::new(Dial {
            begin: Instant::now(),
            tick: Notify::new(),
            ticked: AtomicU64::new(0),
        });
        let pendulum = Pendulum(Arc::downgrade(&dial));
        (Self(dial), pendulum)
    }

    /// Waits for the next tick; milliseconds since the broker began.
    pub(crate) async fn tick(&self) -> u64 {
        self.0.tick.notified().await;
        self.now()
    }

    /// Milliseconds since the broker began.
    pub(crate) fn now(&self) -> u64 {
        self.0.now() / 1000
    }

    /// Microseconds since the latest tick.
    pub(crate) fn since_tick(&self) -> u64 {
        self.0.now().saturating_sub(self.0.ticked.load(Ordering::Relaxed))
    }

    /// The latest tick, in milliseconds since the broker began.
    pub(crate) fn ticked(&self) -> u64 {
        self.0.ticked.load(Ordering::Relaxed) / 1000
    }
}

impl Dial {
    /// Microseconds since the broker began.
    fn now(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_micros()).expect("no broker is that old")
    }
}

impl Pendulum {
    /// Ticks every `period` until all clocks are gone, and does `chore` behind each tick. Whoever
    /// begins the drain unparks this thread, so that it sees it at once.
    pub(crate) fn swing(
        &self,
        period: impl Fn() -> Duration,
        shutdown: &Shutdown,
        mut chore: impl FnMut(),
    ) {
        while let Some(dial) = self.0.upgrade() {
            dial.ticked.store(dial.now(), Ordering::Relaxed);
            dial.tick.notify_waiters();
            drop(dial);
            chore();
            let (drains, period) = (shutdown.has_begun(), period());
            thread::park_timeout(if drains { DRAIN_STEP.min(period) } else { period });
        }
    }
}
