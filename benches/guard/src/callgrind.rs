//! Processes of this program under callgrind, and what it counted.

use std::io::{self, Read as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::string::FromUtf8Error;

/// In front of the sum, in what callgrind says at the end.
const SUM: &str = "Collected :";

/// Why there is no count.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallgrindError {
    /// It is not here.
    #[error("valgrind does not start: {0}; in Debian: apt-get install valgrind")]
    Missing(io::Error),
    /// The process failed.
    #[error("{what} under callgrind ended with {status}:\n{said}")]
    Failed {
        /// Which one.
        what: String,
        /// How it ended.
        status: ExitStatus,
        /// What it and callgrind said.
        said: String,
    },
    /// Nothing was counted, or callgrind says it in other words.
    #[error("{what} under callgrind has no count; it said:\n{said}")]
    Nothing {
        /// Which one.
        what: String,
        /// What it and callgrind said.
        said: String,
    },
    /// The conversation with a broker broke off.
    #[error("{what} under callgrind does not do what it should: {source}")]
    Broken {
        /// Which one.
        what: String,
        /// Where the conversation ended.
        source: io::Error,
    },
    /// What it said is no text.
    #[error("what callgrind says is not UTF-8: {0}")]
    NoText(#[from] FromUtf8Error),
}

/// Starts this program under callgrind, which counts all of it, or what is inside of a function.
pub(crate) fn start(function: Option<&str>, arguments: &[&str]) -> Result<Child, CallgrindError> {
    let program = std::env::current_exe().map_err(CallgrindError::Missing)?;
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    if let Some(function) = function {
        valgrind.arg("--collect-atstart=no").arg(format!("--toggle-collect=*{function}*"));
    }
    valgrind.arg(program).args(arguments);
    valgrind.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    valgrind.spawn().map_err(CallgrindError::Missing)
}

/// Waits for the process, whose input ends now; what was counted.
pub(crate) fn end(what: &str, mut process: Child) -> Result<u64, CallgrindError> {
    let broken = |source| CallgrindError::Broken { what: what.to_owned(), source };
    drop(process.stdin.take());
    let mut said = vec![];
    let mut error = process.stderr.take().expect("it is piped");
    error.read_to_end(&mut said).map_err(broken)?;
    let status = process.wait().map_err(broken)?;
    let (what, said) = (what.to_owned(), String::from_utf8(said)?);
    if !status.success() {
        return Err(CallgrindError::Failed { what, status, said });
    }
    sum(&said).ok_or(CallgrindError::Nothing { what, said })
}

/// Ends the process, with which there is no talking; what was wrong with it.
pub(crate) fn give_up(what: &str, mut process: Child, source: &io::Error) -> CallgrindError {
    // it may have ended already; why not, if it did not, is told in place of what it said
    let said = process.kill().and_then(|()| process.wait_with_output());
    let said = said.map_or_else(
        |error| error.to_string(),
        |output| String::from_utf8_lossy(&output.stderr).into_owned(),
    );
    let source = io::Error::other(format!("{source}; it said:\n{said}"));
    CallgrindError::Broken { what: what.to_owned(), source }
}

/// The sum that callgrind said, if it counted anything.
fn sum(said: &str) -> Option<u64> {
    let (_, sum) = said.lines().find_map(|line| line.split_once(SUM))?;
    sum.trim().parse().ok().filter(|sum| *sum > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_found_behind_what_else_is_said() {
        assert_eq!(sum("==7== \n==7== Collected : 1234\n==7== \n"), Some(1234));
        assert_eq!(sum("==7== Collected : 0\n"), None);
        assert_eq!(sum("==7== Events    : Ir\n"), None);
        assert_eq!(sum(""), None);
    }
}
