//! Drives a mercury broker and reports what it delivers, how fast and how reliably.

mod bottleneck;
mod cli;
mod connection;
mod cost;
mod cpu;
mod faults;
mod frame;
mod hostile;
mod ledger;
mod load;
mod measurement;
mod mixed;
mod payload;
mod publisher;
mod report;
mod scenario;
mod sequence;
mod subscriber;
mod timer;
mod window;

use std::io::Error;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser as _};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};

use crate::cli::{Cli, Command, CommonArgs, HostileArgs};
use crate::load::Load;
use crate::measurement::measure;
use crate::report::Report;
use crate::scenario::Plan;

fn main() -> ExitCode {
    let command = Cli::parse().scenario;
    let plan = Plan::new(&command)
        .unwrap_or_else(|error| Cli::command().error(ErrorKind::ValueValidation, error).exit());
    match run(&command, plan) {
        Ok(reports) => {
            print(&reports, common(&command).json, matches!(command, Command::Hostile(_)))
        }
        Err(error) => {
            eprintln!("mercury-loadtest: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs one load, or two for mixed.
fn run(command: &Command, plan: Plan) -> Result<Vec<Report>, String> {
    let CommonArgs { url, pid, json, .. } = common(command);
    raise_descriptor_limit().map_err(|error| format!("the descriptor limit: {error}"))?;
    let runtime = runtime().map_err(|error| error.to_string())?;
    if let Some(quiet) = Plan::quiet(command) {
        return runtime.block_on(mixed::run(plan, quiet, url, *pid));
    }
    if let Command::Hostile(args) = command {
        let HostileArgs { floods, rounds, flood_rate, .. } = args;
        return runtime.block_on(hostile::run(plan, url, floods, *rounds, *flood_rate, *json));
    }
    runtime.block_on(async {
        let load = Load::connect(plan, url).await?;
        Ok(vec![measure(&load, *pid, true).await])
    })
}

/// One thread's runtime.
fn runtime() -> Result<LocalRuntime, Error> {
    Builder::new_current_thread().enable_all().build_local(LocalOptions::default())
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

/// A connection is a descriptor, and the soft limit is often 1,024.
fn raise_descriptor_limit() -> Result<(), Error> {
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?)
}

/// The report, the first faults in words, and the exit status that they make.
fn print(reports: &[Report], json: bool, is_hostile: bool) -> ExitCode {
    if json {
        let lines: Vec<String> = reports.iter().map(Report::json).collect();
        println!("{}", lines.join("\n"));
    } else if !is_hostile {
        println!("{}", report::table(reports));
    }
    let mut status = ExitCode::SUCCESS;
    for report in reports {
        if let Some(sentence) = report.bottleneck().sentence {
            eprintln!("mercury-loadtest: {}: {sentence}", report.name);
        }
        for example in &report.faults.examples {
            eprintln!("mercury-loadtest: {}: {example}", report.name);
        }
        if !report.faults.is_none() {
            status = ExitCode::FAILURE;
        }
    }
    status
}
