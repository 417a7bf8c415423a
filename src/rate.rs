//! A number of events in a time, as an operator writes it: `100/s`.

use std::fmt;
use std::num::NonZeroU64;

/// More events in one time are a slip of the keyboard, and finer than our clock.
const COUNT_MAX: u64 = 1_000_000;
/// The times that a rate may be for, in nanoseconds; the first one need not be said.
const TIMES: [(&str, u64); 3] = [("s", SECOND), ("m", 60 * SECOND), ("h", 3600 * SECOND)];
/// Who sends evenly makes up for no more than this, in nanoseconds: a timer's slack, and not a
/// standstill.
const LATE_MAX: u64 = SECOND / 20;
/// In nanoseconds.
const SECOND: u64 = 1_000_000_000;

/// So many events in a second, a minute or an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    count: NonZeroU64,
    unit: &'static str,
    /// Between two events on average, nanoseconds.
    interval: u64,
}

/// A text that is no rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RateError {
    /// No number, or a time that we don't know.
    #[error("is not a rate like 100/s, 6000/m or 100")]
    Syntax,
    /// Beyond any use.
    #[error("is more than {COUNT_MAX} at a time")]
    TooLarge,
}

impl Rate {
    /// Reads `100/s`, `6000/m`, `10/h`, or `100`, which is a second's; 0 is `None`.
    pub fn parse(text: &str) -> Result<Option<Self>, RateError> {
        let (digits, unit) = text.split_once('/').unwrap_or((text, "s"));
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(RateError::Syntax);
        }
        let time = TIMES.into_iter().find(|(name, _)| *name == unit);
        let (unit, window) = time.ok_or(RateError::Syntax)?;
        // only too many digits are left to fail
        let count = digits.parse().ok().filter(|count| *count <= COUNT_MAX);
        let count = NonZeroU64::new(count.ok_or(RateError::TooLarge)?);
        Ok(count.map(|count| Self { count, unit, interval: window / count }))
    }

    /// Lets one more event happen, or not. Between calls a caller keeps one number: the time at
    /// which the next event is `due` if they come evenly, 0 at first. Returns that of the one
    /// after; `None` when the event comes too early. It may come early by what makes a burst of
    /// one second's worth. Times are nanoseconds since whenever.
    ///
    /// This is the generic cell rate algorithm (ITU-T I.371, annex A): a bucket of tokens whose
    /// level is told by the time alone.
    ///
    /// ```
    /// # use mercury::rate::Rate;
    /// let rate = Rate::parse("2/s").unwrap().unwrap();
    /// let second = rate.admit(0, 0).unwrap();
    /// let third = rate.admit(second, 0).unwrap();
    /// assert_eq!(rate.admit(third, 0), None);
    /// assert_eq!(rate.admit(third, 500_000_000), Some(1_500_000_000));
    /// ```
    #[must_use]
    pub fn admit(self, due: u64, now: u64) -> Option<u64> {
        let burst = (SECOND / self.interval).max(1);
        let early_max = (burst - 1) * self.interval;
        (due.saturating_sub(now) <= early_max).then(|| due.max(now) + self.interval)
    }

    /// When the next event is due if they come evenly, for who waits until each is due: this one
    /// was at `due`, and happens `now`.
    #[must_use]
    pub fn after(self, due: u64, now: u64) -> u64 {
        due.max(now.saturating_sub(LATE_MAX)) + self.interval
    }
}

impl fmt::Display for Rate {
    /// As it was written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, self.unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(text: &str) -> Rate {
        Rate::parse(text).unwrap().unwrap()
    }

    /// How many of `count` events get in, when the first comes at `from` and one every `step`.
    fn admitted(rate: Rate, due: &mut u64, from: u64, step: u64, count: u64) -> u64 {
        let mut admitted = 0;
        for event in 0..count {
            if let Some(next) = rate.admit(*due, from + event * step) {
                *due = next;
                admitted += 1;
            }
        }
        admitted
    }

    #[test]
    fn rates_are_read_and_shown() {
        for (text, shown) in
            [("100/s", "100/s"), ("100", "100/s"), ("6000/m", "6000/m"), ("1/h", "1/h")]
        {
            assert_eq!(rate(text).to_string(), shown);
        }
        for text in ["0", "0/m", "000"] {
            assert_eq!(Rate::parse(text), Ok(None), "{text}");
        }
        for text in ["", "/s", "s", "-1", "+1", "1.5", "1/", "1/d", "1/s/s", "1 /s", "1/S"] {
            assert_eq!(Rate::parse(text), Err(RateError::Syntax), "{text}");
        }
        for text in ["1000001", "99999999999999999999/h"] {
            assert_eq!(Rate::parse(text), Err(RateError::TooLarge), "{text}");
        }
        assert!(Rate::parse("1000000/s").is_ok());
    }

    #[test]
    fn a_second_s_worth_may_come_at_once_and_no_more() {
        for (text, burst) in [("100/s", 100), ("6000/m", 100), ("1", 1), ("90/m", 1), ("1/h", 1)] {
            // long after the start, as at the start
            for from in [0, 1 << 60] {
                let mut due = 0;
                assert_eq!(admitted(rate(text), &mut due, from, 0, 1000), burst, "{text}");
            }
        }
    }

    #[test]
    fn who_comes_evenly_at_the_rate_is_never_refused() {
        for (text, step) in [("100/s", 10_000_000), ("1/m", 60 * SECOND), ("1000000", 1000)] {
            let mut due = 0;
            assert_eq!(admitted(rate(text), &mut due, 5, step, 1000), 1000, "{text}");
        }
    }

    #[test]
    fn a_flood_gets_in_at_the_rate_and_refusals_do_not_prolong_it() {
        let mut due = 0;
        // ten times the rate for ten seconds: the burst, then the rate
        assert_eq!(admitted(rate("100/s"), &mut due, 0, SECOND / 1000, 10_000), 100 + 999);
        // a second of silence later there is a whole burst again
        assert_eq!(admitted(rate("100/s"), &mut due, 11 * SECOND, 0, 1000), 100);
    }

    #[test]
    fn who_sends_evenly_catches_up_with_a_timer_and_not_with_a_standstill() {
        let rate = rate("100/s");
        assert_eq!(rate.after(SECOND, SECOND), SECOND + SECOND / 100);
        // late by the slack of a timer
        assert_eq!(rate.after(SECOND, SECOND + 1_000_000), SECOND + SECOND / 100);
        assert_eq!(rate.after(SECOND, 10 * SECOND), 10 * SECOND - LATE_MAX + SECOND / 100);
    }

    #[test]
    fn a_thread_whose_clock_is_behind_changes_nothing_for_the_worse() {
        let rate = rate("1/s");
        let due = rate.admit(0, 10 * SECOND).unwrap();
        assert_eq!(rate.admit(due, 9 * SECOND), None);
        assert_eq!(rate.admit(due, 11 * SECOND), Some(12 * SECOND));
    }
}
