//! Deadlines of one connection, looked at by its shard's sweep: ping, pong, idle, stalled write,
//! unfinished message, linger. All times are milliseconds since the shard began.

use std::time::Duration;

use crate::limits::{Limits, MESSAGE_UNFINISHED_MAX, PING_JITTER_PERCENT};

/// When what happened last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Life {
    /// A byte came from the peer.
    pub(super) heard: u64,
    /// A message was given to it.
    pub(super) sent: u64,
    /// Its socket took something, or something began to wait for it.
    pub(super) progress: u64,
    /// Its outbound was empty for the last time.
    pub(super) behind: u64,
    /// Our unanswered ping left.
    pub(super) pinged: Option<u64>,
    /// The message that has not ended began.
    pub(super) unfinished: Option<u64>,
    /// Our last word was queued: until then it may linger.
    pub(super) linger_until: Option<u64>,
    /// It is not read, for want of room.
    pub(super) paused: bool,
    /// What it waits with is a whole message.
    pub(super) has_whole: bool,
    /// More was read from it than its share of a turn; the rest is taken in the next one.
    pub(super) holding: bool,
}

/// The settings, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    ping_interval: Option<u64>,
    pong_wait_max: u64,
    pull_pong_wait_max: u64,
    inactivity_max: Option<u64>,
    write_stall_max: u64,
}

/// What a look at the deadlines finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing.
    Nothing,
    /// It is paused: its task should look whether it still must be, and whether anybody is there.
    Look,
    /// It has been silent: ask whether it lives.
    Ping,
    /// It did not answer.
    PongTimeout,
    /// Its socket takes nothing.
    WriteStall,
    /// Its message does not end.
    Unfinished,
    /// Nothing either way for too long.
    Inactive,
    /// It lingered long enough.
    LingerEnd,
}

impl Rules {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            ping_interval: limits.ping_interval.map(milliseconds),
            pong_wait_max: milliseconds(limits.pong_wait_max),
            pull_pong_wait_max: milliseconds(limits.pull_pong_wait_max),
            inactivity_max: limits.inactivity_max.map(milliseconds),
            write_stall_max: milliseconds(limits.write_stall_max),
        }
    }

    /// `--write-timeout`, for sentences.
    pub(super) const fn write_stall_max(&self) -> Duration {
        Duration::from_millis(self.write_stall_max)
    }

    /// The interval of the connection with this number: varied, so that a thousand that joined
    /// together do not ping together.
    fn ping_interval(&self, number: u32) -> Option<u64> {
        let spread = 2 * PING_JITTER_PERCENT + 1;
        let scattered = number.wrapping_mul(0x9e37_79b1) >> 16;
        let percent = 100 - PING_JITTER_PERCENT + scattered % spread;
        Some((self.ping_interval?.saturating_mul(u64::from(percent)) / 100).max(1))
    }
}

