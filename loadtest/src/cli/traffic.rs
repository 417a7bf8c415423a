//! Options of the scenarios that send messages all the time.

use std::time::Duration;

use clap::Args;

use super::value::{count, depth, duration, rate};
use super::{CommonArgs, MessageArgs, TimeArgs};
use crate::payload::{MESSAGES_MAX, PUBLISHERS_MAX};
use crate::scenario::Pattern;
use crate::think::Spread;
use crate::tree::Levels;

/// Client threads: more than any machine has cores.
const THREADS_MAX: usize = 1024;

/// Publishers to subscribers: /pub/T to /sub/T
#[derive(Debug, Args)]
pub(crate) struct FanoutArgs {
    /// Subscribers; number i is on topic i mod T
    #[arg(long, default_value_t = 100, value_parser = count(1_000_000))]
    pub(crate) subscribers: u32,
    /// Publishers; number i is on topic i mod T [default: 1, with --depth one for each leaf]
    #[arg(long, value_parser = count(PUBLISHERS_MAX))]
    pub(crate) publishers: Option<u32>,
    /// Levels below each topic; publishers are at the leaves, in turn
    #[arg(long, default_value_t = 0, value_parser = depth())]
    pub(crate) depth: u8,
    /// Children of every topic above the leaves
    #[arg(long, default_value_t = 2, requires = "depth", value_parser = count(1000))]
    pub(crate) branching: u32,
    /// Levels of the subscribers, in turn: all, leaf, root, or numbers such as 0,2 from the root
    #[arg(long, value_name = "LEVELS", default_value = "all", requires = "depth")]
    #[arg(value_parser = Levels::parse)]
    pub(crate) subscribers_at: Levels,
    /// How fast and how long.
    #[command(flatten)]
    pub(crate) pace: PaceArgs,
    /// What is sent.
    #[command(flatten)]
    pub(crate) message: MessageArgs,
    /// For how long.
    #[command(flatten)]
    pub(crate) time: TimeArgs,
    /// What every scenario has.
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

/// Peers among themselves: /bus/T, delivered to every other peer
#[derive(Debug, Args)]
pub(crate) struct BusArgs {
    /// Peers; number i is on topic i mod T
    #[arg(long, default_value_t = 100, value_parser = count(1_000_000))]
    pub(crate) peers: u32,
    /// How many of the peers send, from the first
    #[arg(long, default_value_t = 1, value_parser = count(PUBLISHERS_MAX))]
    pub(crate) senders: u32,
    /// How fast and how long.
    #[command(flatten)]
    pub(crate) pace: PaceArgs,
    /// What is sent.
    #[command(flatten)]
    pub(crate) message: MessageArgs,
    /// For how long.
    #[command(flatten)]
    pub(crate) time: TimeArgs,
    /// What every scenario has.
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

/// Jobs to workers: /push/T to /pull/T, each delivered exactly once
#[derive(Debug, Args)]
pub(crate) struct PushpullArgs {
    /// Pushers; number i is on topic i mod T
    #[arg(long, default_value_t = 4, value_parser = count(PUBLISHERS_MAX))]
    pub(crate) pushers: u32,
    /// Pullers; number i is on topic i mod T
    #[arg(long, default_value_t = 8, value_parser = count(1_000_000))]
    pub(crate) pullers: u32,
    /// How long a puller works on a job before it reads the next, like 500us or 20ms
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) think_time: Option<Duration>,
    /// Whether all jobs take that long, or that is their mean
    #[arg(long, value_enum, default_value_t, requires = "think_time")]
    pub(crate) think: Spread,
    /// How fast and how long.
    #[command(flatten)]
    pub(crate) pace: PaceArgs,
    /// What is sent.
    #[command(flatten)]
    pub(crate) message: MessageArgs,
    /// For how long.
    #[command(flatten)]
    pub(crate) time: TimeArgs,
    /// What every scenario has.
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

/// One message of each pair under way: the least latency that there is
#[derive(Debug, Args)]
pub(crate) struct RoundtripArgs {
    /// Who sends to whom
    #[arg(long, value_enum, default_value = "pubsub")]
    pub(crate) pattern: Pattern,
    /// Pairs, each on a topic of its own
    #[arg(long, default_value_t = 1, value_parser = count(10_000))]
    pub(crate) pairs: u32,
    /// Send exactly so many messages in all, all measured, instead of for a time
    #[arg(long, conflicts_with_all = ["seconds", "warm_up"])]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=MESSAGES_MAX))]
    pub(crate) messages: Option<u64>,
    /// What is sent.
    #[command(flatten)]
    pub(crate) message: MessageArgs,
    /// For how long.
    #[command(flatten)]
    pub(crate) time: TimeArgs,
    /// What every scenario has.
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

/// A quiet topic beside a saturated one, with the latency of each
#[derive(Debug, Args)]
pub(crate) struct MixedArgs {
    /// Subscribers of the saturated topic
    #[arg(long, default_value_t = 1000, value_parser = count(1_000_000))]
    pub(crate) subscribers: u32,
    /// Messages of the saturated topic that may be under way
    #[arg(long, default_value_t = 16, value_parser = count(1 << 20))]
    pub(crate) window: u32,
    /// Messages a second on the quiet topic
    #[arg(long, default_value_t = 200.0, value_parser = rate)]
    pub(crate) quiet_rate: f64,
    /// What is sent.
    #[command(flatten)]
    pub(crate) message: MessageArgs,
    /// For how long.
    #[command(flatten)]
    pub(crate) time: TimeArgs,
    /// What every scenario has.
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

/// How fast, how long, over how many topics.
#[derive(Debug, Args)]
pub(crate) struct PaceArgs {
    /// Topics
    #[arg(long, default_value_t = 1, value_parser = count(1_000_000))]
    pub(crate) topics: u32,
    /// Closed loop: at most this many messages of a publisher not yet delivered everywhere
    #[arg(long, default_value_t = 1, value_parser = count(1 << 20))]
    pub(crate) window: u32,
    /// Open loop: messages a second in all; latency counts from when a message was due
    #[arg(long, conflicts_with = "window", value_parser = rate)]
    pub(crate) rate: Option<f64>,
    /// Publish exactly so many messages in all, all measured, instead of for a time
    #[arg(long, conflicts_with_all = ["seconds", "warm_up"])]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=MESSAGES_MAX))]
    pub(crate) messages: Option<u64>,
    /// Client threads; topic t is thread t mod N's
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = count(THREADS_MAX))]
    pub(crate) threads: u32,
}
