//! What a topic's name costs at the door, and its ancestors at a join.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use mercury::broker::topic::Topic;
use mercury::limits::{TOPIC_BYTES_MAX, TOPIC_SEGMENTS_MAX};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let below = |depth| vec!["segment"; depth].join("/");
    let (two, four, eight) = (below(2), below(4), below(8));
    let deepest = vec!["segment"; TOPIC_SEGMENTS_MAX].join("/");
    let names = [
        ("usual", "sensors/berlin/17/temperature"),
        ("encoded", "sensors%2Fberlin%2F17%2Ftemp%C3%A9rature"),
        ("depth 1", "segment"),
        ("depth 2", &two),
        ("depth 4", &four),
        ("depth 8", &eight),
        ("deepest", &deepest),
    ];
    let mut group = criterion.benchmark_group("topic/parse");
    for (case, name) in names {
        group.throughput(Throughput::Bytes(name.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(case), |bencher| {
            bencher.iter(|| Topic::parse(black_box(name), TOPIC_BYTES_MAX).expect("a valid name"));
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group("topic/ancestors");
    for (case, name) in names {
        group.throughput(Throughput::Elements(1));
        let topic = Topic::parse(name, TOPIC_BYTES_MAX).expect("a valid name");
        group.bench_function(BenchmarkId::from_parameter(case), |bencher| {
            bencher.iter(|| black_box(&topic).ancestors().map(str::len).sum::<usize>());
        });
    }
    group.finish();
    criterion.final_summary();
}
