//! A number for people: thousands apart.

use std::fmt;

/// Shows a number as `1,300`.
///
/// ```
/// # use mercury::grouped::Grouped;
/// assert_eq!(Grouped(7).to_string(), "7");
/// assert_eq!(Grouped(1_048_576).to_string(), "1,048,576");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grouped(pub usize);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (place, digit) in digits.char_indices() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}
