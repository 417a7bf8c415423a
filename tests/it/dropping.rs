//! Receivers that do not keep up and are not closed for it: `--slow-consumer drop-...`.

use std::time::Duration;

use mercury::limits::Limits;
use mercury::slow_consumer::{Policy, SlowConsumer};

use crate::frames::{BINARY, Line, PING, PONG, frame};
use crate::process::{Process, field};
use crate::server::TestServer;
use crate::slow_consumers::{by_policy, numbers, publish};
use crate::socket::{CLOSE, Socket};

/// Payload of the messages that fill outbounds.
const MESSAGE_BYTES: usize = 64 * 1024;
/// What one of them takes on the wire.
const FRAME_BYTES: u64 = 10 + MESSAGE_BYTES as u64;
/// Messages that are dropped before the laggard reads again.
const DROPPED: u64 = 20;
/// Laggards that are closed in one storm.
const STORM: usize = 60;
/// Lines that a shard logs about slow consumers in a second.
const LINES_PER_SECOND: usize = 10;

fn limits(bus: Policy, pubsub: Policy) -> impl FnOnce(&mut Limits) {
    move |limits| {
        limits.outbound_bytes_max = 1024 * 1024;
        limits.slow_consumer = SlowConsumer { bus, pubsub };
    }
}

/// A laggard on one of these paths reads nothing until messages were dropped; then it reads what
/// is left: the numbers of all that came, and how many were sent.
async fn lag(server: &TestServer, paths: [&str; 3]) -> (Vec<usize>, usize) {
    let mut sender = Line::open(server, paths[0]).await;
    let mut reader = Line::open(server, paths[1]).await;
    let mut laggard = Line::narrow(server, paths[2]).await;
    let bytes = |_| server.count(|c| &c.slow_consumer_bytes) < DROPPED * FRAME_BYTES;
    let sent = publish(&mut sender, &mut reader, 0, bytes).await;
    // its pong stands behind everything that was kept
    laggard.send(frame(PING, "caught up")).await;
    let mut came = vec![];
    loop {
        match laggard.next().await {
            (BINARY, payload) => came.push(payload),
            (PONG, _) => break,
            other => panic!("expected a message or a pong, got {other:?}"),
        }
    }
    assert!(came.iter().all(|payload| payload.len() == MESSAGE_BYTES));
    // it is a receiver like any other again
    publish(&mut sender, &mut reader, sent, |next| next < sent + 10).await;
    for expected in sent..sent + 10 {
        assert_eq!(laggard.number().await, expected);
    }
    assert_eq!(server.count(|c| &c.slow_consumers), 1);
    reader.quiet().await;
    (numbers(&came), sent)
}

#[tokio::test]
async fn drop_newest_keeps_what_waited_first() {
    let server = TestServer::limited(limits(Policy::Close, Policy::DropNewest));
    let (came, sent) = lag(&server, ["/pub/a/b", "/sub/a/b", "/sub/a"]).await;
    assert_eq!(came, (0..came.len()).collect::<Vec<_>>(), "a gap before the first that was lost");
    let dropped = (sent - came.len()) as u64;
    assert_eq!(by_policy(&server), [0, 0, 0, 0, 0, dropped]);
    assert_eq!(server.count(|c| &c.slow_consumer_bytes), dropped * FRAME_BYTES);
}

#[tokio::test]
async fn drop_oldest_keeps_what_came_last() {
    let server = TestServer::limited(limits(Policy::Close, Policy::DropOldest));
    let (came, sent) = lag(&server, ["/pub/a/b", "/sub/a/b", "/sub/a"]).await;
    assert!(came.is_sorted_by(|one, next| one < next), "{came:?}");
    assert_eq!(came.last(), Some(&(sent - 1)));
    let dropped = (sent - came.len()) as u64;
    assert_eq!(by_policy(&server), [0, 0, 0, 0, dropped, 0]);
    assert_eq!(server.count(|c| &c.slow_consumer_bytes), dropped * FRAME_BYTES);
}

#[tokio::test]
async fn bus_peers_lose_whole_messages_too() {
    for policy in [Policy::DropOldest, Policy::DropNewest] {
        let server = TestServer::limited(limits(policy, Policy::Close));
        let (came, sent) = lag(&server, ["/bus/a"; 3]).await;
        assert!(came.is_sorted_by(|one, next| one < next), "{came:?}");
        let dropped = (sent - came.len()) as u64;
        let expected = match policy {
            Policy::DropOldest => [0, dropped, 0, 0, 0, 0],
            _ => [0, 0, dropped, 0, 0, 0],
        };
        assert_eq!(by_policy(&server), expected);
    }
}

#[tokio::test]
async fn a_policy_is_for_its_pattern_alone() {
    let server = TestServer::limited(limits(Policy::DropOldest, Policy::Close));
    let mut sender = Line::open(&server, "/pub/a").await;
    let mut reader = Line::open(&server, "/sub/a").await;
    let mut laggard = Line::narrow(&server, "/sub/a").await;
    let closed = |_| server.count(|c| &c.slow_pubsub_closed) == 0;
    publish(&mut sender, &mut reader, 0, closed).await;
    assert_eq!(laggard.rest().await.1.0, 1013);
    assert_eq!(by_policy(&server), [0, 0, 0, 1, 0, 0]);
}

