//! Pub/sub: behaviour section 4.

use std::cell::Cell;

use crate::server::{Client, TestServer};
use crate::wire::Wire;

/// Publishes to a topic; says which of these topics heard it. All have one root, so that one
/// shard orders what follows.
async fn hearers<'a>(server: &TestServer, said: &str, topics: &[&'a str]) -> Vec<&'a str> {
    let mut subscribers = vec![];
    for topic in topics {
        subscribers.push(server.connect(&format!("/sub/{topic}")).await);
    }
    assert_eq!(server.post(&format!("/pub/{said}"), "said").await.0, 200);
    for topic in topics {
        assert_eq!(server.post(&format!("/pub/{topic}"), format!("end of {topic}")).await.0, 200);
    }
    let mut hearers = vec![];
    for (topic, subscriber) in topics.iter().zip(&mut subscribers) {
        let mut heard = 0;
        loop {
            let text = subscriber.text().await;
            heard += usize::from(text == "said");
            if text == format!("end of {topic}") {
                break;
            }
        }
        assert!(heard <= 1, "{topic} heard {said} {heard} times");
        if heard == 1 {
            hearers.push(*topic);
        }
    }
    hearers
}

async fn numbers(subscriber: &mut Client) -> Vec<usize> {
    let mut numbers = vec![];
    loop {
        match subscriber.text().await.as_str() {
            "end" => return numbers,
            number => numbers.push(number.parse().unwrap()),
        }
    }
}

#[tokio::test]
async fn a_message_reaches_its_topic_and_all_above_it() {
    let server = TestServer::start();
    let topics = ["a", "a/b", "a/b/c", "a/b/c/d", "a/bc", "a/b/d", "a/b/c/", "a/", "A"];
    assert_eq!(hearers(&server, "a/b/c", &topics).await, ["a", "a/b", "a/b/c"]);
    assert_eq!(hearers(&server, "a/bc", &topics).await, ["a", "a/bc"]);
    assert_eq!(hearers(&server, "a", &topics).await, ["a"]);
    assert_eq!(hearers(&server, "a/b/c/d", &topics).await, ["a", "a/b", "a/b/c", "a/b/c/d"]);
    assert_eq!(hearers(&server, "ab", &topics).await, [""; 0]);
}

#[tokio::test]
async fn trailing_slashes_are_dropped_before_the_ancestors_are_found() {
    let server = TestServer::start();
    let topics = ["T", "T/", "T//", "T/a", "T/a/", "T//a", "T//a/b", "T/a/b"];
    assert_eq!(hearers(&server, "T/a/", &topics).await, ["T", "T/a/"]);
    assert_eq!(hearers(&server, "T//a", &topics).await, ["T", "T/", "T//a"]);
    assert_eq!(hearers(&server, "T/", &topics).await, ["T/"]);
    assert_eq!(hearers(&server, "T//", &topics).await, ["T//"]);
    assert_eq!(hearers(&server, "T//a/b", &topics).await, ["T", "T/", "T//a", "T//a/b"]);
    assert_eq!(hearers(&server, "T/a/b///", &topics).await, ["T", "T/a"]);
}

#[tokio::test]
async fn a_tree_of_32_segments_is_heard_on_every_level() {
    let server = TestServer::start();
    let levels: Vec<String> = (1..=32).map(|depth| vec!["x"; depth].join("/")).collect();
    let topics: Vec<&str> = levels.iter().map(String::as_str).collect();
    assert_eq!(hearers(&server, topics[31], &topics).await, topics);
    assert_eq!(hearers(&server, topics[15], &topics).await, topics[..16]);
    let mut publisher = server.connect(&format!("/pub/{}", topics[31])).await;
    let mut root = server.connect("/sub/x").await;
    publisher.send("from below").await;
    assert_eq!(root.text().await, "from below");
}

#[tokio::test]
async fn the_ancestors_of_an_open_publisher_may_come_and_go() {
    let server = TestServer::start();
    let mut publisher = server.connect("/pub/a/b/c").await;
    for topic in ["a", "a/b", "a/b/c", "a"] {
        let mut subscriber = server.connect(&format!("/sub/{topic}")).await;
        publisher.send("hello").await;
        assert_eq!(subscriber.text().await, "hello", "{topic}");
        subscriber.close().await;
    }
    publisher.close().await;
    server.until(|counters| &counters.topics, 0).await;
}

#[tokio::test]
async fn messages_from_those_who_only_receive_are_ignored_and_counted() {
    let server = TestServer::start();
    let mut subscriber = server.connect("/sub/x").await;
    let mut puller = server.connect("/pull/x").await;
    let mut other = server.connect("/sub/x").await;
    for text in ["one", "two", ""] {
        subscriber.send(text).await;
        puller.send(text).await;
    }
    server.until(|counters| &counters.messages_ignored, 6).await;
    assert_eq!(server.count(|counters| &counters.messages_in), 0);
    assert_eq!(server.post("/pub/x", "heard").await.0, 200);
    assert_eq!(server.post("/push/x", "job").await.0, 200);
    assert_eq!(subscriber.text().await, "heard");
    assert_eq!(other.text().await, "heard");
    assert_eq!(puller.text().await, "job");
}

