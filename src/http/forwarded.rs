//! Whose request it is, by what the proxies on its way wrote into its head: X-Forwarded-For, or
//! Forwarded (RFC 7239).

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hyper::header::HeaderMap;

use crate::config::{ForwardedField, Proxies};
use crate::socket::PeerAddress;

/// The client of a request that came from this peer. Each proxy adds the address that it was asked
/// from at the end, so the field is walked from there to the first address that is no proxy's:
/// what stands before that, anybody may have written. What cannot be read ends the walk as well,
/// since whoever is behind it cannot be told from others; then the request counts for the proxy
/// that wrote it, the last one that is known.
pub(super) fn client(proxies: &Proxies, peer: PeerAddress, headers: &HeaderMap) -> PeerAddress {
    let mut client = peer;
    let lines = headers.get_all(proxies.field.name()).iter().rev();
    let mut hops = lines.flat_map(|line| Elements::of(line.as_bytes()));
    while proxies.trust(client.address())
        && let Some(hop) = hops.next()
        && let Some(address) = address(proxies.field, hop)
    {
        client = address;
    }
    client
}

/// The elements of a list, last one first, without those that are empty (RFC 9110 5.6.1). It is
/// read from its end, so that a quote that a client has left open does not hide what proxies wrote.
struct Elements<'a>(Option<&'a [u8]>);

impl<'a> Elements<'a> {
    fn of(line: &'a [u8]) -> Self {
        Self(Some(line))
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let list = self.0?;
            let comma = last_comma(list);
            self.0 = comma.map(|comma| &list[..comma]);
            let element = comma.map_or(list, |comma| &list[comma + 1..]).trim_ascii();
            if !element.is_empty() {
                return Some(element);
            }
        }
    }
}

/// Where the last element of a list begins: at the last comma that no quotes enclose.
fn last_comma(list: &[u8]) -> Option<usize> {
    let mut is_quoted = false;
    for (at, byte) in list.iter().enumerate().rev() {
        match byte {
            b',' if !is_quoted => return Some(at),
            b'"' => {
                let before = list[..at].iter().rev();
                let backslashes = before.take_while(|byte| **byte == b'\\').count();
                // an odd one escapes the quote
                is_quoted ^= backslashes.is_multiple_of(2);
            }
            _ => {}
        }
    }
    None
}

/// The address that one proxy wrote; `None` when there is none that can be read.
fn address(field: ForwardedField, element: &[u8]) -> Option<PeerAddress> {
    let element = std::str::from_utf8(element).ok()?;
    match field {
        ForwardedField::XForwardedFor => node(element),
        ForwardedField::Forwarded => node(&parameter_for(element)?),
    }
}

/// The value of the only `for` among an element's parameters (RFC 7239 4).
fn parameter_for(element: &str) -> Option<Cow<'_, str>> {
    let (mut rest, mut found) = (element, None);
    loop {
        rest = rest.trim_ascii_start();
        if let Some(behind) = rest.strip_prefix(';') {
            rest = behind;
            continue;
        }
        let Some((name, behind)) = rest.split_once('=') else {
            return found.filter(|_| rest.is_empty());
        };
        let (value, behind) = if let Some(quoted) = behind.strip_prefix('"') {
            unquoted(quoted)?
        } else {
            let end = behind.find(';').unwrap_or(behind.len());
            let (token, behind) = behind.split_at(end);
            (Cow::Borrowed(token.trim_ascii_end()), behind)
        };
        rest = behind.trim_ascii_start();
        if !rest.is_empty() && !rest.starts_with(';') {
            return None;
        }
        if name.eq_ignore_ascii_case("for") && found.replace(value).is_some() {
            return None;
        }
    }
}

/// What a quoted string says, and what stands behind it (RFC 9110 5.6.4).
fn unquoted(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value.into(), &text[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            plain => value.push(plain),
        }
    }
    None
}

