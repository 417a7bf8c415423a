//! How a command ends: the status that scripts see, and the sentence that people do.

use std::io::{Write as _, stderr};

use crate::cause;

/// It did what it was told.
pub(super) const DONE: u8 = 0;
/// A job's command failed.
const JOB_FAILED: u8 = 6;
/// What a shell makes of SIGPIPE, with which others end whose reader is gone.
const PIPE: u8 = 128 + 13;

/// Why it ended before it had done what it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// Nobody reads what we print any more: there is nothing to say, and nobody to say it to.
    Pipe,
    /// A file, standard input or output, or a command that cannot be started.
    Own(String),
    /// The broker does not want us, or we do not want it: trying again would not help.
    Refused(String),
    /// The broker is not there, or no longer, or something may not have reached it.
    Lost(String),
    /// It took too long.
    Late(String),
    /// So many jobs were not done.
    Jobs(u64),
}

impl Failure {
    /// For scripts.
    pub(super) const fn status(&self) -> u8 {
        match self {
            Self::Pipe => PIPE,
            Self::Own(_) => 1,
            Self::Refused(_) => 3,
            Self::Lost(_) => 4,
            Self::Late(_) => 5,
            Self::Jobs(_) => JOB_FAILED,
        }
    }

    /// For people.
    pub(super) fn say(&self) {
        match self {
            Self::Pipe => {}
            Self::Own(text) | Self::Refused(text) | Self::Lost(text) | Self::Late(text) => {
                say(text);
            }
            Self::Jobs(1) => say("1 job failed"),
            Self::Jobs(count) => say(&format!("{count} jobs failed")),
        }
    }
}

/// Writes a line to standard error, whatever a broker has put into it.
pub(super) fn say(text: &str) {
    // nobody may be reading
    drop(stderr().write_all(format!("mercury: {}\n", cause::one_line(text)).as_bytes()));
}
