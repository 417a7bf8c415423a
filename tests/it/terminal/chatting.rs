//! `mercury bus` in pipes and on a terminal.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::Stdio;

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tokio::process::Command;

use super::{Ended, Tool};
use crate::server::{PATIENCE, TestServer};

#[tokio::test]
async fn peers_hear_each_other_and_not_themselves() {
    let server = TestServer::start();
    let mut one = Tool::joined(&server, &["bus", "chat"]).await;
    let mut other = Tool::joined(&server, &["bus", "chat"]).await;
    one.write(b"hello\n").await;
    assert_eq!(other.line().await, "hello");
    other.write(b"who is there?\n").await;
    assert_eq!(one.line().await, "who is there?");
    one.write(b"bye\n").await;
    assert_eq!(one.ended().await, Ended::silent(0));
    assert_eq!(other.line().await, "bye");
    assert_eq!(other.ended().await, Ended::silent(0));
}

#[tokio::test]
async fn who_is_told_how_long_stays_behind_its_last_line() {
    let server = TestServer::start();
    let mut asking = Tool::joined(&server, &["bus", "chat", "--count", "1"]).await;
    let mut peer = server.connect("/bus/chat").await;
    asking.write(b"question\n").await;
    drop(asking.input.take());
    assert_eq!(peer.text().await, "question");
    peer.send("answer").await;
    assert_eq!(asking.end().await, Ended { output: b"answer\n".to_vec(), ..Ended::silent(0) });
}

#[tokio::test]
async fn lines_that_are_typed_are_sent_and_a_terminal_is_not_commanded() {
    let server = TestServer::start();
    let mut peer = server.connect("/bus/chat").await;
    let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&person).unwrap();
    unlockpt(&person).unwrap();
    let name = ptsname(&person, vec![]).unwrap();
    let terminal = open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    let end = || Stdio::from(terminal.try_clone().unwrap());
    let mut child = Command::new(env!("CARGO_BIN_EXE_mercury"))
        .args(["bus", "chat", "--url", &format!("ws://127.0.0.1:{}", server.port)])
        .env_clear()
        .stdin(end())
        .stdout(end())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    server.until(|counters| &counters.joins, 2).await;
    let mut person = File::from(person);
    person.write_all(b"hello\n").unwrap();
    assert_eq!(peer.text().await, "hello");
    peer.send("\u{1b}[2Jhi\n").await;
    let reading = tokio::task::spawn_blocking(move || {
        let (mut seen, mut bytes) = (String::new(), [0; 1024]);
        while !seen.contains("hi\\n") {
            let count = person.read(&mut bytes).unwrap();
            seen.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
        (seen, person)
    });
    let reading = tokio::time::timeout(PATIENCE, reading).await;
    let (seen, mut person) = reading.expect("the line in time").unwrap();
    assert!(seen.contains("\\u{1b}[2Jhi\\n") && !seen.contains('\u{1b}'), "{seen:?}");
    // the end of what is typed
    person.write_all(b"\x04").unwrap();
    let status = tokio::time::timeout(PATIENCE, child.wait()).await.expect("an end in time");
    assert!(status.unwrap().success());
}
