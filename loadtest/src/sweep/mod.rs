//! A scenario under several settings, round after round, and which of them to choose.

mod case;
mod choice;
mod outcome;
mod record;
mod setting;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::CommandFactory as _;
use clap::error::ErrorKind;
use humantime::format_duration;

use self::case::Case;
use self::outcome::Outcome;
use self::record::Record;
use self::setting::{dimensions, settings};
use crate::cli::{Cli, SweepArgs};
use crate::interrupt::Interrupt;
use crate::report::{Document, Invocation, write};
use crate::run::{self, runtime};
use crate::{descriptors, output};

/// Runs of a sweep: more than anybody waits for.
const RUNS_MAX: usize = 2000;

/// Runs all, and shows what came out; what cannot be run ends the program first.
pub(crate) fn run(args: &SweepArgs, invocation: Invocation) -> Result<ExitCode, String> {
    let mut outcome = planned(args).unwrap_or_else(|error| {
        Cli::command().error(ErrorKind::ValueValidation, error).exit();
    });
    descriptors::provide(outcome.cases.iter().map(Case::connections).max().unwrap_or(0))?;
    if let Some(caveat) = outcome.caveat() {
        eprintln!("mercury-loadtest: {caveat}");
    }
    let failure = measure(&mut outcome, args.rounds as usize).err();
    if outcome.cases.iter().any(|case| case.runs.0.is_empty()) {
        return Err(failure.unwrap_or_else(|| "ended before the first round was over".to_owned()));
    }
    finish(&outcome, args, &Document::new(invocation, &[]), failure)
}

/// What is to run; the error is a sentence.
fn planned(args: &SweepArgs) -> Result<Outcome, String> {
    let dimensions = dimensions(args)?;
    let settings = settings(&dimensions);
    let runs = settings.len() * args.rounds as usize;
    if runs > RUNS_MAX {
        let (settings, rounds) = (settings.len(), args.rounds);
        return Err(format!(
            "{settings} settings in {rounds} rounds are {runs} runs, more than {RUNS_MAX}"
        ));
    }
    let case = |setting| Case::new(&args.scenario, &dimensions, setting);
    let cases = settings.into_iter().map(case).collect::<Result<Vec<_>, _>>()?;
    Ok(Outcome { dimensions, cases, ended_early: None })
}

/// Runs every setting once in each round, until all are through or somebody presses Ctrl-C; the
/// error is a sentence.
fn measure(outcome: &mut Outcome, rounds: usize) -> Result<(), String> {
    let runtime = runtime().map_err(|error| error.to_string())?;
    let mut interrupt = runtime.block_on(async { Interrupt::listen() });
    let planned = outcome.cases.iter().map(Case::expected).sum::<Duration>();
    let planned = planned * u32::try_from(rounds).unwrap_or(u32::MAX);
    let (runs, start) = (outcome.cases.len() * rounds, Instant::now());
    for number in 0..runs {
        let case = &mut outcome.cases[number % (runs / rounds)];
        let left = match left(number, runs, start.elapsed(), planned) {
            Some(left) => format!(", {} left", format_duration(left)),
            None => String::new(),
        };
        eprintln!("mercury-loadtest: run {} of {runs}{left}: {}", number + 1, case.label);
        let reports = run::run(&case.command, case.parts.clone(), number == 0)
            .map_err(|error| format!("{}: {error}", case.label))?;
        let document = Document::new(case.invocation.clone(), &reports);
        let is_cut = document.reports.iter().any(|report| report.interrupted);
        if !is_cut {
            case.runs.0.push(document);
        }
        if is_cut || runtime.block_on(interrupt.was_heard()) {
            let done = if is_cut { number } else { number + 1 };
            outcome.ended_early = Some(format!("somebody ended it after {done} of {runs} runs"));
            break;
        }
    }
    Ok(())
}

/// In whole seconds; none if nothing is known of how long a run takes.
fn left(done: usize, all: usize, elapsed: Duration, planned: Duration) -> Option<Duration> {
    let count = |runs: usize| u32::try_from(runs).unwrap_or(u32::MAX);
    let left = if done == 0 { planned } else { elapsed / count(done) * count(all - done) };
    (left > Duration::ZERO).then(|| Duration::from_secs(left.as_secs().max(1)))
}

/// Shows and keeps the outcome, and returns the exit status that it makes; `empty` says how, where
/// and when it came about.
fn finish(
    outcome: &Outcome,
    args: &SweepArgs,
    empty: &Document,
    failure: Option<String>,
) -> Result<ExitCode, String> {
    if !args.is_quiet() {
        output::print(&outcome.text())?;
    }
    let json = args.json.as_ref().map(|path| write(&Record::of(outcome, empty), path));
    let page = args.report.as_ref().map(|path| outcome.page(empty).write(path));
    let failures: Vec<String> = failure
        .into_iter()
        .chain([json, page].into_iter().flatten().filter_map(Result::err))
        .collect();
    let faults = outcome.faults();
    for sentence in failures.iter().chain(&faults) {
        eprintln!("mercury-loadtest: {sentence}");
    }
    let is_ok = failures.is_empty() && outcome.cases.iter().all(|case| case.runs.is_ok());
    Ok(if is_ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_what_runs_took_so_far() {
        let seconds = Duration::from_secs;
        assert_eq!(left(0, 4, seconds(0), seconds(24)), Some(seconds(24)));
        assert_eq!(left(1, 4, seconds(7), seconds(24)), Some(seconds(21)));
        assert_eq!(left(3, 4, Duration::from_millis(300), seconds(0)), Some(seconds(1)));
        assert_eq!(left(0, 4, seconds(0), seconds(0)), None);
    }
}
