//! What operators ask of the shards, and what they are told.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::ranking::{Found, Rank};
use super::{Arrival, ConnectionId, InboxFull, Router};
use crate::broker::{Pattern, Role};

/// A question to one shard.
#[derive(Debug)]
pub(crate) enum Question {
    /// Which topics are there?
    Topics(Arc<Topics>, Asker<Found<TopicName, TopicLine>>),
    /// Which connections are there?
    Connections(Arc<Connections>, Asker<Found<ConnectionId, ConnectionLine>>),
    /// Hang up on this one; the answer is whether it was there.
    Cut(ConnectionId, Asker<bool>),
}

/// Who waits for an answer.
#[derive(Debug)]
pub(crate) struct Asker<T>(oneshot::Sender<T>);

/// What is asked about topics.
#[derive(Debug)]
pub(crate) struct Topics {
    /// What their names begin with.
    pub(crate) prefix: String,
    /// What they are sorted by.
    pub(crate) sort: TopicSort,
    /// The last one of the page before.
    pub(crate) after: Option<Rank<TopicName>>,
    /// How many are wanted.
    pub(crate) rows: usize,
}

/// What topics can be sorted by; all but the name from the largest on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TopicSort {
    /// Their names.
    Name,
    /// How many hear them.
    Subscribers,
    /// How many messages come in a second.
    Rate,
    /// How many bytes wait for a puller.
    Backlog,
}

impl TopicSort {
    /// All of them; the first is the default.
    pub(crate) const ALL: [Self; 4] = [Self::Name, Self::Subscribers, Self::Rate, Self::Backlog];

    /// What it is called outside.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Subscribers => "subscribers",
            Self::Rate => "rate",
            Self::Backlog => "backlog",
        }
    }
}

/// A topic's name, and its pattern, since patterns never mix.
pub(crate) type TopicName = (Arc<str>, Pattern);

/// A topic as operators see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct TopicLine {
    /// Its name.
    pub(crate) topic: String,
    /// What is done with its messages.
    pub(crate) pattern: Pattern,
    /// The shard that it lives on.
    pub(crate) shard: usize,
    /// How many connections there are of each role.
    pub(crate) members: BTreeMap<Role, usize>,
    /// Messages that come in a second, about.
    pub(crate) rate: f64,
    /// Jobs that wait for a puller.
    pub(crate) backlog_messages: usize,
    /// Their payload.
    pub(crate) backlog_bytes: usize,
}

/// What is asked about connections.
#[derive(Debug)]
pub(crate) struct Connections {
    /// The name of their topic; `None` is whatever it is.
    pub(crate) topic: Option<String>,
    /// What they are sorted by.
    pub(crate) sort: ConnectionSort,
    /// The last one of the page before.
    pub(crate) after: Option<Rank<ConnectionId>>,
    /// How many are wanted.
    pub(crate) rows: usize,
}

/// What connections can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConnectionSort {
    /// Their ids.
    Id,
    /// What waits for them, the farthest behind first.
    Behind,
}

/// A connection as operators see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ConnectionLine {
    /// What it is called.
    pub(crate) id: String,
    /// Where it comes from.
    pub(crate) address: String,
    /// What it is on its topic.
    pub(crate) role: Role,
    /// Its topic; `None` once it has left and only says its last word.
    pub(crate) topic: Option<String>,
    /// How long it has been there.
    pub(crate) open_seconds: f64,
    /// Bytes that its socket has not taken.
    pub(crate) behind_bytes: usize,
    /// How long there have been some all the time.
    pub(crate) behind_seconds: f64,
}

/// A shard as operators see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ShardLine {
    /// Its number.
    pub(crate) shard: usize,
    /// Its connections.
    pub(crate) connections: u64,
    /// Its topics.
    pub(crate) topics: u64,
    /// Messages that have come to it since it began.
    pub(crate) messages: u64,
    /// Batches that it has given to one receiver each, of one message or many.
    pub(crate) batches: u64,
    /// What its queues hold.
    pub(crate) memory_bytes: u64,
    /// For how long it has not answered the clock's last tick.
    pub(crate) lag_seconds: f64,
}

/// All shards, and what they share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ShardsPage {
    /// The shards, by their numbers.
    pub(crate) shards: Vec<ShardLine>,
    /// For how long the broker has been there.
    pub(crate) up_milliseconds: u64,
    /// What all queues hold, those of acceptors included.
    pub(crate) memory_bytes: u64,
    /// `--memory-max`.
    pub(crate) memory_max_bytes: u64,
}

/// A page of topics.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TopicsPage {
    /// The topics, in the order that was asked for.
    pub(crate) topics: Vec<TopicLine>,
    /// The target of the next page; `None` if there are no more.
    pub(crate) next: Option<String>,
}

/// A page of connections.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ConnectionsPage {
    /// The connections, in the order that was asked for.
    pub(crate) connections: Vec<ConnectionLine>,
    /// The target of the next page; `None` if there are no more.
    pub(crate) next: Option<String>,
}

/// Answers of some shards that are yet to come.
#[derive(Debug)]
pub(crate) struct Answers<T>(Vec<oneshot::Receiver<T>>);

impl Router {
    /// Asks every shard the same.
    pub(crate) fn ask_all<T>(
        &self,
        question: impl Fn(Asker<T>) -> Question,
    ) -> Result<Answers<T>, InboxFull> {
        (0..self.shards())
            .map(|shard| self.put(shard, &question))
            .collect::<Result<_, _>>()
            .map(Answers)
    }

    /// Asks one shard; there is no answer where there is no such shard.
    pub(crate) fn ask<T>(
        &self,
        shard: usize,
        question: impl Fn(Asker<T>) -> Question,
    ) -> Result<Answers<T>, InboxFull> {
        let asked = (shard < self.shards()).then(|| self.put(shard, &question)).transpose()?;
        Ok(Answers(asked.into_iter().collect()))
    }

    fn put<T>(
        &self,
        shard: usize,
        question: &impl Fn(Asker<T>) -> Question,
    ) -> Result<oneshot::Receiver<T>, InboxFull> {
        let (sender, receiver) = oneshot::channel();
        self.send(shard, Arrival::Question(Box::new(question(Asker(sender)))))?;
        Ok(receiver)
    }
}

impl<T> Asker<T> {
    /// Whether nobody waits any more.
    pub(crate) fn is_gone(&self) -> bool {
        self.0.is_closed()
    }

    /// Answers.
    pub(crate) fn tell(self, answer: T) {
        if self.0.send(answer).is_err() {
            tracing::debug!("an operator did not wait for the answer");
        }
    }
}

impl<T> Answers<T> {
    /// Waits for all of them; `None` if one will not come, since the broker drains.
    pub(crate) async fn all(self) -> Option<Vec<T>> {
        let mut answers = vec![];
        for receiver in self.0 {
            answers.push(receiver.await.ok()?);
        }
        Some(answers)
    }
}
