//! A listening address, written as one of the original's URLs.

mod query;

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;

use self::query::Query;
pub use self::query::{Tls, Verify};

/// The original's port; also what a URL without one means.
const PORT_DEFAULT: u16 = 3000;
/// What the kernel has room for, and a zero behind it (unix(7)).
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// One listening address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// As the operator wrote it, for messages.
    pub url: String,
    /// Where to listen.
    pub endpoint: Endpoint,
    /// Whether other sockets that say so too may have the same address, and the kernel spreads the
    /// clients over them.
    pub reuse: bool,
    /// Whether connections begin with a PROXY header.
    pub proxied: bool,
    /// What https needs.
    pub tls: Option<Tls>,
}

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// On the network.
    Tcp {
        /// The address to bind; the wildcard of IPv6 takes IPv4 too when `dual_stack`.
        address: SocketAddr,
        /// The URL said `*` or `[::]`: every address, IPv4 and IPv6, as in the original.
        dual_stack: bool,
    },
    /// For processes of this machine.
    Unix {
        /// The socket's file.
        path: PathBuf,
        /// Its permissions; `None` is what the umask leaves.
        mode: Option<u32>,
    },
}

/// The protocol of a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
    HttpUnix,
}

/// A URL that can't be listened on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListenError {
    /// No `://`.
    #[error("has no scheme, say http://*:3000")]
    SchemeMissing,
    /// One that nobody knows.
    #[error("has the unknown scheme '{0}', say http, https or http+unix")]
    SchemeUnknown(String),
    /// `user@`: there is nobody to log in.
    #[error("has user information before an '@', which a listening address cannot have")]
    User,
    /// Something behind the port: a listener serves every route.
    #[error("has the path '{0}', which a listening address cannot have")]
    Path(String),
    /// `#...`.
    #[error("has a '#', which a listening address cannot have")]
    Fragment,
    /// `http://:3000`.
    #[error("has no host, say * for every address")]
    HostMissing,
    /// A `[` without its `]`, or something that is not IPv6 in between.
    #[error("has the host '{0}', which is not an IPv6 address in brackets")]
    HostNotV6(String),
    /// A name: which address it stands for is not ours to guess.
    #[error("has the host '{0}', which is not an IP address, localhost or *")]
    HostName(String),
    /// Not a number, or not one of TCP's.
    #[error("has the port '{0}', which is not a number from 0 to 65535")]
    Port(String),
    /// `http+unix:///run/x`, which is no path to the original either.
    #[error("has a '/' in the path of its socket file, which is written %2F")]
    SocketSlash,
    /// `http+unix://`.
    #[error("has no socket file, say http+unix://%2Frun%2Fmercury.sock")]
    SocketMissing,
    /// `%2` and the like.
    #[error("has a '%' without two hexadecimal digits behind it")]
    Percent,
    /// The kernel takes it for the end.
    #[error("has a zero byte in it")]
    Zero,
    /// Longer than the kernel has room for.
    #[error("has a socket file whose path is {0} bytes, more than {SOCKET_PATH_BYTES_MAX}")]
    SocketLong(usize),
    /// A port, or a colon that is part of the name.
    #[error("has a ':' in the path of its socket file, which has no port, and else is written %3A")]
    SocketPort,
    /// One that no scheme has.
    #[error("has the unknown parameter '{name}', {scheme} has {known}")]
    ParameterUnknown {
        /// Before the `=`.
        name: String,
        /// Of the URL.
        scheme: &'static str,
        /// What it could have been.
        known: String,
    },
    /// One that another scheme has.
    #[error("has the parameter '{name}', which is for {schemes}")]
    ParameterElsewhere {
        /// Before the `=`.
        name: &'static str,
        /// Those that have it.
        schemes: String,
    },
    /// Which of the two is meant?
    #[error("has the parameter '{0}' twice")]
    ParameterTwice(&'static str),
    /// One that cannot be that.
    #[error("has '{value}' for {name}, which {must}")]
    ParameterValue {
        /// Before the `=`.
        name: &'static str,
        /// Behind it.
        value: String,
        /// What it has to be.
        must: &'static str,
    },
    /// https without them; the original has a pair of its own, which everybody knows.
    #[error("has no {0}, say https://*:443?cert=server.crt&key=server.key")]
    CertificateMissing(&'static str),
    /// `verify` with nothing to verify against.
    #[error("has verify and no ca, so no client certificate could be verified")]
    AuthorityMissing,
    /// Another listener has the address.
    #[error("is the same address as '{0}', which only ?reuse=1 on both allows")]
    Taken(String),
    /// Another listener has the file.
    #[error("is the same socket file as '{0}'")]
    FileTaken(String),
}

impl Listen {
    /// Reads `http://HOST:PORT`, `https` the same with a certificate, or `http+unix://FILE`. HOST
    /// is `*`, an IP address or `localhost`; without a port it is 3000; port 0 lets the kernel pick
    /// one. FILE is percent-encoded.
    pub fn parse(url: &str) -> Result<Self, ListenError> {
        let (scheme, rest) = url.split_once("://").ok_or(ListenError::SchemeMissing)?;
        let scheme = Scheme::parse(scheme)?;
        if rest.contains('#') {
            return Err(ListenError::Fragment);
        }
        let (location, query) = rest.split_once('?').unwrap_or((rest, ""));
        let endpoint = match scheme {
            Scheme::Http | Scheme::Https => tcp(authority(location)?)?,
            Scheme::HttpUnix => unix(location)?,
        };
        let Query { reuse, proxied, mode, tls } = Query::parse(scheme, query)?;
        let endpoint = match endpoint {
            Endpoint::Unix { path, .. } => Endpoint::Unix { path, mode },
            tcp @ Endpoint::Tcp { .. } => tcp,
        };
        Ok(Self { url: url.to_owned(), endpoint, reuse, proxied, tls })
    }

    /// The URL with the port that was really bound, for the start-up line.
    #[must_use]
    pub fn bound(&self, port: Option<u16>) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        match self.endpoint {
            Endpoint::Tcp { address, dual_stack } => {
                let port = port.unwrap_or(address.port());
                if dual_stack && self.url.contains("://*") {
                    return format!("{scheme}://*:{port}");
                }
                format!("{scheme}://{}", SocketAddr::new(address.ip(), port))
            }
            Endpoint::Unix { .. } => {
                self.url.split('?').next().unwrap_or_default().trim_end_matches('/').to_owned()
            }
        }
    }

    /// Whether both name one address or one file, however they name it.
    #[must_use]
    pub fn is_same_place(&self, other: &Self) -> bool {
        match (&self.endpoint, &other.endpoint) {
            (Endpoint::Tcp { address, .. }, Endpoint::Tcp { address: other, .. }) => {
                address == other
            }
            (Endpoint::Unix { path, .. }, Endpoint::Unix { path: other, .. }) => path == other,
            _ => false,
        }
    }

    /// Whether both cannot listen at once, and why.
    pub fn check_beside(&self, other: &Self) -> Result<(), ListenError> {
        match (&self.endpoint, &other.endpoint) {
            (
                Endpoint::Tcp { address: one, dual_stack: one_is_all },
                Endpoint::Tcp { address: two, dual_stack: two_is_all },
            ) => {
                let (ip, other_ip) = (one.ip().to_canonical(), two.ip().to_canonical());
                let every = |ip: IpAddr| ip == IpAddr::V4(Ipv4Addr::UNSPECIFIED);
                let overlaps = *one_is_all
                    || *two_is_all
                    || ip == other_ip
                    || ip.is_ipv4() && other_ip.is_ipv4() && (every(ip) || every(other_ip));
                let is_taken = one.port() == two.port() && one.port() != 0 && overlaps;
                if is_taken && !(self.reuse && other.reuse) {
                    return Err(ListenError::Taken(other.url.clone()));
                }
            }
            (Endpoint::Unix { path, .. }, Endpoint::Unix { path: other_path, .. })
                if path == other_path =>
            {
                return Err(ListenError::FileTaken(other.url.clone()));
            }
            _ => {}
        }
        Ok(())
    }
}

