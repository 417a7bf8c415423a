//! An end before the broker ran: its status and one line of why.

use std::fmt;
use std::io::{Write as _, stderr};
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::cause;

/// Wrong words on the command line or in the environment.
const STATUS_USAGE: u8 = 2;
/// Anything else that keeps the broker from starting.
const STATUS_START: u8 = 1;

/// Why mercury ends at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// Exit status.
    pub status: u8,
    /// One line that names option, value and reason.
    pub message: String,
}

impl Exit {
    /// The command line or the environment is wrong.
    pub(super) fn usage(reason: impl fmt::Display) -> Self {
        Self::new(STATUS_USAGE, &reason)
    }

    /// A file is wrong, or the settings are fine and the start failed.
    pub fn start(reason: impl fmt::Display) -> Self {
        Self::new(STATUS_START, &reason)
    }

    fn new(status: u8, reason: &dyn fmt::Display) -> Self {
        Self { status, message: cause::one_line(&reason.to_string()) }
    }

    /// Writes the line to standard error.
    #[must_use = "the status is for the caller of main"]
    pub fn report(&self) -> ExitCode {
        // Nobody may be reading; the status still tells.
        drop(stderr().write_all(format!("mercury: {}\n", self.message).as_bytes()));
        ExitCode::from(self.status)
    }

    /// clap's paragraphs as one line; `page` is the command whose help says more.
    pub(super) fn misread(error: &clap::Error, page: &str) -> Self {
        let text = |kind| match error.get(kind) {
            Some(ContextValue::String(text)) => text.as_str(),
            Some(ContextValue::Strings(texts)) => texts.first().map_or("", String::as_str),
            _ => "",
        };
        // `--listen <URL>` or `-l`
        let argument = text(ContextKind::InvalidArg);
        let flag = argument.split(' ').next().unwrap_or_default();
        let value = text(ContextKind::InvalidValue);
        let reason = match error.kind() {
            ErrorKind::InvalidSubcommand => {
                format!(
                    "unknown command '{}', see mercury help",
                    text(ContextKind::InvalidSubcommand)
                )
            }
            ErrorKind::UnknownArgument if !argument.starts_with('-') => {
                format!("unexpected argument '{argument}', see mercury help {page}")
            }
            ErrorKind::UnknownArgument => match text(ContextKind::SuggestedArg) {
                "" => format!("{flag}: unknown option, see mercury help {page}"),
                suggestion => format!("{flag}: unknown option, did you mean {suggestion}"),
            },
            ErrorKind::InvalidValue if value.is_empty() => {
                format!("{flag}: needs a value, see mercury help {page}")
            }
            ErrorKind::MissingRequiredArgument => {
                format!("{argument} is missing, see mercury help {page}")
            }
            ErrorKind::TooManyValues => format!("{flag}: '{value}' is too much, it takes no value"),
            ErrorKind::InvalidUtf8 => "an argument is not valid UTF-8".to_owned(),
            _ => {
                let rendered = error.to_string();
                let first = rendered.lines().next().unwrap_or_default();
                first.trim_start_matches("error: ").to_owned()
            }
        };
        Self::usage(reason)
    }
}
