//! Ctrl-C, which ends a run early and in order.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;

/// Hears all Ctrl-C from its beginning on: what comes between two looks is not lost.
pub(crate) struct Interrupt {
    /// The system's; none where there is no way to hear it.
    signal: Option<Signal>,
}

impl Interrupt {
    /// Begins to listen.
    pub(crate) fn listen() -> Self {
        Self { signal: signal(SignalKind::interrupt()).ok() }
    }

    /// Returns when somebody pressed Ctrl-C; without a way to hear it, never.
    pub(crate) async fn heard(&mut self) {
        let heard = match &mut self.signal {
            Some(signal) => signal.recv().await,
            None => None,
        };
        if heard.is_none() {
            std::future::pending::<()>().await;
        }
    }

    /// Whether somebody has pressed Ctrl-C since the last look.
    pub(crate) async fn was_heard(&mut self) -> bool {
        // long enough for the runtime to look, too
        timeout(Duration::from_millis(1), self.heard()).await.is_ok()
    }
}
