//! A topic's name: parsed once at the door, valid from then on.

use std::fmt;
use std::sync::Arc;

use percent_encoding::percent_decode;

use crate::grouped::Grouped;
use crate::limits::TOPIC_SEGMENTS_MAX;

/// A valid topic name. Cloning it shares it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Topic(Arc<str>);

/// Why a path is no topic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// Nothing behind the pattern's slash.
    #[error("the topic is empty")]
    Empty,
    /// Longer than `--max-topic`.
    #[error("topic is {} bytes, more than {}", Grouped(*.bytes), Grouped(*.max))]
    TooLong {
        /// Its length, decoded.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// More `/` than a publish should touch ancestors.
    #[error("topic has {segments} segments, more than {TOPIC_SEGMENTS_MAX}")]
    TooDeep {
        /// How many it has.
        segments: usize,
    },
    /// The percent-decoded bytes are not UTF-8.
    #[error("topic is not UTF-8 from byte {at} on")]
    NotUtf8 {
        /// The first byte that can't be text.
        at: usize,
    },
    /// Its first segment starts with `$`.
    #[error("topics that start with $ are reserved: {first}")]
    Reserved {
        /// The first segment.
        first: String,
    },
}

impl Topic {
    /// Parses what stands behind the pattern's slash in a path, percent-decoding it once; a `%`
    /// without two hex digits stands for itself. `bytes_max` bounds the decoded name.
    ///
    /// ```
    /// # use mercury::broker::topic::Topic;
    /// assert_eq!(Topic::parse("a%2Fb", 1024).unwrap().name(), "a/b");
    /// assert!(Topic::parse("", 1024).is_err());
    /// ```
    pub fn parse(path: &str, bytes_max: usize) -> Result<Self, TopicError> {
        let decoded: std::borrow::Cow<'_, [u8]> = percent_decode(path.as_bytes()).into();
        if decoded.is_empty() {
            return Err(TopicError::Empty);
        }
        if decoded.len() > bytes_max {
            return Err(TopicError::TooLong { bytes: decoded.len(), max: bytes_max });
        }
        let name = std::str::from_utf8(&decoded)
            .map_err(|error| TopicError::NotUtf8 { at: error.valid_up_to() })?;
        let segments = name.split('/').count();
        if segments > TOPIC_SEGMENTS_MAX {
            return Err(TopicError::TooDeep { segments });
        }
        let topic = Self(Arc::from(name));
        if topic.root().starts_with('$') {
            return Err(TopicError::Reserved { first: topic.root().to_owned() });
        }
        Ok(topic)
    }

    /// The whole name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }

    /// The first segment: what binds a topic tree to one shard.
    #[must_use]
    pub fn root(&self) -> &str {
        self.0.split_once('/').map_or(&*self.0, |(root, _)| root)
    }

    /// The topics above this one, nearest first: trailing slashes dropped, the first 1 to n-1
    /// segments joined again. An empty name is nobody's topic and is left out.
    ///
    /// ```
    /// # use mercury::broker::topic::Topic;
    /// let topic = Topic::parse("T//a", 1024).unwrap();
    /// assert_eq!(topic.ancestors().collect::<Vec<_>>(), ["T/", "T"]);
    /// ```
    pub fn ancestors(&self) -> impl Iterator<Item = &str> {
        let name = self.0.trim_end_matches('/');
        name.rmatch_indices('/').map(|(at, _)| &name[..at]).filter(|ancestor| !ancestor.is_empty())
    }
}

impl fmt::Display for Topic {
    /// The name with control characters escaped, fit for a log line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_debug())
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(path: &str) -> Result<Topic, TopicError> {
        Topic::parse(path, 1024)
    }

    fn ancestors(path: &str) -> Vec<String> {
        parse(path).unwrap().ancestors().map(str::to_owned).collect()
    }

    #[test]
    fn a_percent_without_two_hex_digits_is_itself() {
        assert_eq!(parse("50%").unwrap().name(), "50%");
        assert_eq!(parse("%zz%2").unwrap().name(), "%zz%2");
        assert_eq!(parse("%252F").unwrap().name(), "%2F");
    }

    #[test]
    fn ancestors_are_the_shorter_joins_of_the_segments() {
        assert_eq!(ancestors("a/b/c"), ["a/b", "a"]);
        assert_eq!(ancestors("a"), [""; 0]);
        assert_eq!(ancestors("T/a/"), ["T"]);
        assert_eq!(ancestors("T//a"), ["T/", "T"]);
        assert_eq!(ancestors("T/"), [""; 0]);
        assert_eq!(ancestors("/a/b"), ["/a"]);
        assert_eq!(ancestors("//"), [""; 0]);
    }

    #[test]
    fn bounds_are_inclusive() {
        assert!(parse(&"x".repeat(1024)).is_ok());
        let error = parse(&"x".repeat(1025)).unwrap_err();
        assert_eq!(error.to_string(), "topic is 1,025 bytes, more than 1,024");
        assert!(parse(&["x"; 32].join("/")).is_ok());
        let error = parse(&["x"; 33].join("/")).unwrap_err();
        assert_eq!(error.to_string(), "topic has 33 segments, more than 32");
    }

    #[test]
    fn reserved_and_broken_names_are_refused() {
        assert!(matches!(parse("$sys/x"), Err(TopicError::Reserved { .. })));
        assert!(matches!(parse("%24sys"), Err(TopicError::Reserved { .. })));
        assert!(parse("a/$b").is_ok());
        assert_eq!(parse("ab%ff"), Err(TopicError::NotUtf8 { at: 2 }));
    }
}
