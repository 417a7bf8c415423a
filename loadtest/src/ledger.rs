//! What was sent and what arrived: integrity, latency, and who may send next.

use std::ops::Range;

use crate::audience::Audience;
use crate::faults::Faults;
use crate::latencies::Latencies;
use crate::payload::{Head, Payload, Unreadable};
use crate::pings::Pings;
use crate::scenario::{Pace, Pattern, Plan};
use crate::sequence::{Arrival, Sequence};
use crate::standing::Standing;
use crate::window::Window;

/// The books of one load.
pub(crate) struct Ledger {
    /// The form of its messages.
    payload: Payload,
    /// Which sockets.
    pattern: Pattern,
    /// Text or binary.
    binary: bool,
    /// Who sends is answered.
    answers: bool,
    /// Who must hear whom.
    audience: Audience,
    /// What each publisher sent.
    windows: Vec<Window>,
    /// What each receiver has of each publisher that it hears, by their pair.
    received: Vec<Sequence>,
    /// What each receiver is; empty where all stay.
    standings: Vec<Standing>,
    /// Jobs that some puller has, by publisher; unused by the other patterns.
    jobs: Vec<Sequence>,
    /// Measured jobs of each puller; empty for the other patterns.
    pub(crate) jobs_each: Vec<u64>,
    /// Publishers whose window opened and who have not sent since.
    due: Vec<usize>,
    /// Messages sent.
    pub(crate) published: u64,
    /// First deliveries.
    pub(crate) deliveries: u64,
    /// Deliveries that are still to come.
    pub(crate) outstanding: u64,
    /// When the last one came, in ns of the load's clock.
    pub(crate) last_arrival: u64,
    /// Since when some have been outstanding, if any are.
    awaited_since: u64,
    /// Stamps of the messages whose latency counts.
    pub(crate) measured: Range<u64>,
    /// Of first deliveries.
    pub(crate) latencies: Latencies,
    /// Pings in both directions.
    pub(crate) pings: Pings,
    /// What went wrong.
    pub(crate) faults: Faults,
}

impl Ledger {
    /// Empty books.
    pub(crate) fn new(plan: &Plan) -> Self {
        let width = if let Pace::Window(width) = plan.pace { width } else { 0 };
        let audience = Audience::new(plan);
        let window = |number| Window::new(width, audience.deliveries(number), plan.quota(number));
        Self {
            payload: Payload::new(plan.tag, plan.size),
            pattern: plan.pattern,
            binary: plan.binary,
            answers: plan.answers,
            windows: (0..plan.publishers).map(window).collect(),
            received: vec![Sequence::default(); audience.pairs()],
            audience,
            standings: vec![],
            jobs: vec![Sequence::default(); plan.publishers],
            jobs_each: vec![0; if plan.pattern == Pattern::PushPull { plan.receivers } else { 0 }],
            due: Vec::new(),
            published: 0,
            deliveries: 0,
            outstanding: 0,
            last_arrival: 0,
            awaited_since: 0,
            measured: u64::MAX..u64::MAX,
            latencies: Latencies::new(),
            pings: Pings::new(plan.receivers),
            faults: Faults::default(),
        }
    }

    /// Every publisher may begin.
    pub(crate) fn start(&mut self, now: u64) {
        self.last_arrival = now;
        self.due.extend(0..self.windows.len());
    }

    /// Nobody sends any more.
    pub(crate) fn stop(&mut self) {
        self.windows.iter_mut().for_each(Window::stop);
    }

    /// All is sent that will be.
    pub(crate) fn is_complete(&self) -> bool {
        self.windows.iter().all(Window::is_complete)
    }

    /// Whether somebody's window is open.
    pub(crate) fn has_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// A publisher whose window is open.
    pub(crate) fn next_due(&mut self) -> Option<usize> {
        self.due.pop()
    }

