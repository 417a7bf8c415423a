//! What is said inside the frames: for mercury the URL says it all, other servers have a protocol
//! of their own there. Bytes in, bytes out.

mod carry;
mod mqtt;
mod nats;

use clap::ValueEnum;

use self::carry::Carry;
use crate::scenario::Pattern;

/// A packet or a message beyond this is not of a load test, and would only fill our memory.
const ITEM_BYTES_MAX: usize = 64 << 20;

/// Whose protocol is spoken inside the frames
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dialect {
    /// None: the URL names pattern, role and topic, a frame is a message
    #[default]
    Mercury,
    /// NATS: fanout, bus, and pushpull by a queue group
    Nats,
    /// MQTT 3.1.1 without acknowledgements: fanout only
    Mqtt,
}

/// What one connection is to the server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'a> {
    /// Which sockets the load has.
    pub(crate) pattern: Pattern,
    /// Whether this one receives.
    pub(crate) receives: bool,
    /// Its topic.
    pub(crate) topic: &'a str,
    /// A name that no other connection has.
    pub(crate) name: &'a str,
}

/// What surrounds every message of one publisher, within its frame.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Envelope {
    /// In front of the message.
    pub(crate) head: Vec<u8>,
    /// Behind it.
    pub(crate) tail: &'static [u8],
}

/// What a server said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said<'a> {
    /// Our opening was heard, all of it.
    Welcome,
    /// A message.
    Message(&'a [u8]),
    /// It wants to hear this.
    Reply(&'static [u8]),
}

/// What one connection has heard so far: what of it has no end yet.
#[derive(Debug)]
pub(crate) enum Listener {
    /// A line of NATS, or a message behind its line.
    Nats(Carry),
    /// A packet of MQTT.
    Mqtt(Carry),
}

impl Dialect {
    /// What the handshake offers.
    pub(crate) fn subprotocol(self) -> Option<&'static str> {
        (self == Self::Mqtt).then_some("mqtt")
    }

    /// Why `pattern` can't be said in it, if it can't.
    pub(crate) fn check(self, pattern: Pattern) -> Result<(), String> {
        match (self, pattern) {
            (Self::Mqtt, Pattern::Bus) => {
                Err("mqtt 3.1.1 returns to a peer what it sends, so it has no bus".to_owned())
            }
            (Self::Mqtt, Pattern::PushPull) => {
                Err("mqtt 3.1.1 gives a message to every subscriber, so it has no queue".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// What a connection says first, answered by [`Said::Welcome`]; empty where nothing is needed.
    pub(crate) fn opening(self, part: Part<'_>) -> Vec<u8> {
        match self {
            Self::Mercury => Vec::new(),
            Self::Nats => nats::opening(part),
            Self::Mqtt => mqtt::opening(part),
        }
    }

    /// What surrounds the messages of `size` bytes on `topic`.
    pub(crate) fn envelope(self, topic: &str, size: usize) -> Envelope {
        match self {
            Self::Mercury => Envelope::default(),
            Self::Nats => nats::envelope(topic, size),
            Self::Mqtt => mqtt::envelope(topic, size),
        }
    }

    /// What a connection says last, before its Close.
    pub(crate) fn farewell(self) -> &'static [u8] {
        if self == Self::Mqtt { mqtt::DISCONNECT } else { &[] }
    }

    /// For what comes; none where a frame is a message.
    pub(crate) fn listener(self) -> Option<Listener> {
        match self {
            Self::Mercury => None,
            Self::Nats => Some(Listener::Nats(Carry::default())),
            Self::Mqtt => Some(Listener::Mqtt(Carry::default())),
        }
    }
}

impl Listener {
    /// Calls `each` for everything that became complete with `bytes`; the error is a sentence.
    pub(crate) fn read(
        &mut self,
        bytes: &[u8],
        each: &mut impl FnMut(Said<'_>),
    ) -> Result<(), String> {
        match self {
            Self::Nats(carry) => carry.feed(bytes, |rest| nats::item(rest, each)),
            Self::Mqtt(carry) => carry.feed(bytes, |rest| mqtt::item(rest, each)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `pieces` say, message by message, to a new listener.
    pub(super) fn heard(dialect: Dialect, pieces: &[&[u8]]) -> Result<Vec<String>, String> {
        let (mut listener, mut heard) = (dialect.listener().unwrap(), Vec::new());
        for piece in pieces {
            listener.read(piece, &mut |said| {
                heard.push(match said {
                    Said::Welcome => "welcome".to_owned(),
                    Said::Message(message) => format!("message {}", message.escape_ascii()),
                    Said::Reply(reply) => format!("reply {}", reply.escape_ascii()),
                });
            })?;
        }
        Ok(heard)
    }

    /// `bytes` say `expected` wherever they are split in two, and byte by byte.
    pub(super) fn expect_at_every_split(dialect: Dialect, bytes: &[u8], expected: &[&str]) {
        for at in 0..=bytes.len() {
            let (one, other) = bytes.split_at(at);
            assert_eq!(heard(dialect, &[one, other]).unwrap(), expected, "split at {at}");
        }
        let bytes: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(heard(dialect, &bytes).unwrap(), expected, "byte by byte");
    }

    #[test]
    fn mercury_says_nothing_of_its_own() {
        let dialect = Dialect::Mercury;
        let part = Part { pattern: Pattern::Bus, receives: true, topic: "t", name: "n" };
        assert!(dialect.opening(part).is_empty() && dialect.farewell().is_empty());
        assert!(dialect.listener().is_none() && dialect.subprotocol().is_none());
        assert_eq!(dialect.envelope("t", 128), Envelope::default());
    }

    #[test]
    fn only_what_can_be_said() {
        for pattern in [Pattern::Bus, Pattern::PubSub, Pattern::PushPull] {
            assert!(
                Dialect::Mercury.check(pattern).is_ok() && Dialect::Nats.check(pattern).is_ok()
            );
            assert_eq!(Dialect::Mqtt.check(pattern).is_ok(), pattern == Pattern::PubSub);
        }
    }
}
