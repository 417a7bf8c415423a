//! How a proxy introduces its client: the PROXY header is taken from the socket, and no byte behind
//! it, so that whatever comes next reads as if there had been none.

use std::io;

use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use super::Door;
use super::listener::until_drain;
use super::proxy_header::{Header, HeaderError};
use crate::limits::PROXY_HEADER_BYTES_MAX;
use crate::socket::{PeerAddress, Socket};

/// What came of it.
pub(super) enum Introduction {
    /// The connection is this client's.
    Client(PeerAddress),
    /// It is the proxy's own, or that of somebody without an address.
    Nobody,
    /// There is none any more, or none that can be served.
    Over,
}

/// Why there is no header.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// The peer hung up: a look whether we are there, mostly.
    #[error(transparent)]
    Gone(#[from] io::Error),
    /// Its bytes are none.
    #[error(transparent)]
    Wrong(#[from] HeaderError),
}

/// Reads the header of a proxy, which is due in the time of a head.
pub(super) async fn introduce(door: &Door, socket: &mut Socket, peer: PeerAddress) -> Introduction {
    let read = until_drain(door, timeout(door.times.head_wait, read(socket))).await;
    match read {
        Some(Ok(Ok(Some(client)))) => Introduction::Client(client),
        Some(Ok(Ok(None))) => Introduction::Nobody,
        Some(Ok(Err(Failure::Wrong(error)))) => {
            door.counters.proxy_header_errors.add(1);
            tracing::debug!(%peer, "closed: {error}");
            Introduction::Over
        }
        Some(Err(_)) => {
            door.counters.head_timeouts.add(1);
            Introduction::Over
        }
        Some(Ok(Err(Failure::Gone(_)))) | None => Introduction::Over,
    }
}

/// Whom a header names. What has come is looked at before it is taken, and only what is the
/// header's is taken.
async fn read(socket: &mut Socket) -> Result<Option<PeerAddress>, Failure> {
    let mut bytes = vec![0; PROXY_HEADER_BYTES_MAX];
    let mut taken = 0;
    loop {
        let came = socket.peek(&mut bytes[taken..]).await?;
        if came == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let header = Header::read(&bytes[..taken + came])?;
        let end = match header {
            Header::Part => taken + came,
            Header::Whole { length, .. } => length,
        };
        socket.read_exact(&mut bytes[taken..end]).await?;
        taken = end;
        if let Header::Whole { client, .. } = header {
            return Ok(client);
        }
    }
}
