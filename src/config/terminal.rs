//! What `mercury sub` and the others are told: where to go, what to send, how to show what comes.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::Way;
use crate::rate::Rate;

/// What a URL without a port means, without TLS and with it, as everywhere on the web.
const PORTS_DEFAULT: (u16, u16) = (80, 443);
/// All of a topic that cannot stand in a path as it is.
const ENCODED: AsciiSet =
    NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// One of the five commands, and all that it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terminal {
    /// The broker.
    pub address: Address,
    /// What we are there.
    pub route: Route,
    /// On which topic, as it is called.
    pub topic: String,
    /// Certificates that vouch for the broker; `None` are those of this machine.
    pub ca: Option<PathBuf>,
    /// More of the handshake's head.
    pub fields: Vec<(HeaderName, HeaderValue)>,
    /// When to connect again.
    pub reconnect: Reconnect,
    /// How long all of it may take.
    pub timeout: Option<Duration>,
    /// Silence after which the broker is asked whether it is there.
    pub idle: Option<Duration>,
    /// The largest message, either way.
    pub message_bytes_max: usize,
    /// What is sent, if anything is.
    pub input: Option<Input>,
    /// What becomes of what comes, if anything does.
    pub output: Option<Output>,
}

/// What we are to the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// Sends and receives.
    Bus,
    /// Sends.
    Pub,
    /// Receives.
    Sub,
    /// Sends jobs.
    Push,
    /// Receives jobs.
    Pull,
}

/// When a connection is made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reconnect {
    /// Whenever it may help, even if there was none yet.
    Always,
    /// Once there was one.
    Later,
    /// Never.
    Never,
}

/// What is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Where messages come from.
    pub supply: Supply,
    /// They are binary, whatever is in them.
    pub is_binary: bool,
    /// How many go out in a time.
    pub rate: Option<Rate>,
    /// What is to come is waited for when there is no more to send.
    pub stays: bool,
}

/// Where messages come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Supply {
    /// Each line of standard input is one.
    Lines,
    /// The command line.
    Words(Vec<String>),
    /// Each file is one.
    Files(Vec<PathBuf>),
}

/// What becomes of messages that come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// How they are shown.
    pub form: Form,
    /// So many are enough.
    pub count: Option<NonZeroU64>,
}

/// How messages are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// One a line.
    Lines,
    /// One object a line.
    Json,
    /// Behind their lengths.
    Lengths,
    /// Not at all: a command does what they say.
    Exec {
        /// For the shell.
        command: String,
        /// So many at once.
        parallel: NonZeroUsize,
    },
}

/// Where a broker serves everybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// As it was written, for sentences.
    pub url: String,
    /// How to get there.
    pub way: Way,
    /// TLS is spoken there.
    pub is_tls: bool,
    /// What stands in front of its routes, without a slash at the end.
    pub prefix: String,
}

/// No place where a broker could be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "is not a URL like ws://localhost:3000, wss://mercury.example or http+unix://%2Frun%2Fm.sock"
)]
pub struct AddressError;

impl Address {
    /// Reads `ws://HOST:PORT/PREFIX`, `wss` and `http` and `https` the same, or
    /// `http+unix://FILE/PREFIX` where slashes of the file are `%2F`.
    pub fn parse(url: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = url.split_once("://").ok_or(AddressError)?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let prefix = path.trim_end_matches('/');
        let is_path = |byte: u8| byte.is_ascii_graphic() && !b"?#\"<>\\^`{|}".contains(&byte);
        if authority.contains(['?', '#', '@']) || !prefix.bytes().all(is_path) {
            return Err(AddressError);
        }
        let (way, is_tls) = match scheme.to_ascii_lowercase().as_str() {
            "ws" | "http" => (Way::tcp(authority, PORTS_DEFAULT.0), false),
            "wss" | "https" => (Way::tcp(authority, PORTS_DEFAULT.1), true),
            // as --listen says it
            "http+unix" => (Way::unix(authority), false),
            _ => (None, false),
        };
        let way = way.ok_or(AddressError)?;
        Ok(Self { url: url.to_owned(), way, is_tls, prefix: prefix.to_owned() })
    }

    /// The path of a socket.
    #[must_use]
    pub fn path(&self, route: Route, topic: &str) -> String {
        format!("{}/{}/{}", self.prefix, route.name(), utf8_percent_encode(topic, &ENCODED))
    }
}

impl Route {
    /// As the command and the URL call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bus => "bus",
            Self::Pub => "pub",
            Self::Sub => "sub",
            Self::Push => "push",
            Self::Pull => "pull",
        }
    }

    /// Whether each message is for one receiver, and for it alone.
    #[must_use]
    pub const fn is_job(self) -> bool {
        matches!(self, Self::Push | Self::Pull)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lead_to_a_broker() {
        let tcp = |host: &str, port| Way::Tcp(host.to_owned(), port);
        for (url, way, is_tls, path) in [
            ("ws://localhost:3000", tcp("localhost", 3000), false, "/sub/a/b"),
            ("HTTP://localhost/", tcp("localhost", 80), false, "/sub/a/b"),
            ("wss://m.example", tcp("m.example", 443), true, "/sub/a/b"),
            ("https://[::1]:9/x/y%20z//", tcp("::1", 9), true, "/x/y%20z/sub/a/b"),
            ("http+unix://%2Frun%2Fm.sock/x", Way::Unix("/run/m.sock".into()), false, "/x/sub/a/b"),
        ] {
            let address = Address::parse(url).unwrap();
            assert_eq!(address.path(Route::Sub, "a/b"), path);
            assert_eq!((address.way, address.is_tls), (way, is_tls), "{url}");
        }
    }

    #[test]
    fn others_are_refused() {
        for url in [
            "",
            "localhost:3000",
            "ws://",
            "ftp://a",
            "ws://me@a",
            "ws://a?x",
            "ws://a/?x",
            "ws://a/x y",
            "ws://a/ü",
            "ws://a#x",
            "ws://a:b",
            "http+unix:///run/m.sock",
            "http+unix://%f",
        ] {
            assert_eq!(Address::parse(url), Err(AddressError), "{url}");
        }
    }

    #[test]
    fn a_topic_is_called_what_it_is() {
        let address = Address::parse("ws://a").unwrap();
        let path = |topic| address.path(Route::Push, topic);
        assert_eq!(path("a//b/"), "/push/a//b/");
        assert_eq!(path("a b%2F?#ü"), "/push/a%20b%252F%3F%23%C3%BC");
        assert_eq!(path("$x~y"), "/push/%24x~y");
    }
}
