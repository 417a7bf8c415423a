//! Where arrivals land: one bounded inbox per shard, and the way into each of them.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Weak};

use ahash::RandomState;
use crossbeam_channel::{Receiver, Sender, TrySendError};
use tokio::sync::Notify;

use super::Arrival;
use crate::broker::Pattern;
use crate::broker::topic::Topic;
use crate::limits::{INBOX_BYTES_MAX, INBOX_ENTRIES_MAX};

/// The way to every shard.
#[derive(Debug, Clone)]
pub(crate) struct Router {
    keys: RandomState,
    shards: Arc<[Entrance]>,
}

/// The sending side of one shard's inbox.
#[derive(Debug)]
struct Entrance {
    sender: Sender<Arrival>,
    gate: Arc<Gate>,
}

/// What both sides of an inbox share.
#[derive(Debug, Default)]
struct Gate {
    /// Whether somebody already woke the shard since it last looked.
    woken: AtomicBool,
    /// Wakes the shard's inbox task.
    notify: Notify,
    /// Bodies in the inbox, bytes.
    bytes: AtomicUsize,
}

/// The receiving side, owned by its shard.
#[derive(Debug)]
pub(crate) struct Inbox {
    receiver: Receiver<Arrival>,
    gate: Arc<Gate>,
}

/// How full all inboxes are, for who looks at them without keeping them open.
#[derive(Debug, Clone)]
pub(crate) struct Inboxes {
    shards: Weak<[Entrance]>,
    count: usize,
}

/// How full one is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Fill {
    /// Arrivals.
    pub(crate) entries: usize,
    /// Their bodies.
    pub(crate) bytes: usize,
}

/// The inbox is full; here is the arrival back.
#[derive(Debug)]
pub(crate) struct InboxFull(pub(crate) Arrival);

impl Router {
    /// The ways into `shards` new inboxes. Keys are random per process: a fixed seed would let a
    /// stranger aim all topics at one core.
    pub(crate) fn new(shards: usize) -> (Self, Vec<Inbox>) {
        let (entrances, inboxes): (Vec<_>, Vec<_>) = (0..shards).map(|_| inbox()).unzip();
        (Self { keys: RandomState::new(), shards: entrances.into() }, inboxes)
    }

    /// A look at the inboxes, which holds up no shard that waits for their last sender to go.
    pub(crate) fn inboxes(&self) -> Inboxes {
        Inboxes { shards: Arc::downgrade(&self.shards), count: self.shards.len() }
    }

    /// How many shards there are.
    pub(crate) fn shards(&self) -> usize {
        self.shards.len()
    }

    /// The home shard: by pattern and root for pub/sub, so that a tree is never split; by pattern
    /// and whole name for the others.
    pub(crate) fn home(&self, pattern: Pattern, topic: &Topic) -> usize {
        let mut hasher = self.keys.build_hasher();
        pattern.hash(&mut hasher);
        match pattern {
            Pattern::PubSub => topic.root().hash(&mut hasher),
            Pattern::Bus | Pattern::PushPull => topic.name().hash(&mut hasher),
        }
        let shards = self.shards.len() as u128;
        let scaled = (u128::from(hasher.finish()) * shards) >> 64;
        usize::try_from(scaled).expect("less than the number of shards")
    }

    /// Puts an arrival into a shard's inbox and wakes the shard if it sleeps. Never blocks.
    pub(crate) fn send(&self, shard: usize, arrival: Arrival) -> Result<(), InboxFull> {
        let Entrance { sender, gate } = &self.shards[shard];
        let bytes = arrival.bytes();
        let before = gate.bytes.fetch_add(bytes, Ordering::Relaxed);
        if before > 0 && before.saturating_add(bytes) > INBOX_BYTES_MAX {
            gate.bytes.fetch_sub(bytes, Ordering::Relaxed);
            return Err(InboxFull(arrival));
        }
        match sender.try_send(arrival) {
            Ok(()) => {
                gate.wake();
                Ok(())
            }
            Err(TrySendError::Full(arrival) | TrySendError::Disconnected(arrival)) => {
                gate.bytes.fetch_sub(bytes, Ordering::Relaxed);
                Err(InboxFull(arrival))
            }
        }
    }
}