    /// Nanoseconds until `now` in which something was to come and nothing did.
    pub(crate) fn silence(&self, now: u64) -> u64 {
        let since = self.last_arrival.max(self.awaited_since);
        if self.outstanding > 0 { now.saturating_sub(since) } else { 0 }
    }

    /// Books the messages that `publisher` sends at the time that `now` tells, and returns their
    /// numbers.
    pub(crate) fn send(&mut self, publisher: usize, now: impl FnOnce() -> u64) -> Range<u64> {
        if self.outstanding == 0 {
            self.awaited_since = now();
        }
        let window = &mut self.windows[publisher];
        let numbers = window.take();
        let count = numbers.end - numbers.start;
        self.published += count;
        self.outstanding += count * u64::from(window.deliveries());
        numbers
    }

    /// Receivers may leave and come back, in an open loop in which each hears one publisher.
    pub(crate) fn let_leave(&mut self) {
        self.standings = vec![Standing::default(); self.received.len()];
    }

    /// `receiver` is gone: what is under way to it does not have to come.
    pub(crate) fn leave(&mut self, receiver: usize) {
        let (publisher, pair) = self.heard_by(receiver);
        let window = &mut self.windows[publisher];
        let standing = &mut self.standings[receiver];
        if *standing != Standing::Away {
            window.remove_receiver();
        }
        let (to_come, lost) = standing.leave(window.sent(), &self.received[pair]);
        self.received[pair].give_up();
        self.outstanding -= to_come;
        self.faults.lost += lost;
        if lost > 0 {
            self.faults.tell(|| format!("receiver {receiver} left with {lost} messages missing"));
        }
    }

    /// `receiver` is back: what is sent from now on has to come.
    pub(crate) fn come_back(&mut self, receiver: usize) {
        let (publisher, _) = self.heard_by(receiver);
        let window = &mut self.windows[publisher];
        window.add_receiver();
        self.standings[receiver].come_back(window.sent());
    }

    /// The one publisher that `receiver` hears, and their pair.
    fn heard_by(&self, receiver: usize) -> (usize, usize) {
        let publisher = receiver % self.windows.len();
        (publisher, self.audience.pair(receiver, publisher).expect("each topic has a publisher"))
    }

    /// Writes one message over `into`.
    pub(crate) fn write(&self, head: Head, into: &mut [u8]) {
        self.payload.write(head, into);
    }

    /// Books one message that reached `receiver`; None is a connection that should get nothing.
    #[inline]
    pub(crate) fn deliver(
        &mut self,
        receiver: Option<usize>,
        payload: &[u8],
        binary: bool,
        now: u64,
    ) {
        let head = match self.payload.read(payload) {
            Ok(head) if binary == self.binary => head,
            Ok(_) | Err(Unreadable::Mangled) => {
                self.faults.mangled += 1;
                return self.faults.tell(|| format!("a message changed: {}", shown(payload)));
            }
            Err(Unreadable::Alien) if receiver.is_none() && self.answers => return,
            Err(Unreadable::Alien) => return self.alien(payload),
        };
        match receiver.and_then(|receiver| Some((receiver, self.pair(head, receiver)?))) {
            Some((receiver, pair)) => self.arrive(head, receiver, pair, now),
            None => self.alien(payload),
        }
    }

    /// The pair that a message belongs to; none if it was not sent, or not to there.
    #[inline]
    fn pair(&self, head: Head, receiver: usize) -> Option<usize> {
        let pair = self.audience.pair(receiver, head.publisher)?;
        let echo = self.pattern == Pattern::Bus && head.publisher == receiver;
        (head.sequence < self.windows[head.publisher].sent() && !echo).then_some(pair)
    }

