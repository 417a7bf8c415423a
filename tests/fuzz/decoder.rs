//! The decoder against a naive one, in whatever pieces the bytes come.
//!
//! The first byte of an input says how large messages may be and how the rest is cut.

#![cfg_attr(feature = "libfuzzer", no_main)]

use std::borrow::Cow;
use std::iter::{once, repeat, successors};

use mercury::frame::decoder::{Decoder, Event, Progress};
use mercury::frame::{Breach, Kind};
use mercury::limits::MESSAGE_EMPTY_FRAGMENTS_MAX;

mercury_fuzz::target!(check);

/// `--max-message`.
const LIMITS: [usize; 4] = [1, 16, 300, 1 << 40];

/// What a connection makes of its bytes.
#[derive(Debug, PartialEq, Eq)]
enum Came {
    Message(Kind, Vec<u8>),
    Fragment,
    Ping(Vec<u8>),
    Pong,
    Close(Vec<u8>),
    /// The close code that answers it.
    Breach(u16),
    /// The bytes end inside a message.
    Unfinished,
}

fn check(input: &[u8]) {
    let Some((first, bytes)) = input.split_first() else { return };
    let max = LIMITS[usize::from(first % 4)];
    let expected = Naive { max, ..Naive::default() }.decode(bytes);
    let drawn = successors(Some(u32::from(*first)), |last| {
        Some(last.wrapping_mul(1_664_525).wrapping_add(1_013_904_223))
    });
    let drawn = drawn.map(|number| (number >> 16) as usize % 24 + 1);
    assert_eq!(decode(max, bytes, once(bytes.len()), true), expected, "whole");
    assert_eq!(decode(max, bytes, repeat(1), false), expected, "byte by byte");
    assert_eq!(decode(max, bytes, drawn, true), expected, "in pieces");
}

/// Reads as a connection does. One that is patient looks only when there are as many bytes as it
/// was told to wait for.
fn decode(
    max: usize,
    mut rest: &[u8],
    mut pieces: impl Iterator<Item = usize>,
    patient: bool,
) -> Vec<Came> {
    let mut decoder = Decoder::new(max);
    let (mut carry, mut needs, mut came) = (vec![], 0, vec![]);
    while !rest.is_empty() {
        let size = pieces.next().unwrap_or(rest.len()).min(rest.len());
        carry.extend_from_slice(&rest[..size]);
        rest = &rest[size..];
        if patient && carry.len() < needs {
            continue;
        }
        let mut at = 0;
        needs = 0;
        while at < carry.len() {
            match step(&mut decoder, &mut carry[at..], max) {
                Ok((size, event)) => {
                    at += size;
                    came.push(event);
                    if matches!(came.last(), Some(Came::Close(_))) {
                        return came;
                    }
                }
                Err(Stop::Needs(count)) => {
                    assert!(count > carry.len() - at, "needs what is there");
                    needs = count;
                    break;
                }
                Err(Stop::Breach(breach)) => {
                    assert!(breach.reason().payload().len() <= 125, "{breach}");
                    came.push(Came::Breach(breach.code().number()));
                    return came;
                }
            }
        }
        carry.drain(..at);
    }
    came.extend(decoder.is_inside_message().then_some(Came::Unfinished));
    came
}

enum Stop {
    Needs(usize),
    Breach(Breach),
}

impl From<Breach> for Stop {
    fn from(breach: Breach) -> Self {
        Self::Breach(breach)
    }
}

/// One frame: its size and what it brought.
fn step(decoder: &mut Decoder, bytes: &mut [u8], max: usize) -> Result<(usize, Came), Stop> {
    let head = match decoder.look(bytes)? {
        Progress::Whole(head) => head,
        Progress::Needs(count) => return Err(Stop::Needs(count)),
    };
    let announced = decoder.message_bytes(&head);
    let came = match decoder.take(&head, bytes)? {
        Event::Message(kind, payload) => {
            assert!(head.ends_message() && payload.len() == announced && announced <= max);
            assert!(kind == Kind::Binary || std::str::from_utf8(&payload).is_ok());
            if let Cow::Owned(gathered) = &payload {
                let most = gathered.len().max(8) * 2;
                assert!(gathered.capacity() <= most, "reserved {}", gathered.capacity());
            }
            Came::Message(kind, payload.into_owned())
        }
        Event::Fragment => Came::Fragment,
        Event::Ping(payload) => Came::Ping(payload.to_vec()),
        Event::Pong => Came::Pong,
        Event::Close(payload) => Came::Close(payload.to_vec()),
    };
    Ok((head.size + head.payload, came))
}