impl Inboxes {
    /// How full each is now; empty once nobody can send any more.
    pub(crate) fn fill(&self) -> Vec<Fill> {
        let Some(shards) = self.shards.upgrade() else { return vec![Fill::default(); self.count] };
        let fill = |Entrance { sender, gate }: &Entrance| Fill {
            entries: sender.len(),
            bytes: gate.bytes.load(Ordering::Relaxed),
        };
        shards.iter().map(fill).collect()
    }
}

fn inbox() -> (Entrance, Inbox) {
    let (sender, receiver) = crossbeam_channel::bounded(INBOX_ENTRIES_MAX);
    let gate = Arc::new(Gate::default());
    (Entrance { sender, gate: Arc::clone(&gate) }, Inbox { receiver, gate })
}

impl Gate {
    fn wake(&self) {
        if !self.woken.swap(true, Ordering::AcqRel) {
            self.notify.notify_one();
        }
    }
}

impl Inbox {
    /// Waits until something may have arrived. Resets the flag before the caller looks: by a
    /// swap, which sees every arrival sent before it; after a plain store a wake-up could be lost.
    pub(crate) async fn arrived(&self) {
        self.gate.notify.notified().await;
        self.gate.woken.swap(false, Ordering::AcqRel);
    }

    /// Whether nobody can send any more; what was sent before can still be taken.
    pub(crate) fn is_abandoned(&self) -> bool {
        let abandoned = Arc::strong_count(&self.gate) == 1;
        // what the senders did before they went is seen from here on
        fence(Ordering::Acquire);
        abandoned
    }

    /// The next arrival, if there is one.
    pub(crate) fn next(&self) -> Option<Arrival> {
        let arrival = self.receiver.try_recv().ok()?;
        self.gate.bytes.fetch_sub(arrival.bytes(), Ordering::Relaxed);
        Some(arrival)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::TOPIC_BYTES_MAX;

    const SHARDS: usize = 4;
    const NAMES: usize = 100_000;
    const PATTERNS: [Pattern; 3] = [Pattern::Bus, Pattern::PubSub, Pattern::PushPull];

    fn topic(name: &str) -> Topic {
        Topic::parse(name, TOPIC_BYTES_MAX).expect("a valid name")
    }

    /// How many of the topics live on each shard.
    fn spread(router: &Router, pattern: Pattern, topics: &[Topic]) -> [usize; SHARDS] {
        let mut shards = [0; SHARDS];
        for topic in topics {
            shards[router.home(pattern, topic)] += 1;
        }
        shards
    }

    fn is_even(shards: &[usize; SHARDS]) -> bool {
        let mean = shards.iter().sum::<usize>() / SHARDS;
        shards.iter().all(|count| count.abs_diff(mean) <= mean / 10)
    }

    #[test]
    fn names_that_look_alike_are_spread_evenly() {
        let families: [fn(usize) -> String; 5] = [
            |number| number.to_string(),
            |number| format!("{}{number}", "a".repeat(200)),
            |number| format!("{number:0>8}{}", "a".repeat(200)),
            |number| format!("{number:b}"),
            |number| format!("{}/x", number * 4096),
        ];
        let router = Router::new(SHARDS).0;
        for name in families {
            let topics: Vec<_> = (0..NAMES).map(|number| topic(&name(number))).collect();
            for pattern in PATTERNS {
                let shards = spread(&router, pattern, &topics);
                assert!(is_even(&shards), "{} on {pattern:?}: {shards:?}", name(1));
            }
        }
    }

    #[test]
    fn a_root_is_spread_on_the_bus_and_among_jobs_and_a_whole_in_pub_sub() {
        let topics: Vec<_> = (0..NAMES).map(|tail| topic(&format!("root/{tail}"))).collect();
        let router = Router::new(SHARDS).0;
        assert!(is_even(&spread(&router, Pattern::Bus, &topics)));
        assert!(is_even(&spread(&router, Pattern::PushPull, &topics)));
        assert!(spread(&router, Pattern::PubSub, &topics).contains(&NAMES));
    }

    #[test]
    fn names_aimed_at_a_shard_of_one_start_miss_it_in_the_next() {
        let (first, second) = (Router::new(SHARDS).0, Router::new(SHARDS).0);
        for pattern in PATTERNS {
            let mut aimed: Vec<_> = (0..NAMES).map(|number| topic(&number.to_string())).collect();
            aimed.retain(|topic| first.home(pattern, topic) == 0);
            let shards = spread(&second, pattern, &aimed);
            assert!(is_even(&shards), "{pattern:?}: {shards:?}");
        }
    }
}
