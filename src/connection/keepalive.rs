//! Deadlines of one connection, looked at by its shard's sweep: ping, pong, idle, stalled write,
//! unfinished message, linger.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::limits::{LINGER_MAX, Limits, MESSAGE_UNFINISHED_MAX, PING_JITTER_PERCENT};

/// What a [`Moment`] counts, in milliseconds: the shortest time between two sweeps.
const STEP: u64 = 10;
/// Steps in a tenth of a second.
const STEPS_PER_TENTH: u32 = 10;
/// Steps after which it no longer matters how long ago something was: a third of a year. A moment
/// never falls farther behind, so that it is not taken for one to come when the count starts over.
const STEPS_MAX: u32 = 1 << 30;

/// When something happened, in half the room of a number of milliseconds, for there are several
/// for each connection. Counts round and round, once in 497 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment(NonZeroU32);

impl Moment {
    /// So many milliseconds after the shard began.
    pub(super) fn at(milliseconds: u64) -> Self {
        let steps = milliseconds / STEP % u64::from(u32::MAX) + 1;
        Self(u32::try_from(steps).ok().and_then(NonZeroU32::new).expect("1 to 2^32 - 1"))
    }

    /// Steps since an earlier moment; 0 since a later one.
    fn since(self, earlier: Self) -> u32 {
        let (now, then) = (self.0.get(), earlier.0.get());
        // over the start of a new round, which has no 0
        let steps = if now >= then { now - then } else { u32::MAX - (then - now) };
        if steps > u32::MAX / 2 { 0 } else { steps }
    }

    /// Follows the time when it would fall behind too far.
    fn keep_up(&mut self, now: Self) {
        if now.since(*self) > STEPS_MAX {
            *self = now.before(STEPS_MAX);
        }
    }

    /// So many steps before this one.
    fn before(self, steps: u32) -> Self {
        let now = self.0.get();
        // over the start of a round
        let then = if now > steps { now - steps } else { u32::MAX - (steps - now) };
        Self(NonZeroU32::new(then).expect("a round has no 0"))
    }
}

/// When what happened last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Life {
    /// A byte came from the peer.
    pub(super) heard: Moment,
    /// A message was given to it.
    pub(super) sent: Moment,
    /// Its socket took something, or something began to wait for it.
    pub(super) progress: Moment,
    /// Its outbound was empty for the last time.
    pub(super) behind: Moment,
    /// Our unanswered ping left.
    pub(super) pinged: Option<Moment>,
    /// The message that has not ended began.
    pub(super) unfinished: Option<Moment>,
    /// Our last word was queued; it may linger for a while.
    pub(super) parted: Option<Moment>,
    /// It is not read, for want of room.
    pub(super) paused: bool,
    /// What it waits with is a whole message.
    pub(super) has_whole: bool,
    /// More was read from it than its share of a turn; the rest is taken in the next one.
    pub(super) holding: bool,
}

/// The settings, in steps of a [`Moment`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    ping_interval: Option<u32>,
    pong_wait_max: u32,
    pull_pong_wait_max: u32,
    inactivity_max: Option<u32>,
    write_stall_max: u32,
    /// The same for sentences.
    write_timeout: Duration,
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
            ping_interval: limits.ping_interval.map(steps),
            pong_wait_max: steps(limits.pong_wait_max),
            pull_pong_wait_max: steps(limits.pull_pong_wait_max),
            inactivity_max: limits.inactivity_max.map(steps),
            write_stall_max: steps(limits.write_stall_max),
            write_timeout: limits.write_stall_max,
        }
    }

    /// `--write-timeout`, for sentences.
    pub(super) const fn write_timeout(&self) -> Duration {
        self.write_timeout
    }

    /// The interval of the connection with this number: varied, so that a thousand that joined
    /// together do not ping together.
    fn ping_interval(&self, number: u32) -> Option<u32> {
        let spread = 2 * PING_JITTER_PERCENT + 1;
        let scattered = number.wrapping_mul(0x9e37_79b1) >> 16;
        let percent = 100 - PING_JITTER_PERCENT + scattered % spread;
        let varied = u64::from(self.ping_interval?) * u64::from(percent) / 100;
        Some(u32::try_from(varied).unwrap_or(u32::MAX).max(1))
    }
}

