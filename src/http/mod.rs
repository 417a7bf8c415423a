//! The door: everything HTTP, from accept to the hand-over of a WebSocket or a message.
//!
//! One acceptor thread runs one [`Door`]. It checks everything that can be checked without a
//! topic's members; what is found in order crosses to the topic's home shard.

pub(crate) mod admin;
mod alarm;
mod answer;
mod cors;
mod demo;
mod forwarded;
mod framing;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod head;
mod introduction;
mod listener;
mod origin;
mod porter;
mod proxy_header;
mod publish;
mod rebuff;
mod route;
#[cfg(test)]
mod tests;
mod tls;
mod upgrade;
mod visit;
mod wire;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use tokio::sync::Notify;
use tokio::time::timeout;

pub(crate) use self::demo::Demo;
pub(crate) use self::tls::Handshakes;
use self::wire::Phase;
use crate::broker::Pattern;
use crate::broker::topic::Topic;
use crate::config::Proxies;
use crate::handover::{Arrival, Identity, InboxFull, Live, Router, Shutdown, Turnstile};
use crate::limits::{
    ACCEPT_PAUSE, BODY_STALL_MAX, Budget, CUT_WAIT_MAX, HEAD_BYTES_MAX, HEAD_FIELDS_MAX,
    HEAD_WAIT_MAX, KEEP_ALIVE_MAX, LINGER_MAX, NEWCOMER_WAIT_MAX, SURVEY_WAIT_MAX,
};
use crate::memory::Meter;
use crate::metrics::Counters;
use crate::socket::Listener;

/// What the connections of one acceptor share.
#[derive(Debug)]
pub(crate) struct Door {
    /// The way to every shard; given up when the drain begins, which the shards wait for.
    pub(crate) router: RefCell<Option<Router>>,
    /// What an operator has set, and may set anew.
    pub(crate) live: Live,
    /// This thread's.
    pub(crate) counters: Arc<Counters>,
    /// `--max-bodies`, shared by all acceptors.
    pub(crate) bodies: Arc<Budget>,
    /// This thread's part of `--memory-max`.
    pub(crate) meter: Arc<Meter>,
    /// The descriptors that clients may use, shared by all acceptors and shards.
    pub(crate) descriptors: Arc<Budget>,
    /// What new connections have to pass, shared by all acceptors.
    pub(crate) turnstile: Arc<Turnstile>,
    /// What is believed of proxies in front.
    pub(crate) proxies: Proxies,
    /// Ends it all.
    pub(crate) shutdown: Shutdown,
    /// The page at `/`, where there is one.
    pub(crate) demo: Option<Demo>,
    /// How long to wait for what.
    pub(crate) times: Times,
    /// HTTP connections that are open here.
    pub(crate) visits: Visits,
    /// Those that have not got as far as HTTP.
    pub(crate) handshakes: Handshakes,
}

impl Door {
    /// Sends an arrival to its topic's home shard. Nothing is sent any more once the drain began.
    fn send(&self, pattern: Pattern, topic: &Topic, arrival: Arrival) -> Result<(), InboxFull> {
        match &*self.router.borrow() {
            Some(router) => router.send(router.home(pattern, topic), arrival),
            None => Err(InboxFull(arrival)),
        }
    }
}

/// The waits that an operator can't set; apart from the limits so that tests need not wait.
#[derive(Debug, Clone)]
pub(crate) struct Times {
    /// For a head, from accept or from its first byte.
    pub(crate) head_wait: Duration,
    /// For the first byte, from accept, once the broker has drained.
    pub(crate) newcomer_wait: Duration,
    /// Between two requests.
    pub(crate) keep_alive: Duration,
    /// For more of a body.
    pub(crate) body_stall: Duration,
    /// For the peer to take our last words.
    pub(crate) linger: Duration,
    /// For descriptors.
    pub(crate) accept_pause: Duration,
    /// For shards to answer an operator.
    pub(crate) survey: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            head_wait: HEAD_WAIT_MAX,
            newcomer_wait: NEWCOMER_WAIT_MAX,
            keep_alive: KEEP_ALIVE_MAX,
            body_stall: BODY_STALL_MAX,
            linger: LINGER_MAX,
            accept_pause: ACCEPT_PAUSE,
            survey: SURVEY_WAIT_MAX,
        }
    }
}

impl Times {
    /// When a connection in this phase has been silent for too long; `stall` is for one that takes
    /// nothing.
    fn due(&self, phase: Phase, stall: impl FnOnce() -> Duration) -> Option<Duration> {
        match phase {
            Phase::First | Phase::Head => Some(self.head_wait),
            Phase::Idle => Some(self.keep_alive),
            Phase::Serving => None,
            Phase::Writing(_) => Some(stall()),
        }
    }
}

/// HTTP as both doors speak it.
fn protocol() -> http1::Builder {
    let mut protocol = http1::Builder::new();
    protocol
        .half_close(true)
        // hyper's own can't tell an idle connection from a late head, nor say why
        .header_read_timeout(None)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEAD_FIELDS_MAX);
    protocol
}

/// A listening socket, and what goes before HTTP on its connections.
#[derive(Debug)]
pub(crate) struct Entrance {
    /// The socket.
    pub(crate) listener: Listener,
    /// A PROXY header.
    pub(crate) proxied: bool,
    /// TLS, with what the listener shows of itself.
    pub(crate) identity: Option<Identity>,
}

/// How many HTTP connections are open.
#[derive(Debug, Default)]
pub(crate) struct Visits {
    /// So many.
    open: Cell<u64>,
    /// Told when the last one ended.
    none_left: Notify,
}

/// One open HTTP connection, counted until it is dropped.
#[derive(Debug)]
struct Guest(Rc<Door>);

impl Visits {
    /// One more, until the guest is dropped.
    fn enter(&self, door: &Rc<Door>) -> Guest {
        self.open.set(self.open.get() + 1);
        Guest(Rc::clone(door))
    }

    /// Waits until none is open.
    async fn ended(&self) {
        while self.open.get() > 0 {
            self.none_left.notified().await;
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let Door { visits, counters, .. } = &*self.0;
        if std::thread::panicking() {
            tracing::error!("an HTTP connection panicked and was dropped");
            counters.panics.add(1);
        }
        visits.open.set(visits.open.get() - 1);
        if visits.open.get() == 0 {
            visits.none_left.notify_one();
        }
    }
}

/// Serves on all listeners of one acceptor until the broker drains and the requests under way are
/// answered, or until the drain's deadline. Must run on a `LocalRuntime`.
pub(crate) async fn serve(door: Rc<Door>, listeners: Vec<Entrance>) {
    for entrance in listeners {
        tokio::task::spawn_local(listener::accept(Rc::clone(&door), entrance));
    }
    door.shutdown.begun().await;
    door.router.take();
    // shards cut at the same deadline, and idle connections end with the shards
    let deadline = door.live.now().limits.drain_max.saturating_add(CUT_WAIT_MAX);
    if timeout(deadline, door.visits.ended()).await.is_err() {
        door.counters.drain_cut.add(door.visits.open.get());
    }
}
