//! What is read is sent, and has arrived when the command ends.

use std::time::{Duration, Instant};

use tokio_tungstenite::tungstenite::Message;

use super::{Ended, Tool};
use crate::configuration::Folder;
use crate::server::TestServer;

#[tokio::test]
async fn each_line_is_a_message_and_what_is_no_text_is_binary() {
    let server = TestServer::start();
    let mut subscriber = server.connect("/sub/news").await;
    let input = b"hi\n\n\xc3\xbc\r\n\xff\nlast";
    assert_eq!(Tool::run(server.port, &["pub", "news"], input).await, Ended::silent(0));
    for text in ["hi", "", "ü\r"] {
        assert_eq!(subscriber.next().await, Message::text(text));
    }
    assert_eq!(subscriber.next().await, Message::binary(&b"\xff"[..]));
    assert_eq!(subscriber.next().await, Message::text("last"));
    subscriber.quiet().await;
}

#[tokio::test]
async fn words_and_whole_files_are_messages_too() {
    let server = TestServer::start();
    let mut subscriber = server.connect("/sub/news").await;
    let run = async |arguments: &[&str]| {
        let arguments = [&["pub", "news"], arguments].concat();
        assert_eq!(Tool::run(server.port, &arguments, b"not read").await, Ended::silent(0));
    };
    run(&["--message", "one", "--message", "two\nlines"]).await;
    assert_eq!(subscriber.next().await, Message::text("one"));
    assert_eq!(subscriber.next().await, Message::text("two\nlines"));
    run(&["--message", "one", "--binary"]).await;
    assert_eq!(subscriber.next().await, Message::binary(&b"one"[..]));
    let folder = Folder::with(&[("a", "first\nfile\n"), ("b", "second")]);
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    run(&["--file", &file("a"), "--file", &file("b")]).await;
    assert_eq!(subscriber.next().await, Message::text("first\nfile\n"));
    assert_eq!(subscriber.next().await, Message::text("second"));
    let missing = Tool::run(server.port, &["pub", "news", "--file", &file("c")], b"").await;
    let error = format!("mercury: cannot read {}: no such file or directory", file("c"));
    assert_eq!(missing, Ended { errors: vec![error], ..Ended::silent(1) });
}

#[tokio::test]
async fn a_line_is_sent_when_it_was_read_and_not_at_the_end() {
    let server = TestServer::start();
    let mut subscriber = server.connect("/sub/news").await;
    let mut tool = Tool::start(server.port, &["pub", "news"]);
    for line in ["one", "two"] {
        tool.write(format!("{line}\n").as_bytes()).await;
        assert_eq!(subscriber.text().await, line);
    }
    assert_eq!(tool.ended().await, Ended::silent(0));
}

#[tokio::test]
async fn a_rate_is_kept() {
    let server = TestServer::start();
    let mut subscriber = server.connect("/sub/news").await;
    let begin = Instant::now();
    let publish = ["pub", "news", "--rate", "50/s"];
    assert_eq!(Tool::run(server.port, &publish, b"1\n2\n3\n4\n5\n").await, Ended::silent(0));
    // between five are four twentieths of a second's fifths, but for what a late timer made up for
    assert!(begin.elapsed() >= Duration::from_millis(4 * 20 - 50), "{:?}", begin.elapsed());
    for text in ["1", "2", "3", "4", "5"] {
        assert_eq!(subscriber.text().await, text);
    }
}

#[tokio::test]
async fn jobs_wait_for_a_puller_once_push_has_ended() {
    let server = TestServer::start();
    assert_eq!(Tool::run(server.port, &["push", "jobs"], b"one\ntwo").await, Ended::silent(0));
    let mut puller = server.connect("/pull/jobs").await;
    assert_eq!((puller.text().await, puller.text().await), ("one".to_owned(), "two".to_owned()));
}

#[tokio::test]
async fn what_is_too_long_for_the_broker_is_told_and_so_is_what_may_be_lost() {
    let server = TestServer::limited(|limits| limits.message_bytes_max = 10);
    let ended = Tool::run(server.port, &["pub", "news"], b"12345678901\n").await;
    assert_eq!(ended.status, Some(3), "{ended:?}");
    assert_eq!(ended.errors[0], "mercury: message 1 may not have arrived");
    assert!(ended.errors[1].contains(" closed with 1009, message-too-long: "), "{ended:?}");
}

#[tokio::test]
async fn what_was_read_before_something_cannot_be_read_is_sent() {
    let server = TestServer::start();
    let mut subscriber = server.connect("/sub/news").await;
    let bounded = ["pub", "news", "--max-message", "3"];
    let ended = Tool::run(server.port, &bounded, b"123\n1234\n1\n").await;
    let error = "mercury: line 2 is more than 3B (--max-message)".to_owned();
    assert_eq!(ended, Ended { errors: vec![error], ..Ended::silent(1) });
    let folder = Folder::with(&[("a", "first")]);
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (first, missing) = (file("a"), file("b"));
    let files = ["pub", "news", "--file", &first, "--file", &missing];
    let ended = Tool::run(server.port, &files, b"").await;
    let error = format!("mercury: cannot read {missing}: no such file or directory");
    assert_eq!(ended, Ended { errors: vec![error.clone()], ..Ended::silent(1) });
    assert_eq!((subscriber.text().await, subscriber.text().await), ("123".into(), "first".into()));
    subscriber.quiet().await;
    // with nothing to send no broker is waited for
    let ended = Tool::start(1, &["pub", "news", "--reconnect", "--file", &missing]).end().await;
    assert_eq!((ended.status, ended.errors.last()), (Some(1), Some(&error)));
}

#[tokio::test]
async fn a_pusher_whose_backlog_is_full_runs_out_of_time() {
    let server = TestServer::limited(|limits| limits.backlog_messages_max = 1);
    let push = ["push", "jobs", "--timeout", "300ms"];
    let ended = Tool::run(server.port, &push, b"one\ntwo\nthree\n").await;
    assert_eq!(ended.status, Some(5), "{ended:?}");
    assert_eq!(ended.errors.last().unwrap(), "mercury: out of time after 300ms");
}
