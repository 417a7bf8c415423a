//! Connections that say nothing: what each costs when it comes, while it is held, and what it
//! leaves behind.

use std::rc::Rc;
use std::time::Duration;

use fastwebsockets::OpCode;
use hdrhistogram::Histogram;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::cli::IdleArgs;
use crate::connection::Target;
use crate::cost::{self, ThreadCost};
use crate::interrupt::Interrupt;
use crate::latencies;
use crate::load::Load;
use crate::memory::Memory;
use crate::pings::Pings;
use crate::progress::{Part, Progress};
use crate::report::{Event, Report, Row, Unit, float, percentiles};
use crate::scenario::Plan;
use crate::series::{Sampler, Series};
use crate::timer::{Timer, due_at};
use crate::watch::watch;

/// A server that has not given back what connections took by now keeps it.
const SETTLE: Duration = Duration::from_secs(1);
/// A pong that has not come by now will not.
const PONG_WAIT_MAX: Duration = Duration::from_secs(5);

/// What clocks and /proc said at one moment.
struct Moment {
    /// Nanoseconds of the load's clock.
    at: u64,
    /// Connections that are open.
    open: usize,
    /// Pings of the server so far.
    pings_seen: u64,
    /// What the server has used up.
    server: Option<cost::Snapshot>,
    /// What it holds.
    memory: Option<Memory>,
    /// What this thread has used up.
    client: cost::Thread,
}

/// All moments of a run.
struct Moments {
    /// Nobody is connected.
    before: Moment,
    /// All are.
    connected: Moment,
    /// They were held.
    held: Moment,
    /// All have left.
    after: Moment,
}

/// Connects, holds and leaves.
pub(crate) async fn run(
    plan: Plan,
    target: &Target,
    server: Option<u32>,
    args: &IdleArgs,
) -> Result<Vec<Report>, String> {
    let mut interrupt = Interrupt::listen();
    warm_up(&plan, target, args.warm_up_connections as usize).await?;
    let load = Load::new(plan);
    let mut progress = Progress::new(true);
    let before = Moment::of(&load, server);
    let mut sampler = Sampler::new(server, before.at, 0);
    let mut latency = latencies::empty();
    let open = |load: &Load| load.open() as u64;
    let part = Part::Connecting(load.plan.receivers as u64);
    let mut is_interrupted = tokio::select! {
        outcome = load.fill(target, args.rate, |_, took, _| {
            latency.saturating_record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
        }) => outcome.map(|()| false),
        () = interrupt.heard() => Ok(true),
        never = watch(&load, part, &mut sampler, &mut progress, open) => match never {},
    }?;
    let connected = Moment::of(&load, server);
    if !is_interrupted {
        let part = Part::Holding(args.hold);
        is_interrupted = tokio::select! {
            () = hold(&load, args) => false,
            () = interrupt.heard() => true,
            never = watch(&load, part, &mut sampler, &mut progress, open) => match never {},
        };
    }
    let held = Moment::of(&load, server);
    let series = sampler.finish(held.at, load.open() as u64);
    progress.end();
    load.close().await;
    sleep(SETTLE).await;
    let after = Moment::of(&load, server);
    let moments = Moments { before, connected, held, after };
    Ok(vec![Report { series, ..report(&load, &moments, latency, is_interrupted) }])
}

/// A server's first connections touch what all others find touched: they are not measured.
async fn warm_up(plan: &Plan, target: &Target, connections: usize) -> Result<(), String> {
    if connections == 0 {
        return Ok(());
    }
    let receivers = connections.min(plan.receivers);
    let load = Load::connect(Plan { receivers, ..plan.clone() }, target).await?;
    load.close().await;
    let fault = load.ledger.borrow().faults.examples.first().cloned();
    sleep(SETTLE).await;
    fault.map_or(Ok(()), Err)
}

/// Holds them, and pings if that is asked for.
async fn hold(load: &Rc<Load>, args: &IdleArgs) {
    let end = Instant::now() + args.hold;
    let all_gone = async {
        while load.open() > 0 {
            load.news.notified().await;
        }
    };
    let held = timeout_at(end, all_gone);
    // there is no more to do when nobody is left than when the time is over
    let Some(every) = args.ping_every else { return held.await.unwrap_or(()) };
    tokio::select! {
        _ = held => {}
        error = ping(load, every) => load.failed(format!("the timer failed: {error}")),
    }
    let all_answered = async {
        while load.ledger.borrow().pings.missing() > 0 && !load.is_broken() {
            load.news.notified().await;
        }
    };
    if timeout(PONG_WAIT_MAX, all_answered).await.is_err() {
        let mut ledger = load.ledger.borrow_mut();
        let missing = ledger.pings.missing();
        ledger.faults.lost += missing as u64;
        ledger.faults.tell(|| format!("{missing} connections did not answer their last ping"));
    }
}

/// Pings one connection after the other, evenly, so that each has its turn once in `every`.
async fn ping(load: &Rc<Load>, every: Duration) -> std::io::Error {
    let timer = match Timer::new() {
        Ok(timer) => timer,
        Err(error) => return error,
    };
    let (start, connections) = (load.now(), load.plan.receivers);
    let apart =
        float(u64::try_from(every.as_nanos()).unwrap_or(u64::MAX)) / float(connections as u64);
    let mut number = 0;
    loop {
        let due = due_at(start, number, apart);
        let now = load.now();
        if due > now {
            if let Err(error) = timer.wait(Duration::from_nanos(due - now)).await {
                return error;
            }
            continue;
        }
        let chosen = usize::try_from(number).unwrap_or(usize::MAX) % connections;
        if let Some(connection) = load.connection(chosen) {
            let mut payload = load.ledger.borrow_mut().pings.send(chosen, due);
            connection.append(OpCode::Ping, &mut payload);
            connection.flush();
        }
        number += 1;
        if number % PINGS_AT_ONCE_MAX == 0 {
            // Who is behind still reads the pongs.
            tokio::task::yield_now().await;
        }
    }
}

