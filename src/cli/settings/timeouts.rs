//! The settings of durations.

use super::duration;
use crate::cli::setting::Setting;

pub(super) const SETTINGS: &[Setting] = &[
    Setting::one(
        "write-timeout",
        "DURATION",
        "Give a receiver up when a write to it makes no progress for this long",
        |draft, wait| {
            draft.config.limits.write_stall_max = wait.duration()?;
            Ok(())
        },
        |config, _| duration(Some(config.limits.write_stall_max)),
    ),
    Setting::one(
        "ping-interval",
        "DURATION",
        "Ping a connection that was silent for this long, 0 is never",
        |draft, silence| {
            draft.config.limits.ping_interval = silence.duration_or_never()?;
            Ok(())
        },
        |config, _| duration(config.limits.ping_interval),
    )
    .live(|new, old| old.0.limits.ping_interval = new.0.limits.ping_interval),
    Setting::one(
        "pong-timeout",
        "DURATION",
        "Drop a connection that does not answer a ping for this long",
        |draft, wait| {
            draft.config.limits.pong_wait_max = wait.duration()?;
            Ok(())
        },
        |config, _| duration(Some(config.limits.pong_wait_max)),
    )
    .live(|new, old| old.0.limits.pong_wait_max = new.0.limits.pong_wait_max),
    Setting::one(
        "pull-pong-timeout",
        "DURATION",
        "The same for a puller, which may be busy with a job",
        |draft, wait| {
            draft.config.limits.pull_pong_wait_max = wait.duration()?;
            Ok(())
        },
        |config, _| duration(Some(config.limits.pull_pong_wait_max)),
    ),
    Setting::one(
        "drain-timeout",
        "DURATION",
        "How long stopping may take, 0 cuts at once",
        |draft, wait| {
            draft.config.limits.drain_max = wait.duration_or_never()?.unwrap_or_default();
            Ok(())
        },
        |config, _| duration(Some(config.limits.drain_max)),
    )
    .live(|new, old| old.0.limits.drain_max = new.0.limits.drain_max),
];
