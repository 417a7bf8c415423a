//! Receivers that stop reading: what they lose, what they keep, and that nobody else notices.

use std::io::{ErrorKind, Read as _};
use std::time::{Duration, Instant};

use mercury::limits::{LINGER_MAX, Limits, SWEEP_INTERVAL_MAX};

use crate::frames::{Line, PING, PONG, TEXT, frame, number, numbered};
use crate::server::{PATIENCE, TestServer};
use crate::socket::Socket;

/// Payload of the messages that fill outbounds.
const MESSAGE_BYTES: usize = 64 * 1024;
/// Messages that no two kernel buffers and no small outbound hold together.
pub(crate) const MANY: usize = 128;

/// An outbound that is soon full.
fn small_outbound(limits: &mut Limits) {
    limits.outbound_bytes_max = 1024 * 1024;
}

/// Sends numbered messages, the next one when `reader` has read the last, while `goes_on`.
pub(crate) async fn publish(
    sender: &mut Line,
    reader: &mut Line,
    first: usize,
    goes_on: impl Fn(usize) -> bool,
) -> usize {
    let mut next = first;
    while goes_on(next) {
        sender.send(numbered(next, MESSAGE_BYTES)).await;
        assert_eq!(reader.number().await, next);
        next += 1;
    }
    next
}

/// The numbers of messages.
pub(crate) fn numbers(messages: &[Vec<u8>]) -> Vec<usize> {
    messages.iter().map(|payload| number(payload)).collect()
}

/// What the policies did: closed, dropped oldest, dropped newest; for peers, then for subscribers.
pub(crate) fn by_policy(server: &TestServer) -> [u64; 6] {
    [
        server.count(|c| &c.slow_bus_closed),
        server.count(|c| &c.slow_bus_dropped_oldest),
        server.count(|c| &c.slow_bus_dropped_newest),
        server.count(|c| &c.slow_pubsub_closed),
        server.count(|c| &c.slow_pubsub_dropped_oldest),
        server.count(|c| &c.slow_pubsub_dropped_newest),
    ]
}

/// A laggard overflows its outbound; `sender`, `reader` and `laggard` are paths of one topic.
async fn overflow(sender: &str, reader: &str, laggard: &str) -> TestServer {
    let server = TestServer::limited(small_outbound);
    let mut sender = Line::open(&server, sender).await;
    let mut reader = Line::open(&server, reader).await;
    let mut laggard = Line::narrow(&server, laggard).await;
    // the sender is in step with the reader: neither is slowed by the laggard
    let overflows = |_| server.count(|c| &c.slow_consumers) == 0;
    let sent = publish(&mut sender, &mut reader, 0, overflows).await;
    let (messages, (code, reason)) = laggard.rest().await;
    assert_eq!(
        (code, reason.as_str()),
        (1013, "slow-consumer: more than 1,048,576 bytes behind (--max-outbound)")
    );
    let came = messages.len();
    assert_eq!(numbers(&messages), (0..came).collect::<Vec<_>>(), "a gap before the Close");
    assert!(came < sent, "nothing was dropped");
    assert!(messages.iter().all(|payload| payload.len() == MESSAGE_BYTES));
    let dropped = server.count(|c| &c.slow_consumer_bytes);
    assert!(dropped > 1024 * 1024 - 2 * MESSAGE_BYTES as u64, "{dropped} bytes");
    publish(&mut sender, &mut reader, sent, |next| next < sent + MANY).await;
    reader.quiet().await;
    assert_eq!(server.count(|c| &c.slow_consumers), 1);
    // it may come back at once
    drop(laggard);
    server.until(|c| &c.connections, 2).await;
    server
}

#[tokio::test]
async fn a_subscriber_that_stops_reading_gets_whole_frames_and_a_1013() {
    let server = overflow("/pub/a/b", "/sub/a/b", "/sub/a").await;
    assert_eq!(by_policy(&server), [0, 0, 0, 1, 0, 0]);
}

#[tokio::test]
async fn a_peer_that_stops_reading_gets_whole_frames_and_a_1013() {
    let server = overflow("/bus/a", "/bus/a", "/bus/a").await;
    assert_eq!(by_policy(&server), [1, 0, 0, 0, 0, 0]);
}

