//! What one run leaves behind: its reports, and how and where they came about, as JSON.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::SystemTime;

use humantime::format_rfc3339_seconds;
use serde::{Deserialize, Serialize};

use super::{Machine, Report, Summary};

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
