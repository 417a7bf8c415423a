//! One message, as it came or as it will go.

use std::time::SystemTime;

/// What a message costs beside its bytes, so that empty ones are bounded as well.
const OVERHEAD_BYTES: usize = 64;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    /// Binary, or text.
    pub(super) is_binary: bool,
    /// What it says; of text it is UTF-8.
    pub(super) payload: Vec<u8>,
    /// When it came; of what is sent, when it was read.
    pub(super) time: SystemTime,
}

impl Message {
    /// One that exists since now.
    pub(super) fn new(is_binary: bool, payload: Vec<u8>) -> Self {
        Self { is_binary, payload, time: SystemTime::now() }
    }

    /// What it says of itself.
    pub(super) const fn kind(&self) -> &'static str {
        if self.is_binary { "binary" } else { "text" }
    }

    /// What it takes of a belt's room.
    pub(super) const fn weight(&self) -> usize {
        self.payload.len() + OVERHEAD_BYTES
    }
}
