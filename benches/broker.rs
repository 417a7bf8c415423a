//! What the core costs without sockets: publishing into batches, giving them out, pushing jobs.

use std::hint::black_box;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use mercury::broker::topic::Topic;
use mercury::broker::{Bounds, Broker, Kind, MemberId, Receivers, Role, Taken};
use mercury::limits::{Limits, TOPIC_BYTES_MAX};
use mercury::metrics::Counters;
use mercury::outbound::Batch;

const PAYLOAD: [u8; 64] = [b'm'; 64];
/// Messages that a topic gathers before it is flushed.
const TURN_MESSAGES: u64 = 64;

/// Receivers whose sockets take everything at once.
struct Everybody;

impl Receivers for Everybody {
    fn fan_out(&mut self, member: MemberId, batch: &Batch, runs: &[Range<usize>]) {
        black_box((member, batch, runs));
    }

    fn jobs(&mut self, puller: MemberId, frames: Vec<u8>) -> Taken {
        black_box(puller);
        Taken { outbound: 0, spare: Some(frames) }
    }
}

fn broker() -> Broker {
    Broker::new(Bounds::new(&Limits::default(), Arc::new(Counters::default())))
}

fn join(broker: &mut Broker, role: Role, name: &str) -> MemberId {
    let topic = Topic::parse(name, TOPIC_BYTES_MAX).expect("a valid name");
    broker.join(role, &topic, false).expect("there are few topics")
}

/// What a connection does with a message that it read.
fn publish(broker: &mut Broker, id: MemberId) {
    broker.room(id, PAYLOAD.len()).expect("a turn is less than a batch may hold");
    broker.publish(id, Kind::Binary, black_box(&PAYLOAD));
}

/// Publishing alone: a batch for the topic and for each ancestor, all of which have members.
fn bench_publish(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("broker/publish");
    group.throughput(Throughput::Elements(1));
    for depth in [1, 2, 4, 8] {
        for members in [1, 100] {
            let mut broker = broker();
            let segments = vec!["s"; depth];
            for level in 1..=depth {
                for _ in 0..members {
                    join(&mut broker, Role::Subscriber, &segments[..level].join("/"));
                }
            }
            let publisher = join(&mut broker, Role::Publisher, &segments.join("/"));
            let id = BenchmarkId::new(format!("depth {depth}"), format!("{members} members"));
            group.bench_function(id, |bencher| {
                bencher.iter_custom(|messages| timed_turns(&mut broker, publisher, messages));
            });
        }
    }
    group.finish();
}

/// The time that publishing takes, without that of giving out.
fn timed_turns(broker: &mut Broker, publisher: MemberId, mut messages: u64) -> Duration {
    let mut spent = Duration::ZERO;
    while messages > 0 {
        let turn = messages.min(TURN_MESSAGES);
        let start = Instant::now();
        for _ in 0..turn {
            publish(broker, publisher);
        }
        spent += start.elapsed();
        broker.flush(usize::MAX, &mut Everybody);
        messages -= turn;
    }
    spent
}

/// Messages of a turn, given out to everybody: what the bookkeeping adds to the writes.
fn bench_flush(criterion: &mut Criterion) {
    for messages in [1, 16] {
        let name = format!("broker/publish and flush a batch of {messages}");
        let mut group = criterion.benchmark_group(name);
        for members in [1, 10, 100, 1000, 10_000] {
            let mut broker = broker();
            for _ in 0..members {
                join(&mut broker, Role::Subscriber, "s");
            }
            let publisher = join(&mut broker, Role::Publisher, "s");
            group.throughput(Throughput::Elements(members * messages));
            group.bench_function(BenchmarkId::from_parameter(members), |bencher| {
                bencher.iter(|| {
                    for _ in 0..messages {
                        publish(&mut broker, publisher);
                    }
                    broker.flush(usize::MAX, &mut Everybody)
                });
            });
        }
        group.finish();
    }
}

/// Every peer speaks in every turn, so that its own frame is cut out of what it gets.
fn bench_bus(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("broker/bus with own frames");
    for peers in [2, 100, 1000] {
        let mut broker = broker();
        let ids: Vec<_> = (0..peers).map(|_| join(&mut broker, Role::Peer, "b")).collect();
        group.throughput(Throughput::Elements(peers));
        group.bench_function(BenchmarkId::from_parameter(peers), |bencher| {
            bencher.iter(|| {
                for id in &ids {
                    publish(&mut broker, *id);
                }
                broker.flush(usize::MAX, &mut Everybody)
            });
        });
    }
    group.finish();
}

/// Pullers take turns.
fn bench_push(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("broker/push");
    group.throughput(Throughput::Elements(TURN_MESSAGES));
    for pullers in [1, 8, 1000] {
        let mut broker = broker();
        for _ in 0..pullers {
            join(&mut broker, Role::Puller, "p");
        }
        let pusher = join(&mut broker, Role::Pusher, "p");
        group.bench_function(BenchmarkId::from_parameter(pullers), |bencher| {
            bencher.iter(|| {
                for _ in 0..TURN_MESSAGES {
                    publish(&mut broker, pusher);
                }
                broker.flush(usize::MAX, &mut Everybody)
            });
        });
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    bench_publish(&mut criterion);
    bench_flush(&mut criterion);
    bench_bus(&mut criterion);
    bench_push(&mut criterion);
    criterion.final_summary();
}
