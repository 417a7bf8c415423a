//! What those who run the broker may ask for.

/// What a path of the listener for operators leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    /// `/health/live`
    Live,
    /// `/health/ready`
    Ready,
    /// `/metrics`
    Metrics,
}

/// What there is, for the sentence of a 404.
pub(super) const ROUTES: &str = "/health/live, /health/ready and /metrics";

impl Route {
    /// Where a path leads.
    pub(super) fn find(path: &str) -> Option<Self> {
        Some(match path {
            "/health/live" => Self::Live,
            "/health/ready" => Self::Ready,
            "/metrics" => Self::Metrics,
            _ => return None,
        })
    }

    /// The methods that the route takes, as `Allow` lists them (RFC 9110 10.2.1).
    pub(super) const fn methods(self) -> &'static str {
        match self {
            Self::Live | Self::Ready | Self::Metrics => "GET, HEAD",
        }
    }
}
