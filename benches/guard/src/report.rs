//! Counts beside those of the baseline, and what is to be said of them.

use std::fmt;

use crate::baseline::{Baseline, Counts, RATIO_MAX, RATIO_RENEWED, exceeds};
use crate::origin::Origin;

/// What came of a comparison.
#[derive(Debug)]
pub(crate) struct Report {
    /// Name, baseline, count; one of the two may be missing.
    lines: Vec<(String, Option<f64>, Option<f64>)>,
    /// What differs from where the baseline comes from: name, there, here.
    differences: Vec<(&'static str, String, String)>,
}

impl Report {
    /// Compares. `is_whole` says that every workload was counted.
    pub(crate) fn new(
        baseline: &Baseline,
        origin: &Origin,
        counts: &Counts,
        is_whole: bool,
    ) -> Self {
        let mut lines: Vec<_> = counts
            .iter()
            .map(|(name, count)| (name.clone(), baseline.counts.get(name).copied(), Some(*count)))
            .collect();
        if is_whole {
            let gone = baseline.counts.iter().filter(|(name, _)| !counts.contains_key(*name));
            lines.extend(gone.map(|(name, count)| (name.clone(), Some(*count), None)));
        }
        let pairs = baseline.origin.fields().into_iter().zip(origin.fields());
        let differences = pairs
            .filter(|((_, there), (_, here))| there != here)
            .map(|((name, there), (_, here))| (name, there.to_owned(), here.to_owned()))
            .collect();
        Self { lines, differences }
    }

    /// Whether nothing costs more than it may, or nobody can tell.
    pub(crate) fn is_fine(&self) -> bool {
        !self.differences.is_empty() || self.faults().next().is_none()
    }

    /// What must not be.
    fn faults(&self) -> impl Iterator<Item = String> {
        self.lines.iter().filter_map(|(name, baseline, count)| match (baseline, count) {
            (Some(baseline), Some(count)) if exceeds(*count, *baseline) => Some(format!(
                "{name} takes {count:.2} instructions, {:.3} times the {baseline:.2} of the \
                 baseline and more than {RATIO_MAX} times",
                count / baseline
            )),
            (None, _) => Some(format!("{name} is not in the baseline")),
            (_, None) => Some(format!("{name} is in the baseline, and there is no such workload")),
            _ => None,
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<26} {:>12} {:>12} {:>7}", "instructions", "baseline", "now", "ratio")?;
        let number =
            |count: &Option<f64>| count.map_or("-".to_owned(), |count| format!("{count:.2}"));
        let mut cheaper = vec![];
        for (name, baseline, count) in &self.lines {
            let ratio = baseline.zip(*count).map(|(baseline, count)| count / baseline);
            let shown = ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.3}"));
            writeln!(f, "{name:<26} {:>12} {:>12} {shown:>7}", number(baseline), number(count))?;
            if ratio.is_some_and(|ratio| ratio < RATIO_RENEWED) {
                cheaper.push(name.as_str());
            }
        }
        if !self.differences.is_empty() {
            writeln!(f, "\nNothing is judged, since the baseline is from elsewhere:")?;
            for (name, there, here) in &self.differences {
                writeln!(f, "  {name} is {here}, the baseline's is {there}")?;
            }
            return Ok(());
        }
        if !cheaper.is_empty() {
            writeln!(
                f,
                "\nCheaper, renew the baseline so that it stays so: {}",
                cheaper.join(", ")
            )?;
        }
        for fault in self.faults() {
            writeln!(f, "FAILED: {fault}")?;
        }
        if !self.is_fine() {
            writeln!(
                f,
                "Where this is meant: cargo run --release --package mercury-guard -- --renew"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(origin: &str, counts: &[(&str, f64)], is_whole: bool) -> Report {
        let baseline = Baseline::parse("rustc = 1\n\na = 100\nb = 200\n").unwrap();
        let origin = Origin { rustc: origin.to_owned(), ..Origin::default() };
        let counts = counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        Report::new(&baseline, &origin, &counts, is_whole)
    }

    #[test]
    fn what_costs_more_fails_by_its_name() {
        let same = report("1", &[("a", 103.0), ("b", 10.0)], true);
        assert!(same.is_fine());
        assert!(same.to_string().ends_with("so that it stays so: b\n"), "{same}");
        let dearer = report("1", &[("a", 105.0), ("b", 200.0)], true);
        assert!(!dearer.is_fine());
        let expected = "FAILED: a takes 105.00 instructions, 1.050 times the 100.00 of the \
                        baseline and more than 1.03 times\n";
        assert!(dearer.to_string().contains(expected), "{dearer}");
    }

    #[test]
    fn elsewhere_ratios_are_shown_and_nothing_fails() {
        let elsewhere = report("2", &[("a", 500.0), ("c", 1.0)], true);
        assert!(elsewhere.is_fine());
        let text = elsewhere.to_string();
        assert!(text.contains("5.000\n"), "{text}");
        assert!(text.ends_with("  rustc is 2, the baseline's is 1\n"), "{text}");
        assert!(!text.contains("FAILED"), "{text}");
    }

    #[test]
    fn a_baseline_of_other_workloads_fails() {
        let unknown = report("1", &[("a", 100.0), ("b", 200.0), ("c", 1.0)], true);
        assert_eq!(unknown.faults().collect::<Vec<_>>(), ["c is not in the baseline"]);
        let gone = report("1", &[("a", 100.0)], true);
        assert_eq!(
            gone.faults().collect::<Vec<_>>(),
            ["b is in the baseline, and there is no such workload"]
        );
        assert!(report("1", &[("a", 100.0)], false).is_fine());
    }
}