    #[inline]
    fn arrive(&mut self, head: Head, receiver: usize, pair: usize, now: u64) {
        let sequence = &mut self.received[pair];
        if let Some(standing) = self.standings.get_mut(receiver) {
            self.outstanding += standing.begin(head.sequence, sequence);
        }
        let (arrival, in_order) = if self.pattern == Pattern::PushPull {
            let arrival = self.jobs[head.publisher].record(head.sequence);
            (arrival, arrival == Arrival::Duplicate || sequence.rises(head.sequence))
        } else {
            let arrival = sequence.record(head.sequence);
            (arrival, arrival != Arrival::Late)
        };
        if !in_order {
            self.faults.reordered += 1;
            self.faults.tell(|| format!("receiver {receiver} got {head} behind a later one"));
        }
        if arrival == Arrival::Duplicate {
            self.faults.duplicated += 1;
            return self.faults.tell(|| format!("receiver {receiver} got {head} again"));
        }
        self.deliveries += 1;
        self.outstanding -= 1;
        self.last_arrival = now;
        if self.measured.contains(&head.stamp) {
            self.latencies.record(now.saturating_sub(head.stamp));
            if let Some(jobs) = self.jobs_each.get_mut(receiver) {
                *jobs += 1;
            }
        }
        if self.windows[head.publisher].arrived(head.sequence) {
            self.due.push(head.publisher);
        }
    }

    #[cold]
    fn alien(&mut self, payload: &[u8]) {
        self.faults.alien += 1;
        self.faults.tell(|| format!("a message that was not sent there: {}", shown(payload)));
    }
}

