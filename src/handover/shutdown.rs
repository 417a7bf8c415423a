//! Tells all threads that the broker drains, and that its shards have ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Seen by every thread. A drain begins once, and is over when the last shard has ended.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shutdown(Arc<State>);

#[derive(Debug, Default)]
struct State {
    has_begun: AtomicBool,
    begun: Notify,
    /// Shards that have not ended.
    shards: AtomicUsize,
    over: Notify,
}

impl Shutdown {
    /// For a broker with so many shards, each of which says when it has ended.
    pub(crate) fn new(shards: usize) -> Self {
        let shards = AtomicUsize::new(shards);
        Self(Arc::new(State { shards, ..State::default() }))
    }

    /// Begins the drain. Later calls change nothing.
    pub(crate) fn begin(&self) {
        self.0.has_begun.store(true, Ordering::Release);
        self.0.begun.notify_waiters();
    }

    /// Whether the drain has begun.
    pub(crate) fn has_begun(&self) -> bool {
        self.0.has_begun.load(Ordering::Acquire)
    }

    /// Waits for the drain to begin.
    pub(crate) async fn begun(&self) {
        wait(&self.0.begun, || self.has_begun()).await;
    }

    /// One shard has ended.
    pub(crate) fn shard_ended(&self) {
        if self.0.shards.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.over.notify_waiters();
        }
    }

    /// Whether the drain has begun and all shards have ended.
    pub(crate) fn is_over(&self) -> bool {
        self.has_begun() && self.0.shards.load(Ordering::Acquire) == 0
    }

    /// Waits for the last shard to end.
    pub(crate) async fn over(&self) {
        self.begun().await;
        wait(&self.0.over, || self.is_over()).await;
    }
}

/// Waits for a notice, unless what it would tell is so already.
async fn wait(notice: &Notify, is_so: impl Fn() -> bool) {
    let notified = notice.notified();
    tokio::pin!(notified);
    notified.as_mut().enable();
    if !is_so() {
        notified.await;
    }
}
