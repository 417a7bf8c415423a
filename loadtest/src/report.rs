//! What a load found out, as a table or as JSON.

use std::fmt::Write as _;
use std::time::Duration;

use hdrhistogram::Histogram;

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
    /// The broker's CPU time in the measured part.
    pub(crate) server_cpu: Option<Duration>,
    /// This load's own CPU time in the measured part.
    pub(crate) client_cpu: Duration,
    /// What went wrong in any part.
    pub(crate) faults: Faults,
    /// Somebody pressed Ctrl-C.
    pub(crate) interrupted: bool,
}

/// Named values in the order of the report; what is not known is left out.
type Rows = Vec<(&'static str, String)>;

impl Report {
    /// One JSON object in one line.
    pub(crate) fn json(&self) -> String {
        let mut line = format!("{{\"scenario\":\"{}\"", self.name);
        for (name, value) in self.rows() {
            let name = name.replace([' ', '/'], "_").replace('.', "");
            write!(line, ",\"{name}\":{value}").expect("a String takes all");
        }
        let (interrupted, ok) = (self.interrupted, self.faults.is_none());
        write!(line, ",\"interrupted\":{interrupted},\"ok\":{ok}}}").expect("a String takes all");
        line
    }

    fn rows(&self) -> Rows {
        let seconds = self.duration.as_secs_f64();
        let mut rows = vec![
            ("connections", self.connections.to_string()),
            ("size", self.size.to_string()),
            ("seconds", format!("{seconds:.3}")),
            ("messages", self.messages.to_string()),
            ("deliveries", self.deliveries.to_string()),
            ("deliveries/s", format!("{:.0}", float(self.deliveries) / seconds.max(1e-9))),
        ];
        if !self.latency.is_empty() {
            let percentiles = PERCENTILES.map(|(name, percentile)| {
                (name, micros(self.latency.value_at_percentile(percentile)))
            });
            rows.extend(percentiles);
            rows.push(("max", micros(self.latency.max())));
        }
        if let Some(cpu) = self.server_cpu {
            rows.push(("server cpu", self.per_delivery(cpu)));
        }
        rows.push(("client cpu", self.per_delivery(self.client_cpu)));
        let busy = self.client_cpu.as_secs_f64() / seconds.max(1e-9) * 100.0;
        rows.push(("client busy", format!("{busy:.0}")));
        let Faults { lost, duplicated, reordered, alien, mangled, disconnected, .. } = &self.faults;
        rows.extend([
            ("lost", lost.to_string()),
            ("duplicated", duplicated.to_string()),
            ("reordered", reordered.to_string()),
            ("alien", alien.to_string()),
            ("mangled", mangled.to_string()),
            ("disconnected", disconnected.to_string()),
        ]);
        rows
    }

    fn per_delivery(&self, cpu: Duration) -> String {
        format!("{:.3}", cpu.as_secs_f64() * 1e6 / float(self.deliveries.max(1)))
    }
}

/// A column for each report.
pub(crate) fn table(reports: &[Report]) -> String {
    let columns: Vec<Rows> = reports.iter().map(Report::rows).collect();
    let mut text = format!("{:<22}", "");
    for report in reports {
        write!(text, "{:>16}", report.name).expect("a String takes all");
    }
    for (name, _) in columns.iter().max_by_key(|rows| rows.len()).into_iter().flatten() {
        write!(text, "\n{:<22}", label(name)).expect("a String takes all");
        for rows in &columns {
            let value = rows.iter().find(|row| row.0 == *name).map_or("", |row| &row.1);
            write!(text, "{value:>16}").expect("a String takes all");
        }
    }
    text
}

/// A name with its unit.
fn label(name: &str) -> String {
    match name {
        "size" => "size, bytes".to_owned(),
        "server cpu" | "client cpu" => format!("{name}, us each"),
        "client busy" => "client busy, %".to_owned(),
        latency if latency.starts_with('p') || latency == "max" => format!("{latency}, us"),
        name => name.to_owned(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "reports show fewer digits than a float keeps")]
fn float(value: u64) -> f64 {
    value as f64
}

fn micros(nanos: u64) -> String {
    format!("{:.1}", float(nanos) / 1e3)
}
