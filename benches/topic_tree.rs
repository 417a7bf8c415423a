//! What it costs to find topics by name among many, and to make and free them.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use mercury::bench::Names;

/// How many topics there are.
const TOPICS: [usize; 4] = [4, 100, 10_000, 1_000_000];
/// Segments of a name.
const DEPTHS: [usize; 4] = [1, 2, 4, 8];
/// Names that are looked for, one after the other and far from each other: where there are as many,
/// more than a core's own caches hold.
const SOUGHT: usize = 32_768;

/// A name with so many segments; the number is in the last one.
fn name(depth: usize, number: usize) -> String {
    let mut name = "segment/".repeat(depth - 1);
    name.push_str(&number.to_string());
    name
}

/// So many topics, as many of each depth, and of each the names of some.
fn tree(topics: usize) -> (Names, [Vec<String>; DEPTHS.len()]) {
    let of_each = topics.div_ceil(DEPTHS.len());
    let mut names = Names::default();
    for depth in DEPTHS {
        for number in 0..of_each {
            names.acquire(&name(depth, number));
        }
    }
    // a step that has no factor in common with the number of topics reaches all of them
    let sought = |depth| (0..SOUGHT).map(|step| name(depth, step * 7919 % of_each)).collect();
    (names, DEPTHS.map(sought))
}

fn bench_find(criterion: &mut Criterion, topics: usize, names: &Names, sought: &[Vec<String>]) {
    let mut group = criterion.benchmark_group("topic_tree/find");
    group.throughput(Throughput::Elements(1));
    for (depth, sought) in DEPTHS.iter().zip(sought) {
        assert!(sought.iter().all(|name| names.has(name)));
        let mut next = sought.iter().cycle();
        group.bench_function(BenchmarkId::new(format!("depth {depth}"), topics), |bencher| {
            bencher.iter(|| names.has(black_box(next.next().expect("it has no end"))));
        });
    }
    group.finish();
}

/// A topic is made for its first user and freed after its last, beside so many others.
fn bench_life(criterion: &mut Criterion, topics: usize, names: &mut Names, known: &str) {
    let mut group = criterion.benchmark_group("topic_tree/acquire and release");
    group.throughput(Throughput::Elements(1));
    for (case, name) in [("new", "segment/segment/segment/new"), ("known", known)] {
        group.bench_function(BenchmarkId::new(case, topics), |bencher| {
            bencher.iter(|| {
                names.acquire(black_box(name));
                names.release(black_box(name))
            });
        });
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for topics in TOPICS {
        let (mut names, sought) = tree(topics);
        bench_find(&mut criterion, topics, &names, &sought);
        bench_life(&mut criterion, topics, &mut names, &sought[0][0]);
    }
    criterion.final_summary();
}
