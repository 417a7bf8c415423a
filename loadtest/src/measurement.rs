//! From the first message to the last Close: warms up, measures, waits for stragglers.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use tokio::signal::ctrl_c;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::cost;
use crate::load::Load;
use crate::report::Report;
use crate::scenario::Extent;

/// Nothing arriving for this long, while something should, is a loss.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// The same once a connection is lost, when some of it cannot come.
const SILENCE_BROKEN_MAX: Duration = Duration::from_secs(1);
/// How often progress is shown and silence noticed.
const LOOK: Duration = Duration::from_secs(1);

/// What the books and clocks said at one moment.
struct Snapshot {
    /// Nanoseconds of the load's clock.
    at: u64,
    /// Messages sent.
    published: u64,
    /// First deliveries.
    deliveries: u64,
    /// What the broker has used up.
    server: Option<cost::Snapshot>,
    /// What this thread has used up.
    client: cost::Thread,
}

/// Why a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// The time is over.
    Elapsed,
    /// All was sent and has arrived, or something broke, or nothing came for long.
    Over,
    /// Somebody pressed Ctrl-C.
    Interrupted,
}

/// Drives `load` to its end and says what happened.
pub(crate) async fn measure(load: &Rc<Load>, server: Option<u32>, progress: bool) -> Report {
    let progress = progress && stderr().is_terminal();
    load.start();
    let mut outcome = Outcome::Elapsed;
    if let Extent::Time { warm_up, .. } = load.plan.extent {
        outcome = wait(load, Some(warm_up), progress).await;
    }
    let before = Snapshot::take(load, server);
    let from = if matches!(load.plan.extent, Extent::Messages(_)) { 0 } else { before.at };
    load.ledger.borrow_mut().measured = from..u64::MAX;
    if outcome == Outcome::Elapsed {
        let measured = match load.plan.extent {
            Extent::Messages(_) => None,
            Extent::Time { measured, .. } => Some(measured),
        };
        outcome = wait(load, measured, progress).await;
    }
    let after = Snapshot::take(load, server);
    {
        let mut ledger = load.ledger.borrow_mut();
        ledger.measured.end = after.at;
        ledger.stop();
    }
    if outcome != Outcome::Over && !load.is_finished() {
        wait(load, None, progress).await;
    }
    if progress {
        // Nobody is harmed if a terminal does not take it.
        write!(stderr(), "\r\x1b[K").ok();
    }
    load.close().await;
    report(load, &before, &after, outcome == Outcome::Interrupted)
}

/// Waits until `limit` has passed, if there is one, or sooner for the reasons of [`Outcome`].
async fn wait(load: &Load, limit: Option<Duration>, progress: bool) -> Outcome {
    let mut interrupt = pin!(interrupted());
    let end = limit.map(|limit| Instant::now() + limit);
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = load.ledger.borrow().deliveries;
    look.tick().await;
    loop {
        // A connection's loss is waited out, in case the rest still arrives.
        let over = load.is_finished() || is_silent(load);
        if over {
            return Outcome::Over;
        }
        tokio::select! {
            () = load.news.notified() => {}
            () = interrupt.as_mut() => return Outcome::Interrupted,
            () = elapsed(end) => return Outcome::Elapsed,
            _ = look.tick() => {
                let ledger = load.ledger.borrow();
                if progress {
                    let rate = ledger.deliveries - seen;
                    let (published, missing) = (ledger.published, ledger.outstanding);
                    write!(
                        stderr(),
                        "\r\x1b[K{published} messages, {rate} deliveries/s, {missing} under way"
                    )
                    .ok();
                }
                seen = ledger.deliveries;
            }
        }
    }
}

/// Ctrl-C; without a way to hear it, it never comes.
async fn interrupted() {
    if ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn elapsed(end: Option<Instant>) {
    match end {
        Some(end) => sleep_until(end).await,
        None => std::future::pending().await,
    }
}

fn is_silent(load: &Load) -> bool {
    let ledger = load.ledger.borrow();
    let limit = if load.is_broken() { SILENCE_BROKEN_MAX } else { SILENCE_MAX };
    let silence = Duration::from_nanos(load.now().saturating_sub(ledger.last_arrival));
    ledger.outstanding > 0 && silence >= limit
}

fn report(load: &Load, before: &Snapshot, after: &Snapshot, interrupted: bool) -> Report {
    let ledger = load.ledger.borrow();
    let mut faults = ledger.faults.clone();
    faults.lost = ledger.outstanding;
    if faults.lost > 0 {
        let at = Duration::from_nanos(ledger.last_arrival);
        let lost = faults.lost;
        faults.tell(|| format!("{lost} deliveries did not come, the last that did at {at:.1?}"));
    }
    let duration = Duration::from_nanos(after.at - before.at);
    Report {
        name: load.plan.name,
        connections: load.plan.connections(),
        size: load.plan.size,
        messages: after.published - before.published,
        deliveries: after.deliveries - before.deliveries,
        duration,
        latency: ledger.latency.clone(),
        cost: after.server.as_ref().zip(before.server.as_ref()).map(|(to, from)| to.since(from)),
        clients: vec![after.client.since(&before.client)],
        due: load.plan.due_in(duration).filter(|_| !load.is_broken()),
        faults,
        rows: vec![],
        interrupted,
    }
}

impl Snapshot {
    fn take(load: &Load, server: Option<u32>) -> Self {
        let ledger = load.ledger.borrow();
        Self {
            at: load.now(),
            published: ledger.published,
            deliveries: ledger.deliveries,
            server: server.and_then(cost::Snapshot::take),
            client: cost::Thread::of_this_thread(),
        }
    }
}
