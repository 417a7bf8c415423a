//! What a connection is called by logs and operators: its shard, and its number there.

use std::fmt;

/// A connection of this process, and of no other time: numbers are not used again. It is written
/// `3-1a2b`, the shard and in hexadecimal the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ConnectionId {
    /// The shard that it lives on.
    pub(crate) shard: usize,
    /// Its number among all that have opened there, from 1 on.
    pub(crate) sequence: u64,
}

impl ConnectionId {
    /// Reads what [`fmt::Display`] writes, and no other spelling of it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (shard, sequence) = text.split_once('-')?;
        let sequence = u64::from_str_radix(sequence, 16).ok()?;
        let id = Self { shard: shard.parse().ok()?, sequence };
        (id.to_string() == text).then_some(id)
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:x}", self.shard, self.sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        let id = ConnectionId { shard: 3, sequence: 0x1a2b };
        assert_eq!(id.to_string(), "3-1a2b");
        assert_eq!(ConnectionId::parse("3-1a2b"), Some(id));
        for other in ["3-1A2B", "03-1a2b", "3-01a2b", "+3-1a2b", "3-+1a2b", "3", "3-", "-1", ""] {
            assert_eq!(ConnectionId::parse(other), None, "{other}");
        }
    }
}
