//! Stopping: behaviour section 9.

use std::time::{Duration, Instant};

use mercury::server::Drained;
use rustix::process::Signal;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::process::Process;
use crate::server::{PATIENCE, TestServer};
use crate::socket::{CLOSE, PING, PONG, Socket, TEXT, post, upgrade};

const GOING_AWAY: (u16, &str) = (1001, "going away");
pub(crate) const NOTHING_CUT: Drained = Drained { cut: 0, cut_bytes: 0, backlog_messages: 0 };

/// A broker with one shard that drains for at most so long.
pub(crate) fn draining_for(drain: Duration) -> TestServer {
    TestServer::with(|config| {
        config.shards = std::num::NonZeroUsize::MIN;
        config.limits.drain_max = drain;
    })
}

/// Reads to the Close, which must say that the broker goes away; what came before, and when.
pub(crate) async fn goodbye(mut socket: Socket) -> (Vec<String>, Instant) {
    let (texts, code, reason) = socket.until_close().await;
    assert_eq!((code, reason.as_str()), GOING_AWAY);
    (texts, Instant::now())
}

/// Waits until a count is at least this.
pub(crate) async fn reaches(count: impl Fn() -> u64, least: u64) {
    let reached = async {
        while count() < least {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, reached).await.unwrap_or_else(|_| panic!("{} of {least}", count()));
}

/// A POST whose body never comes: the drain waits for it. Its head was read when this returns.
async fn unfinished_post(port: u16) -> Socket {
    let mut socket = Socket::open(port).await;
    let head = "POST /pub/fry HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9";
    socket.write(format!("{head}\r\n\r\n")).await.unwrap();
    assert_eq!(socket.answer().await.unwrap().0, 100);
    socket
}

/// A subscriber that never reads and that more waits for than its socket takes.
async fn deaf_subscriber(port: u16) -> Socket {
    let deaf = Socket::join_small(port, "/sub/fry").await;
    let mut poster = Socket::open(port).await;
    for _ in 0..40 {
        assert_eq!(poster.post("/pub/fry", &"x".repeat(65_000)).await, Some(200));
    }
    deaf
}

#[tokio::test]
async fn either_signal_says_goodbye_and_ends_with_status_0() {
    for (signal, name) in [(Signal::TERM, "SIGTERM"), (Signal::INT, "SIGINT")] {
        let process = Process::broker(&["--drain-timeout", "1h"]).await;
        let sockets = [
            Socket::join(process.port(), "/bus/x").await,
            Socket::join(process.port(), "/sub/y").await,
        ];
        process.signal(signal);
        for socket in sockets {
            assert!(goodbye(socket).await.0.is_empty());
        }
        let ended = process.ended().await;
        assert!(ended.lines[0].contains(&format!("draining signal=\"{name}\" ")), "{ended:?}");
        let drained = "mercury: drained cut=0 cut_bytes=0 backlog_messages=0";
        assert!(ended.lines[1].ends_with(drained), "{ended:?}");
        assert_eq!((ended.status, ended.output.as_str()), (Some(0), ""));
        assert_eq!(ended.lines.len(), 2, "{ended:?}");
    }
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    for (first, second, status) in [
        (Signal::TERM, Signal::TERM, 143),
        (Signal::INT, Signal::INT, 130),
        (Signal::TERM, Signal::INT, 130),
    ] {
        let timeouts = ["--drain-timeout", "1h", "--write-timeout", "1h"];
        let mut process = Process::broker(&timeouts).await;
        let _deaf = deaf_subscriber(process.port()).await;
        process.signal(first);
        process.line_with("draining").await;
        process.signal(second);
        let ended = process.ended().await;
        assert_eq!(ended.status, Some(status), "{ended:?}");
        assert!(ended.lines[0].contains("a second signal, the drain is cut short"), "{ended:?}");
    }
}

#[tokio::test]
async fn two_connections_go_at_once() {
    // evenly over half of a year the first would go in the summer
    let server = draining_for(Duration::from_hours(8760)).into_server();
    let port: u16 = server.urls()[0].rsplit(':').next().unwrap().parse().unwrap();
    let sockets = [Socket::join(port, "/bus/a").await, Socket::join(port, "/sub/b").await];
    let goodbyes = async {
        for socket in sockets {
            goodbye(socket).await;
        }
    };
    let both = async { tokio::join!(server.drain(), goodbyes) };
    assert_eq!(timeout(PATIENCE, both).await.expect("an end in time").0, NOTHING_CUT);
}

#[tokio::test]
async fn many_connections_go_in_steps() {
    // over half of the time, 2 s; and not over half an hour, but 100 a second
    for (drain, least) in [(Duration::from_secs(4), 1900), (Duration::from_hours(1), 2900)] {
        let server = draining_for(drain);
        let mut readers = JoinSet::new();
        for _ in 0..300 {
            readers.spawn(goodbye(Socket::join(server.port, "/sub/many").await));
        }
        let begin = Instant::now();
        let (drained, ends) = tokio::join!(server.drain(), readers.join_all());
        assert_eq!(drained, NOTHING_CUT);
        let after: Vec<_> = ends.iter().map(|(_, end)| end.duration_since(begin)).collect();
        let last = *after.iter().max().unwrap();
        assert!(last >= Duration::from_millis(least) && last < PATIENCE, "{last:?}");
        let early = after.iter().filter(|after| **after < Duration::from_secs(1)).count();
        assert!(early < 160, "{early} in the first second");
    }
}

#[tokio::test]
async fn pings_and_closes_are_answered_and_data_is_ignored() {
    let server = draining_for(PATIENCE);
    let mut busy = Socket::join_small(server.port, "/bus/room").await;
    let mut leaver = Socket::join_small(server.port, "/bus/room").await;
    let mut late = Socket::join_small(server.port, "/bus/room").await;
    let reader = Socket::join(server.port, "/bus/room").await;
    let mut poster = Socket::open(server.port).await;
    let texts: Vec<_> = (0..40).map(|n| format!("{n} {}", "x".repeat(65_000))).collect();
    for text in &texts {
        assert_eq!(poster.post("/bus/room", text).await, Some(200));
    }
    let server = server.into_server();
    let metrics = server.metrics().clone();
    let counters = metrics.clone();
    let rest = async move {
        // nobody goes before the first goodbye, and these three have not got everything
        assert!(goodbye(reader).await.0 == texts);
        busy.send(TEXT, b"too late").await.unwrap();
        busy.send(PING, b"alive").await.unwrap();
        reaches(|| counters.sum(|c| &c.drain_ignored), 1).await;
        for text in &texts {
            assert!(busy.text().await == *text);
        }
        assert_eq!(busy.frame().await, Some((PONG, (&b"alive"[..]).into())));
        goodbye(busy).await;
        leaver.send(CLOSE, &4000u16.to_be_bytes()).await.unwrap();
        assert_eq!(leaver.until_close().await.1, 4000);
        drop(leaver);
        late.send(TEXT, b"too late").await.unwrap();
        late.send(CLOSE, &1000u16.to_be_bytes()).await.unwrap();
        // an answer of 1000 would say that it was taken
        goodbye(late).await;
    };
    let (drained, ()) = tokio::join!(server.drain(), rest);
    assert_eq!(drained, NOTHING_CUT);
    assert_eq!(metrics.sum(|c| &c.messages_in), 0);
}

#[tokio::test]
async fn requests_under_way_are_refused_with_503() {
    let server = draining_for(PATIENCE);
    let mut halves = vec![];
    for request in [post("/pub/fry", ""), upgrade("/sub/fry")] {
        let mut socket = Socket::open(server.port).await;
        assert_eq!(socket.post("/pub/fry", "hi").await, Some(200));
        let (front, rest) = request.split_at(20);
        socket.write(front).await.unwrap();
        halves.push((socket, rest.to_owned()));
    }
    // there is one acceptor: once it answers this, it has read those fronts
    let mut body = unfinished_post(server.port).await;
    let mut watcher = Socket::join(server.port, "/sub/watch").await;
    let server = server.into_server();
    let rest = async {
        assert_eq!(watcher.until_close().await.1, 1001);
        for (mut socket, rest) in halves {
            socket.write(rest).await.unwrap();
            let refused = (503, "the broker is shutting down\n".to_owned());
            assert_eq!(socket.answer().await, Some(refused));
        }
        body.write("123456789").await.unwrap();
        assert_eq!(body.answer().await.unwrap().0, 503);
    };
    assert_eq!(tokio::join!(server.drain(), rest).0, NOTHING_CUT);
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_it_up() {
    let server = draining_for(Duration::from_hours(1));
    let mut idle = Socket::open(server.port).await;
    assert_eq!(idle.post("/pub/fry", "hi").await, Some(200));
    let _silent = Socket::open(server.port).await;
    server.until(|c| &c.accepted, 2).await;
    let drained = timeout(PATIENCE, server.drain()).await.expect("an end in time");
    assert_eq!(drained, NOTHING_CUT);
    assert_eq!(idle.post("/pub/fry", "hi").await, None);
}

#[tokio::test]
async fn a_post_on_a_connection_that_was_kept_alive_is_a_503() {
    let server = draining_for(Duration::from_hours(1));
    let mut kept = Socket::open(server.port).await;
    assert_eq!(kept.post("/pub/fry", "hi").await, Some(200));
    // it does not answer the goodbye: the drain goes on
    let mut silent = Socket::join(server.port, "/sub/fry").await;
    let ask = async {
        assert_eq!(silent.until_close().await.1, 1001);
        let status = kept.post("/pub/fry", "hi").await;
        drop(silent);
        status
    };
    let (drained, status) = tokio::join!(server.drain(), ask);
    assert_eq!((drained, status), (NOTHING_CUT, Some(503)));
}

#[tokio::test]
async fn listeners_are_closed_first() {
    let mut process = Process::broker(&["--drain-timeout", "1h"]).await;
    let _held = unfinished_post(process.port()).await;
    process.signal(Signal::TERM);
    process.line_with("draining").await;
    let refused = async {
        while TcpStream::connect(("127.0.0.1", process.port())).await.is_ok() {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, refused).await.expect("no more connections in time");
}

#[tokio::test]
async fn who_never_reads_is_cut_at_the_deadline_and_counted() {
    let process = Process::broker(&["--drain-timeout", "300ms"]).await;
    let _deaf = deaf_subscriber(process.port()).await;
    let ended = process.stop().await;
    let line = ended.lines.last().unwrap();
    assert!(line.contains("drained cut=1 cut_bytes=") && !line.contains("cut_bytes=0 "), "{line}");
    assert_eq!(ended.status, Some(0));
}
