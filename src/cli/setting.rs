//! A value as it was written, with the name of where it was written.

use std::fmt;
use std::num::NonZeroUsize;
use std::time::Duration;

use crate::cli::Exit;
use crate::config::Size;
use crate::rate::Rate;

/// More is a slip of the keyboard, and would overflow a deadline.
const DURATION_MAX: Duration = Duration::from_hours(365 * 24);
/// Less than this is busy waiting.
const DURATION_MIN: Duration = Duration::from_millis(1);
/// Longer texts are no duration, and humantime panics on some of them.
const DURATION_CHARACTERS_MAX: usize = 30;

/// One value and where it comes from.
#[derive(Debug)]
pub(super) struct Setting {
    /// `--max-message` or `MERCURY_MAX_MESSAGE`.
    pub(super) source: String,
    /// Never empty when it comes from the environment.
    pub(super) text: String,
}

impl Setting {
    /// What is wrong with the value, as one line.
    pub(super) fn wrong(&self, reason: impl fmt::Display) -> Exit {
        Exit::usage(format_args!("{}: '{}' {reason}", self.source, self.text))
    }

    /// A number from 1 to `most`.
    pub(super) fn count(&self, most: usize) -> Result<NonZeroUsize, Exit> {
        let number = self.number(most)?;
        NonZeroUsize::new(number).ok_or_else(|| self.wrong("is too small, the least is 1"))
    }

    /// A number up to `most`, 0 is no limit.
    pub(super) fn count_or_unlimited(&self, most: usize) -> Result<Option<usize>, Exit> {
        self.number(most).map(|number| Some(number).filter(|number| *number > 0))
    }

    /// A number in a time; 0 is no limit.
    pub(super) fn rate_or_unlimited(&self) -> Result<Option<Rate>, Exit> {
        Rate::parse(&self.text).map_err(|error| self.wrong(error))
    }

    /// A size from 1 byte to `most`.
    pub(super) fn size(&self, most: Size) -> Result<usize, Exit> {
        match Size::parse(&self.text).map_err(|error| self.wrong(error))? {
            Size(0) => Err(self.wrong("is too small, 0 is not unlimited here")),
            size if size > most => Err(self.wrong(format_args!("is more than {most}"))),
            Size(bytes) => Ok(bytes),
        }
    }

    /// A duration that may not be 0.
    pub(super) fn duration(&self) -> Result<Duration, Exit> {
        let reason = "is too short, 0 is not endless here";
        self.duration_or_never()?.ok_or_else(|| self.wrong(reason))
    }

    /// A duration; 0 is `None`.
    pub(super) fn duration_or_never(&self) -> Result<Option<Duration>, Exit> {
        let bare = self.text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let unit = if bare { "s" } else { "" };
        let syntax = "is not a duration like 25s, 1m30s or a number of seconds";
        if self.text.len() > DURATION_CHARACTERS_MAX {
            return Err(self.wrong(syntax));
        }
        let duration = match humantime::parse_duration(&format!("{}{unit}", self.text)) {
            Ok(duration) => duration,
            Err(humantime::DurationError::NumberOverflow) => {
                return Err(self.wrong("is too long, or finer than a nanosecond"));
            }
            Err(_) => return Err(self.wrong(syntax)),
        };
        match duration {
            Duration::ZERO => Ok(None),
            short if short < DURATION_MIN => Err(self.wrong("is less than 1ms")),
            long if long > DURATION_MAX => Err(self.wrong("is more than 365 days")),
            fine => Ok(Some(fine)),
        }
    }

    /// On or off: flags without a value have words in the environment.
    pub(super) fn switch(&self) -> Result<bool, Exit> {
        match self.text.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => Ok(true),
            "0" | "false" | "no" | "off" => Ok(false),
            _ => Err(self.wrong("is not 1 or 0")),
        }
    }

    /// Digits alone: a sign or an exponent is a slip where things are counted.
    fn number(&self, most: usize) -> Result<usize, Exit> {
        let text = self.text.as_str();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(self.wrong("is not a whole number"));
        }
        // Only too many digits are left to fail.
        match text.parse() {
            Ok(number) if number <= most => Ok(number),
            _ => Err(self.wrong(format_args!("is more than {most}"))),
        }
    }
}
