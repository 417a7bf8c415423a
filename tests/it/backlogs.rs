//! Limits of backlogs: jobs that no puller takes wait, and then their pushers do.

use mercury::limits::Limits;

use crate::frames::{Line, TEXT, frame};
use crate::server::TestServer;
use crate::wire::Wire;

/// Backlogs of so many bytes, a topic and all together.
fn bytes(limits: &mut Limits, topic: usize, all: usize) {
    limits.message_bytes_max = 1000;
    limits.body_bytes_max = 1000;
    limits.backlog_bytes_max = topic;
    limits.backlogs_bytes_max = all;
}

/// A job of this size; its first character tells it from others.
fn job(letter: &str, size: usize) -> Vec<u8> {
    frame(TEXT, format!("{letter}{}", "-".repeat(size - 1)))
}

/// The first character of the next job.
async fn letter(puller: &mut Line) -> String {
    puller.text().await[..1].to_owned()
}

#[tokio::test]
async fn a_post_to_a_full_backlog_waits_and_then_is_a_503() {
    let server = TestServer::limited(|limits| limits.backlog_messages_max = 2);
    assert_eq!(server.post("/push/a", "1").await.0, 200);
    assert_eq!(server.post("/push/a", "2").await.0, 200);
    let json = "Accept: application/json\r\n";
    let message = "no puller took a job for 5 seconds and a backlog is full: the topic's own, \
                   or that of all topics together";
    let expected = format!("{{\"code\":\"backlog-full\",\"message\":\"{message}\"}}\n");
    assert_eq!(server.post_as("/push/a", json, "3").await, (503, expected));
    server.until(|c| &c.backlog_full, 1).await;
    server.until(|c| &c.refusals, 1).await;
    server.until(|c| &c.backlog_messages, 2).await;
    assert_eq!(server.count(|c| &c.backlog_bytes), 2);
    // what was refused is not given out
    let mut puller = server.connect("/pull/a").await;
    assert_eq!(puller.text().await, "1");
    assert_eq!(puller.text().await, "2");
    puller.quiet().await;
}

#[tokio::test]
async fn a_post_that_waits_is_taken_once_there_is_room() {
    let server = TestServer::limited(|limits| limits.backlog_messages_max = 1);
    assert_eq!(server.post("/push/a", "1").await.0, 200);
    let pulling = async {
        while server.count(|c| &c.publisher_waits) == 0 {
            tokio::task::yield_now().await;
        }
        let mut puller = server.connect("/pull/a").await;
        (puller.text().await, puller.text().await)
    };
    let (answer, jobs) = tokio::join!(server.post("/push/a", "2"), pulling);
    assert_eq!(answer.0, 200);
    assert_eq!(jobs, ("1".to_owned(), "2".to_owned()));
    assert_eq!(server.count(|c| &c.backlog_full), 0);
}

#[tokio::test]
async fn a_pusher_whose_topic_has_many_jobs_waits_and_loses_none() {
    let server = TestServer::limited(|limits| limits.backlog_messages_max = 3);
    let mut pusher = Line::open(&server, "/push/a").await;
    let jobs: Vec<String> = (0..1000).map(|number| format!("job {number}")).collect();
    pusher.send(jobs.iter().flat_map(|job| frame(TEXT, job)).collect::<Vec<u8>>()).await;
    server.until(|c| &c.publisher_waits, 1).await;
    server.until(|c| &c.backlog_messages, 3).await;
    assert_eq!(server.count(|c| &c.messages_in), 3);
    let mut puller = Line::open(&server, "/pull/a").await;
    for job in &jobs {
        assert_eq!(puller.text().await, *job);
    }
    server.until(|c| &c.backlog_messages, 0).await;
    server.until(|c| &c.backlog_bytes, 0).await;
}

#[tokio::test]
async fn a_pusher_whose_topic_has_many_bytes_waits_and_loses_none() {
    let server = TestServer::limited(|limits| bytes(limits, 1000, 10_000));
    let mut pusher = Line::open(&server, "/push/a").await;
    // a limit is inclusive
    pusher.send([job("a", 400), job("b", 600), job("c", 1)].concat()).await;
    server.until(|c| &c.publisher_waits, 1).await;
    server.until(|c| &c.backlog_messages, 2).await;
    assert_eq!(server.count(|c| &c.backlog_bytes), 1000);
    // another topic has a backlog of its own
    assert_eq!(server.post("/push/b", [b'x'; 1000]).await.0, 200);
    let mut puller = Line::open(&server, "/pull/a").await;
    for expected in ["a", "b", "c"] {
        assert_eq!(letter(&mut puller).await, expected);
    }
    server.until(|c| &c.backlog_bytes, 1000).await;
}

