//! Topics by the hundred thousand: they leave no memory behind, and the limits of backlogs hold.
//!
//! `MERCURY_CYCLES` and `MERCURY_POSTS` change how many connections come and leave and how many
//! jobs are posted; `docs/benchmarks.md` has the command for a million of each.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use mercury::limits::BACKLOGS_TOPICS_MAX;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rustix::process::Signal;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::process::Process;
use crate::server::{PATIENCE, TestServer};
use crate::socket::{CLOSE, Socket, TEXT, post};

const CYCLES: usize = 100_000;
const POSTS: usize = 30_000;
/// Connections that come and leave at once.
const CLIENTS: usize = 64;
/// Cycles after which everything that is kept for reuse exists.
const WARM_UP_CYCLES: usize = 10_000;
/// Topics that there may be meanwhile: twice what all of the clients could have, each 32 deep.
const TOPICS: usize = 2 * 32 * CLIENTS;
/// What memory may differ by after all these topics.
const DRIFT_KIB: usize = 5 * 1024;
/// What a full set of backlogs of one byte each may take: 1 KiB a topic, and some room.
const BACKLOGS_KIB: usize = BACKLOGS_TOPICS_MAX + DRIFT_KIB;
/// Connections that post at once.
const POSTERS: usize = 256;
/// What an impatient poster waits before it hangs up and comes again.
const IMPATIENCE: Duration = Duration::from_millis(20);
const ROUND_TRIPS: usize = 1000;
const ROLES: [&str; 5] = ["bus", "pub", "sub", "push", "pull"];

/// A count that a variable may change.
fn count(variable: &str, default: usize) -> usize {
    std::env::var(variable).map_or(default, |count| count.parse().expect("a number"))
}

/// A path that nobody else uses, up to 32 segments deep.
fn path(role: &str, random: &mut StdRng) -> String {
    let depth = if random.random_bool(0.1) { 32 } else { random.random_range(1..5) };
    let mut path = format!("/{role}/{:x}", random.random::<u64>());
    for _ in 1..depth {
        write!(path, "/{:x}", random.random::<u16>()).unwrap();
    }
    path
}

/// Connects to random topics and leaves them, so many times in all.
async fn cycle(port: u16, cycles: usize) {
    let left = Arc::new(AtomicUsize::new(cycles));
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let left = Arc::clone(&left);
        clients.spawn(async move {
            let mut random = StdRng::seed_from_u64(client as u64);
            while left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok() {
                let role = ROLES[random.random_range(0..ROLES.len())];
                let mut socket = Socket::join(port, &path(role, &mut random)).await;
                // some are killed, most say goodbye
                if random.random_bool(0.9) {
                    socket.send(CLOSE, &1000u16.to_be_bytes()).await.unwrap();
                    while socket.frame().await.expect("an echo").0 != CLOSE {}
                }
                // a reset leaves no port behind that waits
                socket.reset();
            }
        });
    }
    clients.join_all().await;
}