impl Scheme {
    const ALL: [Self; 3] = [Self::Http, Self::Https, Self::HttpUnix];

    fn parse(text: &str) -> Result<Self, ListenError> {
        let found = Self::ALL.into_iter().find(|scheme| scheme.name().eq_ignore_ascii_case(text));
        found.ok_or_else(|| ListenError::SchemeUnknown(text.to_owned()))
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::HttpUnix => "http+unix",
        }
    }
}

/// Host and port, once nothing else is there.
fn authority(location: &str) -> Result<&str, ListenError> {
    let (authority, path) = match location.find('/') {
        Some(slash) => location.split_at(slash),
        None => (location, ""),
    };
    if authority.contains('@') {
        return Err(ListenError::User);
    }
    if !matches!(path, "" | "/") {
        return Err(ListenError::Path(path.to_owned()));
    }
    Ok(authority)
}

fn tcp(authority: &str) -> Result<Endpoint, ListenError> {
    let (host, port) = split_authority(authority)?;
    let ip = match host {
        "" => return Err(ListenError::HostMissing),
        "*" => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        name if name.eq_ignore_ascii_case("localhost") => IpAddr::V4(Ipv4Addr::LOCALHOST),
        bracketed if bracketed.starts_with('[') => bracketed
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .and_then(|host| host.parse().ok())
            .map(IpAddr::V6)
            .ok_or_else(|| ListenError::HostNotV6(bracketed.to_owned()))?,
        other => match other.parse() {
            Ok(ip) => IpAddr::V4(ip),
            Err(_) => return Err(ListenError::HostName(other.to_owned())),
        },
    };
    let dual_stack = ip == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    Ok(Endpoint::Tcp { address: SocketAddr::new(ip, port), dual_stack })
}

