//! Runs side by side: their figures, with ratios to the first, and their plots in one.

mod difference;
mod figures;
mod side;

use std::fmt::Write as _;
use std::process::ExitCode;

use self::difference::differences;
use self::figures::{bar, grid, highlights};
use self::side::Side;
use crate::cli::CompareArgs;
use crate::output;
use crate::report::{Grid, Page, Plot, Remark, Subject, bars, drawn, plots, time};

/// Sides beside the first that fit into a terminal; more of them make more tables.
const OTHERS_ABREAST_MAX: usize = 2;

/// Several sides, of which the first is what the others are held against.
#[derive(Debug)]
struct Comparison {
    /// Two or more.
    sides: Vec<Side>,
}

/// Reads what is to be compared, and shows it; the status is that of the worst run.
pub(crate) fn run(args: &CompareArgs) -> Result<ExitCode, String> {
    let sides = args.files.iter().map(|path| Side::read(path)).collect::<Result<Vec<_>, _>>()?;
    let mut comparison = Comparison { sides };
    comparison.tell_apart(args.files.iter().map(|path| path.display().to_string()).collect());
    output::print(&comparison.text())?;
    if let Some(path) = &args.report {
        comparison.page().write(path)?;
    }
    let mut status = ExitCode::SUCCESS;
    for side in comparison.sides.iter().filter(|side| !side.runs.is_ok()) {
        let faults =
            side.runs.0.iter().flat_map(|run| &run.reports).flat_map(|report| &report.faults);
        let first = faults.map(String::as_str).next().unwrap_or("something went wrong");
        eprintln!("mercury-loadtest: {}: {first}", side.name);
        status = ExitCode::FAILURE;
    }
    Ok(status)
}

impl Comparison {
    /// Gives sides of the same name others, which are longer.
    fn tell_apart(&mut self, others: Vec<String>) {
        let names: Vec<String> = self.sides.iter().map(|side| side.name.clone()).collect();
        let is_taken = |name: &str| names.iter().filter(|other| **other == *name).count() > 1;
        for (side, other) in self.sides.iter_mut().zip(others) {
            if is_taken(&side.name) {
                side.name = other;
            }
        }
    }

    /// What one has to know, then tables.
    fn text(&self) -> String {
        let mut text = String::new();
        for sentence in self.caveats().into_iter().chain(self.cut_short()) {
            writeln!(text, "{sentence}").expect("a String takes all");
        }
        let (first, others) = self.sides.split_first().expect("there are two sides");
        let tables = self.parts().flat_map(|part| {
            let title = self.title(part).map_or_else(String::new, |title| format!("{title}:\n"));
            others.chunks(OTHERS_ABREAST_MAX).map(move |others| {
                let sides: Vec<&Side> = std::iter::once(first).chain(others).collect();
                format!("{title}{}", drawn(&grid(part, &sides)))
            })
        });
        text + &tables.collect::<Vec<_>>().join("\n\n")
    }

    /// Everything on one page.
    fn page(&self) -> Page {
        let names: Vec<&str> = self.sides.iter().map(|side| side.name.as_str()).collect();
        let sides: Vec<&Side> = self.sides.iter().collect();
        let caption = |part| match self.title(part) {
            Some(title) => format!("{title}: all figures, and their ratios to {}", names[0]),
            None => format!("All figures, and their ratios to {}", names[0]),
        };
        let grids = |part| -> (String, Grid) { (caption(part), grid(part, &sides)) };
        Page {
            title: format!("mercury-loadtest compare {}", names.join(", ")),
            remarks: self.remarks(),
            highlights: highlights(&self.sides),
            plots: self.parts().flat_map(|part| self.plots(part)).collect(),
            grids: self.parts().map(grids).collect(),
            runs: self.sides.iter().flat_map(Side::described).collect(),
        }
    }

    /// What differs besides the figures, and what they are figures of.
    fn caveats(&self) -> Vec<String> {
        let runs: Vec<_> = self.sides.iter().map(|side| (&*side.name, &side.runs.0[0])).collect();
        let mut caveats = differences(&runs);
        let folded = self.sides.iter().filter(|side| side.runs.0.len() > 1);
        caveats.extend(
            folded.map(|side| format!("{} is the median of {} runs", side.name, side.runs.0.len())),
        );
        caveats
    }

    /// Which sides somebody ended early; a page has it among the remarks of each run.
    fn cut_short(&self) -> impl Iterator<Item = String> {
        let is_cut = |side: &&Side| {
            side.runs.0.iter().flat_map(|run| &run.reports).any(|report| report.interrupted)
        };
        self.sides.iter().filter(is_cut).map(|side| format!("somebody ended {} early", side.name))
    }

    fn remarks(&self) -> Vec<Remark> {
        let mut remarks: Vec<Remark> = self.caveats().into_iter().map(Remark::Note).collect();
        if self.sides.iter().all(|side| side.runs.is_ok()) {
            let report = &self.sides[0].runs.0[0].reports[0];
            remarks.insert(0, Remark::Good(report.event.is_fine().to_owned()));
        }
        for part in self.parts() {
            for side in &self.sides {
                let name = self.name(side, part);
                let said = side.runs.reports(part).flat_map(|report| report.remarks(&name));
                let is_worth_it = |remark: &Remark| !matches!(remark, Remark::Good(_));
                remarks.extend(said.filter(is_worth_it));
            }
        }
        remarks
    }

