//! Which of our messages are known to have arrived.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::Duration;

use tokio::time::Instant;

use crate::limits::DRAIN_MAX;

/// How finely that is looked at.
const GRAIN: Duration = Duration::from_millis(100);

/// What was sent, and what the broker has answered. A broker answers a ping once it has done with
/// all that came before it, so a ping that carries a number confirms as many messages.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Written to a connection.
    sent: u64,
    /// Of those, the first that the broker had done with.
    confirmed: u64,
    /// What was done with before this connection.
    began: u64,
    /// When how many were.
    past: VecDeque<(Instant, u64)>,
    /// A ping is under way.
    is_asked: bool,
    /// How many may not have arrived, over all connections.
    doubtful: u64,
}

impl Ledger {
    /// One more is on its way.
    pub(super) fn send(&mut self) {
        self.sent += 1;
    }

    /// How many have been written.
    pub(super) const fn sent(&self) -> u64 {
        self.sent
    }

    /// What to ask the broker: the payload of a ping, if one is due.
    pub(super) fn ask(&mut self) -> Option<[u8; 8]> {
        let is_due = !self.is_asked && self.sent > self.confirmed;
        self.is_asked |= is_due;
        is_due.then(|| self.sent.to_be_bytes())
    }

    /// The broker answered this.
    pub(super) fn hear(&mut self, pong: &[u8], now: Instant) {
        let Ok(number) = pong.try_into().map(u64::from_be_bytes) else { return };
        if number <= self.sent && number >= self.confirmed {
            (self.confirmed, self.is_asked) = (number, false);
            if self.past.back().is_none_or(|(then, _)| now - *then >= GRAIN) {
                self.past.push_back((now, number));
            }
            // A broker that stops ignores what comes while it does, and answers all the same, by
            // default for so long: the youngest of those that are old enough stays.
            while self.past.get(1).is_some_and(|(then, _)| now - *then >= DRAIN_MAX) {
                self.past.pop_front();
            }
        }
    }

    /// The broker has answered our Close: it has done with all.
    pub(super) fn settle(&mut self) {
        self.confirmed = self.sent;
        self.part(None);
    }

    /// The connection is gone, `drained` says when, if the broker itself was about to stop. The
    /// messages that may not have arrived, counted from 1.
    pub(super) fn part(&mut self, drained: Option<Instant>) -> Option<RangeInclusive<u64>> {
        if let Some(now) = drained {
            let old = self.past.iter().rev().find(|(then, _)| now - *then >= DRAIN_MAX);
            self.confirmed = old.map_or(self.began, |(_, number)| *number);
        }
        let (first, last) = (self.confirmed + 1, self.sent);
        self.confirmed = self.sent;
        self.is_asked = false;
        self.began = self.sent;
        self.past.clear();
        self.doubtful += last + 1 - first;
        (first <= last).then_some(first..=last)
    }

    /// How many may not have arrived.
    pub(super) const fn doubtful(&self) -> u64 {
        self.doubtful
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(ledger: &mut Ledger, count: u64) {
        (0..count).for_each(|_| ledger.send());
    }

    #[test]
    fn what_a_pong_confirms_has_arrived() {
        let (mut ledger, now) = (Ledger::default(), Instant::now());
        assert_eq!(ledger.ask(), None);
        sent(&mut ledger, 3);
        let ping = ledger.ask().unwrap();
        sent(&mut ledger, 2);
        assert_eq!(ledger.ask(), None);
        ledger.hear(&ping, now);
        assert_eq!(ledger.part(None), Some(4..=5));
        sent(&mut ledger, 1);
        // of the connection before
        ledger.hear(&ping, now);
        assert_eq!(ledger.part(None), Some(6..=6));
        assert_eq!((ledger.part(None), ledger.doubtful(), ledger.sent()), (None, 3, 6));
    }

    #[test]
    fn pongs_that_nobody_asked_for_confirm_nothing() {
        let (mut ledger, now) = (Ledger::default(), Instant::now());
        sent(&mut ledger, 2);
        ledger.hear(b"", now);
        ledger.hear(&9_u64.to_be_bytes(), now);
        assert_eq!(ledger.part(None), Some(1..=2));
    }

    #[test]
    fn a_broker_that_stops_may_have_ignored_what_it_answered() {
        let (mut ledger, start) = (Ledger::default(), Instant::now());
        for second in 0..=9 {
            sent(&mut ledger, 1);
            let ping = ledger.ask().unwrap();
            ledger.hear(&ping, start + Duration::from_secs(second));
        }
        assert_eq!(ledger.part(Some(start + Duration::from_secs(9))), Some(6..=10));
        // all of a connection that was shorter than that
        sent(&mut ledger, 2);
        let ping = ledger.ask().unwrap();
        ledger.hear(&ping, Instant::now());
        assert_eq!(ledger.part(Some(Instant::now())), Some(11..=12));
    }

    #[test]
    fn a_close_that_was_answered_settles_all() {
        let mut ledger = Ledger::default();
        sent(&mut ledger, 2);
        ledger.settle();
        assert_eq!((ledger.part(None), ledger.doubtful()), (None, 0));
    }
}
