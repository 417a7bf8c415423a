//! Crossing between threads: the only place where threads meet.
//!
//! An acceptor sends an [`Arrival`] to the inbox of a topic's home shard: a crossbeam channel,
//! bounded in entries and in bytes, with a flag that says whether the shard must be woken.

use std::hash::{BuildHasher, Hash, Hasher};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ahash::RandomState;
use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, TrySendError};
use tokio::sync::{Notify, oneshot};

use crate::broker::topic::Topic;
use crate::broker::{Kind, Pattern, Role};
use crate::limits::{Budget, INBOX_BYTES_MAX, INBOX_ENTRIES_MAX};
use crate::refusal::Refusal;

/// What crosses to a shard.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// A socket whose handshake was checked and not yet answered.
    Connection(Box<Handshake>),
    /// The body of a POST.
    Message(Box<Post>),
}

/// A checked handshake: the shard joins the topic, then writes the 101.
#[derive(Debug)]
pub(crate) struct Handshake {
    /// The socket, known to no runtime, with nothing unwritten.
    pub(crate) socket: TcpStream,
    /// What the client sent behind its handshake.
    pub(crate) left_over: Bytes,
    /// Whose descriptor the socket is; gives it back when dropped.
    pub(crate) descriptor: Descriptor,
    /// The peer, for logs.
    pub(crate) peer: SocketAddr,
    /// What the socket is on its topic.
    pub(crate) role: Role,
    /// Its topic.
    pub(crate) topic: Topic,
    /// A bus peer that wants its own messages too.
    pub(crate) echo: bool,
    /// The value of `Sec-WebSocket-Accept` (RFC 6455 4.2.2).
    pub(crate) accept: String,
    /// Whether a refusal should be JSON.
    pub(crate) json: bool,
}

/// The body of a POST on its way to its topic.
#[derive(Debug)]
pub(crate) struct Post {
    /// `/bus`, `/pub` or `/push`.
    pub(crate) pattern: Pattern,
    /// The topic.
    pub(crate) topic: Topic,
    /// Text or binary.
    pub(crate) kind: Kind,
    /// The payload.
    pub(crate) body: Bytes,
    /// Told once the message is in the topic's hands, or why it is not.
    pub(crate) answer: oneshot::Sender<Result<(), Refusal>>,
}

/// The way to every shard.
#[derive(Debug, Clone)]
pub(crate) struct Router {
    keys: RandomState,
    shards: Arc<[Entrance]>,
}

/// The sending side of one shard's inbox.
#[derive(Debug)]
struct Entrance {
    sender: Sender<Arrival>,
    gate: Arc<Gate>,
}

/// What both sides of an inbox share.
#[derive(Debug, Default)]
struct Gate {
    /// Whether somebody already woke the shard since it last looked.
    woken: AtomicBool,
    /// Wakes the shard's inbox task.
    notify: Notify,
    /// Bodies in the inbox, bytes.
    bytes: AtomicUsize,
}

/// The receiving side, owned by its shard.
#[derive(Debug)]
pub(crate) struct Inbox {
    receiver: Receiver<Arrival>,
    gate: Arc<Gate>,
}

/// The inbox is full; here is the arrival back.
#[derive(Debug)]
pub(crate) struct InboxFull(pub(crate) Arrival);

impl Router {
    /// The ways into `shards` new inboxes. Keys are random per process: a fixed seed would let a
    /// stranger aim all topics at one core.
    pub(crate) fn new(shards: usize) -> (Self, Vec<Inbox>) {
        let (entrances, inboxes): (Vec<_>, Vec<_>) = (0..shards).map(|_| inbox()).unzip();
        (Self { keys: RandomState::new(), shards: entrances.into() }, inboxes)
    }

