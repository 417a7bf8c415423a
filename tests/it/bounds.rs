//! Limits at the door: topics, connections, bodies and heads. Design section 6.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::frames::{Line, handshake};
use crate::server::{PATIENCE, TestServer};

/// Asks for refusals as JSON, which names their code.
const JSON: &str = "Accept: application/json\r\n";

/// What a refusal looks like as JSON.
fn refusal(status: u16, code: &str, message: &str) -> (u16, String) {
    (status, format!("{{\"code\":\"{code}\",\"message\":\"{message}\"}}\n"))
}

/// Reads an answer until the broker closes.
async fn answer(mut socket: TcpStream) -> String {
    let mut answer = vec![];
    let reading = timeout(PATIENCE, socket.read_to_end(&mut answer));
    reading.await.expect("an answer in time").unwrap();
    String::from_utf8(answer).unwrap()
}

/// An answer begins with this line and names this moment to try again.
pub(crate) fn assert_temporary(answer: &str, message: &str) {
    assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{answer}");
    assert!(answer.contains("\r\nretry-after: 5\r\n"), "{answer}");
    assert!(answer.ends_with(&format!("\r\n\r\n{message}\n")), "{answer}");
}

#[tokio::test]
async fn a_topic_is_as_long_as_max_topic_decoded_and_no_longer() {
    let server = TestServer::limited(|limits| limits.topic_bytes_max = 6);
    let message = "topic is 7 bytes, more than 6";
    drop(server.connect("/sub/abcdef").await);
    assert_eq!(server.post("/pub/%61%62%63def", "x").await.0, 200);
    let refused = (414, format!("{message}\n"));
    assert_eq!(server.refusal("/sub/abcdefg").await, refused);
    let expected = refusal(414, "topic-too-long", message);
    assert_eq!(server.post_as("/pub/%61bcdefg", JSON, "x").await, expected);
    server.until(|c| &c.topic_too_long, 2).await;
    server.until(|c| &c.refusals, 2).await;
}

#[tokio::test]
async fn a_topic_has_at_most_32_segments() {
    let server = TestServer::start();
    let deep = |segments| format!("/pub/{}", vec!["x"; segments].join("/"));
    let message = "topic has 33 segments, more than 32";
    drop(server.connect(&deep(32)).await);
    assert_eq!(server.refusal(&deep(33)).await, (400, format!("{message}\n")));
    let expected = refusal(400, "topic-too-deep", message);
    assert_eq!(server.post_as(&deep(33), JSON, "x").await, expected);
    server.until(|c| &c.topic_too_long, 2).await;
}

#[tokio::test]
async fn connections_are_bounded_and_a_place_becomes_free_again() {
    let server = TestServer::limited(|limits| limits.connections_max = Some(2));
    let fry = server.connect("/sub/a").await;
    // the bound is over all shards: topics go to either
    let mut leela = server.connect("/bus/b").await;
    let message = "all 2 connections that --clients allows are open";
    for path in ["/sub/a", "/bus/b", "/pull/c", "/pub/d"] {
        assert_temporary(&server.exchange(handshake(path)).await, message);
    }
    server.until(|c| &c.connections_full, 4).await;
    server.until(|c| &c.refusals, 4).await;
    assert_eq!(server.count(|c| &c.topics), 2);
    // a POST is no connection
    assert_eq!(server.post("/bus/b", "hello").await.0, 200);
    assert_eq!(leela.text().await, "hello");
    fry.close().await;
    server.until(|c| &c.connections, 1).await;
    let zoidberg = server.connect("/sub/c").await;
    assert_eq!(server.refusal("/sub/a").await, (503, format!("{message}\n")));
    // hanging up without a Close frees a place as well
    drop(zoidberg);
    server.until(|c| &c.connections, 1).await;
    drop(server.connect("/sub/d").await);
}

#[tokio::test]
async fn topics_are_bounded_and_freed_when_empty() {
    let server = TestServer::limited(|limits| limits.topics_max = 2);
    let message = "there are as many topics as --max-topics allows";
    let fry = server.connect("/sub/a").await;
    let leela = server.connect("/bus/a").await;
    let again = server.connect("/sub/a").await;
    assert_temporary(&server.exchange(handshake("/pull/a")).await, message);
    let expected = refusal(503, "topics-full", message);
    assert_eq!(server.post_as("/push/a", JSON, "job").await, expected);
    server.until(|c| &c.topics_full, 2).await;
    server.until(|c| &c.refusals, 2).await;
    assert_eq!(server.count(|c| &c.connections), 3);
    // nobody has to be told: no topic comes of it
    assert_eq!(server.post("/pub/nobody/here", "x").await.0, 200);
    assert_eq!(server.post("/bus/nobody", "x").await.0, 200);
    fry.close().await;
    leela.close().await;
    server.until(|c| &c.topics, 1).await;
    assert_eq!(server.post("/push/a", "job").await.0, 200);
    server.until(|c| &c.topics, 2).await;
    again.close().await;
    // a backlog keeps its topic; the puller that empties it shares that topic
    let mut puller = server.connect("/pull/a").await;
    assert_eq!(puller.text().await, "job");
    server.until(|c| &c.topics, 1).await;
    puller.close().await;
    server.until(|c| &c.topics, 0).await;
}

