//! Reports side by side in a terminal.

use comfy_table::{Cell, CellAlignment, LineStyle, Table, TableStyle};

use super::{Row, Summary};

/// Reports that fit side by side into 80 columns; more of them make more tables.
const ABREAST_MAX: usize = 3;
/// Rules above and below, and nothing between the figures.
const STYLE: TableStyle =
    TableStyle::new().top_border(RULE).header_separator(RULE).bottom_border(RULE);
const RULE: LineStyle = LineStyle::none().fill('─').junction('─');

/// A column for each report, and a line for each figure that one of them has.
pub(crate) fn table(reports: &[Summary]) -> String {
    let tables: Vec<String> = reports.chunks(ABREAST_MAX).map(abreast).collect();
    tables.join("\n\n")
}

fn abreast(reports: &[Summary]) -> String {
    let mut table = Table::new();
    table.load_style(STYLE);
    let mut header = vec![Cell::new("")];
    header.extend(
        reports.iter().map(|report| Cell::new(&report.name).set_alignment(CellAlignment::Right)),
    );
    table.set_header(header);
    let mut group = "";
    for row in rows(reports) {
        if row.group != group {
            group = &row.group;
            table.add_row([group]);
        }
        let mut cells = vec![Cell::new(format!("  {}", row.name))];
        cells.extend(reports.iter().map(|report| {
            let found = report.row(&row.group, &row.name);
            Cell::new(found.map_or_else(String::new, value)).set_alignment(CellAlignment::Right)
        }));
        table.add_row(cells);
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// The rows of all reports, each name once, in the order of the reports.
pub(crate) fn rows(reports: &[Summary]) -> Vec<&Row> {
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
fn value(row: &Row) -> String {
    let (value, sign) = row.shown();
    format!("{value} {sign:<3}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Unit;

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
