//! What a drain delivers: all that was accepted, to all who keep reading (behaviour section 9).

use std::time::{Duration, Instant};

use mercury::metrics::Metrics;
use tokio::task::JoinSet;

use crate::process::Process;
use crate::server::{PATIENCE, TestServer};
use crate::socket::{Socket, TEXT, upgrade};
use crate::stopping::{NOTHING_CUT, draining_for, goodbye, reaches};

/// Sends until it is refused, at most `count` messages of a KiB.
async fn publish(port: u16, name: usize, count: usize) {
    let mut socket = Socket::join(port, "/pub/news").await;
    for number in 0..count {
        let text = format!("{name} {number} {}", "x".repeat(1024));
        if socket.send(TEXT, text.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// POSTs until it is refused, at most `count` messages; those that were accepted.
async fn deliver(port: u16, name: usize, count: usize) -> Vec<String> {
    let mut socket = Socket::open(port).await;
    let mut accepted = vec![];
    for number in 0..count {
        let text = format!("{name} {number} by POST");
        match socket.post("/pub/news", &text).await {
            Some(200) => accepted.push(text),
            Some(503) | None => break,
            Some(status) => panic!("{status}"),
        }
    }
    accepted
}

#[tokio::test]
async fn what_was_accepted_reaches_all_who_keep_reading() {
    let server = TestServer::limited(|limits| limits.drain_max = PATIENCE);
    let port = server.port;
    let (mut prompt, mut late) = (JoinSet::new(), vec![]);
    for _ in 0..8 {
        prompt.spawn(goodbye(Socket::join(port, "/sub/news").await));
        late.push(Socket::join_small(port, "/sub/news").await);
    }
    // all together less than a reader may be behind
    let (mut publishers, mut deliverers) = (JoinSet::new(), JoinSet::new());
    for name in 0..4 {
        publishers.spawn(publish(port, name, 700));
        deliverers.spawn(deliver(port, 10 + name, 2000));
    }
    let count = || server.count(|c| &c.messages_in).min(4 * server.count(|c| &c.posts_in));
    reaches(count, 200).await;
    let server = server.into_server();
    let metrics = server.metrics().clone();
    let readers = async {
        let mut heard = vec![];
        for socket in late {
            prompt.spawn(goodbye(socket));
        }
        while let Some(texts) = prompt.join_next().await {
            heard.push(texts.unwrap().0);
        }
        heard
    };
    let (drained, heard) = tokio::join!(server.drain(), readers);
    publishers.join_all().await;
    let accepted = deliverers.join_all().await.concat();
    assert_eq!(drained, NOTHING_CUT);
    check(&heard, &accepted, &metrics);
}

/// All heard the same: every accepted message once, each sender's in order.
fn check(heard: &[Vec<String>], accepted: &[String], metrics: &Metrics) {
    let first = &heard[0];
    assert!(heard.iter().all(|texts| texts == first));
    let taken = metrics.sum(|c| &c.messages_in) + metrics.sum(|c| &c.posts_in);
    assert_eq!(first.len() as u64, taken);
    for text in accepted {
        assert!(first.contains(text), "{text}");
    }
    let mut next = [0; 20];
    for text in first {
        let mut words = text.split(' ').map(str::parse::<usize>);
        let (name, number) = (words.next().unwrap().unwrap(), words.next().unwrap().unwrap());
        assert_eq!(number, next[name], "of {name}");
        next[name] += 1;
    }
}

#[tokio::test]
async fn jobs_that_a_puller_can_still_take_are_delivered() {
    let server = draining_for(PATIENCE);
    let mut puller = Socket::join_small(server.port, "/pull/work").await;
    let mut pusher = Socket::open(server.port).await;
    let jobs: Vec<_> = (0..100).map(|n| format!("{n} {}", "x".repeat(65_000))).collect();
    for job in &jobs {
        assert_eq!(pusher.post("/push/work", job).await, Some(200));
    }
    reaches(|| server.count(|c| &c.backlog_messages), 1).await;
    let server = server.into_server();
    let (drained, (texts, code, _)) = tokio::join!(server.drain(), puller.until_close());
    assert!(texts == jobs, "{} of {}", texts.len(), jobs.len());
    assert_eq!((drained, code), (NOTHING_CUT, 1001));
}

#[tokio::test]
async fn jobs_without_a_puller_are_told_by_topic() {
    let process = Process::broker(&["--shards", "2"]).await;
    let mut pusher = Socket::open(process.port()).await;
    for (path, job) in [("/push/a", "12"), ("/push/b/c", "1234"), ("/push/a", "5")] {
        assert_eq!(pusher.post(path, job).await, Some(200));
    }
    let ended = process.stop().await;
    for part in [" topic=\"a\" jobs=2 bytes=3", " topic=\"b/c\" jobs=1 bytes=4"] {
        let told = ended
            .lines
            .iter()
            .filter(|line| line.contains("jobs left without a puller") && line.ends_with(part));
        assert_eq!(told.count(), 1, "{part}: {ended:?}");
    }
    assert!(ended.lines.last().unwrap().ends_with(" backlog_messages=3"), "{ended:?}");
    assert_eq!(ended.status, Some(0));
}

#[tokio::test]
async fn a_handshake_that_meets_the_drain_is_answered() {
    for round in 0..200 {
        let server = draining_for(PATIENCE);
        let request = upgrade("/sub/fry");
        let (front, rest) = request.split_at(20);
        let mut socket = Socket::open(server.port).await;
        socket.write(front).await.unwrap();
        // there is one acceptor: once it answers this, it has read that front
        assert_eq!(server.post("/pub/fry", "").await.0, 200);
        socket.write(rest).await.unwrap();
        // the drain meets it at the door, in the inbox, at the shard or after its join
        let wait = Duration::from_micros(round);
        let begin = Instant::now();
        while begin.elapsed() < wait {
            std::hint::spin_loop();
        }
        let server = server.into_server();
        let answered = async {
            let (status, _) = socket.answer().await.expect("an answer");
            if status == 101 {
                goodbye(socket).await;
            } else {
                assert_eq!(status, 503);
            }
        };
        assert_eq!(tokio::join!(server.drain(), answered).0, NOTHING_CUT);
    }
}

/// Sends more tiny messages in each packet than are taken in a turn, until it is refused.
async fn flood(mut socket: Socket) {
    // a text message of a byte, masked with zeros
    let packet = [0x81, 0x81, 0, 0, 0, 0, b'x'].repeat(8192);
    while socket.write(&packet).await.is_ok() {}
}

#[tokio::test]
async fn what_waits_for_its_turn_reaches_all_who_keep_reading() {
    let server = TestServer::with(|config| {
        config.shards = std::num::NonZeroUsize::MIN;
        config.limits.drain_max = PATIENCE;
        config.limits.outbound_bytes_max = 1 << 30;
    });
    let port = server.port;
    let mut subscribers = JoinSet::new();
    for _ in 0..3 {
        subscribers.spawn(goodbye(Socket::join(port, "/sub/news").await));
    }
    let puller = goodbye(Socket::join(port, "/pull/work").await);
    let mut talkers = vec![];
    for path in ["/pub/news"; 12].into_iter().chain(["/push/work"; 4]) {
        talkers.push(Socket::join(port, path).await);
    }
    let mut floods = talkers.into_iter().map(flood).collect::<JoinSet<_>>();
    reaches(|| server.count(|c| &c.messages_in), 50_000).await;
    let server = server.into_server();
    let metrics = server.metrics().clone();
    let (drained, heard, (jobs, _)) = tokio::join!(server.drain(), subscribers.join_all(), puller);
    floods.shutdown().await;
    assert_eq!(drained, NOTHING_CUT);
    let news: Vec<_> = heard.iter().map(|(texts, _)| texts.len()).collect();
    assert!(news.iter().all(|count| *count == news[0]), "{news:?}");
    let taken = metrics.sum(|counters| &counters.messages_in);
    assert_eq!((news[0] + jobs.len()) as u64, taken);
}
