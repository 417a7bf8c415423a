//! The settings of TLS; certificates stand in the URLs of listeners.

use super::duration;
use crate::cli::setting::{Setting, Value};

pub(super) const SETTINGS: &[Setting] = &[
    Setting::one(
        "tls-handshake-timeout",
        "DURATION",
        "Hang up on a client whose TLS handshake takes longer",
        |draft, wait| {
            draft.config.limits.tls_handshake_max = wait.duration()?;
            Ok(())
        },
        |config, _| duration(Some(config.limits.tls_handshake_max)),
    )
    .live(|new, old| old.0.limits.tls_handshake_max = new.0.limits.tls_handshake_max),
    Setting::one(
        "tls-handshakes",
        "N",
        "TLS handshakes at once; for one more the oldest is given up",
        |draft, number| {
            draft.config.limits.tls_handshakes_max = number.number_of_things()?;
            Ok(())
        },
        |config, _| Value::Number(config.limits.tls_handshakes_max),
    )
    .live(|new, old| old.0.limits.tls_handshakes_max = new.0.limits.tls_handshakes_max),
];
