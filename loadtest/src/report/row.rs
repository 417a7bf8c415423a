//! One figure of a report: its name, its unit, its value.

use mercury::grouped::Grouped;
use serde::{Deserialize, Serialize, Serializer};

/// Integers up to here are exact as floats.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// From so many on, bytes are shown as KiB.
const KIB_FROM: f64 = 64.0;

/// A named figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    /// What it belongs to, like `latency`; rows of a group stand together.
    pub(crate) group: String,
    /// What it is, like `p99`; within its group there is one of the name.
    pub(crate) name: String,
    /// What it counts.
    pub(crate) unit: Unit,
    /// How many of that, finite.
    #[serde(serialize_with = "shortest")]
    pub(crate) value: f64,
}

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unit {
    /// Whole things.
    Count,
    /// Things in a second.
    PerSecond,
    /// Time on the clock.
    Seconds,
    /// Latency.
    Microseconds,
    /// CPU time for each delivery or connection.
    MicrosecondsEach,
    /// Of one CPU.
    Percent,
    /// Memory or messages.
    Bytes,
    /// Memory of each connection.
    KibibytesEach,
}

impl Row {
    /// A figure; one that is not finite, as of a division by nothing, is 0.
    pub(crate) fn new(group: &str, name: impl Into<String>, unit: Unit, value: f64) -> Self {
        let value = if value.is_finite() { value } else { 0.0 };
        Self { group: group.to_owned(), name: name.into(), unit, value }
    }

    /// A number of things.
    pub(crate) fn count(group: &str, name: impl Into<String>, value: u64) -> Self {
        Self::new(group, name, Unit::Count, float(value))
    }

    /// Bytes.
    pub(crate) fn bytes(group: &str, name: impl Into<String>, value: u64) -> Self {
        Self::new(group, name, Unit::Bytes, float(value))
    }

    /// The value as people read it, and the sign of its unit.
    pub(crate) fn shown(&self) -> (String, &'static str) {
        let is_large = self.unit == Unit::Bytes && self.value >= 1024.0 * KIB_FROM;
        let (value, sign) =
            if is_large { (self.value / 1024.0, "KiB") } else { (self.value, self.unit.sign()) };
        (shown(self.unit, value), sign)
    }
}

/// A value as people read it, without its unit.
pub(crate) fn shown(unit: Unit, value: f64) -> String {
    let decimals = match unit {
        Unit::Count | Unit::PerSecond | Unit::Percent | Unit::Bytes => 0,
        Unit::Microseconds => 1,
        Unit::KibibytesEach => 2,
        Unit::Seconds | Unit::MicrosecondsEach => 3,
    };
    grouped(&format!("{value:.decimals$}"))
}

impl Unit {
    /// Its sign behind a value.
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::Count => "",
            Self::PerSecond => "/s",
            Self::Seconds => "s",
            Self::Microseconds | Self::MicrosecondsEach => "µs",
            Self::Percent => "%",
            Self::Bytes => "B",
            Self::KibibytesEach => "KiB",
        }
    }
}

/// A whole number as figures are kept: exact up to 2^53, which no load counts to.
#[expect(clippy::cast_precision_loss, reason = "reports show fewer digits than a float keeps")]
pub(crate) fn float(value: u64) -> f64 {
    value as f64
}

/// A decimal number with commas between its thousands.
fn grouped(number: &str) -> String {
    let (whole, fraction) = number.split_at(number.find('.').unwrap_or(number.len()));
    let digits = whole.trim_start_matches('-');
    let sign = &whole[..whole.len() - digits.len()];
    match digits.parse() {
        Ok(digits) => format!("{sign}{}{fraction}", Grouped(digits)),
        // more than anybody reads
        Err(_) => number.to_owned(),
    }
}

/// Whole numbers without a fraction, as people and `jq` like them.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes what it serializes so")]
fn shortest<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and within the bound")]
    if value.fract() == 0.0 && value.abs() <= EXACT_MAX {
        return serializer.serialize_i64(*value as i64);
    }
    serializer.serialize_f64(*value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_people_write() {
        let shown = |unit, value| Row::new("g", "n", unit, value).shown().0;
        assert_eq!(shown(Unit::Count, 1_234_567.0), "1,234,567");
        assert_eq!(shown(Unit::Count, 999.0), "999");
        assert_eq!(shown(Unit::Microseconds, 1234.56), "1,234.6");
        assert_eq!(shown(Unit::MicrosecondsEach, -1000.0), "-1,000.000");
        assert_eq!(shown(Unit::Percent, f64::NAN), "0");
        assert_eq!(shown(Unit::Bytes, 65_535.0), "65,535");
        assert_eq!(Row::bytes("g", "n", 65_536).shown(), ("64".to_owned(), "KiB"));
    }

    #[test]
    fn survives_json() {
        let rows = [
            Row::count("load", "messages", 7),
            Row::bytes("load", "size", 1 << 40),
            Row::new("latency", "p99.9", Unit::Microseconds, 0.1 + 0.2),
        ];
        let text = serde_json::to_string(&rows).unwrap();
        assert!(text.contains("\"unit\":\"count\",\"value\":7}"), "{text}");
        assert_eq!(serde_json::from_str::<Vec<Row>>(&text).unwrap(), rows);
    }
}
