//! Why a broker does not start.

use std::io;

use crate::cause;
use crate::config::AdminError;
use crate::limits::LimitsError;
use crate::socket::InheritedError;
use crate::tls::FilesError;

/// Why the broker did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Settings that contradict each other.
    #[error(transparent)]
    Limits(#[from] LimitsError),
    /// Others could reach what is for operators.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// Sockets that nobody can connect to, or nobody asked for.
    #[error(transparent)]
    Inherited(#[from] InheritedError),
    /// An address that is taken, forbidden or not ours.
    #[error("cannot listen on {url}: {}", cause::words(.source))]
    Listen {
        /// As the operator wrote it.
        url: String,
        /// What the system said.
        source: io::Error,
    },
    /// So few that no client could ever come in.
    #[error("{allowed} descriptors are allowed, and the broker needs {reserved} for itself")]
    Descriptors {
        /// The hard limit of this process.
        allowed: usize,
        /// What is kept from clients.
        reserved: usize,
    },
    /// A certificate or key that is not what it should be.
    #[error("cannot listen on {url}: {source}")]
    Certificate {
        /// As the operator wrote it.
        url: String,
        /// Which file, and what is wrong with it.
        source: FilesError,
    },
    /// The system refused a thread or its event queue.
    #[error("cannot start {what}: {}", cause::words(.source))]
    Thread {
        /// Which one.
        what: String,
        /// What the system said.
        source: io::Error,
    },
}
