//! Many connections that break at once and come back at once, while their topics are published on:
//! how long until all are back, what that costs, and whether anybody misses a message.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::arrivals::{Arrival, Arrivals};
use crate::cli::{Cut, StormArgs};
use crate::connection::{Refusal, Target};
use crate::cost::{self, Cost};
use crate::interrupt::Interrupt;
use crate::latencies;
use crate::load::Load;
use crate::measurement::{Outcome, Snapshot, report, wait};
use crate::progress::{Part, Progress};
use crate::publisher;
use crate::report::{Report, Row, Unit, float, percentiles};
use crate::scenario::Plan;
use crate::series::Sampler;
use crate::watch::watch;

/// When to try again after an answer without a time, or none.
const RETRY: Duration = Duration::from_secs(1);
/// A server's longest time that is honoured.
const RETRY_SECONDS_MAX: u64 = 3600;
/// A connection that has not ended this long after our Close will not.
const CLOSE_WAIT_MAX: Duration = Duration::from_secs(5);

/// What the waves have brought so far.
struct Storm {
    /// The load.
    load: Rc<Load>,
    /// Who comes.
    arrivals: Arrivals,
    /// The task that reads each subscriber.
    readers: Vec<JoinHandle<()>>,
    /// Who has ended of those who were cut last.
    gone: UnboundedReceiver<usize>,
    /// The server's process.
    server: Option<u32>,
    /// Waves that are over.
    waves: Vec<Wave>,
    /// Nanoseconds of each handshake that brought somebody back.
    latency: Histogram<u64>,
    /// Refused handshakes by status.
    refusals: BTreeMap<u16, u64>,
    /// Handshakes without an answer that makes sense.
    errors: u64,
}

/// One wave.
struct Wave {
    /// From the cut until the last one was back.
    took: Duration,
    /// How many came back.
    back: u64,
    /// What the server used up meanwhile.
    cost: Option<Cost>,
}

/// Connects, cuts wave by wave, and waits for what is under way.
pub(crate) async fn run(
    plan: Plan,
    target: &Target,
    server: Option<u32>,
    args: &StormArgs,
) -> Result<Vec<Report>, String> {
    let mut interrupt = Interrupt::listen();
    let mut storm = Storm::connect(Load::new(plan), target, server).await?;
    let load = Rc::clone(&storm.load);
    let mut progress = Progress::new(true);
    tokio::task::spawn_local(publisher::publish(Rc::clone(&load)));
    load.ledger.borrow_mut().let_leave();
    load.start();
    let before = Snapshot::take(&load, server);
    load.ledger.borrow_mut().measured = before.at..u64::MAX;
    let mut sampler = Sampler::new(server, before.at, 0);
    let deliveries = |load: &Load| load.ledger.borrow().deliveries;
    let part = Part::Reconnecting(load.plan.connections() as u64);
    let mut is_interrupted = tokio::select! {
        outcome = storm.waves(args) => outcome.map(|()| false),
        () = interrupt.heard() => Ok(true),
        () = load.until_broken() => Ok(false),
        never = watch(&load, part, &mut sampler, &mut progress, deliveries) => match never {},
    }
    .map_err(|error| format!("{target}: {error}"))?;
    let after = Snapshot::take(&load, server);
    load.ledger.borrow_mut().measured.end = after.at;
    load.ledger.borrow_mut().stop();
    storm.let_go().await;
    if !load.is_finished() {
        let outcome = wait(&load, Part::Rest, &mut progress, &mut interrupt, None).await;
        is_interrupted |= outcome == Outcome::Interrupted;
    }
    progress.end();
    load.close().await;
    let series = sampler.finish(after.at, after.deliveries);
    let rows = storm.rows();
    Ok(vec![Report { series, rows, ..report(&load, &before, &after, is_interrupted) }])
}

