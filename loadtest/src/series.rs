//! How a load went over its time: deliveries and each thread's CPU, sampled.
//!
//! A sample must not be felt in the latencies beside it. It is taken between two reads of the
//! client: a clock, a counter and one small read per thread of a file that stays open, some 3 µs
//! each; looking everything up in /proc by name, as at both ends, takes half a millisecond.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cpu;
use crate::report::float;

/// How often a sample is taken at first.
pub(crate) const SAMPLE: Duration = Duration::from_millis(100);
/// Points that are kept; at more, pairs become one and samples half as frequent.
const POINTS_MAX: usize = 1000;
/// Threads that are looked at.
const THREADS_MAX: usize = 64;

/// What happened from point to point, from the beginning of the measured part.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Series {
    /// Where each point ends, in seconds; it begins where the one before ends.
    pub(crate) seconds: Vec<f64>,
    /// First deliveries a second.
    pub(crate) deliveries_per_second: Vec<f64>,
    /// The threads of the server, and the client's.
    pub(crate) threads: Vec<Busy>,
}

/// One thread's CPU.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Busy {
    /// The thread's name; ours is `client`.
    pub(crate) name: String,
    /// Per cent of one CPU.
    pub(crate) percent: Vec<f64>,
}

/// Takes the samples of one load.
pub(crate) struct Sampler {
    /// What was sampled so far.
    series: Series,
    /// Where the thread of the same number in `series` is read.
    clocks: Vec<Clock>,
    /// When the measured part began, in ns of the load's clock.
    origin: u64,
    /// When the last sample was taken.
    at: u64,
    /// Deliveries until then.
    deliveries: u64,
    /// CPU time of each thread until then.
    cpu_ns: Vec<u64>,
    /// Calls for each sample.
    stride: usize,
    /// Calls since the last.
    skipped: usize,
}

/// Where a thread's CPU time is read.
enum Clock {
    /// The calling thread's.
    Own,
    /// Another's `schedstat`.
    Schedstat(File),
}

impl Sampler {
    /// Begins at `now` with so many `deliveries`; looks for threads only in `server`.
    pub(crate) fn new(server: Option<u32>, now: u64, deliveries: u64) -> Self {
        let mut threads = server.map(threads).unwrap_or_default();
        threads.push(("client".to_owned(), Clock::Own));
        let (names, clocks): (Vec<_>, Vec<_>) = threads.into_iter().unzip();
        let threads = names.into_iter().map(|name| Busy { name, percent: vec![] }).collect();
        let cpu_ns = clocks.iter().map(|clock| clock.read().unwrap_or(0)).collect();
        Self {
            series: Series { threads, ..Series::default() },
            clocks,
            origin: now,
            at: now,
            deliveries,
            cpu_ns,
            stride: 1,
            skipped: 0,
        }
    }

    /// Takes a sample if it is time for one; to be called every [`SAMPLE`].
    pub(crate) fn sample(&mut self, now: u64, deliveries: u64) {
        self.skipped += 1;
        if self.skipped < self.stride || now <= self.at {
            return;
        }
        let seconds = Duration::from_nanos(now - self.at).as_secs_f64();
        let from_start = Duration::from_nanos(now - self.origin).as_secs_f64();
        self.series.seconds.push(rounded(from_start, 1e3));
        let rate = float(deliveries.saturating_sub(self.deliveries)) / seconds;
        self.series.deliveries_per_second.push(rounded(rate, 1.0));
        let threads = self.series.threads.iter_mut().zip(&self.clocks).zip(&mut self.cpu_ns);
        for ((thread, clock), before) in threads {
            // one that ended stands still
            let cpu_ns = clock.read().unwrap_or(*before);
            let percent = float(cpu_ns.saturating_sub(*before)) / 1e7 / seconds;
            thread.percent.push(rounded(percent, 10.0));
            *before = cpu_ns;
        }
        (self.at, self.deliveries, self.skipped) = (now, deliveries, 0);
        if self.series.seconds.len() >= POINTS_MAX {
            self.series.halve();
            self.stride *= 2;
        }
    }

    /// What was sampled, with the last part if it is not too short to say something.
    pub(crate) fn finish(mut self, now: u64, deliveries: u64) -> Series {
        if Duration::from_nanos(now.saturating_sub(self.at)) >= SAMPLE / 2 {
            self.skipped = self.stride;
            self.sample(now, deliveries);
        }
        self.series
    }
}

impl Series {
    /// Adds that of another client thread, whose points are taken at the same times but for a few
    /// milliseconds; at the end, one of the two may have a point more.
    pub(crate) fn join(&mut self, other: Self) {
        let points = self.seconds.len().min(other.seconds.len());
        self.seconds.truncate(points);
        self.deliveries_per_second.truncate(points);
        for (rate, others) in self.deliveries_per_second.iter_mut().zip(other.deliveries_per_second)
        {
            *rate += others;
        }
        self.threads.extend(other.threads);
        for thread in &mut self.threads {
            thread.percent.truncate(points);
        }
    }

