//! What a sweep found out, as table and as page.

use std::collections::BTreeMap;

use super::case::Case;
use super::choice::{Bound, Choice, Step, choose};
use super::setting::{Dimension, SHARDS};
use crate::cli::options;
use crate::report::{
    Curve, Document, Grid, GridLine, Page, Plot, Remark, Run, Spread, Unit, curves, drawn, number,
    shown, time,
};

/// With fewer topics than this for each shard, chance loads shards unevenly.
const ROOTS_PER_SHARD: usize = 8;

/// Options that say how many topics there are, each scenario's own.
const TOPICS: [&str; 2] = ["topics", "pairs"];

/// All settings and their runs.
#[derive(Debug)]
pub(super) struct Outcome {
    /// What is swept, shards first.
    pub(super) dimensions: Vec<Dimension>,
    /// Every setting.
    pub(super) cases: Vec<Case>,
    /// That it was ended before all was run.
    pub(super) ended_early: Option<String>,
}

impl Outcome {
    /// What keeps the load from using all shards, known before anything runs.
    pub(super) fn caveat(&self) -> Option<String> {
        let shards = self.cases.iter().filter_map(|case| self.shards(case)).max()? as usize;
        let roots = self.cases.iter().map(Case::roots).min()?;
        let why = "a topic is on one shard with all below it";
        let advice = self.option_of_topics().map_or_else(String::new, |option| {
            format!(": --{option} {} would do", ROOTS_PER_SHARD * shards)
        });
        if shards > 1 && roots < shards {
            return Some(format!(
                "{why}, so that {roots} of {shards} shards have all the work{advice}"
            ));
        }
        (shards > 1 && roots < ROOTS_PER_SHARD * shards).then(|| {
            format!(
                "{why}, so that chance divides {roots} topics unevenly over {shards} shards, anew \
                 in each run{advice}"
            )
        })
    }