#[tokio::test]
async fn all_backlogs_together_are_bounded() {
    let server = TestServer::limited(|limits| bytes(limits, 1000, 1500));
    let mut pushers = vec![];
    for (number, topic) in ["a", "b"].into_iter().enumerate() {
        let mut pusher = Line::open(&server, &format!("/push/{topic}")).await;
        pusher.send(job(topic, 1000)).await;
        server.until(|c| &c.backlog_messages, 1).await;
        server.until(|c| &c.publisher_waits, number as u64).await;
        pushers.push(pusher);
    }
    // they may live on two shards: the one that waits looks again by itself
    let mut puller = Line::open(&server, "/pull/a").await;
    assert_eq!(letter(&mut puller).await, "a");
    let mut other = Line::open(&server, "/pull/b").await;
    assert_eq!(letter(&mut other).await, "b");
    server.until(|c| &c.backlog_messages, 0).await;
    // both jobs found room one after the other; there is as much as before
    drop((puller, other));
    server.until(|c| &c.connections, 2).await;
    assert_eq!(server.post("/push/c", [b'x'; 1000]).await.0, 200);
    assert_eq!(server.post("/push/d", [b'x'; 500]).await.0, 200);
}

#[tokio::test]
async fn many_pushers_of_a_full_topic_get_their_turns() {
    const PUSHERS: usize = 20;
    const JOBS: usize = 50;
    let server = TestServer::limited(|limits| limits.backlog_messages_max = 1);
    let mut pushers = vec![];
    for number in 0..PUSHERS {
        let mut pusher = Line::open(&server, "/push/a").await;
        let jobs = (0..JOBS).flat_map(|job| frame(TEXT, format!("{number} {job}")));
        pusher.send(jobs.collect::<Vec<u8>>()).await;
        pushers.push(pusher);
    }
    server.until(|c| &c.publisher_waits, PUSHERS as u64).await;
    let mut puller = Line::open(&server, "/pull/a").await;
    let mut next = [0; PUSHERS];
    for _ in 0..PUSHERS * JOBS {
        let text = puller.text().await;
        let (pusher, job) = text.split_once(' ').unwrap();
        let next: &mut usize = &mut next[pusher.parse::<usize>().unwrap()];
        assert_eq!(job, next.to_string(), "jobs of one pusher keep their order");
        *next += 1;
    }
    assert_eq!(next, [JOBS; PUSHERS]);
    puller.quiet().await;
}

#[tokio::test]
async fn a_post_that_waits_and_finds_no_topic_left_is_a_503() {
    let server = TestServer::limited(|limits| {
        bytes(limits, 1000, 1000);
        limits.topics_max = 2;
    });
    assert_eq!(server.post("/push/a", [b'x'; 1000]).await.0, 200);
    let taking = async {
        while server.count(|c| &c.publisher_waits) == 0 {
            tokio::task::yield_now().await;
        }
        server.connect("/sub/c").await
    };
    let (answer, _subscriber) = tokio::join!(server.post("/push/b", [b'x'; 1000]), taking);
    let message = "there are as many topics as --max-topics allows\n";
    assert_eq!(answer, (503, message.to_owned()));
    server.until(|c| &c.topics_full, 1).await;
}

/// So many POSTs that wait for room in a topic that has one job.
async fn waiting_posts(server: &TestServer, count: u64) -> Vec<Wire> {
    assert_eq!(server.post("/push/a", "1").await.0, 200);
    server.until(|c| &c.backlog_messages, 1).await;
    let mut posts = vec![];
    for number in 0..count {
        let mut wire = Wire::open(server).await;
        let head = "POST /push/a HTTP/1.1\r\nHost: broker\r\nContent-Length: 4\r\n\r\n";
        wire.send(format!("{head}{number:04}")).await;
        posts.push(wire);
    }
    server.until(|c| &c.publisher_waits, count).await;
    posts
}

#[tokio::test]
async fn posts_that_wait_are_given_up_when_their_clients_reset() {
    const POSTS: u64 = 50;
    let server = TestServer::limited(|limits| limits.backlog_messages_max = 1);
    let posts = waiting_posts(&server, POSTS).await;
    let held = server.count(|c| &c.memory_bytes);
    posts.into_iter().for_each(Wire::reset);
    server.until(|c| &c.publisher_hangups, POSTS).await;
    // their bodies are given back, and none of them is an answer that nobody hears
    server.until(|c| &c.memory_bytes, held - 4 * POSTS).await;
    assert_eq!(server.count(|c| &c.backlog_full), 0);
    assert_eq!(server.count(|c| &c.refusals), 0);
    // they left the row as well: who comes now is next
    let mut puller = Line::open(&server, "/pull/a").await;
    assert_eq!(puller.text().await, "1");
    assert_eq!(server.post("/push/a", "2").await.0, 200);
    assert_eq!(puller.text().await, "2");
    puller.quiet().await;
}

#[tokio::test]
async fn a_post_that_waits_and_will_say_no_more_is_answered() {
    let server = TestServer::limited(|limits| limits.backlog_messages_max = 1);
    let mut posts = waiting_posts(&server, 2).await;
    let (reset, mut ended) = (posts.pop().unwrap(), posts.pop().unwrap());
    ended.end().await;
    // its end is long there when the reset that came behind it was noticed
    reset.reset();
    server.until(|c| &c.publisher_hangups, 1).await;
    let mut puller = Line::open(&server, "/pull/a").await;
    assert_eq!(puller.text().await, "1");
    assert_eq!(puller.text().await, "0000");
    assert_eq!(ended.answer().await.status, 200);
    puller.quiet().await;
    assert_eq!(server.count(|c| &c.publisher_hangups), 1);
}
