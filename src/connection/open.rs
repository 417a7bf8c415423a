//! A connection's beginning: join, then the 101 as its first bytes.

use std::rc::Rc;

use socket2::SockRef;
use tokio::net::TcpStream;

use super::reader::Reader;
use super::{Connection, Home, Line, Phase};
use crate::broker::Role;
use crate::handover::{Descriptor, Handshake};
use crate::refusal::Refusal;

/// Joins the topic, answers the handshake, and returns the connection's task, to be spawned.
/// Both happen in one step: whoever sees the 101 is a member, and nothing that is published from
/// then on passes it by. `Ok(None)` means that the socket was already gone.
pub(crate) fn open(home: &Rc<Home>, handshake: Handshake) -> Result<Option<Connection>, Refused> {
    let Handshake { socket, left_over, descriptor, peer, role, topic, echo, accept, json } =
        handshake;
    let table = &mut *home.table.borrow_mut();
    let admitted =
        if table.draining { Err(Refusal::draining()) } else { table.admit(role, &topic, echo) };
    let id = match admitted {
        Ok(id) => id,
        Err(refusal) => return Err(Refused { socket, descriptor, json, refusal }),
    };
    let stream = match TcpStream::from_std(socket) {
        Ok(stream) => stream,
        Err(error) => {
            tracing::warn!(%peer, %error, "cannot watch the socket of a new connection");
            table.dismiss(id);
            return Ok(None);
        }
    };
    if role == Role::Puller {
        let busy = SockRef::from(&stream).set_tcp_user_timeout(Some(home.puller_dead_after));
        if let Err(error) = busy {
            tracing::warn!(%peer, %error, "a busy puller may be taken for dead");
        }
    }
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    // tokio would first wait for the socket to be writable; an empty one takes 130 bytes or is gone
    let sent = SockRef::from(&stream).send(response.as_bytes());
    if !sent.is_ok_and(|count| count == response.len()) {
        table.dismiss(id);
        return Ok(None);
    }
    table.counters().bytes_out.add(response.len() as u64);
    let (half, write_half) = stream.into_split();
    table.seat(id, write_half, role, peer, descriptor);
    let reader = Reader::new(home.message_bytes_max, left_over.to_vec());
    let line = Line { id, half, reader, phase: Phase::Opening };
    Ok(Some(Connection { home: Rc::clone(home), line }))
}

/// A handshake turned down by its shard.
pub(crate) struct Refused {
    /// To answer on.
    pub(crate) socket: std::net::TcpStream,
    /// Whose descriptor it is, until the socket is closed.
    pub(crate) descriptor: Descriptor,
    /// How to answer.
    pub(crate) json: bool,
    /// What to answer.
    pub(crate) refusal: Refusal,
}
