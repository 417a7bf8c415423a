//! What a load found out, and the forms in which it is shown and kept.

mod axis;
mod bars;
mod charts;
mod curves;
mod document;
mod event;
mod grid;
mod machine;
mod markup;
mod page;
mod plot;
mod row;
mod runs;
mod spread;
mod summary;
mod table;

use std::time::Duration;

use hdrhistogram::Histogram;

pub(crate) use self::axis::{number, time};
pub(crate) use self::bars::{Bar, bars};
pub(crate) use self::charts::{Subject, plots};
pub(crate) use self::curves::{Curve, curves};
pub(crate) use self::document::{Document, Invocation, is_standard_output, write};
pub(crate) use self::event::Event;
pub(crate) use self::grid::{Grid, GridLine, figure, rows};
pub(crate) use self::machine::Machine;
pub(crate) use self::page::{Page, Remark, Run};
pub(crate) use self::plot::Plot;
pub(crate) use self::row::{Row, Unit, float, shown};
pub(crate) use self::runs::Runs;
pub(crate) use self::spread::Spread;
pub(crate) use self::summary::{Percentile, Summary};
pub(crate) use self::table::{drawn, table};
use crate::bottleneck::{Bottleneck, Sides};
use crate::cost::{Cost, ThreadCost};
use crate::faults::Faults;
use crate::series::Series;

/// Percentiles that are rows.
const PERCENTILES: [(&str, f64); 4] =
    [("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p99.9", 99.9)];
/// Points of the latency distribution for each halving of what is slower: some 130 for a billion
/// deliveries.
const POINTS_PER_HALVING: u32 = 5;

/// The result of one load.
pub(crate) struct Report {
    /// The scenario, or its part.
    pub(crate) name: &'static str,
    /// What is counted.
    pub(crate) event: Event,
    /// How many were open.
    pub(crate) connections: usize,
    /// Bytes of a message.
    pub(crate) size: usize,
    /// Messages sent in the measured part.
    pub(crate) messages: u64,
    /// First deliveries in the measured part, or what else is counted.
    pub(crate) deliveries: u64,
    /// How long the measured part was.
    pub(crate) duration: Duration,
    /// Nanoseconds from sending (or when it was due) to each delivery, of the messages sent in
    /// the measured part.
    pub(crate) latency: Histogram<u64>,
    /// How the measured part went over time.
    pub(crate) series: Series,
    /// What the measured part cost the broker.
    pub(crate) cost: Option<Cost>,
    /// What the measured part cost each thread of this load.
    pub(crate) clients: Vec<ThreadCost>,
    /// Messages that were due in the measured part; none in a closed loop.
    pub(crate) due: Option<u64>,
    /// What went wrong in any part.
    pub(crate) faults: Faults,
    /// Measured jobs of each puller; empty where there are none.
    pub(crate) jobs: Vec<u64>,
    /// What only this scenario measures.
    pub(crate) rows: Vec<Row>,
    /// Somebody pressed Ctrl-C.
    pub(crate) interrupted: bool,
}

impl Report {
    /// This and the report of another client thread about its part of the same time.
    pub(crate) fn join(mut self, other: Self) -> Self {
        self.connections += other.connections;
        self.messages += other.messages;
        self.deliveries += other.deliveries;
        self.duration = self.duration.max(other.duration);
        self.latency.add(&other.latency).expect("all histograms have the same bounds");
        self.series.join(other.series);
        self.cost = self.cost.or(other.cost);
        self.clients.extend(other.clients);
        self.jobs.extend(other.jobs);
        self.due = self.due.zip(other.due).map(|(one, other)| one + other);
        self.faults.join(other.faults);
        self.interrupted |= other.interrupted;
        self
    }

    /// As it is kept.
    pub(crate) fn summary(&self) -> Summary {
        Summary {
            name: self.name.to_owned(),
            event: self.event,
            rows: self.all_rows(),
            latency: self.distribution(),
            series: self.series.clone(),
            bottleneck: self.bottleneck(),
            faults: self.faults.examples.clone(),
            interrupted: self.interrupted,
            ok: self.faults.is_none(),
        }
    }

    /// Who kept the load from being more.
    fn bottleneck(&self) -> Bottleneck {
        Bottleneck::find(&Sides {
            duration: self.duration,
            clients: &self.clients,
            server: self.cost.as_ref().map(|cost| cost.threads.as_slice()),
            due_and_sent: self.due.map(|due| (due, self.messages)),
        })
    }

