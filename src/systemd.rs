//! What a service manager that started us is told: that we are ready, and that we live.
//!
//! The protocol is `sd_notify(3)`: datagrams of `KEY=value` lines to a socket that a variable
//! names. Where none does, nobody is told anything.

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use sd_notify::NotifyState::{Custom, Ready, Reloading, Status, Stopping, Watchdog};
use sd_notify::{NotifyState, notify, watchdog_enabled};
use tokio::time::sleep;
use tracing::warn;

use crate::limits::CUT_WAIT_MAX;

/// Time between two looks at a shard that is stuck: as soon as it is not, we live again.
const STUCK_LOOK: Duration = Duration::from_secs(1);
/// What ending takes at most once the drain is over.
const END_WAIT: Duration = Duration::from_secs(5);

/// Connections are accepted at these URLs, and settings that were being read anew have been.
pub fn ready(urls: &[String]) {
    tell(&[Ready, Status(&format!("listening on {}", urls.join(", ")))]);
}

/// The settings are being read anew, until [`ready`] or [`not_reloaded`].
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        // systemd 253 and later know by the time which reload it is
        Ok(now) => tell(&[Reloading, now]),
        Err(error) => warn!(%error, "cannot tell the service manager of a reload"),
    }
}

/// The settings could not be read anew, and are as they were. That is no fault of ours which a
/// service manager would show, so the status says it.
pub fn not_reloaded(reason: &str) {
    tell(&[Ready, Status(&format!("not reloaded, nothing changes: {reason}"))]);
}

/// We drain, which may take so long: whoever waits for our end must not lose patience before.
pub fn stopping(drain: Duration) {
    let wait = drain.saturating_add(CUT_WAIT_MAX).saturating_add(END_WAIT);
    let microseconds = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
    let extend = format!("EXTEND_TIMEOUT_USEC={microseconds}");
    tell(&[Stopping, Status("draining"), Custom(&extend)]);
}

/// Says for ever that we live, twice in the time that the service manager is patient, if it wants
/// to know. While `stuck` finds a shard that does not answer we are silent, and it restarts us.
pub async fn beat(stuck: impl Fn() -> Option<usize>) -> Infallible {
    let Some(patience) = watchdog_enabled().filter(|patience| !patience.is_zero()) else {
        return pending().await;
    };
    let mut was_stuck = None;
    loop {
        let is_stuck = stuck();
        match (was_stuck, is_stuck) {
            (None, None) => tell(&[Watchdog]),
            (Some(_), None) => tell(&[Watchdog, Status("all shards answer")]),
            (None, Some(shard)) => {
                warn!(shard, "stuck: the service manager is not told that we live");
                tell(&[Status(&format!("shard {shard} is stuck"))]);
            }
            (Some(_), Some(_)) => {}
        }
        was_stuck = is_stuck;
        let half = patience / 2;
        sleep(if is_stuck.is_some() { STUCK_LOOK.min(half) } else { half }).await;
    }
}

/// Tells whoever started us and wants to know. We run as well without.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = notify(states) {
        warn!(%error, "cannot tell the service manager");
    }
}
