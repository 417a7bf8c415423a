//! Options of the scenario whose connections break and come back.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::value::{count, duration, rate};
use super::{CommonArgs, MessageArgs};
use crate::payload::PUBLISHERS_MAX;

/// How connections end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Cut {
    /// With a reset, as when a host or a network breaks
    Reset,
    /// With a Close, as when a client is updated; each comes back when it is answered
    Close,
}

/// Subscribers that are cut at once and come back at once, on topics that are published on
#[derive(Debug, Args)]
pub(crate) struct StormArgs {
    /// Subscribers; number i is on topic i mod T
    #[arg(long, default_value_t = 1000, value_parser = count(1_000_000))]
    pub(crate) subscribers: u32,
    /// Topics, each with one publisher
    #[arg(long, value_name = "T", default_value_t = 1, value_parser = count(PUBLISHERS_MAX))]
    pub(crate) topics: u32,
    /// Messages a second in all
    #[arg(long, default_value_t = 10.0, value_parser = rate)]
    pub(crate) rate: f64,
    /// The part of the subscribers that is cut, from the first: above 0, up to 1
    #[arg(long, default_value_t = 1.0, value_parser = share)]
    pub(crate) share: f64,
    /// How they are cut
    #[arg(long, value_enum, default_value = "reset")]
    pub(crate) cut: Cut,
    /// So many a second come back; latency counts from when one was due [default: 64 at once]
    #[arg(long, value_parser = rate)]
    pub(crate) reconnect_rate: Option<f64>,
    /// How often they are cut
    #[arg(long, default_value_t = 3, value_parser = count(1000))]
    pub(crate) waves: u32,
    /// Time before, between and behind waves
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    pub(crate) pause: Duration,
    /// Who is not back by then never is
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = duration)]
    pub(crate) patience: Duration,
    /// What is sent.
    #[command(flatten)]
    pub(crate) message: MessageArgs,
    /// What every scenario has.
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

impl StormArgs {
    /// How many of so many are cut, at least one.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a part of a million"
    )]
    pub(crate) fn cut_of(&self, subscribers: usize) -> usize {
        ((self.share * subscribers as f64).round() as usize).clamp(1, subscribers)
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if share > 0.0 && share <= 1.0 => Ok(share),
        _ => Err("a share is above 0 and up to 1".to_owned()),
    }
}