/// An address, in brackets or not, perhaps with a port: `192.0.2.43:47011`, `[2001:db8::1]`,
/// `2001:db8::1`. Neither `unknown` nor a name like `_hidden` is one (RFC 7239 6).
fn node(text: &str) -> Option<PeerAddress> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(PeerAddress::new(address, None));
    }
    if let Some(bracketed) = text.strip_prefix('[') {
        let (address, behind) = bracketed.split_once(']')?;
        let address = address.parse::<Ipv6Addr>().ok()?;
        return match behind.strip_prefix(':') {
            Some(port) => with_port(address.into(), port),
            None => behind.is_empty().then(|| PeerAddress::new(address.into(), None)),
        };
    }
    let (address, port) = text.split_once(':')?;
    with_port(address.parse::<Ipv4Addr>().ok()?.into(), port)
}

/// An address with what stands for its port: one that is hidden, as `_secret`, is not known
/// (RFC 7239 6.3).
fn with_port(address: IpAddr, port: &str) -> Option<PeerAddress> {
    let is_hidden = |name: &str| {
        !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    if port.strip_prefix('_').is_some_and(is_hidden) {
        return Some(PeerAddress::new(address, None));
    }
    // a sign would parse, too
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse().ok().filter(|_| is_number)?;
    Some(PeerAddress::new(address, Some(port)))
}

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderName, HeaderValue};

    use super::*;
    use crate::config::Network;

    /// Where the tests' proxies are.
    const PEER: &str = "10.0.0.1";

    /// Whom a request with these lines is counted for that came from a proxy.
    fn counted(field: &str, lines: &[&[u8]]) -> String {
        let field = ForwardedField::parse(field).unwrap();
        let networks = ["10.0.0.0/8", "fd00::/8"].map(|text| Network::parse(text).unwrap());
        let proxies = Proxies { are_believed: true, networks: networks.to_vec(), field };
        let name = HeaderName::from_static(field.name());
        let lines = lines.iter().map(|line| HeaderValue::from_bytes(line).unwrap());
        let headers: HeaderMap = lines.map(|line| (name.clone(), line)).collect();
        let peer = PeerAddress::new(PEER.parse().unwrap(), None);
        client(&proxies, peer, &headers).to_string()
    }

    fn x_forwarded_for(lines: &[&str]) -> String {
        let lines: Vec<_> = lines.iter().map(|line| line.as_bytes()).collect();
        counted("x-forwarded-for", &lines)
    }

    fn forwarded(lines: &[&str]) -> String {
        let lines: Vec<_> = lines.iter().map(|line| line.as_bytes()).collect();
        counted("forwarded", &lines)
    }

    #[test]
    fn the_client_is_the_rightmost_that_is_no_proxy() {
        let cases: [(&[&str], &str); 12] = [
            (&[], PEER),
            (&[""], PEER),
            (&["203.0.113.7"], "203.0.113.7"),
            (&["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
            (&["198.51.100.1,203.0.113.7, 10.0.0.2 ,fd00::3"], "203.0.113.7"),
            (&["203.0.113.7, ::ffff:10.0.0.2"], "203.0.113.7"),
            // lines are one list, in their order
            (&["198.51.100.1", "203.0.113.7, 10.0.0.2", "10.0.0.3"], "203.0.113.7"),
            (&["198.51.100.1, 203.0.113.7", "", " , 10.0.0.2,,"], "203.0.113.7"),
            // a client inside, where proxies are
            (&["10.0.0.9, 10.0.0.2"], "10.0.0.9"),
            (&["203.0.113.7:4711"], "203.0.113.7:4711"),
            (&["[2001:db8::7]:4711"], "[2001:db8::7]:4711"),
            (&["[2001:db8::7], ::ffff:203.0.113.7"], "203.0.113.7"),
        ];
        for (lines, client) in cases {
            assert_eq!(x_forwarded_for(lines), client, "{lines:?}");
        }
    }

    #[test]
    fn the_walk_ends_at_what_is_no_address() {
        for garbage in [
            "unknown",
            "_hidden",
            "203.0.113.7:",
            "203.0.113.7:+1",
            "203.0.113.7:65536",
            "203.0.113.7:x",
            "203.0.113.7:80:81",
            "203.0.113.007",
            "203.0.113",
            "203.0.113.7 198.51.100.1",
            "[203.0.113.7]",
            "[2001:db8::7",
            "[2001:db8::7]80",
            "[2001:db8::7]:",
            "2001:db8::7%eth0",
            "\"203.0.113.7",
            "unix:",
            "for=203.0.113.7",
        ] {
            assert_eq!(x_forwarded_for(&[garbage]), PEER, "{garbage}");
            let inside = format!("198.51.100.1, {garbage}, 10.0.0.2, 10.0.0.3");
            assert_eq!(x_forwarded_for(&[&inside]), "10.0.0.2", "{garbage}");
            // what a client made up does not matter
            assert_eq!(x_forwarded_for(&[garbage, "203.0.113.9"]), "203.0.113.9", "{garbage}");
            let before = format!("{garbage}, 203.0.113.9");
            assert_eq!(x_forwarded_for(&[&before]), "203.0.113.9", "{garbage}");
        }
        assert_eq!(counted("x-forwarded-for", &[b"203.0.113.7\xff"]), PEER);
    }

    #[test]
    fn forwarded_says_it_in_parameters() {
        for (line, client) in [
            ("for=203.0.113.7", "203.0.113.7"),
            ("FOR=203.0.113.7;proto=https;by=10.0.0.1", "203.0.113.7"),
            ("proto=https; For=\"203.0.113.7:4711\" ; host=\"a,b;for=x\"", "203.0.113.7:4711"),
            ("for=\"[2001:db8::7]:4711\"", "[2001:db8::7]:4711"),
            ("for=\"[2001:db8::7]\"", "2001:db8::7"),
            ("for=\"[2001:db8::7]:_port\"", "2001:db8::7"),
            ("for=\"\\2\\03.0.113.7\"", "203.0.113.7"),
            ("for=198.51.100.1, for=203.0.113.7, for=10.0.0.2;by=x", "203.0.113.7"),
            (";;for=203.0.113.7;", "203.0.113.7"),
            // a quote that a client left open, or closed in the middle of nothing
            ("for=\"198.51.100.1, for=203.0.113.7", "203.0.113.7"),
            ("for=\", for=203.0.113.7, for=\"10.0.0.2\"", "203.0.113.7"),
            ("for=\"x\\\", for=\"203.0.113.7\"", "203.0.113.7"),
            ("\\, for=\"203.0.113.7\"", "203.0.113.7"),
        ] {
            assert_eq!(forwarded(&[line]), client, "{line}");
        }
        let lines = ["for=198.51.100.1", "for=203.0.113.7, for=10.0.0.2", "For=10.0.0.3"];
        assert_eq!(forwarded(&lines), "203.0.113.7");
    }

    #[test]
    fn forwarded_that_says_no_address_counts_for_who_wrote_it() {
        for garbage in [
            "for=unknown",
            "for=_hidden",
            "for=\"_hidden:80\"",
            "by=203.0.113.7",
            "203.0.113.7",
            "for",
            "for=",
            "for=203.0.113.7;for=203.0.113.7",
            "for=203.0.113.7 x",
            "for=\"203.0.113.7\"x",
            "for=\"203.0.113.7\\\"",
            "for =203.0.113.7",
            "x for=203.0.113.7",
            "for=203.0.113.7;by",
        ] {
            assert_eq!(forwarded(&[garbage]), PEER, "{garbage}");
            let inside = format!("for=198.51.100.1, {garbage}, for=10.0.0.2");
            assert_eq!(forwarded(&[&inside]), "10.0.0.2", "{garbage}");
        }
    }

    #[test]
    fn the_other_field_and_other_peers_say_nothing() {
        let headers = HeaderMap::from_iter([
            (HeaderName::from_static("x-forwarded-for"), HeaderValue::from_static("203.0.113.7")),
            (HeaderName::from_static("forwarded"), HeaderValue::from_static("for=203.0.113.8")),
        ]);
        let networks = vec![Network::Private];
        for (field, said) in [
            (ForwardedField::XForwardedFor, "203.0.113.7"),
            (ForwardedField::Forwarded, "203.0.113.8"),
        ] {
            let proxies = Proxies { are_believed: true, networks: networks.clone(), field };
            let from = |address: &str| PeerAddress::new(address.parse().unwrap(), Some(1));
            assert_eq!(client(&proxies, from("10.0.0.1"), &headers).to_string(), said);
            let stranger = client(&proxies, from("198.51.100.1"), &headers);
            assert_eq!(stranger.to_string(), "198.51.100.1:1");
        }
    }
}
