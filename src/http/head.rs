//! Looks at a head as it passes. hyper takes a long first line for a long head. And it hides a
//! Content-Length when there is a Transfer-Encoding too, though the two together are how requests
//! are smuggled (RFC 9112 6.1).
//!
//! A pipelined head passes unseen; there hyper reads the chunks and ends the connection.

use crate::limits::REQUEST_LINE_BYTES_MAX;

/// The field's name as it begins a line.
const FIELD: &[u8] = b"content-length:";

/// A part of a head.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// The request line, and empty ones before it.
    #[default]
    Line,
    /// From then on an empty line ends the head.
    Fields,
    /// What comes is no part of it.
    Over,
}

/// A head that is passing.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// Bytes of the current line, line end excluded; of a field's, those that were looked at.
    line: usize,
    /// How many of them are the field's first ones; all, or the line is another.
    alike: usize,
    /// Where in the head they stand.
    part: Part,
    /// A line begins with the field's name.
    pub(super) has_length: bool,
    /// The first line is longer than we read.
    pub(super) is_long: bool,
}

impl Head {
    /// Takes in the next bytes.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) {
        while self.part != Part::Over && !bytes.is_empty() {
            let end = bytes.iter().position(|byte| *byte == b'\n');
            self.go_on(&bytes[..end.unwrap_or(bytes.len())]);
            let Some(end) = end else { return };
            self.part = match (self.part, self.line) {
                (Part::Line, 0) => Part::Line,
                (Part::Fields, 0) => Part::Over,
                _ => Part::Fields,
            };
            (self.line, self.alike) = (0, 0);
            bytes = &bytes[end + 1..];
        }
    }

    /// Takes in more of the current line.
    fn go_on(&mut self, bytes: &[u8]) {
        let mut more = bytes.iter().filter(|byte| **byte != b'\r');
        // the first other byte makes it another field's
        while self.alike == self.line
            && let Some(expected) = FIELD.get(self.line)
            && let Some(byte) = more.next()
        {
            self.alike += usize::from(byte.to_ascii_lowercase() == *expected);
            self.line += 1;
            self.has_length |= self.alike == FIELD.len();
        }
        if self.part == Part::Line {
            self.line += more.count();
            self.is_long |= self.line > REQUEST_LINE_BYTES_MAX;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has_length(text: &str) -> bool {
        let (mut whole, mut pieces) = (Head::default(), Head::default());
        whole.pass(text.as_bytes());
        text.as_bytes().iter().for_each(|byte| pieces.pass(&[*byte]));
        assert_eq!(whole.has_length, pieces.has_length);
        whole.has_length
    }

    #[test]
    fn a_length_is_seen_in_the_head_only() {
        assert!(has_length("POST / HTTP/1.1\r\ncontent-LENGTH: 1\r\n\r\n"));
        assert!(has_length("\r\nPOST / HTTP/1.1\nHost: x\nContent-Length:1\n\n"));
        assert!(!has_length("POST / HTTP/1.1\r\n\r\nContent-Length: 1\r\n"));
        assert!(!has_length("POST / HTTP/1.1\r\nX-Content-Length: 1\r\n\r\n"));
        assert!(!has_length(
            "POST / HTTP/1.1\r\nX: Content-Length: 1\r\n Content-Length: 1\r\n\r\n"
        ));
    }
}
