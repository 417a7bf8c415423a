//! Requests that come late, in part or not at all, and who else must not wait for them.
//! Behaviour section 1, design section 4.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::server::{PATIENCE, TestServer};
use crate::wire::Wire;

const HALF_HEAD: &str = "POST /pub/x HTTP/1.1\r\nHost: broker\r\nContent-Le";
const HALF_BODY: &str = "POST /pub/x HTTP/1.1\r\nHost: broker\r\nContent-Length: 10\r\n\r\nhalf";

#[tokio::test]
async fn heads_that_never_end_keep_nobody_out() {
    const SLOW: u64 = 200;
    let server = TestServer::start();
    let mut subscriber = server.connect("/sub/x").await;
    let mut slow = vec![];
    for _ in 0..SLOW {
        let mut wire = Wire::open(&server).await;
        wire.send(HALF_HEAD).await;
        slow.push(wire);
    }
    for number in 0..20 {
        let text = number.to_string();
        assert_eq!(server.post("/pub/x", &text).await.0, 200);
        assert_eq!(subscriber.text().await, text);
    }
    for mut wire in slow {
        let answer = wire.answer().await;
        assert_eq!(answer.status, 408);
        assert_eq!(answer.field("connection"), Some("close"));
        assert_eq!(answer.body, "the rest of the head did not come in 5s\n");
    }
    server.until(|counters| &counters.head_timeouts, SLOW).await;
    server.until(|counters| &counters.refusals, SLOW).await;
    subscriber.quiet().await;
}

#[tokio::test]
async fn a_drain_does_not_wait_for_the_rest_of_a_request() {
    let server = TestServer::limited(|limits| limits.drain_max = PATIENCE);
    let mut head = Wire::open(&server).await;
    head.send(HALF_HEAD).await;
    let mut body = Wire::open(&server).await;
    body.send(HALF_BODY).await;
    let mut later = Wire::open(&server).await;
    let post = "POST /pub/x HTTP/1.1\r\nHost: broker\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(later.ask(post).await.status, 200);
    later.send(HALF_HEAD).await;
    // who comes later is served: the others were read
    assert_eq!(server.post("/pub/x", "whole").await.0, 200);
    let clients = async {
        for wire in [head, body, later] {
            let mut wire = wire;
            let answer = wire.answer().await;
            assert_eq!(answer.status, 503, "{answer:?}");
            assert_eq!(answer.field("connection"), Some("close"));
            assert_eq!(answer.body, "the broker is shutting down\n");
        }
    };
    let (drained, ()) = tokio::join!(server.drain(), clients);
    assert_eq!(drained.cut, 0);
}

#[tokio::test]
async fn who_sends_on_after_a_refusal_sees_it() {
    let server = TestServer::limited(|limits| {
        limits.body_bytes_max = 100_000;
        limits.bodies_bytes_max = 100_000;
    });
    let mut holder = Wire::open(&server).await;
    let post = "POST /pub/x HTTP/1.1\r\nHost: broker\r\nContent-Length: 100000\r\n\r\n";
    holder.send(format!("{post}{}", "x".repeat(60_000))).await;
    // who comes later is served: what came before was read
    assert_eq!(server.post("/pub/x", "").await.0, 200);
    let length = "Content-Length: 16777216\r\n\r\n";
    let chunk = "Transfer-Encoding: chunked\r\n\r\n1000000\r\n";
    let deep = format!("POST /pub{}", "/x".repeat(33));
    let long = format!("POST /pub/{}", "x".repeat(1025));
    for (line, fields, status) in [
        ("POST /pub/x", chunk, 503),
        ("POST /pub/x", length, 413),
        ("POST /nowhere", length, 404),
        ("POST /nowhere", chunk, 404),
        ("POST /sub/x", length, 405),
        ("PUT /pub/x", chunk, 405),
        ("GET /sub/x", length, 426),
        ("POST /pub/$x", length, 403),
        (&deep, length, 400),
        (&long, length, 414),
        ("POST /pub/x", "Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
        ("POST /pub/x", "Content-Length: nonsense\r\n\r\n", 400),
    ] {
        let (mut reader, mut writer) = server.raw().await.into_split();
        let head = format!("{line} HTTP/1.1\r\nHost: broker\r\n{fields}");
        let piece = vec![b'x'; 65536];
        let sends = async {
            writer.write_all(head.as_bytes()).await.unwrap();
            for _ in 0..256 {
                // fails once the broker has read for long enough
                if writer.write_all(&piece).await.is_err() {
                    break;
                }
            }
        };
        let mut answer = vec![0; 12];
        let reads = timeout(PATIENCE, reader.read_exact(&mut answer));
        let ((), read) = tokio::join!(sends, reads);
        read.expect("an answer in time").unwrap_or_else(|error| panic!("{line} {fields} {error}"));
        let expected = format!("HTTP/1.1 {status}");
        assert_eq!(String::from_utf8_lossy(&answer), expected, "{line} {fields}");
    }
}
