//! What the help says about each flag beyond its sentence: its default and its variables.

use clap::Arg;
use humantime::format_duration;

use crate::cli::environment::variables;
use crate::config::Size;
use crate::limits::{Limits, SHARDS_PER_ACCEPTOR};

/// What holds for all flags.
const AFTER: &str = "\
A SIZE is 256KiB, 1MB or a number of bytes; a DURATION is 25s, 1m30s or a number of seconds;
a RATE is 100/s, 6000/m, 10/h or a number a second.
A flag beats its variables, the first variable beats the second, an empty variable is none.
MERCURY_LISTEN and MOJO_LISTEN take several addresses between commas.";

/// The command with everything that its help needs.
pub(super) fn complete(command: clap::Command) -> clap::Command {
    command.mut_subcommand("broker", |broker| broker.mut_args(explain).after_help(AFTER))
}

/// Adds what comes from the tables of limits and variables to the sentence of a flag.
fn explain(argument: Arg) -> Arg {
    let Some(flag) = argument.get_long() else { return argument };
    let Some(default) = default(flag) else { return argument };
    let sentence = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let variables = variables(flag).join(", ");
    argument.help(format!("{sentence}\n[default: {default}] [env: {variables}]"))
}

/// The default as the operator would write it; `None` for what is not a setting.
fn default(flag: &str) -> Option<String> {
    let limits = Limits::default();
    let size = |bytes| Size(bytes).to_string();
    let duration = |duration| format_duration(duration).to_string();
    let or_never = |length: Option<_>| length.map_or_else(|| "never".to_owned(), duration);
    Some(match flag {
        "listen" => super::LISTEN_DEFAULT.to_owned(),
        "mode" => "development".to_owned(),
        "backlog" => "the system's maximum".to_owned(),
        "clients" => "as many as there are descriptors".to_owned(),
        "inactivity-timeout" => or_never(limits.inactivity_max),
        "proxy" => "off".to_owned(),
        "shards" => "the cores that may be used, cgroup quota included".to_owned(),
        "pin" => "auto".to_owned(),
        "acceptors" => format!("one for {SHARDS_PER_ACCEPTOR} shards, at least one"),
        "connections-per-ip" | "accept-rate" => "no limit".to_owned(),
        "max-message" => size(limits.message_bytes_max),
        "max-body" => size(limits.body_bytes_max),
        "max-bodies" => size(limits.bodies_bytes_max),
        "max-topic" => size(limits.topic_bytes_max),
        "max-topics" => limits.topics_max.to_string(),
        "max-outbound" => size(limits.outbound_bytes_max),
        "slow-consumer" => limits.slow_consumer.to_string(),
        "memory-max" => "half of what the machine or the cgroup gives".to_owned(),
        "max-batch" => size(limits.batch_bytes_max),
        "max-backlog" => size(limits.backlog_bytes_max),
        "max-backlog-messages" => limits.backlog_messages_max.to_string(),
        "max-backlogs" => size(limits.backlogs_bytes_max),
        "write-timeout" => duration(limits.write_stall_max),
        "ping-interval" => or_never(limits.ping_interval),
        "pong-timeout" => duration(limits.pong_wait_max),
        "pull-pong-timeout" => duration(limits.pull_pong_wait_max),
        "drain-timeout" => duration(limits.drain_max),
        "log-format" => "text".to_owned(),
        "log-level" => "info".to_owned(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::options::Arguments;

    #[test]
    fn every_flag_names_its_default_and_its_variables() {
        let mut command = complete(Arguments::command());
        let broker = command.find_subcommand_mut("broker").expect("it is the one that runs");
        let help = broker.render_help().to_string();
        let flat = help.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in [
            "The original's options: -l, --listen <URL>",
            "[default: http://*:3000] [env: MERCURY_LISTEN, MOJO_LISTEN]",
            "[default: 256KiB] [env: MERCURY_MAX_MESSAGE, MOJO_MAX_WEBSOCKET_SIZE]",
            "[default: 4h] [env: MERCURY_INACTIVITY_TIMEOUT]",
            "Shards: --shards <N>",
            "Limits: --connections-per-ip <N>",
            "Timeouts: --write-timeout <DURATION>",
            "Logs: --log-format <FORMAT>",
        ] {
            assert!(flat.contains(part), "{part} is not in {help}");
        }
        let settings = broker.get_arguments().filter(|argument| argument.get_id() != "help");
        let settings = settings.count();
        assert_eq!(flat.matches("[default: ").count(), settings);
        assert_eq!(flat.matches("[env: MERCURY_").count(), settings);
    }
}
