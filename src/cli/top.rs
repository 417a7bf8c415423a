//! What `mercury top` and `mercury health` are told on their command line.

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::cli::Exit;
use crate::cli::written::{Source, Written};
use crate::config::{Target, Top};

/// The command for people.
pub(super) const TOP: &str = "top";
/// The command for programs.
pub(super) const HEALTH: &str = "health";
const URL: &str = "url";
const INTERVAL: &str = "interval";
const ONCE: &str = "once";

/// A command as clap reads it.
pub(super) fn health_command() -> Command {
    Command::new(HEALTH)
        .about("Say whether a broker with --admin is ready, by status 0 or 1")
        .arg(url())
}

/// The other command.
pub(super) fn command() -> Command {
    Command::new(TOP)
        .about("Show the shards, busiest topics and slowest consumers of a broker with --admin")
        .arg(url())
        .arg(option(INTERVAL, "DURATION", "1s").help("Time between two looks"))
        .arg(
            Arg::new(ONCE)
                .long(ONCE)
                .action(ArgAction::SetTrue)
                .help("Print one frame as text, after one interval"),
        )
        .after_help(
            "Keys: q, Esc and Ctrl-C quit, Tab and the arrows choose what sorts the topics.",
        )
}

fn option(name: &'static str, value: &'static str, default: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).default_value(default)
}

fn url() -> Arg {
    option(URL, "URL", "http://127.0.0.1:3001")
        .help("What the broker's --admin is; without a port it is 3001")
}

/// Whom to ask.
pub(super) fn target(arguments: &ArgMatches) -> Result<Target, Exit> {
    let url = written(arguments, URL);
    Target::parse(&url.text).map_err(|error| url.wrong(error))
}

/// What `mercury top` is told.
pub(super) fn top(arguments: &ArgMatches) -> Result<Top, Exit> {
    let interval = written(arguments, INTERVAL).duration()?;
    Ok(Top { target: target(arguments)?, interval, once: arguments.get_flag(ONCE) })
}

fn written(arguments: &ArgMatches, name: &str) -> Written {
    Written {
        source: Source::Flag(format!("--{name}")),
        text: arguments.get_one::<String>(name).cloned().unwrap_or_default(),
        is_secret: false,
    }
}
