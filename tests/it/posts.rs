//! Messages from POSTs: behaviour section 6.

use crate::server::TestServer;
use crate::wire::{BINARY, TEXT, Wire, frame, handshake};

/// What a POST with these header lines and this body is to a subscriber.
async fn posted(server: &TestServer, head: &str, body: &[u8]) -> (u8, Vec<u8>) {
    let mut subscriber = Wire::connect(server, "/sub/x").await;
    let answer = server.post_as("/pub/x", head, body).await;
    assert_eq!(answer, (200, String::new()), "{head}");
    let frame = subscriber.next().await;
    (frame.first, frame.payload)
}

#[tokio::test]
async fn a_body_is_taken_as_it_is_whatever_its_type() {
    let server = TestServer::start();
    let form = b"a=b%20c&d=%zz";
    let parts = b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--x--\r\n";
    let gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x4b\x04\0\x43\xbe\xb7\xe8\x01\0\0\0";
    let multipart = "Content-Type: multipart/form-data; boundary=x\r\n";
    let cases: [(&str, &[u8], u8); 13] = [
        ("", b"plain", TEXT),
        ("", "é€😀\0\r\n".as_bytes(), TEXT),
        ("", b"", TEXT),
        ("Content-Type: text/plain; charset=iso-8859-1\r\n", b"a\xe9", BINARY),
        ("Content-Type: application/json\r\n", b"{\"a\":1}", TEXT),
        ("Content-Type: application/x-www-form-urlencoded\r\n", form, TEXT),
        (multipart, parts, TEXT),
        ("Content-Encoding: gzip\r\n", gzip, BINARY),
        ("Content-Type: application/octet-stream\r\n", b"text", BINARY),
        ("Content-Type: Application/Octet-Stream; x=y\r\n", b"text", BINARY),
        ("Content-Type: application/octet-stream\r\n", b"", BINARY),
        ("Content-Type: image/png\r\n", b"\x89PNG\r\n", BINARY),
        ("Content-Type: image/svg+xml\r\n", b"<svg/>", TEXT),
    ];
    for (head, body, first) in cases {
        assert_eq!(posted(&server, head, body).await, (first, body.to_vec()), "{head}");
    }
}

#[tokio::test]
async fn a_body_that_is_not_utf8_becomes_binary() {
    let server = TestServer::start();
    for body in [&b"\xff"[..], b"ab\xc3", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80"] {
        assert_eq!(posted(&server, "", body).await, (BINARY, body.to_vec()));
    }
}

#[tokio::test]
async fn every_pattern_keeps_the_kind_of_a_post() {
    let server = TestServer::start();
    for (sender, receiver) in [("/bus/x", "/bus/x"), ("/pub/x", "/sub/x"), ("/push/x", "/pull/x")] {
        let mut receiver = Wire::connect(&server, receiver).await;
        for (body, first) in [(&b"text"[..], TEXT), (b"\xfe", BINARY), (b"", TEXT)] {
            assert_eq!(server.post(sender, body).await.0, 200);
            let frame = receiver.next().await;
            assert_eq!((frame.first, frame.payload.as_slice()), (first, body), "{sender}");
        }
    }
}

#[tokio::test]
async fn a_chunked_body_is_one_message() {
    let server = TestServer::start();
    let mut subscriber = server.connect("/sub/x").await;
    let mut wire = Wire::open(&server).await;
    wire.send("POST /pub/x HTTP/1.1\r\nHost: broker\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    for chunk in ["5\r\nhello\r\n", "1;extension=1\r\n \r\n", "5\r\nwor"] {
        wire.send(chunk).await;
        tokio::task::yield_now().await;
    }
    let answer = wire.ask("ld\r\n0\r\nTrailer: ignored\r\n\r\n").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    assert_eq!(subscriber.text().await, "hello world");
}

#[tokio::test]
async fn a_client_that_expects_a_100_gets_it() {
    let server = TestServer::start();
    let mut subscriber = server.connect("/sub/x").await;
    let mut wire = Wire::open(&server).await;
    let head = "POST /pub/x HTTP/1.1\r\nHost: broker\r\nExpect: 100-continue\r\n\
                Content-Length: 4\r\n\r\n";
    assert_eq!(wire.ask(head).await.status, 100);
    assert_eq!(wire.ask("body").await.status, 200);
    assert_eq!(subscriber.text().await, "body");
    let refused = head.replace("/pub/x", "/sub/x");
    assert_eq!(wire.ask(refused).await.status, 405);
}

