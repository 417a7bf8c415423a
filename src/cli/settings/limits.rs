//! The settings of sizes and counts.

use super::size;
use crate::cli::setting::{Setting, Value};
use crate::config::Size;
use crate::limits::HEAD_BYTES_MAX;
use crate::slow_consumer::SlowConsumer;

/// Percent-encoding triples a topic, and it shares the head with other fields.
const TOPIC_MAX: Size = Size(HEAD_BYTES_MAX / 4);

/// A setting of [`crate::limits::Limits`] that is a size or a count of at least 1.
macro_rules! limit {
    ($name:literal, SIZE, $help:literal, $field:ident) => {
        Setting::one(
            $name,
            "SIZE",
            $help,
            |draft, size| {
                draft.config.limits.$field = size.size()?;
                Ok(())
            },
            |config, _| size(config.limits.$field),
        )
        .live(|new, old| old.0.limits.$field = new.0.limits.$field)
    };
    ($name:literal, N, $help:literal, $field:ident) => {
        Setting::one(
            $name,
            "N",
            $help,
            |draft, number| {
                draft.config.limits.$field = number.number_of_things()?;
                Ok(())
            },
            |config, _| Value::Number(config.limits.$field),
        )
        .live(|new, old| old.0.limits.$field = new.0.limits.$field)
    };
}

pub(super) const SETTINGS: &[Setting] = &[
    Setting::one(
        "connections-per-ip",
        "N",
        "TCP connections of one client at once, an IPv4 address or an IPv6 /64, 0 is no limit",
        |draft, number| {
            draft.config.limits.address_connections_max = number.count_or_unlimited()?;
            Ok(())
        },
        |config, _| Value::Number(config.limits.address_connections_max.unwrap_or(0)),
    )
    .default("no limit"),
    Setting::one(
        "accept-rate",
        "RATE",
        "New TCP connections of all clients: 100/s, 6000/m or a number a second, 0 is no limit",
        |draft, rate| {
            draft.config.limits.accept_rate_max = rate.rate_or_unlimited()?;
            Ok(())
        },
        |config, _| match config.limits.accept_rate_max {
            None => Value::Number(0),
            Some(rate) => Value::Text(rate.to_string()),
        },
    )
    .default("no limit"),
    limit!("max-message", SIZE, "Payload of one WebSocket message", message_bytes_max)
        .theirs(&["MOJO_MAX_WEBSOCKET_SIZE"]),
    limit!("max-body", SIZE, "Body of one POST", body_bytes_max).theirs(&["MOJO_MAX_MESSAGE_SIZE"]),
    limit!("max-bodies", SIZE, "Bodies of all POSTs in flight", bodies_bytes_max),
    Setting::one(
        "max-topic",
        "SIZE",
        "Name of a topic, decoded",
        |draft, topic| {
            draft.config.limits.topic_bytes_max = topic.size_up_to(TOPIC_MAX)?;
            Ok(())
        },
        |config, _| size(config.limits.topic_bytes_max),
    )
    .live(|new, old| old.0.limits.topic_bytes_max = new.0.limits.topic_bytes_max),
    limit!("max-topics", N, "Topics at once", topics_max),
    limit!(
        "max-outbound",
        SIZE,
        "What may wait for one receiver, at least twice --max-message",
        outbound_bytes_max
    ),
    Setting::many(
        "slow-consumer",
        "POLICY",
        "What to do with a receiver over --max-outbound: close, drop-oldest or drop-newest, for \
         one pattern with bus= or pubsub= in front",
        |draft, policies| {
            let mut slow_consumer = SlowConsumer::default();
            for policy in policies {
                slow_consumer.set(&policy.text).map_err(|error| policy.wrong(error))?;
            }
            draft.config.limits.slow_consumer = slow_consumer;
            Ok(())
        },
        |config, _| Value::Text(config.limits.slow_consumer.to_string()),
    )
    .live(|new, old| old.0.limits.slow_consumer = new.0.limits.slow_consumer),
    Setting::one(
        "memory-max",
        "SIZE",
        "What all queues may hold together",
        |draft, memory| {
            draft.memory_bytes_max = if memory.is_auto() { None } else { Some(memory.size()?) };
            Ok(())
        },
        |config, _| size(config.limits.memory_bytes_max),
    )
    .auto("half of what the machine or the cgroup gives"),
    limit!(
        "max-batch",
        SIZE,
        "What a topic may gather before its publishers wait",
        batch_bytes_max
    ),
    limit!(
        "max-backlog",
        SIZE,
        "Jobs that wait in one topic for a puller, their payload",
        backlog_bytes_max
    ),
    limit!(
        "max-backlog-messages",
        N,
        "Jobs that wait in one topic for a puller, their number",
        backlog_messages_max
    ),
    limit!("max-backlogs", SIZE, "Payload that waits in all backlogs", backlogs_bytes_max),
];
