//! What comes is printed as it was asked for.

use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use super::{Ended, Tool};
use crate::server::TestServer;

#[tokio::test]
async fn a_message_is_a_line_whatever_is_in_it() {
    let server = TestServer::start();
    let mut tool = Tool::joined(&server, &["sub", "logs", "--count", "5"]).await;
    let mut publisher = server.connect("/pub/logs/today").await;
    for text in ["hello", "", "two\nlines\n", "tab\tand \u{1b}[1mbold"] {
        publisher.send(text).await;
    }
    publisher.send_message(Message::binary(&b"\xff\n"[..])).await;
    assert_eq!(tool.line().await, "hello");
    let output = b"\ntwo\\nlines\\n\ntab\tand \x1b[1mbold\n\xff\\n\n".to_vec();
    assert_eq!(tool.end().await, Ended { output, ..Ended::silent(0) });
}

#[tokio::test]
async fn json_tells_time_kind_and_topic_and_keeps_every_byte() {
    let server = TestServer::start();
    let tool = Tool::joined(&server, &["sub", "a b/ü", "--json", "--count", "2"]).await;
    let mut publisher = server.connect("/pub/a%20b/%C3%BC").await;
    publisher.send("two\n\"lines\"").await;
    publisher.send_message(Message::binary((0..=255).collect::<Vec<u8>>())).await;
    let ended = tool.end().await;
    assert_eq!((ended.status, ended.errors.len()), (Some(0), 0), "{ended:?}");
    let text = String::from_utf8(ended.output).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    for (line, kind) in lines.iter().zip(["text", "binary"]) {
        assert_eq!((&line["kind"], &line["topic"]), (&kind.into(), &"a b/ü".into()));
        let time = line["time"].as_str().unwrap();
        assert!(humantime::parse_rfc3339(time).is_ok(), "{time}");
        assert_eq!(line.as_object().unwrap().len(), 4);
    }
    assert_eq!(lines[0]["message"], "two\n\"lines\"");
    let base64 = lines[1]["message"].as_str().unwrap();
    assert!(base64.starts_with("AAECAwQFBgcICQoL") && base64.ends_with("+fr7/P3+/w=="), "{base64}");
    assert_eq!(base64.len(), 344);
}

#[tokio::test]
async fn messages_behind_their_lengths_are_as_they_were() {
    let server = TestServer::start();
    let tool = Tool::joined(&server, &["sub", "logs", "--binary", "--count", "3"]).await;
    let bytes: Vec<u8> = (0..70_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    let folder = crate::configuration::Folder::with(&[]);
    let file = folder.path().join("bytes");
    std::fs::write(&file, &bytes).unwrap();
    let publish = ["pub", "logs", "--file", file.to_str().unwrap()];
    assert_eq!(Tool::run(server.port, &publish, b"").await, Ended::silent(0));
    let publish = ["pub", "logs", "--message", "two\nlines", "--message", ""];
    assert_eq!(Tool::run(server.port, &publish, b"").await, Ended::silent(0));
    let mut output = 70_000_u32.to_be_bytes().to_vec();
    output.extend_from_slice(&bytes);
    output.extend_from_slice(b"\0\0\0\x09two\nlines\0\0\0\0");
    assert_eq!(tool.end().await, Ended { output, ..Ended::silent(0) });
}

#[tokio::test]
async fn jobs_are_printed_like_messages() {
    let server = TestServer::start();
    assert_eq!(Tool::run(server.port, &["push", "jobs"], b"one\ntwo\n").await, Ended::silent(0));
    let tool = Tool::start(server.port, &["pull", "jobs", "--count", "2"]);
    assert_eq!(tool.end().await, Ended { output: b"one\ntwo\n".to_vec(), ..Ended::silent(0) });
}

#[tokio::test]
async fn jobs_beyond_the_count_are_told() {
    let server = TestServer::start();
    let push = ["push", "jobs"];
    assert_eq!(Tool::run(server.port, &push, b"one\ntwo\nthree\n").await, Ended::silent(0));
    let tool = Tool::start(server.port, &["pull", "jobs", "--count", "1"]);
    let ended = tool.end().await;
    assert_eq!((ended.status, &ended.output[..]), (Some(0), &b"one\n"[..]));
    assert_eq!(ended.errors, ["mercury: 2 more jobs had come and will not be done"]);
}

#[tokio::test]
async fn everything_comes_in_order_through_pipes() {
    let server = TestServer::start();
    let tool = Tool::joined(&server, &["sub", "numbers", "--count", "20001"]).await;
    let lines: Vec<_> = (0..=20_000).map(|number| number.to_string()).collect();
    let lines = lines.join("\n") + "\n";
    let sent = Tool::run(server.port, &["pub", "numbers"], lines.as_bytes());
    let (sent, received) = tokio::join!(sent, tool.end());
    assert_eq!(sent, Ended::silent(0));
    assert_eq!(received, Ended { output: lines.into_bytes(), ..Ended::silent(0) });
}
