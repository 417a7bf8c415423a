//! One run of a scenario: its broker, where none is named, and its load.

use std::io::Error;

use tokio::runtime::{Builder, LocalOptions, LocalRuntime};

use crate::broker::Broker;
use crate::cli::{Command, HostileArgs};
use crate::connection::Target;
use crate::load::Load;
use crate::measurement::measure;
use crate::progress::Progress;
use crate::report::Report;
use crate::scenario::Plan;
use crate::{crew, descriptors, hostile, idle, mixed, storm};

/// Loads the broker that runs, or else one that is spawned for it; `announce` tells where that and
/// its client run.
pub(crate) fn run(
    command: &Command,
    parts: Vec<Plan>,
    announce: bool,
) -> Result<Vec<Report>, String> {
    descriptors::provide(parts.iter().map(Plan::connections).sum())?;
    let mut args = command.common().broker.clone();
    if let Some(target) = args.running() {
        return load(command, parts, &target, args.pid);
    }
    if matches!(command, Command::Hostile(_)) {
        // Who floods and who suffers are to be on one.
        args.shards = args.shards.or(Some(1));
    }
    let broker = Broker::start(&args, parts.len(), announce)?;
    let mut reports = load(command, parts, &broker.target, Some(broker.pid()));
    if let Err(sentence) = broker.stop() {
        let last = reports.as_mut().map_err(|error| format!("{error}; {sentence}"))?.last_mut();
        let faults = &mut last.expect("a load has a report").faults;
        faults.crashed += 1;
        faults.examples.push(sentence);
    }
    reports
}

/// Runs one load, on one thread or several, or two for mixed.
fn load(
    command: &Command,
    mut parts: Vec<Plan>,
    url: &Target,
    pid: Option<u32>,
) -> Result<Vec<Report>, String> {
    let plan = parts.pop().expect("there is a part for every thread");
    if !parts.is_empty() {
        parts.push(plan);
        return Ok(vec![crew::run(parts, url, pid)?]);
    }
    let runtime = runtime().map_err(|error| error.to_string())?;
    if let Some(quiet) = Plan::quiet(command) {
        return runtime.block_on(mixed::run(plan, quiet, url, pid));
    }
    if let Command::Idle(args) = command {
        return runtime.block_on(idle::run(plan, url, pid, args));
    }
    if let Command::Storm(args) = command {
        return runtime.block_on(storm::run(plan, url, pid, args));
    }
    if let Command::Hostile(args) = command {
        let HostileArgs { floods, rounds, flood_rate, common, .. } = args;
        let is_quiet = common.is_quiet();
        return runtime.block_on(hostile::run(plan, url, floods, *rounds, *flood_rate, is_quiet));
    }
    runtime.block_on(async {
        let load = Load::connect(plan, url).await?;
        Ok(vec![measure(&load, pid, Progress::new(true)).await])
    })
}

/// One thread's runtime.
pub(crate) fn runtime() -> Result<LocalRuntime, Error> {
    Builder::new_current_thread().enable_all().build_local(LocalOptions::default())
}
