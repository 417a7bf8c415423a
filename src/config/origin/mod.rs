//! Which web sites may connect: patterns, and the `Origin` of a request against them.

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use idna::AsciiDenyList;

/// The word for requests that have no Origin.
const NONE: &str = "none";
/// The word for the Origin that browsers hide (RFC 6454 7.1).
const NULL: &str = "null";
/// The word for every Origin, and what stands for any scheme, any port or any subdomain.
const ANY: &str = "*";
/// What an Origin without a port means.
const PORTS: [(&str, u16); 4] = [("http", 80), ("https", 443), ("ws", 80), ("wss", 443)];
/// What a host may not hold besides controls and blanks: the URL standard's forbidden code points,
/// what means something else in a pattern, and the comma, which is a list in the wrong place.
const FORBIDDEN: &str = "#/:<>?@[\\]^|%*,";

/// The sites that may connect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins(Vec<Pattern>);

/// One entry of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// As the operator wrote it.
    text: String,
    /// What it admits.
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// Requests without an Origin.
    None,
    /// The Origin `null`.
    Null,
    /// Every Origin.
    Any,
    /// Those of a site.
    Site {
        /// In lower case; `None` is any.
        scheme: Option<String>,
        host: Host,
        port: Port,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    V4(Ipv4Addr),
    V6(Ipv6Addr),
    /// In lower case and punycode.
    Name {
        name: String,
        /// Whether the name itself is admitted.
        itself: bool,
        /// Whether what is below it is.
        below: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Port {
    /// Any, and none.
    Unsaid,
    /// Any that is there.
    Explicit,
    /// This one, or none where it is the scheme's.
    Exactly(u16),
}

/// A text that is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// Before the `://`.
    #[error("has the scheme '{0}', which is none")]
    Scheme(String),
    /// `https://`, or nothing at all.
    #[error("has no host")]
    HostMissing,
    /// Neither a name nor an address.
    #[error("has the host '{0}', which is neither a name nor an address")]
    Host(String),
    /// `exam*ple.com`, `https://*`.
    #[error(
        "has a * where none can stand: *.example.com is all below a host, *://example.com any \
         scheme, example.com:* any port, and * alone every Origin"
    )]
    Star,
    /// Not a number, or not one of TCP's.
    #[error("has the port '{0}', which is neither * nor a number from 0 to 65535")]
    Port(String),
    /// Something behind the port: no Origin has it.
    #[error("has '{0}' behind the host, where an Origin has nothing")]
    Path(String),
    /// `user@`: no Origin has it.
    #[error("has an '@', which no Origin has")]
    User,
}

/// An Origin as a request names it (RFC 6454 7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Origin<'a> {
    scheme: &'a str,
    /// A name, or an address, that of IPv6 in brackets.
    host: &'a str,
    port: Option<u16>,
}

impl Origins {
    /// These patterns and no others: without any, nobody may connect.
    #[must_use]
    pub const fn new(patterns: Vec<Pattern>) -> Self {
        Self(patterns)
    }

    /// Whether nobody may connect.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The patterns as they were written.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|pattern| pattern.text.as_str())
    }

    /// Whether a request without an Origin may come in.
    #[must_use]
    pub fn admit_none(&self) -> bool {
        self.0.iter().any(|pattern| pattern.kind == Kind::None)
    }

    /// Whether a request with this Origin may come in. One that is empty is none.
    #[must_use]
    pub fn admit(&self, origin: &[u8]) -> bool {
        if origin.is_empty() {
            return false;
        }
        let parsed = str::from_utf8(origin).ok().and_then(Origin::parse);
        self.0.iter().any(|pattern| match &pattern.kind {
            Kind::None => false,
            Kind::Null => origin == NULL.as_bytes(),
            Kind::Any => true,
            Kind::Site { scheme, host, port } => parsed.is_some_and(|origin| {
                let is_scheme = |scheme: &String| origin.scheme.eq_ignore_ascii_case(scheme);
                scheme.as_ref().is_none_or(is_scheme) && host.admits(origin) && port.admits(origin)
            }),
        })
    }
}