    /// Which option of the scenario makes more topics; none if it has no such option.
    fn option_of_topics(&self) -> Option<&'static str> {
        let names = options(&self.cases.first()?.invocation.scenario);
        TOPICS.into_iter().find(|option| names.iter().any(|name| name == option))
    }

    /// Table, then choice.
    pub(super) fn text(&self) -> String {
        let tables = (0..self.parts()).map(|part| {
            let title = self.title(part).map_or_else(String::new, |title| format!("{title}:\n"));
            format!("{title}{}", drawn(&self.grid(part)))
        });
        let notes = self.ended_early.iter().cloned().chain(self.sentences());
        let notes: Vec<String> = notes.collect();
        let blank = if notes.is_empty() { "" } else { "\n\n" };
        tables.collect::<Vec<_>>().join("\n\n") + blank + &notes.join("\n")
    }

    /// Everything on one page.
    pub(super) fn page(&self, empty: &Document) -> Page {
        let mut remarks: Vec<Remark> = self.faults().into_iter().map(Remark::Bad).collect();
        if self.cases.iter().all(|case| case.runs.is_ok()) {
            let report = self.cases.iter().find_map(|case| case.runs.reports(0).next());
            remarks.extend(report.map(|report| Remark::Good(report.event.is_fine().to_owned())));
        }
        let notes = self.sentences().into_iter().chain(self.ended_early.clone());
        remarks.extend(notes.chain(self.caveat()).map(Remark::Note));
        let rounds = self.cases.iter().map(|case| case.runs.0.len()).min().unwrap_or(0);
        let caption = |part| match self.title(part) {
            Some(title) => format!("{title}: medians of {rounds} rounds"),
            None => format!("Medians of {rounds} rounds"),
        };
        Page {
            title: "mercury-loadtest sweep".to_owned(),
            remarks,
            highlights: vec![],
            plots: (0..self.parts()).flat_map(|part| self.plots(part)).collect(),
            grids: (0..self.parts()).map(|part| (caption(part), self.grid(part))).collect(),
            runs: vec![Run::of("", empty)],
        }
    }

    /// The choice of shards for each combination of what else is swept, which is named first.
    pub(super) fn choices(&self) -> Vec<(String, Choice)> {
        let mut steps: BTreeMap<&[String], Vec<Step>> = BTreeMap::new();
        for case in &self.cases {
            let throughput = case.runs.figure(0, "load", "throughput");
            let (Some(shards), Some((_, throughput))) = (self.shards(case), throughput) else {
                continue;
            };
            let (cpus, bound, is_ok) = (case.cpus, case.bound(), case.runs.is_ok());
            let step = Step { shards, cpus, throughput, bound, is_ok };
            steps.entry(&case.setting[1..]).or_default().push(step);
        }
        steps.into_iter().map(|(rest, steps)| (self.named(rest), choose(&steps))).collect()
    }

    /// The first faults of each setting.
    pub(super) fn faults(&self) -> Vec<String> {
        let of = |case: &Case| {
            let reports = case.runs.0.iter().flat_map(|run| &run.reports);
            let fault = reports.flat_map(|report| &report.faults).next();
            fault.map(|fault| format!("{}: {fault}", case.label))
        };
        self.cases.iter().filter_map(of).collect()
    }

    /// The choices in words; what is the same for all combinations is said once.
    fn sentences(&self) -> Vec<String> {
        let mut choices = self.choices();
        if choices.windows(2).all(|pair| pair[0].1.sentence == pair[1].1.sentence) {
            choices.truncate(1);
            for (name, _) in &mut choices {
                name.clear();
            }
        }
        let said = |(name, Choice { sentence, .. }): (String, Choice)| match name.as_str() {
            "" => sentence,
            name => format!("with {name}: {sentence}"),
        };
        choices.into_iter().map(said).collect()
    }

    /// A line for each setting.
    fn grid(&self, part: usize) -> Grid {
        let options = self.dimensions.iter().map(|dimension| dimension.option.clone());
        let report = self.cases.iter().find_map(|case| case.runs.reports(part).next());
        let events = report.map_or("", |report| report.event.many());
        let heads = [&format!("{events}/s"), "min to max", "CPU, µs", "min to max", "p99", "limit"];
        let heads = heads.iter().map(|head| (*head).to_owned());
        let mut grid = Grid { header: options.chain(heads).collect(), lines: vec![] };
        let choices = self.choices();
        grid.header.extend((part == 0 && !choices.is_empty()).then(String::new));
        for case in &self.cases {
            let figure = |group, name| Some(case.runs.figure(part, group, name)?.1);
            let mut cells = case.setting.clone();
            let throughput = figure("load", "throughput");
            cells.extend(median_and_range(throughput, Unit::PerSecond, number));
            let digits = |value| shown(Unit::MicrosecondsEach, value);
            cells.extend(median_and_range(case.runs.cost(part), Unit::MicrosecondsEach, digits));
            cells.push(figure("latency", "p99").map_or_else(String::new, |p99| time(p99.median)));
            // of the first part, which is the one that saturates
            let limit = if part == 0 { limit(case.bound()) } else { "" };
            cells.push(limit.to_owned());
            if grid.header.len() > cells.len() {
                let name = self.named(&case.setting[1..]);
                let choice = choices.iter().find(|other| other.0 == name).map(|other| &other.1);
                let knee = choice.filter(|choice| choice.knee == self.shards(case));
                let knee = match knee {
                    Some(Choice { knee: Some(_), shards: Some(_), .. }) => "knee",
                    Some(Choice { knee: Some(_), shards: None, .. }) => "knee?",
                    _ => "",
                };
                cells.push(knee.to_owned());
            }
            grid.lines.push(GridLine::Figures(cells));
        }
        grid
    }

    /// Throughput and cost against the values of the first dimension, a curve for each combination
    /// of the others.
    fn plots(&self, part: usize) -> Vec<Plot> {
        let Some(first) = self.dimensions.first() else { return vec![] };
        let draw = |title: &str,
                    caption: &str,
                    label: fn(f64) -> String,
                    of: &dyn Fn(&Case) -> Option<Spread>| {
            let mut found: Vec<Curve> = vec![];
            for case in &self.cases {
                let (value, rest) = case.setting.split_first().expect("there is a dimension");
                let place = first.values.iter().position(|other| other == value);
                let Some((place, figure)) = place.zip(of(case)) else { continue };
                let name = self.named(rest);
                match found.iter_mut().find(|curve| curve.name == name) {
                    Some(curve) => curve.points.push((place, figure)),
                    None => found.push(Curve { name, points: vec![(place, figure)] }),
                }
            }
            let title =
                self.title(part).map_or(title.to_owned(), |part| format!("{part}: {title}"));
            curves(
                &title,
                &format!("{caption} by --{}", first.option),
                &first.values,
                &found,
                label,
            )
        };
        let throughput = |case: &Case| Some(case.runs.figure(part, "load", "throughput")?.1);
        let p99 = |case: &Case| Some(case.runs.figure(part, "latency", "p99")?.1);
        let all = [
            draw("Throughput", "a second,", number, &throughput),
            draw("CPU cost", "of the server, for each delivery,", time, &|case| {
                case.runs.cost(part)
            }),
            draw("Latency", "99th percentile,", time, &p99),
        ];
        all.into_iter().flatten().collect()
    }

    /// Values of all dimensions but the first, with their names.
    fn named(&self, rest: &[String]) -> String {
        let behind = self.dimensions.iter().rev().zip(rest.iter().rev()).rev();
        let named = behind.map(|(dimension, value)| format!("--{} {value}", dimension.option));
        named.collect::<Vec<_>>().join(" ")
    }

    /// How many it has, if that is swept.
    fn shards(&self, case: &Case) -> Option<u32> {
        let is_swept = self.dimensions.first().is_some_and(|first| first.option == SHARDS);
        case.setting.first().filter(|_| is_swept)?.parse().ok()
    }

    fn parts(&self) -> usize {
        self.cases.iter().map(|case| case.runs.parts()).max().unwrap_or(0)
    }

    /// What a part is called; nothing if it is the only one.
    fn title(&self, part: usize) -> Option<String> {
        let report = self.cases.iter().find_map(|case| case.runs.reports(part).next());
        report.map(|report| report.name.clone()).filter(|_| self.parts() > 1)
    }
}

