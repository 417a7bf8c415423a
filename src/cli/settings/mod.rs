//! The table of all settings: flags, variables, the file and the help are made of it.

mod admin;
mod limits;
mod logs;
mod original;
mod proxies;
mod shards;
mod timeouts;
mod tls;

use std::time::Duration;

use humantime::format_duration;

use crate::cli::setting::{Setting, Value};
use crate::config::Size;

/// What sets the size of the largest message: defaults that it must fit into grow with it.
pub(super) const LARGEST: [&str; 2] = ["max-message", "max-body"];

/// The settings by the headings of the help, in its order.
pub(super) const GROUPS: [(&str, &[Setting]); 8] = [
    ("The original's options", original::SETTINGS),
    ("Proxies", proxies::SETTINGS),
    ("Shards", shards::SETTINGS),
    ("Limits", limits::SETTINGS),
    ("Timeouts", timeouts::SETTINGS),
    ("TLS", tls::SETTINGS),
    ("Logs", logs::SETTINGS),
    ("Administration", admin::SETTINGS),
];

/// All of them.
pub(super) fn all() -> impl Iterator<Item = &'static Setting> {
    GROUPS.iter().flat_map(|(_, settings)| settings.iter())
}

/// A size as the file spells it.
fn size(bytes: usize) -> Value {
    Value::Text(Size(bytes).to_string())
}

/// A duration as the file spells it; 0 for never.
fn duration(duration: Option<Duration>) -> Value {
    match duration {
        None | Some(Duration::ZERO) => Value::Number(0),
        Some(duration) => Value::Text(format_duration(duration).to_string()),
    }
}
