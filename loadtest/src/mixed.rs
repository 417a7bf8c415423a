//! A quiet topic beside a saturated one, each driven by its own thread.
//!
//! On one thread, reading a thousand saturated sockets would delay the reading of the quiet one,
//! and the client's own turn would pass for the broker's latency. Where both threads share a core,
//! the quiet one also has to go first.

use std::thread;

use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};
use tokio::sync::oneshot;

use crate::connection::Target;
use crate::load::Load;
use crate::measurement::measure;
use crate::progress::Progress;
use crate::report::Report;
use crate::run::runtime;
use crate::scenario::Plan;

/// Of the quiet thread among those that go first.
const QUIET_PRIORITY: u8 = 50;

/// Runs both from the same moment, once both are connected.
pub(crate) async fn run(
    saturated: Plan,
    quiet: Plan,
    target: &Target,
    server: Option<u32>,
) -> Result<Vec<Report>, String> {
    let saturated = Load::connect(saturated, target).await?;
    let (ready, is_ready) = oneshot::channel();
    let (start, started) = oneshot::channel();
    let target = target.clone();
    let beside = thread::Builder::new()
        .name("quiet".to_owned())
        .spawn(move || {
            if !goes_first() {
                eprintln!("not permitted to go first: our own load is part of the quiet latency");
            }
            let runtime = runtime().map_err(|error| error.to_string())?;
            runtime.block_on(run_quiet(quiet, &target, ready, started))
        })
        .map_err(|error| format!("no thread for the quiet topic: {error}"))?;
    if is_ready.await.is_ok() && start.send(()).is_ok() {
        let report = measure(&saturated, server, Progress::new(true)).await;
        return Ok(vec![report, join(beside)?]);
    }
    saturated.close().await;
    join(beside).map(|report| vec![report])
}

/// Lets the calling thread preempt the saturated one at once; a better niceness waits for the end
/// of its slice, some 3 ms. Whether that is permitted.
fn goes_first() -> bool {
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    QUIET_PRIORITY.try_into().is_ok_and(|priority| {
        let priority = ThreadPriority::Crossplatform(priority);
        set_thread_priority_and_policy(thread_native_id(), priority, policy).is_ok()
    })
}

/// The other thread. An end of ours that is dropped tells the other side to give up.
async fn run_quiet(
    plan: Plan,
    target: &Target,
    ready: oneshot::Sender<()>,
    started: oneshot::Receiver<()>,
) -> Result<Report, String> {
    let load = Load::connect(plan, target).await?;
    if ready.send(()).is_err() || started.await.is_err() {
        return Err("the saturated topic gave up".to_owned());
    }
    Ok(measure(&load, None, Progress::new(false)).await)
}

/// Both measure for the same time, so what is left to wait for is short.
fn join(beside: thread::JoinHandle<Result<Report, String>>) -> Result<Report, String> {
    beside.join().unwrap_or_else(|_| Err("the quiet topic's thread panicked".to_owned()))
}