/// Whole milliseconds, as many as fit.
pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Whole steps; what moments cannot count is for ever.
fn steps(duration: Duration) -> u32 {
    let steps = milliseconds(duration).div_ceil(STEP);
    u32::try_from(steps).ok().filter(|steps| *steps < STEPS_MAX).unwrap_or(u32::MAX)
}

impl Life {
    pub(super) const fn new(now: Moment) -> Self {
        Self {
            heard: now,
            sent: now,
            progress: now,
            behind: now,
            pinged: None,
            unfinished: None,
            parted: None,
            paused: false,
            has_whole: false,
            holding: false,
        }
    }

    /// How long its outbound has not been empty, in tenths of a second.
    pub(super) fn tenths_behind(&self, now: Moment) -> u32 {
        now.since(self.behind) / STEPS_PER_TENTH
    }

    /// The same as seconds with one decimal, for logs.
    pub(super) fn seconds_behind(&self, now: Moment) -> String {
        let tenths = self.tenths_behind(now);
        format!("{}.{}", tenths / 10, tenths % 10)
    }

    /// Whether its socket has taken nothing for too long.
    pub(super) fn is_stalled(&self, now: Moment, waits: bool, rules: &Rules) -> bool {
        waits && now.since(self.progress) > rules.write_stall_max
    }

