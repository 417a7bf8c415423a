//! Options of a sweep: a scenario under several settings.

use std::path::PathBuf;

use clap::Args;
use mercury::config::Pin;

use super::broker::SHARDS_MAX;
use super::value::{count, size};
use crate::report::is_standard_output;

/// Runs of each setting: more than anybody waits for.
const ROUNDS_MAX: usize = 100;

/// Which settings, and of what.
#[derive(Debug, Args)]
pub(crate) struct SweepArgs {
    /// Shards of the spawned broker, like 1,2,4 [default: 1, 2, 4 and so on up to the cores, if
    /// nothing else is swept]
    #[arg(long, value_name = "N,...", value_delimiter = ',', value_parser = count(SHARDS_MAX))]
    pub(crate) shards: Vec<u32>,
    /// CPUs of its shards: auto, none, or lists with a plus, like auto,0+2-3
    #[arg(long, value_name = "CPUS,...", value_delimiter = ',', value_parser = pin)]
    pub(crate) pin: Vec<String>,
    /// Subscribers, or peers, or pullers, like 100,1000
    #[arg(long, value_name = "N,...", value_delimiter = ',', value_parser = count(1_000_000))]
    pub(crate) subscribers: Vec<u32>,
    /// Bytes of a message, like 128,1024
    #[arg(long, value_name = "BYTES,...", value_delimiter = ',', value_parser = size)]
    pub(crate) sizes: Vec<usize>,
    /// Runs of each setting, one round after the other; 3 or more show how far they spread
    #[arg(long, default_value_t = 5, value_parser = count(ROUNDS_MAX))]
    pub(crate) rounds: u32,
    /// Writes all runs as one JSON document; - is standard output, instead of the table
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Writes what came out as one HTML page with plots
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// The scenario and its options
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) scenario: Vec<String>,
}

impl SweepArgs {
    /// Standard output is for the JSON document.
    pub(crate) fn is_quiet(&self) -> bool {
        self.json.as_deref().is_some_and(is_standard_output)
    }
}

/// The comma is between values here, so a list has a plus in its place.
fn pin(text: &str) -> Result<String, String> {
    let list = text.replace('+', ",");
    match Pin::parse(&list) {
        Ok(_) => Ok(list),
        Err(error) => Err(format!("'{list}' {error}")),
    }
}
