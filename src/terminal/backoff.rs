//! How long to wait before connecting again.

use std::time::Duration;

/// The most that is waited the first time.
const FIRST_WAIT_MAX: Duration = Duration::from_secs(1);
/// The most that is waited any time, unless the broker asks for more.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// What a broker may ask for: more is as good as never.
const ASKED_MAX: Duration = Duration::from_mins(10);

/// Waits that grow, each anywhere in its upper three quarters, so that many who were cut at once do
/// not come back at once.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The next wait, and no less than the broker `asked` for; `random` is from 0 to 1.
    pub(super) fn next(&mut self, random: f64, asked: Option<Duration>) -> Duration {
        let most = FIRST_WAIT_MAX.saturating_mul(1 << self.failures.min(16)).min(WAIT_MAX);
        self.failures += 1;
        let asked = asked.unwrap_or_default().min(ASKED_MAX);
        asked + most.mul_f64(0.25 + 0.75 * random.clamp(0.0, 1.0))
    }

    /// It went well again.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_begin_anew() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..100).map(|_| backoff.next(1.0, None).as_secs()).collect();
        assert_eq!(waits[..7], [1, 2, 4, 8, 16, 30, 30]);
        assert!(waits[6..].iter().all(|wait| *wait == 30));
        backoff.reset();
        assert_eq!(backoff.next(1.0, None), FIRST_WAIT_MAX);
    }

    #[test]
    fn chance_spreads_them_and_what_the_broker_asks_for_is_the_least() {
        let waits = |random, asked| Backoff::default().next(random, asked);
        assert_eq!(waits(0.0, None), Duration::from_millis(250));
        assert_eq!(waits(0.5, None), Duration::from_millis(625));
        let second = Duration::from_secs(1);
        assert_eq!(waits(0.0, Some(second)), second + Duration::from_millis(250));
        assert_eq!(waits(1.0, Some(Duration::MAX)), ASKED_MAX + second);
    }
}
