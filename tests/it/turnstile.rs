//! Who may come in: connections by address, and new ones by the time.

use std::io;
use std::net::Ipv4Addr;
use std::num::NonZeroUsize;
use std::time::Duration;

use mercury::config::{Config, Listen};
use mercury::limits::Limits;
use mercury::rate::Rate;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::server::{PATIENCE, TestServer};
use crate::socket::{Socket, TEXT, post, upgrade};

/// Clients on this host.
const FRY: Ipv4Addr = Ipv4Addr::LOCALHOST;
const LEELA: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// A broker whose acceptors must agree on who may come in.
fn start(change: impl FnOnce(&mut Limits)) -> TestServer {
    TestServer::with(|config| {
        config.acceptors = NonZeroUsize::new(3).unwrap();
        change(&mut config.limits);
    })
}

/// A handshake on a new connection, with status and body of its answer; `None` when it was reset,
/// as who is refused is that does not ask in time.
async fn try_ask(client: Ipv4Addr, port: u16) -> Option<(Socket, (u16, String))> {
    let mut socket = Socket::open_from(client, port).await.ok()?;
    socket.write(upgrade("/bus/x")).await.ok()?;
    let answer = socket.answer().await?;
    Some((socket, answer))
}

/// The same, again and again until it is answered.
async fn ask(client: Ipv4Addr, port: u16) -> (Socket, (u16, String)) {
    let asked = async {
        loop {
            if let Some(asked) = try_ask(client, port).await {
                return asked;
            }
        }
    };
    timeout(PATIENCE, asked).await.expect("an answer in time")
}

/// Asks as Fry until the answer has this status.
async fn ask_until(port: u16, status: u16) -> Socket {
    let asked = async {
        loop {
            match ask(FRY, port).await {
                (socket, answer) if answer.0 == status => return socket,
                _ => sleep(Duration::from_millis(2)).await,
            }
        }
    };
    timeout(PATIENCE, asked).await.expect("the answer in time")
}

/// Sends a request as Fry until it is answered; all of the answer.
async fn answer_of(port: u16, request: &str) -> String {
    let try_to = async || {
        let mut socket = TcpStream::connect((FRY, port)).await?;
        socket.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await?;
        io::Result::Ok(answer)
    };
    let answered = async {
        loop {
            match try_to().await {
                Ok(answer) if !answer.is_empty() => return answer,
                _ => {}
            }
        }
    };
    timeout(PATIENCE, answered).await.expect("an answer in time")
}

#[tokio::test]
async fn an_address_has_as_many_connections_as_connections_per_ip_and_no_more() {
    let server = start(|limits| limits.address_connections_max = Some(3));
    let fry = Socket::join(server.port, "/bus/x").await;
    let mut poster = Socket::open(server.port).await;
    assert_eq!(poster.post("/bus/x", "hello").await, Some(200));
    let silent = Socket::open(server.port).await;
    server.until(|c| &c.accepted, 3).await;
    let message = "127.0.0.1 has as many open connections as --connections-per-ip allows, 3\n";
    for request in [upgrade("/bus/x"), post("/bus/x", "x")] {
        let answer = answer_of(server.port, &request).await;
        assert!(answer.starts_with("HTTP/1.1 429 Too Many Requests\r\n"), "{answer}");
        assert!(answer.contains("\r\nretry-after: 5\r\n"), "{answer}");
        assert!(answer.ends_with(&format!("\r\n\r\n{message}")), "{answer}");
    }
    let refused = server.count(|c| &c.address_full);
    assert!(refused >= 2, "{refused}");
    assert_eq!(server.count(|c| &c.refusals), refused);
    // others have their own
    let (leela, answer) = ask(LEELA, server.port).await;
    assert_eq!(answer.0, 101);
    // what ends gives its place back: an HTTP connection, a WebSocket, one that said nothing
    drop(poster);
    let again = ask_until(server.port, 101).await;
    fry.close().await;
    let third = ask_until(server.port, 101).await;
    drop(silent);
    let mut fourth = ask_until(server.port, 101).await;
    assert_eq!(ask(FRY, server.port).await.1.0, 429);
    fourth.send(TEXT, b"hello").await.unwrap();
    for mut peer in [leela, again, third] {
        assert_eq!(peer.text().await, "hello");
    }
}

