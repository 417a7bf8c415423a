//! How to get to a broker: over TCP, or through a Unix socket.

use std::net::Ipv6Addr;
use std::path::PathBuf;

use super::{Endpoint, Listen};

/// How to get to a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// Over TCP, to a name or an address, and a port.
    Tcp(String, u16),
    /// Through a Unix socket.
    Unix(PathBuf),
}

impl Way {
    /// Reads host and port; brackets keep the colons of IPv6 together.
    pub(super) fn tcp(authority: &str, port_default: u16) -> Option<Self> {
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, behind) = rest.split_once(']')?;
                host.parse::<Ipv6Addr>().ok()?;
                (host, behind.strip_prefix(':').or_else(|| behind.is_empty().then_some(""))?)
            }
            None => authority.split_once(':').unwrap_or((authority, "")),
        };
        let port = if port.is_empty() { port_default } else { port.parse().ok()? };
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
        let is_fine = !host.is_empty() && host.bytes().all(is_host);
        is_fine.then(|| Self::Tcp(host.to_owned(), port))
    }

    /// Reads a socket's file as `http+unix://` has it, slashes as `%2F`.
    pub(super) fn unix(file: &str) -> Option<Self> {
        match Listen::parse(&format!("http+unix://{file}")).ok()?.endpoint {
            Endpoint::Unix { path, .. } => Some(Self::Unix(path)),
            Endpoint::Tcp { .. } => None,
        }
    }

    /// What a request calls it: a name that every broker takes for its own.
    #[must_use]
    pub fn host(&self) -> String {
        match self {
            Self::Tcp(host, port) if host.contains(':') => format!("[{host}]:{port}"),
            Self::Tcp(host, port) => format!("{host}:{port}"),
            Self::Unix(_) => "localhost".to_owned(),
        }
    }
}
