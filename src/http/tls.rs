//! The handshake of TLS, before HTTP: bounded in time and in number.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::task::{Poll, Waker};
use std::time::Instant;

use tokio::time::timeout;

use super::Door;
use super::answer::Denial;
use super::listener::until_drain;
use super::visit::refuse;
use crate::code::RefusalCode;
use crate::handover::Identity;
use crate::limits::LOG_HANDSHAKES_INTERVAL;
use crate::socket::{HandshakeError, PeerAddress, Socket};

/// The handshakes of one acceptor that are in flight.
#[derive(Debug)]
pub(crate) struct Handshakes {
    /// Acceptors that share `--tls-handshakes`.
    acceptors: usize,
    /// Whom to wake to tell that its place is lost, in the order in which they began.
    row: RefCell<BTreeMap<u64, Option<Waker>>>,
    /// How many began, ever.
    begun: Cell<u64>,
    /// Crowded out since the last line about it, and when that was.
    unsaid: Cell<u64>,
    said: Cell<Option<Instant>>,
}

/// A place in the row, given back when dropped.
struct Held<'a> {
    handshakes: &'a Handshakes,
    number: u64,
}

/// How a handshake ended without success.
enum Failed {
    /// It was not in time.
    Late,
    /// A later one took its place.
    CrowdedOut,
    /// The drain began.
    Drained,
    /// It came to nothing by itself.
    Error(HandshakeError),
}

impl Handshakes {
    /// None is in flight yet. So many acceptors share the bound.
    pub(crate) const fn new(acceptors: usize) -> Self {
        Self {
            acceptors,
            row: RefCell::new(BTreeMap::new()),
            begun: Cell::new(0),
            unsaid: Cell::new(0),
            said: Cell::new(None),
        }
    }

    /// One more. When there are too many, the one that takes longest is given up: among those who
    /// never end a handshake, everybody else is still done in time.
    fn enter(&self, max: usize) -> Held<'_> {
        let mut row = self.row.borrow_mut();
        let number = self.begun.get();
        self.begun.set(number + 1);
        while row.len() >= (max / self.acceptors).max(1)
            && let Some((_, oldest)) = row.pop_first()
        {
            if let Some(waker) = oldest {
                waker.wake();
            }
        }
        row.insert(number, None);
        Held { handshakes: self, number }
    }

    /// Says that some were crowded out, unless it was said just now.
    fn say(&self, max: usize) {
        self.unsaid.set(self.unsaid.get() + 1);
        let now = Instant::now();
        if self.said.get().is_none_or(|said| now - said >= LOG_HANDSHAKES_INTERVAL) {
            self.said.set(Some(now));
            tracing::warn!(
                given_up = self.unsaid.take(),
                max,
                "more TLS handshakes than --tls-handshakes: the oldest were given up"
            );
        }
    }
}

impl Held<'_> {
    /// Whether it still has its place; if so, `waker` is told when it is lost.
    fn keeps(&self, waker: &Waker) -> bool {
        match self.handshakes.row.borrow_mut().get_mut(&self.number) {
            Some(place) => {
                place.get_or_insert_with(|| waker.clone()).clone_from(waker);
                true
            }
            None => false,
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.handshakes.row.borrow_mut().remove(&self.number);
    }
}

/// Shakes hands with a client of a listener that has an identity; what it speaks from then on goes
/// through TLS. `None` when it came to nothing, and whoever can be told was told.
pub(super) async fn admit(
    door: &Door,
    mut socket: Socket,
    identity: Option<&Identity>,
    peer: PeerAddress,
) -> Option<Socket> {
    let Some(identity) = identity else { return Some(socket) };
    let counters = &door.counters;
    let failed = match shake(door, &mut socket, identity).await {
        Ok(()) => {
            counters.tls_handshakes.add(1);
            return Some(socket);
        }
        Err(failed) => failed,
    };
    match failed {
        Failed::Late => counters.tls_handshake_timeouts.add(1),
        Failed::CrowdedOut => {
            counters.tls_handshakes_crowded_out.add(1);
            door.handshakes.say(door.live.now().limits.tls_handshakes_max);
        }
        Failed::Drained => {}
        Failed::Error(HandshakeError::Plain) => {
            socket.end_tls();
            let message = "this port speaks TLS, so the URL begins with https:// or wss://";
            refuse(door, socket, &Denial::new(RefusalCode::TlsExpected, message)).await;
        }
        Failed::Error(error) => {
            counters.tls_handshakes_failed.add(1);
            tracing::debug!(%peer, %error, "no TLS handshake");
        }
    }
    None
}

/// Runs the handshake within its time, unless it loses its place or the drain begins.
async fn shake(door: &Door, socket: &mut Socket, identity: &Identity) -> Result<(), Failed> {
    let (max, wait) = {
        let limits = &door.live.now().limits;
        (limits.tls_handshakes_max, limits.tls_handshake_max)
    };
    let begun = socket.begin_tls(identity.now(), &door.meter);
    begun.map_err(|error| Failed::Error(error.into()))?;
    let held = door.handshakes.enter(max);
    let shaken = poll_fn(|cx| {
        if !held.keeps(cx.waker()) {
            return Poll::Ready(Err(Failed::CrowdedOut));
        }
        socket.poll_handshake(cx).map_err(Failed::Error)
    });
    match until_drain(door, timeout(wait, shaken)).await {
        Some(in_time) => in_time.unwrap_or(Err(Failed::Late)),
        None => Err(Failed::Drained),
    }
}
