//! One visit at a time for `tests/fuzz`: a door without a listener before it or a shard behind it.

use std::cell::RefCell;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::task::yield_now;

use super::forwarded;
use super::proxy_header::Header;
use super::visit::visit;
use super::{Door, Handshakes, Times, Visits};
use crate::broker::Role;
use crate::broker::topic::Topic;
use crate::config::Proxies;
use crate::handover::{Arrival, Descriptor, Inbox, Live, Router, Shutdown, Turnstile};
use crate::limits::{Budget, Limits};
use crate::memory::Meter;
use crate::metrics::Counters;
use crate::socket::{PeerAddress, Socket};

/// Turns that a visit gets between two pieces of what its client sends.
const TURNS_PER_PIECE: usize = 3;

/// A door, and the inbox that it sends to.
pub struct House {
    runtime: LocalRuntime,
    door: Rc<Door>,
    inbox: Inbox,
}

/// What came of one HTTP connection.
#[derive(Debug)]
pub struct Visit {
    /// All that the client was answered.
    pub answers: Vec<u8>,
    /// What crossed to a shard, in order.
    pub crossed: Vec<Crossed>,
}

/// One thing that crossed to a shard.
#[derive(Debug)]
pub enum Crossed {
    /// The body of a POST.
    Post(Topic, Bytes),
    /// A socket to be answered with a 101: its `Sec-WebSocket-Accept`, and the bytes that came
    /// behind its handshake.
    Socket(Role, Topic, String, Bytes),
}

impl House {
    /// A house with these limits.
    ///
    /// # Panics
    /// When the system has no more descriptors.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let mut builder = Builder::new_current_thread();
        let runtime = builder.enable_all().build_local(LocalOptions::default());
        let (router, mut inboxes) = Router::new(1);
        let door = Door {
            router: RefCell::new(Some(router)),
            counters: Arc::new(Counters::default()),
            bodies: Arc::new(Budget::new(limits.bodies_budget_max())),
            meter: Meter::unlimited(),
            descriptors: Arc::new(Budget::new(1)),
            turnstile: Arc::new(Turnstile::new(&limits)),
            proxies: Proxies::default(),
            live: Live::new(limits, None),
            shutdown: Shutdown::new(1),
            demo: None,
            times: Times::default(),
            visits: Visits::default(),
            handshakes: Handshakes::new(1),
        };
        let inbox = inboxes.pop().expect("one shard");
        Self { runtime: runtime.expect("a runtime"), door: Rc::new(door), inbox }
    }

    /// A client that sends these pieces one after the other, then says that it is done.
    ///
    /// # Panics
    /// When what the visit took is not given back.
    pub fn visit<'a>(&self, pieces: impl Iterator<Item = &'a [u8]>) -> Visit {
        let mut crossed = vec![];
        let answers = self.runtime.block_on(async {
            let (client, socket) = UnixStream::pair().expect("a descriptor");
            client.set_nonblocking(true).expect("a socket");
            socket.set_nonblocking(true).expect("a socket");
            let client = tokio::net::UnixStream::from_std(client).expect("a socket");
            let socket = Socket::watch(OwnedFd::from(socket).into()).expect("a socket");
            let descriptor = Descriptor::take(&self.door.descriptors).expect("given back");
            let peer = PeerAddress::new(Ipv4Addr::LOCALHOST.into(), None);
            let guest = self.door.visits.enter(&self.door);
            let visit = visit(guest, socket, peer, descriptor);
            tokio::select! {
                ((), answers) = async { tokio::join!(visit, talk(client, pieces)) } => answers,
                () = take_in(&self.inbox, &mut crossed) => unreachable!("it goes on"),
            }
        });
        assert_eq!((self.door.bodies.used(), self.door.descriptors.used()), (0, 0));
        Visit { answers, crossed }
    }
}

/// Reads a PROXY header: its length and its client, `None` when more must come.
pub fn proxy_header(bytes: &[u8]) -> Result<Option<(usize, Option<String>)>, String> {
    match Header::read(bytes) {
        Ok(Header::Part) => Ok(None),
        Ok(Header::Whole { length, client }) => {
            Ok(Some((length, client.map(|client| client.to_string()))))
        }
        Err(error) => Err(error.to_string()),
    }
}

/// The client of a request that came from a proxy on this machine, whose field has these lines.
#[must_use]
pub fn client<'a>(proxies: &Proxies, lines: impl Iterator<Item = &'a [u8]>) -> String {
    let name = HeaderName::from_static(proxies.field.name());
    let lines = lines.filter_map(|line| HeaderValue::from_bytes(line).ok());
    let headers = lines.map(|line| (name.clone(), line)).collect();
    let peer = PeerAddress::new(Ipv4Addr::LOCALHOST.into(), None);
    forwarded::client(proxies, peer, &headers).to_string()
}

/// The client's side; all that it was answered.
async fn talk<'a>(
    mut client: tokio::net::UnixStream,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> Vec<u8> {
    for piece in pieces {
        if client.write_all(piece).await.is_err() {
            break;
        }
        for _ in 0..TURNS_PER_PIECE {
            yield_now().await;
        }
    }
    let mut answers = vec![];
    // the door may have hung up, with bytes of ours unread: what it said before is still there
    drop(client.shutdown().await);
    drop(client.read_to_end(&mut answers).await);
    answers
}

/// The shard's side: takes every post, drops every socket.
async fn take_in(inbox: &Inbox, crossed: &mut Vec<Crossed>) {
    loop {
        inbox.arrived().await;
        while let Some(arrival) = inbox.next() {
            crossed.push(match arrival {
                Arrival::Message(post) => {
                    drop(post.answer.send(Ok(())));
                    Crossed::Post(post.topic, post.body)
                }
                Arrival::Question(_) => unreachable!("nobody asks"),
                Arrival::Connection(handshake) => {
                    let handshake = *handshake;
                    let accept = handshake.accept;
                    Crossed::Socket(handshake.role, handshake.topic, accept, handshake.left_over)
                }
            });
        }
    }
}