    fn all_rows(&self) -> Vec<Row> {
        let rate = float(self.deliveries) / self.seconds();
        let mut rows = vec![Row::count("load", "connections", self.connections as u64)];
        let time = Row::new("load", "time", Unit::Seconds, self.duration.as_secs_f64());
        match self.event {
            Event::Delivery => rows.extend([
                Row::bytes("load", "size", self.size as u64),
                time,
                Row::count("load", "messages", self.messages),
            ]),
            Event::Connect => rows.push(time),
        }
        rows.push(Row::count("load", self.event.many(), self.deliveries));
        rows.push(Row::new("load", "throughput", Unit::PerSecond, rate));
        rows.extend(percentiles("latency", &self.latency));
        if let Some((fewest, most)) = self.jobs.iter().min().zip(self.jobs.iter().max()) {
            rows.push(Row::count("pullers", "fewest jobs", *fewest));
            rows.push(Row::count("pullers", "most jobs", *most));
        }
        rows.extend(self.rows.iter().cloned());
        if let Some(cost) = &self.cost {
            rows.extend(self.cost_rows(cost));
        }
        let client_ns = self.clients.iter().map(ThreadCost::cpu_ns);
        let busiest = client_ns.clone().max().unwrap_or(0);
        rows.extend([
            self.per_event("client", "cpu", client_ns.sum()),
            self.busy("client", "busy", busiest),
        ]);
        let Faults { lost, duplicated, reordered, alien, mangled, .. } = self.faults;
        let Faults { disconnected, crashed, .. } = self.faults;
        rows.extend([
            Row::count("faults", "lost", lost),
            Row::count("faults", "duplicated", duplicated),
            Row::count("faults", "reordered", reordered),
            Row::count("faults", "alien", alien),
            Row::count("faults", "mangled", mangled),
            Row::count("faults", "disconnected", disconnected),
            Row::count("faults", "crashed", crashed),
        ]);
        rows
    }

    /// The broker's share, with two rows for each shard.
    fn cost_rows(&self, cost: &Cost) -> Vec<Row> {
        let switches = float(cost.switches()) / self.seconds();
        let mut rows = vec![
            self.per_event("server", "cpu", cost.cpu_ns()),
            self.per_event("server", "user", cost.user_ns),
            self.per_event("server", "system", cost.system_ns),
            Row::new("server", "switches", Unit::PerSecond, switches),
            Row::bytes("server", "resident", cost.resident_bytes),
            Row::bytes("server", "resident max", cost.resident_bytes_max),
        ];
        for shard in cost.shards() {
            let name = &shard.name;
            rows.push(self.per_event("server", &format!("{name} cpu"), shard.cpu_ns()));
            rows.push(self.busy("server", &format!("{name} busy"), shard.cpu_ns()));
        }
        rows
    }

    /// The latencies that so many per cent did not exceed, closer together towards the slowest.
    fn distribution(&self) -> Vec<Percentile> {
        let points = self.latency.iter_quantiles(POINTS_PER_HALVING).map(|point| Percentile {
            percentile: point.quantile_iterated_to() * 100.0,
            microseconds: float(point.value_iterated_to()) / 1e3,
        });
        points.collect()
    }

    fn per_event(&self, group: &str, what: &str, cpu_ns: u64) -> Row {
        let each = float(cpu_ns) / 1e3 / float(self.deliveries.max(1));
        let name = format!("{what} per {}", self.event.one());
        Row::new(group, name, Unit::MicrosecondsEach, each)
    }

    /// Per cent of the measured time.
    fn busy(&self, group: &str, name: &str, cpu_ns: u64) -> Row {
        Row::new(group, name, Unit::Percent, float(cpu_ns) / 1e7 / self.seconds())
    }

    fn seconds(&self) -> f64 {
        self.duration.as_secs_f64().max(1e-9)
    }
}

/// The rows of a group that says how long things took; none if there were none.
pub(crate) fn percentiles(group: &str, nanos: &Histogram<u64>) -> Vec<Row> {
    if nanos.is_empty() {
        return vec![];
    }
    let micros = |name, nanos| Row::new(group, name, Unit::Microseconds, float(nanos) / 1e3);
    let mut rows: Vec<Row> = PERCENTILES
        .iter()
        .map(|(name, percentile)| micros(*name, nanos.value_at_percentile(*percentile)))
        .collect();
    rows.push(micros("max", nanos.max()));
    rows
}
