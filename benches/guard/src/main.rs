//! Counts the instructions of what mercury does most, and fails when one of them costs more than
//! the baseline says.
//!
//! Each workload runs in a process of its own under callgrind, which counts the same whatever else
//! the machine does. How compilers, targets and libraries differ is no fault of a change: where
//! they are not the baseline's, the ratios are printed and nothing fails.

mod baseline;
mod callgrind;
mod client;
mod origin;
mod report;
mod whole;
mod workload;

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, thread};

use clap::Parser;

use self::baseline::{Baseline, BaselineError, Counts};
use self::callgrind::CallgrindError;
use self::origin::Origin;
use self::report::Report;

/// Where the baseline is committed.
const BASELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/baseline");
/// Counts of a workload for a new baseline, and of one that is over the limit. The least is taken:
/// threads that happen to wake once more cost more.
const ATTEMPTS: usize = 3;

/// Counts the instructions of what mercury does most against the committed baseline.
#[derive(Debug, Parser)]
#[command(name = "mercury-guard")]
struct Options {
    /// Writes what is counted as the new baseline
    #[arg(long, conflicts_with = "names")]
    renew: bool,
    /// Counts these workloads alone
    #[arg(value_name = "WORKLOAD")]
    names: Vec<String>,
    /// The process under callgrind: does this workload
    #[arg(long, hide = true)]
    count: Option<String>,
    /// The process under callgrind: is a broker until its input ends
    #[arg(long, hide = true)]
    serve: bool,
}

/// Why nothing could be said.
#[derive(Debug, thiserror::Error)]
enum GuardError {
    #[error("without optimisation there is nothing to guard: add --release")]
    NotOptimised,
    #[error("there is no workload '{0}'")]
    Unknown(String),
    #[error(transparent)]
    Baseline(#[from] BaselineError),
    #[error(transparent)]
    Callgrind(#[from] CallgrindError),
    #[error("cannot write {BASELINE}: {0}")]
    Write(std::io::Error),
}

fn main() -> ExitCode {
    let options = Options::parse();
    let done = match &options.count {
        _ if options.serve => whole::serve().map(|()| true).map_err(GuardError::from),
        Some(name) => count(name).map(|()| true),
        None if options.renew => renew().map(|()| true),
        None => check(&options.names),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("mercury-guard: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What the process under callgrind does.
fn count(name: &str) -> Result<(), GuardError> {
    let found = workload::ALL.iter().find(|workload| workload.name == name);
    found.ok_or_else(|| GuardError::Unknown(name.to_owned()))?.run();
    Ok(())
}

/// Counts and compares; whether nothing costs more than it may.
fn check(names: &[String]) -> Result<bool, GuardError> {
    let text = fs::read_to_string(BASELINE).map_err(BaselineError::Read)?;
    let baseline = Baseline::parse(&text)?;
    let chosen = chosen(names)?;
    let origin = Origin::of_this_program();
    let counts = counts(&chosen, &|name| {
        let mut least = one(name)?;
        for _ in 1..ATTEMPTS {
            if !baseline.is_exceeded(name, least) || baseline.origin != origin {
                break;
            }
            least = least.min(one(name)?);
        }
        Ok(least)
    })?;
    let report = Report::new(&baseline, &origin, &counts, names.is_empty());
    print!("{report}");
    Ok(report.is_fine())
}

/// Counts and writes the baseline.
fn renew() -> Result<(), GuardError> {
    let counts = counts(&chosen(&[])?, &|name| {
        let mut least = one(name)?;
        for _ in 1..ATTEMPTS {
            least = least.min(one(name)?);
        }
        Ok(least)
    })?;
    let baseline = Baseline { origin: Origin::of_this_program(), counts };
    fs::write(BASELINE, baseline.to_string()).map_err(GuardError::Write)?;
    print!("{baseline}");
    Ok(())
}

/// The names of all workloads, or those that were asked for.
fn chosen(names: &[String]) -> Result<Vec<&str>, GuardError> {
    let all = workload::ALL.iter().map(|workload| workload.name);
    let all: Vec<_> = all.chain(whole::ALL.iter().map(|load| load.name)).collect();
    if let Some(unknown) = names.iter().find(|name| !all.contains(&name.as_str())) {
        return Err(GuardError::Unknown(unknown.clone()));
    }
    let wanted = |name: &&str| names.is_empty() || names.iter().any(|wanted| wanted == name);
    Ok(all.into_iter().filter(wanted).collect())
}

/// Counts each of these, as many at a time as there are cores.
fn counts(
    names: &[&str],
    count: &(impl Fn(&str) -> Result<f64, CallgrindError> + Sync),
) -> Result<Counts, GuardError> {
    if cfg!(debug_assertions) {
        return Err(GuardError::NotOptimised);
    }
    let next = AtomicUsize::new(0);
    let lane = || {
        let mut counts = vec![];
        while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
            counts.push(((*name).to_owned(), count(name)?));
        }
        Ok::<_, CallgrindError>(counts)
    };
    let lanes = thread::available_parallelism().map_or(1, usize::from);
    let lanes = thread::scope(|scope| {
        let lanes: Vec<_> = (0..lanes).map(|_| scope.spawn(lane)).collect();
        let ended = lanes.into_iter().map(|lane| lane.join().expect("a lane does not panic"));
        ended.collect::<Result<Vec<_>, _>>()
    })?;
    Ok(lanes.into_iter().flatten().collect())
}

/// Instructions of one unit of this workload, counted once.
fn one(name: &str) -> Result<f64, CallgrindError> {
    if let Some(load) = whole::ALL.iter().find(|load| load.name == name) {
        return load.count();
    }
    let found = workload::ALL.iter().find(|workload| workload.name == name);
    found.expect("it was chosen from all").count()
}