#[tokio::test]
async fn who_does_not_read_its_close_is_reset_after_two_seconds() {
    let server = TestServer::limited(|limits| {
        small_outbound(limits);
        limits.ping_interval = None;
        // makes the shard look at the time more often
        limits.pong_wait_max = Duration::from_millis(200);
    });
    let mut sender = Line::open(&server, "/pub/a").await;
    let mut reader = Line::open(&server, "/sub/a").await;
    let mut laggard = Socket::join_small(server.port, "/sub/a").await.into_std();
    let (mut sent, mut begin) = (0, Instant::now());
    while server.count(|c| &c.slow_consumers) == 0 {
        begin = Instant::now();
        sent = publish(&mut sender, &mut reader, sent, |next| next <= sent).await;
    }
    server.until(|c| &c.connections, 2).await;
    // less what the shard's time may be behind on a loaded machine
    let lingered = begin.elapsed();
    assert!(lingered + SWEEP_INTERVAL_MAX >= LINGER_MAX, "{lingered:?}");
    // it has what its kernel took, and no Close
    laggard.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut came = vec![];
    let end = laggard.read_to_end(&mut came).unwrap_err();
    assert_eq!(end.kind(), ErrorKind::ConnectionReset);
    assert!(!came.is_empty() && came.len() < sent * MESSAGE_BYTES, "{} bytes", came.len());
}

#[tokio::test]
async fn many_laggards_cost_each_other_nothing() {
    let server = TestServer::limited(small_outbound);
    let mut sender = Line::open(&server, "/pub/a").await;
    let mut reader = Line::open(&server, "/sub/a").await;
    let mut laggards = vec![];
    for _ in 0..20 {
        laggards.push(Line::narrow(&server, "/sub/a").await);
    }
    let overflow = |_| server.count(|c| &c.slow_consumers) < 20;
    publish(&mut sender, &mut reader, 0, overflow).await;
    for laggard in laggards.drain(..10) {
        laggard.reset();
    }
    server.until(|c| &c.connections, 12).await;
    reader.quiet().await;
}

#[tokio::test]
async fn a_write_without_progress_is_a_1013() {
    let server = TestServer::limited(|limits| {
        limits.write_stall_max = Duration::from_millis(200);
        limits.outbound_bytes_max = 1 << 30;
    });
    let mut sender = Line::open(&server, "/pub/a").await;
    let mut reader = Line::open(&server, "/sub/a").await;
    let mut laggard = Line::narrow(&server, "/sub/a").await;
    let stalls = |next| next < MANY || server.count(|c| &c.write_stalls) == 0;
    let sent = publish(&mut sender, &mut reader, 0, stalls).await;
    let (messages, (code, reason)) = laggard.rest().await;
    assert_eq!(
        (code, reason.as_str()),
        (1013, "write-stalled: took nothing for 200ms (--write-timeout)")
    );
    let came = messages.len();
    assert_eq!(numbers(&messages), (0..came).collect::<Vec<_>>(), "a gap before the Close");
    assert!(came < sent, "nothing was dropped");
    assert_eq!(server.count(|c| &c.write_stalls), 1);
    publish(&mut sender, &mut reader, sent, |next| next < sent + 10).await;
}

#[tokio::test]
async fn a_laggard_within_its_bounds_gets_everything_in_order() {
    let server = TestServer::limited(|limits| limits.outbound_bytes_max = 64 * 1024 * 1024);
    let mut sender = Line::open(&server, "/pub/a").await;
    let mut reader = Line::open(&server, "/sub/a").await;
    let mut laggard = Line::narrow(&server, "/sub/a").await;
    for round in 1..4 {
        let sent = MANY * (round - 1);
        let sent = publish(&mut sender, &mut reader, sent, |next| next < MANY * round).await;
        // its own pong keeps its place behind what came before
        laggard.send([frame(PING, "here"), frame(TEXT, "ignored")].concat()).await;
        server.until(|c| &c.messages_ignored, round as u64).await;
        for expected in sent - MANY..sent {
            assert_eq!(laggard.number().await, expected);
        }
        assert_eq!(laggard.next().await, (PONG, b"here".to_vec()));
    }
    laggard.quiet().await;
    reader.quiet().await;
    assert_eq!(server.count(|c| &c.slow_consumers), 0);
}