impl Storm {
    /// All are here, for the first time.
    async fn connect(load: Rc<Load>, target: &Target, server: Option<u32>) -> Result<Self, String> {
        let failed = |error| format!("{target}: {error}");
        let mut readers: Vec<_> = (0..load.plan.connections()).map(|_| None).collect();
        load.fill(target, None, |number, _, reader| readers[number] = Some(reader)).await?;
        Ok(Self {
            arrivals: Arrivals::new(&load.plan, target).await.map_err(failed)?,
            readers: readers.into_iter().flatten().collect(),
            gone: unbounded_channel().1,
            load,
            server,
            waves: vec![],
            latency: latencies::empty(),
            refusals: BTreeMap::new(),
            errors: 0,
        })
    }

    /// One wave after the other, with a pause before, between and behind.
    async fn waves(&mut self, args: &StormArgs) -> Result<(), String> {
        for number in 1..=args.waves {
            sleep(args.pause).await;
            let wave = timeout(args.patience, self.wave(args)).await;
            if let Ok(wave) = wave {
                self.waves.push(wave?);
            } else {
                let missing = self.load.plan.connections() - self.load.open();
                let patience = args.patience;
                let sentence = format!("wave {number}: {missing} were not back after {patience:?}");
                self.load.lost(missing, sentence);
            }
            if self.load.is_broken() {
                return Ok(());
            }
        }
        sleep(args.pause).await;
        Ok(())
    }

    /// Cuts, and lets each come back as soon as its connection has ended.
    async fn wave(&mut self, args: &StormArgs) -> Result<Wave, String> {
        let before = self.server.and_then(cost::Snapshot::take);
        let start = Instant::now();
        self.gone = self.cut(args);
        let count = args.cut_of(self.load.plan.receivers);
        let (mut invited, mut back) = (0, 0);
        while back < count {
            tokio::select! {
                Some(number) = self.gone.recv() => {
                    self.load.ledger.borrow_mut().leave(number);
                    let due = args.reconnect_rate.map(|rate| {
                        start + Duration::from_secs_f64(f64::from(invited) / rate)
                    });
                    self.arrivals.invite(number, due);
                    invited += 1;
                }
                Some(arrival) = self.arrivals.next(&self.load.plan) => {
                    back += usize::from(self.arrive(arrival)?);
                }
                else => return Err("a connection did not end after our Close".to_owned()),
            }
        }
        let took = start.elapsed();
        let after = self.server.and_then(cost::Snapshot::take);
        let cost = after.zip(before).map(|(after, before)| after.since(&before));
        Ok(Wave { took, back: back as u64, cost })
    }

    /// Ends the first connections, all at once; says who has ended, as it happens.
    fn cut(&mut self, args: &StormArgs) -> UnboundedReceiver<usize> {
        let (tell, gone) = unbounded_channel();
        let count = args.cut_of(self.load.plan.receivers);
        for (number, reader) in self.readers.iter_mut().take(count).enumerate() {
            // its successor stands in when it is back
            let reader = std::mem::replace(reader, tokio::task::spawn_local(async {}));
            match args.cut {
                Cut::Reset => reader.abort(),
                Cut::Close => {
                    if let Some(connection) = self.load.connection(number) {
                        connection.close(self.load.plan.server.dialect.farewell());
                    }
                }
            }
            let end = end(Rc::clone(&self.load), number, reader, tell.clone());
            tokio::task::spawn_local(end);
        }
        gone
    }

    /// Those who were cut and are still on their way out leave, too, where a wave is given up.
    async fn let_go(&mut self) {
        while let Some(number) = self.gone.recv().await {
            self.load.ledger.borrow_mut().leave(number);
        }
    }

    /// Takes in who came, or sees to it that it tries again; whether it is back.
    fn arrive(&mut self, arrival: Arrival) -> Result<bool, String> {
        let Arrival { number, took, outcome } = arrival;
        let refusal = match outcome {
            Ok(opened) => {
                self.load.ledger.borrow_mut().come_back(number);
                self.readers[number] = self.load.admit(number, opened);
                self.latency.saturating_record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
                return Ok(true);
            }
            Err(refusal) => refusal,
        };
        match &refusal {
            Refusal::Status { status, .. } => *self.refusals.entry(*status).or_default() += 1,
            Refusal::Broken(_) => self.errors += 1,
        }
        let after = retry_after(&refusal).ok_or_else(|| refusal.to_string())?;
        self.arrivals.invite(number, Some(Instant::now() + after));
        Ok(false)
    }