/// Two cells: the value in the middle, and from where to where.
fn median_and_range(
    spread: Option<Spread>,
    unit: Unit,
    short: impl Fn(f64) -> String,
) -> [String; 2] {
    let Some(Spread { least, median, most, .. }) = spread else { return <_>::default() };
    [shown(unit, median), format!("{} to {}", short(least), short(most))]
}

/// Who it was, in a word.
fn limit(bound: Bound) -> &'static str {
    match bound {
        Bound::Nobody => "none",
        Bound::Server => "server",
        Bound::Client => "client",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bottleneck::{Bottleneck, Limit};
    use crate::report::{Row, Summary};
    use crate::sweep::setting::settings;

    /// A sweep of 1 and 2 shards, both pinned and not, with three runs of these throughputs each.
    fn outcome(throughputs: [[f64; 3]; 4]) -> Outcome {
        let dimension = |option: &str, values: [&str; 2]| Dimension {
            option: option.to_owned(),
            values: values.map(str::to_owned).into(),
        };
        let dimensions = vec![dimension("shards", ["1", "2"]), dimension("pin", ["auto", "none"])];
        let scenario = ["fanout", "--topics", "16"].map(str::to_owned);
        let case = |(setting, throughputs): (Vec<String>, [f64; 3])| {
            let mut case = Case::new(&scenario, &dimensions, setting).unwrap();
            case.cpus = 8;
            for throughput in throughputs {
                let mut run = Document::new(case.invocation.clone(), &[]);
                run.reports.push(Summary {
                    rows: vec![
                        Row::new("load", "throughput", Unit::PerSecond, throughput),
                        Row::new("server", "cpu per delivery", Unit::MicrosecondsEach, 0.25),
                    ],
                    bottleneck: Bottleneck { limit: Limit::Server, sentence: None },
                    ok: true,
                    ..Summary::default()
                });
                case.runs.0.push(run);
            }
            case
        };
        let cases = settings(&dimensions).into_iter().zip(throughputs).map(case).collect();
        Outcome { dimensions, cases, ended_early: None }
    }

    #[test]
    fn every_combination_has_its_knee() {
        let outcome = outcome([[1e6; 3], [1e6; 3], [2e6; 3], [1e6; 3]]);
        let text = outcome.text();
        let marked: Vec<Vec<&str>> = text
            .lines()
            .filter(|line| line.ends_with("knee"))
            .map(|line| line.split_whitespace().take(3).collect())
            .collect();
        assert_eq!(marked, [["1", "none", "1,000,000"], ["2", "auto", "2,000,000"]], "{text}");
        assert!(text.contains("\nwith --pin auto: choose --shards 2, the most"), "{text}");
        assert!(text.contains("\nwith --pin none: choose --shards 1: 2 shards gave"), "{text}");
    }

    #[test]
    fn what_is_the_same_for_all_is_said_once() {
        let mut outcome = outcome([[1e6; 3]; 4]);
        let text = outcome.text();
        assert!(
            text.ends_with(
                "\n\nchoose --shards 1: 2 shards gave 1.00 times as much, within the \
                                spread"
            ),
            "{text}"
        );
        outcome.cases.iter_mut().for_each(|case| case.cpus = 1);
        assert_eq!(outcome.text().matches("knee?").count(), 2, "on one CPU it may be another");
    }

    #[test]
    fn a_page_has_a_curve_for_each_combination() {
        let outcome = outcome([[1e6; 3], [2e6; 3], [3e6; 3], [4e6; 3]]);
        let page = outcome.page(&outcome.cases[0].runs.0[0]);
        let names = page.plots[0].lines.iter().map(|line| line.name.as_str()).collect::<Vec<_>>();
        assert_eq!(names, ["--pin auto", "--pin none"]);
        assert_eq!(page.plots.len(), 2, "there are no latencies");
        assert_eq!(page.plots[1].caption, "of the server, for each delivery, by --shards");
        assert!(page.html().is_ok());
    }

    #[test]
    fn few_topics_are_a_caveat() {
        let mut outcome = outcome([[1e6; 3]; 4]);
        assert_eq!(outcome.caveat(), None, "16 topics do for 2 shards");
        outcome.dimensions[0].values[1] = "4".to_owned();
        for case in &mut outcome.cases {
            case.setting[0] = "4".to_owned();
        }
        let caveat = outcome.caveat().unwrap();
        assert!(caveat.contains("16 topics unevenly over 4 shards"), "{caveat}");
        assert!(caveat.ends_with("--topics 32 would do"), "{caveat}");
        for (scenario, advice) in [("roundtrip", ": --pairs 32 would do"), ("mixed", "in each run")]
        {
            outcome.cases[0].invocation.scenario = scenario.to_owned();
            let caveat = outcome.caveat().unwrap();
            assert!(caveat.ends_with(advice), "{scenario}: {caveat}");
        }
    }
}
