//! The command line.

mod hostility;
mod traffic;
mod value;

use std::time::Duration;

use clap::{Args, Parser, Subcommand};

pub(crate) use self::hostility::HostileArgs;
pub(crate) use self::traffic::{BusArgs, FanoutArgs, MixedArgs, PaceArgs, PushpullArgs};
use self::value::{process, seconds, size};
use crate::connection::Target;

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
    Fanout(FanoutArgs),
    /// Peers among themselves: /bus/T, delivered to every other peer
    Bus(BusArgs),
    /// Jobs to workers: /push/T to /pull/T, each delivered exactly once
    Pushpull(PushpullArgs),
    /// A quiet topic beside a saturated one, with the latency of each
    Mixed(MixedArgs),
    /// An innocent pair beside one who floods its shard: start the broker with --shards 1
    Hostile(HostileArgs),
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