/// The beginning of a payload, printable.
fn shown(payload: &[u8]) -> String {
    payload[..payload.len().min(40)].escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cli::ServerArgs;
    use crate::faults::EXAMPLES_MAX;
    use crate::scenario::Extent;
    use crate::source::Sources;
    use crate::tree::Tree;

    const SIZE: usize = 32;

    /// Three receivers and two publishers on one topic, four messages of each sent.
    fn ledger(pattern: Pattern) -> Ledger {
        let extent = Extent::Time { warm_up: Duration::ZERO, measured: Duration::ZERO };
        let mut ledger = Ledger::new(&Plan {
            name: "test",
            pattern,
            receivers: 3,
            publishers: 2,
            tree: Tree::flat(1),
            pace: Pace::Window(4),
            extent,
            size: SIZE,
            binary: false,
            think: None,
            tag: 9,
            pub_path: None,
            answers: false,
            server: ServerArgs::default(),
            sources: Sources::default(),
        });
        assert_eq!([ledger.send(0, || 0), ledger.send(1, || 0)], [0..4, 0..4]);
        ledger
    }

    fn deliver(ledger: &mut Ledger, receiver: usize, publisher: usize, sequence: u64) {
        let mut message = [0; SIZE];
        ledger.write(Head { publisher, sequence, stamp: 0 }, &mut message);
        ledger.deliver(Some(receiver), &message, false, 1);
    }

    /// Deliveries, outstanding, duplicated, reordered, alien.
    fn numbers(ledger: &Ledger) -> [u64; 5] {
        let faults = &ledger.faults;
        let (duplicated, reordered) = (faults.duplicated, faults.reordered);
        [ledger.deliveries, ledger.outstanding, duplicated, reordered, faults.alien]
    }

    #[test]
    fn complete_and_in_order_is_no_fault() {
        let mut ledger = ledger(Pattern::PubSub);
        for sequence in 0..4 {
            for (receiver, publisher) in [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)] {
                deliver(&mut ledger, receiver, publisher, sequence);
            }
        }
        assert_eq!(numbers(&ledger), [24, 0, 0, 0, 0]);
        assert!(ledger.faults.is_none() && ledger.has_due());
        ledger.stop();
        assert!(ledger.is_complete());
    }

    #[test]
    fn silence_begins_when_something_is_to_come() {
        let mut ledger = ledger(Pattern::PushPull);
        assert_eq!(ledger.silence(70), 70, "nothing has come yet");
        for (publisher, sequence) in [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (1, 2)] {
            deliver(&mut ledger, 0, publisher, sequence);
        }
        assert_eq!(ledger.silence(70), 69);
        deliver(&mut ledger, 0, 1, 3);
        assert_eq!(ledger.silence(70), 0, "nothing is to come");
        assert_eq!(ledger.send(0, || 60), 4..8);
        assert_eq!(ledger.silence(70), 10, "however long nobody sent");
        assert_eq!(ledger.send(1, || 65), 4..8);
        assert_eq!(ledger.silence(70), 10);
    }

    #[test]
    fn every_fault_is_counted_once() {
        let mut ledger = ledger(Pattern::PubSub);
        deliver(&mut ledger, 0, 0, 1);
        deliver(&mut ledger, 0, 0, 0);
        assert_eq!(numbers(&ledger), [2, 22, 0, 1, 0]);
        deliver(&mut ledger, 0, 0, 0);
        assert_eq!(numbers(&ledger), [2, 22, 1, 1, 0]);
        deliver(&mut ledger, 0, 0, 4);
        deliver(&mut ledger, 0, 2, 0);
        ledger.deliver(Some(0), b"hello", false, 1);
        assert_eq!(numbers(&ledger), [2, 22, 1, 1, 3], "not sent, nobody's, another's");
        let mut message = [0; SIZE];
        ledger.write(Head { publisher: 0, sequence: 2, stamp: 0 }, &mut message);
        ledger.deliver(None, &message, false, 1);
        assert_eq!(ledger.faults.alien, 4, "a publisher's socket gets nothing");
        ledger.answers = true;
        ledger.deliver(None, b"queued", false, 1);
        assert_eq!(ledger.faults.alien, 4, "an answer is none of our messages");
        ledger.deliver(None, &message, false, 1);
        ledger.deliver(Some(0), b"queued", false, 1);
        assert_eq!(ledger.faults.alien, 6);
        ledger.deliver(Some(0), &message, true, 1);
        message[SIZE - 1] ^= 1;
        ledger.deliver(Some(0), &message, false, 1);
        assert_eq!((ledger.faults.mangled, ledger.faults.examples.len()), (2, EXAMPLES_MAX));
    }

    #[test]
    fn what_was_lost_when_it_left_does_not_come_when_it_is_back() {
        let mut ledger = ledger(Pattern::PubSub);
        ledger.let_leave();
        deliver(&mut ledger, 0, 0, 1);
        ledger.leave(0);
        assert_eq!((numbers(&ledger), ledger.faults.lost), ([1, 20, 0, 0, 0], 1));
        ledger.come_back(0);
        deliver(&mut ledger, 0, 0, 0);
        assert_eq!(numbers(&ledger), [1, 20, 1, 0, 0], "nothing was to come");
    }

    #[test]
    fn a_bus_has_no_echo() {
        let mut ledger = ledger(Pattern::Bus);
        assert_eq!(ledger.outstanding, 16);
        deliver(&mut ledger, 1, 0, 0);
        deliver(&mut ledger, 0, 0, 0);
        assert_eq!(numbers(&ledger), [1, 15, 0, 0, 1]);
    }

    #[test]
    fn a_job_is_done_once_by_anybody() {
        let mut ledger = ledger(Pattern::PushPull);
        assert_eq!(ledger.outstanding, 8);
        for (receiver, sequence) in [(0, 1), (1, 0), (2, 2)] {
            deliver(&mut ledger, receiver, 0, sequence);
        }
        assert!(ledger.faults.is_none(), "pullers are not ordered among themselves");
        deliver(&mut ledger, 1, 0, 2);
        assert_eq!(numbers(&ledger), [3, 5, 1, 0, 0]);
        deliver(&mut ledger, 0, 1, 3);
        deliver(&mut ledger, 0, 1, 0);
        assert_eq!(numbers(&ledger), [5, 3, 1, 1, 0]);
    }
}
