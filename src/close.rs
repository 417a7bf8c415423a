//! Why a WebSocket is closed: code and text (RFC 6455 7.4 and the IANA registry).

use std::borrow::Cow;

use crate::code::CloseCode;

/// A close code and its sentence, as they go into our Close frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// For programs; the number of RFC 6455 7.4.1 comes with it.
    pub code: CloseCode,
    /// What was wrong and with which value, for people. Code and sentence are at most 123 bytes.
    pub text: Cow<'static, str>,
}

/// Bytes of text that fit into a Close frame behind its code (RFC 6455 5.5).
const TEXT_BYTES_MAX: usize = 123;

impl Reason {
    /// A reason whose text is fixed.
    ///
    /// # Panics
    /// When the text is too long, which a constant shows at compile time.
    #[must_use]
    pub const fn new(code: CloseCode, text: &'static str) -> Self {
        assert!(text.len() <= sentence_bytes_max(code));
        Self { code, text: Cow::Borrowed(text) }
    }

    /// A reason whose text names a value; cut at a character when it is too long.
    #[must_use]
    pub fn with(code: CloseCode, mut text: String) -> Self {
        text.truncate(text.floor_char_boundary(sentence_bytes_max(code)));
        Self { code, text: Cow::Owned(text) }
    }

    /// The broker stops.
    #[must_use]
    pub const fn going_away() -> Self {
        Self::new(CloseCode::GoingAway, "going away")
    }

    /// What a client is told: the code, then the sentence.
    #[must_use]
    pub fn said(&self) -> Cow<'static, str> {
        if is_bare(self.code) {
            return self.text.clone();
        }
        Cow::Owned(format!("{}{BETWEEN}{}", self.code.name(), self.text))
    }

    /// The payload of the Close frame.
    #[must_use]
    pub fn payload(&self) -> Vec<u8> {
        [&self.code.number().to_be_bytes(), self.said().as_bytes()].concat()
    }
}

/// What stands between code and sentence.
const BETWEEN: &str = ": ";

/// Whether the sentence goes alone: clients know `going away` from before there were codes.
const fn is_bare(code: CloseCode) -> bool {
    matches!(code, CloseCode::GoingAway)
}

/// What is left for a sentence behind its code.
const fn sentence_bytes_max(code: CloseCode) -> usize {
    if is_bare(code) { TEXT_BYTES_MAX } else { TEXT_BYTES_MAX - code.name().len() - BETWEEN.len() }
}

/// Whether a peer may send this code in a Close frame (RFC 6455 7.4.2). 1004, 1005, 1006 and 1015
/// must not be sent; 1000 to 1014 are what the IANA registry holds; 3000 to 4999 are for
/// libraries and applications.
#[must_use]
pub const fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registered_codes_may_be_sent_and_the_reserved_ones_not() {
        for code in [1000, 1001, 1002, 1003, 1007, 1010, 1011, 1012, 1013, 1014, 3000, 4999] {
            assert!(may_be_sent(code), "{code}");
        }
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
            assert!(!may_be_sent(code), "{code}");
        }
    }

    #[test]
    fn a_long_text_is_cut_at_a_character() {
        // "pongs-unread: " are 14 bytes
        let reason = Reason::with(CloseCode::PongsUnread, "é".repeat(100));
        assert_eq!(reason.text.len(), 108);
        assert_eq!(reason.payload().len(), 2 + 14 + 108);
    }

    #[test]
    fn a_close_names_its_code_but_that_of_a_drain() {
        let too_many = Reason::new(CloseCode::PongsUnread, "more than 64 unread pongs");
        assert_eq!(too_many.payload(), b"\x03\xf0pongs-unread: more than 64 unread pongs");
        assert_eq!(Reason::going_away().payload(), b"\x03\xe9going away");
    }
}
