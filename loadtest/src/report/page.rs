//! A page that shows everything by itself: no script, no network, light and dark, wide and narrow.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::markup::escaped;
use super::plot::{COLOURS, Plot};
use super::{Document, Grid, GridLine};

/// Colours as custom properties, so that the drawings follow the reader's choice.
const STYLE: &str = include_str!("page.css");

/// What it says, from top to bottom.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// What it is about.
    pub(crate) title: String,
    /// What one has to know before looking at figures.
    pub(crate) remarks: Vec<Remark>,
    /// The most important figures and what they are.
    pub(crate) highlights: Vec<(String, String)>,
    /// Drawings.
    pub(crate) plots: Vec<Plot>,
    /// Tables, and what each is.
    pub(crate) grids: Vec<(String, Grid)>,
    /// How, where and when it came about.
    pub(crate) runs: Vec<Run>,
}

/// A sentence about the whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Remark {
    /// As it should be.
    Good(String),
    /// Not as it should be.
    Bad(String),
    /// To be kept in mind.
    Note(String),
}

/// One run of the load tester.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    /// What the page calls it; empty if it is the only one.
    pub(crate) name: String,
    /// What was typed.
    pub(crate) command: String,
    /// Where.
    pub(crate) machine: String,
    /// When it ended.
    pub(crate) date: String,
}

impl Run {
    /// The run that left `document` behind.
    pub(crate) fn of(name: &str, document: &Document) -> Self {
        Self {
            name: name.to_owned(),
            command: document.command_line(),
            machine: document.machine.sentence(),
            date: document.date.clone(),
        }
    }
}

impl Page {
    /// Writes it to `path`; the error is a sentence.
    pub(crate) fn write(&self, path: &Path) -> Result<(), String> {
        let html = self.html()?;
        fs::write(path, html).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// The whole page.
    pub(crate) fn html(&self) -> Result<String, String> {
        let title = escaped(&self.title);
        let mut html = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
             <meta name=\"color-scheme\" content=\"light dark\"/>\n\
             <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
             <header>\n<h1>{title}</h1>\n"
        );
        if let [run] = self.runs.as_slice() {
            let (date, machine) = (escaped(&run.date), escaped(&run.machine));
            writeln!(html, "<p>{date}, {machine}</p>").expect("a String takes all");
        }
        html += "</header>\n<main>\n";
        html += &remarks(&self.remarks);
        html += &highlights(&self.highlights);
        if !self.plots.is_empty() {
            html += "<h2>Plots</h2>\n<div class=\"plots\">\n";
            for (number, plot) in self.plots.iter().enumerate() {
                html += &figure(plot, &format!("plot-{number}"))?;
            }
            html += "</div>\n";
        }
        if !self.grids.is_empty() {
            html += "<h2>Figures</h2>\n";
        }
        for (caption, grid) in &self.grids {
            html += &table(caption, grid);
        }
        html += &runs(&self.runs);
        html += "</main>\n</body>\n</html>\n";
        Ok(html)
    }
}

fn remarks(remarks: &[Remark]) -> String {
    if remarks.is_empty() {
        return String::new();
    }
    let items = remarks.iter().map(|remark| {
        let (class, text) = match remark {
            Remark::Good(text) => ("good", text),
            Remark::Bad(text) => ("bad", text),
            Remark::Note(text) => ("note", text),
        };
        format!("<li class=\"{class}\">{}</li>\n", escaped(text))
    });
    format!("<ul class=\"remarks\">\n{}</ul>\n", items.collect::<String>())
}

fn highlights(highlights: &[(String, String)]) -> String {
    if highlights.is_empty() {
        return String::new();
    }
    let items = highlights.iter().map(|(meaning, value)| {
        format!("<div><dt>{}</dt><dd>{}</dd></div>\n", escaped(meaning), escaped(value))
    });
    format!("<dl class=\"highlights\">\n{}</dl>\n", items.collect::<String>())
}

/// A drawing between its title and, if it has several lines, what they are.
fn figure(plot: &Plot, id: &str) -> Result<String, String> {
    let mut html = format!(
        "<figure>\n<figcaption><h3>{}</h3><p>{}</p></figcaption>\n{}",
        escaped(&plot.title),
        escaped(&plot.caption),
        plot.svg(id)?
    );
    if plot.lines.len() > 1 {
        html += "<ul class=\"legend\">\n";
        for (number, line) in plot.lines.iter().enumerate() {
            writeln!(
                html,
                "<li><svg viewBox=\"0 0 128 44\" aria-hidden=\"true\"><path \
                 class=\"stroke c{}\" stroke-width=\"12\" d=\"M0 22h128\"/></svg>{}</li>",
                number % COLOURS,
                escaped(&line.name)
            )
            .expect("a String takes all");
        }
        html += "</ul>\n";
    }
    html += "</figure>\n";
    Ok(html)
}