/// Whole milliseconds, as many as fit.
pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Life {
    pub(super) const fn new(now: u64) -> Self {
        Self {
            heard: now,
            sent: now,
            progress: now,
            behind: now,
            pinged: None,
            unfinished: None,
            linger_until: None,
            paused: false,
            has_whole: false,
            holding: false,
        }
    }

    /// How long its outbound has not been empty: seconds with one decimal, for logs.
    pub(super) fn seconds_behind(&self, now: u64) -> String {
        let tenths = now.saturating_sub(self.behind) / 100;
        format!("{}.{}", tenths / 10, tenths % 10)
    }

    /// Whether its socket has taken nothing for too long.
    pub(super) const fn is_stalled(&self, now: u64, waits: bool, rules: &Rules) -> bool {
        waits && now.saturating_sub(self.progress) > rules.write_stall_max
    }

    /// What is due now, for the connection with this number. `waits` says whether anything waits
    /// in its outbound.
    pub(super) fn due(
        &mut self,
        now: u64,
        number: u32,
        is_puller: bool,
        waits: bool,
        rules: &Rules,
    ) -> Due {
        let over = |since: u64, max: u64| now.saturating_sub(since) > max;
        if let Some(until) = self.linger_until {
            return if now >= until { Due::LingerEnd } else { Due::Nothing };
        }
        if !is_puller && self.is_stalled(now, waits, rules) {
            return Due::WriteStall;
        }
        if self.paused {
            // we don't read: what the peer owes us stands still
            self.heard = now;
            self.pinged = None;
            self.unfinished = None;
            return Due::Look;
        }
        if self.unfinished.is_some_and(|since| over(since, milliseconds(MESSAGE_UNFINISHED_MAX))) {
            return Due::Unfinished;
        }
        if rules.inactivity_max.is_some_and(|max| over(self.heard.max(self.sent), max)) {
            return Due::Inactive;
        }
        let wait = if is_puller { rules.pull_pong_wait_max } else { rules.pong_wait_max };
        match self.pinged {
            Some(pinged) if self.heard >= pinged => self.pinged = None,
            Some(_) if waits => self.pinged = Some(now),
            // it takes what we send: its clock starts again, and one ping is enough
            Some(pinged) if self.progress > pinged => self.pinged = Some(self.progress),
            Some(pinged) if over(pinged, wait) => return Due::PongTimeout,
            Some(_) => {}
            None => {
                let interval = rules.ping_interval(number);
                if !waits && interval.is_some_and(|interval| now - self.heard >= interval) {
                    return Due::Ping;
                }
            }
        }
        Due::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1000;

    fn rules() -> Rules {
        Rules::new(&Limits::default())
    }

    fn due(life: &mut Life, now: u64) -> Due {
        life.due(now, 0, false, false, &rules())
    }

    #[test]
    fn a_silent_peer_is_pinged_then_dropped_and_any_byte_is_life() {
        let mut life = Life::new(0);
        assert_eq!(due(&mut life, 19 * SECOND), Due::Nothing);
        assert_eq!(due(&mut life, 30 * SECOND), Due::Ping);
        life.pinged = Some(30 * SECOND);
        assert_eq!(due(&mut life, 50 * SECOND), Due::Nothing);
        assert_eq!(due(&mut life.clone(), 51 * SECOND), Due::PongTimeout);
        life.heard = 40 * SECOND;
        assert_eq!(due(&mut life, 51 * SECOND), Due::Nothing);
        assert_eq!(life.pinged, None);
    }

    #[test]
    fn intervals_differ_by_at_most_a_fifth() {
        let intervals: Vec<u64> =
            (0..1000).filter_map(|number| rules().ping_interval(number)).collect();
        assert_eq!(intervals.iter().min(), Some(&(20 * SECOND)));
        assert_eq!(intervals.iter().max(), Some(&(30 * SECOND)));
    }

    #[test]
    fn a_paused_connection_owes_nothing_but_a_stalled_write_counts() {
        let mut life = Life { paused: true, pinged: Some(1), ..Life::new(0) };
        assert_eq!(due(&mut life, 9000 * SECOND), Due::Look);
        assert_eq!(life.heard, 9000 * SECOND);
        assert_eq!(life.due(9011 * SECOND, 0, false, true, &rules()), Due::WriteStall);
    }

    #[test]
    fn a_puller_may_be_busy_for_minutes() {
        let mut life = Life { pinged: Some(0), progress: 0, ..Life::new(0) };
        life.heard = 0;
        life.pinged = Some(1);
        assert_eq!(life.due(500 * SECOND, 0, true, false, &rules()), Due::Nothing);
        assert_eq!(life.due(602 * SECOND, 0, true, false, &rules()), Due::PongTimeout);
        let mut stalled = Life::new(0);
        assert!(stalled.is_stalled(11 * SECOND, true, &rules()));
        assert_eq!(stalled.due(11 * SECOND, 0, true, true, &rules()), Due::Nothing);
        assert_eq!(stalled.due(15_000 * SECOND, 0, true, true, &rules()), Due::Inactive);
    }

    #[test]
    fn a_peer_that_takes_what_is_sent_is_asked_once_and_has_longer_to_answer() {
        let mut life = Life { pinged: Some(30 * SECOND), ..Life::new(0) };
        life.progress = 45 * SECOND;
        assert_eq!(due(&mut life, 60 * SECOND), Due::Nothing);
        assert_eq!(due(&mut life, 65 * SECOND), Due::Nothing);
        assert_eq!(due(&mut life, 66 * SECOND), Due::PongTimeout);
    }

    #[test]
    fn idle_unfinished_and_lingering_connections_end() {
        let mut idle = Life { pinged: Some(1), ..Life::new(0) };
        assert_eq!(due(&mut idle, 4 * 3600 * SECOND + 1), Due::Inactive);
        let mut unfinished = Life { unfinished: Some(5), ..Life::new(0) };
        assert_eq!(due(&mut unfinished, 30 * SECOND + 6), Due::Unfinished);
        let mut lingering = Life { linger_until: Some(7), ..Life::new(0) };
        assert_eq!(due(&mut lingering, 6), Due::Nothing);
        assert_eq!(due(&mut lingering, 7), Due::LingerEnd);
    }
}
