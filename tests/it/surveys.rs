//! What operators see of topics and connections, and that looking holds nobody up.

use std::collections::BTreeSet;
use std::time::Duration;

use mercury::limits::TOPIC_SEGMENTS_MAX;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::admin::{administered, ask};
use crate::server::{PATIENCE, TestServer};
use crate::slow_consumers::MANY;
use crate::socket::{CLOSE, Socket, TEXT};
use crate::wire::Wire;

/// Topics of the large one.
const TOPICS: usize = 100_000;
/// Rows of its pages.
const ROWS: usize = 1000;
/// Connections that join at once.
const CLIENTS: usize = 32;

/// A page.
async fn page(server: &TestServer, target: &str) -> Value {
    let answer = ask(server.admin_port(), target).await;
    assert_eq!(answer.status, 200, "{target}: {}", answer.body);
    assert_eq!(answer.field("content-type"), Some("application/json"));
    serde_json::from_str(&answer.body).unwrap()
}

/// The rows of all pages, and how many pages they are.
async fn pages(server: &TestServer, target: &str, list: &str) -> (Vec<Value>, usize) {
    let (mut rows, mut next, mut count) = (vec![], target.to_owned(), 0);
    loop {
        let mut page = page(server, &next).await;
        rows.append(page[list].as_array_mut().unwrap());
        count += 1;
        match page["next"].as_str() {
            Some(target) => next = target.to_owned(),
            None => return (rows, count),
        }
    }
}

fn texts<'rows>(rows: &'rows [Value], field: &str) -> Vec<&'rows str> {
    rows.iter().map(|row| row[field].as_str().unwrap()).collect()
}