    /// What is due now, for the connection with this number. `waits` says whether anything waits
    /// in its outbound.
    pub(super) fn due(
        &mut self,
        now: Moment,
        number: u32,
        is_puller: bool,
        waits: bool,
        rules: &Rules,
    ) -> Due {
        let over = |since: Moment, max: u32| now.since(since) > max;
        for moment in [&mut self.heard, &mut self.sent, &mut self.progress, &mut self.behind] {
            moment.keep_up(now);
        }
        if let Some(parted) = self.parted {
            let is_over = now.since(parted) >= steps(LINGER_MAX);
            return if is_over { Due::LingerEnd } else { Due::Nothing };
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
        if self.unfinished.is_some_and(|since| over(since, steps(MESSAGE_UNFINISHED_MAX))) {
            return Due::Unfinished;
        }
        if rules.inactivity_max.is_some_and(|max| over(self.heard, max) && over(self.sent, max)) {
            return Due::Inactive;
        }
        let wait = if is_puller { rules.pull_pong_wait_max } else { rules.pong_wait_max };
        match self.pinged {
            Some(pinged) if now.since(self.heard) <= now.since(pinged) => self.pinged = None,
            Some(_) if waits => self.pinged = Some(now),
            // it takes what we send: its clock starts again, and one ping is enough
            Some(pinged) if now.since(self.progress) < now.since(pinged) => {
                self.pinged = Some(self.progress);
            }
            Some(pinged) if over(pinged, wait) => return Due::PongTimeout,
            Some(_) => {}
            None => {
                let interval = rules.ping_interval(number);
                if !waits && interval.is_some_and(|interval| now.since(self.heard) >= interval) {
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

    /// A year in seconds.
    const YEAR: u64 = 365 * 24 * 3600;

    fn rules() -> Rules {
        Rules::new(&Limits::default())
    }

    /// So many seconds after the beginning.
    fn second(seconds: u64) -> Moment {
        Moment::at(1000 * seconds)
    }

    fn due(life: &mut Life, now: Moment) -> Due {
        life.due(now, 0, false, false, &rules())
    }

    #[test]
    fn a_moment_counts_round_and_round() {
        for begin in [0, YEAR, 497 * 24 * 3600, 10 * YEAR] {
            for (seconds, steps) in [(0, 0), (1, 100), (24 * 3600, 8_640_000)] {
                assert_eq!(second(begin + seconds).since(second(begin)), steps, "{begin}");
            }
            assert_eq!(second(begin).since(second(begin + 1)), 0, "{begin}");
            assert_eq!(second(begin + 1).before(100), second(begin), "{begin}");
        }
        let round = STEP * u64::from(u32::MAX);
        assert_eq!(Moment::at(round), Moment::at(0));
        assert_eq!(Moment::at(round).since(Moment::at(round - STEP)), 1);
        assert_eq!(Moment::at(0).before(1), Moment::at(round - STEP));
    }

    #[test]
    fn what_was_years_ago_is_not_taken_for_now() {
        let inactivity_max = Some(Duration::from_hours(4));
        let rules =
            Rules::new(&Limits { ping_interval: None, inactivity_max, ..Limits::default() });
        let mut life = Life::new(second(0));
        for hour in 0..3 * 365 * 24 {
            let now = second(3600 * hour);
            // it says something now and then, and hears nothing for three years
            life.heard = now;
            assert_eq!(life.due(now, 0, false, false, &rules), Due::Nothing, "{hour}");
            assert!(hour < 10_000 || now.since(life.sent) == STEPS_MAX, "{hour}");
        }
        let later = second(3 * YEAR + 4 * 3600 + 1);
        assert_eq!(life.due(later, 0, false, false, &rules), Due::Inactive);
    }

    #[test]
    fn a_silent_peer_is_pinged_then_dropped_and_any_byte_is_life() {
        let mut life = Life::new(second(0));
        assert_eq!(due(&mut life, second(19)), Due::Nothing);
        assert_eq!(due(&mut life, second(30)), Due::Ping);
        life.pinged = Some(second(30));
        assert_eq!(due(&mut life, second(50)), Due::Nothing);
        assert_eq!(due(&mut life.clone(), second(51)), Due::PongTimeout);
        life.heard = second(40);
        assert_eq!(due(&mut life, second(51)), Due::Nothing);
        assert_eq!(life.pinged, None);
    }

    #[test]
    fn intervals_differ_by_at_most_a_fifth() {
        let intervals: Vec<u32> =
            (0..1000).filter_map(|number| rules().ping_interval(number)).collect();
        assert_eq!(intervals.iter().min(), Some(&steps(Duration::from_secs(20))));
        assert_eq!(intervals.iter().max(), Some(&steps(Duration::from_secs(30))));
    }

    #[test]
    fn a_paused_connection_owes_nothing_but_a_stalled_write_counts() {
        let mut life = Life { paused: true, pinged: Some(second(1)), ..Life::new(second(0)) };
        assert_eq!(due(&mut life, second(9000)), Due::Look);
        assert_eq!(life.heard, second(9000));
        assert_eq!(life.due(second(9011), 0, false, true, &rules()), Due::WriteStall);
    }

    #[test]
    fn a_puller_may_be_busy_for_minutes() {
        let mut life = Life { pinged: Some(second(1)), ..Life::new(second(0)) };
        assert_eq!(life.due(second(500), 0, true, false, &rules()), Due::Nothing);
        assert_eq!(life.due(second(602), 0, true, false, &rules()), Due::PongTimeout);
        let mut stalled = Life::new(second(0));
        assert!(stalled.is_stalled(second(11), true, &rules()));
        assert_eq!(stalled.due(second(11), 0, true, true, &rules()), Due::Nothing);
        assert_eq!(stalled.due(second(15_000), 0, true, true, &rules()), Due::Inactive);
    }

    #[test]
    fn a_peer_that_takes_what_is_sent_is_asked_once_and_has_longer_to_answer() {
        let mut life = Life { pinged: Some(second(30)), ..Life::new(second(0)) };
        life.progress = second(45);
        assert_eq!(due(&mut life, second(60)), Due::Nothing);
        assert_eq!(due(&mut life, second(65)), Due::Nothing);
        assert_eq!(due(&mut life, second(66)), Due::PongTimeout);
    }

    #[test]
    fn idle_unfinished_and_lingering_connections_end() {
        let mut idle = Life { pinged: Some(second(1)), ..Life::new(second(0)) };
        assert_eq!(due(&mut idle, second(4 * 3600 + 1)), Due::Inactive);
        let mut unfinished = Life { unfinished: Some(second(5)), ..Life::new(second(0)) };
        assert_eq!(due(&mut unfinished, second(36)), Due::Unfinished);
        let mut lingering = Life { parted: Some(second(7)), ..Life::new(second(0)) };
        assert_eq!(due(&mut lingering, second(8)), Due::Nothing);
        assert_eq!(due(&mut lingering, second(9)), Due::LingerEnd);
    }
}
