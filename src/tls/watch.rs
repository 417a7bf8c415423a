//! Whether the files of a listener's certificate have changed.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;

use super::{FilesError, server_config};
use crate::config::Tls;

/// A look at the files now and then. They are read once they have changed and then rested for one
/// look: certificate and key are two files, and whoever renews them writes one after the other.
#[derive(Debug)]
pub struct Watch {
    files: Tls,
    /// As they were when they were read.
    read: Stamps,
    /// As they were at the look before.
    seen: Stamps,
}

/// What tells a file from what it was: one for certificate, key and authorities.
type Stamps = [Option<Stamp>; 3];

/// Where a file is on the disk, its size, and when it was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    place: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Watch {
    /// Begins to watch, and reads the files for the first time.
    pub fn begin(files: Tls) -> Result<(Self, Arc<ServerConfig>), FilesError> {
        // before they are read: what changes meanwhile is read again
        let stamps = stamps(&files);
        let config = server_config(&files, false)?;
        Ok((Self { files, read: stamps, seen: stamps }, config))
    }

    /// The files.
    #[must_use]
    pub const fn files(&self) -> &Tls {
        &self.files
    }

    /// Looks at the files, and reads them if they are others than before, or if it is `asked` to.
    /// What is broken is told once, until it changes.
    pub fn look(&mut self, asked: bool) -> Option<Result<Arc<ServerConfig>, FilesError>> {
        let now = stamps(&self.files);
        let has_rested = std::mem::replace(&mut self.seen, now) == now;
        if !asked && (now == self.read || !has_rested) {
            return None;
        }
        self.read = now;
        Some(server_config(&self.files, true))
    }
}

fn stamps(files: &Tls) -> Stamps {
    let ca = files.ca.as_deref();
    [Some(files.cert.as_path()), Some(files.key.as_path()), ca].map(|path| stamp(path?))
}

/// `None` when there is no such file: its reader says why.
fn stamp(path: &Path) -> Option<Stamp> {
    let file = fs::metadata(path).ok()?;
    Some(Stamp {
        place: (file.dev(), file.ino()),
        size: file.size(),
        modified: (file.mtime(), file.mtime_nsec()),
        changed: (file.ctime(), file.ctime_nsec()),
    })
}
