//! Counters: each thread writes its own, anybody reads them all.

mod clock;
mod histogram;
mod parts;
mod pulse;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

pub use self::clock::microseconds;
pub use self::histogram::{Counted, Histogram};
pub use self::parts::{ByCode, ByPattern, PATTERNS, Part, Parts, REFUSAL_CODES_MAX};
pub use self::pulse::Pulse;
use crate::limits::SHARD_STUCK_AFTER;

/// Up to 1, 2, 4 ... 4,096 messages.
pub type BatchMessages = Histogram<0, 1, 13>;
/// Up to 16, 32, 64 ... microseconds; the last step ends at 8.4 s.
pub type FanOut = Histogram<4, 1, 20>;

/// A count with one writing thread: a load and a store, no locked instruction.
#[derive(Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds to the count. Only the thread that owns the counter may call it.
    pub fn add(&self, amount: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(amount), Relaxed);
    }

    /// Takes from a count of things that exist now. Only the owning thread may call it.
    pub fn take(&self, amount: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_sub(amount), Relaxed);
    }

    /// Sets what is no count, but a moment. Only the owning thread may call it.
    fn set(&self, value: u64) {
        self.0.store(value, Relaxed);
    }

    /// The count now, from any thread.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl fmt::Debug for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value().fmt(f)
    }
}

/// One count, for who shows them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Its name.
    pub name: &'static str,
    /// What it counts, in a sentence.
    pub help: &'static str,
    /// Whether it is what exists now, and not what happened.
    pub is_now: bool,
    /// Which part of what has this name; no other count has both.
    pub part: Part,
    /// The count.
    pub value: u64,
}

/// The counts of what exists now, which fall as well as rise.
const NOW: [&str; 5] =
    ["connections", "topics", "backlog_messages", "backlog_bytes", "memory_bytes"];

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident $(: $type:ty)?,)+) => {
        /// What one thread counts. Aligned, so that no two threads share a cache line.
        #[derive(Debug, Default)]
        #[repr(align(128))]
        pub struct Counters {
            $($(#[doc = $doc])+ pub $name: counters!(@type $($type)?),)+
            /// How many messages each batch had, or one puller's jobs of one turn.
            pub batch_messages: ByPattern<BatchMessages>,
            /// Microseconds from a batch's first message until its last receiver was given it: of
            /// all batches while they are few, of some when they are many.
            pub fan_out: ByPattern<FanOut>,
            /// What it says of its loop, if it is a shard.
            pub pulse: Pulse,
        }

        impl Counters {
            /// Every count by name, all parts of one behind each other.
            #[must_use]
            pub fn each(&self) -> Vec<Count> {
                let mut each = vec![];
                $(
                    each.extend(self.$name.parts().into_iter().map(|(part, value)| Count {
                        name: stringify!($name),
                        help: concat!($($doc,)+).trim_ascii(),
                        is_now: NOW.contains(&stringify!($name)),
                        part,
                        value,
                    }));
                )+
                each
            }
        }
    };
    (@type) => { Counter };
    (@type $type:ty) => { $type };
}

counters! {
    // What exists now.
    /// WebSocket connections that are open or closing.
    connections: ByPattern,
    /// Topics that somebody is connected to or that hold a backlog.
    topics,
    /// Jobs waiting in backlogs.
    backlog_messages,
    /// Their payload.
    backlog_bytes,
    /// What queues hold: batches, outbounds, backlogs, bodies, unfinished messages.
    memory_bytes,

    // What happened.
    /// TCP connections accepted.
    accepted,
    /// Members, publishers and pushers that joined a topic.
    joins: ByPattern,
    /// Those that left.
    leaves: ByPattern,
    /// Messages that came over connections.
    messages_in: ByPattern,
    /// Their payload.
    bytes_in: ByPattern,
    /// Messages from POSTs.
    posts_in: ByPattern,
    /// Their payload.
    post_bytes_in: ByPattern,
    /// Bytes that sockets took from us, frames of control and handshakes included.
    bytes_out: ByPattern,
    /// Messages that subscribers and pullers sent.
    messages_ignored,
    /// Batches written to one receiver, or queued for it.
    batches_out: ByPattern,
    /// Deliveries: messages in those batches, one for each receiver. What a slow consumer then
    /// loses has counters of its own, and a job that goes on to another puller counts again.
    messages_out: ByPattern,
    /// Jobs that went back to a backlog since their puller left.
    jobs_returned,
    /// Times that free memory was given back to the system.
    heap_trims,
    /// TLS handshakes that succeeded.
    tls_handshakes,
    /// Certificates that were read again and taken over.
    certificates_reloaded,

    // Where a limit bit.
    /// A message over `--max-message`: 1009.
    message_too_long,
    /// A message that did not end in time, or of too many empty fragments: 1008.
    message_unfinished,
    /// Frames that break RFC 6455: 1002.
    protocol_errors,
    /// Text that is not UTF-8: 1007.
    text_not_utf8,
    /// Receivers over `--max-outbound`, or shed for memory, whatever was done about it; until it
    /// has caught up, a receiver counts once.
    slow_consumers,
    /// Bytes that slow consumers never got.
    slow_consumer_bytes,
    /// Peers that were closed for being slow: 1013.
    slow_bus_closed,
    /// Messages that peers never got, dropped since newer ones came.
    slow_bus_dropped_oldest,
    /// Messages that peers never got, dropped since older ones waited, or for want of memory.
    slow_bus_dropped_newest,
    /// Subscribers that were closed for being slow: 1013.
    slow_pubsub_closed,
    /// Messages that subscribers never got, dropped since newer ones came.
    slow_pubsub_dropped_oldest,
    /// Messages that subscribers never got, dropped since older ones waited, or for want of memory.
    slow_pubsub_dropped_newest,
    /// Receivers shed since `--memory-max` was nearly used up.
    memory_sheds,
    /// Connections and POSTs refused since `--memory-max` was nearly used up: 503; connections
    /// closed in the middle of a message: 1013.
    memory_full,
    /// Lines about slow consumers that were not logged since there were too many.
    log_lines_withheld,
    /// Writes without progress for `--write-timeout`.
    write_stalls,
    /// Peers with too many unread pongs: 1008.
    pongs_pending,
    /// Peers that did not answer a ping.
    pong_timeouts,
    /// Connections idle for `--inactivity-timeout`: 1001.
    inactive,
    /// Times that a publisher had to wait for room in a batch or backlog.
    publisher_waits,
    /// Publishers that hung up while they waited; of POSTs, those whose connection was reset.
    publisher_hangups,
    /// POSTs over `--max-body`: 413.
    body_too_long,
    /// POSTs refused since `--max-bodies` was used up: 503.
    bodies_full,
    /// Bodies with too little progress: 408.
    body_stalls,
    /// Heads that did not come in time: 408.
    head_timeouts,
    /// Handshakes and POSTs of sites that `--allow-origin` does not list: 401.
    origin_refused,
    /// Requests without TLS to a port that speaks it: 400.
    tls_expected,
    /// TLS handshakes that did not end within `--tls-handshake-timeout`.
    tls_handshake_timeouts,
    /// TLS handshakes given up since there were more than `--tls-handshakes`.
    tls_handshakes_crowded_out,
    /// TLS handshakes that came to nothing for another reason.
    tls_handshakes_failed,
    /// Connections over TLS 1.2 that were told to come again, with another key: 1001.
    tls_keys_spent,
    /// Certificates that were not taken over, since something is wrong with their files.
    certificates_refused,
    /// Topics over `--max-topic`, or of too many segments.
    topic_too_long,
    /// Refused since `--max-topics` was used up: 503.
    topics_full,
    /// Handshakes refused since `--clients` was used up: 503.
    connections_full,
    /// Connections refused since their address has `--connections-per-ip` of them: 429.
    address_full,
    /// Connections refused since they came faster than `--accept-rate`: 503.
    accept_rate,
    /// Connections to a listener of `?proxy=1` that did not come from a trusted proxy: 403.
    proxy_untrusted,
    /// Connections to one that did not begin with a PROXY header, or with one that is wrong or too
    /// long: closed.
    proxy_header_errors,
    /// Connections refused without a word, since too many were being told why.
    refusals_unsaid,
    /// Arrivals and messages refused since a shard's inbox was full: 503.
    inbox_full,
    /// POSTs that waited in vain for room in a backlog: 503.
    backlog_full,
    /// POSTs that waited in vain for room in a batch: 503.
    batch_full,
    /// Pauses of accepting for want of descriptors.
    accept_pauses,
    /// Accepts that failed for another reason.
    accept_errors,
    /// Requests and handshakes that were refused, for whatever reason.
    refusals: ByCode,
    /// Connection tasks that panicked and were dropped alone.
    panics,
    /// Connections that an operator hung up on: 1008.
    operator_closed,

    // The drain.
    /// Data frames that came after the drain began.
    drain_ignored,
    /// Connections cut at the deadline of the drain.
    drain_cut,
    /// Outbound bytes dropped with them.
    drain_cut_bytes,
}

/// The counters of all threads.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    threads: Vec<Arc<Counters>>,
    /// How many of them are shards, the first ones.
    shards: usize,
}

