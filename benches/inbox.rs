//! What it costs to hand a message over to another thread: one at a time, and without rest.

use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput};
use mercury::bench::{Acceptor, crossing};
use mercury::broker::topic::Topic;
use mercury::limits::TOPIC_BYTES_MAX;
use tokio::runtime::Builder;

/// Bodies of a POST.
const BODIES: [usize; 2] = [64, 16 * 1024];

/// Runs this against a shard on a thread of its own; both are gone afterwards.
fn with_shard(bench: impl FnOnce(&Acceptor)) {
    let topic = Topic::parse("sensors/berlin/17/temperature", TOPIC_BYTES_MAX);
    let (acceptor, shard) = crossing(topic.expect("a valid name"));
    thread::scope(|scope| {
        scope.spawn(|| {
            let runtime = Builder::new_current_thread().build().expect("a runtime");
            runtime.block_on(shard.serve())
        });
        bench(&acceptor);
        let last = acceptor.send(Bytes::new()).expect("the inbox is empty again");
        last.blocking_recv().expect("the shard is there").expect("it refuses nothing");
    });
}

/// Both threads sleep in between: what a POST waits at a broker that has nothing else to do.
fn bench_one(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("inbox/there and back");
    group.throughput(Throughput::Elements(1));
    for bytes in BODIES {
        let body = Bytes::from(vec![b'm'; bytes]);
        with_shard(|acceptor| {
            group.bench_function(BenchmarkId::from_parameter(bytes), |bencher| {
                bencher.iter(|| {
                    let answer = acceptor.send(body.clone()).expect("the inbox is empty");
                    answer.blocking_recv().expect("the shard is there")
                });
            });
        });
    }
    group.finish();
}

/// As fast as one thread sends and another takes.
fn bench_many(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("inbox/without rest");
    group.throughput(Throughput::Elements(1));
    for bytes in BODIES {
        let body = Bytes::from(vec![b'm'; bytes]);
        with_shard(|acceptor| {
            group.bench_function(BenchmarkId::from_parameter(bytes), |bencher| {
                bencher.iter_custom(|messages| timed(acceptor, &body, messages));
            });
        });
    }
    group.finish();
}

/// How long so many take, up to the answer to the last one.
fn timed(acceptor: &Acceptor, body: &Bytes, messages: u64) -> Duration {
    let start = Instant::now();
    let mut last = None;
    for _ in 0..messages {
        last = loop {
            match acceptor.send(body.clone()) {
                // full: the other thread goes first
                None => thread::yield_now(),
                answer => break answer,
            }
        };
    }
    let last = last.expect("there is one message at least");
    last.blocking_recv().expect("the shard is there").expect("it refuses nothing");
    start.elapsed()
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    bench_one(&mut criterion);
    bench_many(&mut criterion);
    criterion.final_summary();
}