#[tokio::test]
async fn a_publisher_gets_nothing_back() {
    let server = TestServer::start();
    let mut subscriber = server.connect("/sub/x").await;
    let mut publisher = server.connect("/pub/x?echo=1").await;
    let mut other = server.connect("/pub/x").await;
    publisher.send("hello").await;
    assert_eq!(server.post("/pub/x", "posted").await.0, 200);
    subscriber.text().await;
    subscriber.text().await;
    publisher.quiet().await;
    other.quiet().await;
}

#[tokio::test]
async fn nothing_is_kept_for_later_subscribers() {
    let server = TestServer::start();
    let mut publisher = server.connect("/pub/x").await;
    publisher.send("lost").await;
    assert_eq!(server.post("/pub/x", "lost too").await, (200, String::new()));
    server.until(|counters| &counters.messages_in, 1).await;
    let mut subscriber = server.connect("/sub/x").await;
    publisher.send("kept").await;
    assert_eq!(subscriber.text().await, "kept");
    assert_eq!(server.post("/pub/nobody", "dropped").await.0, 200);
    assert_eq!(server.count(|counters| &counters.topics), 1);
}

#[tokio::test]
async fn a_newcomer_between_two_messages_of_a_packet_gets_exactly_what_came_after() {
    // with so short a batch the broker stops reading in the middle of packets, and lets others in
    for batch_bytes_max in [100, 10_000] {
        let server = TestServer::limited(|limits| limits.batch_bytes_max = batch_bytes_max);
        let mut witness = server.connect("/sub/x").await;
        let mut publisher = server.connect("/pub/x/y").await;
        let (numbered, stop) = (Cell::new(0), Cell::new(false));
        let publish = async {
            while !stop.get() {
                for _ in 0..100 {
                    publisher.feed(&numbered.get().to_string()).await;
                    numbered.set(numbered.get() + 1);
                }
                publisher.flush().await;
                tokio::task::yield_now().await;
            }
            publisher.send("end").await;
        };
        let join = async {
            let mut newcomers = vec![];
            for _ in 0..10 {
                let newcomer = server.connect("/sub/x").await;
                newcomers.push((numbered.get(), newcomer));
            }
            stop.set(true);
            let mut heard = vec![];
            for (numbered, newcomer) in &mut newcomers {
                heard.push((*numbered, numbers(newcomer).await));
            }
            heard
        };
        let (all, heard, ()) = tokio::join!(numbers(&mut witness), join, publish);
        assert!(all.iter().copied().eq(0..numbered.get()));
        for (numbered, heard) in heard {
            let first = heard.first().copied().unwrap_or(all.len());
            assert!(heard == all[first..], "a hole after {first}");
            assert!(first <= numbered, "{first} and not {numbered} is the first one");
        }
    }
}

#[tokio::test]
async fn a_newcomer_does_not_hear_what_was_accepted_before_it_came() {
    // a batch for so many is in flight for a while, and the next one gathers meanwhile
    const LISTENERS: usize = 200;
    let server = TestServer::start();
    let mut listeners = vec![];
    for _ in 0..LISTENERS / 2 {
        listeners.push(Wire::connect(&server, "/sub/x").await);
        listeners.push(Wire::connect(&server, "/bus/x").await);
    }
    let mut poster = Wire::open(&server).await;
    for (path, newcomer) in [("/pub/x/y", "/sub/x"), ("/bus/x", "/bus/x")].repeat(20) {
        let post = |body: &str| {
            format!("POST {path} HTTP/1.1\r\nHost: broker\r\nContent-Length: 5\r\n\r\n{body}")
        };
        for _ in 0..3 {
            assert_eq!(poster.ask(post("early")).await.status, 200);
        }
        let mut newcomer = Wire::connect(&server, newcomer).await;
        assert_eq!(poster.ask(post("after")).await.status, 200);
        assert_eq!(newcomer.text().await, "after");
    }
}

#[tokio::test]
async fn all_levels_of_a_tree_see_one_order() {
    const TEXTS: usize = 200;
    let server = TestServer::start();
    let mut root = server.connect("/sub/a").await;
    let mut twin = server.connect("/sub/a").await;
    let mut middle = server.connect("/sub/a/b").await;
    let mut leaf = server.connect("/sub/a/b/c").await;
    let mut low = server.connect("/pub/a/b/c").await;
    let mut high = server.connect("/pub/a/b").await;
    let mut aside = server.connect("/pub/a/x").await;
    for number in 0..TEXTS {
        for (name, publisher) in [("low", &mut low), ("high", &mut high), ("aside", &mut aside)] {
            publisher.send(&format!("{name} {number}")).await;
        }
    }
    let mut heard = vec![];
    for (subscriber, count) in [(&mut root, 3), (&mut twin, 3), (&mut middle, 2), (&mut leaf, 1)] {
        let mut texts = vec![];
        for _ in 0..count * TEXTS {
            texts.push(subscriber.text().await);
        }
        subscriber.quiet().await;
        heard.push(texts);
    }
    let only = |names: &[&str]| {
        let mut texts = heard[0].clone();
        texts.retain(|text| names.iter().any(|name| text.starts_with(name)));
        texts
    };
    assert!(heard[1] == heard[0]);
    assert!(heard[2] == only(&["low", "high"]));
    assert!(heard[3] == only(&["low"]));
    for name in ["low", "high", "aside"] {
        let said: Vec<_> = (0..TEXTS).map(|number| format!("{name} {number}")).collect();
        assert_eq!(only(&[name]), said);
    }
}
