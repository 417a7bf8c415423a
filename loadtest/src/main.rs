//! Drives a mercury broker and reports what it delivers, how fast and how reliably.

mod bottleneck;
mod broker;
mod cli;
mod connection;
mod cost;
mod cpu;
mod crew;
mod descriptors;
mod dialect;
mod division;
mod faults;
mod frame;
mod hostile;
mod ledger;
mod load;
mod measurement;
mod mixed;
mod payload;
mod placement;
mod progress;
mod publisher;
mod report;
mod scenario;
mod sequence;
mod series;
mod source;
mod subscriber;
mod timer;
mod window;

use std::io::Error;
use std::process::ExitCode;

use clap::CommandFactory as _;
use clap::error::ErrorKind;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};

use crate::broker::Broker;
use crate::cli::{BusArgs, Cli, Command, CommonArgs, FanoutArgs, HostileArgs, PushpullArgs};
use crate::connection::Target;
use crate::load::Load;
use crate::measurement::measure;
use crate::report::{Document, Report};
use crate::scenario::Plan;

fn main() -> ExitCode {
    if let Some(status) = broker::run_if_spawned() {
        return status;
    }
    let (Cli { scenario: command }, invocation) = Cli::read();
    let parts = Plan::new(&command)
        .and_then(|plan| division::divide(&plan, threads(&command)))
        .unwrap_or_else(|error| Cli::command().error(ErrorKind::ValueValidation, error).exit());
    match run(&command, parts) {
        Ok(reports) => {
            let document = Document::new(invocation, &reports);
            finish(&document, common(&command), matches!(command, Command::Hostile(_)))
        }
        Err(error) => {
            eprintln!("mercury-loadtest: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Loads the broker that runs, or else one that is spawned for it.
fn run(command: &Command, parts: Vec<Plan>) -> Result<Vec<Report>, String> {
    descriptors::provide(parts.iter().map(Plan::connections).sum())?;
    let mut args = common(command).broker.clone();
    if let Some(target) = args.running() {
        return load(command, parts, &target, args.pid);
    }
    if matches!(command, Command::Hostile(_)) {
        // Who floods and who suffers are to be on one.
        args.shards = args.shards.or(Some(1));
    }
    let broker = Broker::start(&args, parts.len())?;
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
    if let Command::Hostile(args) = command {
        let HostileArgs { floods, rounds, flood_rate, common } = args;
        let is_quiet = common.is_quiet();
        return runtime.block_on(hostile::run(plan, url, floods, *rounds, *flood_rate, is_quiet));
    }
    runtime.block_on(async {
        let load = Load::connect(plan, url).await?;
        Ok(vec![measure(&load, pid, true).await])
    })
}

/// One thread's runtime.
fn runtime() -> Result<LocalRuntime, Error> {
    Builder::new_current_thread().enable_all().build_local(LocalOptions::default())
}

/// Client threads.
fn threads(command: &Command) -> usize {
    match command {
        Command::Fanout(FanoutArgs { pace, .. })
        | Command::Bus(BusArgs { pace, .. })
        | Command::Pushpull(PushpullArgs { pace, .. }) => pace.threads as usize,
        _ => 1,
    }
}

fn common(command: &Command) -> &CommonArgs {
    match command {
        Command::Fanout(args) => &args.common,
        Command::Bus(args) => &args.common,
        Command::Pushpull(args) => &args.common,
        Command::Mixed(args) => &args.common,
        Command::Hostile(args) => &args.common,
    }
}

/// Shows and keeps the reports, tells the first faults, and returns the exit status they make.
fn finish(document: &Document, common: &CommonArgs, is_shown: bool) -> ExitCode {
    let mut status = ExitCode::SUCCESS;
    if !is_shown && !common.is_quiet() {
        println!("{}", report::table(&document.reports));
    }
    if let Some(path) = &common.json
        && let Err(error) = document.write(path)
    {
        eprintln!("mercury-loadtest: {error}");
        status = ExitCode::FAILURE;
    }
    for report in &document.reports {
        for sentence in report.bottleneck.sentence.iter().chain(&report.faults) {
            eprintln!("mercury-loadtest: {}: {sentence}", report.name);
        }
        if !report.ok {
            status = ExitCode::FAILURE;
        }
    }
    status
}
