//! What those who run the broker may ask for.

/// What a path of the listener for operators leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route<'path> {
    /// `/health/live`
    Live,
    /// `/health/ready`
    Ready,
    /// `/metrics`
    Metrics,
    /// `/shards`
    Shards,
    /// `/topics`
    Topics,
    /// `/connections`
    Connections,
    /// `/connections/ID`; the id as it stands in the path.
    Connection(&'path str),
}

/// What there is, for the sentence of a 404.
pub(super) const ROUTES: &str = "/health/live, /health/ready, /metrics, /shards, /topics, \
                                 /connections and /connections/ID";

impl<'path> Route<'path> {
    /// Where a path leads.
    pub(super) fn find(path: &'path str) -> Option<Self> {
        if let Some(id) = path.strip_prefix("/connections/").filter(|id| !id.is_empty()) {
            return Some(Self::Connection(id));
        }
        Some(match path {
            "/health/live" => Self::Live,
            "/health/ready" => Self::Ready,
            "/metrics" => Self::Metrics,
            "/shards" => Self::Shards,
            "/topics" => Self::Topics,
            "/connections" => Self::Connections,
            _ => return None,
        })
    }

    /// The methods that the route takes, as `Allow` lists them (RFC 9110 10.2.1).
    pub(super) const fn methods(self) -> &'static str {
        match self {
            Self::Connection(_) => "DELETE",
            _ => "GET, HEAD",
        }
    }
}
