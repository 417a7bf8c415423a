//! The settings of what goes to standard error.

use crate::cli::setting::{Setting, Value};
use crate::config::{LogFilter, LogFormat};

pub(super) const SETTINGS: &[Setting] = &[
    Setting::one(
        "log-format",
        "FORMAT",
        "text or json",
        |draft, format| {
            let wrong = || format.wrong("is not text or json");
            draft.log.format = LogFormat::parse(&format.text).ok_or_else(wrong)?;
            Ok(())
        },
        |_, log| Value::Text(log.format.to_string()),
    ),
    Setting::one(
        "log-level",
        "LEVEL",
        "trace, debug, info, warn, error or off, and other levels for modules: warn,hyper=error",
        |draft, level| {
            let filter = LogFilter::parse(&level.text).map_err(|error| level.wrong(error))?;
            draft.log.filter = filter;
            Ok(())
        },
        |_, log| Value::Text(log.filter.to_string()),
    )
    .live(|new, old| old.1.filter.clone_from(&new.1.filter))
    .theirs(&["MOJO_LOG_LEVEL"]),
];
