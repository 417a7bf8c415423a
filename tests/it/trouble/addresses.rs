//! Clients at several IPv6 addresses.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::namespace::Namespace;
use super::root::is_root;
use crate::socket::{Socket, TEXT, upgrade};

/// Two addresses of one customer, and one of another.
const FRY: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0xfd00, 0, 0, 1, 0, 0, 0, 1), Ipv6Addr::new(0xfd00, 0, 0, 1, 2, 3, 4, 5)];
const LEELA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 2, 0, 0, 0, 1);

/// Asks from an address until there is an answer: a WebSocket, or what is said instead.
async fn ask(namespace: &Namespace, from: IpAddr, port: u16) -> Result<Socket, (u16, String)> {
    loop {
        let mut socket = namespace.open(from, SocketAddr::new(LEELA.into(), port)).await;
        // who is refused and does not ask in time is reset
        if socket.write(upgrade("/bus/planet")).await.is_err() {
            continue;
        }
        match socket.answer().await {
            Some((101, _)) => return Ok(socket),
            Some(refusal) => return Err(refusal),
            None => {}
        }
    }
}

#[tokio::test]
async fn all_addresses_of_an_ipv6_64_are_one_client() {
    if !is_root(all_addresses_of_an_ipv6_64_are_one_client) {
        return;
    }
    let namespace = Namespace::new();
    for address in [FRY[0], FRY[1], LEELA] {
        namespace.run(&format!("ip address add {address}/128 dev lo"));
    }
    let flags = ["--connections-per-ip", "2"];
    let process = namespace.start(Ipv6Addr::UNSPECIFIED.into(), &flags).await;
    let ask = async |from: Ipv6Addr| ask(&namespace, from.into(), process.port()).await;
    let mut first = ask(FRY[0]).await.unwrap();
    let mut second = ask(FRY[1]).await.unwrap();
    for from in FRY {
        let (status, message) = ask(from).await.err().expect("a refusal");
        assert_eq!(status, 429);
        assert!(message.starts_with("fd00:0:0:1::/64 has as many open connections"), "{message}");
    }
    let mut leela = ask(LEELA).await.unwrap();
    leela.send(TEXT, b"hello").await.unwrap();
    assert_eq!((first.text().await, second.text().await), ("hello".into(), "hello".into()));
}
