//! Connections that are opened and reset at once, by the thousand.

use std::cell::Cell;

use crate::faults::descriptors;
use crate::floods::one_shard;
use crate::process::Process;
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

/// Opens and resets connections.
async fn burst(port: u16) {
    for number in 0..BURST {
        let mut socket = Socket::open(port).await;
        socket.write(words(number)).await.unwrap();
        socket.reset();
    }
    // accepted in turn: all before it were
    Socket::join(port, "/sub/probe").await.close().await;
}

/// One peer of a bus asks, the other one answers.
async fn round_trip(fry: &mut Socket, leela: &mut Socket, number: usize) {
    fry.send(TEXT, number.to_string().as_bytes()).await.unwrap();
    let heard = leela.text().await;
    leela.send(TEXT, heard.as_bytes()).await.unwrap();
    assert_eq!(fry.text().await, number.to_string());
}

/// Ten thousand resets at least and a thousand round trips at least, each until the other is
/// over; how many connections came, all in all.
async fn storm_beside_a_conversation(port: u16) -> usize {
    let mut fry = Socket::join(port, "/bus/innocent").await;
    let mut leela = Socket::join(port, "/bus/innocent").await;
    let (round_trips, over) = (Cell::new(0), Cell::new(false));
    let storm = async {
        let mut bursts = 0;
        while bursts * BURST < CONNECTIONS || round_trips.get() < ROUND_TRIPS {
            burst(port).await;
            bursts += 1;
        }
        over.set(true);
        bursts
    };
    let conversation = async {
        while !over.get() {
            round_trip(&mut fry, &mut leela, round_trips.get()).await;
            round_trips.set(round_trips.get() + 1);
        }
    };
    let (bursts, ()) = tokio::join!(storm, conversation);
    fry.close().await;
    leela.close().await;
    bursts * (BURST + 1) + 2
}

#[tokio::test]
async fn ten_thousand_resets_are_counted_and_cost_the_others_nothing() {
    let server = one_shard(|_| {});
    let connections = storm_beside_a_conversation(server.port).await;
    server.until(|c| &c.accepted, connections as u64).await;
    server.until(|c| &c.connections, 0).await;
    server.until(|c| &c.topics, 0).await;
    assert_eq!(server.count(|c| &c.joins), server.count(|c| &c.leaves));
    assert_eq!(server.count(|c| &c.accept_pauses), 0);
    assert_eq!(server.count(|c| &c.panics), 0);
}

#[tokio::test]
async fn ten_thousand_resets_leave_no_descriptor() {
    let process = Process::broker(&["--shards", "1", "--connections-per-ip", "5000"]).await;
    let at_start = process.descriptors();
    storm_beside_a_conversation(process.port()).await;
    descriptors(&process, at_start).await;
    let ended = process.stop().await;
    assert!(ended.lines.last().unwrap().contains("drained cut=0 cut_bytes=0 "), "{ended:?}");
    assert_eq!(ended.status, Some(0));
}
