//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::connection::Target;
use crate::hostile::Flood;
use crate::payload::{HEAD_BYTES, MESSAGES_MAX, PUBLISHERS_MAX};

/// Drives a mercury broker and reports what it delivers, how fast and how reliably
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Exit status: 0 all delivered once and in order, 1 not so, 2 usage"
)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) scenario: Command,
}

/// One scenario with its options.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Publishers to subscribers: /pub/T to /sub/T
    Fanout {
        /// Subscribers; number i is on topic i mod T
        #[arg(long, default_value_t = 100, value_parser = count(1_000_000))]
        subscribers: u32,
        /// Publishers; number i is on topic i mod T
        #[arg(long, default_value_t = 1, value_parser = count(PUBLISHERS_MAX))]
        publishers: u32,
        /// How fast and how long.
        #[command(flatten)]
        pace: PaceArgs,
        /// What every scenario has.
        #[command(flatten)]
        common: CommonArgs,
    },
    /// Peers among themselves: /bus/T, delivered to every other peer
    Bus {
        /// Peers; number i is on topic i mod T
        #[arg(long, default_value_t = 100, value_parser = count(1_000_000))]
        peers: u32,
        /// How many of the peers send, from the first
        #[arg(long, default_value_t = 1, value_parser = count(PUBLISHERS_MAX))]
        senders: u32,
        /// How fast and how long.
        #[command(flatten)]
        pace: PaceArgs,
        /// What every scenario has.
        #[command(flatten)]
        common: CommonArgs,
    },
    /// Jobs to workers: /push/T to /pull/T, each delivered exactly once
    Pushpull {
        /// Pushers; number i is on topic i mod T
        #[arg(long, default_value_t = 4, value_parser = count(PUBLISHERS_MAX))]
        pushers: u32,
        /// Pullers; number i is on topic i mod T
        #[arg(long, default_value_t = 8, value_parser = count(1_000_000))]
        pullers: u32,
        /// How fast and how long.
        #[command(flatten)]
        pace: PaceArgs,
        /// What every scenario has.
        #[command(flatten)]
        common: CommonArgs,
    },
    /// A quiet topic beside a saturated one, with the latency of each
    Mixed {
        /// Subscribers of the saturated topic
        #[arg(long, default_value_t = 1000, value_parser = count(1_000_000))]
        subscribers: u32,
        /// Messages of the saturated topic that may be under way
        #[arg(long, default_value_t = 16, value_parser = count(1 << 20))]
        window: u32,
        /// Messages a second on the quiet topic
        #[arg(long, default_value_t = 200.0, value_parser = rate)]
        quiet_rate: f64,
        /// What every scenario has.
        #[command(flatten)]
        common: CommonArgs,
    },
    /// An innocent pair beside one who floods its shard: start the broker with --shards 1
    Hostile {
        /// What is flooded, in turn
        #[arg(long, value_enum, value_delimiter = ',')]
        #[arg(default_value = "pings,deaf,fragments,tiny,ignored,large,resets")]
        floods: Vec<Flood>,
        /// A quiet and a flooded measurement of each flood
        #[arg(long, default_value_t = 5, value_parser = count(1000))]
        rounds: u32,
        /// Bytes a second of the flooder; as many as it can when left out
        #[arg(long, value_parser = rate)]
        flood_rate: Option<f64>,
        /// What every scenario has.
        #[command(flatten)]
        common: CommonArgs,
    },
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
}

/// What every scenario has.
#[derive(Debug, Args)]
pub(crate) struct CommonArgs {
    /// Where the broker listens
    #[arg(long, default_value = "http://127.0.0.1:3000", value_parser = Target::parse)]
    pub(crate) url: Target,
    /// Bytes of a message
    #[arg(long, default_value_t = 128, value_parser = size)]
    pub(crate) size: usize,
    /// Binary frames instead of text
    #[arg(long)]
    pub(crate) binary: bool,
    /// Seconds to measure
    #[arg(long, default_value = "5", value_parser = seconds)]
    pub(crate) seconds: Duration,
    /// Seconds of load before that
    #[arg(long, default_value = "1", value_parser = seconds)]
    pub(crate) warm_up: Duration,
    /// One JSON line instead of the table
    #[arg(long)]
    pub(crate) json: bool,
    /// The broker's process, to measure its CPU time
    #[arg(long, value_parser = process)]
    pub(crate) pid: Option<u32>,
}

/// A number from 1 to `max`.
fn count(max: usize) -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=i64::try_from(max).unwrap_or(i64::MAX))
}

fn size(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(size) if (HEAD_BYTES..=16 << 20).contains(&size) => Ok(size),
        _ => Err(format!("a message is {HEAD_BYTES} to {} bytes", 16 << 20)),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if (0.001..=1e8).contains(&rate) => Ok(rate),
        _ => Err("a rate is 0.001 to 100000000 messages a second".to_owned()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) if (0.0..=1e6).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("a time is 0 to 1000000 seconds".to_owned()),
    }
}

fn process(text: &str) -> Result<u32, String> {
    let pid = text.parse().map_err(|_| "a process has a number".to_owned())?;
    if PathBuf::from(format!("/proc/{pid}/task")).is_dir() {
        Ok(pid)
    } else {
        Err("there is no such process".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn refuses_what_makes_no_sense() {
        for flags in [
            "fanout --window 2 --rate 5",
            "fanout --messages 5 --seconds 1",
            "fanout --size 23",
            "fanout --subscribers 0",
            "bus --rate -1",
            "mixed --messages 5",
            "pushpull --url ftp://x",
            "fanout --pid 0",
            "",
        ] {
            let words = ["loadtest"].into_iter().chain(flags.split_whitespace());
            assert!(Cli::try_parse_from(words).is_err(), "{flags}");
        }
        let words = "loadtest fanout --rate 5 --messages 10 --url ws://localhost";
        assert!(Cli::try_parse_from(words.split_whitespace()).is_ok());
    }
}