#[tokio::test]
async fn the_acceptors_count_an_address_together() {
    let server = start(|limits| limits.address_connections_max = Some(10));
    for client in [FRY, LEELA] {
        let mut asking = JoinSet::new();
        for _ in 0..40 {
            asking.spawn(try_ask(client, server.port));
        }
        let asked = asking.join_all().await;
        let statuses = || asked.iter().flatten().map(|(_, answer)| answer.0);
        assert_eq!(statuses().filter(|status| *status == 101).count(), 10);
        assert!(statuses().all(|status| [101, 429].contains(&status)));
    }
    assert_eq!(server.count(|c| &c.address_full), 60);
    // the shards give them all back, and not one more
    let mut inside = vec![];
    for _ in 0..10 {
        inside.push(ask_until(server.port, 101).await);
    }
    assert_eq!(ask(FRY, server.port).await.1.0, 429);
}

#[tokio::test]
async fn who_came_by_ipv4_over_an_ipv6_socket_is_an_ipv4_address() {
    let everywhere = |config: &mut Config| {
        config.listen = vec![Listen::parse("http://*:0").unwrap()];
        config.limits.address_connections_max = Some(1);
    };
    let server = TestServer::with(everywhere);
    let _fry = Socket::join(server.port, "/bus/x").await;
    let (_, (status, message)) = ask(FRY, server.port).await;
    assert_eq!(status, 429);
    assert!(message.starts_with("127.0.0.1 has as many "), "{message}");
}

#[tokio::test]
async fn only_so_many_are_told_why_they_may_not_come_in() {
    let server = start(|limits| limits.address_connections_max = Some(2));
    let mut fry = Socket::join(server.port, "/bus/x").await;
    let mut leela = Socket::join(server.port, "/bus/x").await;
    // who says nothing is waited for
    let mut flood = vec![];
    let flooded = async {
        while server.count(|c| &c.refusals_unsaid) == 0 {
            flood.extend(Socket::open_from(FRY, server.port).await);
        }
    };
    timeout(PATIENCE, flooded).await.expect("a limit");
    assert!(flood.len() >= 64, "{}", flood.len());
    fry.send(TEXT, b"hello").await.unwrap();
    assert_eq!(leela.text().await, "hello");
    drop(flood);
    // there is room again to be told
    drop(ask_until(server.port, 429).await);
    assert_eq!(server.count(|c| &c.panics), 0);
}

#[tokio::test]
async fn who_comes_faster_than_accept_rate_is_told_to_come_later() {
    let server = start(|limits| limits.accept_rate_max = Rate::parse("2/h").unwrap());
    let mut asking = JoinSet::new();
    for _ in 0..20 {
        asking.spawn(try_ask(FRY, server.port));
    }
    let asked: Vec<_> = asking.join_all().await.into_iter().flatten().collect();
    let message = "new connections come faster than --accept-rate allows, 2/h\n";
    let refused = |answer: &(u16, String)| *answer == (503, message.to_owned());
    // the burst of one second's worth is one connection
    let mut inside = asked.into_iter().filter(|(_, answer)| !refused(answer));
    let (first, answer) = inside.next().unwrap();
    assert_eq!(answer.0, 101);
    assert!(inside.next().is_none());
    assert_eq!(server.count(|c| &c.accept_rate), 19);
    assert_eq!(server.count(|c| &c.refusals), 19);
    let answer = answer_of(server.port, &upgrade("/bus/x")).await;
    assert!(answer.contains("\r\nretry-after: 5\r\n"), "{answer}");
    first.close().await;
}
