//! Crossing between threads: the only place where threads meet.
//!
//! An acceptor sends an [`Arrival`] to the inbox of a topic's home shard: a crossbeam channel,
//! bounded in entries and in bytes, with a flag that says whether the shard must be woken.

mod addresses;
#[cfg(feature = "benches")]
pub(crate) mod bench;
mod clock;
mod connection_id;
mod identity;
mod inbox;
mod live;
mod question;
mod ranking;
mod shutdown;
mod turnstile;

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;

pub(crate) use self::addresses::Place;
pub(crate) use self::clock::{Clock, Pendulum};
pub(crate) use self::connection_id::ConnectionId;
pub(crate) use self::identity::{Identity, Keeper};
pub(crate) use self::inbox::{Fill, Inbox, InboxFull, Inboxes, Router};
pub(crate) use self::live::{Live, Settings};
pub(crate) use self::question::{
    Answers, Asker, ConnectionLine, ConnectionSort, Connections, ConnectionsPage, Question,
    ShardLine, ShardsPage, TopicLine, TopicName, TopicSort, Topics, TopicsPage,
};
pub(crate) use self::ranking::{Found, Rank, Ranking};
pub(crate) use self::shutdown::Shutdown;
pub(crate) use self::turnstile::Turnstile;
use crate::broker::topic::Topic;
use crate::broker::{Kind, Pattern, Role};
use crate::limits::Budget;
use crate::refusal::Refusal;
use crate::socket::{Detached, PeerAddress};

/// What crosses to a shard.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// A socket whose handshake was checked and not yet answered.
    Connection(Box<Handshake>),
    /// The body of a POST.
    Message(Box<Post>),
    /// What an operator wants to know.
    Question(Box<Question>),
}

/// A checked handshake: the shard joins the topic, then writes the 101.
#[derive(Debug)]
pub(crate) struct Handshake {
    /// The socket, known to no runtime, with nothing unwritten.
    pub(crate) socket: Detached,
    /// What the client sent behind its handshake.
    pub(crate) left_over: Bytes,
    /// Whose descriptor the socket is; gives it back when dropped.
    pub(crate) descriptor: Descriptor,
    /// The peer, for logs.
    pub(crate) peer: PeerAddress,
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

impl Arrival {
    fn bytes(&self) -> usize {
        match self {
            Self::Message(post) => post.body.len(),
            Self::Connection(handshake) => handshake.left_over.len(),
            Self::Question(_) => 0,
        }
    }
}

/// One of the descriptors that clients may use; given back when dropped, on whatever thread.
#[derive(Debug)]
pub(crate) struct Descriptor {
    budget: Arc<Budget>,
    /// What its connection counts for its address; apart, since most brokers do not count them.
    place: Option<Box<Place>>,
}

impl Descriptor {
    /// Takes one, if there is one left.
    pub(crate) fn take(budget: &Arc<Budget>) -> Option<Self> {
        budget.take(1).then(|| Self { budget: Arc::clone(budget), place: None })
    }

    /// Gives the connection's place back with it.
    pub(crate) fn keep(&mut self, place: Option<Place>) {
        self.place = place.map(Box::new);
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        self.budget.give(1);
    }
}
