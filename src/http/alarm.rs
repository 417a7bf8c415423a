//! The one deadline of an HTTP connection: a timer that is set anew only when it would ring late.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

/// A deadline that moves often and rings seldom. Moving it back costs nothing: the timer rings
/// at the old time, finds that it is early and is set again.
#[derive(Debug)]
pub(super) struct Alarm {
    /// The timer; never set later than `due`.
    sleep: Pin<Box<Sleep>>,
    /// The deadline that holds; `None` is never.
    due: Option<Instant>,
}

impl Alarm {
    /// An alarm that rings after `wait`.
    pub(super) fn new(wait: Duration) -> Self {
        let sleep = Box::pin(sleep(wait));
        let due = Some(sleep.deadline());
        Self { sleep, due }
    }

    /// Rings `wait` from now instead, or not at all.
    pub(super) fn set(&mut self, wait: Option<Duration>) {
        self.due = wait.map(|wait| Instant::now() + wait);
        if let Some(due) = self.due
            && (due < self.sleep.deadline() || self.sleep.is_elapsed())
        {
            self.sleep.as_mut().reset(due);
        }
    }

    /// Rings so much earlier than it would.
    pub(super) fn hasten(&mut self, by: Duration) {
        let left = self.due.map(|due| due.saturating_duration_since(Instant::now()));
        self.set(left.map(|left| left.saturating_sub(by)));
    }

    /// Ready once the deadline has passed.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let Some(due) = self.due else { return Poll::Pending };
            if self.sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if due <= Instant::now() {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(due);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_mins(1);

    async fn rings(alarm: &mut Alarm) -> Duration {
        let began = Instant::now();
        poll_fn(|cx| alarm.poll(cx)).await;
        began.elapsed()
    }

    #[tokio::test]
    async fn the_latest_setting_counts() {
        let mut alarm = Alarm::new(LONG);
        alarm.set(Some(SHORT));
        assert!(rings(&mut alarm).await < LONG);
        alarm.set(Some(SHORT));
        alarm.set(Some(5 * SHORT));
        assert!(rings(&mut alarm).await >= 4 * SHORT);
    }

    #[tokio::test]
    async fn one_that_is_hastened_rings_earlier_and_at_once_if_that_has_passed() {
        let mut alarm = Alarm::new(LONG + SHORT);
        alarm.hasten(LONG);
        assert!(rings(&mut alarm).await < LONG);
        alarm.set(Some(SHORT));
        alarm.hasten(LONG);
        assert!(rings(&mut alarm).await < LONG);
    }

    #[tokio::test]
    async fn no_setting_never_rings() {
        let mut alarm = Alarm::new(SHORT);
        alarm.set(None);
        assert!(tokio::time::timeout(3 * SHORT, rings(&mut alarm)).await.is_err());
    }
}
