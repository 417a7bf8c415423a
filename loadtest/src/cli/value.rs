//! How the values of options are read.

use std::path::PathBuf;
use std::time::Duration;

use crate::payload::HEAD_BYTES;
use crate::tree::DEPTH_MAX;

/// Of whatever takes a time within a run.
const DURATION_MAX: Duration = Duration::from_hours(1);

/// A number from 1 to `max`.
pub(super) fn count(max: usize) -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=i64::try_from(max).unwrap_or(i64::MAX))
}

/// Levels below a root.
pub(super) fn depth() -> clap::builder::RangedI64ValueParser<u8> {
    clap::value_parser!(u8).range(0..=i64::try_from(DEPTH_MAX).unwrap_or(i64::MAX))
}

pub(super) fn size(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(size) if (HEAD_BYTES..=16 << 20).contains(&size) => Ok(size),
        _ => Err(format!("a message is {HEAD_BYTES} to {} bytes", 16 << 20)),
    }
}

pub(super) fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if (0.001..=1e8).contains(&rate) => Ok(rate),
        _ => Err("a rate is 0.001 to 100000000 messages a second".to_owned()),
    }
}

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) if (0.0..=1e6).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("a time is 0 to 1000000 seconds".to_owned()),
    }
}

/// A time with its unit.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) if duration <= DURATION_MAX => Ok(duration),
        Ok(_) => Err("a time is at most 1h".to_owned()),
        Err(error) => Err(format!("a time is like 500us, 20ms or 1m: {error}")),
    }
}

pub(super) fn process(text: &str) -> Result<u32, String> {
    let pid = text.parse().map_err(|_| "a process has a number".to_owned())?;
    if PathBuf::from(format!("/proc/{pid}/task")).is_dir() {
        Ok(pid)
    } else {
        Err("there is no such process".to_owned())
    }
}
