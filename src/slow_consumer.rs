//! What happens to a receiver that does not keep up, as `--slow-consumer` says.

use std::fmt;

/// What is done when more would wait for a receiver than `--max-outbound` allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// Its connection is closed with 1013: it knows that it missed something.
    #[default]
    Close,
    /// What waits longest is dropped, for who wants the latest.
    DropOldest,
    /// What does not fit any more is dropped, for who wants no gap in what it has.
    DropNewest,
}

/// The policy of each pattern that has one. A full puller is passed over instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SlowConsumer {
    /// For peers.
    pub bus: Policy,
    /// For subscribers.
    pub pubsub: Policy,
}

/// Why a text is no policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// In front of `=` stands something else.
    #[error("names another pattern than bus or pubsub")]
    Pattern,
    /// Not a policy.
    #[error("is not close, drop-oldest or drop-newest, or one of them behind bus= or pubsub=")]
    Policy,
}

impl SlowConsumer {
    /// Changes what a text like `drop-oldest` or `bus=close,pubsub=drop-newest` names: without a
    /// pattern in front it is for both, and of several the last one counts.
    ///
    /// ```
    /// # use mercury::slow_consumer::{Policy, SlowConsumer};
    /// let mut slow_consumer = SlowConsumer::default();
    /// slow_consumer.set("drop-oldest,bus=close").unwrap();
    /// assert_eq!(slow_consumer.bus, Policy::Close);
    /// assert_eq!(slow_consumer.pubsub, Policy::DropOldest);
    /// ```
    pub fn set(&mut self, text: &str) -> Result<(), PolicyError> {
        for part in text.split(',').map(str::trim) {
            match part.split_once('=') {
                Some(("bus", policy)) => self.bus = Policy::parse(policy)?,
                Some(("pubsub", policy)) => self.pubsub = Policy::parse(policy)?,
                Some(_) => return Err(PolicyError::Pattern),
                None => {
                    let policy = Policy::parse(part)?;
                    *self = Self { bus: policy, pubsub: policy };
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for SlowConsumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.bus == self.pubsub {
            return self.bus.fmt(f);
        }
        write!(f, "bus={},pubsub={}", self.bus, self.pubsub)
    }
}

impl Policy {
    fn parse(text: &str) -> Result<Self, PolicyError> {
        match text {
            "close" => Ok(Self::Close),
            "drop-oldest" => Ok(Self::DropOldest),
            "drop-newest" => Ok(Self::DropNewest),
            _ => Err(PolicyError::Policy),
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Close => "close",
            Self::DropOldest => "drop-oldest",
            Self::DropNewest => "drop-newest",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> Result<String, PolicyError> {
        let mut slow_consumer = SlowConsumer::default();
        slow_consumer.set(text).map(|()| slow_consumer.to_string())
    }

    #[test]
    fn a_policy_is_for_both_patterns_or_for_the_one_in_front() {
        assert_eq!(set("close").unwrap(), "close");
        assert_eq!(set("drop-newest").unwrap(), "drop-newest");
        assert_eq!(set("bus=drop-oldest").unwrap(), "bus=drop-oldest,pubsub=close");
        assert_eq!(set("bus=drop-oldest, pubsub=drop-oldest").unwrap(), "drop-oldest");
        assert_eq!(set("bus=drop-newest,close").unwrap(), "close");
    }

    #[test]
    fn what_is_no_policy_is_refused() {
        for text in ["", "drop", "close,", "bus=", "Close", "bus=pubsub=close"] {
            assert_eq!(set(text), Err(PolicyError::Policy), "{text}");
        }
        for text in ["push=close", "=close", "pull=drop-oldest"] {
            assert_eq!(set(text), Err(PolicyError::Pattern), "{text}");
        }
    }
}
