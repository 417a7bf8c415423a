//! Where an operator wants the shard threads to run.

use std::fmt;

/// CPUs that an affinity mask of the kernel's usual size can name.
const CPUS_MAX: usize = 1024;

/// Where shard threads run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pin {
    /// Shard i on the i-th CPU of the affinity mask, where that makes sense.
    Auto,
    /// Wherever the kernel likes.
    None,
    /// Shard i on the i-th of these CPUs, again from the start when shards outnumber them.
    List(Vec<usize>),
}

/// A text that is no pin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    /// Neither a word nor numbers.
    #[error("is not auto, none or a list of CPUs like 0,2,4-7")]
    Syntax,
    /// `7-4`.
    #[error("has the range {0}-{1}, which runs backwards")]
    Backwards(usize, usize),
    /// More than a mask can name.
    #[error("names CPU {0}, the last possible one is {last}", last = CPUS_MAX - 1)]
    TooLarge(usize),
}

impl Pin {
    /// Reads `auto`, `none`, or CPUs as `taskset` takes them: `0,2,4-7`.
    pub fn parse(text: &str) -> Result<Self, PinError> {
        match text {
            "auto" => return Ok(Self::Auto),
            "none" => return Ok(Self::None),
            _ => {}
        }
        let mut cpus = Vec::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (cpu(first)?, cpu(last)?);
            if first > last {
                return Err(PinError::Backwards(first, last));
            }
            cpus.extend(first..=last);
        }
        Ok(Self::List(cpus))
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::None => f.write_str("none"),
            Self::List(cpus) => {
                let cpus: Vec<_> = cpus.iter().map(ToString::to_string).collect();
                f.write_str(&cpus.join(","))
            }
        }
    }
}

/// One number of a list.
fn cpu(text: &str) -> Result<usize, PinError> {
    let number = text.trim().parse().map_err(|_| PinError::Syntax)?;
    if number < CPUS_MAX { Ok(number) } else { Err(PinError::TooLarge(number)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_lists_are_read() {
        let cases = [
            ("auto", Ok(Pin::Auto)),
            ("none", Ok(Pin::None)),
            ("3", Ok(Pin::List(vec![3]))),
            ("0,2, 4-6", Ok(Pin::List(vec![0, 2, 4, 5, 6]))),
            ("", Err(PinError::Syntax)),
            ("all", Err(PinError::Syntax)),
            ("0,", Err(PinError::Syntax)),
            ("-1", Err(PinError::Syntax)),
            ("1-", Err(PinError::Syntax)),
            ("7-4", Err(PinError::Backwards(7, 4))),
            ("0-1024", Err(PinError::TooLarge(1024))),
        ];
        for (text, expected) in cases {
            assert_eq!(Pin::parse(text), expected, "{text}");
        }
    }
}
