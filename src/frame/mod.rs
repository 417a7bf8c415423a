//! One WebSocket frame: its head read in place, the whole written in one append (RFC 6455 5.2).

pub mod decoder;

use std::ops::Range;

use fastwebsockets::{Frame, Payload};
pub use fastwebsockets::{OpCode, unmask};

use crate::close::Reason;
use crate::code::CloseCode;
use crate::grouped::Grouped;

/// Head of a frame that we send: two bytes and the extended length, never a mask.
const SENT_HEAD_BYTES_MAX: usize = 10;
/// Payload of a control frame (RFC 6455 5.5).
pub const CONTROL_BYTES_MAX: usize = 125;

/// Text or binary, kept from sender to receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8.
    Text,
    /// Bytes.
    Binary,
}

impl Kind {
    /// The op code of a whole message.
    #[must_use]
    pub const fn op_code(self) -> OpCode {
        match self {
            Self::Text => OpCode::Text,
            Self::Binary => OpCode::Binary,
        }
    }
}

/// What a peer did against RFC 6455 or against a limit of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Breach {
    /// A reserved bit without an extension (RFC 6455 5.2).
    #[error("reserved bits are set: 0x{0:02x}")]
    ReservedBits(u8),
    /// An op code without a meaning (RFC 6455 5.2).
    #[error("op code {0} is reserved")]
    ReservedOpCode(u8),
    /// A client must mask (RFC 6455 5.1).
    #[error("frame is not masked")]
    Unmasked,
    /// RFC 6455 5.5.
    #[error("control frame has more than 125 bytes")]
    ControlTooLong,
    /// RFC 6455 5.5.
    #[error("control frame is fragmented")]
    ControlFragmented,
    /// A length that fits into fewer bytes (RFC 6455 5.2).
    #[error("length {0} is not in its shortest form")]
    LengthNotShortest(u64),
    /// The top bit of a 64-bit length (RFC 6455 5.2).
    #[error("length has its top bit set")]
    LengthTopBit,
    /// RFC 6455 5.4.
    #[error("continuation frame without a message to continue")]
    NothingToContinue,
    /// RFC 6455 5.4.
    #[error("new message inside an unfinished one")]
    MessageInsideMessage,
    /// A Close body of one byte (RFC 6455 5.5.1).
    #[error("close frame has a body of 1 byte")]
    CloseBody,
    /// RFC 6455 7.4.2.
    #[error("close code {0} must not be sent")]
    CloseCode(u16),
    /// RFC 6455 8.1.
    #[error("{0} is not UTF-8")]
    NotUtf8(&'static str),
    /// Over `--max-message`.
    #[error("message is at least {} bytes, more than {}", Grouped(*.bytes), Grouped(*.max))]
    MessageTooLong {
        /// What is known of its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// Fragments that carry nothing.
    #[error("message has more than {} empty fragments", Grouped(*.0 as usize))]
    EmptyFragments(u32),
}

impl Breach {
    /// The close code that answers it.
    #[must_use]
    pub const fn code(&self) -> CloseCode {
        match self {
            Self::ReservedBits(_) => CloseCode::ReservedBits,
            Self::ReservedOpCode(_) => CloseCode::ReservedOpCode,
            Self::Unmasked => CloseCode::FrameNotMasked,
            Self::ControlTooLong | Self::ControlFragmented => CloseCode::ControlFrame,
            Self::LengthNotShortest(_) | Self::LengthTopBit => CloseCode::FrameLength,
            Self::NothingToContinue | Self::MessageInsideMessage => CloseCode::FragmentOrder,
            Self::CloseBody | Self::CloseCode(_) => CloseCode::CloseFrame,
            Self::NotUtf8(_) => CloseCode::NotUtf8,
            Self::MessageTooLong { .. } => CloseCode::MessageTooLong,
            Self::EmptyFragments(_) => CloseCode::EmptyFragments,
        }
    }

    /// Code and sentence for our Close frame.
    #[must_use]
    pub fn reason(&self) -> Reason {
        Reason::with(self.code(), self.to_string())
    }
}

/// The head of a frame from a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The last fragment of its message.
    pub fin: bool,
    /// What the payload is.
    pub op_code: OpCode,
    /// The masking key.
    pub mask: [u8; 4],
    /// Bytes of the head itself, mask included.
    pub size: usize,
    /// Bytes of the payload.
    pub payload: usize,
}

impl Head {
    /// Reads the head of a client's frame. `Ok(None)` means that more bytes are needed; what is
    /// wrong with the bytes there are is said at once.
    #[inline]
    pub fn read(bytes: &[u8]) -> Result<Option<Self>, Breach> {
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        if first & 0x70 != 0 {
            return Err(Breach::ReservedBits(first & 0x70));
        }
        let op_code = op_code(first & 0x0f)?;
        let fin = first & 0x80 != 0;
        if second & 0x80 == 0 {
            return Err(Breach::Unmasked);
        }
        let short = second & 0x7f;
        if is_control(op_code) {
            if usize::from(short) > CONTROL_BYTES_MAX {
                return Err(Breach::ControlTooLong);
            }
            if !fin {
                return Err(Breach::ControlFragmented);
            }
        }
        let (extended, payload) = match short {
            126 => match rest.first_chunk() {
                Some(length) => (2, u64::from(u16::from_be_bytes(*length))),
                None => return Ok(None),
            },
            127 => match rest.first_chunk() {
                Some(length) => (8, u64::from_be_bytes(*length)),
                None => return Ok(None),
            },
            short => (0, u64::from(short)),
        };
        if payload >> 63 != 0 {
            return Err(Breach::LengthTopBit);
        }
        if (extended == 2 && payload < 126) || (extended == 8 && payload <= 0xffff) {
            return Err(Breach::LengthNotShortest(payload));
        }
        let Some(mask) = rest[extended..].first_chunk() else { return Ok(None) };
        let payload = usize::try_from(payload).unwrap_or(usize::MAX);
        Ok(Some(Self { fin, op_code, mask: *mask, size: 2 + extended + 4, payload }))
    }

