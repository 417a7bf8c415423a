//! PROXY headers: what is behind them reads as if there had been none.

use std::io::{ErrorKind, Read as _, Write};
use std::time::Duration;

use bytes::Bytes;

use super::{Came, House, Settings, response, rest};
use crate::broker::{Kind, Role};
use crate::metrics::Parts as _;

const SHORT: Duration = Duration::from_millis(100);
const LINE: &[u8] = b"PROXY TCP4 203.0.113.7 10.0.0.1 54321 80\r\n";
/// Version 2, the proxy's own.
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
const POST: &[u8] = b"POST /pub/a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx";

fn house(head_wait: Duration) -> House {
    let times = super::Times { head_wait, ..Settings::default().times };
    House::with(Settings { times, proxied: true, ..Settings::default() })
}

fn came() -> Came {
    Came::Post("a".to_owned(), Kind::Text, Bytes::from_static(b"x"))
}

#[test]
fn what_comes_behind_a_header_is_served_in_one_packet_or_byte_by_byte() {
    let house = house(super::PATIENCE);
    for header in [LINE, LOCAL, b"PROXY UNKNOWN\r\n"] {
        let packet = [header, POST, POST].concat();
        for size in [packet.len(), header.len(), header.len() + 1, 1] {
            let mut socket = house.connect();
            for piece in packet.chunks(size) {
                socket.write_all(piece).unwrap();
            }
            for _ in 0..2 {
                let answer = response(&mut socket);
                assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
                assert_eq!(house.came(), came());
            }
        }
    }
    let mut socket = house.connect();
    let fields = "Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let handshake = format!("GET /sub/a HTTP/1.1\r\n{fields}\r\nframes");
    socket.write_all(&[LINE, handshake.as_bytes()].concat()).unwrap();
    let left_over = Bytes::from_static(b"frames");
    let connection = Came::Connection(Role::Subscriber, "a".to_owned(), false, left_over);
    assert_eq!(house.came(), connection);
    assert_eq!(house.counters.refusals.total(), 0);
}

#[test]
fn a_header_that_does_not_come_in_time_ends_the_connection() {
    let house = house(SHORT);
    for (part, timeouts) in [(&b""[..], 1), (&LINE[..20], 2), (&LOCAL[..14], 3)] {
        let mut socket = house.connect();
        socket.write_all(part).unwrap();
        assert_eq!(rest(&mut socket), "");
        assert_eq!(house.counters.head_timeouts.value(), timeouts);
    }
    assert_eq!(house.counters.proxy_header_errors.value(), 0);
}

#[test]
fn what_is_no_header_ends_the_connection_and_is_counted() {
    let house = house(super::PATIENCE);
    let long = [b"PROXY UNKNOWN ", &[b'x'; 100][..]].concat();
    for (errors, wrong) in [POST, b"\x16\x03\x01", b"PROXY TCP4 x\r\n", &long].iter().enumerate() {
        let mut socket = house.connect();
        socket.write_all(wrong).unwrap();
        house.until(|| house.counters.proxy_header_errors.value() == errors as u64 + 1);
    }
    assert_eq!(house.counters.head_timeouts.value(), 0);
}

#[test]
fn a_look_whether_the_broker_lives_is_no_fault() {
    let house = house(super::PATIENCE);
    for header in [b"", LOCAL, &LOCAL[..3]] {
        // `ask` says no more and waits for the end
        let header = std::str::from_utf8(header).unwrap();
        assert_eq!(house.ask(header), "");
    }
    let counters = &house.counters;
    house.until(|| counters.accepted.value() == 3);
    assert_eq!(counters.refusals.total() + counters.proxy_header_errors.value(), 0);
    assert_eq!(counters.head_timeouts.value(), 0);
}

#[test]
fn a_drain_waits_for_no_header() {
    let house = house(super::PATIENCE);
    let mut socket = house.connect();
    socket.write_all(&LINE[..9]).unwrap();
    house.until(|| house.counters.accepted.value() == 1);
    house.shutdown.begin();
    let mut all = vec![];
    // a reset, if the drain came before a look at what was sent
    let ended = socket.read_to_end(&mut all).map_err(|error| error.kind());
    assert!(matches!(ended, Ok(0) | Err(ErrorKind::ConnectionReset)), "{ended:?}");
    assert!(all.is_empty(), "{all:?}");
}