#[tokio::test]
async fn a_body_of_16_mib_arrives_in_one_message() {
    let server = TestServer::start();
    let body: Vec<u8> = (0..=255).cycle().take(16 * 1024 * 1024).collect();
    for (sender, receiver) in [("/bus/x", "/bus/x"), ("/pub/x", "/sub/x"), ("/push/x", "/pull/x")] {
        let mut receiver = Wire::connect(&server, receiver).await;
        let (answer, frame) = tokio::join!(server.post(sender, &body), receiver.next());
        assert_eq!(answer, (200, String::new()));
        assert_eq!(frame.first, BINARY);
        assert!(frame.payload == body, "{sender} changed the body");
    }
    let (status, _) = server.post("/pub/x", [&body[..], b"x"].concat()).await;
    assert_eq!(status, 413);
}

#[tokio::test]
async fn posts_of_one_connection_keep_their_order() {
    let server = TestServer::start();
    let mut subscriber = server.connect("/sub/x").await;
    let mut wire = Wire::open(&server).await;
    let mut packet = vec![];
    for number in 0..100 {
        packet.extend(b"POST /pub/x HTTP/1.1\r\nHost: broker\r\nContent-Length: 2\r\n\r\n");
        packet.extend(format!("{number:0>2}").bytes());
    }
    wire.send(packet).await;
    for number in 0..100 {
        assert_eq!(subscriber.text().await, format!("{number:0>2}"));
        assert_eq!(wire.answer().await.status, 200);
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_message() {
    let server = TestServer::start();
    let mut subscriber = server.connect("/sub/x").await;
    let mut wire = Wire::open(&server).await;
    wire.send("POST /pub/x HTTP/1.1\r\nHost: broker\r\nContent-Length: 9\r\n\r\nhalf").await;
    wire.end().await;
    server.until(|counters| &counters.refusals, 1).await;
    assert_eq!(server.post("/pub/x", "whole").await.0, 200);
    assert_eq!(subscriber.text().await, "whole");
}

#[tokio::test]
async fn requests_in_one_packet_are_answered_in_their_order() {
    let server = TestServer::start();
    let mut subscriber = server.connect("/sub/x").await;
    let mut peer = server.connect("/bus/x").await;
    let mut puller = server.connect("/pull/x").await;
    let post = |path: &str, body: &str| {
        let length = body.len();
        format!("POST {path} HTTP/1.1\r\nHost: broker\r\nContent-Length: {length}\r\n\r\n{body}")
    };
    let chunked = |path: &str, body: &str| {
        let coding = "Transfer-Encoding: chunked\r\n";
        let length = body.len();
        format!(
            "POST {path} HTTP/1.1\r\nHost: broker\r\n{coding}\r\n{length:x}\r\n{body}\r\n0\r\n\r\n"
        )
    };
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: broker\r\n\r\n");
    let (mut packet, mut expected) = (String::new(), vec![]);
    for number in 0..20 {
        for (request, status) in [
            (post("/pub/x", &format!("pub {number}")), 200),
            (get("/nowhere"), 404),
            (chunked("/bus/x", &format!("bus {number}")), 200),
            (get("/sub/x"), 426),
            (post("/push/x", &format!("push {number}")), 200),
            (get("/sub/$x"), 403),
        ] {
            packet.push_str(&request);
            expected.push(status);
        }
    }
    packet.push_str(&handshake("/pub/x", ""));
    let mut packet = packet.into_bytes();
    packet.extend(frame(TEXT, "behind them all"));
    let mut wire = Wire::open(&server).await;
    wire.send(packet).await;
    for status in expected {
        assert_eq!(wire.answer().await.status, status);
    }
    assert_eq!(wire.answer().await.status, 101);
    for number in 0..20 {
        assert_eq!(subscriber.text().await, format!("pub {number}"));
        assert_eq!(peer.text().await, format!("bus {number}"));
        assert_eq!(puller.text().await, format!("push {number}"));
    }
    assert_eq!(subscriber.text().await, "behind them all");
    peer.quiet().await;
    puller.quiet().await;
}

#[tokio::test]
async fn a_connection_is_kept_from_post_to_post() {
    let server = TestServer::start();
    let mut subscriber = server.connect("/sub/x").await;
    let accepted = server.count(|counters| &counters.accepted);
    let mut wire = Wire::open(&server).await;
    for number in 0..100 {
        let head = "POST /pub/x HTTP/1.1\r\nHost: broker\r\nContent-Length: 2\r\n\r\n";
        let answer = wire.ask(format!("{head}{number:0>2}")).await;
        assert_eq!((answer.status, answer.field("connection")), (200, None));
        assert_eq!(subscriber.text().await, format!("{number:0>2}"));
    }
    assert_eq!(server.count(|counters| &counters.accepted), accepted + 1);
}
