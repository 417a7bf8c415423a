//! What `mercury top` is told: whom to look at, and how often.

use std::time::Duration;

use super::Way;

/// The port that README and examples give to `--admin`; what a URL without one means.
const PORT_DEFAULT: u16 = 3001;

/// What to look at, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Top {
    /// The broker's listener for operators.
    pub target: Target,
    /// Time between two looks.
    pub interval: Duration,
    /// One look, printed as text.
    pub once: bool,
}

/// Where a broker answers operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// As it was written, for sentences.
    pub url: String,
    /// How to get there.
    pub way: Way,
}

/// No place where a broker could answer operators.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not a URL like http://127.0.0.1:3001 or http+unix://%2Frun%2Fmercury-admin.sock")]
pub struct TargetError;

impl Target {
    /// Reads `http://HOST:PORT`, or `http+unix://PATH` whose slashes are `%2F`.
    pub fn parse(url: &str) -> Result<Self, TargetError> {
        let (scheme, rest) = url.split_once("://").ok_or(TargetError)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.is_empty() || rest.contains(['/', '?', '#', '@']) {
            return Err(TargetError);
        }
        let way = match scheme.to_ascii_lowercase().as_str() {
            "http" => Way::tcp(rest, PORT_DEFAULT),
            // as --admin says it
            "http+unix" => Way::unix(rest),
            _ => None,
        };
        Ok(Self { url: url.to_owned(), way: way.ok_or(TargetError)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lead_somewhere() {
        let tcp = |host: &str, port| Way::Tcp(host.to_owned(), port);
        for (url, way, host) in [
            ("http://127.0.0.1:3001", tcp("127.0.0.1", 3001), "127.0.0.1:3001"),
            ("HTTP://localhost/", tcp("localhost", 3001), "localhost:3001"),
            ("http://[::1]:80", tcp("::1", 80), "[::1]:80"),
            ("http://[::1]", tcp("::1", 3001), "[::1]:3001"),
            ("http://mercury.example:9", tcp("mercury.example", 9), "mercury.example:9"),
            ("http+unix://%2Frun%2Fm.sock", Way::Unix("/run/m.sock".into()), "localhost"),
            ("http+unix://%C3%BC", Way::Unix("ü".into()), "localhost"),
        ] {
            let target = Target::parse(url).unwrap();
            assert_eq!((target.way.host().as_str(), target.way), (host, way), "{url}");
        }
    }

    #[test]
    fn others_are_refused() {
        for url in [
            "",
            "127.0.0.1:3001",
            "http://",
            "http://:80",
            "https://a",
            "http://a/metrics",
            "http://a?x",
            "http://me@a",
            "http://a:b",
            "http://a:70000",
            "http://::1",
            "http://[::1",
            "http://[x]:1",
            "http://[::1]x",
            "http://a\nb",
            "http+unix://",
            "http+unix:///run/m.sock",
            "http+unix://%f",
            "http+unix://a%00",
        ] {
            assert_eq!(Target::parse(url), Err(TargetError), "{url}");
        }
    }
}