/// The socket of a laggard on one of these paths takes nothing, while messages are dropped or not.
async fn stall(policy: Policy, paths: [&str; 3]) {
    let server = TestServer::limited(|limits| {
        limits.write_stall_max = Duration::from_millis(200);
        // enough for all, where they are not to be dropped
        limits.outbound_bytes_max = if policy == Policy::Close { 1 << 30 } else { 1024 * 1024 };
        limits.slow_consumer = SlowConsumer { bus: policy, pubsub: policy };
    });
    let mut sender = Line::open(&server, paths[0]).await;
    let mut reader = Line::open(&server, paths[1]).await;
    let mut laggard = Line::narrow(&server, paths[2]).await;
    let stalls = |_| server.count(|c| &c.write_stalls) == 0;
    publish(&mut sender, &mut reader, 0, stalls).await;
    let (_, (code, reason)) = laggard.rest().await;
    assert_eq!((code, &*reason), (1013, "write-stalled: took nothing for 200ms (--write-timeout)"));
    let [bus_closed, _, _, pubsub_closed, _, _] = by_policy(&server);
    assert_eq!((bus_closed, pubsub_closed), (0, 0), "no policy closed it");
}

#[tokio::test]
async fn a_write_without_progress_ends_a_connection_under_every_policy() {
    for policy in [Policy::Close, Policy::DropOldest, Policy::DropNewest] {
        stall(policy, ["/pub/a/b", "/sub/a/b", "/sub/a"]).await;
        stall(policy, ["/bus/a"; 3]).await;
    }
}

/// Sends messages until `enough`, in step with a reader.
async fn fill(port: u16, path: &str, mut enough: impl FnMut() -> bool) {
    let mut reader = Socket::join(port, &path.replace("/pub/", "/sub/")).await;
    let mut sender = Socket::join(port, path).await;
    let text = "x".repeat(MESSAGE_BYTES - 1);
    while !enough() {
        sender.send(crate::socket::TEXT, text.as_bytes()).await.unwrap();
        reader.text().await;
    }
}

#[tokio::test]
async fn a_drop_is_logged_with_topic_address_bytes_and_seconds() {
    let flags = ["--shards", "1", "--max-outbound", "512KiB", "--slow-consumer", "drop-oldest"];
    let mut broker = Process::broker(&flags).await;
    let laggard = Socket::join_small(broker.port(), "/sub/news/a%0Ab").await;
    let mut line = None;
    fill(broker.port(), "/pub/news/a%0Ab", || {
        line = broker.waiting_line();
        line.is_some()
    })
    .await;
    let line = line.unwrap();
    let peer = laggard.address();
    for part in
        ["WARN", "slow consumer: dropped", " topic=\"news/a\\nb\"", &format!(" peer={peer}")]
    {
        assert!(line.contains(part), "{part} in {line}");
    }
    assert!(line.contains(" policy=drop-oldest "), "{line}");
    let (behind, bytes) = (field::<u64>(&line, "behind"), field::<u64>(&line, "bytes"));
    let (seconds, messages) = (field::<f64>(&line, "seconds"), field::<u64>(&line, "messages"));
    // there is no room for one more of those that are dropped
    assert!(behind + FRAME_BYTES > 512 * 1024 && seconds >= 0.0, "{line}");
    assert!(messages > 0 && bytes > messages * (FRAME_BYTES - 10), "{line}");
}

/// The second of the day in which a line was logged.
fn second(line: &str) -> f64 {
    let time = line.split(['T', 'Z']).nth(1).unwrap();
    time.split(':').fold(0.0, |sum, part| sum * 60.0 + part.parse::<f64>().unwrap())
}

#[tokio::test]
async fn a_storm_of_slow_consumers_does_not_flood_the_log() {
    let mut broker = Process::broker(&["--shards", "1", "--max-outbound", "512KiB"]).await;
    let mut laggards = vec![];
    for _ in 0..STORM {
        laggards.push(Socket::join_small(broker.port(), "/sub/news").await);
    }
    let (mut logged, mut withheld) = (vec![], 0);
    fill(broker.port(), "/pub/news", || {
        while let Some(line) = broker.waiting_line() {
            if line.contains("closed: slow-consumer: more than 524,288 bytes behind") {
                logged.push(second(&line));
            } else if let Some((_, count)) = line.split_once("were not logged lines=") {
                withheld += count.parse::<usize>().unwrap();
            }
        }
        logged.len() + withheld == STORM
    })
    .await;
    println!("{logged:?}, and {withheld} more");
    assert!(withheld > 0, "{logged:?}");
    // a second of ours may hold the ends of two of the shard's
    for lines in logged.windows(2 * LINES_PER_SECOND + 1) {
        let seconds = (lines[2 * LINES_PER_SECOND] - lines[0]).rem_euclid(86_400.0);
        assert!(seconds >= 1.0, "{logged:?}");
    }
    for mut laggard in laggards.drain(..3) {
        while let Some((op_code, payload)) = laggard.frame().await {
            if op_code == CLOSE {
                assert_eq!(payload[..2], 1013u16.to_be_bytes());
            }
        }
    }
}
