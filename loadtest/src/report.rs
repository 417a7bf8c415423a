//! What a load found out, as a table or as JSON.

use std::fmt::Write as _;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::bottleneck::{Bottleneck, Sides};
use crate::cost::{Cost, ThreadCost};
use crate::faults::Faults;

/// Percentiles and their names in both forms.
const PERCENTILES: [(&str, f64); 4] =
    [("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p99.9", 99.9)];

/// The result of one load.
pub(crate) struct Report {
    /// The scenario, or its part.
    pub(crate) name: &'static str,
    /// How many were open.
    pub(crate) connections: usize,
    /// Bytes of a message.
    pub(crate) size: usize,
    /// Messages sent in the measured part.
    pub(crate) messages: u64,
    /// First deliveries in the measured part.
    pub(crate) deliveries: u64,
    /// How long the measured part was.
    pub(crate) duration: Duration,
    /// Nanoseconds from sending (or when it was due) to each delivery, of the messages sent in
    /// the measured part.
    pub(crate) latency: Histogram<u64>,
    /// What the measured part cost the broker.
    pub(crate) cost: Option<Cost>,
    /// What the measured part cost each thread of this load.
    pub(crate) clients: Vec<ThreadCost>,
    /// Messages that were due in the measured part; none in a closed loop.
    pub(crate) due: Option<u64>,
    /// What went wrong in any part.
    pub(crate) faults: Faults,
    /// Somebody pressed Ctrl-C.
    pub(crate) interrupted: bool,
}

/// Named values in the order of the report; what is not known is left out.
type Rows = Vec<(String, String)>;

impl Report {
    /// One JSON object in one line.
    pub(crate) fn json(&self) -> String {
        let mut line = format!("{{\"scenario\":\"{}\"", self.name);
        for (name, value) in self.rows() {
            let name = name.replace([' ', '/', '-'], "_").replace('.', "");
            write!(line, ",\"{name}\":{value}").expect("a String takes all");
        }
        let bottleneck = self.bottleneck();
        let (limit, sentence) = (bottleneck.limit.name(), bottleneck.sentence.unwrap_or_default());
        write!(line, ",\"bottleneck\":\"{limit}\",\"bottleneck_why\":\"{sentence}\"")
            .expect("a String takes all");
        let (interrupted, ok) = (self.interrupted, self.faults.is_none());
        write!(line, ",\"interrupted\":{interrupted},\"ok\":{ok}}}").expect("a String takes all");
        line
    }

    /// Who kept the load from being more.
    pub(crate) fn bottleneck(&self) -> Bottleneck {
        Bottleneck::find(&Sides {
            duration: self.duration,
            clients: &self.clients,
            server: self.cost.as_ref().map(|cost| cost.threads.as_slice()),
            due_and_sent: self.due.map(|due| (due, self.messages)),
        })
    }

    fn rows(&self) -> Rows {
        let seconds = self.duration.as_secs_f64();
        let mut rows = named([
            ("connections", self.connections.to_string()),
            ("size", self.size.to_string()),
            ("seconds", format!("{seconds:.3}")),
            ("messages", self.messages.to_string()),
            ("deliveries", self.deliveries.to_string()),
            ("deliveries/s", format!("{:.0}", float(self.deliveries) / seconds.max(1e-9))),
        ]);
        if !self.latency.is_empty() {
            rows.extend(named(PERCENTILES.map(|(name, percentile)| {
                (name, micros(self.latency.value_at_percentile(percentile)))
            })));
            rows.extend(named([("max", micros(self.latency.max()))]));
        }
        if let Some(cost) = &self.cost {
            rows.extend(self.cost_rows(cost));
        }
        let busiest = self.clients.iter().map(ThreadCost::cpu_ns).max().unwrap_or(0);
        rows.extend(named([
            ("client cpu", self.per_delivery(self.clients.iter().map(ThreadCost::cpu_ns).sum())),
            ("client busy", self.busy(busiest)),
        ]));
        let Faults { lost, duplicated, reordered, alien, mangled, disconnected, .. } = &self.faults;
        rows.extend(named([
            ("lost", lost.to_string()),
            ("duplicated", duplicated.to_string()),
            ("reordered", reordered.to_string()),
            ("alien", alien.to_string()),
            ("mangled", mangled.to_string()),
            ("disconnected", disconnected.to_string()),
        ]));
        rows
    }

    /// The broker's share, with two rows for each shard.
    fn cost_rows(&self, cost: &Cost) -> Rows {
        let seconds = self.duration.as_secs_f64().max(1e-9);
        let mut rows = named([
            ("server cpu", self.per_delivery(cost.cpu_ns())),
            ("server user", self.per_delivery(cost.user_ns)),
            ("server system", self.per_delivery(cost.system_ns)),
            ("server switches/s", format!("{:.0}", float(cost.switches()) / seconds)),
            ("server resident", kibibytes(cost.resident_bytes)),
            ("server resident max", kibibytes(cost.resident_bytes_max)),
        ]);
        for shard in cost.shards() {
            rows.push((format!("{} cpu", shard.name), self.per_delivery(shard.cpu_ns())));
            rows.push((format!("{} busy", shard.name), self.busy(shard.cpu_ns())));
        }
        rows
    }

    fn per_delivery(&self, cpu_ns: u64) -> String {
        format!("{:.3}", float(cpu_ns) / 1e3 / float(self.deliveries.max(1)))
    }

    /// Per cent of the measured time.
    fn busy(&self, cpu_ns: u64) -> String {
        format!("{:.0}", float(cpu_ns) / 1e7 / self.duration.as_secs_f64().max(1e-9))
    }
}

/// A column for each report.
pub(crate) fn table(reports: &[Report]) -> String {
    let columns: Vec<Rows> = reports.iter().map(Report::rows).collect();
    let mut text = format!("{:<26}", "");
    for report in reports {
        write!(text, "{:>16}", report.name).expect("a String takes all");
    }
    for (name, _) in columns.iter().max_by_key(|rows| rows.len()).into_iter().flatten() {
        write!(text, "\n{:<26}", label(name)).expect("a String takes all");
        for rows in &columns {
            let value = rows.iter().find(|row| &row.0 == name).map_or("", |row| &row.1);
            write!(text, "{value:>16}").expect("a String takes all");
        }
    }
    text
}

/// A name with its unit.
fn label(name: &str) -> String {
    match name {
        "size" => "size, bytes".to_owned(),
        "server user" | "server system" => format!("{name}, us each"),
        "server resident" | "server resident max" => format!("{name}, KiB"),
        cpu if cpu.ends_with(" cpu") => format!("{name}, us each"),
        busy if busy.ends_with(" busy") => format!("{name}, %"),
        latency if latency.starts_with('p') || latency == "max" => format!("{latency}, us"),
        name => name.to_owned(),
    }
}

fn named<const N: usize>(rows: [(&str, String); N]) -> Rows {
    rows.map(|(name, value)| (name.to_owned(), value)).into()
}

#[expect(clippy::cast_precision_loss, reason = "reports show fewer digits than a float keeps")]
fn float(value: u64) -> f64 {
    value as f64
}

fn kibibytes(bytes: u64) -> String {
    (bytes / 1024).to_string()
}

fn micros(nanos: u64) -> String {
    format!("{:.1}", float(nanos) / 1e3)
}
