//! What a message says: who sent it, which one it is and when; in ASCII, to fit a text frame.

use std::fmt;

/// The head of every message: tag 4, publisher 3, sequence 6, stamp 9, check 2.
pub(crate) const HEAD_BYTES: usize = 24;
/// A publisher's number has three digits of six bits.
pub(crate) const PUBLISHERS_MAX: usize = 1 << 18;
/// A message's number has six.
pub(crate) const MESSAGES_MAX: u64 = 1 << 36;

/// Heads that are remembered: those of four publishers with 64 messages under way.
const RECENT: usize = 256;

const TAG_BYTES: usize = 4;
const FIRST_DIGIT: u8 = b'0';

/// What distinguishes one message from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// Number of the publisher.
    pub(crate) publisher: usize,
    /// Number of the message among its publisher's, from 0.
    pub(crate) sequence: u64,
    /// When it was sent, or was due, in ns since the load's clock began.
    pub(crate) stamp: u64,
}

/// Why a message is not one of ours, or no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// Another run's, or nobody's.
    Alien,
    /// Ours by its tag, but its length, head or padding changed.
    Mangled,
}

impl fmt::Display for Head {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "message {} of publisher {}", self.sequence, self.publisher)
    }
}

/// The form of all messages of one load.
#[derive(Debug)]
pub(crate) struct Payload {
    /// Opens every message of this load.
    tag: [u8; TAG_BYTES],
    /// What follows the head up to the wanted size.
    padding: Vec<u8>,
    /// Heads that were read lately. A thousand subscribers get the same one: it is taken apart once
    /// and compared for the others.
    recent: Box<[Recent; RECENT]>,
}

/// A head that was right, and what it says.
#[derive(Debug, Clone, Copy)]
struct Recent {
    /// Its bytes; at first those of publisher 0's message 0, which are right at any place.
    digits: [u8; HEAD_BYTES],
    /// What they say.
    head: Head,
}

impl Payload {
    /// Messages of `size` bytes, told apart from other runs' by `tag`.
    pub(crate) fn new(tag: u32, size: usize) -> Self {
        assert!(size >= HEAD_BYTES, "the command line asks for at least a head");
        let mut digits = [0; TAG_BYTES];
        put(&mut digits, u64::from(tag));
        // A pattern of 26 letters, so that a lost or moved piece shows.
        let padding = (b'a'..=b'z').cycle().take(size - HEAD_BYTES).collect();
        let head = Head { publisher: 0, sequence: 0, stamp: 0 };
        let recent = Box::new([Recent { digits: written(digits, head), head }; RECENT]);
        Self { tag: digits, padding, recent }
    }

    /// Writes a whole message over `into`, which is of this size.
    pub(crate) fn write(&self, head: Head, into: &mut [u8]) {
        let (start, rest) = into.split_at_mut(HEAD_BYTES);
        start.copy_from_slice(&written(self.tag, head));
        rest.copy_from_slice(&self.padding);
    }

    /// Reads a message and compares every byte of it.
    #[inline]
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Result<Head, Unreadable> {
        let Some((start, rest)) = bytes.split_first_chunk::<HEAD_BYTES>() else {
            return Err(Unreadable::Alien);
        };
        let recent = &self.recent[place(start)];
        let head = if recent.digits == *start { recent.head } else { self.read_head(start)? };
        if rest == self.padding { Ok(head) } else { Err(Unreadable::Mangled) }
    }

    /// Takes a head apart, and remembers it.
    fn read_head(&mut self, start: &[u8; HEAD_BYTES]) -> Result<Head, Unreadable> {
        if start[..4] != self.tag {
            return Err(Unreadable::Alien);
        }
        if start[22..] != check(&start[..22]) {
            return Err(Unreadable::Mangled);
        }
        let publisher = usize::try_from(take(&start[4..7])).expect("18 bits fit");
        let head = Head { publisher, sequence: take(&start[7..13]), stamp: take(&start[13..22]) };
        self.recent[place(start)] = Recent { digits: *start, head };
        Ok(head)
    }
}