    /// Whether the frame is part of a message.
    #[must_use]
    pub const fn is_data(&self) -> bool {
        matches!(self.op_code, OpCode::Text | OpCode::Binary | OpCode::Continuation)
    }

    /// Whether a message is whole with this frame.
    #[must_use]
    pub const fn ends_message(&self) -> bool {
        self.fin && self.is_data()
    }
}

const fn is_control(op_code: OpCode) -> bool {
    matches!(op_code, OpCode::Close | OpCode::Ping | OpCode::Pong)
}

const fn op_code(bits: u8) -> Result<OpCode, Breach> {
    match bits {
        0x0 => Ok(OpCode::Continuation),
        0x1 => Ok(OpCode::Text),
        0x2 => Ok(OpCode::Binary),
        0x8 => Ok(OpCode::Close),
        0x9 => Ok(OpCode::Ping),
        0xa => Ok(OpCode::Pong),
        reserved => Err(Breach::ReservedOpCode(reserved)),
    }
}

/// Appends one whole, unfragmented frame as a server sends it.
#[inline]
pub fn append(out: &mut Vec<u8>, op_code: OpCode, payload: &[u8]) {
    let mut head = [0; SENT_HEAD_BYTES_MAX];
    let size = Frame::new(true, op_code, None, Payload::Borrowed(payload)).fmt_head(&mut head);
    out.reserve(size + payload.len());
    out.extend_from_slice(&head[..size]);
    out.extend_from_slice(payload);
}

/// The bytes that [`append`] adds for a payload of this size.
#[must_use]
pub const fn sent_size(payload: usize) -> usize {
    payload
        + match payload {
            0..=125 => 2,
            126..=0xffff => 4,
            _ => 10,
        }
}

/// One of our own frames inside a buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Where it stands, head included.
    pub range: Range<usize>,
    /// Whether it carries a message; a control frame otherwise.
    pub is_data: bool,
    /// Bytes of its payload.
    pub payload: usize,
}

/// Walks the frames that [`append`] wrote, starting at the boundary `at`.
///
/// # Panics
/// When the buffer does not consist of whole frames from there on.
#[must_use]
pub fn sent_at(bytes: &[u8], at: usize) -> Sent {
    let (size, payload) = match bytes[at + 1] {
        126 => (4, usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]))),
        127 => {
            let length: [u8; 8] = bytes[at + 2..at + 10].try_into().expect("eight bytes");
            (10, usize::try_from(u64::from_be_bytes(length)).expect("a length of ours"))
        }
        short => (2, usize::from(short)),
    };
    let end = at + size + payload;
    assert!(end <= bytes.len(), "a frame ends at {end} of {}", bytes.len());
    Sent { range: at..end, is_data: bytes[at] & 0x08 == 0, payload }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(first: u8, second: u8, rest: &[u8]) -> Vec<u8> {
        [&[first, second], rest].concat()
    }

    #[test]
    fn what_we_append_we_can_walk() {
        for payload in [0, 1, 125, 126, 65_535, 65_536] {
            let mut out = vec![];
            append(&mut out, OpCode::Binary, &vec![7; payload]);
            append(&mut out, OpCode::Ping, b"x");
            assert_eq!(sent_size(payload) + 3, out.len());
            let first = sent_at(&out, 0);
            assert_eq!(first, Sent { range: 0..sent_size(payload), is_data: true, payload });
            assert!(!sent_at(&out, first.range.end).is_data);
        }
    }

    #[test]
    fn a_head_needs_all_its_bytes() {
        let whole = client(0x82, 0xff, &[0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4]);
        for cut in 0..whole.len() {
            assert_eq!(Head::read(&whole[..cut]), Ok(None), "{cut}");
        }
        let head = Head::read(&whole).unwrap().unwrap();
        assert_eq!((head.size, head.payload, head.mask), (14, 65_536, [1, 2, 3, 4]));
    }

    #[test]
    fn each_breach_is_named() {
        let read = |first, second, rest: &[u8]| Head::read(&client(first, second, rest));
        assert_eq!(read(0xc1, 0x80, &[]), Err(Breach::ReservedBits(0x40)));
        assert_eq!(read(0x83, 0x80, &[]), Err(Breach::ReservedOpCode(3)));
        assert_eq!(read(0x8f, 0x80, &[]), Err(Breach::ReservedOpCode(15)));
        assert_eq!(read(0x81, 0x05, &[]), Err(Breach::Unmasked));
        assert_eq!(read(0x89, 0xfe, &[]), Err(Breach::ControlTooLong));
        assert_eq!(read(0x08, 0x80, &[]), Err(Breach::ControlFragmented));
        assert_eq!(read(0x81, 0xfe, &[0, 125]), Err(Breach::LengthNotShortest(125)));
        let short = [0, 0, 0, 0, 0, 0, 0xff, 0xff];
        assert_eq!(read(0x81, 0xff, &short), Err(Breach::LengthNotShortest(65_535)));
        assert_eq!(read(0x81, 0xff, &[0x80; 8]), Err(Breach::LengthTopBit));
    }
}
