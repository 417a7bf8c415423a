//! The command line.

mod broker;
mod compare;
mod hostility;
mod message;
mod server;
mod stillness;
mod sweep;
mod traffic;
mod upheaval;
mod value;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{ArgMatches, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

pub(crate) use self::broker::BrokerArgs;
pub(crate) use self::compare::CompareArgs;
pub(crate) use self::hostility::HostileArgs;
pub(crate) use self::message::{MessageArgs, TimeArgs};
pub(crate) use self::server::ServerArgs;
pub(crate) use self::stillness::IdleArgs;
pub(crate) use self::sweep::SweepArgs;
pub(crate) use self::traffic::{
    BusArgs, FanoutArgs, MixedArgs, PaceArgs, PushpullArgs, RoundtripArgs,
};
pub(crate) use self::upheaval::{Cut, StormArgs};
use crate::report::{Invocation, is_standard_output};
use crate::source::SOURCES_MAX;

/// Drives a mercury broker and reports what it delivers, how fast and how reliably
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Exit status: 0 all delivered once and in order and no connection lost, 1 not so, \
                  2 usage"
)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) task: Task,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Run a scenario once.
    #[command(flatten)]
    Run(Command),
    /// Show what --json wrote of several runs side by side, with ratios to the first
    ///
    /// Settings that differ are told above the table. Where a side is a folder, its figures are
    /// the medians of the runs in it, and a ratio within their spread is marked with ≈.
    Compare(CompareArgs),
    /// Repeat a scenario under several settings, and choose how many shards the broker should have
    ///
    /// Its own options stand before the scenario: sweep --shards 1,2,4 fanout --topics 64. Every
    /// combination of their values is run once in each round, so that a machine that slows down
    /// slows all alike.
    Sweep(SweepArgs),
}

/// What stands behind `sweep` and its options.
#[derive(Debug, Parser)]
#[command(name = "mercury-loadtest sweep", disable_version_flag = true)]
struct Scenario {
    /// Which.
    #[command(subcommand)]
    command: Command,
}

/// Reads a scenario and its options.
pub(crate) fn scenario(words: &[String]) -> Result<(Command, Invocation), clap::Error> {
    let program = "mercury-loadtest".to_owned();
    let words: Vec<String> = std::iter::once(program).chain(words.iter().cloned()).collect();
    let matches = Scenario::command().try_get_matches_from(&words)?;
    let Scenario { command } = Scenario::from_arg_matches(&matches)?;
    Ok((command, invocation(words, &matches)))
}

/// The names of a scenario's options; none if there is no such scenario.
pub(crate) fn options(scenario: &str) -> Vec<String> {
    let shape = Scenario::command();
    let options =
        shape.find_subcommand(scenario).into_iter().flat_map(clap::Command::get_arguments);
    options.map(|option| option.get_id().to_string()).collect()
}

impl Cli {
    /// Reads the command line; errors, `--help` and `--version` end the program.
    pub(crate) fn read() -> (Self, Invocation) {
        let matches = Self::command().get_matches();
        let cli = Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
        (cli, invocation(std::env::args().collect(), &matches))
    }
}

/// What `matches` were told, with the defaults of what was left out.
fn invocation(mut command: Vec<String>, matches: &ArgMatches) -> Invocation {
    let (scenario, matches) = matches.subcommand().expect("clap insists on a subcommand");
    let shape = Cli::command();
    let shape = shape.find_subcommand(scenario).expect("clap found it by this name");
    let mut parameters = BTreeMap::new();
    for option in shape.get_arguments() {
        let name = option.get_id().as_str();
        let Ok(Some(values)) = matches.try_get_raw(name) else { continue };
        let values = values.map(|value| value.to_string_lossy().into_owned()).collect();
        parameters.insert(name.to_owned(), values);
    }
    // who runs it where is nobody's business
    if let Some(program) = command.first_mut() {
        *program = Path::new(program)
            .file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    }
    Invocation { command, scenario: scenario.to_owned(), parameters }
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
    /// One message of each pair under way: the least latency that there is
    Roundtrip(RoundtripArgs),
    /// Subscribers that connect, hold and leave: memory and CPU of each, and what pings cost
    Idle(IdleArgs),
    /// Subscribers that are cut at once and come back at once, and who misses a message
    Storm(StormArgs),
    /// A quiet topic beside a saturated one, with the latency of each
    Mixed(MixedArgs),
    /// An innocent pair beside one who floods its shard; a broker that runs needs --shards 1
    Hostile(HostileArgs),
}

