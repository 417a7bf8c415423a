//! Names on their way to a topic.

use std::hint::black_box;

use mercury::broker::topic::Topic;
use mercury::broker::{Kind, Pattern, Role};
use mercury::limits::TOPIC_BYTES_MAX;

use super::Turn;
use super::crowd::{broker, join as member, topic};

/// Names that are parsed in a turn.
const NAMES: usize = 32;
/// Topics that somebody uses.
const TOPICS: usize = 1000;

/// Names as paths have them, half of them percent-encoded.
pub(super) fn parse() -> Turn {
    Box::new(|| {
        for _ in 0..NAMES / 2 {
            for name in ["sensors/berlin/17/temperature", "sensors/berlin/17/temp%C3%A9rature"] {
                black_box(Topic::parse(black_box(name), TOPIC_BYTES_MAX).expect("a valid name"));
            }
        }
        NAMES
    })
}

/// Messages that nobody hears: each looks for a topic four levels deep, and for those above it.
pub(super) fn find() -> Turn {
    let mut broker = broker();
    let topics: Vec<_> = (0..TOPICS).map(|number| topic(&name(number))).collect();
    for number in 0..TOPICS {
        member(&mut broker, Role::Publisher, &name(number));
    }
    Box::new(move || {
        let found = topics.iter().filter(|topic| {
            let outcome = broker.post(Pattern::PubSub, topic, Kind::Binary, b"");
            matches!(outcome, Ok(Ok(())))
        });
        found.count()
    })
}

/// Subscribers of topics that are made for them, and freed after them.
pub(super) fn join() -> Turn {
    let mut broker = broker();
    let topics: Vec<_> = (0..TOPICS).map(|number| topic(&name(number))).collect();
    Box::new(move || {
        for topic in &topics {
            let id = broker.join(Role::Subscriber, topic, false).expect("there are few topics");
            broker.leave(id, vec![]);
            broker.forget(id);
        }
        assert!(broker.is_empty());
        topics.len()
    })
}

fn name(number: usize) -> String {
    format!("sensors/{}/{}/{number}", number % 10, number % 100)
}
