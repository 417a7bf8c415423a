//! A table in a terminal.

use comfy_table::{Cell, CellAlignment, LineStyle, Table, TableStyle};

use super::{Grid, GridLine, Summary};

/// Reports that fit side by side into 80 columns; more of them make more tables.
pub(super) const ABREAST_MAX: usize = 3;
/// Rules above and below, and nothing between the figures.
const STYLE: TableStyle =
    TableStyle::new().top_border(RULE).header_separator(RULE).bottom_border(RULE);
const RULE: LineStyle = LineStyle::none().fill('─').junction('─');

/// Reports side by side.
pub(crate) fn table(reports: &[Summary]) -> String {
    let grids = reports.chunks(ABREAST_MAX).map(Grid::of_reports);
    grids.map(|grid| drawn(&grid)).collect::<Vec<_>>().join("\n\n")
}

/// Names to the left, figures to the right.
pub(crate) fn drawn(grid: &Grid) -> String {
    let mut table = Table::new();
    table.load_style(STYLE);
    table.set_header(cells(&grid.header, ""));
    let is_grouped = grid.lines.iter().any(|line| matches!(line, GridLine::Group(_)));
    for line in &grid.lines {
        match line {
            GridLine::Group(group) => table.add_row([group]),
            GridLine::Figures(figures) => {
                table.add_row(cells(figures, if is_grouped { "  " } else { "" }))
            }
        };
    }
    let lines = table.lines().map(|line| line.trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

fn cells(texts: &[String], indent: &str) -> Vec<Cell> {
    let mut cells = texts.iter();
    let name = cells.next().map(|name| Cell::new(format!("{indent}{name}")));
    let figures = cells.map(|text| Cell::new(text).set_alignment(CellAlignment::Right));
    name.into_iter().chain(figures).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Row, Unit};

    fn summary(name: &str, rows: Vec<Row>) -> Summary {
        Summary { name: name.to_owned(), rows, ..Summary::default() }
    }

    #[test]
    fn figures_stand_one_above_the_other() {
        let first = vec![
            Row::count("load", "messages", 1_234_567),
            Row::new("latency", "p99", Unit::Microseconds, 12.34),
        ];
        let second = vec![
            Row::count("load", "messages", 8),
            Row::count("load", "jobs", 9),
            Row::new("latency", "p99", Unit::Microseconds, 4321.0),
        ];
        let text = table(&[summary("first", first), summary("second", second)]);
        let lines: Vec<&str> = text.lines().collect();
        let line = |name: &str| *lines.iter().find(|line| line.contains(name)).unwrap();
        let end = |name: &str, value: &str| {
            let line = line(name);
            line[..line.find(value).unwrap() + value.len()].chars().count()
        };
        assert_eq!(end("messages", "1,234,567"), end("p99", "12.3"));
        assert_eq!(end("jobs", " 9"), end("p99", "4,321.0"));
        assert!(lines.iter().all(|line| line.chars().count() <= 80), "{text}");
        let place = |name| lines.iter().position(|line| line.contains(name));
        assert!(place("jobs") < place("latency"), "it stands in its group: {text}");
    }
}
