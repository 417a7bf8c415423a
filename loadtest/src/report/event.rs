//! What a load counts: its latencies are of that, and its CPU is divided by it.

use serde::{Deserialize, Serialize};

/// What happens again and again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Event {
    /// A message reaches a receiver.
    #[default]
    Delivery,
    /// A connection is through its handshake.
    Connect,
}

impl Event {
    /// One of them.
    pub(crate) fn one(self) -> &'static str {
        match self {
            Self::Delivery => "delivery",
            Self::Connect => "connect",
        }
    }

    /// Several.
    pub(crate) fn many(self) -> &'static str {
        match self {
            Self::Delivery => "deliveries",
            Self::Connect => "connects",
        }
    }

    /// That nothing went wrong.
    pub(crate) fn is_fine(self) -> &'static str {
        match self {
            Self::Delivery => "all was delivered once and in order",
            Self::Connect => "every connection came and stayed",
        }
    }
}
