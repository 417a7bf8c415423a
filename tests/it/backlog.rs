//! Jobs that wait for a puller: behaviour section 5.

use std::time::{Duration, Instant};

use tokio_tungstenite::tungstenite::Message;

use crate::server::TestServer;
use crate::wire::{PING, PONG, TEXT, Wire, close, frame};

/// A broker whose backlogs hold four jobs.
fn short() -> TestServer {
    TestServer::limited(|limits| limits.backlog_messages_max = 4)
}

async fn fill(server: &TestServer) {
    for number in 0..4 {
        assert_eq!(server.post("/push/x", number.to_string()).await, (200, String::new()));
    }
}

#[tokio::test]
async fn jobs_wait_for_the_first_puller_oldest_first() {
    let server = TestServer::start();
    let mut pusher = server.connect("/push/x").await;
    for round in 0..100 {
        pusher.send(&format!("{}", 2 * round)).await;
        server.until(|counters| &counters.messages_in, round + 1).await;
        assert_eq!(server.post("/push/x", format!("{}", 2 * round + 1)).await.0, 200);
    }
    assert_eq!(server.count(|counters| &counters.backlog_messages), 200);
    let mut first = server.connect("/pull/x").await;
    let mut second = server.connect("/pull/x").await;
    for number in 0..200 {
        assert_eq!(first.text().await, number.to_string());
    }
    assert_eq!(server.count(|counters| &counters.backlog_messages), 0);
    assert_eq!(server.count(|counters| &counters.backlog_bytes), 0);
    for job in ["one", "two"] {
        pusher.send(job).await;
    }
    assert_eq!(first.text().await, "one");
    assert_eq!(second.text().await, "two");
}

#[tokio::test]
async fn jobs_outlive_their_pusher_and_keep_their_kind() {
    let server = TestServer::start();
    let mut pusher = server.connect("/push/x").await;
    let jobs = [Message::text("text"), Message::binary(&b"\xff\x00"[..]), Message::text("")];
    for job in &jobs {
        pusher.send_message(job.clone()).await;
    }
    pusher.close().await;
    server.until(|counters| &counters.topics, 1).await;
    let mut puller = server.connect("/pull/x").await;
    for job in jobs {
        assert_eq!(puller.next().await, job);
    }
    puller.close().await;
    server.until(|counters| &counters.topics, 0).await;
}

#[tokio::test]
async fn a_backlog_belongs_to_one_topic() {
    let server = TestServer::start();
    assert_eq!(server.post("/push/x", "for x").await.0, 200);
    let mut other = server.connect("/pull/x/y").await;
    let mut wrong = server.connect("/sub/x").await;
    other.quiet().await;
    wrong.quiet().await;
    assert_eq!(server.connect("/pull/x").await.text().await, "for x");
}

#[tokio::test]
async fn a_post_to_a_full_backlog_waits_five_seconds_for_its_503() {
    let server = short();
    fill(&server).await;
    let start = Instant::now();
    let request = |path, accept| {
        format!("POST {path} HTTP/1.1\r\nHost: broker\r\n{accept}Content-Length: 2\r\n\r\nno")
    };
    let (mut text, mut json) = (Wire::open(&server).await, Wire::open(&server).await);
    let (text, json) = tokio::join!(
        text.ask(request("/push/x", "")),
        json.ask(request("/push/x", "Accept: application/json\r\n")),
    );
    let waited = start.elapsed();
    assert!((Duration::from_secs(4)..Duration::from_secs(15)).contains(&waited), "{waited:?}");
    for answer in [&text, &json] {
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(answer.field("retry-after").unwrap().parse::<u32>().unwrap() > 0);
        assert!(answer.body.contains("backlog is full"), "{answer:?}");
    }
    assert!(json.body.starts_with("{\"code\":\"backlog-full\","), "{json:?}");
    // another topic has a backlog of its own
    assert_eq!(Wire::open(&server).await.ask(request("/push/y", "")).await.status, 200);
    // what was accepted is there, what was refused is not
    let mut puller = server.connect("/pull/x").await;
    for number in 0..4 {
        assert_eq!(puller.text().await, number.to_string());
    }
    puller.quiet().await;
}

#[tokio::test]
async fn a_waiting_post_is_accepted_when_room_comes() {
    let server = short();
    fill(&server).await;
    let post = server.post("/push/x", "waited");
    let pull = async {
        server.until_any(|counters| &counters.publisher_waits).await;
        let mut puller = server.connect("/pull/x").await;
        for job in ["0", "1", "2", "3", "waited"] {
            assert_eq!(puller.text().await, job);
        }
        puller.quiet().await;
    };
    let (answer, ()) = tokio::join!(post, pull);
    assert_eq!(answer, (200, String::new()));
}

