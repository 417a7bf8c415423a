//! A publisher and a subscriber who do nothing wrong, while somebody else is in trouble.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::sleep;

use crate::socket::{PING, PONG, Socket, TEXT};

/// So many messages at least go through while a fault lasts.
pub(super) const LEAST: usize = 1000;
/// So many are published before they are heard: too few to wait for a subscriber that reads.
const WINDOW: usize = 16;
/// Size of a message.
const MESSAGE_BYTES: usize = 4096;

/// They use one topic, which is the one of the victim.
pub(super) struct Innocents {
    publisher: Socket,
    subscriber: Socket,
    /// How many were published, and heard.
    pub(super) exchanged: usize,
}

/// A numbered message.
pub(super) fn message(number: usize) -> String {
    let mut message = format!("{number} ");
    message.extend(std::iter::repeat_n('x', MESSAGE_BYTES - message.len()));
    message
}

/// The number of a message, which must be whole.
pub(super) fn number(message: &str) -> usize {
    assert_eq!(message.len(), MESSAGE_BYTES);
    message.split(' ').next().unwrap().parse().unwrap()
}

impl Innocents {
    /// Both on a topic of a broker on 127.0.0.1.
    pub(super) async fn join(port: u16, topic: &str) -> Self {
        let subscriber = Socket::join(port, &format!("/sub/{topic}")).await;
        let publisher = Socket::join(port, &format!("/pub/{topic}")).await;
        Self::of(publisher, subscriber)
    }

    /// Both over connections that are made.
    pub(super) const fn of(publisher: Socket, subscriber: Socket) -> Self {
        Self { publisher, subscriber, exchanged: 0 }
    }

    /// Exchanges this many messages: none is lost, each is in its place.
    pub(super) async fn exchange(&mut self, count: usize) {
        let until = self.exchanged + count;
        while self.exchanged < until {
            let window = self.exchanged..until.min(self.exchanged + WINDOW);
            for number in window.clone() {
                self.publisher.send(TEXT, message(number).as_bytes()).await.unwrap();
            }
            for expected in window {
                assert_eq!(number(&self.hear().await), expected);
                self.exchanged += 1;
            }
        }
    }

    /// Exchanges messages until a fault is over, and a thousand at least.
    pub(super) async fn exchange_during<T>(&mut self, fault: impl Future<Output = T>) -> T {
        let over = Cell::new(false);
        let fault = async {
            let outcome = fault.await;
            over.set(true);
            outcome
        };
        let exchange = async {
            let least = self.exchanged + LEAST;
            while !over.get() || self.exchanged < least {
                self.exchange(WINDOW).await;
                // leaves the machine to the fault
                sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::join!(fault, exchange).0
    }

    /// The next message; pings are answered.
    async fn hear(&mut self) -> String {
        loop {
            match self.subscriber.frame().await {
                Some((TEXT, payload)) => return String::from_utf8(payload.into()).unwrap(),
                Some((PING, payload)) => self.subscriber.send(PONG, &payload).await.unwrap(),
                other => panic!("expected a message, got {other:?}"),
            }
        }
    }
}