impl Command {
    /// Client threads.
    pub(crate) fn threads(&self) -> usize {
        match self {
            Self::Fanout(FanoutArgs { pace, .. })
            | Self::Bus(BusArgs { pace, .. })
            | Self::Pushpull(PushpullArgs { pace, .. }) => pace.threads as usize,
            Self::Roundtrip(_)
            | Self::Idle(_)
            | Self::Storm(_)
            | Self::Mixed(_)
            | Self::Hostile(_) => 1,
        }
    }

    /// What every scenario has.
    pub(crate) fn common(&self) -> &CommonArgs {
        match self {
            Self::Fanout(args) => &args.common,
            Self::Bus(args) => &args.common,
            Self::Pushpull(args) => &args.common,
            Self::Roundtrip(args) => &args.common,
            Self::Idle(args) => &args.common,
            Self::Storm(args) => &args.common,
            Self::Mixed(args) => &args.common,
            Self::Hostile(args) => &args.common,
        }
    }
}

/// What every scenario has.
#[derive(Debug, Args)]
pub(crate) struct CommonArgs {
    /// Which broker.
    #[command(flatten)]
    pub(crate) broker: BrokerArgs,
    /// Connect from 127.0.0.1 to 127.0.0.N in turn; by itself when one has too few ports
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=SOURCES_MAX))]
    pub(crate) source_addresses: Option<u8>,
    /// Writes what came out as one JSON document; - is standard output, instead of the table
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// What kind of server it is.
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// Writes what came out as one HTML page with plots
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
}

impl CommonArgs {
    /// Standard output is for the JSON document.
    pub(crate) fn is_quiet(&self) -> bool {
        self.json.as_deref().is_some_and(is_standard_output)
    }
}

#[cfg(test)]
mod tests {
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
            "idle --size 128",
            "idle --seconds 5",
            "idle --window 1",
            "idle --ping-every 1us",
            "idle --connections 0",
            "compare one.json",
            "compare",
            "storm --window 1",
            "storm --seconds 5",
            "storm --share 0",
            "storm --share 1.1",
            "sweep",
            "sweep --shards 1,2",
            "sweep --shards 0 fanout",
            "sweep --pin 0-1+x fanout",
            "sweep --rounds 101 fanout",
            "",
        ] {
            let words = ["loadtest"].into_iter().chain(flags.split_whitespace());
            assert!(Cli::try_parse_from(words).is_err(), "{flags}");
        }
        let words = "loadtest fanout --rate 5 --messages 10 --url ws://localhost";
        assert!(Cli::try_parse_from(words.split_whitespace()).is_ok());
    }

    #[test]
    fn knows_what_was_left_out() {
        let words = ["loadtest", "fanout", "--topics", "3", "--binary"];
        let matches = Cli::command().try_get_matches_from(words).unwrap();
        let invocation = invocation(words.map(str::to_owned).into(), &matches);
        let value = |name: &str| invocation.parameters.get(name).map(|values| values.join(","));
        assert_eq!(invocation.scenario, "fanout");
        assert_eq!(value("topics").as_deref(), Some("3"));
        assert_eq!(value("binary").as_deref(), Some("true"));
        assert_eq!(value("size").as_deref(), Some("128"));
        assert_eq!(value("rate"), None);
    }
}
