//! Who has seen the 101 is a member, who has seen the Close is none: behaviour section 1.

use std::num::NonZeroUsize;

use tokio::task::JoinSet;

use crate::server::TestServer;
use crate::socket::{Socket, TEXT};

fn four_shards() -> TestServer {
    TestServer::with(|config| config.shards = NonZeroUsize::new(4).unwrap())
}

/// Joins, publishes elsewhere, and must hear it, again and again.
async fn join_and_hear(port: u16, worker: usize, tries: usize) {
    let topic = format!("room{worker}/a");
    let (hear, say) = (format!("/sub/{topic}"), format!("/pub/{topic}"));
    let mut publisher = Socket::join(port, &say).await;
    let mut poster = Socket::open(port).await;
    for number in 0..tries {
        let text = number.to_string();
        let mut subscriber = Socket::join(port, &hear).await;
        if number % 2 == 0 {
            publisher.send(TEXT, text.as_bytes()).await.unwrap();
        } else {
            assert_eq!(poster.post(&say, &text).await, Some(200));
        }
        assert_eq!(subscriber.text().await, text, "{topic}");
        subscriber.reset();
    }
}

#[tokio::test]
async fn who_has_seen_the_101_hears_what_is_published_next() {
    let server = four_shards();
    let mut workers = JoinSet::new();
    for worker in 0..8 {
        workers.spawn(join_and_hear(server.port, worker, 1250));
    }
    workers.join_all().await;
    server.until(|c| &c.connections, 0).await;
    server.until(|c| &c.topics, 0).await;
    assert_eq!(server.count(|c| &c.joins), 8 * 1251);
}

/// A puller leaves; the job pushed once its Close is echoed goes to the one that stays.
async fn leave_and_push(port: u16, worker: usize, tries: usize) {
    let (pull, push) = (format!("/pull/work{worker}"), format!("/push/work{worker}"));
    let mut stays = Socket::join(port, &pull).await;
    let mut pusher = Socket::join(port, &push).await;
    let mut poster = Socket::open(port).await;
    for number in 0..tries {
        let text = number.to_string();
        Socket::join(port, &pull).await.close().await;
        if number % 2 == 0 {
            pusher.send(TEXT, text.as_bytes()).await.unwrap();
        } else {
            assert_eq!(poster.post(&push, &text).await, Some(200));
        }
        assert_eq!(stays.text().await, text, "{push}");
    }
}

#[tokio::test]
async fn a_job_pushed_after_the_close_reply_goes_to_another_puller() {
    let server = four_shards();
    let mut workers = JoinSet::new();
    for worker in 0..8 {
        workers.spawn(leave_and_push(server.port, worker, 125));
    }
    workers.join_all().await;
    assert_eq!(server.count(|c| &c.jobs_returned), 0);
}
