//! What a socket is on its topic, and the pattern that this is part of.

use serde::{Deserialize, Serialize};

use crate::metrics::{ByPattern, PATTERNS};

/// How a topic gives out its messages. Patterns never mix: `/pub/x` and `/bus/x` are two topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pattern {
    /// Every other peer gets it.
    Bus,
    /// Every subscriber of the topic and of its ancestors gets it.
    PubSub,
    /// One puller gets it.
    PushPull,
}

/// What a socket is on its topic, for life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// `/bus`
    Peer,
    /// `/pub`
    Publisher,
    /// `/sub`
    Subscriber,
    /// `/push`
    Pusher,
    /// `/pull`
    Puller,
}

impl Pattern {
    /// All of them.
    const ALL: [Self; 3] = [Self::Bus, Self::PubSub, Self::PushPull];

    /// What it is called outside.
    #[must_use]
    pub const fn word(self) -> &'static str {
        PATTERNS[self as usize]
    }

    /// Its one of what is counted by pattern.
    #[inline]
    pub const fn of<T>(self, counts: &ByPattern<T>) -> &T {
        match self {
            Self::Bus => &counts.bus,
            Self::PubSub => &counts.pubsub,
            Self::PushPull => &counts.pushpull,
        }
    }

    /// The pattern that is called so.
    #[must_use]
    pub fn read(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|pattern| pattern.word() == word)
    }
}

impl Role {
    /// What it is called outside.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Publisher => "publisher",
            Self::Subscriber => "subscriber",
            Self::Pusher => "pusher",
            Self::Puller => "puller",
        }
    }

    /// The route that such a socket comes by.
    #[must_use]
    pub const fn route(self) -> &'static str {
        match self {
            Self::Peer => "/bus",
            Self::Publisher => "/pub",
            Self::Subscriber => "/sub",
            Self::Pusher => "/push",
            Self::Puller => "/pull",
        }
    }

    /// The pattern that the role is part of.
    #[must_use]
    pub const fn pattern(self) -> Pattern {
        match self {
            Self::Peer => Pattern::Bus,
            Self::Publisher | Self::Subscriber => Pattern::PubSub,
            Self::Pusher | Self::Puller => Pattern::PushPull,
        }
    }

    /// Whether its messages go anywhere.
    #[must_use]
    pub const fn sends(self) -> bool {
        matches!(self, Self::Peer | Self::Publisher | Self::Pusher)
    }
}