    fn plots(&self, part: usize) -> Vec<Plot> {
        let subjects = self.sides.iter().filter_map(|side| {
            Some(Subject { name: side.name.clone(), report: side.runs.typical(part)? })
        });
        let mut all = plots(&subjects.collect::<Vec<_>>());
        let each: Vec<_> = self.sides.iter().filter_map(|side| bar(side, part)).collect();
        let caption = "of the server, for each delivery or connection";
        all.extend(bars("CPU cost", caption, &each, time));
        if let Some(title) = self.title(part) {
            for plot in &mut all {
                plot.title = format!("{title}: {}", plot.title);
            }
        }
        all
    }

    /// Numbers of the reports that each run has, or that some have.
    fn parts(&self) -> std::ops::Range<usize> {
        0..self.sides.iter().map(|side| side.runs.parts()).max().unwrap_or(0)
    }

    /// What a part is called; nothing if it is the only one.
    fn title(&self, part: usize) -> Option<String> {
        let reports = self.sides.iter().filter_map(|side| side.runs.reports(part).next());
        let mut names: Vec<&str> = reports.map(|report| report.name.as_str()).collect();
        names.dedup();
        (self.parts().len() > 1).then(|| names.join(", "))
    }

    fn name(&self, side: &Side, part: usize) -> String {
        match self.title(part) {
            Some(title) => format!("{}, {title}", side.name),
            None => side.name.clone(),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::bottleneck::{Bottleneck, Limit};
    use crate::report::{Document, Invocation, Row, Runs, Summary, Unit};

    /// A fanout with a report for each of these throughputs.
    pub(crate) fn document(throughputs: &[f64]) -> Document {
        let invocation = Invocation {
            command: vec!["mercury-loadtest".to_owned(), "fanout".to_owned()],
            scenario: "fanout".to_owned(),
            parameters: <_>::default(),
        };
        let mut document = Document::new(invocation, &[]);
        document.reports = throughputs
            .iter()
            .enumerate()
            .map(|(number, throughput)| Summary {
                name: format!("part-{number}"),
                rows: vec![
                    Row::new("load", "throughput", Unit::PerSecond, *throughput),
                    Row::new("server", "cpu per delivery", Unit::MicrosecondsEach, 0.5),
                    Row::new("server", "shard-0 busy", Unit::Percent, 90.0),
                    Row::count("faults", "lost", 0),
                    Row::count("faults", "alien", 0),
                ],
                bottleneck: Bottleneck {
                    limit: Limit::Client,
                    sentence: Some("the client <was> it".to_owned()),
                },
                ok: true,
                ..Summary::default()
            })
            .collect();
        document
    }

    pub(super) fn side(name: &str, throughputs: &[f64]) -> Side {
        let runs = throughputs.iter().map(|throughput| document(&[*throughput])).collect();
        Side { name: name.to_owned(), runs: Runs(runs) }
    }

    #[test]
    fn what_differs_stands_above_the_table() {
        let mut sides = vec![side("a", &[1000.0]), side("b", &[1500.0])];
        sides[1].runs.0[0].parameters.insert("window".to_owned(), vec!["16".to_owned()]);
        let text = Comparison { sides }.text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "differs: --window none (a), 16 (b)");
        let line = lines.iter().find(|line| line.contains("throughput")).unwrap();
        assert_eq!(
            line.split_whitespace().collect::<Vec<_>>(),
            ["throughput", "1,000", "/s", "1,500", "/s", "1.50"]
        );
        assert!(!text.contains("early"), "{text}");
        assert!(!text.contains("shard-0") && !text.contains("alien") && text.contains("lost"));
    }

    #[test]
    fn a_run_that_was_ended_early_is_named() {
        let mut sides = vec![side("a", &[1000.0]), side("b", &[1500.0, 1600.0])];
        sides[1].runs.0[1].reports[0].interrupted = true;
        let text = Comparison { sides }.text();
        assert!(text.contains("\nsomebody ended b early\n"), "{text}");
        assert!(!text.contains("ended a"), "{text}");
    }

    #[test]
    fn many_sides_make_several_tables() {
        let sides = (0..6).map(|number| side(&format!("run-{number}"), &[1000.0])).collect();
        let text = Comparison { sides }.text();
        assert_eq!(text.matches("run-0").count(), 3, "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }

    #[test]
    fn a_page_has_parts_and_what_is_to_be_said_of_them() {
        let runs = |throughputs| Runs(vec![document(throughputs)]);
        let sides = vec![
            Side { name: "a".to_owned(), runs: runs(&[1.0, 2.0]) },
            Side { name: "b".to_owned(), runs: runs(&[3.0, 4.0]) },
        ];
        let page = Comparison { sides }.page();
        assert_eq!(page.grids.len(), 2);
        assert!(page.plots.iter().any(|plot| plot.title == "part-1: CPU cost"));
        assert!(matches!(&page.remarks[0], Remark::Good(_)));
        let note = Remark::Note("b, part-1: the client <was> it".to_owned());
        assert!(page.remarks.contains(&note), "{:?}", page.remarks);
        assert_eq!(page.runs.len(), 2);
        assert!(page.html().unwrap().contains("<h3>a</h3>"));
    }

    #[test]
    fn files_of_the_same_name_keep_their_folders() {
        let mut comparison =
            Comparison { sides: ["run", "run", "other"].map(|name| side(name, &[1.0])).into() };
        comparison.tell_apart(["x/run.json", "y/run.json", "other.json"].map(str::to_owned).into());
        let names: Vec<&str> = comparison.sides.iter().map(|side| &*side.name).collect();
        assert_eq!(names, ["x/run.json", "y/run.json", "other"]);
    }
}
