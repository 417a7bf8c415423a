//! The proxies in front: whom to believe, and which of their fields.

use std::fmt;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

/// Bits in front of an IPv4 address that is written as an IPv6 one (RFC 4291 2.5.5.2).
const MAPPED_PREFIX_BITS: u8 = 96;

/// What is believed of proxies, and of which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxies {
    /// Whether the field counts: `--proxy`.
    pub are_believed: bool,
    /// Where they are: `--trusted-proxy`.
    pub networks: Vec<Network>,
    /// The field: `--proxy-header`.
    pub field: ForwardedField,
}

/// Addresses that proxies have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// This machine.
    Loopback,
    /// What the internet does not route (RFC 1918, RFC 4193).
    Private,
    /// Those with these first bits; IPv4 where IPv6 only wraps it.
    Block(IpNet),
}

/// The field of a request's head in which proxies say whose it is. There is one, since a proxy adds
/// to one of them and lets the others pass as a stranger wrote them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForwardedField {
    /// `X-Forwarded-For`, which most proxies write.
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// What is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// Neither a word nor an address.
    #[error("is not an address, a network like 10.0.0.0/8, loopback or private")]
    Syntax,
    /// `10.0.0.1/8`: one of both is a slip.
    #[error("has an address with more than its first {0} bits set, say {1}")]
    Bits(u8, IpNet),
}

impl Proxies {
    /// Nobody is believed; else whoever is on this machine or beside it.
    pub const DEFAULT_NETWORKS: [Network; 2] = [Network::Loopback, Network::Private];

    /// The networks, for people.
    #[must_use]
    pub fn names(&self) -> String {
        let names: Vec<_> = self.networks.iter().map(Network::to_string).collect();
        names.join(", ")
    }

    /// Whether what comes from this address may name its client.
    #[must_use]
    pub fn believe(&self, address: IpAddr) -> bool {
        self.are_believed && self.trust(address)
    }

    /// Whether a proxy may have this address.
    #[must_use]
    pub fn trust(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(address))
    }
}

impl Default for Proxies {
    fn default() -> Self {
        let networks = Self::DEFAULT_NETWORKS.to_vec();
        Self { are_believed: false, networks, field: ForwardedField::XForwardedFor }
    }
}

impl Network {
    /// Reads `10.0.0.0/8`, `fd00::/8`, an address, `loopback` or `private`.
    pub fn parse(text: &str) -> Result<Self, NetworkError> {
        match text.to_ascii_lowercase().as_str() {
            "loopback" => return Ok(Self::Loopback),
            "private" => return Ok(Self::Private),
            _ => {}
        }
        let address = || text.parse::<IpAddr>().map(IpNet::from);
        let network = text.parse().or_else(|_| address()).map_err(|_| NetworkError::Syntax)?;
        let network = canonical(network);
        if network != network.trunc() {
            return Err(NetworkError::Bits(network.prefix_len(), network.trunc()));
        }
        Ok(Self::Block(network))
    }

    /// Whether an address, IPv4 as such, is one of them.
    fn contains(&self, address: IpAddr) -> bool {
        match (self, address) {
            (Self::Loopback, address) => address.is_loopback(),
            (Self::Private, IpAddr::V4(address)) => address.is_private(),
            (Self::Private, IpAddr::V6(address)) => address.is_unique_local(),
            (Self::Block(network), address) => network.contains(&address),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loopback => f.write_str("loopback"),
            Self::Private => f.write_str("private"),
            Self::Block(one) if one.prefix_len() == one.max_prefix_len() => one.addr().fmt(f),
            Self::Block(network) => network.fmt(f),
        }
    }
}

/// The network as IPv4 if all its addresses are.
fn canonical(network: IpNet) -> IpNet {
    let IpAddr::V4(address) = network.addr().to_canonical() else { return network };
    let bits = match network {
        IpNet::V4(_) => return network,
        IpNet::V6(network) => network.prefix_len().checked_sub(MAPPED_PREFIX_BITS),
    };
    let within = bits.and_then(|bits| Ipv4Net::new(address, bits).ok());
    within.map_or(network, IpNet::V4)
}

