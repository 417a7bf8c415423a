//! What a socket is on its topic, and the pattern that this is part of.

/// How a topic gives out its messages. Patterns never mix: `/pub/x` and `/bus/x` are two topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// Every other peer gets it.
    Bus,
    /// Every subscriber of the topic and of its ancestors gets it.
    PubSub,
    /// One puller gets it.
    PushPull,
}

/// What a socket is on its topic, for life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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

impl Role {
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
