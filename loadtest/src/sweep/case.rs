//! One setting of a sweep: what is run for it, and its runs.

use std::time::Duration;

use super::choice::Bound;
use super::setting::{Dimension, Setting, words};
use crate::bottleneck::Limit;
use crate::broker;
use crate::cli::{self, Command};
use crate::division;
use crate::report::{Invocation, Runs};
use crate::scenario::{Extent, Plan};

/// Starting a broker, connecting and leaving take about as long.
const BESIDE: Duration = Duration::from_millis(300);

/// A setting and its runs.
#[derive(Debug)]
pub(super) struct Case {
    /// A value for each option that is swept.
    pub(super) setting: Setting,
    /// The same as one types it.
    pub(super) label: String,
    /// The scenario with these options.
    pub(super) command: Command,
    /// How it would be typed without a sweep.
    pub(super) invocation: Invocation,
    /// The load of each client thread.
    pub(super) parts: Vec<Plan>,
    /// CPUs that the broker's shards may run on.
    pub(super) cpus: usize,
    /// The runs so far.
    pub(super) runs: Runs,
}

impl Case {
    /// Sees that it can be run; the error is a sentence. What clap has to say ends the program.
    pub(super) fn new(
        scenario: &[String],
        dimensions: &[Dimension],
        setting: Setting,
    ) -> Result<Self, String> {
        let words = words(dimensions, &setting);
        let (command, invocation) =
            cli::scenario(&[scenario, &words].concat()).unwrap_or_else(|error| error.exit());
        let common = command.common();
        if common.json.is_some() || common.report.is_some() {
            return Err(
                "--json and --report are the sweep's: they stand before the scenario".into()
            );
        }
        if matches!(command, Command::Hostile(_)) {
            return Err("hostile repeats and compares by itself".to_owned());
        }
        let label = words.join(" ");
        let parts = Plan::new(&command).and_then(|plan| division::divide(&plan, command.threads()));
        let parts = parts.map_err(|error| format!("{label}: {error}"))?;
        let cpus = broker::cpus(&common.broker, parts.len());
        Ok(Self { setting, label, command, invocation, parts, cpus, runs: Runs::default() })
    }

    /// Connections of one run.
    pub(super) fn connections(&self) -> usize {
        self.parts.iter().map(Plan::connections).sum()
    }

    /// Topics that can be on different shards.
    pub(super) fn roots(&self) -> usize {
        self.parts.iter().map(|part| part.tree.roots()).sum()
    }

    /// How long a run takes; nothing if that is not by the clock.
    pub(super) fn expected(&self) -> Duration {
        match self.parts[0].extent {
            Extent::Time { warm_up, measured } => warm_up + measured + BESIDE,
            Extent::Messages(_) => Duration::ZERO,
        }
    }

    /// Who kept its first report's load from being more in at least half of the runs.
    pub(super) fn bound(&self) -> Bound {
        let limits: Vec<Limit> =
            self.runs.reports(0).map(|report| report.bottleneck.limit).collect();
        let is_often =
            |is: fn(&&Limit) -> bool| 2 * limits.iter().filter(is).count() >= limits.len();
        if is_often(|limit| matches!(limit, Limit::Client | Limit::Both | Limit::SharedCpu)) {
            Bound::Client
        } else if is_often(|limit| **limit == Limit::Neither) {
            Bound::Nobody
        } else {
            Bound::Server
        }
    }
}
