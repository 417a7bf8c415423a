//! Back-pressure: publishers of a topic whose batch is full wait, and lose nothing.

use futures_util::future::join_all;
use mercury::limits::Limits;

use crate::frames::{Line, number, numbered};
use crate::server::TestServer;

/// Publishers soon wait, and subscribers never fall too far behind.
fn small_batch(limits: &mut Limits) {
    limits.batch_bytes_max = 16 * 1024;
    limits.outbound_bytes_max = 1 << 30;
}

/// Sends so many numbered messages of 1 KiB, many at a time.
async fn flood(line: &mut Line, messages: usize) {
    for first in (0..messages).step_by(100) {
        let some = (first..messages.min(first + 100)).flat_map(|number| numbered(number, 1024));
        line.send(some.collect::<Vec<u8>>()).await;
    }
}

/// The next so many messages are these, in order.
async fn expect_flood(line: &mut Line, messages: usize) {
    for number in 0..messages {
        assert_eq!(line.number().await, number);
    }
}

#[tokio::test]
async fn a_flood_of_100_mb_loses_nothing() {
    const MESSAGES: usize = 100_000;
    let server = TestServer::limited(small_batch);
    let mut subscriber = Line::open(&server, "/sub/a").await;
    let mut publisher = Line::open(&server, "/pub/a").await;
    tokio::join!(flood(&mut publisher, MESSAGES), expect_flood(&mut subscriber, MESSAGES));
    subscriber.quiet().await;
    assert!(server.count(|c| &c.publisher_waits) > 0, "nobody waited");
    assert_eq!(server.count(|c| &c.messages_in), MESSAGES as u64);
    assert_eq!(server.count(|c| &c.slow_consumers), 0);
}

#[tokio::test]
async fn a_full_batch_of_an_ancestor_is_waited_for_as_well() {
    const MESSAGES: usize = 5000;
    let server = TestServer::limited(small_batch);
    let mut above = Line::open(&server, "/sub/a").await;
    let mut publisher = Line::open(&server, "/pub/a/b/c").await;
    tokio::join!(flood(&mut publisher, MESSAGES), expect_flood(&mut above, MESSAGES));
    above.quiet().await;
    assert!(server.count(|c| &c.publisher_waits) > 0, "nobody waited");
}

#[tokio::test]
async fn several_publishers_wait_and_each_keeps_its_order() {
    const PUBLISHERS: usize = 5;
    const MESSAGES: usize = 2000;
    let server = TestServer::limited(small_batch);
    let mut subscribers =
        [Line::open(&server, "/sub/a").await, Line::open(&server, "/sub/a").await];
    let mut publishers = vec![];
    for _ in 0..PUBLISHERS {
        publishers.push(Line::open(&server, "/pub/a").await);
    }
    let flooding = join_all(publishers.iter_mut().enumerate().map(async |(publisher, line)| {
        for message in 0..MESSAGES {
            line.send(numbered(publisher * MESSAGES + message, 1024)).await;
        }
    }));
    let reading = join_all(subscribers.iter_mut().map(async |line| {
        let (mut next, mut order) = ([0; PUBLISHERS], vec![]);
        for _ in 0..PUBLISHERS * MESSAGES {
            let number = line.number().await;
            let (publisher, message) = (number / MESSAGES, number % MESSAGES);
            assert_eq!(message, next[publisher], "messages of {publisher} keep their order");
            next[publisher] += 1;
            order.push(number);
        }
        line.quiet().await;
        order
    }));
    let (_, orders) = tokio::join!(flooding, reading);
    assert!(orders[0] == orders[1], "all subscribers see one order");
}

#[tokio::test]
async fn peers_of_a_bus_wait_and_lose_nothing() {
    const MESSAGES: usize = 5000;
    let server = TestServer::limited(small_batch);
    let mut fry = Line::open(&server, "/bus/a").await;
    let mut leela = Line::open(&server, "/bus/a").await;
    tokio::join!(flood(&mut fry, MESSAGES), expect_flood(&mut leela, MESSAGES));
    leela.quiet().await;
    fry.quiet().await;
    assert!(server.count(|c| &c.publisher_waits) > 0, "nobody waited");
}

#[tokio::test]
async fn posts_wait_for_room_in_a_batch() {
    const POSTS: usize = 64;
    let server = TestServer::limited(|limits| {
        small_batch(limits);
        // any message fills it
        limits.batch_bytes_max = 0;
    });
    let mut subscriber = Line::open(&server, "/sub/a").await;
    let octets = "Content-Type: application/octet-stream\r\n";
    let posting = join_all((0..POSTS).map(async |number| {
        let body = [(number as u64).to_be_bytes().to_vec(), vec![0; 50_000]].concat();
        assert_eq!(server.post_as("/pub/a/b", octets, body).await, (200, String::new()));
    }));
    let reading = async {
        let mut came = vec![];
        for _ in 0..POSTS {
            let (_, payload) = subscriber.next().await;
            came.push(number(&payload));
        }
        came.sort_unstable();
        assert_eq!(came, (0..POSTS).collect::<Vec<_>>());
        subscriber.quiet().await;
    };
    tokio::join!(posting, reading);
    assert_eq!(server.count(|c| &c.batch_full), 0);
    assert_eq!(server.count(|c| &c.posts_in), POSTS as u64);
}
