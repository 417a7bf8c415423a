//! Options of the scenario that floods.

use clap::Args;

use super::value::{count, rate};
use super::{CommonArgs, MessageArgs, TimeArgs};
use crate::hostile::Flood;

/// An innocent pair beside one who floods its shard: start the broker with --shards 1
#[derive(Debug, Args)]
pub(crate) struct HostileArgs {
    /// What is flooded, in turn
    #[arg(long, value_enum, value_delimiter = ',')]
    #[arg(default_value = "pings,deaf,fragments,tiny,ignored,large,resets")]
    pub(crate) floods: Vec<Flood>,
    /// A quiet and a flooded measurement of each flood
    #[arg(long, default_value_t = 5, value_parser = count(1000))]
    pub(crate) rounds: u32,
    /// Bytes a second of the flooder; as many as it can when left out
    #[arg(long, value_parser = rate)]
    pub(crate) flood_rate: Option<f64>,
    /// What is sent.
    #[command(flatten)]
    pub(crate) message: MessageArgs,
    /// For how long.
    #[command(flatten)]
    pub(crate) time: TimeArgs,
    /// What every scenario has.
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}
