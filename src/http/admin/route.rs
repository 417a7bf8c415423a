//! What those who run the broker may ask for.

/// What a path of the listener for operators leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    /// `/health/live`
    Live,
    /// `/health/ready`
    Ready,
}

/// What there is, for the sentence of a 404.
pub(super) const ROUTES: &str = "/health/live and /health/ready";

impl Route {
    /// Where a path leads.
    pub(super) fn find(path: &str) -> Option<Self> {
        Some(match path {
            "/health/live" => Self::Live,
            "/health/ready" => Self::Ready,
            _ => return None,
        })
    }

    /// The methods that the route takes, as `Allow` lists them (RFC 9110 10.2.1).
    pub(super) const fn methods(self) -> &'static str {
        match self {
            Self::Live | Self::Ready => "GET, HEAD",
        }
    }
}
