//! Options of the scenarios that send: what a message is, and for how long they are sent.

use std::time::Duration;

use clap::Args;

use super::server::path;
use super::value::{seconds, size};

/// What is sent.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct MessageArgs {
    /// Bytes of a message
    #[arg(long, default_value_t = 128, value_parser = size)]
    pub(crate) size: usize,
    /// Binary frames instead of text
    #[arg(long)]
    pub(crate) binary: bool,
    /// Path of who sends, with {topic} for its topic, if not mercury's or the dialect's
    #[arg(long, value_name = "PATH", value_parser = path)]
    pub(crate) pub_path: Option<String>,
    /// The server answers who sends; what is no message of ours is no fault there
    #[arg(long)]
    pub(crate) answers: bool,
}

/// For how long.
#[derive(Debug, Clone, Args)]
pub(crate) struct TimeArgs {
    /// Seconds to measure
    #[arg(long, default_value = "5", value_parser = seconds)]
    pub(crate) seconds: Duration,
    /// Seconds of load before that
    #[arg(long, default_value = "1", value_parser = seconds)]
    pub(crate) warm_up: Duration,
}
