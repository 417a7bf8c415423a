//! The listener for operators: who may ask, and how the broker says that it is.

use std::num::NonZeroUsize;
use std::time::Duration;

use mercury::config::{Admin, Config, Listen};
use mercury::limits::ADMIN_CONNECTIONS_MAX;
use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::process::Process;
use crate::server::{PATIENCE, TestServer};
use crate::socket::Socket;
use crate::stopping::reaches;
use crate::wire::{Answer, Wire};

/// Gives a broker its listener for operators.
pub(crate) fn administered(config: &mut Config) {
    let listen = Some(Listen::parse("http://127.0.0.1:0").unwrap());
    config.admin = Admin { listen, ..Admin::default() };
}

/// A GET with more header lines, each ending in CR LF.
fn get(path: &str, more: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n")
}

/// One question to the listener for operators.
pub(crate) async fn ask(port: u16, path: &str) -> Answer {
    Wire::to(port).await.ask(get(path, "")).await
}

/// All that comes until the broker closes; a reset is an end, too.
async fn all(port: u16, request: &str) -> String {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut came = vec![];
    let reading = timeout(PATIENCE, socket.read_to_end(&mut came)).await.expect("an end in time");
    drop(reading);
    String::from_utf8(came).unwrap()
}

/// The port of the listener for operators, as the start-up lines say.
pub(crate) fn port(process: &Process) -> u16 {
    let line = process.start.iter().find_map(|line| line.strip_prefix("admin at "));
    line.expect("a line of where").rsplit(':').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_broker_says_that_it_lives_and_is_ready() {
    let server = TestServer::with(administered);
    let mut wire = Wire::to(server.admin_port()).await;
    for (path, word) in [("/health/live", "live"), ("/health/ready", "ready")] {
        let answer = wire.ask(get(path, "")).await;
        assert_eq!((answer.status, answer.body), (200, format!("{word}\n")));
        let answer = wire.ask(get(path, "Accept: application/json\r\n")).await;
        assert_eq!(answer.body, format!("{{\"status\":\"{word}\"}}\n"));
        assert_eq!(answer.field("content-type"), Some("application/json"));
    }
}

#[tokio::test]
async fn without_the_flag_nobody_listens_for_operators() {
    let process = Process::broker(&[]).await;
    assert!(!process.start.iter().any(|line| line.contains("admin")), "{:?}", process.start);
    assert!(!process.threads().iter().any(|(name, _)| name == "admin"));
    // and the public door knows none of it
    assert_eq!(ask(process.port(), "/health/live").await.status, 404);
}

#[tokio::test]
async fn the_start_says_where_and_the_thread_is_its_own() {
    let process = Process::broker(&["--admin", "http://127.0.0.1:0"]).await;
    assert_eq!(ask(port(&process), "/health/live").await.status, 200);
    assert!(process.threads().iter().any(|(name, _)| name == "admin"));
    let json = ["--admin", "http://127.0.0.1:0", "--log-format", "json", "--log-level", "off"];
    let process = Process::broker(&json).await;
    let line = process.start.iter().find(|line| line.contains("\"admin\":")).unwrap();
    assert!(line.starts_with('{') && line.contains("\"admin\":\"http://127.0.0.1:"), "{line}");
}

#[tokio::test]
async fn an_address_that_others_reach_wants_a_word() {
    let ended = Process::run(&["broker", "--admin", "http://*:0"], &[]).await;
    let expected = "mercury: --admin is http://*:0, which others can reach, and there is no login: \
                    --admin-public allows it";
    assert_eq!((ended.status, ended.lines), (Some(2), vec![expected.to_owned()]));
    let process = Process::broker(&["--admin", "http://*:0", "--admin-public"]).await;
    assert_eq!(ask(port(&process), "/health/live").await.status, 200);
}

#[tokio::test]
async fn a_place_where_clients_are_listened_for_is_not_for_operators() {
    for command in [&["broker"][..], &["config", "check"]] {
        let flags = ["-l", "http://*:1", "--admin", "http://127.0.0.1:1"];
        let ended = Process::run(&[command, &flags].concat(), &[]).await;
        let expected = "mercury: --admin is http://127.0.0.1:1, which is the place of 'http://*:1'";
        assert_eq!((ended.status, ended.lines), (Some(2), vec![expected.to_owned()]));
    }
}

#[tokio::test]
async fn a_name_that_others_may_have_point_here_is_a_403() {
    let server = TestServer::with(|config| {
        administered(config);
        config.admin.hosts = vec!["mercury.example".to_owned()];
    });
    let mut wire = Wire::to(server.admin_port()).await;
    for (host, status) in [
        ("localhost:3001", 200),
        ("127.0.0.1", 200),
        ("[::1]:80", 200),
        ("mercury.example", 200),
        ("evil.example", 403),
        ("localhost.evil.example", 403),
    ] {
        let request = format!("GET /health/live HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(wire.ask(request).await.status, status, "{host}");
    }
    let json = "GET / HTTP/1.1\r\nHost: evil.example\r\nAccept: application/json\r\n\r\n";
    let answer = wire.ask(json).await;
    assert!(answer.body.starts_with("{\"code\":\"host-not-allowed\","), "{answer:?}");
    // a program of old that names none is no browser
    assert_eq!(wire.ask("GET /health/live HTTP/1.0\r\n\r\n").await.status, 200);
}

#[tokio::test]
async fn what_is_not_there_and_what_is_not_taken_is_said() {
    let server = TestServer::with(administered);
    let mut wire = Wire::to(server.admin_port()).await;
    let answer = wire.ask(get("/bus/fry", "")).await;
    assert_eq!(answer.status, 404);
    assert!(answer.body.starts_with("/bus/fry is no route: there are /health/live"), "{answer:?}");
    for method in ["DELETE", "PUT", "OPTIONS"] {
        let request = format!("{method} /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let answer = wire.ask(request).await;
        assert_eq!((answer.status, answer.field("allow")), (405, Some("GET, HEAD")), "{method}");
    }
    assert_eq!(server.count(|counters| &counters.refusals), 4);
    // a body that nobody wants ends the connection
    let post =
        "POST /health/live HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhello, wo";
    let answer = Answer::parse(&all(server.admin_port(), post).await);
    assert_eq!((answer.status, answer.field("connection")), (405, Some("close")));
    // the length of what a GET would say, and nothing of it
    let head = "HEAD /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let answer = Answer::parse(&all(server.admin_port(), head).await);
    assert_eq!((answer.status, answer.field("content-length")), (200, Some("5")));
    assert_eq!(answer.body, "");
}

#[tokio::test]
async fn a_head_that_is_too_long_or_ambiguous_gets_nowhere() {
    let server = TestServer::with(administered);
    let long = "x".repeat(20_000);
    for request in [
        get(&format!("/{long}"), ""),
        get("/health/live", &format!("X: {long}\r\n")),
        get("/health/live", "Host: other\r\n"),
        get("/health/live", "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"),
    ] {
        let answer = all(server.admin_port(), &request).await;
        assert!(!answer.contains(" 200 OK"), "{answer}");
    }
    assert_eq!(ask(server.admin_port(), "/health/live").await.status, 200);
}

#[tokio::test]
async fn so_many_operators_are_served_at_once_and_the_next_waits() {
    let server = TestServer::with(administered);
    let mut inside = vec![];
    for _ in 0..ADMIN_CONNECTIONS_MAX {
        let mut wire = Wire::to(server.admin_port()).await;
        assert_eq!(wire.ask(get("/health/live", "")).await.status, 200);
        inside.push(wire);
    }
    let mut next = Wire::to(server.admin_port()).await;
    next.send(get("/health/live", "")).await;
    next.silent().await;
    inside.pop();
    assert_eq!(next.answer().await.status, 200);
}

/// Asks until the broker is ready, or is not; the answer.
async fn until_ready(port: u16, is_ready: bool) -> Answer {
    let asking = async {
        loop {
            let answer = ask(port, "/health/ready").await;
            if (answer.status == 200) == is_ready {
                return answer;
            }
            // each answer is one turn of the thread that is asked
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, asking).await.expect("it changes")
}

#[tokio::test]
async fn a_shard_that_is_stuck_is_named_and_one_that_idles_is_not() {
    let server = TestServer::with(|config| {
        administered(config);
        config.shards = NonZeroUsize::MIN;
    });
    let port = server.admin_port();
    let mut publisher = server.connect("/pub/fry").await;
    assert_eq!(ask(port, "/health/ready").await.status, 200);
    publisher.send("faults: be stuck").await;
    let answer = until_ready(port, false).await;
    assert_eq!(answer.status, 503);
    assert!(
        answer.body.starts_with("shard 0 is stuck: its loop has not answered for "),
        "{answer:?}"
    );
    assert_eq!(ask(port, "/health/live").await.status, 200);
    until_ready(port, true).await;
    // it has nothing to do, and is not stuck for it
    let beats = server.metrics().shards()[0].pulse.lag.counted().count + 12;
    reaches(|| server.metrics().shards()[0].pulse.lag.counted().count, beats).await;
    assert_eq!(ask(port, "/health/ready").await.status, 200);
}

#[tokio::test]
async fn a_broker_that_drains_is_not_ready_and_says_so_until_the_end() {
    let flags = ["--admin", "http://127.0.0.1:0", "--drain-timeout", "20s"];
    let mut process = Process::broker(&flags).await;
    let admin = port(&process);
    let mut wire = Wire::to(admin).await;
    assert_eq!(wire.ask(get("/health/ready", "")).await.status, 200);
    // a POST whose body never comes holds the drain up
    let mut socket = Socket::open(process.port()).await;
    let head = "POST /pub/fry HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9";
    socket.write(format!("{head}\r\n\r\n")).await.unwrap();
    assert_eq!(socket.answer().await.unwrap().0, 100);
    process.signal(Signal::TERM);
    process.line_with("draining").await;
    // the line comes first
    let not_ready = async {
        loop {
            let answer = wire.ask(get("/health/ready", "Accept: application/json\r\n")).await;
            if answer.status == 503 {
                return answer;
            }
        }
    };
    let answer = timeout(PATIENCE, not_ready).await.expect("it begins");
    assert!(answer.body.starts_with("{\"code\":\"draining\","), "{answer:?}");
    assert_eq!(ask(admin, "/health/live").await.status, 200);
    drop(socket);
    assert_eq!(process.ended().await.status, Some(0));
    assert!(TcpStream::connect(("127.0.0.1", admin)).await.is_err());
}

/// Asks by the command whether a broker is ready.
async fn health(url: &str) -> (Option<i32>, String, Vec<String>) {
    let ended = Process::run(&["health", "--url", url], &[]).await;
    (ended.status, ended.output, ended.lines)
}

#[tokio::test]
async fn health_is_a_status_for_programs() {
    let flags = ["--admin", "http://127.0.0.1:0", "--drain-timeout", "1h"];
    let broker = Process::broker(&flags).await;
    let mut lines = broker.start.iter();
    let url = lines.find_map(|line| line.strip_prefix("admin at ")).unwrap().to_owned();
    assert_eq!(health(&url).await, (Some(0), "ready\n".to_owned(), vec![]));
    let mut socket = Socket::join(broker.port(), "/sub/fry").await;
    broker.signal(Signal::TERM);
    // it is not answered, so the drain goes on
    assert_eq!(socket.until_close().await.1, 1001);
    let (status, output, lines) = health(&url).await;
    let draining = format!("mercury: {url}/health/ready answers 503 Service Unavailable");
    assert_eq!((status, output.as_str(), lines.len()), (Some(1), "", 1));
    assert!(lines[0].starts_with(&draining), "{lines:?}");
    drop(socket);
    assert_eq!(broker.ended().await.status, Some(0));
    let (status, output, lines) = health(&url).await;
    assert_eq!((status, output.as_str(), lines.len()), (Some(1), "", 1));
    assert!(lines[0].contains("connection refused"), "{lines:?}");
}
