//! Receivers that die in every way cost the others nothing, and leave nothing behind.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::process::Process;
use crate::server::{PATIENCE, TestServer};
use crate::socket::{Socket, TEXT};

/// More than the kernel holds for a receiver that does not read.
const MESSAGES: usize = 250;
const PAYLOAD: usize = 4096;

fn message(number: usize) -> String {
    format!("{number} {}", "x".repeat(PAYLOAD))
}

/// Hears every message, in order.
async fn hear_all(mut socket: Socket) -> Socket {
    for number in 0..MESSAGES {
        let text = socket.text().await;
        assert_eq!(text.split(' ').next(), Some(number.to_string().as_str()));
        assert_eq!(text.len(), message(number).len());
    }
    socket
}

/// Hears a few, then its host dies.
async fn die(mut socket: Socket) -> Option<Socket> {
    for _ in 0..20 {
        socket.text().await;
    }
    socket.reset();
    None
}

/// Hears a few, then says that it will send no more, and reads no further.
async fn half_close(mut socket: Socket) -> Option<Socket> {
    for _ in 0..20 {
        socket.text().await;
    }
    socket.shut().await;
    Some(socket)
}

#[tokio::test]
async fn readers_that_die_in_a_fan_out_cost_the_others_nothing() {
    let server = TestServer::start();
    let (mut good, mut bad, mut stalled) = (JoinSet::new(), JoinSet::new(), vec![]);
    for number in 0..500 {
        good.spawn(hear_all(Socket::join(server.port, "/sub/news").await));
        // in between, so that the fan-out meets them everywhere
        match number % 50 {
            0 => drop(bad.spawn(die(Socket::join(server.port, "/sub/news").await))),
            10 => drop(bad.spawn(half_close(Socket::join(server.port, "/sub/news").await))),
            20 => stalled.push(Socket::join_small(server.port, "/sub/news").await),
            _ => {}
        }
    }
    assert_eq!(server.count(|c| &c.connections), 530);
    let mut publisher = Socket::join(server.port, "/pub/news").await;
    for number in 0..MESSAGES {
        publisher.send(TEXT, message(number).as_bytes()).await.unwrap();
    }
    let good = good.join_all().await;
    let bad = bad.join_all().await;
    publisher.close().await;
    // the half-closed and the reset are gone, the stalled are still waited for
    server.until(|c| &c.connections, 510).await;
    assert_eq!(server.count(|c| &c.topics), 1);
    drop((good, bad, stalled));
    server.until(|c| &c.connections, 0).await;
    server.until(|c| &c.topics, 0).await;
    assert_eq!(server.count(|c| &c.joins), server.count(|c| &c.leaves));
    assert_eq!(server.count(|c| &c.slow_consumers), 0);
    assert_eq!(server.count(|c| &c.panics), 0);
}

#[tokio::test]
async fn a_mass_disconnect_leaves_nothing_behind() {
    let server = TestServer::start();
    for round in 0..3 {
        let mut sockets = vec![];
        for number in 0..400 {
            let role = ["sub", "bus", "pull", "pub", "push"][number % 5];
            sockets.push(Socket::join(server.port, &format!("/{role}/{}/a", number % 17)).await);
        }
        assert_eq!(server.count(|c| &c.connections), 400);
        for (number, mut socket) in sockets.into_iter().enumerate() {
            match (number + round) % 3 {
                0 => socket.reset(),
                1 => socket.shut().await,
                _ => drop(socket),
            }
        }
        server.until(|c| &c.connections, 0).await;
        server.until(|c| &c.topics, 0).await;
        assert_eq!(server.count(|c| &c.leaves), server.count(|c| &c.joins));
    }
}

/// Waits until a process holds as many descriptors as this.
pub(crate) async fn descriptors(process: &Process, expected: usize) {
    let reached = async {
        while process.descriptors() != expected {
            sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = timeout(PATIENCE, reached).await;
    assert!(waited.is_ok(), "{} descriptors and not {expected}", process.descriptors());
}

/// Raises our own limit of descriptors, so that they suffice for the other ends of many
/// connections; what it is then.
pub(crate) fn raise_descriptors() -> u64 {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    maximum.unwrap_or(u64::MAX)
}

/// Connects many, one after the other.
async fn connect(port: u16, path: String, count: usize) -> Vec<Socket> {
    let mut sockets = vec![];
    for _ in 0..count {
        sockets.push(Socket::join(port, &path).await);
    }
    sockets
}

#[tokio::test]
async fn ten_thousand_subscribers_come_hear_one_message_and_go() {
    raise_descriptors();
    let process = Process::broker(&["--shards", "2"]).await;
    let at_start = process.descriptors();
    let mut crowds = JoinSet::new();
    for crowd in 0..50 {
        let topic = if crowd % 2 == 0 { "news" } else { "news/local" };
        crowds.spawn(connect(process.port(), format!("/sub/{topic}"), 200));
    }
    let mut sockets: Vec<_> = crowds.join_all().await.into_iter().flatten().collect();
    assert_eq!(process.descriptors(), at_start + 10_000);
    let mut poster = Socket::open(process.port()).await;
    assert_eq!(poster.post("/pub/news/local", "hello").await, Some(200));
    for socket in &mut sockets {
        assert_eq!(socket.text().await, "hello");
    }
    drop(poster);
    for (number, socket) in sockets.into_iter().enumerate() {
        if number % 2 == 0 {
            socket.reset();
        }
    }
    descriptors(&process, at_start).await;
    let ended = process.stop().await;
    assert!(ended.lines.last().unwrap().contains("drained cut=0 cut_bytes=0 "), "{ended:?}");
    assert_eq!(ended.status, Some(0));
}
