//! What `benches/` measures of the crossing: an acceptor's side of one inbox, and the shard's.

use bytes::Bytes;
use tokio::sync::oneshot;

use super::{Arrival, Inbox, InboxFull, Post, Router};
use crate::broker::topic::Topic;
use crate::broker::{Kind, Pattern};
use crate::refusal::Refusal;

/// Who sends.
#[derive(Debug)]
pub struct Acceptor {
    router: Router,
    topic: Topic,
}

/// Who receives.
#[derive(Debug)]
pub struct Shard(Inbox);

/// What comes back to the sender of a message.
pub type Answer = oneshot::Receiver<Result<(), Refusal>>;

/// The two sides of one inbox.
///
/// # Panics
/// Never: there is one shard.
#[must_use]
pub fn crossing(topic: Topic) -> (Acceptor, Shard) {
    let (router, mut inboxes) = Router::new(1);
    let inbox = inboxes.pop().expect("one shard");
    (Acceptor { router, topic }, Shard(inbox))
}

impl Acceptor {
    /// Hands a message over to its home shard; `None` when the inbox is full.
    #[must_use]
    pub fn send(&self, body: Bytes) -> Option<Answer> {
        let (answer, answered) = oneshot::channel();
        let (pattern, topic) = (Pattern::PubSub, self.topic.clone());
        let shard = self.router.home(pattern, &topic);
        let post = Post { pattern, topic, kind: Kind::Binary, body, answer };
        match self.router.send(shard, Arrival::Message(Box::new(post))) {
            Ok(()) => Some(answered),
            Err(InboxFull(_)) => None,
        }
    }
}

impl Shard {
    /// Answers what arrives, until there comes a message without a byte; how many there were.
    ///
    /// # Panics
    /// When a socket arrives.
    pub async fn serve(self) -> usize {
        let mut messages = 0;
        loop {
            self.0.arrived().await;
            while let Some(arrival) = self.0.next() {
                let Arrival::Message(post) = arrival else { unreachable!("nobody sends sockets") };
                // a sender that sends many waits for the last answer alone
                drop(post.answer.send(Ok(())));
                if post.body.is_empty() {
                    return messages;
                }
                messages += 1;
            }
        }
    }
}