#[tokio::test]
async fn a_waiting_post_whose_client_gives_up_is_not_heard_twice() {
    let server = short();
    fill(&server).await;
    let mut wire = Wire::open(&server).await;
    wire.send("POST /push/x HTTP/1.1\r\nHost: broker\r\nContent-Length: 4\r\n\r\nlate").await;
    server.until_any(|counters| &counters.publisher_waits).await;
    drop(wire);
    let mut puller = server.connect("/pull/x").await;
    for number in 0..4 {
        assert_eq!(puller.text().await, number.to_string());
    }
    // nobody was told whether it was accepted: at most once
    assert_eq!(server.post("/push/x", "end").await.0, 200);
    let mut next = puller.text().await;
    if next == "late" {
        next = puller.text().await;
    }
    assert_eq!(next, "end");
}

#[tokio::test]
async fn a_pusher_with_a_full_backlog_is_not_read_and_goes_on_when_room_comes() {
    const JOBS: usize = 20_000;
    let server = short();
    let mut pusher = Wire::connect(&server, "/push/x").await;
    let mut packet = vec![];
    for number in 0..100 {
        packet.extend(frame(TEXT, number.to_string()));
    }
    packet.extend(frame(PING, "behind them"));
    pusher.send(packet).await;
    server.until(|counters| &counters.publisher_waits, 1).await;
    pusher.silent().await;
    assert_eq!(server.count(|counters| &counters.messages_in), 4);
    assert_eq!(server.count(|counters| &counters.backlog_messages), 4);
    let mut puller = server.connect("/pull/x").await;
    let push = async {
        let pong = pusher.next().await;
        assert_eq!((pong.first, pong.payload.as_slice()), (PONG, &b"behind them"[..]));
        for number in 100..JOBS {
            pusher.send(frame(TEXT, number.to_string())).await;
        }
        pusher.send(close(1000, "")).await;
        assert_eq!(pusher.next().await.closed(), (1000, String::new()));
    };
    let pull = async {
        for number in 0..JOBS {
            assert_eq!(puller.text().await, number.to_string());
        }
        puller.quiet().await;
    };
    tokio::join!(push, pull);
}

#[tokio::test]
async fn tcp_pushes_back_on_a_pusher_and_nothing_is_lost() {
    const SIZE: usize = 60_000;
    const JOBS: usize = 300;
    let server = TestServer::limited(|limits| {
        limits.message_bytes_max = SIZE;
        limits.outbound_bytes_max = 2 * SIZE;
        limits.body_bytes_max = SIZE;
        limits.backlog_bytes_max = 4 * SIZE;
    });
    let mut pushers = vec![];
    for _ in 0..3 {
        pushers.push(server.connect("/push/x").await);
    }
    let [one, two, three] = &mut pushers[..] else { unreachable!() };
    let push = async |pusher: &mut crate::server::Client, name: usize| {
        for number in 0..JOBS / 3 {
            pusher.send(&format!("{name}{number:0>width$}", width = SIZE - 1)).await;
        }
    };
    let pull = async {
        server.until(|counters| &counters.publisher_waits, 3).await;
        assert_eq!(server.count(|counters| &counters.backlog_bytes), 4 * SIZE as u64);
        let mut pullers = [server.connect("/pull/x").await, server.connect("/pull/x").await];
        let mut next = [0; 3];
        let [left, right] = &mut pullers;
        for _ in 0..JOBS {
            let job = tokio::select! { job = left.text() => job, job = right.text() => job };
            assert_eq!(job.len(), SIZE);
            let name: usize = job[..1].parse().unwrap();
            next[name] += job[1..].parse::<usize>().unwrap() + 1;
        }
        // each number once: the sum of 1 to 100
        assert_eq!(next, [5050; 3]);
        left.quiet().await;
        right.quiet().await;
        assert_eq!(server.count(|counters| &counters.backlog_bytes), 0);
    };
    tokio::join!(push(one, 0), push(two, 1), push(three, 2), pull);
}

#[tokio::test]
async fn a_pusher_that_closes_behind_a_full_backlog_loses_nothing() {
    let server = short();
    let mut pusher = Wire::connect(&server, "/push/x").await;
    let mut packet = vec![];
    for number in 0..50 {
        packet.extend(frame(TEXT, number.to_string()));
    }
    packet.extend(close(3001, "done"));
    pusher.send(packet).await;
    server.until(|counters| &counters.publisher_waits, 1).await;
    let mut puller = server.connect("/pull/x").await;
    for number in 0..50 {
        assert_eq!(puller.text().await, number.to_string());
    }
    assert_eq!(pusher.next().await.closed(), (3001, "done".to_owned()));
}