    /// The time that each point stands for.
    fn lengths(&self) -> Vec<f64> {
        let starts = std::iter::once(0.0).chain(self.seconds.iter().copied());
        self.seconds.iter().zip(starts).map(|(end, start)| end - start).collect()
    }

    /// Makes one point of two.
    fn halve(&mut self) {
        let lengths = self.lengths();
        let rates = std::iter::once(&mut self.deliveries_per_second);
        for values in rates.chain(self.threads.iter_mut().map(|thread| &mut thread.percent)) {
            let pairs = values.chunks(2).zip(lengths.chunks(2));
            *values = pairs.map(|(values, lengths)| mean(values, lengths)).collect();
        }
        let ends = self.seconds.chunks(2).filter_map(|pair| pair.last().copied());
        self.seconds = ends.collect();
    }
}

impl Clock {
    /// Nanoseconds of CPU so far; none once the thread is gone.
    fn read(&self) -> Option<u64> {
        match self {
            Self::Own => u64::try_from(cpu::of_this_thread().as_nanos()).ok(),
            Self::Schedstat(file) => {
                let mut text = [0; 64];
                let length = file.read_at(&mut text, 0).ok()?;
                std::str::from_utf8(&text[..length]).ok()?.split(' ').next()?.parse().ok()
            }
        }
    }
}

/// The threads of a process by name, in the order of their start; none if it is gone.
fn threads(process: u32) -> Vec<(String, Clock)> {
    let folder = format!("/proc/{process}/task");
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.sort_by_key(|path| {
        path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse::<u32>().ok())
    });
    let threads = paths.iter().filter_map(|path| {
        let name = fs::read_to_string(path.join("comm")).ok()?.trim_end().to_owned();
        Some((name, Clock::Schedstat(File::open(path.join("schedstat")).ok()?)))
    });
    threads.take(THREADS_MAX).collect()
}

/// The mean over time.
fn mean(values: &[f64], lengths: &[f64]) -> f64 {
    let sum: f64 = values.iter().zip(lengths).map(|(value, length)| value * length).sum();
    rounded(sum / lengths.iter().sum::<f64>().max(1e-9), 10.0)
}

/// No more digits than somebody can see: a thousand points of them go into a file.
fn rounded(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_point_is_what_happened_since_the_last() {
        let mut sampler = Sampler::new(None, 5 * SECOND, 100);
        sampler.sample(6 * SECOND, 150);
        sampler.sample(8 * SECOND, 150);
        sampler.sample(8 * SECOND, 150);
        let series = sampler.finish(8 * SECOND + 1, 160);
        assert_eq!(series.seconds, [1.0, 3.0], "no time, no point");
        assert_eq!(series.deliveries_per_second, [50.0, 0.0]);
        assert_eq!(
            (series.threads[0].name.as_str(), series.threads[0].percent.len()),
            ("client", 2)
        );
    }

    #[test]
    fn a_long_run_keeps_few_points_and_every_delivery() {
        let mut sampler = Sampler::new(None, 0, 0);
        for second in 1..=10_000 {
            sampler.sample(second * SECOND, second * 7);
        }
        let series = sampler.finish(10_000 * SECOND, 70_000);
        let points = series.seconds.len();
        assert!((POINTS_MAX / 2..POINTS_MAX).contains(&points), "{points}");
        assert!(series.deliveries_per_second.iter().all(|rate| (rate - 7.0).abs() < 1e-9));
        assert!(series.seconds.is_sorted());
    }

    #[test]
    fn two_are_one() {
        let series = |points: usize, rate| Series {
            seconds: [1.0, 2.0, 3.0][..points].to_vec(),
            deliveries_per_second: vec![rate; points],
            threads: vec![Busy { name: "client".to_owned(), percent: vec![9.0; points] }],
        };
        let mut one = series(2, 8.0);
        one.join(series(3, 4.0));
        assert_eq!(one.seconds, [1.0, 2.0]);
        assert_eq!(one.deliveries_per_second, [12.0, 12.0]);
        assert_eq!(one.threads.len(), 2);
        assert!(one.threads.iter().all(|thread| thread.percent == [9.0, 9.0]));
    }

    #[test]
    fn halves_by_time() {
        let mut series = Series {
            seconds: vec![1.0, 4.0, 5.0],
            deliveries_per_second: vec![8.0, 4.0, 2.0],
            threads: vec![Busy { name: "client".to_owned(), percent: vec![100.0, 0.0, 50.0] }],
        };
        series.halve();
        assert_eq!(series.seconds, [4.0, 5.0]);
        assert_eq!(series.deliveries_per_second, [5.0, 2.0]);
        assert_eq!(series.threads[0].percent, [25.0, 50.0]);
    }

    #[test]
    fn finds_the_threads_of_a_process() {
        let threads = threads(std::process::id());
        assert!(!threads.is_empty());
        assert!(threads.iter().all(|(_, clock)| clock.read().is_some()));
        assert!(super::threads(u32::MAX).is_empty());
    }
}
