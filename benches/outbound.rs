//! What a receiver that lags costs: queueing a slice, writing it later, hanging up.

use std::hint::black_box;
use std::rc::Rc;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use mercury::frame::{Kind, append, sent_size};
use mercury::limits::OUTBOUND_BYTES_MAX;
use mercury::memory::Meter;
use mercury::outbound::{Batch, Buffer, Outbound};

/// Payload of one message.
const MESSAGE_BYTES: usize = 64;
/// What the socket took of a frame before it took no more.
const WRITTEN_BYTES: usize = 10;

/// A batch of so many messages.
fn batch(messages: usize) -> Batch {
    let mut frames = vec![];
    for _ in 0..messages {
        append(&mut frames, Kind::Binary.op_code(), &[b'm'; MESSAGE_BYTES]);
    }
    Rc::new(Buffer::new(frames, &Meter::unlimited()))
}

/// An outbound with this batch twice, the first partly written.
fn lagging(batch: &Batch) -> Outbound {
    let mut outbound = Outbound::default();
    for written in [WRITTEN_BYTES, 0] {
        outbound
            .push(batch, 0, batch.len(), written, OUTBOUND_BYTES_MAX)
            .expect("two batches are no slow consumer");
    }
    outbound
}

/// The whole batch is shared; its last frame alone is copied.
fn bench_push(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("outbound/push and advance");
    let batch = batch(256);
    let last = batch.len() - sent_size(MESSAGE_BYTES);
    for (case, start) in [("shared", 0), ("copied", last)] {
        group.throughput(Throughput::Bytes((batch.len() - start) as u64));
        group.bench_function(BenchmarkId::from_parameter(case), |bencher| {
            let mut outbound = Outbound::default();
            bencher.iter(|| {
                outbound
                    .push(black_box(&batch), start, batch.len(), 0, OUTBOUND_BYTES_MAX)
                    .expect("an empty outbound takes all");
                outbound.advance(outbound.bytes());
            });
        });
    }
    group.finish();
}

/// One piece, written in as many steps as it has messages.
fn bench_advance(criterion: &mut Criterion) {
    let batch = batch(256);
    let mut group = criterion.benchmark_group("outbound/advance");
    group.throughput(Throughput::Elements(256));
    group.bench_function("256 steps", |bencher| {
        let outbound = || lagging(&batch);
        bencher.iter_batched_ref(
            outbound,
            |outbound| {
                for _ in 0..256 {
                    outbound.advance(black_box(MESSAGE_BYTES));
                }
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

/// A full receiver loses as much as comes; what was found of the batch is shared with the others.
fn bench_drop(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("outbound/drop oldest");
    for messages in [1, 256, 4096] {
        let batch = batch(messages);
        group.throughput(Throughput::Bytes(batch.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(messages), |bencher| {
            let mut outbound = lagging(&batch);
            bencher.iter(|| {
                let whole = 0..batch.len();
                outbound.push_dropping_oldest(black_box(&batch), whole, batch.len(), 0)
            });
        });
    }
    group.finish();
}

/// To hang up, the frame that is partly written is looked for.
fn bench_cut(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("outbound/cut");
    for messages in [1, 256, 4096] {
        let batch = batch(messages);
        group.throughput(Throughput::Bytes(batch.len() as u64));
        let partly_written = || {
            let mut outbound = lagging(&batch);
            outbound.advance(batch.len() / 2);
            outbound
        };
        group.bench_function(BenchmarkId::from_parameter(messages), |bencher| {
            let cut = |outbound: &mut Outbound| outbound.cut(0);
            bencher.iter_batched_ref(partly_written, cut, BatchSize::SmallInput);
        });
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    bench_push(&mut criterion);
    bench_advance(&mut criterion);
    bench_drop(&mut criterion);
    bench_cut(&mut criterion);
    criterion.final_summary();
}
