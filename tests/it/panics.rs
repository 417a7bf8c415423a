//! What a panic does: a connection falls alone, a shard in doubt ends the process. Panics are
//! asked for by message, see `src/faults.rs`.

use crate::process::{Ended, Process};
use crate::server::TestServer;
use crate::socket::{CLOSE, PING, Socket, TEXT};
use crate::stopping::draining_for;

/// What the kernel calls an abort.
const SIGABRT: i32 = 6;

/// Asks for a panic; the connection ends without a word.
async fn fall(mut socket: Socket) {
    socket.send(TEXT, b"faults: panic in the connection").await.unwrap();
    assert_eq!(socket.frame().await, None);
}

#[tokio::test]
async fn a_connection_that_panics_is_dropped_alone() {
    let server = TestServer::start();
    let mut fry = Socket::join(server.port, "/bus/planet").await;
    let mut leela = Socket::join(server.port, "/bus/planet").await;
    for round in 1..=3 {
        let mut bender = Socket::join(server.port, "/bus/planet").await;
        bender.send(TEXT, b"before").await.unwrap();
        fall(bender).await;
        server.until(|counters| &counters.panics, round).await;
        server.until(|counters| &counters.connections, 2).await;
        server.until(|counters| &counters.leaves, round).await;
        assert_eq!(fry.text().await, "before");
        assert_eq!(leela.text().await, "before");
        fry.send(TEXT, b"still here").await.unwrap();
        assert_eq!(leela.text().await, "still here");
        leela.send(TEXT, b"me too").await.unwrap();
        assert_eq!(fry.text().await, "me too");
    }
}

#[tokio::test]
async fn whoever_panics_gives_its_place_up() {
    let server = TestServer::start();
    let mut joined = 0;
    for path in ["/bus/a", "/pub/a/b", "/sub/a", "/push/a", "/pull/a"] {
        fall(Socket::join(server.port, path).await).await;
        joined += 1;
        server.until(|counters| &counters.panics, joined).await;
        server.until(|counters| &counters.leaves, joined).await;
    }
    server.until(|counters| &counters.connections, 0).await;
    server.until(|counters| &counters.topics, 0).await;
    assert_eq!(server.post("/pub/a/b", "nobody hears it").await.0, 200);
    let mut subscriber = Socket::join(server.port, "/sub/a").await;
    assert_eq!(server.post("/pub/a/b", "hello").await.0, 200);
    assert_eq!(subscriber.text().await, "hello");
}

#[tokio::test]
async fn a_puller_that_panics_leaves_its_turn_and_its_jobs_to_the_others() {
    let server = draining_for(crate::server::PATIENCE);
    let mut doomed = Socket::join_small(server.port, "/pull/work").await;
    let jobs: Vec<_> = (0..100).map(|n| format!("{n} {}", "x".repeat(65_000))).collect();
    for job in &jobs {
        assert_eq!(server.post("/push/work", job).await.0, 200);
    }
    // what is not in its kernel's hands yet waits, some of it in its outbound
    server.until_any(|counters| &counters.backlog_messages).await;
    doomed.send(TEXT, b"faults: panic in the connection").await.unwrap();
    server.until(|counters| &counters.panics, 1).await;
    server.until(|counters| &counters.connections, 0).await;
    let mut heir = Socket::join(server.port, "/pull/work").await;
    let first = heir.text().await;
    let at = jobs.iter().position(|job| *job == first).unwrap();
    for job in &jobs[at + 1..] {
        assert!(heir.text().await == *job);
    }
    server.until(|counters| &counters.backlog_messages, 0).await;
}

#[tokio::test]
async fn an_http_connection_that_panics_is_dropped_alone() {
    let server = TestServer::with(|config| config.acceptors = std::num::NonZeroUsize::MIN);
    let mut other = Socket::open(server.port).await;
    let mut subscriber = Socket::join(server.port, "/sub/news").await;
    for round in 1..=3 {
        let mut doomed = Socket::open(server.port).await;
        assert_eq!(doomed.post("/pub/news", "before").await, Some(200));
        assert_eq!(doomed.post("/pub/news", "faults: panic in the visit").await, None);
        server.until(|counters| &counters.panics, round).await;
        assert_eq!(other.post("/pub/news", "still here").await, Some(200));
        assert_eq!(subscriber.text().await, "before");
        assert_eq!(subscriber.text().await, "still here");
    }
    // what they held was given back
    server.until(|counters| &counters.memory_bytes, 0).await;
}

/// A broker in which this is asked for behind a message that all hear; how it ended.
async fn aborted(request: &str) -> Ended {
    let process = Process::broker(&["--shards", "2"]).await;
    let mut subscriber = Socket::join(process.port(), "/sub/news").await;
    let mut peer = Socket::join(process.port(), "/bus/planet").await;
    let mut publisher = Socket::join(process.port(), "/pub/news").await;
    publisher.send(TEXT, b"before").await.unwrap();
    assert_eq!(subscriber.text().await, "before");
    publisher.send(TEXT, request.as_bytes()).await.unwrap();
    // the message itself may still arrive where the panic is not in the way; nothing else does
    while let Some((op_code, payload)) = subscriber.frame().await {
        assert!(op_code == PING || (op_code == TEXT && payload == request), "{payload:?}");
    }
    while let Some((op_code, payload)) = peer.frame().await {
        assert!(op_code != CLOSE && op_code != TEXT, "{payload:?}");
    }
    assert_eq!(publisher.frame().await, None);
    let ended = process.ended().await;
    assert_eq!((ended.status, ended.signal), (None, Some(SIGABRT)), "{ended:?}");
    ended
}

/// The panic says in which file it was, and the last line why the process ends.
fn assert_last_words(ended: &Ended, file: &str, last_words: &str) {
    let panicked = format!("panicked at {file}:");
    assert!(ended.lines.iter().any(|line| line.contains(&panicked)), "{ended:?}");
    assert!(ended.lines.last().unwrap().contains(last_words), "{ended:?}");
}

#[tokio::test]
async fn a_panic_inside_the_broker_ends_the_process() {
    let ended = aborted("faults: panic in the broker").await;
    let last_words = "panicked inside the broker: its state is in doubt, ending shard=";
    assert_last_words(&ended, "src/broker/mod.rs", last_words);
}

#[tokio::test]
async fn a_panic_of_the_flusher_ends_the_process() {
    let ended = aborted("faults: panic in the flusher").await;
    assert_last_words(
        &ended,
        "src/shard/flusher.rs",
        "panicked: the shard's state is in doubt, ending shard=",
    );
    assert!(ended.lines.last().unwrap().ends_with("what=\"flusher\""), "{ended:?}");
}

#[tokio::test]
async fn a_panic_of_the_sweep_ends_the_process() {
    let ended = aborted("faults: panic in the sweep").await;
    assert_last_words(
        &ended,
        "src/shard/sweep.rs",
        "panicked: the shard's state is in doubt, ending shard=",
    );
    assert!(ended.lines.last().unwrap().ends_with("what=\"sweep\""), "{ended:?}");
}