/// RFC 6455 5.2 and 5.4, word by word and without haste.
#[derive(Default)]
struct Naive {
    max: usize,
    /// A message that has not ended, and how many of its fragments were empty.
    open: Option<(Kind, Vec<u8>, u32)>,
}

impl Naive {
    fn decode(mut self, mut bytes: &[u8]) -> Vec<Came> {
        let mut came = vec![];
        loop {
            match self.frame(bytes) {
                Ok(Some((size, event))) => {
                    bytes = &bytes[size..];
                    came.push(event);
                    if matches!(came.last(), Some(Came::Close(_))) {
                        return came;
                    }
                }
                Ok(None) => break,
                Err(code) => {
                    came.push(Came::Breach(code));
                    return came;
                }
            }
        }
        came.extend(self.open.is_some().then_some(Came::Unfinished));
        came
    }

    /// The first frame, if it is whole: its size and what it brings; or the close code.
    fn frame(&mut self, bytes: &[u8]) -> Result<Option<(usize, Came)>, u16> {
        let [first, second, ..] = *bytes else { return Ok(None) };
        let (fin, reserved, op_code) = (first >= 0x80, first & 0x70, first % 16);
        let (masked, short) = (second >= 0x80, second % 128);
        let is_control = op_code >= 8;
        let is_known = [0, 1, 2, 8, 9, 10].contains(&op_code);
        if reserved != 0 || !masked || !is_known || (is_control && (short > 125 || !fin)) {
            return Err(1002);
        }
        let extended = match short {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let Some(length) = bytes.get(2..2 + extended) else { return Ok(None) };
        let length = length.iter().fold(0, |sum: u128, byte| sum * 256 + u128::from(*byte));
        match extended {
            2 if length < 126 => return Err(1002),
            8 if !(65_536..1 << 63).contains(&length) => return Err(1002),
            _ => {}
        }
        let length = if extended == 0 { u128::from(short) } else { length };
        let Some(mask) = bytes.get(2 + extended..6 + extended) else { return Ok(None) };
        if !is_control {
            if (op_code == 0) != self.open.is_some() {
                return Err(1002);
            }
            let before = self.open.as_ref().map_or(0, |(_, payload, _)| payload.len());
            if before as u128 + length > self.max as u128 {
                return Err(1009);
            }
        }
        let payload = &bytes[6 + extended..];
        if length > payload.len() as u128 {
            return Ok(None);
        }
        let payload = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
        let payload: Vec<u8> = payload.take(usize::try_from(length).expect("is there")).collect();
        let size = 6 + extended + payload.len();
        self.bring(fin, op_code, payload).map(|came| Some((size, came)))
    }

    fn bring(&mut self, fin: bool, op_code: u8, payload: Vec<u8>) -> Result<Came, u16> {
        let (kind, mut whole, mut empty) = match op_code {
            0 => self.open.take().expect("checked with the head"),
            1 => (Kind::Text, vec![], 0),
            2 => (Kind::Binary, vec![], 0),
            8 => return check_close(&payload).map(|()| Came::Close(payload)),
            9 => return Ok(Came::Ping(payload)),
            _ => return Ok(Came::Pong),
        };
        empty += u32::from(payload.is_empty() && !fin);
        if empty > MESSAGE_EMPTY_FRAGMENTS_MAX {
            return Err(1008);
        }
        whole.extend(payload);
        if let (Kind::Text, Err(error)) = (kind, std::str::from_utf8(&whole))
            && (fin || error.error_len().is_some())
        {
            return Err(1007);
        }
        if fin {
            return Ok(Came::Message(kind, whole));
        }
        self.open = Some((kind, whole, empty));
        Ok(Came::Fragment)
    }
}

/// RFC 6455 5.5.1 and 7.4.
fn check_close(payload: &[u8]) -> Result<(), u16> {
    if payload.is_empty() {
        return Ok(());
    }
    let [high, low, reason @ ..] = payload else { return Err(1002) };
    let code = u16::from(*high) * 256 + u16::from(*low);
    let is_registered = (1000..=1014).contains(&code) && ![1004, 1005, 1006].contains(&code);
    if !is_registered && !(3000..5000).contains(&code) {
        return Err(1002);
    }
    std::str::from_utf8(reason).map(|_| ()).map_err(|_| 1007)
}