#[tokio::test]
async fn an_empty_outbound_takes_one_message_of_any_size() {
    const BODY_BYTES: usize = 16 * 1024 * 1024;
    let server = TestServer::limited(small_outbound);
    let mut laggard = Line::narrow(&server, "/sub/a").await;
    assert_eq!(server.post("/pub/a", vec![b'x'; BODY_BYTES]).await.0, 200);
    // what comes behind it is bounded as always
    assert_eq!(server.post("/pub/a", "behind").await.0, 200);
    let (first, payload) = laggard.next().await;
    assert_eq!((first, payload.len()), (TEXT, BODY_BYTES));
    assert_eq!(laggard.text().await, "behind");
    assert_eq!(server.count(|c| &c.slow_consumers), 0);
    assert_eq!(server.post("/pub/a", vec![b'x'; BODY_BYTES]).await.0, 200);
    assert_eq!(server.post("/pub/a", vec![b'y'; 2 * 1024 * 1024]).await.0, 200);
    server.until(|c| &c.slow_consumers, 1).await;
    // the message that is partly written is not cut
    let (messages, (code, _)) = laggard.rest().await;
    assert_eq!((messages.len(), messages[0].len(), code), (1, BODY_BYTES, 1013));
}

#[tokio::test]
async fn a_stalled_puller_is_passed_over_and_goes_on_later() {
    let server = TestServer::limited(|limits| {
        small_outbound(limits);
        limits.write_stall_max = Duration::from_millis(100);
    });
    let mut busy = Line::narrow(&server, "/pull/a").await;
    let mut idle = Line::open(&server, "/pull/a").await;
    let mut pusher = Line::open(&server, "/push/a").await;
    let pushing = async {
        for number in 0..MANY {
            pusher.send(numbered(number, MESSAGE_BYTES)).await;
        }
        // behind all jobs: the broker has taken them when the pong comes
        pusher.quiet().await;
    };
    let pulling = async {
        let mut came = vec![];
        while came.last() != Some(&(MANY - 1)) {
            came.push(idle.number().await);
        }
        came
    };
    let ((), mut came) = tokio::join!(pushing, pulling);
    assert!(came.is_sorted(), "jobs keep their order");
    assert!(came.len() > MANY / 2, "the busy puller got {} of {MANY}", MANY - came.len());
    // it is neither closed nor forgotten: its jobs are its own
    let mut kept = vec![];
    while kept.len() + came.len() < MANY {
        kept.push(busy.number().await);
    }
    assert!(kept.is_sorted(), "jobs keep their order");
    came.extend(kept);
    came.sort_unstable();
    assert_eq!(came, (0..MANY).collect::<Vec<_>>());
    // now that it reads it has its turn again
    busy.quiet().await;
    pusher.send([numbered(1000, 8), numbered(1001, 8)].concat()).await;
    let mut both = [busy.number().await, idle.number().await];
    both.sort_unstable();
    assert_eq!(both, [1000, 1001]);
    assert_eq!(server.count(|c| &c.jobs_returned), 0);
    assert_eq!(server.count(|c| &c.write_stalls), 0);
    assert_eq!(server.count(|c| &c.slow_consumers), 0);
}

#[tokio::test]
async fn what_a_stalled_puller_did_not_get_goes_to_another_when_it_leaves() {
    let server = TestServer::limited(small_outbound);
    let mut busy = Line::narrow(&server, "/pull/a").await;
    let mut pusher = Line::open(&server, "/push/a").await;
    for number in 0..MANY {
        pusher.send(numbered(number, MESSAGE_BYTES)).await;
    }
    server.until(|c| &c.messages_in, MANY as u64).await;
    assert_eq!(busy.number().await, 0);
    busy.reset();
    server.until(|c| &c.connections, 1).await;
    let mut idle = Line::open(&server, "/pull/a").await;
    // what its socket took is lost with it; of the rest nothing is
    let first = idle.number().await;
    assert!(first > 0, "a job was given out twice");
    for expected in first + 1..MANY {
        assert_eq!(idle.number().await, expected);
    }
    idle.quiet().await;
    assert!(server.count(|c| &c.jobs_returned) > 0);
}
