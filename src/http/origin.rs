//! Whether the site that a request comes from may connect.

use hyper::header::{HeaderMap, HeaderValue, ORIGIN};

use super::answer::Denial;
use super::upgrade::shown;
use crate::code::RefusalCode;
use crate::config::Origins;

/// What a request's `Origin` is to the operator's list.
pub(super) enum Standing {
    /// There is no list: everybody may come in.
    Open,
    /// On the list; its Origin, unless it has none.
    Listed(Option<HeaderValue>),
    /// Not on the list.
    Unlisted,
}

impl Standing {
    /// Looks a request up. Two Origins are none that can be believed.
    pub(super) fn of(headers: &HeaderMap, origins: Option<&Origins>) -> Self {
        let Some(origins) = origins else { return Self::Open };
        let mut values = headers.get_all(ORIGIN).iter();
        match (values.next(), values.next()) {
            (None, _) if origins.admit_none() => Self::Listed(None),
            (Some(origin), None) if origins.admit(origin.as_bytes()) => {
                Self::Listed(Some(origin.clone()))
            }
            _ => Self::Unlisted,
        }
    }

    /// Turns down who may not come in. The sentence begins as the original's does.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), Denial> {
        let Self::Unlisted = self else { return Ok(()) };
        let values = headers.get_all(ORIGIN).iter().filter(|value| !value.is_empty());
        let message = match values.count() {
            0 => "Origin check failed: the request has none".to_owned(),
            1 => format!("Origin check failed: {} may not connect", shown(headers, ORIGIN)),
            many => format!("Origin check failed: {many} at once, {}", shown(headers, ORIGIN)),
        };
        Err(Denial::new(RefusalCode::OriginNotAllowed, message))
    }
}
