//! A table of texts, before it is drawn in a terminal or on a page.

use super::{Row, Summary};

/// Columns with a head, the first with names and the others with figures.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Grid {
    /// The heads.
    pub(crate) header: Vec<String>,
    /// What stands below.
    pub(crate) lines: Vec<GridLine>,
}

/// One line of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum GridLine {
    /// What the lines below it belong to.
    Group(String),
    /// A name and its figures.
    Figures(Vec<String>),
}

impl Grid {
    /// A column for each report, and a line for each figure that one of them has.
    pub(crate) fn of_reports(reports: &[Summary]) -> Self {
        let names = reports.iter().map(|report| report.name.clone());
        let mut grid = Self {
            header: std::iter::once(String::new()).chain(names).collect(),
            ..Self::default()
        };
        for row in rows(reports) {
            let figures = reports
                .iter()
                .map(|report| report.row(&row.group, &row.name).map_or_else(String::new, figure));
            grid.push(row, figures.collect());
        }
        grid
    }

    /// Adds figures that belong to `row`, with the head of its group if it is the first of it.
    pub(crate) fn push(&mut self, row: &Row, mut figures: Vec<String>) {
        let mut groups = self.lines.iter().rev().filter_map(|line| match line {
            GridLine::Group(group) => Some(group),
            GridLine::Figures(_) => None,
        });
        if groups.next() != Some(&row.group) {
            self.lines.push(GridLine::Group(row.group.clone()));
        }
        figures.insert(0, row.name.clone());
        self.lines.push(GridLine::Figures(figures));
    }
}

/// The rows of all reports, each name once, in the order of the reports.
pub(crate) fn rows<'a>(reports: impl IntoIterator<Item = &'a Summary>) -> Vec<&'a Row> {
    let mut rows: Vec<&Row> = vec![];
    for report in reports {
        for row in &report.rows {
            if rows.iter().any(|known| known.group == row.group && known.name == row.name) {
                continue;
            }
            let behind = rows.iter().rposition(|known| known.group == row.group);
            rows.insert(behind.map_or(rows.len(), |at| at + 1), row);
        }
    }
    rows
}

/// A value and its unit, of which all are equally wide, so that the figures stand one above the
/// other.
pub(crate) fn figure(row: &Row) -> String {
    let (value, sign) = row.shown();
    format!("{value} {sign:<3}")
}
