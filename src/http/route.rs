//! What a path and its query mean, before anything of it is checked.

use percent_encoding::percent_decode_str;

use crate::broker::Role;

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route<'path> {
    /// One of the five sockets; the topic's name as it stands in the path.
    Socket(Role, &'path str),
    /// None of them: the page, if there is one, or nothing.
    Unknown,
}

impl<'path> Route<'path> {
    /// Where a path leads.
    pub(super) fn find(path: &'path str) -> Self {
        let Some(path) = path.strip_prefix('/') else { return Self::Unknown };
        let (first, topic) = path.split_once('/').unwrap_or((path, ""));
        let role = match first {
            "bus" => Role::Peer,
            "pub" => Role::Publisher,
            "sub" => Role::Subscriber,
            "push" => Role::Pusher,
            "pull" => Role::Puller,
            _ => return Self::Unknown,
        };
        Self::Socket(role, topic)
    }
}

/// The methods that a role's route takes, as `Allow` lists them (RFC 9110 10.2.1).
pub(super) const fn methods(role: Role) -> &'static str {
    if role.sends() { "GET, POST" } else { "GET" }
}

/// Whether a bus peer asks for its own messages: the last `echo` is neither empty nor `0`.
pub(super) fn echo(query: Option<&str>) -> bool {
    let pairs = query.unwrap_or_default().split('&');
    let mut values = pairs.filter_map(|pair| match pair.split_once('=') {
        Some(("echo", value)) => Some(value),
        _ => (pair == "echo").then_some(""),
    });
    let last = values.next_back().unwrap_or_default();
    !last.is_empty() && !percent_decode_str(last).eq(*b"0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_route_and_a_topic() {
        assert_eq!(Route::find("/bus/a/b"), Route::Socket(Role::Peer, "a/b"));
        assert_eq!(Route::find("/pub/a"), Route::Socket(Role::Publisher, "a"));
        assert_eq!(Route::find("/sub//a/"), Route::Socket(Role::Subscriber, "/a/"));
        assert_eq!(Route::find("/push/%2f"), Route::Socket(Role::Pusher, "%2f"));
        assert_eq!(Route::find("/pull"), Route::Socket(Role::Puller, ""));
        assert_eq!(Route::find("/pull/"), Route::Socket(Role::Puller, ""));
        for unknown in ["", "*", "/", "//", "//bus/a", "/business", "/Bus/a", "/subs/a", "bus/a"] {
            assert_eq!(Route::find(unknown), Route::Unknown, "{unknown}");
        }
    }

    #[test]
    fn the_last_echo_counts() {
        for yes in
            ["echo=1", "echo=yes", "echo=00", "a=b&echo=1", "echo=0&echo=1", "echo==", "echo=%20"]
        {
            assert!(echo(Some(yes)), "{yes}");
        }
        for no in
            ["", "echo", "echo=", "echo=0", "echo=%30", "echo=1&echo=0", "echo=1&echo", "xecho=1"]
        {
            assert!(!echo(Some(no)), "{no}");
        }
        assert!(!echo(None));
    }
}
