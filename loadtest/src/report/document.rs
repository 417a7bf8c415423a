//! What one run leaves behind: its reports, and how and where they came about, as JSON.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::SystemTime;

use humantime::format_rfc3339_seconds;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::error::Category;

use super::charts::{Subject, highlights, plots};
use super::table::ABREAST_MAX;
use super::{Grid, Machine, Page, Report, Run, Summary};

/// Of the JSON document; it rises when a field changes its meaning or goes.
const SCHEMA: u32 = 1;

/// One run of the load tester.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Document {
    /// The version of this form.
    pub(crate) schema: u32,
    /// When it ended, in RFC 3339.
    pub(crate) date: String,
    /// What ran: this program's version.
    pub(crate) version: String,
    /// Where it ran.
    pub(crate) machine: Machine,
    /// What was typed.
    pub(crate) command: Vec<String>,
    /// The subcommand.
    pub(crate) scenario: String,
    /// Its options by name, with those that were left out.
    pub(crate) parameters: BTreeMap<String, Vec<String>>,
    /// What came out, a load each.
    pub(crate) reports: Vec<Summary>,
}

impl Document {
    /// A run that ended just now.
    pub(crate) fn new(invocation: Invocation, reports: &[Report]) -> Self {
        let Invocation { command, scenario, parameters } = invocation;
        Self {
            schema: SCHEMA,
            date: format_rfc3339_seconds(SystemTime::now()).to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            machine: Machine::this(),
            command,
            scenario,
            parameters,
            reports: reports.iter().map(Report::summary).collect(),
        }
    }

    /// What was typed, as a shell takes it.
    pub(crate) fn command_line(&self) -> String {
        self.command.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
    }

    /// Everything on one page.
    pub(crate) fn page(&self) -> Page {
        let subjects =
            self.reports.iter().map(|report| Subject { name: report.name.clone(), report });
        let subjects: Vec<Subject<'_>> = subjects.collect();
        let is_one = self.reports.len() == 1;
        let remarks = |report: &Summary| report.remarks(if is_one { "" } else { &report.name });
        let grids = self.reports.chunks(ABREAST_MAX).map(Grid::of_reports);
        Page {
            title: format!("mercury-loadtest {}", self.scenario),
            remarks: self.reports.iter().flat_map(remarks).collect(),
            highlights: highlights(&subjects),
            plots: plots(&subjects),
            grids: grids
                .map(|grid| ("All figures of the measured part".to_owned(), grid))
                .collect(),
            runs: vec![Run::of("", self)],
        }
    }

    /// What `--json` wrote to `path`; the error is a sentence.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        /// Who writes it says this first.
        #[derive(Deserialize)]
        struct Head {
            /// The version of its form.
            schema: u32,
            /// What a sweep varied.
            swept: Option<IgnoredAny>,
        }

        let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
        let foreign = |error: serde_json::Error| match error.classify() {
            Category::Data => format!("not a report that --json wrote: {error}"),
            _ => format!("not JSON: {error}"),
        };
        let Head { schema, swept } = serde_json::from_str(&text).map_err(foreign)?;
        if schema != SCHEMA {
            return Err(format!("its form has number {schema}, and this program reads {SCHEMA}"));
        }
        if swept.is_some() {
            return Err("it is of a whole sweep, which compares by itself".to_owned());
        }
        let document: Self = serde_json::from_str(&text).map_err(foreign)?;
        if document.reports.is_empty() {
            return Err("there is no report in it".to_owned());
        }
        Ok(document)
    }
}

/// Writes what is kept to `path` as one line of JSON, where `-` is standard output; the error is a
/// sentence.
pub(crate) fn write(kept: &impl Serialize, path: &Path) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let mut text = serde_json::to_string(kept).map_err(|error| failed(&error))?;
    text.push('\n');
    let written = if is_standard_output(path) {
        std::io::stdout().write_all(text.as_bytes())
    } else {
        fs::write(path, text)
    };
    written.map_err(|error| failed(&error))
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || "-_./:=,@%+".contains(character);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// What was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Invocation {
    /// What was typed.
    pub(crate) command: Vec<String>,
    /// The subcommand.
    pub(crate) scenario: String,
    /// Its options by name.
    pub(crate) parameters: BTreeMap<String, Vec<String>>,
}

/// Whether a path means standard output.
pub(crate) fn is_standard_output(path: &Path) -> bool {
    path == Path::new("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_takes_what_was_typed() {
        let quoted = ["a-b", "", "it's", "$x", "http://[::1]:3000"].map(quoted);
        assert_eq!(quoted, ["a-b", "''", "'it'\\''s'", "'$x'", "'http://[::1]:3000'"]);
    }
}