    /// The home shard: by pattern and root for pub/sub, so that a tree is never split; by pattern
    /// and whole name for the others.
    pub(crate) fn home(&self, pattern: Pattern, topic: &Topic) -> usize {
        let mut hasher = self.keys.build_hasher();
        pattern.hash(&mut hasher);
        match pattern {
            Pattern::PubSub => topic.root().hash(&mut hasher),
            Pattern::Bus | Pattern::PushPull => topic.name().hash(&mut hasher),
        }
        let shards = self.shards.len() as u128;
        let scaled = (u128::from(hasher.finish()) * shards) >> 64;
        usize::try_from(scaled).expect("less than the number of shards")
    }

    /// Puts an arrival into a shard's inbox and wakes the shard if it sleeps. Never blocks.
    pub(crate) fn send(&self, shard: usize, arrival: Arrival) -> Result<(), InboxFull> {
        let Entrance { sender, gate } = &self.shards[shard];
        let bytes = arrival.bytes();
        let before = gate.bytes.fetch_add(bytes, Ordering::Relaxed);
        if before > 0 && before.saturating_add(bytes) > INBOX_BYTES_MAX {
            gate.bytes.fetch_sub(bytes, Ordering::Relaxed);
            return Err(InboxFull(arrival));
        }
        match sender.try_send(arrival) {
            Ok(()) => {
                gate.wake();
                Ok(())
            }
            Err(TrySendError::Full(arrival) | TrySendError::Disconnected(arrival)) => {
                gate.bytes.fetch_sub(bytes, Ordering::Relaxed);
                Err(InboxFull(arrival))
            }
        }
    }
}

fn inbox() -> (Entrance, Inbox) {
    let (sender, receiver) = crossbeam_channel::bounded(INBOX_ENTRIES_MAX);
    let gate = Arc::new(Gate::default());
    (Entrance { sender, gate: Arc::clone(&gate) }, Inbox { receiver, gate })
}

impl Gate {
    fn wake(&self) {
        if !self.woken.swap(true, Ordering::AcqRel) {
            self.notify.notify_one();
        }
    }
}

impl Inbox {
    /// Waits until something may have arrived. Resets the flag before the caller looks: by a
    /// swap, which sees every arrival sent before it; after a plain store a wake-up could be lost.
    pub(crate) async fn arrived(&self) {
        self.gate.notify.notified().await;
        self.gate.woken.swap(false, Ordering::AcqRel);
    }

    /// The next arrival, if there is one.
    pub(crate) fn next(&self) -> Option<Arrival> {
        let arrival = self.receiver.try_recv().ok()?;
        self.gate.bytes.fetch_sub(arrival.bytes(), Ordering::Relaxed);
        Some(arrival)
    }
}

impl Arrival {
    fn bytes(&self) -> usize {
        match self {
            Self::Message(post) => post.body.len(),
            Self::Connection(handshake) => handshake.left_over.len(),
        }
    }
}

/// One of the descriptors that clients may use; given back when dropped, on whatever thread.
#[derive(Debug)]
pub(crate) struct Descriptor(Arc<Budget>);

impl Descriptor {
    /// Takes one, if there is one left.
    pub(crate) fn take(budget: &Arc<Budget>) -> Option<Self> {
        budget.take(1).then(|| Self(Arc::clone(budget)))
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        self.0.give(1);
    }
}

/// Tells every thread that the broker drains, or that it must end at once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shutdown {
    draining: Arc<AtomicBool>,
    notify: Arc<Notify>,
}

impl Shutdown {
    /// Begins the drain. Later calls change nothing.
    pub(crate) fn begin(&self) {
        self.draining.store(true, Ordering::Release);
        self.notify.notify_waiters();
    }

    /// Whether the drain has begun.
    pub(crate) fn has_begun(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Waits for the drain to begin.
    pub(crate) async fn begun(&self) {
        let notified = self.notify.notified();
        tokio::pin!(notified);
        notified.as_mut().enable();
        if !self.has_begun() {
            notified.await;
        }
    }
}
