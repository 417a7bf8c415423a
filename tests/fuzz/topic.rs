//! Topics as they stand in a path, against decoding by hand.

#![cfg_attr(feature = "libfuzzer", no_main)]

use mercury::broker::topic::{Topic, TopicError};
use mercury::limits::TOPIC_SEGMENTS_MAX;

mercury_fuzz::target!(check);

/// `--max-topic`; small, so that it bites.
const TOPIC_BYTES_MAX: usize = 80;

fn check(input: &[u8]) {
    let Ok(path) = std::str::from_utf8(input) else { return };
    let decoded = percent_decoded(input);
    match Topic::parse(path, TOPIC_BYTES_MAX) {
        Ok(topic) => {
            assert_eq!(topic.name().as_bytes(), decoded);
            check_name(&topic);
        }
        Err(error) => {
            check_refusal(&error, &decoded);
            assert!(!error.to_string().is_empty());
        }
    }
}

/// What holds for every topic that exists.
fn check_name(topic: &Topic) {
    let name = topic.name();
    assert!((1..=TOPIC_BYTES_MAX).contains(&name.len()));
    assert!(name.matches('/').count() < TOPIC_SEGMENTS_MAX);
    assert!(!name.starts_with('$'));
    assert!(name.starts_with(topic.root()) && !topic.root().contains('/'));
    assert!(!topic.to_string().contains(char::is_control), "{topic}");
    // the original's rule: trailing empty segments dropped, then 1 to n-1 of them joined again
    let mut segments: Vec<_> = name.split('/').collect();
    while segments.last() == Some(&"") {
        segments.pop();
    }
    let shorter = (1..segments.len()).rev().map(|count| segments[..count].join("/"));
    let expected: Vec<_> = shorter.filter(|name| !name.is_empty()).collect();
    assert_eq!(topic.ancestors().collect::<Vec<_>>(), expected);
    assert!(topic.ancestors().all(|ancestor| ancestor.len() < name.len()));
    // a name is its own path once nothing in it is left to decode
    if !name.contains('%') {
        assert_eq!(Topic::parse(name, TOPIC_BYTES_MAX).as_ref(), Ok(topic));
    }
}

/// A refusal has its reason.
fn check_refusal(error: &TopicError, decoded: &[u8]) {
    let text = std::str::from_utf8(decoded);
    match error {
        TopicError::Empty => assert!(decoded.is_empty()),
        TopicError::TooLong { bytes, max } => {
            assert_eq!((*bytes, *max), (decoded.len(), TOPIC_BYTES_MAX));
            assert!(bytes > max);
        }
        TopicError::TooDeep { segments } => {
            assert_eq!(*segments, decoded.split(|byte| *byte == b'/').count());
            assert!(*segments > TOPIC_SEGMENTS_MAX);
        }
        TopicError::NotUtf8 { at } => {
            assert_eq!(text.map_err(|error| error.valid_up_to()), Err(*at));
        }
        TopicError::Reserved { first } => {
            assert!(first.starts_with('$') && decoded.starts_with(first.as_bytes()));
        }
    }
}

/// Each `%` with two hex digits behind it becomes a byte, once.
fn percent_decoded(mut bytes: &[u8]) -> Vec<u8> {
    let hex = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut decoded = vec![];
    while let [first, rest @ ..] = bytes {
        bytes = rest;
        match rest {
            [high, low, behind @ ..] if *first == b'%' => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    decoded.push(high * 16 + low);
                    bytes = behind;
                }
                _ => decoded.push(b'%'),
            },
            _ => decoded.push(*first),
        }
    }
    decoded
}
