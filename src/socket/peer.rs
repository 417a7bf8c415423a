//! Who is at the other end of a connection, for limits and logs.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tokio::net::unix::UCred;

/// Where a connection comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PeerAddress {
    /// The network. IPv4 that came over an IPv6 socket is IPv4 (RFC 4291 2.5.5.2).
    Network {
        /// The address.
        address: IpAddr,
        /// Where it is known: a proxy mostly says none of its client.
        port: Option<u16>,
    },
    /// A process of this machine, over a Unix socket.
    Process {
        /// Its number; 0 when it is in a namespace that we cannot see.
        pid: u32,
        /// Whose it is.
        uid: u32,
    },
}

impl PeerAddress {
    /// A client of whom somebody else says so much.
    pub(crate) fn new(address: IpAddr, port: Option<u16>) -> Self {
        Self::Network { address: address.to_canonical(), port }
    }

    /// What it is trusted by: a process of this machine like one that comes over the loopback.
    pub(crate) const fn address(self) -> IpAddr {
        match self {
            Self::Network { address, .. } => address,
            Self::Process { .. } => IpAddr::V4(Ipv4Addr::LOCALHOST),
        }
    }

    /// What limits are counted by; processes of this machine are not told apart, nor limited.
    pub(crate) const fn counted(self) -> Option<IpAddr> {
        match self {
            Self::Network { address, .. } => Some(address),
            Self::Process { .. } => None,
        }
    }
}

impl From<SocketAddr> for PeerAddress {
    fn from(address: SocketAddr) -> Self {
        Self::new(address.ip(), Some(address.port()))
    }
}

impl From<UCred> for PeerAddress {
    fn from(process: UCred) -> Self {
        let pid = process.pid().and_then(|pid| u32::try_from(pid).ok());
        Self::Process { pid: pid.unwrap_or(0), uid: process.uid() }
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Network { address, port: Some(port) } => SocketAddr::new(address, port).fmt(f),
            Self::Network { address, port: None } => address.fmt(f),
            Self::Process { pid: 0, uid } => write!(f, "unix:uid={uid}"),
            Self::Process { pid, uid } => write!(f, "unix:uid={uid},pid={pid}"),
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

    #[test]
    fn a_process_is_of_this_machine_and_not_counted() {
        let process = PeerAddress::Process { pid: 7, uid: 1000 };
        assert_eq!(process.to_string(), "unix:uid=1000,pid=7");
        assert_eq!(PeerAddress::Process { pid: 0, uid: 1000 }.to_string(), "unix:uid=1000");
        assert!(process.address().is_loopback() && process.counted().is_none());
    }
}
