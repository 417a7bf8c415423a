//! A listening address, written as one of the original's URLs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The original's port; also what a URL without one means.
const PORT_DEFAULT: u16 = 3000;

/// One listening address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// As the operator wrote it, for messages.
    pub url: String,
    /// The address to bind; the wildcard of IPv6 takes IPv4 too when `dual_stack`.
    pub address: SocketAddr,
    /// The URL said `*` or `[::]`: every address, IPv4 and IPv6, as in the original.
    pub dual_stack: bool,
}

/// A URL that can't be listened on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListenError {
    /// No `://`.
    #[error("has no scheme, say http://*:3000")]
    SchemeMissing,
    /// One that only the original knows so far.
    #[error("asks for {0}, which is not available yet")]
    SchemeLater(&'static str),
    /// One that nobody knows.
    #[error("has the unknown scheme '{0}', say http")]
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
    /// None is known for http.
    #[error("has the unknown parameter '{0}'")]
    Parameter(String),
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
}

impl Listen {
    /// Reads `http://HOST:PORT`. HOST is `*`, an IP address or `localhost`; without a port it is
    /// 3000; port 0 lets the kernel pick one.
    pub fn parse(url: &str) -> Result<Self, ListenError> {
        let (scheme, rest) = url.split_once("://").ok_or(ListenError::SchemeMissing)?;
        match scheme.to_ascii_lowercase().as_str() {
            "http" => {}
            "https" => return Err(ListenError::SchemeLater("https")),
            "http+unix" => return Err(ListenError::SchemeLater("http+unix")),
            _ => return Err(ListenError::SchemeUnknown(scheme.to_owned())),
        }
        let (host, port) = split_authority(authority(rest)?)?;
        let ip = match host {
            "" => return Err(ListenError::HostMissing),
            "*" => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
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
        Ok(Self { url: url.to_owned(), address: SocketAddr::new(ip, port), dual_stack })
    }

    /// The URL with the port that was really bound, for the start-up line.
    #[must_use]
    pub fn bound(&self, port: u16) -> String {
        if self.dual_stack && self.url.contains("://*") {
            return format!("http://*:{port}");
        }
        format!("http://{}", SocketAddr::new(self.address.ip(), port))
    }
}

/// Host and port, once nothing else is there.
fn authority(rest: &str) -> Result<&str, ListenError> {
    if rest.contains('#') {
        return Err(ListenError::Fragment);
    }
    let (location, query) = rest.split_once('?').unwrap_or((rest, ""));
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
    match query.split('&').find(|parameter| !parameter.is_empty()) {
        Some(parameter) => {
            let name = parameter.split('=').next().unwrap_or(parameter);
            Err(ListenError::Parameter(name.to_owned()))
        }
        None => Ok(authority),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_urls_of_the_original_are_read() {
        let cases = [
            ("http://*:3000", "[::]:3000", true, "http://*:9"),
            ("http://*", "[::]:3000", true, "http://*:9"),
            ("HTTP://*:0/", "[::]:0", true, "http://*:9"),
            ("http://[::]:8081", "[::]:8081", true, "http://[::]:9"),
            ("http://0.0.0.0:80", "0.0.0.0:80", false, "http://0.0.0.0:9"),
            ("http://127.0.0.1:8080", "127.0.0.1:8080", false, "http://127.0.0.1:9"),
            ("http://[::1]:80", "[::1]:80", false, "http://[::1]:9"),
            ("http://[::1]?", "[::1]:3000", false, "http://[::1]:9"),
            ("http://localhost:65535", "127.0.0.1:65535", false, "http://127.0.0.1:9"),
        ];
        for (url, address, dual_stack, bound) in cases {
            let listen = Listen::parse(url).unwrap();
            assert_eq!(listen.address, address.parse().unwrap(), "{url}");
            assert_eq!(listen.dual_stack, dual_stack, "{url}");
            assert_eq!(listen.bound(9), bound, "{url}");
            assert_eq!(listen.url, url);
        }
    }

    #[test]
    fn each_error_says_what_is_wrong() {
        let cases = [
            ("", "has no scheme, say http://*:3000"),
            ("*:3000", "has no scheme, say http://*:3000"),
            ("https://*:443", "asks for https, which is not available yet"),
            ("https://*:443?cert=a&key=b", "asks for https, which is not available yet"),
            ("http+unix://%2Frun%2Fm.sock", "asks for http+unix, which is not available yet"),
            ("ftp://*", "has the unknown scheme 'ftp', say http"),
            ("http://", "has no host, say * for every address"),
            ("http://:80", "has no host, say * for every address"),
            (
                "http://me:secret@*:80",
                "has user information before an '@', which a listening \
              address cannot have",
            ),
            ("http://*:80/sub", "has the path '/sub', which a listening address cannot have"),
            ("http://*:80#x", "has a '#', which a listening address cannot have"),
            ("http://*:80?cert=x", "has the unknown parameter 'cert'"),
            ("http://*:80?&backlog", "has the unknown parameter 'backlog'"),
            ("http://::1", "has the port ':1', which is not a number from 0 to 65535"),
            ("http://[::1", "has the port ':1', which is not a number from 0 to 65535"),
            ("http://[x]:80", "has the host '[x]', which is not an IPv6 address in brackets"),
            ("http://[::1]80", "has the host '[::1]80', which is not an IPv6 address in brackets"),
            (
                "http://a.example:80",
                "has the host 'a.example', which is not an IP address, \
              localhost or *",
            ),
            ("http://1.2.3:80", "has the host '1.2.3', which is not an IP address, localhost or *"),
            ("http://*:", "has the port '', which is not a number from 0 to 65535"),
            ("http://*:+80", "has the port '+80', which is not a number from 0 to 65535"),
            ("http://*:65536", "has the port '65536', which is not a number from 0 to 65535"),
        ];
        for (url, reason) in cases {
            assert_eq!(Listen::parse(url).unwrap_err().to_string(), reason, "{url}");
        }
    }
}