#[tokio::test]
async fn a_publisher_gets_its_topic_and_all_ancestors_or_nothing() {
    let server = TestServer::limited(|limits| limits.topics_max = 3);
    let publisher = server.connect("/pub/a/b/c").await;
    server.until(|c| &c.topics, 3).await;
    let mut subscriber = server.connect("/sub/a/b").await;
    publisher.close().await;
    server.until(|c| &c.topics, 1).await;
    assert_eq!(server.refusal("/pub/a/b/c/d").await.0, 503);
    assert_eq!(server.refusal("/pub/x/y/z").await.0, 503);
    assert_eq!(server.count(|c| &c.topics), 1);
    server.until(|c| &c.topics_full, 2).await;
    let mut publisher = server.connect("/pub/a/b/c").await;
    publisher.send("hello").await;
    assert_eq!(subscriber.text().await, "hello");
}

#[tokio::test]
async fn a_body_is_as_long_as_max_body_and_no_longer() {
    let server = TestServer::limited(|limits| limits.body_bytes_max = 1000);
    let mut fry = server.connect("/sub/a").await;
    assert_eq!(server.post("/pub/a", [b'x'; 1000]).await, (200, String::new()));
    assert_eq!(fry.text().await, "x".repeat(1000));
    let expected = refusal(413, "body-too-long", "body is 1,001 bytes, more than 1,000");
    assert_eq!(server.post_as("/pub/a", JSON, [b'x'; 1001]).await, expected);
    // a body without a length is refused as soon as it is too long
    let head = "POST /pub/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let answer = server.exchange(format!("{head}3e9\r\n{}\r\n", "x".repeat(1001))).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.ends_with("body is more than 1,000 bytes\n"), "{answer}");
    server.until(|c| &c.body_too_long, 2).await;
    server.until(|c| &c.refusals, 2).await;
    fry.quiet().await;
}

#[tokio::test]
async fn who_still_sends_a_body_too_long_sees_the_answer() {
    let server = TestServer::start();
    let (status, message) = server.post("/pub/a", vec![b'x'; 16 * 1024 * 1024 + 1]).await;
    let expected = "body is 16,777,217 bytes, more than 16,777,216\n";
    assert_eq!((status, message.as_str()), (413, expected));
}

#[tokio::test]
async fn bodies_in_flight_are_bounded_together() {
    let server = TestServer::limited(|limits| {
        limits.body_bytes_max = 1000;
        limits.bodies_bytes_max = 1000;
    });
    let mut slow = server.raw().await;
    let head =
        "POST /pub/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1000\r\n\r\n";
    slow.write_all(format!("{head}{}", "x".repeat(600)).as_bytes()).await.unwrap();
    // its bytes count once they were read
    let refused = async {
        loop {
            let answer = server.post_as("/pub/a", JSON, [b'y'; 600]).await;
            if answer != (200, String::new()) {
                return answer;
            }
        }
    };
    let refused = timeout(PATIENCE, refused).await.expect("the slow body was read");
    let message = "the bodies of all requests together are as large as they may be";
    assert_eq!(refused, refusal(503, "bodies-full", message));
    server.until(|c| &c.bodies_full, 1).await;
    assert_eq!(server.post("/pub/a", [b'z'; 400]).await.0, 200);
    slow.write_all(&[b'x'; 400]).await.unwrap();
    assert!(answer(slow).await.starts_with("HTTP/1.1 200 "));
    // what it held is free again
    assert_eq!(server.post("/pub/a", [b'y'; 1000]).await.0, 200);
}

#[tokio::test]
async fn a_head_too_large_or_with_too_many_fields_is_a_431() {
    let server = TestServer::start();
    let get = |fields: &str| format!("GET /sub/a HTTP/1.1\r\nHost: x\r\n{fields}\r\n");
    let long = format!("Cookie: {}\r\n", "x".repeat(16 * 1024));
    for fields in [long, "A: b\r\n".repeat(100)] {
        let answer = server.exchange(get(&fields)).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    server.until(|c| &c.refusals, 2).await;
    let many = get(&format!("{}Connection: close\r\n", "A: b\r\n".repeat(98)));
    let answer = server.exchange(many).await;
    assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
}

#[tokio::test]
async fn a_target_too_long_is_a_414() {
    let server = TestServer::start();
    let post = "POST /pub/x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
    for length in [15 * 1024, 16 * 1024, 100_000] {
        let target = format!("/pub/{}", "x".repeat(length));
        let request = format!("POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1");
        let answer = server.exchange(&request).await;
        assert!(answer.starts_with("HTTP/1.1 414 URI Too Long\r\n"), "{length} {answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{length} {answer}");
        let message = "the request line is more than 15,360 bytes\n";
        assert!(answer.ends_with(message), "{length} {answer}");
        // on a connection that was used before
        let mut socket = server.raw().await;
        socket.write_all(post.as_bytes()).await.unwrap();
        let mut accepted = vec![0; 12];
        socket.read_exact(&mut accepted).await.unwrap();
        assert_eq!(accepted, b"HTTP/1.1 200");
        socket.write_all(request.as_bytes()).await.unwrap();
        let answer = self::answer(socket).await;
        assert!(answer.ends_with(message), "{length} {answer}");
    }
    server.until(|c| &c.refusals, 6).await;
    // the line's other bytes count, too
    let target = format!("/pub/{}?{}", "x", "y".repeat(15 * 1024 - 21));
    let request = format!("POST {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_eq!(request.find('\r'), Some(15 * 1024));
    let answer = server.exchange(request).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn a_head_that_does_not_end_in_time_is_a_408() {
    let server = TestServer::start();
    let mut socket = server.raw().await;
    socket.write_all(b"GET /sub/a HTTP/1.1\r\nHost").await.unwrap();
    let answer = answer(socket).await;
    assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nthe rest of the head did not come in 5s\n"), "{answer}");
    server.until(|c| &c.head_timeouts, 1).await;
    server.until(|c| &c.refusals, 1).await;
    drop(Line::open(&server, "/sub/a").await);
}
