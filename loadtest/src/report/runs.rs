//! Several runs of the same, and what they say together.

use super::{Document, Row, Spread, Summary, Unit};

/// Runs of the same load, each with as many reports.
#[derive(Debug, Default)]
pub(crate) struct Runs(pub(crate) Vec<Document>);

impl Runs {
    /// How many reports each run has.
    pub(crate) fn parts(&self) -> usize {
        self.0.first().map_or(0, |run| run.reports.len())
    }

    /// Report number `part` of each run.
    pub(crate) fn reports(&self, part: usize) -> impl Iterator<Item = &Summary> {
        self.0.iter().filter_map(move |run| run.reports.get(part))
    }

    /// One figure of all runs.
    pub(crate) fn figure(&self, part: usize, group: &str, name: &str) -> Option<(Unit, Spread)> {
        let rows: Vec<&Row> =
            self.reports(part).filter_map(|report| report.row(group, name)).collect();
        let unit = rows.first()?.unit;
        Some((unit, Spread::of(rows.iter().map(|row| row.value).collect())?))
    }

    /// Microseconds of CPU that each delivery, or connection, cost the server.
    pub(crate) fn cost(&self, part: usize) -> Option<Spread> {
        let report = self.reports(part).next()?;
        let is_cost = |row: &&Row| row.group == "server" && row.unit == Unit::MicrosecondsEach;
        let row = report.rows.iter().find(is_cost)?;
        Some(self.figure(part, &row.group, &row.name)?.1)
    }

    /// The run in the middle by what is counted in a second, to be drawn for all.
    pub(crate) fn typical(&self, part: usize) -> Option<&Summary> {
        let rate =
            |report: &&Summary| report.row("load", "throughput").map_or(0.0, |row| row.value);
        let mut reports: Vec<&Summary> = self.reports(part).collect();
        reports.sort_by(|one, other| rate(one).total_cmp(&rate(other)));
        reports.get(reports.len() / 2).copied()
    }

    /// Everything was as it should be in every run.
    pub(crate) fn is_ok(&self) -> bool {
        self.0.iter().flat_map(|run| &run.reports).all(|report| report.ok)
    }
}
