//! POSTs: bodies, limits, keep-alive, and what is refused.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown as Side;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use socket2::SockRef;

use super::{Came, House, PATIENCE, Settings, Times, response, rest};
use crate::broker::Kind;
use crate::limits::Limits;
use crate::metrics::Parts as _;

const HEAD: &str = "POST /pub/a HTTP/1.1\r\nHost: x\r\n";
const SHORT: Duration = Duration::from_millis(100);

fn text(topic: &str, body: &'static str) -> Came {
    Came::Post(topic.to_owned(), Kind::Text, Bytes::from_static(body.as_bytes()))
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|code| code.parse().ok()).expect(answer)
}

#[test]
fn a_post_is_answered_with_an_empty_200() {
    let house = House::new();
    let answer = house.ask(&format!("{HEAD}Content-Length: 2\r\n\r\nhi"));
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("content-length: 0\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
    assert_eq!(house.came(), text("a", "hi"));
    assert_eq!(status(&house.ask(&format!("{HEAD}\r\n"))), 200);
    assert_eq!(house.came(), text("a", ""));
}

#[test]
fn old_and_odd_requests_are_served() {
    let house = House::new();
    let answer = house.ask_open("POST /bus/x HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi");
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n"), "{answer}");
    assert_eq!(house.came(), text("x", "hi"));
    let absolute = "POST http://x/push/a%2Fb HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1";
    assert_eq!(status(&house.ask(absolute)), 200);
    assert_eq!(house.came(), text("a/b", "1"));
    assert_eq!(status(&house.ask("POST /pub/\u{e9}t\u{e9} HTTP/1.1\r\nHost: x\r\n\r\n")), 200);
    assert_eq!(house.came(), text("\u{e9}t\u{e9}", ""));
    let h2c = "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    assert_eq!(status(&house.ask(&format!("{HEAD}{h2c}"))), 200);
}

#[test]
fn chunked_bodies_are_gathered() {
    let house = House::new();
    let chunks = "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nTrailer: z\r\n\r\n";
    let answer = house.ask(&format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n{chunks}"));
    assert_eq!(status(&answer), 200);
    assert_eq!(house.came(), text("a", "abcdefg"));
    let answer = house.ask(&format!("{HEAD}Transfer-Encoding: chunked\r\n\r\nzz\r\n"));
    assert_eq!(status(&answer), 400);
    assert!(answer.contains("body ended at 0 bytes"), "{answer}");
}

#[test]
fn a_large_body_arrives_whole() {
    let house = House::new();
    let body = "x".repeat(1 << 20);
    let answer = house.ask(&format!("{HEAD}Content-Length: {}\r\n\r\n{body}", body.len()));
    assert_eq!(status(&answer), 200);
    assert_eq!(house.came(), Came::Post("a".to_owned(), Kind::Text, Bytes::from(body)));
}

#[test]
fn an_expected_100_comes_and_a_refusal_instead_of_it() {
    let house = House::new();
    let mut socket = house.connect();
    let expect = "Expect: 100-continue\r\nContent-Length:";
    write!(socket, "{HEAD}{expect} 2\r\n\r\n").unwrap();
    assert_eq!(response(&mut socket), "HTTP/1.1 100 Continue\r\n\r\n");
    socket.write_all(b"hi").unwrap();
    assert_eq!(status(&response(&mut socket)), 200);
    write!(socket, "{HEAD}{expect} 9999999\r\n\r\n").unwrap();
    let answer = rest(&mut socket);
    assert_eq!(status(&answer), 413, "{answer}");
}

#[test]
fn a_connection_is_kept_for_many_posts() {
    let house = House::new();
    let mut socket = house.connect();
    for _ in 0..200 {
        write!(socket, "{HEAD}Content-Length: 2\r\n\r\nhi").unwrap();
        assert_eq!(status(&response(&mut socket)), 200);
        assert_eq!(house.came(), text("a", "hi"));
    }
    let pipelined = format!("{HEAD}Content-Length: 2\r\n\r\nhi").repeat(50);
    socket.write_all(pipelined.as_bytes()).unwrap();
    for _ in 0..50 {
        assert_eq!(status(&response(&mut socket)), 200);
    }
    assert_eq!(house.counters.accepted.value(), 1);
}

#[test]
fn a_413_reaches_a_client_that_still_sends() {
    let house = House::new();
    let piece = vec![b'x'; 65536];
    for framing in
        ["Content-Length: 6291456\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n600000\r\n"]
    {
        let mut socket = house.connect();
        write!(socket, "{HEAD}{framing}").unwrap();
        for _ in 0..96 {
            socket.write_all(&piece).unwrap();
        }
        let answer = rest(&mut socket);
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(answer.contains("connection: close\r\n"), "{answer}");
    }
    assert_eq!(house.counters.body_too_long.value(), 2);
    assert_eq!(house.counters.refusals.total(), 2);
}

#[test]
fn a_stalled_body_gets_a_408() {
    let times = Times { body_stall: SHORT, ..Settings::default().times };
    let house = House::with(Settings { times, ..Settings::default() });
    let answer = house.ask_open(&format!("{HEAD}Content-Length: 5\r\n\r\nhi"));
    assert!(
        answer.contains("body is too slow: at 2 bytes after 100ms, 100 less than it should be"),
        "{answer}"
    );
    assert_eq!(status(&answer), 408);
    assert_eq!(house.counters.body_stalls.value(), 1);
}

#[test]
fn a_body_that_trickles_gets_a_408() {
    let times = Times { body_stall: 4 * SHORT, ..Settings::default().times };
    let house = House::with(Settings { times, ..Settings::default() });
    let mut socket = house.connect();
    write!(socket, "{HEAD}Content-Length: 1048576\r\n\r\n").unwrap();
    let mut trickle = socket.try_clone().unwrap();
    // never still for as long as a body may be
    let sender = thread::spawn(move || {
        while trickle.write_all(b"x").is_ok() {
            thread::sleep(SHORT / 10);
        }
    });
    let answer = response(&mut socket);
    assert_eq!(status(&answer), 408, "{answer}");
    socket.shutdown(Side::Both).unwrap();
    sender.join().unwrap();
    assert_eq!(house.counters.body_stalls.value(), 1);
}

#[test]
fn a_late_head_gets_a_408_if_it_began() {
    let times = Times { head_wait: SHORT, keep_alive: 4 * SHORT, ..Settings::default().times };
    let house = House::with(Settings { times, ..Settings::default() });
    assert_eq!(house.ask_open(""), "");
    let answer = house.ask_open("POST /pub/a HT");
    assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
    assert_eq!(house.counters.head_timeouts.value(), 2);

    let mut socket = house.connect();
    write!(socket, "{HEAD}\r\n").unwrap();
    assert_eq!(status(&response(&mut socket)), 200);
    thread::sleep(2 * SHORT);
    write!(socket, "{HEAD}\r\n").unwrap();
    assert_eq!(status(&response(&mut socket)), 200);
    write!(socket, "POST").unwrap();
    assert_eq!(status(&rest(&mut socket)), 408);

    let mut socket = house.connect();
    write!(socket, "{HEAD}\r\n").unwrap();
    assert_eq!(status(&response(&mut socket)), 200);
    let began = Instant::now();
    assert_eq!(rest(&mut socket), "");
    assert!(began.elapsed() > 3 * SHORT);
    assert_eq!(house.counters.head_timeouts.value(), 3);
}

#[test]
fn smuggling_shapes_are_refused() {
    let house = House::new();
    let chunked = "Transfer-Encoding: chunked\r\n";
    for fields in [
        format!("Content-Length: 4\r\n{chunked}"),
        format!("{chunked}Content-Length: 4\r\n"),
        "Content-Length: 4\r\nContent-Length: 5\r\n".to_owned(),
        "Content-Length: +4\r\n".to_owned(),
        "Content-Length : 4\r\n".to_owned(),
        "Transfer-Encoding: chunked, identity\r\n".to_owned(),
        "Transfer-Encoding: xchunked\r\n".to_owned(),
    ] {
        let answer = house.ask_open(&format!("{HEAD}{fields}\r\n0\r\n\r\n{HEAD}\r\n"));
        assert_eq!(status(&answer), 400, "{fields} {answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
    }
    assert!(house.came.is_empty());
    assert_eq!(house.counters.refusals.total(), 7);
    let mut socket = house.connect();
    let plain = format!("{HEAD}Content-Length: 1\r\n\r\n1{HEAD}{chunked}\r\n0\r\n\r\n");
    socket.write_all(plain.as_bytes()).unwrap();
    assert_eq!(status(&response(&mut socket)), 200);
    assert_eq!(status(&response(&mut socket)), 200);
    write!(socket, "{HEAD}{chunked}Content-Length: 4\r\n\r\n0\r\n\r\n").unwrap();
    assert_eq!(status(&rest(&mut socket)), 400);
}

#[test]
fn heads_that_are_too_large_are_refused() {
    let house = House::new();
    let long = format!("{HEAD}X: {}\r\n\r\n", "x".repeat(100_000));
    assert_eq!(status(&house.ask_open(&long)), 431);
    let many = format!("{HEAD}{}\r\n", "X: y\r\n".repeat(101));
    assert_eq!(status(&house.ask_open(&many)), 431);
    assert_eq!(status(&house.ask_open("nonsense\r\n\r\n")), 400);
    assert_eq!(house.counters.refusals.total(), 3);
}

#[test]
fn routes_methods_and_topics_are_checked() {
    let house = House::new();
    let long = "x".repeat(1025);
    let deep = ["x"; 33].join("/");
    for (line, expected, code) in [
        ("POST /sub/a", 405, "method-not-allowed"),
        ("HEAD /sub/a", 405, ""),
        ("PUT /bus/a", 405, "method-not-allowed"),
        ("POST /", 404, "no-such-route"),
        ("GET /", 404, "no-such-route"),
        ("GET /nothing", 404, "no-such-route"),
        ("OPTIONS *", 404, "no-such-route"),
        ("POST /pub", 404, "topic-empty"),
        ("GET /sub/", 404, "topic-empty"),
        ("POST /pub/$sys", 403, "topic-reserved"),
        ("POST /pub/%ff", 400, "topic-not-utf8"),
        (&format!("POST /pub/{long}"), 414, "topic-too-long"),
        (&format!("POST /pub/{deep}"), 400, "topic-too-deep"),
        ("POST /push/full", 503, "backlog-full"),
        ("GET /sub/a", 426, "upgrade-required"),
    ] {
        let accept = "Host: x\r\nAccept: application/json\r\nConnection: close\r\n\r\n";
        let answer = house.ask_open(&format!("{line} HTTP/1.1\r\n{accept}"));
        assert_eq!(status(&answer), expected, "{line} {answer}");
        let json = format!("\r\n\r\n{{\"code\":\"{code}\",\"message\":\"");
        assert!(code.is_empty() || answer.contains(&json), "{line} {answer}");
        assert_eq!(answer.contains("\r\nallow: GET"), expected == 405, "{answer}");
        assert_eq!(answer.contains("\r\nretry-after: 5\r\n"), expected == 503, "{answer}");
        assert_eq!(answer.contains("\r\nupgrade: websocket\r\n"), expected == 426, "{answer}");
    }
    assert_eq!(house.counters.topic_too_long.value(), 2);
    assert_eq!(house.counters.refusals.total(), 15);
    let answer = house.ask("POST /pub/a HTTP/1.1\r\n\r\n");
    assert!(answer.ends_with("\r\n\r\nrequest has 0 Host fields, not 1\n"), "{answer}");
}

#[test]
fn all_bodies_together_are_bounded() {
    let limits = Limits { bodies_bytes_max: 1000, body_bytes_max: 1000, ..Limits::default() };
    let house = House::with(Settings { limits, ..Settings::default() });
    let mut slow = house.connect();
    write!(slow, "{HEAD}Content-Length: 1000\r\n\r\n{}", "x".repeat(999)).unwrap();
    house.until(|| house.bodies.used() >= 999);
    let answer = house.ask(&format!("{HEAD}Content-Length: 2\r\n\r\nhi"));
    assert_eq!(status(&answer), 503, "{answer}");
    assert_eq!(house.counters.bodies_full.value(), 1);
    slow.write_all(b"x").unwrap();
    assert_eq!(status(&response(&mut slow)), 200);
    assert_eq!(house.bodies.used(), 0);
}

#[test]
fn the_drain_lets_requests_end_and_closes_what_is_idle() {
    let house = House::new();
    let (mut fresh, mut late) = (house.connect(), house.connect());
    write!(late, "{HEAD}Content-Len").unwrap();
    // who comes last is served: what came before was read
    let mut idle = house.connect();
    write!(idle, "{HEAD}\r\n").unwrap();
    assert_eq!(status(&response(&mut idle)), 200);
    house.shutdown.begin();
    assert_eq!(rest(&mut idle), "");
    assert_eq!(rest(&mut fresh), "");
    write!(late, "gth: 2\r\n\r\nhi").unwrap();
    let answer = rest(&mut late);
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("connection: close\r\n"), "{answer}");
    let error = std::net::TcpStream::connect(house.address).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn a_reset_is_noticed_while_a_shard_has_the_post() {
    // the shard never answers, and there is no room for another client
    let settings = Settings { is_stuck: true, descriptors: 4, ..Settings::default() };
    let house = House::with(settings);
    let mut sockets = vec![];
    for more in ["", "", HEAD, "nonsense"] {
        let mut socket = house.connect();
        write!(socket, "{HEAD}Content-Length: 2\r\n\r\nhi{more}").unwrap();
        sockets.push(socket);
    }
    house.until(|| house.bodies.used() == 8);
    sockets[0].shutdown(Side::Write).unwrap();
    sockets[2].shutdown(Side::Write).unwrap();
    // an end of input is no reset
    let mut next = house.connect();
    house.until(|| house.counters.accept_pauses.value() > 3);
    assert_eq!(house.bodies.used(), 8);
    for socket in sockets {
        SockRef::from(&socket).set_linger(Some(Duration::ZERO)).unwrap();
    }
    house.until(|| house.bodies.used() == 0);
    write!(next, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert_eq!(status(&response(&mut next)), 404);
    assert_eq!(house.counters.refusals.total(), 1);
}

#[test]
fn accepting_pauses_for_descriptors_and_goes_on() {
    let house = House::with(Settings { descriptors: 1, ..Settings::default() });
    let mut first = house.connect();
    write!(first, "{HEAD}\r\n").unwrap();
    assert_eq!(status(&response(&mut first)), 200);
    let mut second = house.connect();
    write!(second, "{HEAD}\r\n").unwrap();
    second.set_read_timeout(Some(2 * SHORT)).unwrap();
    assert_eq!(second.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert!((1..20).contains(&house.counters.accept_pauses.value()));
    write!(first, "{HEAD}\r\n").unwrap();
    assert_eq!(status(&response(&mut first)), 200);
    drop(first);
    second.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(status(&response(&mut second)), 200);
}

#[test]
fn whoever_came_in_at_the_last_moment_is_heard() {
    let times = Settings::default().times;
    let times = Times { head_wait: 2 * PATIENCE, newcomer_wait: PATIENCE, ..times };
    let house = House::with(Settings { times, ..Settings::default() });
    let (mut kept, mut newcomer) = (house.connect(), house.connect());
    write!(kept, "{HEAD}\r\n").unwrap();
    assert_eq!(status(&response(&mut kept)), 200);
    house.until(|| house.counters.accepted.value() == 2);
    house.shutdown.begin();
    // no shard is left: who had an answer before is not waited for
    assert_eq!(rest(&mut kept), "");
    write!(newcomer, "{HEAD}\r\n").unwrap();
    let answer = rest(&mut newcomer);
    assert_eq!(status(&answer), 503, "{answer}");
    assert!(answer.contains("\r\nretry-after: "), "{answer}");
}

#[test]
fn a_newcomer_that_says_nothing_does_not_hold_up_a_drain() {
    let times = Settings::default().times;
    let times = Times { head_wait: 2 * PATIENCE, newcomer_wait: SHORT, ..times };
    let house = House::with(Settings { times, ..Settings::default() });
    let mut silent = house.connect();
    house.until(|| house.counters.accepted.value() == 1);
    house.shutdown.begin();
    assert_eq!(rest(&mut silent), "");
    assert_eq!(house.counters.head_timeouts.value(), 0);
}
