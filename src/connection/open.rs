//! A connection's beginning: join, then the 101 as its first bytes.

use std::rc::Rc;

use super::reader::Reader;
use super::{Connection, Home, Line, Phase};
use crate::broker::Role;
use crate::handover::{Descriptor, Handshake};
use crate::refusal::Refusal;
use crate::socket::{Detached, PeerAddress, Socket};

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
        Err(refusal) => return Err(Refused { socket, descriptor, peer, json, refusal }),
    };
    let mut socket = match Socket::watch(socket) {
        Ok(socket) => socket,
        Err(error) => {
            tracing::warn!(%peer, %error, "cannot watch the socket of a new connection");
            table.dismiss(id, role);
            return Ok(None);
        }
    };
    if role == Role::Puller
        && let Err(error) = socket.set_dead_after(home.puller_dead_after)
    {
        tracing::warn!(%peer, %error, "a busy puller may be taken for dead");
    }
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    socket.count_on(&table.writers.ground.meter);
    // an empty socket takes 130 bytes or is gone
    let sent = socket.send(response.as_bytes());
    if !sent.is_ok_and(|count| count == response.len()) {
        table.dismiss(id, role);
        return Ok(None);
    }
    role.pattern().of(&table.counters().bytes_out).add(response.len() as u64);
    table.seat(id, socket, role, peer, descriptor);
    table.record_open(id, left_over.len(), response.len());
    // a drain that begins before they are looked at waits for them
    table.writers.of(id).0.life.holding = !left_over.is_empty();
    let reader = Reader::new(home.message_bytes_max.get(), left_over.to_vec());
    let line = Line { id, reader, phase: Phase::Holding { accepts: true } };
    Ok(Some(Connection { home: Rc::clone(home), line }))
}

/// A handshake turned down by its shard.
pub(crate) struct Refused {
    /// To answer on.
    pub(crate) socket: Detached,
    /// Whose descriptor it is, until the socket is closed.
    pub(crate) descriptor: Descriptor,
    /// The peer, for logs.
    pub(crate) peer: PeerAddress,
    /// How to answer.
    pub(crate) json: bool,
    /// What to answer.
    pub(crate) refusal: Refusal,
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::OwnedFd;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::task::{Context, Waker};

    use socket2::SockRef;

    use super::*;
    use crate::broker::topic::Topic;
    use crate::broker::{Bounds, Kind, MemberId};
    use crate::connection::Table;
    use crate::frame::{self, OpCode};
    use crate::limits::{Budget, Limits};
    use crate::metrics::Counters;

    /// A masked Close frame, 1000.
    const CLOSE: &[u8] = &[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8];

    /// A peer of one topic, whose client takes little and sent this behind its handshake.
    fn peer(home: &Rc<Home>, left_over: &'static [u8]) -> (Connection, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (socket, peer) = listener.accept().unwrap();
        socket.set_nonblocking(true).unwrap();
        SockRef::from(&socket).set_send_buffer_size(8 * 1024).unwrap();
        let handshake = Handshake {
            socket: OwnedFd::from(socket).into(),
            left_over: left_over.into(),
            descriptor: Descriptor::take(&Arc::new(Budget::new(1))).unwrap(),
            peer: peer.into(),
            role: Role::Peer,
            topic: Topic::parse("fry", 100).unwrap(),
            echo: false,
            accept: String::new(),
            json: false,
        };
        let Ok(Some(connection)) = open(home, handshake) else { panic!("a member") };
        (connection, client)
    }

    /// Far more than fits into an outbound and two sockets, once for each write of a flush.
    fn publish(home: &Home, member: MemberId) {
        for _ in 0..4096 {
            home.table.borrow_mut().broker.publish(member, Kind::Binary, &[0; 4096]);
        }
    }

    #[tokio::test]
    async fn a_drain_waits_for_what_was_read_and_not_yet_taken() {
        /// A masked text message.
        const MESSAGE: &[u8] = &[0x81, 0x81, 0, 0, 0, 0, b'x'];
        let limits = Limits::default();
        let bounds = Bounds::new(&limits, Arc::new(Counters::default()));
        let home = Home::new(Table::new(0, bounds, &limits, None), &limits);
        let (_listener, mut client) = peer(&home, b"");
        let (mut talker, _) = peer(&home, MESSAGE);
        home.table.borrow_mut().draining = true;
        // neither the one who said it nor the one who is to hear it
        assert_eq!(home.table.borrow_mut().part(0, 2, false), (0, 0));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut talker).poll(&mut cx).is_pending());
        home.table.borrow_mut().flush(2);
        assert_eq!(home.table.borrow_mut().part(0, 2, false), (0, 2));
        let mut heard = [0; 1024];
        let count = client.read(&mut heard).unwrap();
        assert!(heard[..count].ends_with(&[0x81, 1, b'x']), "{:?}", &heard[..count]);
    }

    #[tokio::test]
    async fn who_closes_is_told_so_however_much_waits_for_it() {
        let limits = Limits { outbound_bytes_max: 8192, ..Limits::default() };
        let bounds = Bounds::new(&limits, Arc::new(Counters::default()));
        let home = Home::new(Table::new(0, bounds, &limits, None), &limits);
        let (_first, _deaf) = peer(&home, b"");
        let (mut leaver, mut client) = peer(&home, CLOSE);
        let (sender, _) = peer(&home, b"");
        publish(&home, sender.line.id);
        // it is the next to get what is in flight, and more gathers behind that
        assert!(home.table.borrow_mut().flush(1));
        publish(&home, sender.line.id);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut leaver).poll(&mut cx).is_pending(), "it says its last word");
        let reading = std::thread::spawn(move || {
            let mut bytes = vec![];
            client.read_to_end(&mut bytes).unwrap();
            bytes
        });
        while !reading.is_finished() {
            let _ = Pin::new(&mut leaver).poll(&mut cx);
            tokio::task::yield_now().await;
        }
        let bytes = reading.join().unwrap();
        let mut close = vec![];
        frame::append(&mut close, OpCode::Close, &[0x03, 0xe8]);
        assert!(bytes.ends_with(&close), "{:?}", bytes.last_chunk::<8>());
    }
}
