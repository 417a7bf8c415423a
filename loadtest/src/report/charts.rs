//! Which plots a report has: latency by percentile, throughput and CPU over time.

use super::axis::{self, Axis};
use super::plot::{COLOURS, Line, Plot};
use super::{Event, Summary, Unit};
use crate::series::{Busy, Series};

/// A thread that is less busy than this, on average and in per cent, is not drawn.
const BUSY_MIN: f64 = 1.0;

/// A report and the name of its lines.
pub(crate) struct Subject<'a> {
    /// What its lines are called.
    pub(crate) name: String,
    /// What is drawn.
    pub(crate) report: &'a Summary,
}

/// The plots of reports in one run, or of the same report in several; only the first few, as many
/// as there are colours.
pub(crate) fn plots(subjects: &[Subject<'_>]) -> Vec<Plot> {
    let subjects = &subjects[..subjects.len().min(COLOURS)];
    let all = [latency(subjects), throughput(subjects), cpu(subjects)];
    all.into_iter().flatten().collect()
}

/// How slow the slowest are, of each part.
fn latency(subjects: &[Subject<'_>]) -> Option<Plot> {
    let lines: Vec<Line> = subjects.iter().filter_map(percentiles).collect();
    let values = || lines.iter().flat_map(|line| &line.points).map(|point| point.1);
    let tails = || lines.iter().flat_map(|line| &line.points).map(|point| point.0);
    let least = values().min_by(f64::total_cmp)?;
    let most = values().max_by(f64::total_cmp)?;
    let tail = tails().filter(|percentile| *percentile < 100.0).max_by(f64::total_cmp);
    let sentences = subjects.iter().filter_map(|Subject { name, report }| {
        let shown = |name| Some(axis::time(report.row("latency", name)?.value));
        let [p50, p99, max] = [shown("p50")?, shown("p99")?, shown("max")?];
        let events = report.event.many();
        Some(format!(
            "{name}: half of the {events} took at most {p50}, 99 of 100 at most {p99}, the \
             slowest {max}."
        ))
    });
    Some(Plot {
        title: "Latency".to_owned(),
        caption: format!("by percentile of the {}, both axes logarithmic", events(subjects)),
        description: sentences.collect::<Vec<_>>().join(" "),
        x: Axis::tail(tail.unwrap_or(99.0)),
        y: Axis::logarithmic(least..most, axis::time),
        lines,
    })
}

/// What is counted; all reports of one run, or of one scenario, count the same.
fn events(subjects: &[Subject<'_>]) -> &'static str {
    subjects.first().map_or(Event::default(), |subject| subject.report.event).many()
}

/// None without latencies.
fn percentiles(subject: &Subject<'_>) -> Option<Line> {
    let points = &subject.report.latency;
    let points = points.iter().map(|point| (point.percentile, point.microseconds));
    let points: Vec<_> = points.filter(|point| point.1 > 0.0).collect();
    let name = subject.name.clone();
    (!points.is_empty()).then(|| Line { name, points, ..Line::default() })
}

/// Deliveries a second from the beginning to the end.
fn throughput(subjects: &[Subject<'_>]) -> Option<Plot> {
    let lines = subjects.iter().filter_map(|Subject { name, report }| {
        let line = over_time(name, &report.series, &report.series.deliveries_per_second);
        line.points.iter().any(|point| point.1 > 0.0).then_some(line)
    });
    let lines: Vec<Line> = lines.collect();
    let sentences = lines.iter().map(|line| {
        let values = || line.points.iter().map(|point| point.1);
        let least = axis::number(values().min_by(f64::total_cmp).unwrap_or(0.0));
        let most = axis::number(values().max_by(f64::total_cmp).unwrap_or(0.0));
        format!("{}: between {least} and {most} {} a second.", line.name, events(subjects))
    });
    let caption = format!("{} a second over the measured time", events(subjects));
    timeline("Throughput", &caption, &sentences.collect::<Vec<_>>(), lines, axis::number)
}

/// Each thread, or of several servers each as a whole.
fn cpu(subjects: &[Subject<'_>]) -> Option<Plot> {
    let servers: Vec<Line> = subjects.iter().filter_map(server).collect();
    let is_one = servers.len() <= 1;
    let lines = if is_one {
        // the loads of one run share a server, and only one of them looks at it
        let has_server = |report: &Summary| report.series.threads.iter().any(|t| !is_client(t));
        let looked = subjects.iter().find(|subject| has_server(subject.report));
        let series = &looked.or(subjects.first())?.report.series;
        let line = |thread: &Busy| over_time(&thread.name, series, &thread.percent);
        busiest(&series.threads).into_iter().map(line).collect()
    } else {
        servers
    };
    let sentences = lines.iter().map(|line| {
        let values = line.points.iter().map(|point| point.1);
        format!("{}: {:.0} per cent busy on average.", line.name, mean(values))
    });
    let caption = if is_one {
        "per cent of one CPU by thread; \u{201c}client\u{201d} is the load tester"
    } else {
        "of the server, all its threads together, in per cent of one CPU"
    };
    let percent = |value: f64| format!("{} %", axis::number(value));
    timeline("CPU", caption, &sentences.collect::<Vec<_>>(), lines, percent)
}

/// A server's threads in one line; none if it was not looked at.
fn server(subject: &Subject<'_>) -> Option<Line> {
    let series = &subject.report.series;
    let threads: Vec<&Busy> = series.threads.iter().filter(|thread| !is_client(thread)).collect();
    let sum = |at: usize| threads.iter().filter_map(|thread| thread.percent.get(at)).sum();
    let values: Vec<f64> = (0..series.seconds.len()).map(sum).collect();
    (!threads.is_empty()).then(|| over_time(&subject.name, series, &values))
}

/// The busiest threads, in their order, the client's last.
fn busiest(threads: &[Busy]) -> Vec<&Busy> {
    let share = |thread: &&Busy| mean(thread.percent.iter().copied());
    let mut busiest: Vec<&Busy> = threads
        .iter()
        .filter(|thread| thread.name.starts_with("shard-") || share(thread) >= BUSY_MIN)
        .collect();
    while busiest.len() > COLOURS {
        let idlest = busiest.iter().enumerate().min_by(|a, b| share(a.1).total_cmp(&share(b.1)));
        let idlest = idlest.map_or(0, |(at, _)| at);
        busiest.remove(idlest);
    }
    busiest.sort_by_key(|thread| (is_client(thread), !thread.name.starts_with("shard-")));
    busiest
}

fn is_client(thread: &Busy) -> bool {
    thread.name.starts_with("client")
}

fn over_time(name: &str, series: &Series, values: &[f64]) -> Line {
    let points = series.seconds.iter().copied().zip(values.iter().copied()).collect();
    Line { name: name.to_owned(), points, ..Line::default() }
}

/// A plot from zero over time; none without two points of something.
fn timeline(
    title: &str,
    caption: &str,
    sentences: &[String],
    lines: Vec<Line>,
    label: impl Fn(f64) -> String,
) -> Option<Plot> {
    let points = || lines.iter().flat_map(|line| &line.points);
    let end = points().map(|point| point.0).max_by(f64::total_cmp)?;
    let most = points().map(|point| point.1).max_by(f64::total_cmp)?;
    Some(Plot {
        title: title.to_owned(),
        caption: caption.to_owned(),
        description: sentences.join(" "),
        x: Axis::linear(end, |value| format!("{} s", axis::number(value))),
        y: Axis::linear(most, label),
        lines,
    })
    .filter(|plot| plot.lines.iter().any(|line| line.points.len() > 1))
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (count, sum) = values.fold((0.0, 0.0), |(count, sum), value| (count + 1.0, sum + value));
    sum / f64::max(count, 1.0)
}

/// The figures that a reader wants first, with names.
pub(crate) fn highlights(subjects: &[Subject<'_>]) -> Vec<(String, String)> {
    let wanted = [
        ("memory", "user per connection", "user memory of the server for each connection"),
        ("reconnects", "slowest wave", "until all were back, slowest wave"),
        ("latency", "p50", "latency, median"),
        ("latency", "p99", "latency, 99th percentile"),
        ("server", "cpu per delivery", "server CPU for each delivery"),
        ("server", "cpu per connect", "server CPU for each connect"),
    ];
    let throughput = format!("{} a second", events(subjects));
    let wanted: Vec<_> =
        std::iter::once(("load", "throughput", throughput.as_str())).chain(wanted).collect();
    let of = |Subject { name, report }: &Subject<'_>| {
        let shown = wanted.iter().filter_map(|(group, row, meaning)| {
            let row = report.row(group, row)?;
            let value = match row.unit {
                Unit::Microseconds | Unit::MicrosecondsEach => axis::time(row.value),
                Unit::KibibytesEach => format!("{} KiB", row.shown().0),
                _ => row.shown().0,
            };
            let several = subjects.len() > 1;
            Some((
                if several { format!("{name}: {meaning}") } else { (*meaning).to_owned() },
                value,
            ))
        });
        shown.collect::<Vec<_>>()
    };
    subjects.iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Percentile;

    fn busy(name: &str, percent: f64) -> Busy {
        Busy { name: name.to_owned(), percent: vec![percent; 3] }
    }

    fn report() -> Summary {
        let point = |percentile, microseconds| Percentile { percentile, microseconds };
        Summary {
            latency: vec![point(50.0, 10.0), point(99.0, 200.0), point(100.0, 4000.0)],
            series: Series {
                seconds: vec![1.0, 2.0, 3.0],
                deliveries_per_second: vec![10.0, 20.0, 15.0],
                threads: vec![busy("client", 40.0), busy("acceptor-0", 0.1), busy("shard-0", 60.0)],
            },
            ..Summary::default()
        }
    }

    #[test]
    fn draws_what_there_is() {
        let report = report();
        let one = plots(&[Subject { name: "fanout".to_owned(), report: &report }]);
        let names = |plot: &Plot| plot.lines.iter().map(|l| l.name.clone()).collect::<Vec<_>>();
        assert_eq!(
            one.iter().map(|plot| plot.title.as_str()).collect::<Vec<_>>(),
            ["Latency", "Throughput", "CPU"]
        );
        assert_eq!(names(&one[2]), ["shard-0", "client"], "idle threads are not drawn");
        let subject = |name: &str| Subject { name: name.to_owned(), report: &report };
        let two = plots(&[subject("A"), subject("B")]);
        assert_eq!(names(&two[2]), ["A", "B"]);
        assert!((two[2].lines[0].points[0].1 - 60.1).abs() < 1e-9, "the client is not the server");
        assert!(two[1].description.contains("A: between 10 and 20"), "{}", two[1].description);
        let none = Summary::default();
        assert_eq!(plots(&[Subject { name: "idle".to_owned(), report: &none }]), []);
        assert_eq!(plots(&[]), []);
    }

    #[test]
    fn has_a_colour_for_each_thread() {
        let threads: Vec<Busy> =
            (0..20).map(|at| busy(&format!("shard-{at}"), f64::from(at))).collect();
        let names: Vec<&str> = busiest(&threads).iter().map(|busy| busy.name.as_str()).collect();
        assert_eq!(names, ["shard-14", "shard-15", "shard-16", "shard-17", "shard-18", "shard-19"]);
    }
}