impl Metrics {
    /// New counters for so many shards, and nobody else yet.
    #[must_use]
    pub fn of_shards(shards: usize) -> Self {
        let threads = (0..shards).map(|_| Arc::default()).collect();
        Self { threads, shards }
    }

    /// Those of the shards, by their numbers.
    #[must_use]
    pub fn shards(&self) -> &[Arc<Counters>] {
        &self.threads[..self.shards]
    }

    /// The shard that has not answered the clock for longest, if that is too long, and how long it
    /// is, by the latest tick in milliseconds since the broker began.
    #[must_use]
    pub fn stuck(&self, ticked: u64) -> Option<(usize, Duration)> {
        let silences = self.shards().iter().map(|shard| shard.pulse.silence(ticked)).enumerate();
        let longest = silences.max_by_key(|(_, silence)| *silence);
        longest.filter(|(_, silence)| *silence > SHARD_STUCK_AFTER)
    }

    /// New counters for one more thread.
    pub fn thread(&mut self) -> Arc<Counters> {
        let counters = Arc::new(Counters::default());
        self.threads.push(Arc::clone(&counters));
        counters
    }

    /// Every count by name, summed over the threads.
    #[must_use]
    pub fn each(&self) -> Vec<Count> {
        let mut sums = Counters::default().each();
        for thread in &self.threads {
            for (sum, count) in sums.iter_mut().zip(thread.each()) {
                sum.value = sum.value.wrapping_add(count.value);
            }
        }
        sums
    }

    /// One count, summed over its parts and the threads.
    ///
    /// ```
    /// let mut metrics = mercury::metrics::Metrics::default();
    /// metrics.thread().joins.bus.add(2);
    /// metrics.thread().joins.pubsub.add(3);
    /// assert_eq!(metrics.sum(|counters| &counters.joins), 5);
    /// ```
    pub fn sum<C: Parts>(&self, count: impl Fn(&Counters) -> &C) -> u64 {
        self.threads.iter().fold(0, |sum, thread| sum.wrapping_add(count(thread).total()))
    }
}
