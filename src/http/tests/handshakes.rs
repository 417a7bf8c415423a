//! Handshakes: what upgrades, what does not, and that no byte is lost on the way.

use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use socket2::{Domain, Socket, Type};

use super::{Came, House, PATIENCE, Settings, response, rest};
use crate::broker::Role;
use crate::limits::{INBOX_BYTES_MAX, Limits};
use crate::metrics::Parts as _;

/// Answers of about 300 bytes each: more than all socket buffers take.
const UNREAD: usize = 6000;
const FIELDS: &str = "Host: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const ACCEPTED: &str = "HTTP/1.1 101 ok\r\naccept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

fn handshake(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\n{FIELDS}\r\n")
}

fn connection(role: Role, topic: &str, echo: bool, left_over: &'static [u8]) -> Came {
    Came::Connection(role, topic.to_owned(), echo, Bytes::from_static(left_over))
}

#[test]
fn a_handshake_reaches_its_shard() {
    let house = House::new();
    for (path, role, echo) in [
        ("/bus/a?echo=1", Role::Peer, true),
        ("/bus/a?echo=1&echo=0", Role::Peer, false),
        ("/pub/a", Role::Publisher, false),
        ("http://x/sub/a", Role::Subscriber, false),
        ("/push/a", Role::Pusher, false),
        ("/pull/a", Role::Puller, false),
    ] {
        let mut socket = house.connect();
        socket.write_all(handshake(path).as_bytes()).unwrap();
        assert_eq!(response(&mut socket), ACCEPTED);
        assert_eq!(house.came(), connection(role, "a", echo, b""));
    }
    assert_eq!(house.counters.refusals.total(), 0);
}

#[test]
fn a_handshake_in_single_bytes_is_taken() {
    let house = House::new();
    let mut socket = house.connect();
    socket.set_nodelay(true).unwrap();
    for byte in handshake("/sub/a").as_bytes() {
        socket.write_all(&[*byte]).unwrap();
    }
    assert_eq!(response(&mut socket), ACCEPTED);
}

#[test]
fn posts_a_handshake_and_frames_in_one_packet_all_arrive() {
    let house = House::new();
    let post = "POST /pub/a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi";
    let mut packet = format!("{post}{post}{}", handshake("/pub/b")).into_bytes();
    packet.extend_from_slice(b"\x81\x80frame");
    let mut socket = house.connect();
    socket.write_all(&packet).unwrap();
    for _ in 0..2 {
        assert!(response(&mut socket).starts_with("HTTP/1.1 200 OK\r\n"));
        assert!(matches!(house.came(), Came::Post(..)));
    }
    assert_eq!(response(&mut socket), ACCEPTED);
    assert_eq!(house.came(), connection(Role::Publisher, "b", false, b"\x81\x80frame"));
}

/// A client that does not read, and so much to read that the door can't write it all.
fn deaf_client(house: &House) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&house.address.into()).unwrap();
    let socket = TcpStream::from(socket);
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut writer = socket.try_clone().unwrap();
    thread::spawn(move || {
        let packet = "GET /x HTTP/1.1\r\nHost: x\r\n\r\n".repeat(UNREAD) + &handshake("/sub/a");
        // fails when the door gives the client up
        writer.write_all(packet.as_bytes()).unwrap_or_default();
    });
    socket
}

#[test]
fn a_handshake_behind_unread_answers_loses_none_of_them() {
    let house = House::new();
    let socket = deaf_client(&house);
    // the door is answering, and nobody reads
    house.until(|| house.counters.refusals.total() >= 500);
    assert!(house.came.is_empty());
    let mut reader = BufReader::new(socket);
    for _ in 0..UNREAD {
        assert!(response(&mut reader).starts_with("HTTP/1.1 404 "));
    }
    assert_eq!(response(&mut reader), ACCEPTED);
}

#[test]
fn a_client_that_never_reads_is_given_up() {
    let limits = Limits { write_stall_max: Duration::from_millis(100), ..Limits::default() };
    let house = House::with(Settings { limits, ..Settings::default() });
    let socket = deaf_client(&house);
    house.until(|| house.counters.write_stalls.value() == 1);
    drop(socket);
}

