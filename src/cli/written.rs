//! A value as it was written, with the name of where it was written.

use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroUsize;
use std::time::Duration;

use crate::cli::Exit;
use crate::config::Size;
use crate::rate::Rate;

/// Connections, topics, jobs: more than memory has room for.
const COUNT_MAX: usize = 1_000_000_000;
/// More is a slip of the keyboard, and would overflow a deadline.
const DURATION_MAX: Duration = Duration::from_hours(365 * 24);
/// Less than this is busy waiting.
const DURATION_MIN: Duration = Duration::from_millis(1);
/// Longer texts are no duration, and humantime panics on some of them.
const DURATION_CHARACTERS_MAX: usize = 30;

/// The value of a setting whose default the machine decides.
pub(super) const AUTO: &str = "auto";
/// What the text of a secret is shown as.
const MASK: &str = "***";

/// Where a setting has its value from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// Nobody has set it.
    Default,
    /// The flag, `--max-message`.
    Flag(String),
    /// The variable, `MERCURY_MAX_MESSAGE`.
    Variable(String),
    /// A line of the configuration file.
    File {
        /// As it was opened.
        path: String,
        /// Counted from 1.
        line: usize,
        /// As the file spells it, `max_message`.
        key: String,
    },
}

/// One value and where it comes from.
#[derive(Debug)]
pub(super) struct Written {
    /// Where it was written.
    pub(super) source: Source,
    /// Never empty when it comes from the environment.
    pub(super) text: String,
    /// Whether the text is for nobody's eyes.
    pub(super) is_secret: bool,
}

impl Source {
    /// What is wrong there, as one line. A wrong file is no wrong use.
    pub(super) fn wrong(&self, reason: impl fmt::Display) -> Exit {
        match self {
            Self::Default => Exit::usage(reason),
            Self::Flag(name) | Self::Variable(name) => {
                Exit::usage(format_args!("{name}: {reason}"))
            }
            Self::File { path, line, key } => {
                Exit::start(format_args!("{path}:{line}: {key}: {reason}"))
            }
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Flag(name) | Self::Variable(name) => f.write_str(name),
            Self::File { path, line, .. } => write!(f, "{path}:{line}"),
        }
    }
}

/// A text as it may be shown: a secret not at all, a URL without its password.
pub(super) fn masked(text: &str, is_secret: bool) -> Cow<'_, str> {
    if is_secret {
        return MASK.into();
    }
    let Some((scheme, rest)) = text.split_once("://") else { return text.into() };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let Some((user, password)) =
        authority.rsplit_once('@').and_then(|(user, _)| user.split_once(':'))
    else {
        return text.into();
    };
    let behind = &rest[user.len() + 1 + password.len()..];
    format!("{scheme}://{user}:{MASK}{behind}").into()
}

impl Written {
    /// What is wrong with the value, as one line.
    pub(super) fn wrong(&self, reason: impl fmt::Display) -> Exit {
        let shown = masked(&self.text, self.is_secret);
        self.source.wrong(format_args!("'{shown}' {reason}"))
    }

    /// Whether the machine is to decide.
    pub(super) fn is_auto(&self) -> bool {
        self.text == AUTO
    }

    /// A number of connections, topics or jobs, at least 1.
    pub(super) fn number_of_things(&self) -> Result<usize, Exit> {
        self.count(COUNT_MAX).map(NonZeroUsize::get)
    }

    /// A number from 1 to `most`.
    pub(super) fn count(&self, most: usize) -> Result<NonZeroUsize, Exit> {
        let number = self.number(most)?;
        NonZeroUsize::new(number).ok_or_else(|| self.wrong("is too small, the least is 1"))
    }

    /// A number of connections, 0 is no limit.
    pub(super) fn count_or_unlimited(&self) -> Result<Option<usize>, Exit> {
        self.number(COUNT_MAX).map(|number| Some(number).filter(|number| *number > 0))
    }

    /// A number in a time; 0 is no limit.
    pub(super) fn rate_or_unlimited(&self) -> Result<Option<Rate>, Exit> {
        Rate::parse(&self.text).map_err(|error| self.wrong(error))
    }

    /// A size of at least 1 byte.
    pub(super) fn size(&self) -> Result<usize, Exit> {
        // what `Size` reads at most, so it bounds nothing more
        self.size_up_to(Size(usize::MAX))
    }

    /// A size from 1 byte to `most`.
    pub(super) fn size_up_to(&self, most: Size) -> Result<usize, Exit> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_and_secrets_are_not_shown() {
        for (text, shown) in [
            ("http://*:3000", "http://*:3000"),
            ("http://me:secret@*:80/x@y", "http://me:***@*:80/x@y"),
            ("nats://a:b@c:d@host", "nats://a:***@host"),
            ("http://me@*:80", "http://me@*:80"),
            ("http://*/a:b@c", "http://*/a:b@c"),
            ("a:b@c", "a:b@c"),
        ] {
            assert_eq!(masked(text, false), shown);
        }
        assert_eq!(masked("anything", true), "***");
        let source = Source::Variable("MERCURY_KEY".to_owned());
        let written = Written { source, text: "anything".to_owned(), is_secret: true };
        assert_eq!(written.wrong("is no key").message, "MERCURY_KEY: '***' is no key");
    }
}
