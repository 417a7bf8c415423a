//! What strangers can make the broker hold: many small things together, and what nobody can be
//! made to give up. `--memory-max` stays for the others.

use mercury::limits::{Limits, MEMORY_HOARD_PARTS};
use tokio::task::JoinSet;

use crate::floods::{beside_innocents, one_shard};
use crate::frames::{BINARY, Line, head, numbered};
use crate::memory::{MEMORY_BYTES, little};
use crate::server::TestServer;
use crate::socket::Socket;

const KIB: usize = 1024;
/// What jobs and bodies may take here, each.
const HOARD_BYTES: u64 = (4 << 20) + 2 * 64 * 1024;
const _: () = assert!(MEMORY_BYTES / MEMORY_HOARD_PARTS < 4 << 20, "what the largest body takes");

/// A broker of one shard that may hold little.
fn scarce(change: impl FnOnce(&mut Limits)) -> TestServer {
    one_shard(|limits| {
        little(limits);
        change(limits);
    })
}

#[tokio::test]
async fn many_small_messages_that_do_not_end_hold_nobody_up() {
    const KEPT: usize = 14_000;
    let server = scarce(|_| {});
    let mut begun = head(BINARY, 60_000);
    begun.resize(begun.len() + KEPT, 0);
    let mut lines = vec![];
    for _ in 0..MEMORY_BYTES / KEPT {
        lines.push(Socket::join(server.port, "/pub/begun").await);
    }
    let mut is_begun = false;
    beside_innocents(&server, async || {
        // the beginning, then a byte now and then; who was shed is gone
        let bytes = if is_begun { &[0][..] } else { &begun };
        for line in &mut lines {
            line.write(bytes).await.ok();
        }
        is_begun = true;
        assert!(server.count(|c| &c.memory_bytes) <= MEMORY_BYTES as u64);
    })
    .await;
    server.until_any(|c| &c.memory_sheds).await;
    drop(lines);
    server.until(|c| &c.connections, 0).await;
    server.until(|c| &c.memory_bytes, 0).await;
}

#[tokio::test]
async fn the_tail_of_a_large_message_keeps_no_large_buffer() {
    const LINES: usize = 100;
    let server = scarce(|_| {});
    let mut bytes = numbered(0, 256 * KIB);
    bytes.push(BINARY);
    let mut lines = vec![];
    for number in 1..=LINES {
        let mut line = Line::open(&server, "/sub/any").await;
        line.send(&bytes).await;
        server.until(|c| &c.messages_ignored, number as u64).await;
        lines.push(line);
    }
    assert!(server.count(|c| &c.memory_bytes) < (LINES * KIB) as u64);
}

#[tokio::test]
async fn jobs_that_nobody_pulls_leave_memory_for_the_others() {
    let server = scarce(|_| {});
    let mut pushers = JoinSet::new();
    for number in 0..8 {
        let mut pusher = Socket::join(server.port, &format!("/push/full/{number}")).await;
        // until it is not read any more
        pushers.spawn(async move { while pusher.write(numbered(0, 64 * KIB)).await.is_ok() {} });
    }
    while server.count(|c| &c.publisher_waits) < 8 {
        tokio::task::yield_now().await;
    }
    // and what the eight are about to push
    let held = server.count(|c| &c.memory_bytes);
    assert!(held < 2 * HOARD_BYTES, "{held} bytes");
    beside_innocents(&server, tokio::task::yield_now).await;
    let (status, body) = server.post("/push/other", vec![0; 64 * KIB]).await;
    assert_eq!((status, body.contains("a backlog is full")), (503, true), "{body}");
    assert_eq!(server.post("/pub/news", "x").await.0, 200);
    Line::open(&server, "/sub/news").await.quiet().await;
    assert_eq!(server.count(|c| &c.memory_full), 0);
}

#[tokio::test]
async fn jobs_in_the_hands_of_deaf_pullers_leave_memory_for_the_others() {
    const DEAF: usize = 20;
    let server = scarce(|_| {});
    let (mut idle, mut deaf) = (vec![], vec![]);
    for number in 0..DEAF {
        deaf.push(Line::narrow(&server, &format!("/pull/deaf/{number}")).await);
        idle.push(Socket::join(server.port, &format!("/push/deaf/{number}")).await);
    }
    let mut pushers = JoinSet::new();
    for mut pusher in idle {
        pushers.spawn(async move { while pusher.write(numbered(0, 64 * KIB)).await.is_ok() {} });
    }
    while server.count(|c| &c.publisher_waits) < DEAF as u64 {
        tokio::task::yield_now().await;
    }
    assert!(server.count(|c| &c.memory_bytes) <= MEMORY_BYTES as u64);
    beside_innocents(&server, tokio::task::yield_now).await;
    let mut puller = Line::open(&server, "/pull/other").await;
    for number in 0..100 {
        assert_eq!(server.post("/push/other", number.to_string()).await.0, 200);
        assert_eq!(puller.text().await, number.to_string());
    }
    // what they did not get goes to the next
    drop(deaf.remove(0));
    let mut next = Line::open(&server, "/pull/deaf/0").await;
    assert_eq!(next.number().await, 0);
    assert!(server.count(|c| &c.jobs_returned) > 0);
}

#[tokio::test]
async fn bodies_that_do_not_end_leave_memory_for_the_others() {
    let server = scarce(|_| {});
    let mut bodies = vec![];
    for number in 1..=HOARD_BYTES >> 20 {
        let mut body = Socket::open(server.port).await;
        let length = 4 << 20;
        let post = format!("POST /bus/x HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
        body.write(post).await.unwrap();
        body.write(vec![0; 1 << 20]).await.unwrap();
        server.until(|c| &c.memory_bytes, number << 20).await;
        bodies.push(body);
    }
    assert_eq!(server.post("/bus/x", vec![0; 1 << 20]).await.0, 503);
    assert_eq!(server.count(|c| &c.bodies_full), 1);
    beside_innocents(&server, tokio::task::yield_now).await;
    assert!(server.count(|c| &c.memory_bytes) <= HOARD_BYTES);
    drop(bodies);
    server.until(|c| &c.memory_bytes, 0).await;
    assert_eq!(server.post("/bus/x", vec![0; 4 << 20]).await.0, 200);
}

#[tokio::test]
async fn what_can_never_be_held_is_refused_at_once() {
    let server = scarce(|limits| {
        (limits.message_bytes_max, limits.body_bytes_max) = (5 << 20, 5 << 20);
    });
    let mut subscribers = vec![];
    for path in ["/sub/a", "/sub/a/b", "/sub/a/b/c", "/sub/a/b/c/d"] {
        subscribers.push(Line::open(&server, path).await);
    }
    let mut publisher = Line::open(&server, "/pub/a/b/c/d").await;
    publisher.send(numbered(0, 5 << 20)).await;
    let (code, reason) = publisher.closed().await;
    let expected = "message-never-fits: message of 5,242,880 bytes takes 26,215,424, with a copy \
                    for each level: more than --memory-max";
    assert_eq!((code, &*reason), (1009, expected));
    assert_eq!(server.count(|c| &c.message_too_long), 1);
    let (status, body) = server.post("/pub/a/b/c/d", vec![0; 5 << 20]).await;
    assert_eq!((status, body.contains("more than --memory-max")), (413, true), "{body}");
    // two levels can be held
    let mut publisher = Line::open(&server, "/pub/a/b").await;
    publisher.send(numbered(1, 5 << 20)).await;
    for subscriber in &mut subscribers[..2] {
        assert_eq!(subscriber.number().await, 1);
    }
}