/// A table that scrolls by itself where it is wider than the page.
fn table(caption: &str, grid: &Grid) -> String {
    let is_grouped = grid.lines.iter().any(|line| matches!(line, GridLine::Group(_)));
    let class = if is_grouped { " class=\"grouped\"" } else { "" };
    let caption = escaped(caption);
    let heads = grid.header.iter().map(|head| match head.as_str() {
        "" => "<td></td>".to_owned(),
        head => format!("<th scope=\"col\">{}</th>", escaped(head)),
    });
    let mut html = format!(
        "<div class=\"wide\" role=\"region\" aria-label=\"{caption}\" tabindex=\"0\">\n\
         <table{class}>\n<caption>{caption}</caption>\n<thead><tr>{}</tr></thead>\n<tbody>\n",
        heads.collect::<String>()
    );
    html.extend(grid.lines.iter().map(|line| table_row(line, grid.header.len())));
    html + "</tbody>\n</table>\n</div>\n"
}

/// A line of a table that is `width` columns wide.
fn table_row(line: &GridLine, width: usize) -> String {
    let mut html = "<tr>".to_owned();
    match line {
        GridLine::Group(group) => {
            let group = escaped(group);
            write!(html, "<th scope=\"rowgroup\" colspan=\"{width}\">{group}</th>")
        }
        GridLine::Figures(figures) => {
            let mut cells = figures.iter().map(|figure| escaped(figure.trim_end()));
            let name = cells.next().unwrap_or_default();
            write!(html, "<th scope=\"row\">{name}</th>")
                .and_then(|()| cells.try_for_each(|cell| write!(html, "<td>{cell}</td>")))
        }
    }
    .expect("a String takes all");
    html + "</tr>\n"
}

fn runs(runs: &[Run]) -> String {
    if runs.is_empty() {
        return String::new();
    }
    let of_run = |Run { name, command, machine, date }: &Run| {
        let heading = match name.as_str() {
            "" => String::new(),
            name => format!("<h3>{}</h3>\n", escaped(name)),
        };
        format!(
            "{heading}<dl class=\"runs\">\n<dt>Command</dt><dd><pre>{}</pre></dd>\n\
             <dt>Machine</dt><dd>{}</dd>\n<dt>Date</dt><dd>{}</dd>\n</dl>\n",
            escaped(command),
            escaped(machine),
            escaped(date)
        )
    };
    let heading = "<h2>How it was measured</h2>\n".to_owned();
    heading + &runs.iter().map(of_run).collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_well_formed_and_asks_nobody() {
        let evil = || "<script src=//x>&\"'".to_owned();
        let grid = Grid {
            header: vec![String::new(), evil()],
            lines: vec![GridLine::Group(evil()), GridLine::Figures(vec![evil(), evil()])],
        };
        let run = Run { name: evil(), command: evil(), machine: evil(), date: evil() };
        let page = Page {
            title: evil(),
            remarks: vec![Remark::Good(evil()), Remark::Bad(evil()), Remark::Note(evil())],
            highlights: vec![(evil(), evil())],
            plots: vec![],
            grids: vec![(evil(), grid)],
            runs: vec![run.clone(), run],
        };
        let html = page.html().unwrap();
        let (_, xml) = html.split_once("<!doctype html>").unwrap();
        let tree = roxmltree::Document::parse(xml).unwrap();
        let is_evil = |text: Option<&str>| text == Some(&evil());
        let nodes = tree.descendants().filter(|node| node.is_element() && is_evil(node.text()));
        assert_eq!(nodes.count(), 20, "every text came through: {html}");
        for outside in ["<script", "<link", "url(", "@import", "http:", "https:"] {
            assert!(!html.contains(outside), "{outside}");
        }
    }

    #[test]
    fn every_colour_of_a_plot_has_its_style() {
        for number in 0..COLOURS {
            assert_eq!(STYLE.matches(&format!("--c{number}: #")).count(), 2, "light and dark");
            assert!(STYLE.contains(&format!(".c{number} {{ --c: var(--c{number}); }}")));
        }
    }
}
