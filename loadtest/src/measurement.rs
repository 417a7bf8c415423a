//! From the first message to the last Close: warms up, measures, waits for stragglers.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::cost;
use crate::interrupt::Interrupt;
use crate::load::Load;
use crate::progress::{Part, Progress};
use crate::report::{Event, Report};
use crate::scenario::Extent;
use crate::series::{SAMPLE, Sampler, Series};
use crate::think::Think;

/// Nothing arriving for this long, while something should, is a loss.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// The same once a connection is lost, when some of it cannot come.
const SILENCE_BROKEN_MAX: Duration = Duration::from_secs(1);

/// What the books and clocks said at one moment.
pub(crate) struct Snapshot {
    /// Nanoseconds of the load's clock.
    pub(crate) at: u64,
    /// Messages sent.
    published: u64,
    /// First deliveries.
    pub(crate) deliveries: u64,
    /// What the broker has used up.
    server: Option<cost::Snapshot>,
    /// What this thread has used up.
    client: cost::Thread,
}

/// Why a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The time is over.
    Elapsed,
    /// All was sent and has arrived, or something broke, or nothing came for long.
    Over,
    /// Somebody pressed Ctrl-C.
    Interrupted,
}

/// Drives `load` to its end and says what happened.
pub(crate) async fn measure(
    load: &Rc<Load>,
    server: Option<u32>,
    mut progress: Progress,
) -> Report {
    let mut interrupt = Interrupt::listen();
    load.start();
    let (warm_up, measured) = match load.plan.extent {
        Extent::Messages(messages) => (None, Part::Messages(messages)),
        Extent::Time { warm_up, measured } => (Some(warm_up), Part::Measured(measured)),
    };
    let mut outcome = Outcome::Elapsed;
    if let Some(warm_up) = warm_up {
        outcome = wait(load, Part::WarmUp(warm_up), &mut progress, &mut interrupt, None).await;
    }
    let mut sampler = Sampler::new(server, load.now(), load.ledger.borrow().deliveries);
    let before = Snapshot::take(load, server);
    let from = if warm_up.is_none() { 0 } else { before.at };
    load.ledger.borrow_mut().measured = from..u64::MAX;
    if outcome == Outcome::Elapsed {
        outcome = wait(load, measured, &mut progress, &mut interrupt, Some(&mut sampler)).await;
    }
    let after = Snapshot::take(load, server);
    {
        let mut ledger = load.ledger.borrow_mut();
        ledger.measured.end = after.at;
        ledger.stop();
    }
    if outcome != Outcome::Over && !load.is_finished() {
        wait(load, Part::Rest, &mut progress, &mut interrupt, None).await;
    }
    progress.end();
    load.close().await;
    let series = sampler.finish(after.at, after.deliveries);
    Report { series, ..report(load, &before, &after, outcome == Outcome::Interrupted) }
}

/// Waits until the time of `part` is over, if it has one, or sooner for the reasons of [`Outcome`].
pub(crate) async fn wait(
    load: &Load,
    part: Part,
    progress: &mut Progress,
    interrupt: &mut Interrupt,
    mut sampler: Option<&mut Sampler>,
) -> Outcome {
    let start = Instant::now();
    let end = match part {
        Part::WarmUp(time) | Part::Measured(time) | Part::Holding(time) => Some(start + time),
        Part::Messages(_) | Part::Rest | Part::Connecting(_) | Part::Reconnecting(_) => None,
    };
    let mut look = interval(SAMPLE);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    look.tick().await;
    progress.begin(part, load);
    loop {
        // A connection's loss is waited out, in case the rest still arrives.
        let over = load.is_finished() || is_silent(load);
        if over {
            return Outcome::Over;
        }
        tokio::select! {
            () = load.news.notified() => {}
            () = interrupt.heard() => return Outcome::Interrupted,
            () = elapsed(end) => return Outcome::Elapsed,
            _ = look.tick() => {
                if let Some(sampler) = &mut sampler {
                    sampler.sample(load.now(), load.ledger.borrow().deliveries);
                }
                progress.show(part, start.elapsed(), load);
            }
        }
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
    let limit = limit + load.plan.think.map_or(Duration::ZERO, Think::longest);
    Duration::from_nanos(ledger.silence(load.now())) >= limit
}

/// What happened between two moments, and what went wrong at all.
pub(crate) fn report(
    load: &Load,
    before: &Snapshot,
    after: &Snapshot,
    interrupted: bool,
) -> Report {
    let mut ledger = load.ledger.borrow_mut();
    let mut faults = ledger.faults.clone();
    faults.lost += ledger.outstanding;
    if faults.lost > 0 {
        let at = Duration::from_nanos(ledger.last_arrival);
        let lost = faults.lost;
        faults.tell(|| format!("{lost} deliveries did not come, the last that did at {at:.1?}"));
    }
    let duration = Duration::from_nanos(after.at - before.at);
    Report {
        name: load.plan.name,
        event: Event::Delivery,
        connections: load.plan.connections(),
        size: load.plan.size,
        messages: after.published - before.published,
        deliveries: after.deliveries - before.deliveries,
        duration,
        latency: ledger.latencies.histogram().clone(),
        cost: after.server.as_ref().zip(before.server.as_ref()).map(|(to, from)| to.since(from)),
        clients: vec![after.client.since(&before.client)],
        due: load.plan.due_in(duration).filter(|_| !load.is_broken()),
        faults,
        jobs: ledger.jobs_each.clone(),
        rows: vec![],
        series: Series::default(),
        interrupted,
    }
}

impl Snapshot {
    /// Of this moment.
    pub(crate) fn take(load: &Load, server: Option<u32>) -> Self {
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
