//! The command line as clap reads it, made from the table of settings: texts only, since the
//! environment and the file are read by the same rules.

use clap::builder::Str;
use clap::{Arg, ArgAction, Command};

use crate::cli::draft::Draft;
use crate::cli::environment::{variable, variables};
use crate::cli::setting::{Set, Setting};
use crate::cli::settings::GROUPS;
use crate::cli::sources::{FILE_DEFAULT, FILE_FLAG};
use crate::cli::{terminal, top};
use crate::config::Route;

/// The command that runs a broker.
const BROKER: &str = "broker";
/// The command that is about settings, and what it can be asked for.
pub(super) const CONFIG: &str = "config";
/// Whether the settings are right.
pub(super) const CHECK: &str = "check";
/// What they are.
pub(super) const SHOW: &str = "show";
/// What the original's are here.
pub(super) const IMPORT: &str = "import";
/// The file that [`IMPORT`] reads.
pub(super) const IMPORTED: &str = "file";
/// What they could be.
pub(super) const EXAMPLE: &str = "example";

/// What a client was told.
pub(super) const EXPLAIN: &str = "explain";
/// The word that [`EXPLAIN`] looks up.
pub(super) const CODE: &str = "code";

/// What holds for all flags.
const AFTER: &str = "\
A SIZE is 256KiB, 1MB or a number of bytes; a DURATION is 25s, 1m30s or a number of seconds;
a RATE is 100/s, 6000/m, 10/h or a number a second.
A flag beats its variables, the first variable beats the second, an empty variable is none, and all
of them beat the configuration file, whose keys are the flags' names with underscores: max_message.
A variable takes several values between commas, the file as a list.";

/// The socket that a command is for.
pub(super) fn route(word: &str) -> Option<Route> {
    terminal::ROUTES.into_iter().find(|route| route.name() == word)
}

/// Whose help tells more to who typed these words.
pub(super) fn page<'a>(mut words: impl Iterator<Item = &'a str>) -> &'static str {
    match (words.next(), words.next()) {
        // the flags of the others are the broker's
        (Some(CONFIG), Some(IMPORT)) => CONFIG,
        (Some(top::TOP), _) => top::TOP,
        (Some(top::HEALTH), _) => top::HEALTH,
        (Some(word), _) => route(word).map_or(BROKER, Route::name),
        (None, _) => BROKER,
    }
}

/// Everything that `mercury` understands.
pub(super) fn command() -> Command {
    let flags = flags();
    let broker = Command::new(BROKER).about("Run the broker until SIGTERM or SIGINT");
    let broker = with_flags(broker.after_help(AFTER), flags.clone());
    Command::new("mercury")
        .about("A WebSocket message broker: the URL is the protocol")
        .version(env!("CARGO_PKG_VERSION"))
        .max_term_width(100)
        .subcommand(broker)
        .subcommand(config(&flags))
        .subcommand(
            Command::new(EXPLAIN)
                .about("Say what the code of a refusal or a close means, and what helps")
                .after_help("Without a code: lists all. A status or close code lists its own.")
                .arg(Arg::new(CODE).value_name("CODE")),
        )
        .subcommands(terminal::ROUTES.map(terminal::command))
        .subcommand(top::command())
        .subcommand(top::health_command())
        .subcommand(Command::new("version").about("Print the version"))
}

/// What can be asked about the settings; those that look at them take the broker's flags too.
fn config(flags: &[Arg]) -> Command {
    let about = |name: &'static str, about: &'static str| Command::new(name).about(about);
    let looks = |command| {
        let hidden = with_flags(command, flags.to_vec()).mut_args(|flag| flag.hide(true));
        hidden.after_help("Takes the flags of mercury broker: see mercury help broker.")
    };
    Command::new(CONFIG)
        .about("Check or show the settings")
        .subcommand(looks(about(CHECK, "Say whether a broker would start with these settings")))
        .subcommand(looks(about(SHOW, "Print each setting, its value and where that comes from")))
        .subcommand(
            about(IMPORT, "Print a configuration file made from a mercury.conf of the Perl broker")
                .arg(Arg::new(IMPORTED).value_name("FILE").required(true)),
        )
        .subcommand(about(EXAMPLE, "Print a configuration file with every key and its default"))
}

/// The flags of all settings, and the one that names a file with others.
fn flags() -> Vec<Arg> {
    let Draft { config, log, .. } = Draft::new();
    let flag = |heading: &'static str, setting: &Setting| {
        let value = || (setting.value)(&config, &log).words();
        flag(setting, &setting.default.map_or_else(value, str::to_owned)).help_heading(heading)
    };
    let groups = GROUPS.iter();
    let flags = groups.flat_map(|(heading, settings)| settings.iter().map(|it| flag(heading, it)));
    let mut flags: Vec<_> = flags.collect();
    let help = format!(
        "Where settings stand that neither flag nor variable names\n[default: {FILE_DEFAULT}, if \
         it is there] [env: {}]",
        variable(FILE_FLAG)
    );
    let file = Arg::new(FILE_FLAG).long(FILE_FLAG).value_name("FILE").help(help);
    flags.push(file.help_heading("Configuration"));
    flags
}

fn with_flags(command: Command, flags: Vec<Arg>) -> Command {
    command.allow_negative_numbers(true).args_override_self(true).args(flags)
}

/// The flag of a setting.
fn flag(setting: &Setting, default: &str) -> Arg {
    let variables = variables(setting).join(", ");
    let help = format!("{}\n[default: {default}] [env: {variables}]", setting.help);
    let flag = Arg::new(setting.name).long(setting.name).help(help);
    let flag = match setting.short {
        Some(letter) => flag.short(letter),
        None => flag,
    };
    let kind = Str::from(setting.kind);
    match setting.set {
        Set::One(_) => flag.value_name(kind).action(ArgAction::Set),
        Set::Many(_) => flag.value_name(kind).action(ArgAction::Append),
        Set::Switch(_) => flag.action(ArgAction::SetTrue),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_names_its_default_and_its_variables() {
        let mut command = command();
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
            "Configuration: --config <FILE>",
        ] {
            assert!(flat.contains(part), "{part} is not in {help}");
        }
        let settings = broker.get_arguments().filter(|argument| argument.get_id() != "help");
        let settings = settings.count();
        assert_eq!(flat.matches("[default: ").count(), settings);
        assert_eq!(flat.matches("[env: MERCURY_").count(), settings);
    }
}