/// A head as a message begins with it.
#[inline]
fn written(tag: [u8; TAG_BYTES], head: Head) -> [u8; HEAD_BYTES] {
    let mut start = [0; HEAD_BYTES];
    start[..4].copy_from_slice(&tag);
    put(&mut start[4..7], head.publisher as u64);
    put(&mut start[7..13], head.sequence);
    put(&mut start[13..22], head.stamp);
    let digits = check(&start[..22]);
    start[22..].copy_from_slice(&digits);
    start
}

/// Where a head is remembered: by the last digits of publisher and sequence.
#[inline]
fn place(start: &[u8; HEAD_BYTES]) -> usize {
    usize::from(start[6] & 3) << 6 | usize::from(start[12] & 63)
}

/// Six bits per digit, from `0` to `o`, most significant first.
fn put(digits: &mut [u8], mut value: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = FIRST_DIGIT + (value & 63) as u8;
        value >>= 6;
    }
}

/// The value of digits that [`put`] wrote; the check has vouched for them.
#[inline]
fn take(digits: &[u8]) -> u64 {
    digits
        .iter()
        .fold(0, |value, digit| value << 6 | u64::from(digit.wrapping_sub(FIRST_DIGIT) & 63))
}

/// Two digits over the rest of the head. The modulus is prime and no difference of two bytes
/// reaches it, so any one changed byte shows; 5 to the 22nd times a byte fits 64 bits.
#[inline]
fn check(head: &[u8]) -> [u8; 2] {
    let sum = head.iter().fold(0, |sum: u64, byte| sum * 5 + u64::from(*byte));
    let mut digits = [0; 2];
    put(&mut digits, sum % 4093);
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: Head = Head { publisher: 201_234, sequence: 4_000_000_001, stamp: 1 << 53 };

    fn message(payload: &Payload, head: Head) -> Vec<u8> {
        let mut bytes = vec![0; HEAD_BYTES + payload.padding.len()];
        payload.write(head, &mut bytes);
        bytes
    }

    #[test]
    fn comes_back_at_every_size() {
        for size in HEAD_BYTES..200 {
            let mut payload = Payload::new(0x00ab_cdef, size);
            let bytes = message(&payload, HEAD);
            assert_eq!(bytes.len(), size);
            assert!(bytes.is_ascii());
            assert_eq!(payload.read(&bytes), Ok(HEAD));
        }
    }

    #[test]
    fn another_run_is_alien() {
        let (mut ours, theirs) = (Payload::new(1, 64), Payload::new(2, 64));
        assert_eq!(ours.read(&message(&theirs, HEAD)), Err(Unreadable::Alien));
        assert_eq!(ours.read(b"hello"), Err(Unreadable::Alien));
    }

    #[test]
    fn what_is_all_the_same_byte_is_no_message() {
        for byte in 0..=255 {
            let mut payload = Payload::new(5, HEAD_BYTES);
            assert!(payload.read(&[byte; HEAD_BYTES]).is_err(), "{byte}, before any message");
        }
    }

    #[test]
    fn heads_that_share_a_place_are_told_apart() {
        let mut payload = Payload::new(3, 30);
        let heads = [(0, 0, 5), (4, 0, 5), (0, 64, 5), (0, 0, 6), (4, 128, 6)]
            .map(|(publisher, sequence, stamp)| Head { publisher, sequence, stamp });
        for head in [heads, heads].concat() {
            let bytes = message(&payload, head);
            let place = place(bytes.first_chunk().unwrap());
            assert_eq!(place, self::place(message(&payload, heads[0]).first_chunk().unwrap()));
            assert_eq!([payload.read(&bytes), payload.read(&bytes)], [Ok(head); 2]);
        }
    }

    #[test]
    fn every_changed_byte_shows() {
        let mut payload = Payload::new(7, 40);
        let bytes = message(&payload, HEAD);
        assert_eq!(payload.read(&bytes), Ok(HEAD), "and is remembered");
        for at in 0..bytes.len() {
            for change in 1..=255 {
                let mut changed = bytes.clone();
                changed[at] ^= change;
                assert!(payload.read(&changed).is_err(), "byte {at} changed by {change}");
            }
        }
        assert_eq!(payload.read(&bytes), Ok(HEAD), "whatever came between");
        assert_eq!(payload.read(&bytes[..39]), Err(Unreadable::Mangled));
        assert_eq!(payload.read(&[&bytes[..], b"x"].concat()), Err(Unreadable::Mangled));
    }
}
