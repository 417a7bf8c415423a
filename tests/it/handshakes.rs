//! What becomes a WebSocket and what does not: behaviour section 1.

use crate::server::TestServer;
use crate::wire::{ACCEPT, CLOSE, PING, PONG, TEXT, Wire, close, frame, handshake};

#[tokio::test]
async fn a_proper_handshake_gets_the_standards_answer() {
    let server = TestServer::start();
    let mut wire = Wire::open(&server).await;
    let answer = wire.ask(handshake("/sub/x", "Content-Length: 0\r\n")).await;
    assert_eq!(answer.status, 101);
    assert_eq!(answer.field("upgrade"), Some("websocket"));
    assert_eq!(answer.field("connection"), Some("Upgrade"));
    assert_eq!(answer.field("sec-websocket-accept"), Some(ACCEPT));
}

#[tokio::test]
async fn a_handshake_may_be_spelled_in_many_ways() {
    let server = TestServer::start();
    for (from, to) in [
        ("Upgrade: websocket", "UPGRADE: h2c, WebSocket"),
        ("Connection: Upgrade", "connection: keep-alive, upgrade"),
        ("Connection: Upgrade", "Connection: keep-alive\r\nConnection: UPGRADE"),
        ("Host: broker", "host: other:1234"),
        ("GET /sub/x", "GET http://broker/sub/x"),
    ] {
        let request = handshake("/sub/x", "").replace(from, to);
        assert_eq!(Wire::open(&server).await.ask(request).await.status, 101, "{to}");
    }
}

#[tokio::test]
async fn extensions_and_subprotocols_are_ignored() {
    let server = TestServer::start();
    let offers = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\
                  Sec-WebSocket-Protocol: mqtt, wamp\r\n";
    let mut wire = Wire::open(&server).await;
    let answer = wire.ask(handshake("/bus/x?echo=1", offers)).await;
    assert_eq!(answer.status, 101);
    assert_eq!(answer.field("sec-websocket-extensions"), None);
    assert_eq!(answer.field("sec-websocket-protocol"), None);
    wire.send(frame(TEXT, "plain")).await;
    assert_eq!(wire.text().await, "plain");
}

