//! Pings in both directions: the server's, which are answered, and ours, which it has to answer.

use hdrhistogram::Histogram;

use crate::latencies;

/// The pings of one load.
#[derive(Debug, Clone)]
pub(crate) struct Pings {
    /// Pings of the server.
    pub(crate) seen: u64,
    /// Pings of ours.
    pub(crate) sent: u64,
    /// Pongs that answered one of ours.
    pub(crate) answered: u64,
    /// Nanoseconds from when a ping of ours was due to its pong.
    pub(crate) latency: Histogram<u64>,
    /// What is not answered yet of each connection.
    unanswered: Vec<Unanswered>,
}

/// The stamps of one connection's pings; no stamp is 0.
#[derive(Debug, Clone, Copy, Default)]
struct Unanswered {
    /// Of the latest ping.
    sent: u64,
    /// Of the latest ping that was answered.
    answered: u64,
}

impl Pings {
    /// Of so many connections.
    pub(crate) fn new(connections: usize) -> Self {
        Self {
            seen: 0,
            sent: 0,
            answered: 0,
            latency: latencies::empty(),
            unanswered: vec![Unanswered::default(); connections],
        }
    }

    /// The payload of a ping to connection `number` that was due at `stamp`.
    pub(crate) fn send(&mut self, number: usize, stamp: u64) -> [u8; 8] {
        // Later than the one before, so that their pongs differ.
        let stamp = stamp.max(self.unanswered[number].sent + 1);
        self.unanswered[number].sent = stamp;
        self.sent += 1;
        stamp.to_be_bytes()
    }

    /// A pong on connection `number`, if it has one. It answers earlier pings, too; one that
    /// answers none is no fault (RFC 6455 5.5.3).
    pub(crate) fn pong(&mut self, number: Option<usize>, payload: &[u8], now: u64) {
        let Some(unanswered) = number.and_then(|number| self.unanswered.get_mut(number)) else {
            return;
        };
        let Ok(stamp) = payload.try_into().map(u64::from_be_bytes) else { return };
        if stamp > unanswered.answered && stamp <= unanswered.sent {
            unanswered.answered = stamp;
            self.answered += 1;
            self.latency.saturating_record(now.saturating_sub(stamp));
        }
    }

    /// Connections whose latest ping has no answer.
    pub(crate) fn missing(&self) -> usize {
        self.unanswered.iter().filter(|pings| pings.answered < pings.sent).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pong_answers_its_ping() {
        let mut pings = Pings::new(2);
        let payload = pings.send(1, 500);
        assert_eq!((pings.sent, pings.missing()), (1, 1));
        pings.pong(Some(0), &payload, 900);
        assert_eq!((pings.answered, pings.missing()), (0, 1), "another connection's");
        pings.pong(Some(1), &payload, 1500);
        assert_eq!((pings.answered, pings.missing(), pings.latency.max()), (1, 0, 1000));
        pings.pong(Some(1), &payload, 1600);
        assert_eq!(pings.answered, 1, "once is enough");
    }

    #[test]
    fn the_latest_pong_answers_all() {
        let mut pings = Pings::new(1);
        let first = pings.send(0, 7);
        let last = pings.send(0, 7);
        assert_ne!(first, last);
        pings.pong(Some(0), &last, 9);
        assert_eq!((pings.sent, pings.answered, pings.missing()), (2, 1, 0));
        pings.pong(Some(0), &first, 9);
        assert_eq!(pings.answered, 1);
    }

    #[test]
    fn what_we_did_not_ask_for_answers_nothing() {
        let mut pings = Pings::new(1);
        pings.send(0, 7);
        for payload in [&b""[..], b"8 bytes!", b"12345678901234567890"] {
            pings.pong(Some(0), payload, 9);
        }
        assert_eq!((pings.answered, pings.missing()), (0, 1));
    }
}