impl Pattern {
    /// Reads `[scheme://]host[:port]`, `*`, `null` or `none`.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        let is = |word: &str| text.eq_ignore_ascii_case(word);
        let kind = match () {
            () if is(NONE) => Kind::None,
            () if is(NULL) => Kind::Null,
            () if is(ANY) => Kind::Any,
            () => site(text)?,
        };
        Ok(Self { text: text.to_owned(), kind })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn site(text: &str) -> Result<Kind, OriginError> {
    let (scheme, rest) = match text.split_once("://") {
        None => (None, text),
        Some((ANY, rest)) => (Some(None), rest),
        Some((scheme, rest)) if is_scheme(scheme) => {
            (Some(Some(scheme.to_ascii_lowercase())), rest)
        }
        Some((scheme, _)) => return Err(OriginError::Scheme(scheme.to_owned())),
    };
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let (authority, behind) = rest.split_at(end);
    if authority.contains('@') {
        return Err(OriginError::User);
    }
    if !behind.is_empty() {
        return Err(OriginError::Path(behind.to_owned()));
    }
    let (host, port) = split(authority);
    let port = match port {
        None => Port::Unsaid,
        Some(ANY) => Port::Explicit,
        Some(number) => {
            Port::Exactly(port_of(number).ok_or_else(|| OriginError::Port(number.to_owned()))?)
        }
    };
    let host = Host::parse(host, scheme.is_none())?;
    Ok(Kind::Site { scheme: scheme.flatten(), host, port })
}

impl Host {
    /// A host; `opens` says that a bare name stands for what is below it, too.
    fn parse(text: &str, opens: bool) -> Result<Self, OriginError> {
        let wrong = || OriginError::Host(text.to_owned());
        if text.is_empty() {
            return Err(OriginError::HostMissing);
        }
        if let Some(inside) = text.strip_prefix('[') {
            let address = inside.strip_suffix(']').and_then(|inside| inside.parse().ok());
            return address.map(Self::V6).ok_or_else(wrong);
        }
        if let Ok(address) = text.parse() {
            return Ok(Self::V4(address));
        }
        let (name, itself, below) = match text.strip_prefix("*.") {
            Some(name) => (name, false, true),
            None => (text, true, opens),
        };
        if name.contains('*') {
            return Err(OriginError::Star);
        }
        let name = idna::domain_to_ascii_cow(name.as_bytes(), AsciiDenyList::URL);
        let name = name.map_err(|_| wrong())?.into_owned();
        if !is_name(&name) || name.ends_with('.') || name.parse::<Ipv4Addr>().is_ok() {
            return Err(wrong());
        }
        Ok(Self::Name { name, itself, below })
    }

    fn admits(&self, origin: Origin<'_>) -> bool {
        match self {
            Self::V4(address) => origin.host.parse() == Ok(*address),
            Self::V6(address) => {
                let inside = origin.host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
                inside.is_some_and(|inside| inside.parse() == Ok(*address))
            }
            Self::Name { name, itself, below } => {
                let Some(start) = origin.host.len().checked_sub(name.len()) else { return false };
                let (before, end) = origin.host.as_bytes().split_at(start);
                let is_there = end.eq_ignore_ascii_case(name.as_bytes());
                is_there
                    && if before.is_empty() { *itself } else { *below && before.ends_with(b".") }
            }
        }
    }
}

impl Port {
    fn admits(self, origin: Origin<'_>) -> bool {
        match self {
            Self::Unsaid => true,
            Self::Explicit => origin.port.is_some(),
            Self::Exactly(port) => origin.port.or_else(|| usual_port(origin.scheme)) == Some(port),
        }
    }
}

impl<'a> Origin<'a> {
    /// An Origin is a scheme, a host and maybe a port, and nothing else.
    fn parse(text: &'a str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://").filter(|(scheme, _)| is_scheme(scheme))?;
        let (host, port) = split(rest);
        let port = match port {
            Some(number) => Some(port_of(number)?),
            None => None,
        };
        let is_v6 = || {
            let inside = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
            inside.is_some_and(|inside| inside.parse::<Ipv6Addr>().is_ok())
        };
        (is_v6() || is_name(host)).then_some(Self { scheme, host, port })
    }
}

/// Host and port; a colon inside brackets is the host's.
fn split(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

fn port_of(number: &str) -> Option<u16> {
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| number.parse().ok()).flatten()
}

fn usual_port(scheme: &str) -> Option<u16> {
    let usual = PORTS.iter().find(|(name, _)| scheme.eq_ignore_ascii_case(name));
    usual.map(|(_, port)| *port)
}

/// Whether it is a scheme (RFC 3986 3.1).
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// Whether it can be a host's name: labels between dots, the last of which may be empty.
fn is_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !FORBIDDEN.as_bytes().contains(&byte);
    let labels = text.strip_suffix('.').unwrap_or(text).split('.');
    text.bytes().all(is_plain) && labels.into_iter().all(|label| !label.is_empty())
}
