//! How a command ends that could go on: signals, time, and a reader that is gone.

use std::process::Stdio;

use rustix::process::Signal;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio_tungstenite::tungstenite::Message;

use super::reconnecting::{StandIn, next};
use super::{Ended, Tool};
use crate::server::{PATIENCE, TestServer};

#[tokio::test]
async fn a_signal_says_goodbye_and_is_no_failure() {
    for (signal, arguments) in [
        (Signal::INT, ["sub", "logs"]),
        (Signal::TERM, ["pub", "logs"]),
        (Signal::INT, ["bus", "logs"]),
        (Signal::TERM, ["pull", "logs"]),
    ] {
        let stand_in = StandIn::new().await;
        let tool = Tool::start(stand_in.port(), &arguments);
        let mut socket = stand_in.joined().await;
        tool.signal(signal);
        let Message::Close(Some(close)) = next(&mut socket).await else { panic!("no Close") };
        assert_eq!(u16::from(close.code), 1000);
        // the library answers as it is driven on
        assert!(futures_util::StreamExt::next(&mut socket).await.is_none());
        assert_eq!(tool.end().await, Ended::silent(0), "{arguments:?}");
    }
}

#[tokio::test]
async fn what_came_before_the_close_was_answered_is_printed() {
    let stand_in = StandIn::new().await;
    let tool = Tool::start(stand_in.port(), &["pull", "jobs"]);
    let mut socket = stand_in.joined().await;
    tool.signal(Signal::TERM);
    // the answer waits until the library is driven on
    assert!(matches!(next(&mut socket).await, Message::Close(_)));
    socket.get_mut().write_all(b"\x81\x04last\x88\x02\x03\xe8").await.unwrap();
    assert_eq!(tool.end().await, Ended { output: b"last\n".to_vec(), ..Ended::silent(0) });
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let stand_in = StandIn::new().await;
    let tool = Tool::start(stand_in.port(), &["sub", "logs"]);
    let mut socket = stand_in.joined().await;
    tool.signal(Signal::INT);
    assert!(matches!(next(&mut socket).await, Message::Close(_)));
    tool.signal(Signal::TERM);
    assert_eq!(tool.end().await, Ended::silent(143));
}

#[tokio::test]
async fn a_signal_ends_the_wait_for_a_broker() {
    let server = TestServer::start();
    let port = server.port;
    let mut tool = Tool::joined(&server, &["sub", "logs"]).await;
    server.drain().await;
    assert!(tool.error().await.contains("connecting again"));
    tool.signal(Signal::INT);
    let mut ended = tool.end().await;
    ended.errors.retain(|line| !line.contains(&format!("cannot reach ws://127.0.0.1:{port}")));
    assert_eq!(ended, Ended::silent(0));
}

#[tokio::test]
async fn time_is_up_for_who_counts_and_well_spent_for_who_listens() {
    let server = TestServer::start();
    let mut tool = Tool::joined(&server, &["sub", "logs", "--timeout", "1s"]).await;
    server.connect("/pub/logs").await.send("hello").await;
    assert_eq!(tool.line().await, "hello");
    assert_eq!(tool.end().await, Ended::silent(0));
    let counting = ["sub", "logs", "--timeout", "100ms", "--count", "1"];
    let error = "mercury: out of time after 100ms".to_owned();
    let ended = Tool::start(server.port, &counting).end().await;
    assert_eq!(ended, Ended { errors: vec![error], ..Ended::silent(5) });
}

#[tokio::test]
async fn a_reader_that_is_gone_ends_it_quietly() {
    let server = TestServer::start();
    let mut child = Command::new(env!("CARGO_BIN_EXE_mercury"))
        .args(["sub", "logs", "--url", &format!("ws://127.0.0.1:{}", server.port)])
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    server.until(|counters| &counters.joins, 1).await;
    drop(child.stdout.take());
    server.connect("/pub/logs").await.send("hello").await;
    let ended = tokio::time::timeout(PATIENCE, child.wait_with_output()).await;
    let ended = ended.expect("an end in time").unwrap();
    assert_eq!((ended.status.code(), &ended.stderr[..]), (Some(141), &b""[..]));
}

#[tokio::test]
async fn a_broker_that_does_not_answer_a_close_is_left() {
    let stand_in = StandIn::new().await;
    let tool = Tool::start(stand_in.port(), &["sub", "logs", "--count", "1"]);
    let mut socket = stand_in.joined().await;
    futures_util::SinkExt::send(&mut socket, Message::text("one")).await.unwrap();
    let ended = tool.end().await;
    assert_eq!(ended, Ended { output: b"one\n".to_vec(), ..Ended::silent(0) });
    drop(socket);
}

#[tokio::test]
async fn a_reader_that_reads_no_more_is_not_waited_for() {
    let server = TestServer::start();
    let mut tool = Tool::joined(&server, &["sub", "logs"]).await;
    let mut publisher = server.connect("/pub/logs").await;
    // more than a pipe holds
    for _ in 0..4 {
        publisher.send(&"x".repeat(100_000)).await;
    }
    server.until(|counters| &counters.messages_in, 4).await;
    tool.signal(Signal::TERM);
    let status = tokio::time::timeout(PATIENCE, tool.child.wait()).await.expect("an end in time");
    assert_eq!(status.unwrap().code(), Some(0));
}

#[tokio::test]
async fn jobs_that_nobody_reads_any_more_are_told() {
    let server = TestServer::start();
    let mut tool = Tool::joined(&server, &["pull", "jobs"]).await;
    let mut pusher = server.connect("/push/jobs").await;
    pusher.send("one").await;
    assert_eq!(tool.line().await, "one");
    let Tool { mut child, output, mut errors, input: _input } = tool;
    drop(output);
    pusher.send("two").await;
    let line = tokio::time::timeout(PATIENCE, errors.next_line()).await.expect("a line in time");
    let told = "mercury: 1 more job had come and will not be done";
    assert_eq!(line.unwrap().as_deref(), Some(told));
    let status = tokio::time::timeout(PATIENCE, child.wait()).await.expect("an end in time");
    assert_eq!(status.unwrap().code(), Some(141));
}
