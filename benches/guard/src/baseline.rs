//! The committed counts, and how far from them a count may be.

use std::collections::BTreeMap;
use std::{fmt, io};

use crate::origin::Origin;

/// What anything may cost more than the baseline says.
pub(crate) const RATIO_MAX: f64 = 1.03;
/// What costs less than this is worth a new baseline, or it could get dearer again unseen.
pub(crate) const RATIO_RENEWED: f64 = 0.97;

/// Instructions of one unit, by the name of its workload.
pub(crate) type Counts = BTreeMap<String, f64>;

/// Counts and where they come from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Baseline {
    /// Where they come from.
    pub(crate) origin: Origin,
    /// What they are.
    pub(crate) counts: Counts,
}

/// Why there is no baseline.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BaselineError {
    /// The file.
    #[error("cannot read {path}: {0}; --renew writes it", path = crate::BASELINE)]
    Read(io::Error),
    /// A line of it.
    #[error("line {0} of the baseline is no name with a value: '{1}'")]
    Line(usize, String),
    /// A count that is none.
    #[error("line {0} of the baseline has no positive count: '{1}'")]
    Count(usize, String),
}

impl Baseline {
    /// Reads what [`Baseline`] displays.
    pub(crate) fn parse(text: &str) -> Result<Self, BaselineError> {
        let (mut origin, mut counts) = (Origin::default(), Counts::new());
        for (number, line) in text.lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = || BaselineError::Line(number + 1, line.to_owned());
            let (name, value) = line.split_once(" = ").ok_or_else(wrong)?;
            if origin.set(name, value) {
                continue;
            }
            let count = value.parse().ok().filter(|count| *count > 0.0 && f64::is_finite(*count));
            let none = || BaselineError::Count(number + 1, line.to_owned());
            counts.insert(name.to_owned(), count.ok_or_else(none)?);
        }
        Ok(Self { origin, counts })
    }

    /// Whether this workload costs more than it may. One that is not in the baseline does not.
    pub(crate) fn is_exceeded(&self, name: &str, count: f64) -> bool {
        self.counts.get(name).is_some_and(|baseline| exceeds(count, *baseline))
    }
}

/// Whether a count is more than this baseline allows.
pub(crate) fn exceeds(count: f64, baseline: f64) -> bool {
    count > baseline * RATIO_MAX
}

impl fmt::Display for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "# User instructions of one unit of each workload, and where they were counted."
        )?;
        writeln!(f, "# Renewed by: cargo run --release --package mercury-guard -- --renew")?;
        writeln!(f, "{}", self.origin)?;
        self.counts.iter().try_for_each(|(name, count)| writeln!(f, "{name} = {count:.2}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let origin = Origin { rustc: "1.0 (x = y)".to_owned(), ..Origin::of_this_program() };
        let counts = Counts::from([("a".to_owned(), 1.25), ("b-1".to_owned(), 13_203.0)]);
        let baseline = Baseline { origin, counts };
        assert_eq!(Baseline::parse(&baseline.to_string()).unwrap(), baseline);
    }

    #[test]
    fn the_committed_one_has_every_workload() {
        let text = std::fs::read_to_string(crate::BASELINE).unwrap();
        let baseline = Baseline::parse(&text).unwrap();
        let mut names = crate::chosen(&[]).unwrap();
        names.sort_unstable();
        assert_eq!(baseline.counts.keys().collect::<Vec<_>>(), names);
        for (name, value) in baseline.origin.fields() {
            assert!(!value.is_empty(), "the baseline does not say {name}");
        }
    }

    #[test]
    fn a_broken_line_is_named() {
        let error = |text: &str| Baseline::parse(text).unwrap_err().to_string();
        assert_eq!(error("a = 1\nb"), "line 2 of the baseline is no name with a value: 'b'");
        for count in ["x", "0", "-1", "inf", "NaN", ""] {
            let found = error(&format!("# c\n\na = {count}"));
            assert_eq!(
                found,
                format!("line 3 of the baseline has no positive count: 'a = {count}'")
            );
        }
    }

    #[test]
    fn three_percent_are_the_limit() {
        let baseline = Baseline::parse("a = 100").unwrap();
        assert!(!baseline.is_exceeded("a", 103.0));
        assert!(baseline.is_exceeded("a", 103.01));
        assert!(!baseline.is_exceeded("a", 1.0));
        assert!(!baseline.is_exceeded("b", 1e9));
    }
}
