//! The settings of threads and their CPUs.

use crate::cli::setting::{Setting, Value};
use crate::config::{Pin, cores};

/// Threads of one kind: far more than any machine has cores.
const THREADS_MAX: usize = 1024;

pub(super) const SETTINGS: &[Setting] = &[
    Setting::one(
        "shards",
        "N",
        "Threads that topics are spread over",
        |draft, shards| {
            draft.config.shards =
                if shards.is_auto() { cores::usable() } else { shards.count(THREADS_MAX)? };
            Ok(())
        },
        |config, _| Value::Number(config.shards.get()),
    )
    .auto("the cores that may be used, cgroup quota included"),
    Setting::one(
        "pin",
        "CPUS",
        "CPUs of the shards: auto, none, or a list like 0,2,4-7",
        |draft, pin| {
            draft.config.pin = Pin::parse(&pin.text).map_err(|error| pin.wrong(error))?;
            Ok(())
        },
        |config, _| Value::Text(config.pin.to_string()),
    ),
    Setting::one(
        "acceptors",
        "N",
        "Threads that accept connections and speak HTTP",
        |draft, acceptors| {
            draft.acceptors =
                if acceptors.is_auto() { None } else { Some(acceptors.count(THREADS_MAX)?) };
            Ok(())
        },
        |config, _| Value::Number(config.acceptors.get()),
    )
    .auto("one for 4 shards, at least one"),
];
