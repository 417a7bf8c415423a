//! A number of bytes as people write it.

use std::fmt;

/// The largest size: more is a slip of the keyboard, and sums of sizes must not overflow.
const SIZE_BYTES_MAX: u64 = 1 << 40;

/// Largest first.
const UNITS: [(usize, &str); 4] =
    [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];

/// Bytes, read from `256KiB`, `1MB`, `1MiB` or `1000`, and shown so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub usize);

/// A text that is no size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// No number, a minus, an unknown unit.
    #[error("is not a size like 256KiB, 1MB or a number of bytes")]
    Syntax,
    /// Beyond any use.
    #[error("is more than {}", Size(1 << 40))]
    TooLarge,
}

impl Size {
    /// Reads a size: `KiB` is 1,024 bytes, `KB` and `K` are 1,000, a bare number is bytes.
    pub fn parse(text: &str) -> Result<Self, SizeError> {
        let bytes = parse_size::parse_size(text).map_err(|error| match error {
            parse_size::Error::PosOverflow => SizeError::TooLarge,
            _ => SizeError::Syntax,
        })?;
        if bytes > SIZE_BYTES_MAX {
            return Err(SizeError::TooLarge);
        }
        usize::try_from(bytes).map(Self).map_err(|_| SizeError::TooLarge)
    }

    /// About as much, with one decimal: `7.8GiB`.
    #[must_use]
    pub fn rounded(self) -> String {
        let largest = UNITS.iter().find(|(unit, _)| self.0 >= *unit);
        let Some((unit, name)) = largest else { return self.to_string() };
        // at most 2^20 of the largest unit, so nothing overflows
        let tenths = (self.0 / unit) * 10 + ((self.0 % unit) * 10 + unit / 2) / unit;
        match tenths % 10 {
            0 => format!("{}{name}", tenths / 10),
            tenth => format!("{}.{tenth}{name}", tenths / 10),
        }
    }
}

impl fmt::Display for Size {
    /// In the largest unit that needs no fraction, so that nothing is rounded away.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = UNITS.iter().find(|(unit, _)| self.0 >= *unit && self.0.is_multiple_of(*unit));
        match exact {
            Some((unit, name)) => write!(f, "{}{name}", self.0 / unit),
            None => write!(f, "{}B", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_and_decimal_units_are_told_apart() {
        let cases = [
            ("0", 0),
            ("1000", 1000),
            ("12B", 12),
            ("1KB", 1000),
            ("1K", 1000),
            ("1KiB", 1024),
            ("1Ki", 1024),
            ("256kib", 262_144),
            ("1MB", 1_000_000),
            ("1MiB", 1_048_576),
            ("1.5 MiB", 1_572_864),
            ("1TiB", 1 << 40),
        ];
        for (text, bytes) in cases {
            assert_eq!(Size::parse(text), Ok(Size(bytes)), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["", " ", "x", "-1", "+1", "1 XB", "KiB", "1KiBB", "0x10", "1,000", "∞"] {
            assert_eq!(Size::parse(text), Err(SizeError::Syntax), "{text}");
        }
        for text in ["2TiB", "1e30", "18446744073709551616", "99999999999999999999EiB"] {
            assert_eq!(Size::parse(text), Err(SizeError::TooLarge), "{text}");
        }
        assert_eq!(SizeError::TooLarge.to_string(), "is more than 1TiB");
    }

    #[test]
    fn a_size_is_shown_without_rounding() {
        let cases = [
            (0, "0B"),
            (1000, "1000B"),
            (1024, "1KiB"),
            (1536, "1536B"),
            (256 << 10, "256KiB"),
            (4 << 20, "4MiB"),
            (3 << 30, "3GiB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(Size(bytes).to_string(), text);
            assert_eq!(Size::parse(text), Ok(Size(bytes)));
        }
    }
}
