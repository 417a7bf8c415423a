//! Why a WebSocket is closed: code and text (RFC 6455 7.4 and the IANA registry).

use std::borrow::Cow;

use crate::code::CloseCode;

/// A close code and its sentence, as they go into our Close frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// For programs; the number of RFC 6455 7.4.1 comes with it.
    pub code: CloseCode,
    /// At most 123 bytes of UTF-8.
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
        assert!(text.len() <= TEXT_BYTES_MAX);
        Self { code, text: Cow::Borrowed(text) }
    }

    /// A reason whose text names a value; cut at a character when it is too long.
    #[must_use]
    pub fn with(code: CloseCode, mut text: String) -> Self {
        if text.len() > TEXT_BYTES_MAX {
            text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
        }
        Self { code, text: Cow::Owned(text) }
    }

    /// The payload of the Close frame.
    #[must_use]
    pub fn payload(&self) -> Vec<u8> {
        [&self.code.number().to_be_bytes(), self.text.as_bytes()].concat()
    }
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
        let reason = Reason::with(CloseCode::PongsUnread, "é".repeat(100));
        assert_eq!(reason.text.len(), 122);
        assert_eq!(reason.payload().len(), 124);
    }
}