impl ForwardedField {
    /// The field of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::XForwardedFor, Self::Forwarded]
            .into_iter()
            .find(|field| field.name().eq_ignore_ascii_case(name))
    }

    /// Its name, as `http` spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::XForwardedFor => "x-forwarded-for",
            Self::Forwarded => "forwarded",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(networks: &[&str]) -> Proxies {
        let networks = networks.iter().map(|text| Network::parse(text).unwrap()).collect();
        Proxies { networks, ..Proxies::default() }
    }

    #[test]
    fn networks_hold_the_addresses_that_they_say() {
        let cases: [(&str, &[&str], &[&str]); 8] = [
            ("10.0.0.0/8", &["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"], &["11.0.0.0"]),
            ("192.0.2.7", &["192.0.2.7", "::ffff:192.0.2.7"], &["192.0.2.8", "::192.0.2.7"]),
            ("::ffff:10.0.0.0/104", &["10.1.2.3", "::ffff:10.1.2.3"], &["11.0.0.0", "::"]),
            ("2001:db8::/32", &["2001:db8:ffff::1"], &["2001:db9::", "192.0.2.7"]),
            ("0.0.0.0/0", &["192.0.2.7", "::ffff:192.0.2.7"], &["::1"]),
            ("::/0", &["::1"], &["192.0.2.7", "::ffff:192.0.2.7"]),
            ("loopback", &["127.0.0.1", "127.255.0.1", "::1", "::ffff:127.0.0.1"], &["10.0.0.1"]),
            (
                "PRIVATE",
                &["10.0.0.1", "172.16.0.1", "172.31.255.1", "192.168.3.4", "fd12::1", "fc00::"],
                &["172.32.0.1", "169.254.0.1", "100.64.0.1", "fe80::1", "127.0.0.1", "8.8.8.8"],
            ),
        ];
        for (network, inside, outside) in cases {
            let proxies = proxies(&[network]);
            let trust = |text: &&str| proxies.trust(text.parse().unwrap());
            for address in inside {
                assert!(trust(address), "{network} {address}");
            }
            for address in outside {
                assert!(!trust(address), "{network} {address}");
            }
        }
        assert!(!proxies(&[]).trust([127, 0, 0, 1].into()));
        assert!(proxies(&["::1", "192.0.2.0/24"]).trust([192, 0, 2, 9].into()));
    }

    #[test]
    fn a_network_reads_the_same_when_it_is_shown() {
        for (text, shown) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.0.0.1/32", "10.0.0.1"),
            ("::1/128", "::1"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:10.0.0.1", "10.0.0.1"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("::/0", "::/0"),
            ("Loopback", "loopback"),
            ("private", "private"),
        ] {
            let network = Network::parse(text).unwrap();
            assert_eq!(network.to_string(), shown);
            assert_eq!(Network::parse(shown), Ok(network));
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        let syntax = "is not an address, a network like 10.0.0.0/8, loopback or private";
        for text in
            ["", "x", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/", "::1/129", "010.0.0.1", "::1%1"]
        {
            assert_eq!(Network::parse(text).unwrap_err().to_string(), syntax, "{text}");
        }
        for (text, reason) in [
            ("10.0.0.1/8", "has an address with more than its first 8 bits set, say 10.0.0.0/8"),
            ("fd00::1/8", "has an address with more than its first 8 bits set, say fd00::/8"),
            (
                "::ffff:10.0.0.1/104",
                "has an address with more than its first 8 bits set, say 10.0.0.0/8",
            ),
        ] {
            assert_eq!(Network::parse(text).unwrap_err().to_string(), reason, "{text}");
        }
    }

    #[test]
    fn a_field_is_one_of_two() {
        assert_eq!(ForwardedField::parse("X-Forwarded-For"), Some(ForwardedField::XForwardedFor));
        assert_eq!(ForwardedField::parse("forwarded"), Some(ForwardedField::Forwarded));
        assert_eq!(ForwardedField::parse("x-real-ip"), None);
    }
}
