//! Tells all threads that the broker drains.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Seen by every thread; begun once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shutdown {
    draining: Arc<AtomicBool>,
    notify: Arc<Notify>,
}

impl Shutdown {
    /// Begins the drain. Later calls change nothing.
    pub(crate) fn begin(&self) {
        self.draining.store(true, Ordering::Release);
        self.notify.notify_waiters();
    }

    /// Whether the drain has begun.
    pub(crate) fn has_begun(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Waits for the drain to begin.
    pub(crate) async fn begun(&self) {
        let notified = self.notify.notified();
        tokio::pin!(notified);
        notified.as_mut().enable();
        if !self.has_begun() {
            notified.await;
        }
    }
}