    fn rows(&self) -> Vec<Row> {
        let back: u64 = self.waves.iter().map(|wave| wave.back).sum();
        let seconds: f64 = self.waves.iter().map(|wave| wave.took.as_secs_f64()).sum();
        let handshakes = float(back) / seconds;
        let mut rows = vec![
            Row::count("reconnects", "waves", self.waves.len() as u64),
            Row::count("reconnects", "back", back),
            Row::new("reconnects", "handshakes", Unit::PerSecond, handshakes),
        ];
        let took = |wave: &Wave| wave.took;
        if let Some(slowest) = self.waves.iter().map(took).max() {
            let slowest = slowest.as_secs_f64();
            rows.push(Row::new("reconnects", "slowest wave", Unit::Seconds, slowest));
        }
        for (place, wave) in self.waves.iter().enumerate() {
            let name = format!("wave {}", place + 1);
            rows.push(Row::new("reconnects", name, Unit::Seconds, wave.took.as_secs_f64()));
        }
        let sum = |part: fn(&Cost) -> u64| -> Option<u64> {
            self.waves.iter().map(|wave| wave.cost.as_ref().map(part)).sum()
        };
        for (name, ns) in [
            ("cpu per reconnect", sum(Cost::cpu_ns)),
            ("user per reconnect", sum(|cost| cost.user_ns)),
            ("system per reconnect", sum(|cost| cost.system_ns)),
        ] {
            let each = ns.map(|ns| float(ns) / 1e3 / float(back));
            rows.extend(
                each.map(|each| Row::new("reconnects", name, Unit::MicrosecondsEach, each)),
            );
        }
        for (status, count) in &self.refusals {
            rows.push(Row::count("reconnects", format!("refused with {status}"), *count));
        }
        rows.push(Row::count("reconnects", "no answer", self.errors));
        rows.extend(percentiles("connect", &self.latency));
        rows
    }
}

/// Waits until a connection has ended that was cut, and says so; nobody listens when the wave is
/// given up.
async fn end(load: Rc<Load>, number: usize, reader: JoinHandle<()>, tell: UnboundedSender<usize>) {
    match timeout(CLOSE_WAIT_MAX, reader).await {
        // It has told the load itself.
        Ok(Ok(())) => {}
        Ok(Err(_)) => load.reset(number),
        Err(_) => {
            return load.failed("a connection did not end after our Close".to_owned());
        }
    }
    tell.send(number).ok();
}

/// When one who was refused may try again; none if that makes no sense.
fn retry_after(refusal: &Refusal) -> Option<Duration> {
    match refusal {
        Refusal::Status { status: 429 | 503, retry_after, .. } => Some(
            retry_after.map_or(RETRY, |after| Duration::from_secs(after.min(RETRY_SECONDS_MAX))),
        ),
        Refusal::Status { .. } => None,
        Refusal::Broken(_) => Some(RETRY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_refused_waits_as_long_as_the_server_says() {
        let after = |status, retry_after| {
            let path = "/sub/t".to_owned();
            retry_after_of(Refusal::Status { path, status, retry_after })
        };
        assert_eq!(after(503, Some(7)), Some(Duration::from_secs(7)));
        assert_eq!(after(503, None), Some(RETRY));
        assert_eq!(after(429, Some(0)), Some(Duration::ZERO));
        assert_eq!(after(503, Some(u64::MAX)), Some(Duration::from_hours(1)));
        assert_eq!(after(404, Some(7)), None);
        assert_eq!(retry_after_of(Refusal::Broken("reset".to_owned())), Some(RETRY));
    }

    #[expect(clippy::needless_pass_by_value, reason = "it reads better")]
    fn retry_after_of(refusal: Refusal) -> Option<Duration> {
        retry_after(&refusal)
    }
}
