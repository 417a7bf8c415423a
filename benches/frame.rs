//! What the head of a client's frame costs to read, and a frame of ours to append.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use mercury::frame::{Head, Kind, append, sent_size};

/// Payloads with each of the three forms of a length, and of what is between.
const PAYLOADS: [usize; 6] = [0, 64, 125, 1024, 16 * 1024, 128 * 1024];
/// Frames in a batch.
const FRAMES: u64 = 256;

fn bench_head(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("frame/head");
    group.throughput(Throughput::Elements(1));
    for bytes in PAYLOADS {
        let mut frame = vec![];
        append(&mut frame, Kind::Binary.op_code(), &vec![b'm'; bytes]);
        // masked, its mask is the beginning of its payload
        frame[1] |= 0x80;
        frame.extend([0; 4]);
        let head = Head::read(&frame).expect("a right head").expect("a whole head");
        assert_eq!(head.payload, bytes);
        group.bench_function(BenchmarkId::from_parameter(bytes), |bencher| {
            bencher.iter(|| Head::read(black_box(&frame)));
        });
    }
    group.finish();
}

fn bench_append(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("frame/append");
    for bytes in PAYLOADS {
        let payload = vec![b'm'; bytes];
        let mut batch = Vec::with_capacity(sent_size(bytes));
        group.throughput(Throughput::Bytes(sent_size(bytes) as u64));
        group.bench_function(BenchmarkId::from_parameter(bytes), |bencher| {
            bencher.iter(|| {
                batch.clear();
                append(&mut batch, Kind::Binary.op_code(), black_box(&payload));
                black_box(batch.len())
            });
        });
    }
    group.finish();
}

/// A batch that grows from nothing, as that of a topic which was quiet.
fn bench_batch(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("frame/append to nothing");
    group.throughput(Throughput::Elements(FRAMES));
    group.bench_function(BenchmarkId::from_parameter(FRAMES), |bencher| {
        bencher.iter(|| {
            let mut batch = vec![];
            for _ in 0..FRAMES {
                append(&mut batch, Kind::Binary.op_code(), black_box(&[b'm'; 64]));
            }
            batch
        });
    });
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    bench_head(&mut criterion);
    bench_append(&mut criterion);
    bench_batch(&mut criterion);
    criterion.final_summary();
}
