//! Files that are read whole: settings, certificates and keys.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use crate::cause;
use crate::config::Size;

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub enum ContentsError {
    /// The system did not let us.
    #[error("{}", cause::words(.0))]
    System(#[from] io::Error),
    /// It is another file by mistake: larger than so many bytes.
    #[error("it is larger than {}", Size(*.0))]
    TooLarge(usize),
    /// Reading would wait for who writes to it, and a broker that waits could not be told to stop.
    #[error("it is a pipe, which is read at the start only")]
    Pipe,
}

/// Reads a file that has at most so many bytes; no pipe when a broker `runs`.
pub(crate) fn read(path: &Path, bytes_max: usize, runs: bool) -> Result<Vec<u8>, ContentsError> {
    if runs && fs::metadata(path)?.file_type().is_fifo() {
        return Err(ContentsError::Pipe);
    }
    let mut bytes = vec![];
    File::open(path)?.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > bytes_max { Err(ContentsError::TooLarge(bytes_max)) } else { Ok(bytes) }
}