#[tokio::test]
async fn only_a_proper_handshake_upgrades() {
    let server = TestServer::start();
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    let chunked = "Version: 13\r\nTransfer-Encoding: chunked";
    for (from, to, status) in [
        ("HTTP/1.1", "HTTP/1.0", 400),
        ("Upgrade: websocket", "Upgrade: websocket2", 426),
        ("Upgrade: websocket", "Upgrade: h2c", 426),
        ("Upgrade: websocket\r\n", "", 426),
        ("Connection: Upgrade", "Connection: keep-alive", 400),
        ("Connection: Upgrade\r\n", "", 400),
        ("Host: broker\r\n", "", 400),
        ("Host: broker", "Host: broker\r\nHost: broker", 400),
        ("Version: 13", "Version: 8", 426),
        ("Version: 13", "Version: 014", 426),
        ("Version: 13", "Version: 13, 8", 426),
        ("Sec-WebSocket-Version: 13\r\n", "", 426),
        (key, "X: y", 400),
        (key, "Sec-WebSocket-Key:", 400),
        (key, "Sec-WebSocket-Key: c2hvcnQ=", 400),
        (key, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZSB0b28=", 400),
        (key, "Sec-WebSocket-Key: !!!!IHNhbXBsZSBub25jZQ==", 400),
        (key, &format!("{key}\r\n{key}"), 400),
        ("Version: 13", "Version: 13\r\nContent-Length: 1", 400),
        ("Version: 13", chunked, 400),
        ("GET", "DELETE", 405),
        ("GET", "PUT", 405),
    ] {
        let request = handshake("/sub/x", "").replacen(from, to, 1);
        let head = Wire::open(&server).await.ask(&request).await;
        assert_eq!(head.status, status, "{from} -> {to}");
        assert_eq!(head.field("sec-websocket-accept"), None, "{from} -> {to}");
        let is_426 = status == 426;
        assert_eq!(head.field("upgrade"), is_426.then_some("websocket"), "{from} -> {to}");
        let connection = head.field("connection");
        assert_eq!(connection == Some("Upgrade"), is_426, "{from} -> {to}: {connection:?}");
    }
    assert_eq!(server.count(|counters| &counters.joins), 0);
}

#[tokio::test]
async fn another_version_is_a_426_that_names_thirteen() {
    let server = TestServer::start();
    let request = handshake("/sub/x", "").replace("Version: 13", "Version: 8");
    let answer = Wire::open(&server).await.ask(request).await;
    assert_eq!(answer.status, 426);
    assert_eq!(answer.field("sec-websocket-version"), Some("13"));
    assert!(answer.body.contains('8') && answer.body.contains("13"), "{answer:?}");
}

#[tokio::test]
async fn a_post_that_asks_for_an_upgrade_is_a_post() {
    let server = TestServer::start();
    let mut subscriber = server.connect("/sub/x").await;
    let request = handshake("/pub/x", "Content-Length: 4\r\n").replacen("GET", "POST", 1);
    let answer = Wire::open(&server).await.ask(request + "post").await;
    assert_eq!((answer.status, answer.field("sec-websocket-accept")), (200, None));
    assert_eq!(subscriber.text().await, "post");
}

#[tokio::test]
async fn after_a_refusal_the_connection_can_still_be_upgraded() {
    let server = TestServer::start();
    let mut wire = Wire::open(&server).await;
    let request = handshake("/bus/x", "").replace("Version: 13", "Version: 8");
    assert_eq!(wire.ask(request).await.status, 426);
    let post = "POST /pub/x HTTP/1.1\r\nHost: broker\r\nContent-Length: 2\r\n\r\nhi";
    assert_eq!(wire.ask(post).await.status, 200);
    assert_eq!(wire.ask(handshake("/bus/x?echo=1", "")).await.status, 101);
    wire.send(frame(TEXT, "hello")).await;
    assert_eq!(wire.text().await, "hello");
}

#[tokio::test]
async fn frames_in_the_packet_of_the_handshake_are_the_first_messages() {
    let server = TestServer::start();
    let mut subscriber = server.connect("/sub/x").await;
    let mut puller = server.connect("/pull/x").await;
    let mut peer = server.connect("/bus/x").await;
    let mut packet = handshake("/pub/x", "").into_bytes();
    let mut senders = vec![];
    for path in ["/pub/x", "/push/x", "/bus/x"] {
        packet.clear();
        packet.extend_from_slice(handshake(path, "").as_bytes());
        for number in 0..100 {
            packet.extend(frame(TEXT, format!("{number}")));
        }
        let mut wire = Wire::open(&server).await;
        assert_eq!(wire.ask(&packet).await.status, 101);
        wire.send(frame(TEXT, "last")).await;
        senders.push(wire);
    }
    for receiver in [&mut subscriber, &mut puller, &mut peer] {
        for number in 0..100 {
            assert_eq!(receiver.text().await, number.to_string());
        }
        assert_eq!(receiver.text().await, "last");
    }
}

#[tokio::test]
async fn frames_in_the_packet_of_the_handshake_wait_for_room_like_others() {
    let server = TestServer::limited(|limits| limits.backlog_messages_max = 4);
    let mut packet = handshake("/push/x", "").into_bytes();
    for number in 0..50 {
        packet.extend(frame(0x01, "0"));
        packet.extend(frame(PING, ""));
        packet.extend(frame(0x80, number.to_string()));
    }
    let mut wire = Wire::open(&server).await;
    assert_eq!(wire.ask(&packet).await.status, 101);
    server.until(|counters| &counters.publisher_waits, 1).await;
    assert_eq!(server.count(|counters| &counters.backlog_messages), 4);
    let mut puller = server.connect("/pull/x").await;
    for number in 0..50 {
        assert_eq!(puller.text().await, format!("0{number}"));
        assert_eq!(wire.next().await.first, PONG);
    }
    puller.quiet().await;
}

#[tokio::test]
async fn a_frame_may_begin_in_the_packet_of_the_handshake() {
    let server = TestServer::start();
    let mut subscriber = server.connect("/sub/x").await;
    let message = frame(TEXT, "in two packets");
    for cut in 1..message.len() {
        let mut wire = Wire::open(&server).await;
        let packet = [handshake("/pub/x", "").as_bytes(), &message[..cut]].concat();
        assert_eq!(wire.ask(packet).await.status, 101);
        wire.send(&message[cut..]).await;
        assert_eq!(subscriber.text().await, "in two packets", "cut at {cut}");
    }
}

#[tokio::test]
async fn a_ping_and_a_close_in_the_packet_of_the_handshake_are_answered() {
    let server = TestServer::start();
    let mut wire = Wire::open(&server).await;
    let packet = [handshake("/sub/x", "").into_bytes(), frame(PING, "early")].concat();
    assert_eq!(wire.ask(packet).await.status, 101);
    let pong = wire.next().await;
    assert_eq!((pong.first, pong.payload.as_slice()), (PONG, &b"early"[..]));
    let mut wire = Wire::open(&server).await;
    let packet = [handshake("/sub/x", "").into_bytes(), close(3000, "and gone")].concat();
    assert_eq!(wire.ask(packet).await.status, 101);
    assert_eq!(wire.next().await.closed(), (3000, "and gone".to_owned()));
    assert_eq!(wire.frame().await, None);
}

#[tokio::test]
async fn a_socket_is_a_member_before_its_101_leaves() {
    let server = TestServer::start();
    for round in 0..200 {
        let mut wire = Wire::connect(&server, &format!("/sub/{round}")).await;
        assert_eq!(server.post(&format!("/pub/{round}"), "at once").await.0, 200);
        assert_eq!(wire.text().await, "at once", "round {round}");
    }
}

#[tokio::test]
async fn a_member_is_gone_before_its_close_reply_leaves() {
    let server = TestServer::start();
    let mut stays = server.connect("/pull/x").await;
    for round in 0..100 {
        let mut leaves = Wire::connect(&server, "/pull/x").await;
        leaves.send(close(1000, "")).await;
        assert_eq!(leaves.next().await.first, CLOSE);
        for job in ["one", "two"] {
            assert_eq!(server.post("/push/x", job).await.0, 200);
            assert_eq!(stays.text().await, job, "round {round}");
        }
        assert_eq!(leaves.frame().await, None);
    }
}
