//! Who is at the other end of a connection, for limits and logs.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// An address, with its port where that is known: a proxy mostly says none of its client. IPv4
/// that came over an IPv6 socket is IPv4 (RFC 4291 2.5.5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PeerAddress {
    address: IpAddr,
    port: Option<u16>,
}

impl PeerAddress {
    /// A client of whom somebody else says so much.
    pub(crate) fn new(address: IpAddr, port: Option<u16>) -> Self {
        Self { address: address.to_canonical(), port }
    }

    /// What limits are counted by.
    pub(crate) const fn address(self) -> IpAddr {
        self.address
    }
}

impl From<SocketAddr> for PeerAddress {
    fn from(address: SocketAddr) -> Self {
        Self::new(address.ip(), Some(address.port()))
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => SocketAddr::new(self.address, port).fmt(f),
            None => self.address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv4_over_ipv6_is_ipv4() {
        for (accepted, shown) in [
            ("203.0.113.7:80", "203.0.113.7:80"),
            ("[::ffff:203.0.113.7]:80", "203.0.113.7:80"),
            ("[2001:db8::1]:80", "[2001:db8::1]:80"),
        ] {
            let peer = PeerAddress::from(accepted.parse::<SocketAddr>().unwrap());
            assert_eq!(peer.to_string(), shown);
        }
        let mapped = PeerAddress::new("::ffff:203.0.113.7".parse().unwrap(), None);
        assert_eq!((mapped.to_string(), mapped.address().is_ipv4()), ("203.0.113.7".into(), true));
        assert_eq!(
            PeerAddress::new("2001:db8::1".parse().unwrap(), None).to_string(),
            "2001:db8::1"
        );
    }
}
