//! Several client threads, each with its own part of one load, and one report of all.

use std::sync::Arc;
use std::thread;

use tokio::sync::{oneshot, watch};

use crate::connection::Target;
use crate::cost;
use crate::load::Load;
use crate::measurement::measure;
use crate::progress::Progress;
use crate::report::Report;
use crate::run::runtime;
use crate::scenario::{Extent, Plan};
use crate::tally::Board;

/// Why a thread ends without a fault of its own.
const GAVE_UP: &str = "another client thread could not connect";

/// A thread at work.
struct Member {
    /// Told when it has connected; dropped when it cannot.
    is_ready: oneshot::Receiver<()>,
    /// Returns its report.
    thread: thread::JoinHandle<Result<Report, String>>,
}

/// Runs the parts from the same moment, once all are connected.
pub(crate) fn run(
    parts: Vec<Plan>,
    target: &Target,
    server: Option<u32>,
) -> Result<Report, String> {
    let is_counted = parts.iter().any(|part| messages(part) > 0);
    let (start, started) = watch::channel(false);
    let board = Arc::new(Board::new(parts.len(), parts.iter().map(messages).sum()));
    let mut threads = vec![];
    let mut all_ready = vec![];
    for (number, part) in parts.into_iter().enumerate() {
        // One is enough to look at the server.
        let server = server.filter(|_| number == 0);
        let member = begin(number, part, target.clone(), server, started.clone(), &board)?;
        threads.push(member.thread);
        all_ready.push(member.is_ready);
    }
    let are_ready = all_ready.into_iter().all(|is_ready| is_ready.blocking_recv().is_ok());
    let before = server.and_then(cost::Snapshot::take);
    start.send_replace(are_ready);
    // Whoever still waits gives up.
    drop(start);
    let join = |thread: thread::JoinHandle<_>| {
        thread.join().unwrap_or_else(|_| Err("a client thread panicked".to_owned()))
    };
    let ends: Vec<_> = threads.into_iter().map(join).collect();
    let mut report = joined(ends)?;
    if is_counted {
        // No two are through at the same time, and the server worked for all of them.
        let after = server.and_then(cost::Snapshot::take);
        report.cost = after.zip(before).map(|(after, before)| after.since(&before));
    }
    Ok(report)
}

fn begin(
    number: usize,
    part: Plan,
    target: Target,
    server: Option<u32>,
    started: watch::Receiver<bool>,
    board: &Arc<Board>,
) -> Result<Member, String> {
    let (ready, is_ready) = oneshot::channel();
    let board = Arc::clone(board);
    let work = move || {
        let progress = Progress::of_crew(&board, number);
        let runtime = runtime().map_err(|error| error.to_string())?;
        let mut report = runtime.block_on(work(part, &target, server, progress, ready, started))?;
        for thread in report.series.threads.iter_mut().filter(|thread| thread.name == "client") {
            thread.name = format!("client-{number}");
        }
        Ok(report)
    };
    let thread = thread::Builder::new().name(format!("client-{number}")).spawn(work);
    let thread = thread.map_err(|error| format!("no thread for a client: {error}"))?;
    Ok(Member { is_ready, thread })
}

async fn work(
    part: Plan,
    target: &Target,
    server: Option<u32>,
    progress: Progress,
    ready: oneshot::Sender<()>,
    mut started: watch::Receiver<bool>,
) -> Result<Report, String> {
    let load = Load::connect(part, target).await?;
    if ready.send(()).is_err() || started.wait_for(|started| *started).await.is_err() {
        load.close().await;
        return Err(GAVE_UP.to_owned());
    }
    Ok(measure(&load, server, progress).await)
}

/// Messages that end this part; 0 if time does.
const fn messages(part: &Plan) -> u64 {
    match part.extent {
        Extent::Messages(messages) => messages,
        Extent::Time { .. } => 0,
    }
}

/// The report of all, or why one failed: not one that only gave up because of it.
fn joined(ends: Vec<Result<Report, String>>) -> Result<Report, String> {
    let mut whole: Option<Report> = None;
    let mut failure: Option<String> = None;
    for end in ends {
        match end {
            Ok(report) => {
                whole = Some(match whole {
                    Some(whole) => whole.join(report),
                    None => report,
                });
            }
            Err(error) if failure.is_none() || failure.as_deref() == Some(GAVE_UP) => {
                failure = Some(error);
            }
            Err(_) => {}
        }
    }
    match failure {
        Some(failure) => Err(failure),
        None => Ok(whole.expect("there is a thread")),
    }
}
