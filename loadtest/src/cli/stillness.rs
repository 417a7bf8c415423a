//! Options of the scenario that only holds connections.

use std::time::Duration;

use clap::Args;

use super::CommonArgs;
use super::value::{count, duration, rate};

/// Subscribers that connect, hold and leave, and what each costs
#[derive(Debug, Args)]
pub(crate) struct IdleArgs {
    /// Subscribers; number i is on topic i mod T
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = count(1_000_000))]
    pub(crate) connections: u32,
    /// Topics
    #[arg(long, value_name = "T", default_value_t = 1, value_parser = count(1_000_000))]
    pub(crate) topics: u32,
    /// Connect so many a second; latency counts from when one was due [default: 64 at once]
    #[arg(long, value_parser = rate)]
    pub(crate) rate: Option<f64>,
    /// How long they are held, like 500ms or 2m
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub(crate) hold: Duration,
    /// Ping the server on each connection this often while held; at least 1ms
    #[arg(long, value_name = "TIME", value_parser = interval)]
    pub(crate) ping_every: Option<Duration>,
    /// Connections that come and leave before anything is measured
    #[arg(long, value_name = "N", default_value_t = 100)]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub(crate) warm_up_connections: u32,
    /// What every scenario has.
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

/// A time between two pings.
fn interval(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        time if time < Duration::from_millis(1) => Err("pings are 1ms apart or more".to_owned()),
        time => Ok(time),
    }
}
