//! What a client's frame costs to decode, and what a frame of ours costs to append.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use mercury::frame::decoder::{Decoder, Event, Progress};
use mercury::frame::{Kind, append};
use mercury::limits::MESSAGE_BYTES_MAX;

/// A message as chats and tickers send them.
const SMALL_BYTES: usize = 64;
/// A message that takes several reads.
const LARGE_BYTES: usize = 16 * 1024;

/// A client's frame. The mask is zero, so that a buffer that was unmasked in place can be decoded
/// again; unmasking takes as long as with any other.
fn masked(kind: Kind, payload: &[u8]) -> Vec<u8> {
    let mut sent = vec![];
    append(&mut sent, kind.op_code(), payload);
    let head = sent.len() - payload.len();
    sent[1] |= 0x80;
    sent.splice(head..head, [0; 4]);
    sent
}

/// Decodes every frame of the buffer, as a read of that many bytes is; how many there were.
fn decode(decoder: &mut Decoder, buffer: &mut [u8]) -> usize {
    let (mut at, mut messages) = (0, 0);
    while let Ok(Progress::Whole(head)) = decoder.look(&buffer[at..]) {
        match decoder.take(&head, &mut buffer[at..]) {
            Ok(Event::Message(kind, payload)) => {
                black_box((kind, payload));
                messages += 1;
            }
            other => unreachable!("{other:?} in a buffer of messages"),
        }
        at += head.size + head.payload;
    }
    messages
}

fn bench_decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("frame/decode");
    for kind in [Kind::Text, Kind::Binary] {
        for (frames, bytes) in
            [(1, SMALL_BYTES), (16, SMALL_BYTES), (256, SMALL_BYTES), (1, LARGE_BYTES)]
        {
            let mut buffer = masked(kind, &vec![b'm'; bytes]).repeat(frames);
            let mut decoder = Decoder::new(MESSAGE_BYTES_MAX);
            assert_eq!(decode(&mut decoder, &mut buffer), frames);
            group.throughput(Throughput::Elements(frames as u64));
            let id = BenchmarkId::new(format!("{kind:?}"), format!("{frames} x {bytes}"));
            group.bench_function(id, |bencher| {
                bencher.iter(|| decode(&mut decoder, black_box(&mut buffer)));
            });
        }
    }
    group.finish();
}

fn bench_append(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("frame/append");
    for bytes in [SMALL_BYTES, LARGE_BYTES] {
        let payload = vec![b'm'; bytes];
        let mut batch = Vec::with_capacity(2 * LARGE_BYTES);
        group.throughput(Throughput::Elements(1));
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

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    bench_decode(&mut criterion);
    bench_append(&mut criterion);
    criterion.final_summary();
}
