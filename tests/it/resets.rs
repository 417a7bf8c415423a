//! Connections that are opened and reset at once, by the thousand.

use tokio::task::JoinSet;

use crate::faults::descriptors;
use crate::process::Process;
use crate::server::TestServer;
use crate::socket::{Socket, TEXT, upgrade};

const CONNECTIONS: usize = 10_000;
/// Less than the kernel queues for a broker that is slow to accept.
const BURST: usize = 100;
const ROUND_TRIPS: usize = 1000;

/// What a connection says before it is reset.
fn words(number: usize) -> Vec<u8> {
    let mut words = upgrade(&format!("/sub/{}", number % 7)).into_bytes();
    match number % 4 {
        0 => words.clear(),
        1 => words.truncate(words.len() / 2),
        2 => {}
        // an empty text behind it, masked with zeros
        _ => words.extend([0x81, 0x80, 0, 0, 0, 0]),
    }
    words
}

/// Opens and resets them all.
async fn storm(port: u16) {
    for burst in 0..CONNECTIONS / BURST {
        for number in 0..BURST {
            let mut socket = Socket::open(port).await;
            socket.write(words(number)).await.unwrap();
            socket.reset();
        }
        // accepted in turn: all before it were
        Socket::join(port, &format!("/sub/probe/{burst}")).await.close().await;
    }
}

/// Two peers of a bus that answer each other.
async fn converse(port: u16) {
    let mut fry = Socket::join(port, "/bus/innocent").await;
    let mut leela = Socket::join(port, "/bus/innocent").await;
    for round in 0..ROUND_TRIPS {
        fry.send(TEXT, round.to_string().as_bytes()).await.unwrap();
        let heard = leela.text().await;
        leela.send(TEXT, heard.as_bytes()).await.unwrap();
        assert_eq!(fry.text().await, round.to_string());
    }
    fry.close().await;
    leela.close().await;
}

/// Both at once.
async fn storm_beside_a_conversation(port: u16) {
    let mut both = JoinSet::new();
    both.spawn(storm(port));
    both.spawn(converse(port));
    both.join_all().await;
}

#[tokio::test]
async fn ten_thousand_resets_are_counted_and_cost_the_others_nothing() {
    let server = TestServer::start();
    storm_beside_a_conversation(server.port).await;
    let others = CONNECTIONS / BURST + 2;
    server.until(|c| &c.accepted, (CONNECTIONS + others) as u64).await;
    server.until(|c| &c.connections, 0).await;
    server.until(|c| &c.topics, 0).await;
    assert_eq!(server.count(|c| &c.joins), server.count(|c| &c.leaves));
    assert_eq!(server.count(|c| &c.accept_pauses), 0);
    assert_eq!(server.count(|c| &c.panics), 0);
}

#[tokio::test]
async fn ten_thousand_resets_leave_no_descriptor() {
    let process = Process::broker(&["--shards", "2", "--connections-per-ip", "5000"]).await;
    let at_start = process.descriptors();
    storm_beside_a_conversation(process.port()).await;
    descriptors(&process, at_start).await;
    let ended = process.stop().await;
    assert!(ended.lines.last().unwrap().contains("drained cut=0 cut_bytes=0 "), "{ended:?}");
    assert_eq!(ended.status, Some(0));
}