/// Memory of a broker that all clients have left.
async fn at_rest(process: &Process, descriptors: usize) -> usize {
    let gone = async {
        while process.descriptors() > descriptors {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, gone).await.expect("everybody left in time");
    process.resident_kib()
}

/// All topics that there may be can be had, and not one more.
async fn has_all_topics(port: u16) {
    let mut poster = Socket::open(port).await;
    for topic in 0..TOPICS {
        let status = poster.post(&format!("/push/topic{topic}"), "x").await;
        assert_eq!(status, Some(200), "behind {topic} topics");
    }
    poster.write(post("/push/another", "x")).await.unwrap();
    let message = "there are as many topics as --max-topics allows\n".to_owned();
    assert_eq!(poster.answer().await, Some((503, message)));
}

#[tokio::test]
async fn memory_stays_where_it_was_and_every_topic_comes_back() {
    let flags = ["--shards", "2", "--max-topics", &TOPICS.to_string()];
    let process = Process::broker(&flags).await;
    let descriptors = process.descriptors();
    cycle(process.port(), WARM_UP_CYCLES).await;
    let before = at_rest(&process, descriptors).await;
    cycle(process.port(), count("MERCURY_CYCLES", CYCLES)).await;
    let after = at_rest(&process, descriptors).await;
    println!("{before} KiB before, {after} KiB after");
    assert!(after.abs_diff(before) <= DRIFT_KIB, "{before} KiB became {after}");
    has_all_topics(process.port()).await;
    assert_eq!(process.stop().await.status, Some(0));
}

#[tokio::test]
async fn no_topic_is_left_when_everybody_has_left() {
    const CYCLES: usize = 5000;
    let server = TestServer::start();
    cycle(server.port, CYCLES).await;
    server.until(|c| &c.connections, 0).await;
    server.until(|c| &c.topics, 0).await;
    server.until(|c| &c.joins, CYCLES as u64).await;
    server.until(|c| &c.leaves, CYCLES as u64).await;
}

/// Posts jobs of one byte to random topics, so many in all. Hangs up on a broker that does not
/// answer in time, and comes again. How many were answered with 200.
async fn flood(port: u16, posts: usize, patience: Duration) -> usize {
    let left = Arc::new(AtomicUsize::new(posts));
    let mut posters = JoinSet::new();
    for _ in 0..POSTERS {
        let left = Arc::clone(&left);
        posters.spawn(async move {
            let mut random = StdRng::from_os_rng();
            let mut socket = Socket::open(port).await;
            let mut taken = 0;
            while left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok() {
                let path = path("push", &mut random);
                match timeout(patience, socket.post(&path, "x")).await {
                    Ok(Some(200)) => taken += 1,
                    Ok(Some(503)) => {}
                    Ok(other) => panic!("{path} was answered with {other:?}"),
                    Err(_) => {
                        socket.reset();
                        socket = Socket::open(port).await;
                    }
                }
            }
            taken
        });
    }
    posters.join_all().await.into_iter().sum()
}

/// Messages one after the other, each sent when the one before has arrived.
async fn round_trips(sender: &mut Socket, receiver: &mut Socket) {
    for number in 0..ROUND_TRIPS {
        sender.send(TEXT, number.to_string().as_bytes()).await.unwrap();
        assert_eq!(receiver.text().await, number.to_string());
    }
}

#[tokio::test]
async fn a_flood_of_jobs_stops_at_the_limit_and_blocks_nobody() {
    let posts = count("MERCURY_POSTS", POSTS);
    // nobody wants pings between the round trips
    let mut process = Process::broker(&["--shards", "2", "--ping-interval", "0"]).await;
    let (port, descriptors) = (process.port(), process.descriptors());
    let mut pairs = vec![];
    for (to, from) in [("/pub/a/b", "/sub/a"), ("/push/a", "/pull/a"), ("/bus/a", "/bus/a")] {
        pairs.push((Socket::join(port, to).await, Socket::join(port, from).await));
    }
    let before = at_rest(&process, descriptors + 6).await;
    let taken = flood(port, BACKLOGS_TOPICS_MAX, PATIENCE).await;
    assert_eq!(taken, BACKLOGS_TOPICS_MAX);
    let full = at_rest(&process, descriptors + 6).await;
    assert!(full <= before + BACKLOGS_KIB, "{before} KiB became {full}");
    let mut floods = JoinSet::from_iter([flood(port, posts - taken, IMPATIENCE)]);
    let mut taken_over = None;
    let mut rounds = 0;
    while taken_over.is_none() {
        for (sender, receiver) in &mut pairs {
            round_trips(sender, receiver).await;
        }
        rounds += 1;
        taken_over = floods.try_join_next();
    }
    assert_eq!(taken_over.unwrap().unwrap(), 0);
    drop(pairs);
    let after = at_rest(&process, descriptors).await;
    println!("{before} KiB, {full} with all backlogs, {after} after; {rounds} rounds");
    process.signal(Signal::TERM);
    let line = process.line_with("mercury: drained").await;
    assert!(line.ends_with(&format!("backlog_messages={BACKLOGS_TOPICS_MAX}")), "{line}");
}

/// Fills every backlog that there may be, one job each; their topics.
async fn fill(server: &TestServer) -> Vec<String> {
    let topics: Vec<_> = (0..BACKLOGS_TOPICS_MAX).map(|number| format!("full/{number}")).collect();
    let mut posters = JoinSet::new();
    for topics in topics.chunks(BACKLOGS_TOPICS_MAX / 16) {
        let (topics, port) = (topics.to_vec(), server.port);
        posters.spawn(async move {
            let mut socket = Socket::open(port).await;
            for topic in topics {
                assert_eq!(socket.post(&format!("/push/{topic}"), "x").await, Some(200));
            }
        });
    }
    posters.join_all().await;
    topics
}

#[tokio::test]
async fn full_backlogs_refuse_new_topics_and_no_puller() {
    let server = TestServer::start();
    let topics = fill(&server).await;
    server.until(|c| &c.topics, BACKLOGS_TOPICS_MAX as u64).await;
    server.until(|c| &c.backlog_messages, BACKLOGS_TOPICS_MAX as u64).await;
    // one connection has one job waiting, however many it sends
    let mut waiting = Socket::open(server.port).await;
    waiting
        .write(["/push/b", "/push/c", "/push/d"].map(|to| post(to, "x")).concat())
        .await
        .unwrap();
    server.until(|c| &c.publisher_waits, 1).await;
    // a topic with a puller takes jobs in any case, and so does a backlog that is there
    let mut puller = Socket::join(server.port, "/pull/a").await;
    let mut pusher = Socket::join(server.port, "/push/a").await;
    round_trips(&mut pusher, &mut puller).await;
    assert_eq!(server.post("/push/a", "posted").await.0, 200);
    assert_eq!(puller.text().await, "posted");
    assert_eq!(server.post(&format!("/push/{}", topics[0]), "y").await.0, 200);
    let (status, sentence) = waiting.answer().await.unwrap();
    assert_eq!((status, sentence.contains("a backlog is full")), (503, true), "{sentence}");
    assert!(server.count(|c| &c.publisher_waits) <= 2);
    drop((puller, pusher, waiting));
    // once they are pulled nothing is left
    for topics in topics.chunks(CLIENTS) {
        let mut pullers = JoinSet::new();
        for topic in topics {
            let topic = topic.clone();
            let port = server.port;
            pullers.spawn(async move {
                let mut puller = Socket::join(port, &format!("/pull/{topic}")).await;
                assert_eq!(puller.text().await, "x");
                puller.reset();
            });
        }
        pullers.join_all().await;
    }
    assert_eq!(server.post("/push/b", "room").await.0, 200);
    Socket::join(server.port, "/pull/b").await.close().await;
}
