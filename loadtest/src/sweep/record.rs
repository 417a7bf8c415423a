//! A sweep as a file holds it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::outcome::Outcome;
use crate::report::{Document, Machine};

/// Everything, with each run as `--json` would have written it.
#[derive(Debug, Serialize)]
pub(super) struct Record<'a> {
    /// The version of this form, and of those of the runs.
    schema: u32,
    /// When it ended, in RFC 3339.
    date: &'a str,
    /// What ran: this program's version.
    version: &'a str,
    /// Where it ran.
    machine: &'a Machine,
    /// What was typed.
    command: &'a [String],
    /// The options that were swept, and their values.
    swept: BTreeMap<&'a str, &'a [String]>,
    /// Every setting.
    settings: Vec<Setting<'a>>,
    /// The shards to choose, for each combination of what else was swept.
    choices: Vec<Chosen>,
}

/// One setting and its runs.
#[derive(Debug, Serialize)]
struct Setting<'a> {
    /// What was set to what.
    values: BTreeMap<&'a str, &'a str>,
    /// Round after round.
    runs: &'a [Document],
}

/// One choice.
#[derive(Debug, Serialize)]
struct Chosen {
    /// What else was set; empty if nothing was.
    of: String,
    /// The least shards from which on more gave nothing.
    knee: Option<u32>,
    /// The shards to take; none if this sweep does not tell.
    shards: Option<u32>,
    /// In words.
    sentence: String,
}

impl<'a> Record<'a> {
    /// What came out; `empty` says how, where and when.
    pub(super) fn of(outcome: &'a Outcome, empty: &'a Document) -> Self {
        let options = || outcome.dimensions.iter().map(|dimension| dimension.option.as_str());
        let values = outcome.dimensions.iter().map(|dimension| dimension.values.as_slice());
        let settings = outcome.cases.iter().map(|case| Setting {
            values: options().zip(case.setting.iter().map(String::as_str)).collect(),
            runs: &case.runs.0,
        });
        let choices = outcome.choices().into_iter().map(|(of, choice)| Chosen {
            of,
            knee: choice.knee,
            shards: choice.shards,
            sentence: choice.sentence,
        });
        Self {
            schema: empty.schema,
            date: &empty.date,
            version: &empty.version,
            machine: &empty.machine,
            command: &empty.command,
            swept: options().zip(values).collect(),
            settings: settings.collect(),
            choices: choices.collect(),
        }
    }
}
