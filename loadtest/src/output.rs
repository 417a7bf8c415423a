//! Standard output, which may be closed before we are through, as by `head`.

use std::io::{ErrorKind, Write as _, stdout};

/// Prints `text` and ends its line; the error is a sentence. Whoever closed the other end has seen
/// enough, which is no error.
pub(crate) fn print(text: &str) -> Result<(), String> {
    let mut output = stdout().lock();
    match writeln!(output, "{text}").and_then(|()| output.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(format!("standard output: {error}"))
        }
        _ => Ok(()),
    }
}
