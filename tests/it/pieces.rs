//! Messages are the same in however many pieces their bytes come.

use crate::frames::{CONTINUATION, FIN, Line, PING, PONG, TEXT, close, frame};
use crate::server::TestServer;

#[tokio::test]
async fn a_character_may_be_split_over_fragments() {
    let server = TestServer::start();
    let mut fry = server.connect("/bus/planet").await;
    let mut zoidberg = Line::open(&server, "/bus/planet").await;
    for byte in "€".as_bytes() {
        let first = if *byte == 0xe2 { TEXT & !FIN } else { CONTINUATION };
        zoidberg.send(frame(first, [*byte])).await;
    }
    zoidberg.send(frame(FIN | CONTINUATION, "")).await;
    assert_eq!(fry.text().await, "€");
}

#[tokio::test]
async fn frames_may_come_one_byte_at_a_time() {
    let server = TestServer::start();
    let mut fry = server.connect("/bus/planet").await;
    let mut zoidberg = Line::open(&server, "/bus/planet").await;
    let long = "why not ".repeat(20);
    let bytes = [
        frame(TEXT, &long),
        frame(TEXT & !FIN, "zo"),
        frame(PING, "claws"),
        frame(FIN | CONTINUATION, "id"),
        frame(TEXT, ""),
        close(1000, b"bye"),
    ];
    for byte in bytes.concat() {
        zoidberg.send([byte]).await;
    }
    for expected in [&long, "zoid", ""] {
        assert_eq!(fry.text().await, expected);
    }
    assert_eq!(zoidberg.next().await, (PONG, b"claws".to_vec()));
    assert_eq!(zoidberg.closed().await, (1000, "bye".to_owned()));
}

#[tokio::test]
async fn a_hundred_thousand_tiny_messages_come_in_one_write() {
    const MESSAGES: usize = 100_000;
    let server = TestServer::start();
    let mut fry = Line::open(&server, "/sub/planet").await;
    let mut zoidberg = Line::open(&server, "/pub/planet").await;
    let sending = zoidberg.send(frame(TEXT, "x").repeat(MESSAGES));
    let reading = async {
        for _ in 0..MESSAGES {
            assert_eq!(fry.text().await, "x");
        }
    };
    tokio::join!(sending, reading);
    fry.quiet().await;
    assert_eq!(server.count(|c| &c.messages_in), MESSAGES as u64);
}
