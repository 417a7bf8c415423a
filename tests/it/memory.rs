//! `--memory-max`: when it is nearly used up, the farthest behind are shed, newcomers are refused,
//! and what is counted does not pass it.

use std::time::Duration;

use mercury::limits::Limits;
use mercury::slow_consumer::{Policy, SlowConsumer};
use tokio::task::JoinSet;

use crate::bounds::assert_temporary;
use crate::frames::{BINARY, Line, PING, PONG, TEXT, frame, handshake, head, numbered};
use crate::process::Process;
use crate::server::TestServer;
use crate::slow_consumers::{numbers, publish};

pub(crate) const MIB: usize = 1024 * 1024;
/// What the broker of these tests may hold.
pub(crate) const MEMORY_BYTES: usize = 20 * MIB;

/// One shard and one acceptor that may hold little, and receivers that may be far behind.
fn scarce() -> TestServer {
    TestServer::with(|config| {
        config.shards = std::num::NonZeroUsize::MIN;
        little(&mut config.limits);
    })
}

/// They may hold little, and be far behind.
pub(crate) fn little(limits: &mut Limits) {
    limits.body_bytes_max = 4 * MIB;
    limits.memory_bytes_max = MEMORY_BYTES;
    limits.outbound_bytes_max = 1 << 30;
    limits.backlog_bytes_max = 1 << 30;
    limits.backlogs_bytes_max = 1 << 30;
}

#[tokio::test]
async fn the_farthest_behind_is_shed_first() {
    let server = scarce();
    let mut sender = Line::open(&server, "/pub/a").await;
    let mut reader = Line::open(&server, "/sub/a").await;
    let mut far = Line::narrow(&server, "/sub/a").await;
    let sent = publish(&mut sender, &mut reader, 0, |next| next < 100).await;
    // it begins to lag when the other is far behind already
    let mut near = Line::narrow(&server, "/sub/a").await;
    let mut most = 0;
    let mut next = sent;
    while server.count(|c| &c.memory_sheds) == 0 {
        most = most.max(server.count(|c| &c.memory_bytes));
        next = publish(&mut sender, &mut reader, next, |at| at <= next).await;
    }
    assert!(most <= MEMORY_BYTES as u64, "{most} bytes");
    let (messages, (code, reason)) = far.rest().await;
    let expected =
        "memory-shed: the broker is short of memory, and much waits for you (--memory-max)";
    assert_eq!((code, &*reason), (1013, expected));
    assert_eq!(numbers(&messages), (0..messages.len()).collect::<Vec<_>>());
    assert_eq!(server.count(|c| &c.memory_sheds), 1);
    // the other one gets all that is its own
    for expected in sent..next {
        assert_eq!(near.number().await, expected);
    }
    near.quiet().await;
    reader.quiet().await;
    assert_eq!(server.count(|c| &c.memory_full), 0);
    drop(far);
    server.until(|c| &c.connections, 3).await;
    server.until(|c| &c.memory_bytes, 0).await;
}

#[tokio::test]
async fn a_receiver_that_messages_are_dropped_from_is_shed_and_stays() {
    let server = TestServer::with(|config| {
        config.shards = std::num::NonZeroUsize::MIN;
        little(&mut config.limits);
        let policy = Policy::DropOldest;
        config.limits.slow_consumer = SlowConsumer { bus: policy, pubsub: policy };
    });
    let mut sender = Line::open(&server, "/pub/a").await;
    let mut reader = Line::open(&server, "/sub/a").await;
    let mut laggard = Line::narrow(&server, "/sub/a").await;
    let shed = |_| server.count(|c| &c.memory_sheds) == 0;
    let sent = publish(&mut sender, &mut reader, 0, shed).await;
    laggard.send(frame(PING, "here")).await;
    let mut came = 0;
    while laggard.next().await.0 != PONG {
        came += 1;
    }
    assert_eq!(came + server.count(|c| &c.slow_pubsub_dropped_oldest), sent as u64);
    publish(&mut sender, &mut reader, sent, |next| next < sent + 1).await;
    assert_eq!(laggard.number().await, sent);
    server.until(|c| &c.memory_bytes, 0).await;
}

/// What each of those is sent who fill the memory.
const LARGE_BYTES: usize = MIB;
/// Jobs that wait meanwhile.
const JOBS: [&str; 2] = ["one", "two"];

/// Fills the memory with what nobody could shed: messages that are partly written to subscribers
/// who read nothing and lose none. Publisher and subscriber of each; the last one waits.
async fn fill(server: &TestServer) -> Vec<[Line; 2]> {
    let mut pairs = vec![];
    for number in 0..2 * MEMORY_BYTES / LARGE_BYTES {
        let deaf = Line::narrow(server, &format!("/sub/deaf/{number}")).await;
        pairs.push([Line::open(server, &format!("/pub/deaf/{number}")).await, deaf]);
    }
    for number in 0..pairs.len() {
        pairs[number][0].send(numbered(number, LARGE_BYTES)).await;
        while server.count(|c| &c.messages_in) <= number as u64 + JOBS.len() as u64 {
            if server.count(|c| &c.publisher_waits) > 0 {
                pairs.truncate(number + 1);
                return pairs;
            }
            tokio::task::yield_now().await;
        }
    }
    panic!("there is room for everything");
}

