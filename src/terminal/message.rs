//! One message, as it came or as it will go.

use std::time::SystemTime;

use crate::frame::Kind;

/// What a message costs beside its bytes, so that empty ones are bounded as well.
const OVERHEAD_BYTES: usize = 64;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    /// Binary, or text.
    pub(super) kind: Kind,
    /// What it says; of text it is UTF-8.
    pub(super) payload: Vec<u8>,
    /// When it came; of what is sent, when it was read.
    pub(super) time: SystemTime,
}

impl Message {
    /// One that exists since now.
    pub(super) fn new(kind: Kind, payload: Vec<u8>) -> Self {
        Self { kind, payload, time: SystemTime::now() }
    }

    /// What its kind is called.
    pub(super) const fn kind_word(&self) -> &'static str {
        match self.kind {
            Kind::Text => "text",
            Kind::Binary => "binary",
        }
    }

    /// What it takes of a belt's room.
    pub(super) const fn weight(&self) -> usize {
        self.payload.len() + OVERHEAD_BYTES
    }
}
