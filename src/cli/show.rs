//! What `mercury config` prints: the settings that hold, and a file of the defaults.

use crate::cli::draft::Draft;
use crate::cli::setting::{Set, Setting, Value};
use crate::cli::settings::{self, GROUPS};
use crate::cli::sources::{FILE_DEFAULT, Settled};
use crate::cli::written::AUTO;
use crate::config::{Config, Log};

/// Comments of the example are folded here.
const WIDTH: usize = 98;

/// Each setting with its value and where it has it from. It is itself a configuration file.
pub(super) fn show(settled: &Settled) -> String {
    let line = |setting: &Setting| {
        let value = (setting.value)(&settled.config, &settled.log).masked(setting.is_secret);
        match value {
            Value::Unset => format!("# {} is {value}", setting.key()),
            value => format!("{} = {value}", setting.key()),
        }
    };
    let lines: Vec<_> = settings::all().map(line).collect();
    let width = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0).min(WIDTH / 2);
    let sources = settled.sources.iter();
    let each = lines.iter().zip(sources).map(|(line, source)| format!("{line:width$}  # {source}"));
    each.collect::<Vec<_>>().join("\n") + "\n"
}

/// What is said about settings that are right.
pub(super) fn verdict(settled: &Settled) -> String {
    match &settled.file {
        Some(path) => format!("{path} is fine\n"),
        None => format!("there is no {FILE_DEFAULT}, and all else is fine\n"),
    }
}

/// A file with every key at its default, all of it comments.
pub(super) fn example() -> String {
    let mut example = "\
# The configuration of mercury: every setting, with its default. A setting is for who takes its
# comment mark away. The same names are flags, --max-message, and variables, MERCURY_MAX_MESSAGE,
# and beat what stands here.
"
    .to_owned();
    let Draft { config, log, .. } = Draft::new();
    for (heading, settings) in GROUPS {
        example.extend(["\n### ", heading, "\n"]);
        for setting in settings {
            let (words, key) = (folded(&sentence(setting)), setting.key());
            let line = match default(setting, &config, &log) {
                Value::Unset => format!("# {key} is not set"),
                value => format!("# {key} = {value}"),
            };
            example.extend(["\n", &words, &line, "\n"]);
        }
    }
    example
}

/// What a setting is for, and its default where the value does not say it.
fn sentence(setting: &Setting) -> String {
    let mut sentence = setting.help.to_owned();
    if let Some(words) = setting.default {
        sentence = format!("{sentence}. By default {words}");
    }
    if matches!(setting.set, Set::Many(_)) {
        sentence.push_str(". Several in a list");
    }
    format!("{sentence}.")
}

/// The default, uncommented the same as nothing.
fn default(setting: &Setting, config: &Config, log: &Log) -> Value {
    if setting.is_auto {
        return Value::Text(AUTO.to_owned());
    }
    (setting.value)(config, log)
}

/// A comment of as many lines as it takes.
fn folded(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last_mut().expect("it has one from the start");
        if !last.is_empty() && last.len() + word.len() >= WIDTH - 2 {
            lines.push(word.to_owned());
            continue;
        }
        if !last.is_empty() {
            last.push(' ');
        }
        last.push_str(word);
    }
    format!("# {}\n", lines.join("\n# "))
}