/// Asks for a page until it is as expected.
async fn until(server: &TestServer, target: &str, is_expected: impl Fn(&Value) -> bool) -> Value {
    let asking = async {
        loop {
            let page = page(server, target).await;
            if is_expected(&page) {
                return page;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, asking).await.expect("the page in time")
}

#[tokio::test]
async fn topics_are_seen_with_their_members_and_their_backlogs() {
    let server = TestServer::with(administered);
    let mut sockets = vec![];
    for path in ["/bus/fry", "/bus/fry", "/sub/wong", "/pub/wong/amy", "/pull/hermes"] {
        sockets.push(Socket::join(server.port, path).await);
    }
    for _ in 0..3 {
        assert_eq!(server.post("/push/bender", "bend").await.0, 200);
    }
    let topics = page(&server, "/topics").await;
    let topic = |row: usize, field: &str| topics["topics"][row][field].clone();
    assert_eq!(
        texts(topics["topics"].as_array().unwrap(), "topic"),
        ["bender", "fry", "hermes", "wong", "wong/amy"]
    );
    assert_eq!(topics["next"], Value::Null);
    assert_eq!((topic(0, "pattern"), topic(1, "pattern")), (json!("pushpull"), json!("bus")));
    assert_eq!(topic(0, "members"), json!({"pusher": 0, "puller": 0}));
    assert_eq!((topic(0, "backlog_messages"), topic(0, "backlog_bytes")), (json!(3), json!(12)));
    assert_eq!(topic(1, "members"), json!({"peer": 2}));
    assert_eq!(topic(2, "members"), json!({"pusher": 0, "puller": 1}));
    assert_eq!(topic(3, "members"), json!({"publisher": 0, "subscriber": 1}));
    assert_eq!(topic(4, "members"), json!({"publisher": 1, "subscriber": 0}));
    assert_eq!(topic(3, "shard"), topic(4, "shard"));
    let by = |sort: &str| format!("/topics?limit=1&sort={sort}");
    assert_eq!(page(&server, &by("subscribers")).await["topics"][0]["topic"], "fry");
    assert_eq!(page(&server, &by("backlog")).await["topics"][0]["topic"], "bender");
    let below = page(&server, "/topics?prefix=wong/").await;
    assert_eq!(texts(below["topics"].as_array().unwrap(), "topic"), ["wong/amy"]);
    drop(sockets);
    until(&server, "/topics", |page| page["topics"].as_array().unwrap().len() == 1).await;
}

#[tokio::test]
async fn the_busiest_topic_is_found_by_its_rate() {
    let server = TestServer::with(administered);
    let _idle = Socket::join(server.port, "/sub/idle").await;
    let mut busy = Socket::join(server.port, "/pub/busy").await;
    let target = "/topics?sort=rate&limit=1";
    let is_busy = |page: &Value| page["topics"][0]["rate"].as_f64() > Some(0.0);
    let publishing = async {
        loop {
            busy.send(TEXT, b"hello").await.unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let page = tokio::select! {
        () = publishing => unreachable!("it goes on for ever"),
        page = until(&server, target, is_busy) => page,
    };
    assert_eq!(page["topics"][0]["topic"], "busy");
    assert_ne!(page["next"], Value::Null);
    // nobody comes any more
    until(&server, target, |page| page["topics"][0]["rate"] == json!(0.0)).await;
}

#[tokio::test]
async fn hostile_names_are_harmless_and_lead_to_the_next_page() {
    let server = TestServer::with(administered);
    let names = ["a\"b\\", "a\n\u{1b}[31mred", "a\u{202e}b&c=d+%", "aü/#?"];
    let mut sockets = vec![];
    for path in ["a%22b%5c", "a%0a%1b%5b31mred", "a%e2%80%aeb&c=d+%25", "a%c3%bc/%23%3f"] {
        sockets.push(Socket::join(server.port, &format!("/sub/{path}")).await);
    }
    let (rows, count) = pages(&server, "/topics?prefix=a&limit=1", "topics").await;
    assert_eq!(count, names.len());
    let expected = BTreeSet::from(names);
    assert_eq!(texts(&rows, "topic"), expected.into_iter().collect::<Vec<_>>());
    let body = ask(server.admin_port(), "/topics").await.body;
    let line = body.strip_suffix('\n').unwrap();
    assert!(!line.contains(|character: char| character.is_control()), "{line:?}");
    let target = "/connections?topic=a%0a%1b%5b31mred";
    assert_eq!(page(&server, target).await["connections"][0]["topic"], names[1]);
}

#[tokio::test]
async fn what_is_asked_wrongly_is_said() {
    let server = TestServer::with(administered);
    for (target, sentence) in [
        ("/topics?limit=0", "limit is '0', not a number from 1 to 1,000\n"),
        ("/topics?sort=size", "sort is 'size', not one of name, subscribers, rate, backlog\n"),
        ("/topics?after=x", "after is 'x', not what a page had in its next\n"),
        ("/topics?topic=x", "unknown parameter 'topic', there are prefix, limit, sort, after\n"),
        ("/connections?sort=rate", "sort is 'rate', not one of id, behind\n"),
    ] {
        let answer = ask(server.admin_port(), target).await;
        assert_eq!((answer.status, answer.body.as_str()), (400, sentence), "{target}");
    }
    assert_eq!(ask(server.admin_port(), "/connections/0-1").await.status, 405);
}

/// Asks the broker to hang up; the status.
async fn hang_up(server: &TestServer, id: &str) -> u16 {
    let request = format!("DELETE /connections/{id} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    Wire::to(server.admin_port()).await.ask(request).await.status
}

#[tokio::test]
async fn the_slowest_consumer_is_found_and_hung_up_on() {
    let server = TestServer::with(administered);
    let mut reader = Socket::join(server.port, "/sub/news").await;
    let mut deaf = Socket::join_small(server.port, "/sub/news").await;
    let mut publisher = Socket::join(server.port, "/pub/news").await;
    let message = "m".repeat(32 * 1024);
    for _ in 0..MANY {
        publisher.send(TEXT, message.as_bytes()).await.unwrap();
        assert_eq!(reader.text().await, message);
    }
    let target = "/connections?topic=news&sort=behind";
    let page = until(&server, target, |page| page["connections"][0]["behind_bytes"] != 0).await;
    let connections = page["connections"].as_array().unwrap();
    assert_eq!(connections.len(), 3);
    let slowest = &connections[0];
    assert_eq!((&slowest["role"], &slowest["topic"]), (&json!("subscriber"), &json!("news")));
    assert_eq!(slowest["address"], deaf.address().to_string());
    let seconds = [&slowest["open_seconds"], &slowest["behind_seconds"]];
    assert!(seconds.iter().all(|seconds| seconds.as_f64() >= Some(0.0)), "{slowest}");
    assert_eq!(connections[1]["behind_bytes"], 0);
    let id = slowest["id"].as_str().unwrap();
    assert_eq!(hang_up(&server, id).await, 204);
    let (texts, code, reason) = deaf.until_close().await;
    assert_eq!(
        (code, reason.as_str()),
        (1008, "operator-closed: an operator hung up on this connection")
    );
    assert!(texts.len() < MANY && texts.iter().all(|text| *text == message));
    assert_eq!(server.count(|c| &c.operator_closed), 1);
    server.until(|c| &c.leaves, 1).await;
    drop(deaf);
    server.until(|c| &c.connections, 2).await;
    for gone in [id, "0-ffff", "7-1", "x"] {
        assert_eq!(hang_up(&server, gone).await, 404, "{gone}");
    }
    // nobody else noticed
    publisher.send(TEXT, b"still here").await.unwrap();
    assert_eq!(reader.text().await, "still here");
}

#[tokio::test]
async fn connections_are_seen_once_page_by_page() {
    const COUNT: usize = 50;
    let server = TestServer::with(administered);
    let mut sockets = vec![];
    for number in 0..COUNT {
        sockets.push(Socket::join(server.port, &format!("/bus/{number}")).await);
    }
    for sort in ["id", "behind"] {
        let target = format!("/connections?limit=7&sort={sort}");
        let (rows, count) = pages(&server, &target, "connections").await;
        assert_eq!((rows.len(), count), (COUNT, COUNT.div_ceil(7)));
        let ids: BTreeSet<_> = texts(&rows, "id").into_iter().collect();
        assert_eq!(ids.len(), COUNT);
        let ours: BTreeSet<_> = sockets.iter().map(|socket| socket.address().to_string()).collect();
        let theirs: BTreeSet<_> = texts(&rows, "address").into_iter().map(str::to_owned).collect();
        assert_eq!(theirs, ours);
    }
}

#[tokio::test]
async fn who_says_its_last_word_has_no_topic_any_more() {
    let server = TestServer::with(administered);
    let mut leaver = Socket::join(server.port, "/bus/fry").await;
    let leaver_address = leaver.address().to_string();
    leaver.send(CLOSE, &1000u16.to_be_bytes()).await.unwrap();
    assert_eq!(leaver.frame().await.unwrap().0, CLOSE);
    // it has not hung up yet
    let page = page(&server, "/connections").await;
    if let Some(row) = page["connections"].get(0) {
        assert_eq!((&row["topic"], &row["address"]), (&Value::Null, &json!(leaver_address)));
    }
    assert_eq!(page["next"], Value::Null);
}

/// Publishers as deep as may be: each uses as many topics as it has segments.
async fn fill(port: u16) -> Vec<Socket> {
    let mut joining = JoinSet::new();
    let depth = TOPIC_SEGMENTS_MAX - 1;
    let count = TOPICS.div_ceil(TOPIC_SEGMENTS_MAX);
    for client in 0..CLIENTS {
        joining.spawn(async move {
            let mut sockets = vec![];
            for number in (client..count).step_by(CLIENTS) {
                let path = format!("/pub/t{number:05}{}", "/x".repeat(depth));
                sockets.push(Socket::join(port, &path).await);
            }
            sockets
        });
    }
    joining.join_all().await.into_iter().flatten().collect()
}

#[tokio::test]
async fn a_hundred_thousand_topics_are_seen_while_messages_go_on() {
    let server = TestServer::with(administered);
    let _publishers = fill(server.port).await;
    let mut publisher = Socket::join(server.port, "/pub/busy").await;
    let mut subscribers = vec![];
    for _ in 0..10 {
        subscribers.push(Socket::join(server.port, "/sub/busy").await);
    }
    let mut rounds = 0_u32;
    let fan_out = async {
        loop {
            let text = rounds.to_string();
            publisher.send(TEXT, text.as_bytes()).await.unwrap();
            for subscriber in &mut subscribers {
                assert_eq!(subscriber.text().await, text);
            }
            rounds += 1;
        }
    };
    let target = format!("/topics?prefix=t&limit={ROWS}");
    let (rows, count) = tokio::select! {
        () = fan_out => unreachable!("it goes on for ever"),
        pages = pages(&server, &target, "topics") => pages,
    };
    assert_eq!((rows.len(), count), (TOPICS, TOPICS / ROWS));
    let names = texts(&rows, "topic");
    assert!(names.is_sorted_by(|one, next| one < next), "a topic twice, or out of order");
    assert!(rounds as usize > count, "{rounds} messages passed by {count} looks");
    let busiest = until(&server, "/topics?sort=subscribers&limit=1", |_| true).await;
    assert_eq!(busiest["topics"][0]["topic"], "busy");
    println!("{rounds} messages to 10 subscribers while {count} pages were made");
}
