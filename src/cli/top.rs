//! What `mercury top` is told on its command line.

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::cli::Exit;
use crate::cli::written::{Source, Written};
use crate::config::{Target, Top};

/// The command.
pub(super) const TOP: &str = "top";
const URL: &str = "url";
const INTERVAL: &str = "interval";
const ONCE: &str = "once";

/// The command as clap reads it.
pub(super) fn command() -> Command {
    let option = |name: &'static str, value: &'static str, default: &'static str| {
        Arg::new(name).long(name).value_name(value).default_value(default)
    };
    Command::new(TOP)
        .about("Show the shards, busiest topics and slowest consumers of a broker with --admin")
        .arg(
            option(URL, "URL", "http://127.0.0.1:3001")
                .help("What the broker's --admin is; without a port it is 3001"),
        )
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

/// What it is told.
pub(super) fn top(arguments: &ArgMatches) -> Result<Top, Exit> {
    let written = |name: &str| Written {
        source: Source::Flag(format!("--{name}")),
        text: arguments.get_one::<String>(name).cloned().unwrap_or_default(),
        is_secret: false,
    };
    let url = written(URL);
    let target = Target::parse(&url.text).map_err(|error| url.wrong(error))?;
    let interval = written(INTERVAL).duration()?;
    Ok(Top { target, interval, once: arguments.get_flag(ONCE) })
}
