//! Frames that we write, walked and decoded again.
//!
//! An input is a row of frames: kind, three bytes of size, and what to fill the payload with.

#![cfg_attr(feature = "libfuzzer", no_main)]

use mercury::frame::decoder::{Decoder, Event, Progress};
use mercury::frame::{CONTROL_BYTES_MAX, Kind, OpCode, append, sent_at, sent_size};

mercury_fuzz::target!(check);

/// Past the longest length that fits into 16 bits.
const PAYLOAD_BYTES_MAX: usize = 70_000;
/// More of them only take longer.
const FRAMES_MAX: usize = 3;

fn check(input: &[u8]) {
    let frames: Vec<_> = input.chunks_exact(5).take(FRAMES_MAX).map(frame).collect();
    let mut sent = vec![];
    let mut at = 0;
    for (op_code, payload) in &frames {
        append(&mut sent, *op_code, payload);
        at += sent_size(payload.len());
        assert_eq!(sent.len(), at);
    }
    at = 0;
    for (op_code, payload) in &frames {
        let walked = sent_at(&sent, at);
        assert_eq!(walked.range, at..at + sent_size(payload.len()));
        assert_eq!(walked.is_data, matches!(op_code, OpCode::Text | OpCode::Binary));
        assert_eq!(walked.payload, payload.len());
        assert!(sent[walked.range.clone()].ends_with(payload));
        decode(&sent[walked.range.clone()], *op_code, payload);
        at = walked.range.end;
    }
    assert_eq!(at, sent.len());
}

/// One frame of the row.
fn frame(words: &[u8]) -> (OpCode, Vec<u8>) {
    let [kind, high, middle, low, fill] = *words else { unreachable!("five at a time") };
    let size = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
    let (op_code, max) = match kind % 4 {
        0 => (OpCode::Text, PAYLOAD_BYTES_MAX),
        1 => (OpCode::Binary, PAYLOAD_BYTES_MAX),
        2 => (OpCode::Ping, CONTROL_BYTES_MAX),
        _ => (OpCode::Pong, CONTROL_BYTES_MAX),
    };
    (op_code, vec![fill % 128; size % (max + 1)])
}

/// The frame as a client would have sent it brings the same payload back.
fn decode(sent: &[u8], op_code: OpCode, payload: &[u8]) {
    let mask = [0x5a, 0xa5, 0x00, 0xff];
    let head = sent.len() - payload.len();
    let mut masked = sent[..head].to_vec();
    masked[1] |= 0x80;
    masked.extend_from_slice(&mask);
    masked.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    let mut decoder = Decoder::new(PAYLOAD_BYTES_MAX);
    let Ok(Progress::Whole(head)) = decoder.look(&masked) else { panic!("is whole") };
    assert_eq!(head.size + head.payload, masked.len());
    match (op_code, decoder.take(&head, &mut masked).expect("is valid")) {
        (OpCode::Text, Event::Message(Kind::Text, came))
        | (OpCode::Binary, Event::Message(Kind::Binary, came)) => assert_eq!(came, payload),
        (OpCode::Ping, Event::Ping(came)) => assert_eq!(came, payload),
        (OpCode::Pong, Event::Pong) => {}
        (_, other) => panic!("{op_code:?} came as {other:?}"),
    }
}
