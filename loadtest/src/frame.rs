//! Reads a server's frames where they lie: a partial one alone is copied.

use fastwebsockets::OpCode;

/// A frame beyond this is not of a load test, and would only fill our memory.
const FRAME_BYTES_MAX: usize = 64 << 20;
/// RFC 6455 5.5: control frames carry at most this much.
const CONTROL_BYTES_MAX: usize = 125;

/// What a server sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Received<'a> {
    /// A whole message.
    Message {
        /// As opposed to text.
        binary: bool,
        /// What the application said.
        payload: &'a [u8],
    },
    /// To be answered with a pong of the same bytes.
    Ping(&'a [u8]),
    /// The answer to a ping of ours, or to none.
    Pong(&'a [u8]),
    /// Code and reason, if any.
    Close(&'a [u8]),
}

/// A rule of RFC 6455 that the server broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Violation(pub(crate) &'static str);

/// The state between two reads of one connection.
#[derive(Debug, Default)]
pub(crate) struct FrameReader {
    /// The beginning of a frame whose end has not come.
    carry: Vec<u8>,
    /// The fragments so far of an unfinished message.
    fragments: Vec<u8>,
    /// Text or binary, while a message is unfinished.
    unfinished: Option<OpCode>,
}

/// The first bytes of a frame, parsed.
struct FrameHead {
    /// Last or only fragment.
    fin: bool,
    /// What kind of frame.
    opcode: OpCode,
    /// Where the payload begins.
    size: usize,
    /// Head and payload.
    total: usize,
}

impl FrameReader {
    /// Calls `each` for everything that became complete with `bytes`.
    #[inline]
    pub(crate) fn read(
        &mut self,
        bytes: &[u8],
        each: &mut impl FnMut(Received<'_>),
    ) -> Result<(), Violation> {
        let mut rest = bytes;
        while !self.carry.is_empty() && !rest.is_empty() {
            rest = self.complete(rest, each)?;
        }
        loop {
            // Nearly everything is that: the books are called from here, and elsewhere out of line.
            while let Some((binary, payload, behind)) = self.whole_message(rest) {
                each(Received::Message { binary, payload });
                rest = behind;
            }
            let Some(head) = FrameHead::parse(rest)? else { break };
            let Some((frame, behind)) = rest.split_at_checked(head.total) else { break };
            self.frame(&head, &frame[head.size..], each)?;
            rest = behind;
        }
        self.carry.extend_from_slice(rest);
        Ok(())
    }

    /// A message that is one frame and all there, with what follows it.
    #[inline]
    fn whole_message<'a>(&self, bytes: &'a [u8]) -> Option<(bool, &'a [u8], &'a [u8])> {
        let (first, length, rest) = match *bytes {
            [first, length @ ..126, ref rest @ ..] => (first, usize::from(length), rest),
            [first, 126, high, low, ref rest @ ..] => {
                (first, usize::from(u16::from_be_bytes([high, low])), rest)
            }
            _ => return None,
        };
        if !matches!(first, 0x81 | 0x82) || self.unfinished.is_some() {
            return None;
        }
        let (payload, behind) = rest.split_at_checked(length)?;
        Some((first == 0x82, payload, behind))
    }

    /// Moves into the carry what its frame, or its frame's head, still lacks; returns the rest.
    fn complete<'a>(
        &mut self,
        rest: &'a [u8],
        each: &mut impl FnMut(Received<'_>),
    ) -> Result<&'a [u8], Violation> {
        let wanted = FrameHead::parse(&self.carry)?.map_or(self.carry.len() + 1, |head| head.total);
        let (taken, rest) = rest.split_at(rest.len().min(wanted - self.carry.len()));
        self.carry.extend_from_slice(taken);
        if let Some(head) = FrameHead::parse(&self.carry)?
            && head.total == self.carry.len()
        {
            let mut carry = std::mem::take(&mut self.carry);
            self.frame(&head, &carry[head.size..], each)?;
            carry.clear();
            self.carry = carry;
        }
        Ok(rest)
    }

    fn frame(
        &mut self,
        head: &FrameHead,
        payload: &[u8],
        each: &mut impl FnMut(Received<'_>),
    ) -> Result<(), Violation> {
        match head.opcode {
            OpCode::Text | OpCode::Binary if self.unfinished.is_some() => {
                return Err(Violation("a message began inside another"));
            }
            OpCode::Text | OpCode::Binary if head.fin => {
                each(Received::Message { binary: head.opcode == OpCode::Binary, payload });
            }
            OpCode::Text | OpCode::Binary => {
                self.unfinished = Some(head.opcode);
                self.fragments.extend_from_slice(payload);
            }
            OpCode::Continuation => {
                let Some(opcode) = self.unfinished else {
                    return Err(Violation("a continuation without a beginning"));
                };
                self.fragments.extend_from_slice(payload);
                if head.fin {
                    let payload = &self.fragments[..];
                    each(Received::Message { binary: opcode == OpCode::Binary, payload });
                    self.fragments.clear();
                    self.unfinished = None;
                } else if self.fragments.len() > FRAME_BYTES_MAX {
                    return Err(Violation("a message of more than 64 MiB"));
                }
            }
            OpCode::Ping => each(Received::Ping(payload)),
            OpCode::Pong => each(Received::Pong(payload)),
            OpCode::Close => each(Received::Close(payload)),
        }
        Ok(())
    }
}

impl FrameHead {
    /// None while the head is not all there. RFC 6455 5.2.
    fn parse(bytes: &[u8]) -> Result<Option<Self>, Violation> {
        let &[first, second, ref rest @ ..] = bytes else { return Ok(None) };
        if first & 0x70 != 0 {
            return Err(Violation("a reserved bit is set"));
        }
        if second & 0x80 != 0 {
            return Err(Violation("a server's frame is masked"));
        }
        let opcode = OpCode::try_from(first & 0x0f).map_err(|_| Violation("unknown opcode"))?;
        let fin = first & 0x80 != 0;
        let (size, length) = match second {
            126 => match rest.first_chunk() {
                Some(length) => (4, usize::from(u16::from_be_bytes(*length))),
                None => return Ok(None),
            },
            127 => match rest.first_chunk() {
                Some(length) => {
                    (10, usize::try_from(u64::from_be_bytes(*length)).unwrap_or(usize::MAX))
                }
                None => return Ok(None),
            },
            length => (2, usize::from(length)),
        };
        if length > FRAME_BYTES_MAX {
            return Err(Violation("a frame of more than 64 MiB"));
        }
        if first & 0x08 != 0 && (!fin || length > CONTROL_BYTES_MAX) {
            return Err(Violation("a control frame is fragmented or over 125 bytes"));
        }
        Ok(Some(Self { fin, opcode, size, total: size + length }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first];
        match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
            (Ok(length), _) if length < 126 => bytes.push(length),
            (_, Ok(length)) => {
                bytes.push(126);
                bytes.extend(length.to_be_bytes());
            }
            (_, Err(_)) => {
                bytes.push(127);
                bytes.extend((payload.len() as u64).to_be_bytes());
            }
        }
        bytes.extend_from_slice(payload);
        bytes
    }

    fn read(pieces: &[&[u8]]) -> Result<Vec<String>, Violation> {
        let (mut reader, mut seen) = (FrameReader::default(), Vec::new());
        for piece in pieces {
            reader.read(piece, &mut |received| {
                seen.push(match received {
                    Received::Message { binary, payload } => {
                        format!("{binary} {}", String::from_utf8_lossy(payload))
                    }
                    Received::Ping(payload) => format!("ping {}", payload.len()),
                    Received::Pong(payload) => format!("pong {}", payload.len()),
                    Received::Close(payload) => format!("close {}", payload.len()),
                });
            })?;
        }
        assert!(reader.carry.is_empty() && reader.fragments.is_empty());
        Ok(seen)
    }

    /// One of everything: text, empty, 16-bit length, three fragments with a ping between, close.
    fn conversation() -> Vec<u8> {
        [
            frame(0x81, b"one"),
            frame(0x82, b""),
            frame(0x81, &[b'x'; 300]),
            frame(0x02, b"fr"),
            frame(0x89, b"hi"),
            frame(0x00, b"agm"),
            frame(0x8a, b""),
            frame(0x80, b"ents"),
            frame(0x88, &1000_u16.to_be_bytes()),
        ]
        .concat()
    }

    #[test]
    fn split_at_every_byte() {
        let bytes = conversation();
        let whole = read(&[&bytes]).unwrap();
        let expected = ["false one", "true ", &format!("false {}", "x".repeat(300))];
        assert_eq!(whole[..3], expected);
        assert_eq!(whole[3..], ["ping 2", "pong 0", "true fragments", "close 2"]);
        for at in 0..=bytes.len() {
            assert_eq!(read(&[&bytes[..at], &bytes[at..]]).unwrap(), whole, "split at {at}");
        }
        for step in 1..20 {
            let pieces: Vec<_> = bytes.chunks(step).collect();
            assert_eq!(read(&pieces).unwrap(), whole, "steps of {step}");
        }
    }

    #[test]
    fn long_lengths_split_in_the_head() {
        let bytes = frame(0x82, &vec![b'y'; 70_000]);
        for at in 0..12 {
            assert_eq!(read(&[&bytes[..at], &bytes[at..]]).unwrap()[0].len(), 70_005);
        }
    }

    #[test]
    fn rules_are_kept() {
        for bytes in [
            &[0xc1, 0][..],                       // RSV1
            &[0x81, 0x80],                        // masked
            &[0x83, 0],                           // reserved opcode
            &[0x80, 0],                           // continuation of nothing
            &[0x01, 0, 0x81, 0],                  // a message inside another
            &[0x09, 0],                           // fragmented ping
            &[0x89, 126, 0, 126],                 // long ping
            &[0x82, 127, 0, 0, 0, 1, 0, 0, 0, 0], // 4 GiB
        ] {
            assert!(read(&[bytes]).is_err(), "{bytes:x?}");
        }
    }
}