/// Pings in a row before the pongs get their turn.
const PINGS_AT_ONCE_MAX: u64 = 64;

fn report(load: &Load, moments: &Moments, latency: Histogram<u64>, interrupted: bool) -> Report {
    let Moments { before, connected, .. } = moments;
    let ledger = load.ledger.borrow();
    Report {
        name: load.plan.name,
        event: Event::Connect,
        connections: connected.open,
        size: load.plan.size,
        messages: 0,
        deliveries: latency.len(),
        duration: Duration::from_nanos(connected.at - before.at),
        latency,
        cost: connected.cost_since(before),
        clients: vec![connected.client_since(before)],
        due: None,
        faults: ledger.faults.clone(),
        jobs: vec![],
        rows: [hold_rows(&ledger.pings, moments), memory_rows(moments)].concat(),
        series: Series::default(),
        interrupted,
    }
}

/// What it costs to keep them.
fn hold_rows(pings: &Pings, Moments { connected, held, .. }: &Moments) -> Vec<Row> {
    // some came while others still connected
    let seen = held.pings_seen - connected.pings_seen;
    let seconds = Duration::from_nanos(held.at - connected.at).as_secs_f64();
    let mut rows = vec![
        Row::new("hold", "time", Unit::Seconds, seconds),
        Row::count("hold", "pings seen", seen),
    ];
    if pings.sent > 0 {
        rows.push(Row::count("hold", "pings sent", pings.sent));
        rows.push(Row::count("hold", "pongs", pings.answered));
        rows.extend(percentiles("pong", &pings.latency));
    }
    if let Some(cost) = held.cost_since(connected) {
        let micros = float(cost.cpu_ns()) / 1e3;
        rows.push(Row::new("hold", "server busy", Unit::Percent, micros / 1e4 / seconds));
        let count = seen + pings.answered;
        if count > 0 {
            let each = micros / float(count);
            rows.push(Row::new("hold", "cpu per ping", Unit::MicrosecondsEach, each));
        }
    }
    rows
}

/// The server's memory, and each held connection's share of what it grew by.
fn memory_rows(moments: &Moments) -> Vec<Row> {
    let Moments { before, held, after, .. } = moments;
    let connections = held.open as u64;
    let (Some(before), Some(held), Some(after)) = (before.memory, held.memory, after.memory) else {
        return vec![];
    };
    let each = |name, from: u64, to: u64| {
        let kib = (float(to) - float(from)) / 1024.0 / float(connections);
        Row::new("memory", name, Unit::KibibytesEach, kib)
    };
    vec![
        each("user per connection", before.anonymous_bytes, held.anonymous_bytes),
        each("resident per connection", before.resident_bytes, held.resident_bytes),
        each("user left per connection", before.anonymous_bytes, after.anonymous_bytes),
        Row::bytes("memory", "user before", before.anonymous_bytes),
        Row::bytes("memory", "user held", held.anonymous_bytes),
        Row::bytes("memory", "user after", after.anonymous_bytes),
    ]
}

impl Moment {
    fn of(load: &Load, server: Option<u32>) -> Self {
        Self {
            at: load.now(),
            open: load.open(),
            pings_seen: load.ledger.borrow().pings.seen,
            server: server.and_then(cost::Snapshot::take),
            memory: server.and_then(Memory::of),
            client: cost::Thread::of_this_thread(),
        }
    }

    fn cost_since(&self, before: &Self) -> Option<cost::Cost> {
        self.server.as_ref().zip(before.server.as_ref()).map(|(to, from)| to.since(from))
    }

    fn client_since(&self, before: &Self) -> ThreadCost {
        self.client.since(&before.client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(at: u64, kib: u64) -> Moment {
        let memory = Memory { resident_bytes: (kib + 500) << 10, anonymous_bytes: kib << 10 };
        Moment {
            at,
            open: 200,
            pings_seen: 7 * at,
            server: None,
            memory: Some(memory),
            client: cost::Thread::default(),
        }
    }

    #[test]
    fn memory_is_what_each_connection_adds() {
        let moments = Moments {
            before: moment(0, 1000),
            connected: moment(1, 1100),
            held: moment(2, 1250),
            after: moment(3, 1050),
        };
        let rows = memory_rows(&moments);
        let shown = |name: &str| rows.iter().find(|row| row.name == name).unwrap().shown();
        assert_eq!(shown("user per connection"), ("1.25".to_owned(), "KiB"));
        assert_eq!(shown("resident per connection"), ("1.25".to_owned(), "KiB"));
        assert_eq!(shown("user left per connection"), ("0.25".to_owned(), "KiB"));
        assert_eq!(shown("user before"), ("1,000".to_owned(), "KiB"));
        let unseen = Moments { held: Moment { memory: None, ..moment(2, 0) }, ..moments };
        assert_eq!(memory_rows(&unseen), []);
    }

    #[test]
    fn what_came_before_the_hold_is_not_of_it() {
        let moments = Moments {
            before: moment(0, 1000),
            connected: moment(2, 1000),
            held: Moment { open: 50, ..moment(5, 1100) },
            after: moment(6, 1000),
        };
        let held = memory_rows(&moments);
        assert_eq!(held[0].shown(), ("2.00".to_owned(), "KiB"), "50 of 200 are there: {held:?}");
        let rows = hold_rows(&Pings::new(200), &moments);
        assert_eq!(rows[1], Row::count("hold", "pings seen", 3 * 7));
    }
}