#[tokio::test]
async fn newcomers_and_posts_are_refused_and_nothing_accepted_is_lost() {
    let policy = Policy::DropOldest;
    let server = TestServer::with(|config| {
        config.shards = std::num::NonZeroUsize::MIN;
        little(&mut config.limits);
        config.limits.message_bytes_max = LARGE_BYTES;
        config.limits.write_stall_max = Duration::from_hours(1);
        config.limits.slow_consumer = SlowConsumer { bus: policy, pubsub: policy };
    });
    let mut pusher = Line::open(&server, "/push/full").await;
    for job in JOBS {
        pusher.send(frame(TEXT, job)).await;
        pusher.quiet().await;
    }
    let filled = fill(&server).await;
    assert!(server.count(|c| &c.memory_bytes) <= MEMORY_BYTES as u64);
    let sentence = "as much waits to be sent as --memory-max allows";
    assert_temporary(&server.exchange(handshake("/sub/b")).await, sentence);
    assert_eq!(server.post("/push/other", "job").await, (503, format!("{sentence}\n")));
    assert_eq!(server.post("/pub/a", "x").await, (503, format!("{sentence}\n")));
    let answer = server.exchange(
        "POST /bus/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAccept: application/json\r\n\
         Content-Length: 1\r\n\r\nx",
    );
    let answer = answer.await;
    assert!(answer.contains("\r\nretry-after: "), "{answer}");
    assert!(answer.contains("{\"code\":\"memory-full\","), "{answer}");
    assert_eq!(server.count(|c| &c.memory_full), 4);
    // a puller is let in: it makes room
    let mut puller = Line::open(&server, "/pull/full").await;
    for job in JOBS {
        assert_eq!(puller.text().await, job);
    }
    // and whoever waits is read again when there is room
    for (number, [_, mut deaf]) in filled.into_iter().enumerate() {
        assert_eq!(deaf.number().await, number);
    }
    assert_eq!(server.post("/push/full", "more").await.0, 200);
    assert_eq!(puller.text().await, "more");
    server.until(|c| &c.memory_bytes, 0).await;
    Line::open(&server, "/sub/b").await.quiet().await;
}

#[tokio::test]
async fn messages_that_do_not_end_make_room_for_those_that_do() {
    const UNFINISHED: usize = 200;
    const KEPT: usize = 200 * 1024;
    let server = scarce();
    let mut sender = Line::open(&server, "/pub/a").await;
    let mut reader = Line::open(&server, "/sub/a").await;
    let mut unfinished = vec![];
    for _ in 0..UNFINISHED {
        unfinished.push(Line::open(&server, "/pub/b").await);
    }
    for (number, line) in unfinished.iter_mut().enumerate() {
        // half of them a frame that is not whole, half a fragment that is
        let (first, missing) = if number % 2 == 0 { (BINARY, 1) } else { (BINARY & 0x7f, 0) };
        let mut begun = head(first, KEPT);
        begun.resize(begun.len() + KEPT - missing, 0);
        line.send(begun).await;
        sender.send(numbered(number, 8)).await;
        assert_eq!(reader.number().await, number);
        assert!(server.count(|c| &c.memory_bytes) <= MEMORY_BYTES as u64);
    }
    let shed = server.count(|c| &c.memory_sheds);
    assert!(shed >= UNFINISHED as u64 / 4, "{shed}");
    let mut closing = JoinSet::new();
    for mut line in unfinished {
        closing.spawn(async move { line.closed().await });
    }
    for _ in 0..shed {
        let (code, reason) = closing.join_next().await.unwrap().unwrap();
        let expected = "memory-cut-short: the broker is short of memory, and your message is not \
                        whole (--memory-max)";
        assert_eq!((code, &*reason), (1013, expected));
    }
    // the others are still in the middle of their messages
    closing.shutdown().await;
    server.until(|c| &c.connections, 2).await;
    server.until(|c| &c.memory_bytes, 0).await;
}

#[tokio::test]
async fn the_start_says_what_there_is_and_what_the_limits_add_up_to() {
    let flags = ["--memory-max", "100MiB", "--clients", "100", "--shards", "1"];
    let broker = Process::broker(&flags).await;
    let line = broker.start.last().unwrap();
    // 100 of 4.75 MiB, 256 MiB of bodies, 256 MiB of jobs and 625 MiB of their places
    assert!(line.contains(" memory_max=100MiB worst_case=1.6GiB"), "{line}");
    let ended = Process::run(&["broker", "--memory-max", "32MiB", "--shards", "2"], &[]).await;
    let expected = "mercury: --memory-max is 33,554,432, less than 46,137,344, which is twice the \
                    larger of --max-message and --max-body, and 4 MiB for each thread";
    assert_eq!((ended.status, &*ended.lines[0]), (Some(2), expected));
}
