//! What a broker may use, alone or together with others.

use std::sync::Arc;

use crate::limits::{BACKLOGS_TOPICS_MAX, Budget, Limits, MEMORY_RESERVE_PARTS};
use crate::memory::Meter;
use crate::metrics::{self, Counters};

/// The limits of one broker, the budgets that it shares with others, and where it counts.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// `--max-batch`.
    pub batch_bytes_max: usize,
    /// `--max-outbound`.
    pub outbound_bytes_max: usize,
    /// `--max-backlog`.
    pub backlog_bytes_max: usize,
    /// `--max-backlog-messages`.
    pub backlog_messages_max: usize,
    /// `--max-backlogs`, of all brokers together.
    pub backlogs: Arc<Budget>,
    /// What jobs take that nobody pulls, of all brokers together: those in backlogs, and those
    /// that wait for a puller's socket.
    pub hoard: Arc<Budget>,
    /// Topics with a backlog, of all brokers together.
    pub backlog_topics: Arc<Budget>,
    /// `--max-topics`, of all brokers together.
    pub topics: Arc<Budget>,
    /// Where this broker counts.
    pub counters: Arc<Counters>,
    /// `--memory-max`, of all threads together.
    pub memory: Arc<Budget>,
    /// This broker's part of it.
    pub meter: Arc<Meter>,
    /// Tells the time in microseconds, for how long a fan-out takes.
    pub clock: fn() -> u64,
}

impl Bounds {
    /// Bounds with budgets of their own.
    #[must_use]
    pub fn new(limits: &Limits, counters: Arc<Counters>) -> Self {
        let reserve = limits.memory_bytes_max / MEMORY_RESERVE_PARTS;
        let memory = Arc::new(Budget::new(limits.memory_bytes_max - reserve));
        Self {
            batch_bytes_max: limits.batch_bytes_max,
            outbound_bytes_max: limits.outbound_bytes_max,
            backlog_bytes_max: limits.backlog_bytes_max,
            backlog_messages_max: limits.backlog_messages_max,
            backlogs: Arc::new(Budget::new(limits.backlogs_bytes_max)),
            hoard: Arc::new(Budget::new(limits.hoard_bytes_max())),
            backlog_topics: Arc::new(Budget::new(BACKLOGS_TOPICS_MAX)),
            topics: Arc::new(Budget::new(limits.topics_max)),
            meter: Arc::new(Meter::new(Arc::clone(&memory), Arc::clone(&counters))),
            memory,
            counters,
            clock: metrics::microseconds,
        }
    }

    /// The same bounds and budgets for a broker that counts elsewhere.
    #[must_use]
    pub fn shared_with(&self, counters: Arc<Counters>) -> Self {
        let meter = Arc::new(Meter::new(Arc::clone(&self.memory), Arc::clone(&counters)));
        Self { counters, meter, ..self.clone() }
    }
}
