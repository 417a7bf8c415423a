//! Messages on their way in: decoded, published, encoded.

use std::hint::black_box;

use mercury::broker::{Broker, Kind, MemberId, Role};
use mercury::frame::append;
use mercury::frame::decoder::{Decoder, Event, Progress};
use mercury::limits::MESSAGE_BYTES_MAX;

use super::Turn;
use super::crowd::{Everybody, broker, flush, join, publish};

/// A message as chats and tickers send them.
const SMALL_BYTES: usize = 64;
/// Frames in a read.
const FRAMES: usize = 256;

/// One small frame in a read.
pub(super) fn decode_1() -> Turn {
    decode(Kind::Binary, &[b'm'; SMALL_BYTES], 1)
}

/// 256 small frames in a read.
pub(super) fn decode_256() -> Turn {
    decode(Kind::Binary, &[b'm'; SMALL_BYTES], FRAMES)
}

/// One large frame.
pub(super) fn decode_16_kib() -> Turn {
    decode(Kind::Binary, &[b'm'; 16 * 1024], 1)
}

/// 256 small texts, not only of ASCII.
pub(super) fn decode_utf_8() -> Turn {
    decode(Kind::Text, "größer als ein Wort, 更长的一句话, и ещё".as_bytes(), FRAMES)
}

fn decode(kind: Kind, payload: &[u8], frames: usize) -> Turn {
    let mut buffer = masked(kind, payload).repeat(frames);
    let mut decoder = Decoder::new(MESSAGE_BYTES_MAX);
    Box::new(move || {
        each(&mut decoder, &mut buffer, |payload| {
            black_box(payload);
        })
    })
}

/// 256 frames of ours, one behind the other.
pub(super) fn append_small() -> Turn {
    let mut batch = vec![];
    Box::new(move || {
        batch.clear();
        for _ in 0..FRAMES {
            append(&mut batch, Kind::Binary.op_code(), black_box(&[b'm'; SMALL_BYTES]));
        }
        black_box(&batch);
        FRAMES
    })
}

/// A read of small frames from a publisher, with one subscriber.
pub(super) fn publish_1() -> Turn {
    publish_below(1)
}

/// The same with eight levels, each of which has a subscriber.
pub(super) fn publish_8() -> Turn {
    publish_below(8)
}

fn publish_below(depth: usize) -> Turn {
    let mut broker = broker();
    let segments = vec!["s"; depth];
    for level in 1..=depth {
        join(&mut broker, Role::Subscriber, &segments[..level].join("/"));
    }
    let publisher = join(&mut broker, Role::Publisher, &segments.join("/"));
    ingest(broker, publisher)
}

/// A read of small frames from one of two peers.
pub(super) fn publish_bus() -> Turn {
    let mut broker = broker();
    let speaker = join(&mut broker, Role::Peer, "t");
    join(&mut broker, Role::Peer, "t");
    ingest(broker, speaker)
}

/// What one connection's read becomes, given out at the end of the turn.
fn ingest(mut broker: Broker, speaker: MemberId) -> Turn {
    let mut buffer = masked(Kind::Binary, &[b'm'; SMALL_BYTES]).repeat(FRAMES);
    let mut decoder = Decoder::new(MESSAGE_BYTES_MAX);
    Box::new(move || {
        let messages = each(&mut decoder, &mut buffer, |payload| {
            publish(&mut broker, speaker, payload);
        });
        flush(&mut broker, &mut Everybody::default());
        messages
    })
}

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
fn each(decoder: &mut Decoder, buffer: &mut [u8], mut take: impl FnMut(&[u8])) -> usize {
    let (mut at, mut messages) = (0, 0);
    while let Ok(Progress::Whole(head)) = decoder.look(&buffer[at..]) {
        match decoder.take(&head, &mut buffer[at..]) {
            Ok(Event::Message(_, payload)) => take(&payload),
            other => unreachable!("{other:?} in a buffer of messages"),
        }
        messages += 1;
        at += head.size + head.payload;
    }
    messages
}
