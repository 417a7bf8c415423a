//! Where our ends of the connections are: one loopback address has some 28,000 ports for one
//! server, and 127.0.0.0/8 has many addresses.

use std::io::{Error, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::IpBindAddressNoPort;
use tokio::net::{TcpSocket, TcpStream};

/// Source addresses at most: 127.0.0.1 to 127.0.0.254.
pub(crate) const SOURCES_MAX: i64 = 254;
/// Connections from one address to one server, less than Linux's default of 28,232 ports.
const CONNECTIONS_MAX: usize = 25_000;

/// How many source addresses a load uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sources {
    /// The system's choice, unless that is a loopback address that has too few ports.
    Auto {
        /// Connections of all client threads together.
        connections: usize,
    },
    /// 127.0.0.1 to 127.0.0.N in turn, as somebody asked for.
    Loopback(u8),
}

/// From where to where a connection goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Route {
    /// Where the server listens.
    to: SocketAddr,
    /// Our end; none leaves it to the system.
    from: Option<Ipv4Addr>,
}

impl Default for Sources {
    fn default() -> Self {
        Self::Auto { connections: 0 }
    }
}

impl Sources {
    /// What somebody asked for, or else what so many connections need.
    pub(crate) fn or_for(self, connections: usize) -> Self {
        match self {
            Self::Auto { .. } => Self::Auto { connections },
            asked @ Self::Loopback(_) => asked,
        }
    }

    /// The route of every connection to `to` in turn; an error when that is no place for what was
    /// asked for.
    pub(crate) fn routes(self, to: SocketAddr) -> Result<impl Iterator<Item = Route>, String> {
        let is_loopback = matches!(to.ip(), IpAddr::V4(ip) if ip.is_loopback());
        let count = match self {
            Self::Loopback(_) if !is_loopback => {
                return Err(format!(
                    "--source-addresses are 127.0.0.1 and its like, which cannot reach {to}: it \
                     is not an IPv4 loopback address"
                ));
            }
            Self::Loopback(count) => count,
            Self::Auto { connections } if is_loopback && connections > CONNECTIONS_MAX => {
                u8::try_from(connections.div_ceil(CONNECTIONS_MAX)).map_err(|_| {
                    format!("{connections} connections are too many for {SOURCES_MAX} addresses")
                })?
            }
            Self::Auto { .. } => 0,
        };
        let sources = (1..=count).map(|number| Some(Ipv4Addr::new(127, 0, 0, number)));
        let none = (count == 0).then_some(None);
        let sources: Vec<_> = sources.chain(none).collect();
        Ok(sources.into_iter().cycle().map(move |from| Route { to, from }))
    }
}

impl Route {
    /// Connects. The port is chosen then and not when the address is bound, so that one port can
    /// serve again while an earlier connection to another place, or its memory, still holds it.
    /// The error is a sentence.
    pub(crate) async fn connect(self) -> Result<TcpStream, String> {
        self.try_connect().await.map_err(|error| match error.kind() {
            ErrorKind::AddrNotAvailable => format!(
                "our address has no port left for {}, more --source-addresses have: {error}",
                self.to
            ),
            _ => error.to_string(),
        })
    }

    async fn try_connect(self) -> Result<TcpStream, Error> {
        let Some(from) = self.from else { return TcpStream::connect(self.to).await };
        let socket = TcpSocket::new_v4()?;
        setsockopt(&socket, IpBindAddressNoPort, &true)?;
        socket.bind(SocketAddrV4::new(from, 0).into())?;
        socket.connect(self.to).await
    }
}

impl From<SocketAddr> for Route {
    fn from(to: SocketAddr) -> Self {
        Self { to, from: None }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use tokio::net::TcpListener;

    use super::*;

    fn from(sources: Sources, to: &str, count: usize) -> Vec<Option<Ipv4Addr>> {
        let routes = sources.routes(to.parse().unwrap()).unwrap();
        routes.take(count).map(|route| route.from).collect()
    }

    #[test]
    fn many_to_one_loopback_address_have_several_sources() {
        let auto = |connections| Sources::Auto { connections };
        assert_eq!(from(auto(25_000), "127.0.0.1:3000", 2), [None, None]);
        let distinct: HashSet<_> = from(auto(100_001), "127.0.0.1:3000", 100).into_iter().collect();
        assert_eq!(distinct.len(), 5);
        assert!(!distinct.contains(&None));
        assert_eq!(from(auto(100_001), "192.0.2.1:80", 1), [None]);
        assert_eq!(from(auto(100_001), "[::1]:80", 1), [None]);
    }

    #[tokio::test]
    async fn the_other_side_sees_the_source() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let routes = Sources::Loopback(3).routes(listener.local_addr().unwrap()).unwrap();
        for (route, number) in routes.zip([1, 2, 3, 1]) {
            let _connection = route.connect().await.unwrap();
            let (_, peer) = listener.accept().await.unwrap();
            assert_eq!(peer.ip(), Ipv4Addr::new(127, 0, 0, number));
        }
    }

    #[test]
    fn what_was_asked_for_must_be_possible() {
        let two = Sources::Loopback(2);
        let expected = [1, 2, 1].map(|number| Some(Ipv4Addr::new(127, 0, 0, number)));
        assert_eq!(from(two, "127.0.0.9:80", 3), expected);
        for to in ["192.0.2.1:80", "[::1]:80"] {
            let error = two.routes(to.parse().unwrap()).map(|_| ()).unwrap_err();
            assert!(error.contains(&format!("cannot reach {to}: ")), "{error}");
        }
    }
}
