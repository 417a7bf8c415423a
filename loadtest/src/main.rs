//! Drives a mercury broker and reports what it delivers, how fast and how reliably.

mod arrivals;
mod audience;
mod bottleneck;
mod broker;
mod cli;
mod collector;
mod comparison;
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
mod idle;
mod interrupt;
mod latencies;
mod ledger;
mod load;
mod measurement;
mod memory;
mod mixed;
mod output;
mod payload;
mod pings;
mod placement;
mod progress;
mod publisher;
mod report;
mod run;
mod scenario;
mod sequence;
mod series;
mod source;
mod standing;
mod storm;
mod subscriber;
mod sweep;
mod tally;
mod think;
mod timer;
mod tree;
mod tunnel;
mod watch;
mod window;

use std::process::ExitCode;

use clap::CommandFactory as _;
use clap::error::ErrorKind;

use crate::cli::{Cli, Command, CommonArgs, Task};
use crate::report::{Document, Invocation};
use crate::scenario::Plan;

fn main() -> ExitCode {
    if let Some(status) = broker::run_if_spawned() {
        return status;
    }
    let (Cli { task }, invocation) = Cli::read();
    let ended = match task {
        Task::Run(command) => once(&command, invocation),
        Task::Compare(args) => comparison::run(&args),
        Task::Sweep(args) => sweep::run(&args, invocation),
    };
    ended.unwrap_or_else(|error| {
        eprintln!("mercury-loadtest: {error}");
        ExitCode::FAILURE
    })
}

/// Runs one scenario; numbers that make no sense end the program.
fn once(command: &Command, invocation: Invocation) -> Result<ExitCode, String> {
    let parts = Plan::new(command)
        .and_then(|plan| division::divide(&plan, command.threads()))
        .unwrap_or_else(|error| Cli::command().error(ErrorKind::ValueValidation, error).exit());
    let document = Document::new(invocation, &run::run(command, parts, true)?);
    Ok(finish(&document, command.common(), matches!(command, Command::Hostile(_))))
}

/// Shows and keeps the reports, tells the first faults, and returns the exit status they make.
fn finish(document: &Document, common: &CommonArgs, is_shown: bool) -> ExitCode {
    let mut status = ExitCode::SUCCESS;
    let is_table = !is_shown && !common.is_quiet();
    let table = is_table.then(|| output::print(&report::table(&document.reports)));
    let json = common.json.as_ref().map(|path| report::write(document, path));
    let page = common.report.as_ref().map(|path| document.page().write(path));
    for error in [table, json, page].into_iter().flatten().filter_map(Result::err) {
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
