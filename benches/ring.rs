//! What it costs to say whose turn a job is: all pullers open, some full, some coming and going.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use mercury::bench::Turns;
use mercury::broker::MemberId;

/// How many pull.
const PULLERS: [u32; 4] = [1, 8, 1000, 10_000];

fn bench_serve(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ring/serve");
    group.throughput(Throughput::Elements(1));
    for pullers in PULLERS {
        let mut turns = Turns::new(pullers);
        group.bench_function(BenchmarkId::new("all open", pullers), |bencher| {
            bencher.iter(|| turns.serve(|puller| black_box(puller).0 < pullers));
        });
    }
    for pullers in &PULLERS[1..] {
        let mut turns = Turns::new(*pullers);
        // found once, they are passed over from then on
        group.bench_function(BenchmarkId::new("every other one full", pullers), |bencher| {
            bencher.iter(|| turns.serve(|puller| black_box(puller).0 % 2 == 0));
        });
    }
    for pullers in PULLERS {
        let mut turns = Turns::new(pullers);
        assert_eq!(turns.serve(|_| false), None);
        group.bench_function(BenchmarkId::new("all full", pullers), |bencher| {
            bencher.iter(|| turns.serve(black_box(|_| true)));
        });
    }
    group.finish();
}

/// One is full, makes progress, and gets a job.
fn bench_reopen(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ring/full and open again");
    group.throughput(Throughput::Elements(1));
    for pullers in PULLERS {
        let mut turns = Turns::new(pullers);
        let last = MemberId(pullers - 1);
        group.bench_function(BenchmarkId::from_parameter(pullers), |bencher| {
            bencher.iter(|| {
                let served = turns.serve(|puller| puller != last);
                turns.reopen(black_box(last));
                served
            });
        });
    }
    group.finish();
}

/// One leaves and another comes.
fn bench_rejoin(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ring/leave and join");
    group.throughput(Throughput::Elements(1));
    for pullers in PULLERS {
        let mut turns = Turns::new(pullers);
        let middle = MemberId(pullers / 2);
        group.bench_function(BenchmarkId::from_parameter(pullers), |bencher| {
            bencher.iter(|| turns.rejoin(black_box(middle)));
        });
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    bench_serve(&mut criterion);
    bench_reopen(&mut criterion);
    bench_rejoin(&mut criterion);
    criterion.final_summary();
}
