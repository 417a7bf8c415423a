//! The figures of several sides: in a table, as ratios, as bars.

use super::side::Side;
use crate::report::{Bar, Grid, Row, Spread, Summary, Unit, figure, rows};

/// Figures of these threads are of whichever topics fell to them in that run.
const OF_A_SHARD: &str = "shard-";
/// The fault that is shown though there was none.
const FAULT_SHOWN: &str = "lost";
/// The figures that a reader wants first, by group and name, and what they are.
const HIGHLIGHTS: [(&str, &str, &str); 3] = [
    ("load", "throughput", "throughput"),
    ("latency", "p50", "median latency"),
    ("latency", "p99", "99th percentile"),
];

/// Columns for each side, and a line for each figure of report number `part`.
pub(super) fn grid(part: usize, sides: &[&Side]) -> Grid {
    let is_folded = sides.iter().any(|side| side.runs.0.len() > 1);
    let mut header = vec![String::new()];
    for (number, side) in sides.iter().enumerate() {
        header.push(side.name.clone());
        header.extend(is_folded.then(|| "min to max".to_owned()));
        header.extend((number > 0).then(|| "ratio".to_owned()));
    }
    let mut grid = Grid { header, ..Grid::default() };
    let reports: Vec<&Summary> = sides.iter().flat_map(|side| side.runs.reports(part)).collect();
    for row in rows(reports.iter().copied()).into_iter().filter(|row| is_shown(row, &reports)) {
        let figures = |side: &&Side| side.runs.figure(part, &row.group, &row.name);
        let all: Vec<_> = sides.iter().map(figures).collect();
        let first = all.first().copied().flatten();
        let mut cells = vec![];
        for (number, figures) in all.iter().enumerate() {
            let shown = figures.map(|(unit, spread)| {
                figure(&Row::new(&row.group, row.name.clone(), unit, spread.median))
            });
            cells.push(shown.unwrap_or_default());
            if is_folded {
                let range = figures.filter(|(_, spread)| spread.values > 1);
                cells.push(range.map_or_else(String::new, |(unit, spread)| range_of(unit, spread)));
            }
            if number > 0 {
                let both = first.zip(*figures);
                cells.push(both.map_or_else(String::new, |(first, other)| ratio(first.1, other.1)));
            }
        }
        grid.push(row, cells);
    }
    grid
}

/// Ratios to the first side, with their names.
pub(super) fn highlights(sides: &[Side]) -> Vec<(String, String)> {
    let Some((first, others)) = sides.split_first() else { return vec![] };
    let of = |other: &Side| {
        let ratios = HIGHLIGHTS.iter().filter_map(|(group, name, meaning)| {
            let [one, two] = [first, other].map(|side| side.runs.figure(0, group, name));
            Some(((*meaning).to_owned(), ratio(one?.1, two?.1)))
        });
        let cpu = [first, other].map(|side| Some(bar(side, 0)?.value));
        let [one, two] = cpu;
        let cpu =
            one.zip(two).map(|(one, two)| ("server CPU for each".to_owned(), ratio(one, two)));
        let all = ratios.chain(cpu).filter(|(_, ratio)| !ratio.is_empty());
        let named =
            |(meaning, ratio)| (format!("{} to {}: {meaning}", other.name, first.name), ratio);
        all.map(named).collect::<Vec<_>>()
    };
    others.iter().flat_map(of).collect()
}

/// What each delivery, or connection, cost the server.
pub(super) fn bar(side: &Side, part: usize) -> Option<Bar> {
    Some(Bar { name: side.name.clone(), value: side.runs.cost(part)? })
}

/// Whether a figure says something beside that of another run.
fn is_shown(row: &Row, reports: &[&Summary]) -> bool {
    let is_zero =
        |report: &&Summary| report.row(&row.group, &row.name).is_none_or(|row| row.value == 0.0);
    let is_silent = row.group == "faults" && row.name != FAULT_SHOWN && reports.iter().all(is_zero);
    !is_silent && !row.name.starts_with(OF_A_SHARD)
}

/// From where to where; empty if that is the same place.
fn range_of(unit: Unit, spread: Spread) -> String {
    let shown = |value| Row::new("", "", unit, value).shown().0;
    let (least, most) = (shown(spread.least), shown(spread.most));
    if least == most { String::new() } else { format!("{least} to {most}") }
}

/// Of `other` to `first`; within the spread of several runs it is marked as one that may be none.
/// Nothing is no measure, and less than that, as of memory that was given back, is none either.
fn ratio(first: Spread, other: Spread) -> String {
    if first.median <= 0.0 || other.median < 0.0 {
        return String::new();
    }
    let ratio = other.median / first.median;
    let decimals = if ratio.abs() < 0.1 { 3 } else { 2 };
    let sign = if first.overlaps(&other) && first != other { "≈ " } else { "" };
    format!("{sign}{ratio:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comparison::tests::side;
    use crate::report::GridLine;

    fn line(grid: &Grid, name: &str) -> Vec<String> {
        let figures = grid.lines.iter().find_map(|line| match line {
            GridLine::Figures(figures) if figures[0] == name => Some(figures),
            _ => None,
        });
        figures.unwrap().iter().map(|cell| cell.trim().to_owned()).collect()
    }

    #[test]
    fn a_difference_within_the_spread_is_marked() {
        let (a, b) = (side("a", &[90.0, 100.0, 120.0]), side("b", &[110.0, 130.0, 150.0]));
        let c = side("c", &[200.0, 201.0, 202.0]);
        let grid = grid(0, &[&a, &b, &c]);
        let ratios = ["min to max", "ratio"];
        assert_eq!(
            grid.header,
            [&["", "a", "min to max", "b"][..], &ratios, &["c"], &ratios].concat()
        );
        assert_eq!(
            line(&grid, "throughput"),
            ["throughput", "100 /s", "90 to 120", "130 /s", "110 to 150", "≈ 1.30"]
                .into_iter()
                .chain(["201 /s", "200 to 202", "2.01"])
                .collect::<Vec<_>>()
        );
        assert_eq!(line(&grid, "lost")[5], "", "nothing is no measure");
    }

    #[test]
    fn less_than_nothing_has_no_ratio() {
        let of = |value| Spread::of(vec![value]).unwrap();
        assert_eq!(ratio(of(2.0), of(3.0)), "1.50");
        for (first, other) in [(-0.5, 0.25), (0.5, -0.25), (-1.0, -2.0)] {
            assert_eq!(ratio(of(first), of(other)), "", "{first} and {other}");
        }
    }

    #[test]
    fn ratios_come_first_on_a_page() {
        let highlights = highlights(&[side("a", &[100.0]), side("b", &[150.0])]);
        let shown: Vec<_> = highlights.iter().map(|(what, value)| (&**what, &**value)).collect();
        assert_eq!(
            shown,
            [("b to a: throughput", "1.50"), ("b to a: server CPU for each", "1.00")]
        );
    }

    #[test]
    fn one_run_has_no_range() {
        let (a, b) = (side("a", &[0.0]), side("b", &[5.0, 6.0]));
        let grid = grid(0, &[&a, &b]);
        assert_eq!(line(&grid, "throughput"), ["throughput", "0 /s", "", "6 /s", "5 to 6", ""]);
    }
}
