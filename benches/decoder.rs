//! What a client's frames cost to decode: one to many in a read, long ones, texts, any alignment.

use std::hint::black_box;
use std::ops::Range;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use mercury::frame::decoder::{Decoder, Event, Progress};
use mercury::frame::{Kind, append};
use mercury::limits::MESSAGE_BYTES_MAX;

/// A message as chats and tickers send them.
const SMALL_BYTES: usize = 64;
/// A message that takes several reads.
const LARGE_BYTES: usize = 16 * 1024;
/// Masks that change nothing, and that change every byte.
const NO_MASK: [u8; 4] = [0; 4];
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
/// What vectors are aligned to at most.
const VECTOR_BYTES: usize = 64;

/// A client's frame. A buffer is unmasked in place, and again and again here: texts need the mask
/// that changes nothing, while bytes may be any.
fn masked(kind: Kind, mask: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let mut sent = vec![];
    append(&mut sent, kind.op_code(), payload);
    let head = sent.len() - payload.len();
    sent[1] |= 0x80;
    sent.splice(head..head, mask);
    sent
}

/// Decodes every frame of the buffer, as a read of that many bytes is; how many messages.
fn decode(decoder: &mut Decoder, buffer: &mut [u8]) -> usize {
    let (mut at, mut messages) = (0, 0);
    while let Ok(Progress::Whole(head)) = decoder.look(&buffer[at..]) {
        match decoder.take(&head, &mut buffer[at..]) {
            Ok(Event::Message(kind, payload)) => {
                black_box((kind, payload));
                messages += 1;
            }
            Ok(Event::Fragment) => {}
            other => unreachable!("{other:?} in a buffer of messages"),
        }
        at += head.size + head.payload;
    }
    messages
}

/// One case: the messages in a part of the buffer, each of so many bytes.
fn bench_messages(
    group: &mut BenchmarkGroup<'_, WallTime>,
    id: BenchmarkId,
    (mut buffer, part): (Vec<u8>, Range<usize>),
    (messages, bytes): (usize, usize),
) {
    let mut decoder = Decoder::new(MESSAGE_BYTES_MAX);
    assert_eq!(decode(&mut decoder, &mut buffer[part.clone()]), messages);
    group.throughput(Throughput::ElementsAndBytes {
        elements: messages as u64,
        bytes: (messages * bytes) as u64,
    });
    group.bench_function(id, |bencher| {
        bencher.iter(|| decode(&mut decoder, black_box(&mut buffer[part.clone()])));
    });
}

fn whole(frames: Vec<u8>) -> (Vec<u8>, Range<usize>) {
    let bytes = frames.len();
    (frames, 0..bytes)
}

fn bench_frames(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decoder/frames");
    for (frames, bytes) in
        [(1, SMALL_BYTES), (16, SMALL_BYTES), (256, SMALL_BYTES), (1, LARGE_BYTES)]
    {
        for (kind, mask) in [(Kind::Binary, MASK), (Kind::Text, NO_MASK)] {
            let buffer = masked(kind, mask, &vec![b'm'; bytes]).repeat(frames);
            let id = BenchmarkId::new(format!("{kind:?}"), format!("{frames} x {bytes}"));
            bench_messages(&mut group, id, whole(buffer), (frames, bytes));
        }
    }
    group.finish();
}

/// Payloads that begin so many bytes behind what vectors like.
fn bench_alignment(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decoder/unaligned");
    for bytes in [SMALL_BYTES, LARGE_BYTES] {
        let frame = masked(Kind::Binary, MASK, &vec![b'm'; bytes]);
        let head = frame.len() - bytes;
        for off in [0, 1, 3, 7] {
            let mut buffer = vec![0; frame.len() + 2 * VECTOR_BYTES];
            let aligned = buffer.as_ptr().align_offset(VECTOR_BYTES);
            let start = aligned + VECTOR_BYTES - head + off;
            buffer[start..start + frame.len()].copy_from_slice(&frame);
            let id = BenchmarkId::new(format!("{bytes} bytes"), format!("off by {off}"));
            let part = start..start + frame.len();
            bench_messages(&mut group, id, (buffer, part), (1, bytes));
        }
    }
    group.finish();
}

/// Texts of one, two, three and four bytes a character, and of all.
fn bench_text(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decoder/text");
    let texts = [
        ("ascii", "the quick brown "),
        ("cyrillic", "быстрая"),
        ("chinese", "更长的一句话"),
        ("emoji", "🦀🚀🎉🔥"),
        ("mixed", "größer, 长, ещё, 🦀 "),
    ];
    for (script, text) in texts {
        for bytes in [SMALL_BYTES, LARGE_BYTES] {
            let text = text.repeat(bytes / text.len());
            let frame = masked(Kind::Text, NO_MASK, text.as_bytes());
            let id = BenchmarkId::new(script, bytes);
            bench_messages(&mut group, id, whole(frame), (1, text.len()));
        }
    }
    group.finish();
}

/// A message in fragments, which are put together; characters are cut where they happen to be.
fn bench_fragments(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decoder/fragments");
    let text = "更长".repeat(LARGE_BYTES / 6);
    for fragments in [2, 16] {
        let mut buffer = vec![];
        for (number, part) in text.as_bytes().chunks(text.len().div_ceil(fragments)).enumerate() {
            let mut frame = masked(Kind::Text, NO_MASK, part);
            let op_code = if number == 0 { frame[0] & 0x0f } else { 0 };
            frame[0] = op_code | if number + 1 == fragments { 0x80 } else { 0 };
            buffer.extend(frame);
        }
        let id = BenchmarkId::from_parameter(fragments);
        bench_messages(&mut group, id, whole(buffer), (1, text.len()));
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    bench_frames(&mut criterion);
    bench_alignment(&mut criterion);
    bench_text(&mut criterion);
    bench_fragments(&mut criterion);
    criterion.final_summary();
}