#[test]
fn a_refused_handshake_leaves_http_working() {
    let house = House::new();
    let mut socket = house.connect();
    let wrong = handshake("/sub/a").replace("Version: 13", "Version: 8");
    socket.write_all(wrong.as_bytes()).unwrap();
    let answer = response(&mut socket);
    assert!(answer.starts_with("HTTP/1.1 426 Upgrade Required\r\n"), "{answer}");
    assert!(answer.contains("sec-websocket-version: 13\r\n"), "{answer}");
    assert!(answer.ends_with("Sec-WebSocket-Version is 8, not 13\n"), "{answer}");
    socket.write_all(handshake("/sub/a").as_bytes()).unwrap();
    assert_eq!(response(&mut socket), ACCEPTED);
}

#[test]
fn every_violation_is_refused() {
    let house = House::new();
    let good = handshake("/sub/a");
    let add = |field: &str| good.replace("\r\n\r\n", &format!("\r\n{field}\r\n\r\n"));
    for (text, status, code) in [
        (good.replace("HTTP/1.1", "HTTP/1.0"), 400, "handshake-http-version"),
        (good.replace("Host: x\r\n", ""), 400, "handshake-host"),
        (add("Host: y"), 400, "handshake-host"),
        (good.replace("keep-alive, Upgrade", "close"), 400, "handshake-connection"),
        (good.replace("Key: d", "Key: "), 400, "handshake-key"),
        (good.replace("Sec-WebSocket-Key", "X"), 400, "handshake-key"),
        (add("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), 400, "handshake-key"),
        (good.replace("Sec-WebSocket-Version", "X"), 426, "handshake-version"),
        (good.replace("Version: 13", "Version: 013"), 426, "handshake-version"),
        (add("Content-Length: 3"), 400, "handshake-body"),
        (add("Transfer-Encoding: chunked"), 400, "handshake-body"),
        (good.replace("Upgrade: websocket", "Upgrade: h2c"), 426, "upgrade-required"),
        (good.replace("/sub/a", "/sub/"), 404, "topic-empty"),
        (good.replace("GET", "PUT"), 405, "method-not-allowed"),
    ] {
        let text = text.replace("\r\n\r\n", "\r\nAccept: application/json\r\n\r\n");
        let answer = house.ask(&text);
        assert_eq!(answer.split(' ').nth(1), Some(&*status.to_string()), "{code} {answer}");
        assert!(answer.contains(&format!("{{\"code\":\"{code}\"")), "{code} {answer}");
        assert_eq!(answer.contains("connection: Upgrade"), status == 426, "{answer}");
        assert!(!answer.contains("accept:"), "{answer}");
    }
    assert!(house.came.is_empty());
    assert_eq!(house.counters.refusals.total(), 14);
    let post = good.replace("GET /sub", "POST /pub");
    assert!(house.ask(&post).starts_with("HTTP/1.1 200 "));
}

#[test]
fn a_plain_get_is_told_how_to_connect() {
    let house = House::new();
    let answer = house.ask("GET /sub/a/b HTTP/1.1\r\nHost: example.com:3000\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
    let example = "new WebSocket('ws://example.com:3000/sub/a/b')\n";
    assert!(answer.contains("/sub/*topic") && answer.ends_with(example), "{answer}");
}

#[test]
fn a_full_inbox_is_a_503_with_its_reason() {
    let limits = Limits { drain_max: Duration::from_millis(50), ..Limits::default() };
    let house = House::with(Settings { limits, is_stuck: true, ..Settings::default() });
    let body = "x".repeat(1 << 20);
    let mut waiting = Vec::new();
    for _ in 0..INBOX_BYTES_MAX / body.len() {
        let mut socket = house.connect();
        let head = "POST /pub/a HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n";
        write!(socket, "{head}{body}").unwrap();
        waiting.push(socket);
    }
    house.until(|| house.bodies.used() >= INBOX_BYTES_MAX);
    thread::sleep(Duration::from_millis(50));
    let mut socket = house.connect();
    write!(socket, "{}frame", handshake("/sub/a")).unwrap();
    let answer = rest(&mut socket);
    assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{answer}");
    assert!(answer.contains("the topic's shard has more waiting"), "{answer}");
    let answer = house.ask("POST /pub/a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1");
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert_eq!(house.counters.inbox_full.value(), 2);
    assert_eq!(house.counters.refusals.total(), 2);
}