/// Splits at the last colon that is not part of an IPv6 address.
fn split_authority(authority: &str) -> Result<(&str, u16), ListenError> {
    let past_brackets = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    let Some(colon) = authority[past_brackets..].find(':').map(|at| at + past_brackets) else {
        return Ok((authority, PORT_DEFAULT));
    };
    let (host, port) = (&authority[..colon], &authority[colon + 1..]);
    // `u16` alone would read `+80`.
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let number = port.parse().ok().filter(|_| digits);
    Ok((host, number.ok_or_else(|| ListenError::Port(port.to_owned()))?))
}

fn unix(location: &str) -> Result<Endpoint, ListenError> {
    let encoded = location.trim_end_matches('/');
    if encoded.is_empty() {
        return Err(ListenError::SocketMissing);
    }
    if encoded.contains('/') {
        return Err(ListenError::SocketSlash);
    }
    if encoded.contains(':') {
        return Err(ListenError::SocketPort);
    }
    let path = decoded(encoded)?;
    if path.len() > SOCKET_PATH_BYTES_MAX {
        return Err(ListenError::SocketLong(path.len()));
    }
    Ok(Endpoint::Unix { path: path.into(), mode: None })
}

/// What was percent-encoded, which may be any bytes but none that a path cannot have.
fn decoded(text: &str) -> Result<OsString, ListenError> {
    let is_encoded = |rest: &str| {
        let digits = rest.as_bytes().first_chunk::<2>();
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if !text.split('%').skip(1).all(is_encoded) {
        return Err(ListenError::Percent);
    }
    let bytes: Vec<u8> = percent_decode_str(text).collect();
    if bytes.contains(&0) {
        return Err(ListenError::Zero);
    }
    Ok(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests;
