//! What clients see is the same with one shard and with seven.

use std::cell::RefCell;
use std::num::NonZeroUsize;

use tokio::task::JoinSet;

use mercury::metrics::Parts as _;

use crate::server::TestServer;
use crate::socket::{Socket, TEXT};

fn with_shards(shards: usize) -> TestServer {
    TestServer::with(|config| {
        config.shards = NonZeroUsize::new(shards).unwrap();
        config.acceptors = NonZeroUsize::new(2).unwrap();
    })
}

#[tokio::test]
async fn every_pattern_works_with_any_number_of_shards() {
    for shards in [1, 2, 7] {
        let server = with_shards(shards);
        for topic in 0..20 {
            let mut sender = server.connect(&format!("/bus/{topic}/a")).await;
            let mut peer = server.connect(&format!("/bus/{topic}/a")).await;
            sender.send("bus").await;
            assert_eq!(peer.text().await, "bus");
            let mut subscriber = server.connect(&format!("/sub/{topic}")).await;
            server.connect(&format!("/pub/{topic}/a")).await.send("publisher").await;
            assert_eq!(subscriber.text().await, "publisher");
            assert_eq!(server.post(&format!("/pub/{topic}/b/c"), "POST").await.0, 200);
            assert_eq!(subscriber.text().await, "POST");
            assert_eq!(server.post(&format!("/push/{topic}"), "early").await.0, 200);
            let mut puller = server.connect(&format!("/pull/{topic}")).await;
            assert_eq!(puller.text().await, "early");
            server.connect(&format!("/push/{topic}")).await.send("pusher").await;
            assert_eq!(puller.text().await, "pusher");
            sender.quiet().await;
            peer.quiet().await;
        }
        server.until(|c| &c.connections, 0).await;
        server.until(|c| &c.topics, 0).await;
    }
}

/// Messages of each publisher.
const MESSAGES: usize = 200;
/// The branches that are published to.
const BRANCHES: [&str; 5] = ["tree", "tree/a", "tree/a/b", "tree/c", "tree/a/b/d"];

/// What a message says: its branch, who sent it, and which of that sender it is.
fn message(branch: &str, sender: usize, number: usize) -> String {
    format!("{branch} {sender} {number}")
}

/// Publishes to one branch over a WebSocket.
async fn publish(port: u16, sender: usize) {
    let branch = BRANCHES[sender % BRANCHES.len()];
    let mut socket = Socket::join(port, &format!("/pub/{branch}")).await;
    for number in 0..MESSAGES {
        socket.send(TEXT, message(branch, sender, number).as_bytes()).await.unwrap();
    }
    socket.close().await;
}

/// Publishes to all branches in turn by POST.
async fn deliver(port: u16, sender: usize) {
    let mut socket = Socket::open(port).await;
    for number in 0..MESSAGES {
        let branch = BRANCHES[number % BRANCHES.len()];
        let path = format!("/pub/{branch}");
        assert_eq!(socket.post(&path, &message(branch, sender, number)).await, Some(200));
    }
}

/// Whether a subscriber of `topic` hears what is published to `branch`.
fn is_heard(topic: &str, branch: &str) -> bool {
    branch == topic || branch.strip_prefix(topic).is_some_and(|rest| rest.starts_with('/'))
}

/// Hears this many messages.
async fn hear(
    mut socket: Socket,
    topic: &'static str,
    count: usize,
) -> (&'static str, Vec<String>) {
    let mut heard = vec![];
    while heard.len() < count {
        heard.push(socket.text().await);
    }
    socket.close().await;
    (topic, heard)
}

#[tokio::test]
async fn all_subscribers_of_a_tree_hear_one_order() {
    for shards in [1, 2, 7] {
        let server = with_shards(shards);
        let expected: Vec<_> = (0..8)
            .flat_map(|sender| (0..MESSAGES).map(move |number| (sender, number)))
            .map(|(sender, number)| {
                let branch = if sender < 5 { sender } else { number % BRANCHES.len() };
                message(BRANCHES[branch], sender, number)
            })
            .collect();
        let mut subscribers = JoinSet::new();
        for topic in BRANCHES {
            let heard = |text: &&String| is_heard(topic, text.split(' ').next().unwrap());
            let count = expected.iter().filter(heard).count();
            for _ in 0..3 {
                let socket = Socket::join(server.port, &format!("/sub/{topic}")).await;
                subscribers.spawn(hear(socket, topic, count));
            }
        }
        let mut publishers = JoinSet::new();
        for sender in 0..5 {
            publishers.spawn(publish(server.port, sender));
        }
        for sender in 5..8 {
            publishers.spawn(deliver(server.port, sender));
        }
        publishers.join_all().await;
        check(&subscribers.join_all().await, &expected);
    }
}

/// One sequence for all, nothing lost or doubled, each sender's messages in order.
fn check(heard: &[(&str, Vec<String>)], expected: &[String]) {
    let (_, order) = heard.iter().find(|(topic, _)| *topic == BRANCHES[0]).unwrap();
    for (topic, texts) in heard {
        let part = order.iter().filter(|text| is_heard(topic, text.split(' ').next().unwrap()));
        assert!(texts.iter().eq(part), "{topic} hears another order");
    }
    // sorted by sender alone, so that each sender's order is compared too
    let mut by_sender = order.clone();
    by_sender.sort_by_key(|text| text.split(' ').nth(1).unwrap().to_owned());
    assert!(by_sender == expected, "lost, doubled or out of a sender's order");
}

#[tokio::test]
async fn jobs_go_round_exactly_with_seven_shards() {
    let server = with_shards(7);
    for topic in 0..10 {
        let mut pullers = vec![];
        for _ in 0..5 {
            pullers.push(Socket::join(server.port, &format!("/pull/{topic}")).await);
        }
        let mut pusher = Socket::join(server.port, &format!("/push/{topic}")).await;
        for job in 0..100 {
            pusher.send(TEXT, job.to_string().as_bytes()).await.unwrap();
        }
        for job in 0..100 {
            assert_eq!(pullers[job % 5].text().await, job.to_string());
        }
    }
}

#[tokio::test]
async fn topics_are_spread_over_all_shards() {
    let server = with_shards(7);
    let mut sockets = vec![];
    for topic in 0..280 {
        let role = ["sub", "bus", "pull"][topic % 3];
        sockets.push(Socket::join(server.port, &format!("/{role}/{topic}")).await);
    }
    let each = RefCell::new(vec![]);
    server.count(|counters| {
        each.borrow_mut().push(counters.connections.total());
        &counters.connections
    });
    let shards = each.take();
    let used: Vec<_> = shards.iter().filter(|count| **count > 0).collect();
    assert_eq!(used.len(), 7, "{shards:?}");
    assert!(used.iter().all(|count| (10..90).contains(*count)), "{shards:?}");
}
