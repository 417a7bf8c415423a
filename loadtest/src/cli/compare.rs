//! Options of the comparison of runs.

use std::path::PathBuf;

use clap::Args;

/// What is held against what.
#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// Files that --json wrote, or folders of such files: repetitions of one run
    #[arg(required = true, num_args = 2.., value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Writes it as one HTML page with plots
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
}
