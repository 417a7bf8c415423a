//! What one run leaves behind: its reports, and how and where they came about, as JSON.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::SystemTime;

use humantime::format_rfc3339_seconds;
use serde::{Deserialize, Serialize};

use super::charts::{Subject, highlights, plots};
use super::table::ABREAST_MAX;
use super::{Grid, Machine, Page, Remark, Report, Run, Summary};

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
        let grids = self.reports.chunks(ABREAST_MAX).map(Grid::of_reports);
        Page {
            title: format!("mercury-loadtest {}", self.scenario),
            remarks: self.reports.iter().flat_map(|report| self.remarks(report)).collect(),
            highlights: highlights(&subjects),
            plots: plots(&subjects),
            grids: grids
                .map(|grid| ("All figures of the measured part".to_owned(), grid))
                .collect(),
            runs: vec![Run::of("", self)],
        }
    }

    /// What is to be said of a report before its figures.
    fn remarks(&self, report: &Summary) -> Vec<Remark> {
        let name =
            if self.reports.len() > 1 { format!("{}: ", report.name) } else { String::new() };
        let mut remarks: Vec<Remark> =
            report.faults.iter().map(|fault| Remark::Bad(format!("{name}{fault}"))).collect();
        if report.ok {
            remarks.push(Remark::Good(format!("{name}{}", report.event.is_fine())));
        }
        if report.interrupted {
            remarks.push(Remark::Note(format!("{name}somebody ended it early")));
        }
        let bottleneck = report.bottleneck.sentence.iter();
        remarks.extend(bottleneck.map(|sentence| Remark::Note(format!("{name}{sentence}"))));
        remarks
    }

    /// Writes it to `path`, where `-` is standard output; the error is a sentence.
    pub(crate) fn write(&self, path: &Path) -> Result<(), String> {
        let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let mut text = serde_json::to_string(self).map_err(|error| failed(&error))?;
        text.push('\n');
        let written = if is_standard_output(path) {
            std::io::stdout().write_all(text.as_bytes())
        } else {
            fs::write(path, text)
        };
        written.map_err(|error| failed(&error))
    }
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
