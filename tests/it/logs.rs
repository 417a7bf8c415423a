//! What the log says, and that nobody who connects decides how it looks.

use serde_json::Value;

use crate::process::{Ended, Process, field};
use crate::socket::{CLOSE, Socket, TEXT};
use crate::wire::{Wire, handshake};

/// A topic that would end its line, colour it, turn it around, and look like more fields.
const HOSTILE: &str = "a%0Ab%1B%5B31mc%E2%80%AEd%E2%80%A8e%C2%9Bf%20peer=1.2.3.4%20%22x";
/// The same in a header, as far as HTTP lets it through.
const HEADER: &str = "x\u{202e}y\u{2028}z peer=1.2.3.4 \"q";
/// Stands in queries, and must stand nowhere else.
const TOKEN: &str = "s3cr3t-t0k3n";

/// Every line as the object that it is.
fn parsed(lines: &[String]) -> Vec<Value> {
    let parse = |line: &String| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
    lines.iter().map(parse).collect()
}

/// A connection that opens, says something and closes, a refused one, a breach, and a stop.
async fn visited(flags: &[&str]) -> (Vec<String>, Ended) {
    let mut broker = Process::broker(&[&["--shards", "1"], flags].concat()).await;
    let port = broker.port();
    let path = format!("/bus/{HOSTILE}?echo=1&token={TOKEN}");
    let mut socket = Socket::join(port, &path).await;
    socket.send(TEXT, b"hello").await.unwrap();
    assert_eq!(socket.text().await, "hello");
    socket.send(CLOSE, b"\x0f\xa0bye\nbye").await.unwrap();
    assert_eq!(socket.frame().await.map(|(op_code, _)| op_code), Some(CLOSE));
    let odd = format!("GET /sub/x?token={TOKEN} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n");
    let odd = format!("{odd}Connection: {HEADER}\r\n\r\n");
    assert_eq!(Wire::to(port).await.ask(odd).await.status, 400);
    let mut wire = Wire::to(port).await;
    let away = wire.ask(handshake(&format!("/nowhere?token={TOKEN}"), "")).await;
    assert_eq!(away.status, 404);
    let mut breach = Wire::to(port).await.member(&format!("/pub/x?token={TOKEN}"), "").await;
    breach.send(b"\x81\x00").await;
    assert_eq!(breach.next().await.closed().0, 1002);
    let start = std::mem::take(&mut broker.start);
    (start, broker.stop().await)
}

/// The one line with all of these.
fn only<'a>(lines: &'a [String], parts: &[&str]) -> &'a str {
    let mut found = lines.iter().filter(|line| parts.iter().all(|part| line.contains(part)));
    let line = found.next().unwrap_or_else(|| panic!("{parts:?} in {lines:#?}"));
    assert_eq!(found.next(), None, "{parts:?}");
    line
}

#[tokio::test]
async fn every_json_line_parses_and_keeps_what_clients_wrote() {
    let (start, ended) = visited(&["--log-format", "json", "--log-level", "trace"]).await;
    assert_eq!((ended.status, &*ended.output), (Some(0), ""));
    let urls = parsed(&start);
    assert!(urls[0]["url"].as_str().unwrap().starts_with("http://127.0.0.1:"), "{start:?}");
    let events = parsed(&ended.lines);
    let of = |message: &str, route: &str| {
        let is_it = |event: &&Value| event["message"] == message && event["route"] == route;
        events.iter().find(is_it).unwrap_or_else(|| panic!("{message} {route} in {events:#?}"))
    };
    let (opened, closed) = (of("opened", "/bus"), of("closed", "/bus"));
    assert_eq!(opened["id"], closed["id"]);
    assert_eq!(opened["level"], "DEBUG");
    assert_eq!(opened["target"], "mercury::connection");
    let topic = "a\nb\u{1b}[31mc\u{202e}d\u{2028}e\u{9b}f peer=1.2.3.4 \"x";
    assert_eq!((&opened["topic"], &closed["topic"]), (&topic.into(), &topic.into()));
    assert!(closed["peer"].as_str().unwrap().starts_with("127.0.0.1:"), "{closed}");
    assert!(closed["seconds"].as_f64().unwrap() >= 0.0, "{closed}");
    // a masked "hello", and a masked Close of nine bytes
    assert_eq!(closed["bytes_in"], 11 + 15);
    assert!(closed["bytes_out"].as_u64().unwrap() > 7 + 11, "{closed}");
    assert_eq!((&closed["by"], &closed["code"]), (&"client".into(), &4000.into()));
    assert_eq!(closed["sentence"], "bye\nbye");
    let breach = of("closed", "/pub");
    assert_eq!((&breach["by"], &breach["code"]), (&"broker".into(), &1002.into()));
    assert_eq!(breach["reason"], "frame-not-masked");
    let wild = |line: &&String| line.contains(['\u{202e}', '\u{2028}', '\u{9b}', '\u{1b}']);
    assert_eq!(ended.lines.iter().find(wild), None);
}

#[tokio::test]
async fn a_text_line_stays_one_whatever_a_client_wrote() {
    let (_, ended) = visited(&["--log-level", "debug"]).await;
    let lines = &ended.lines;
    let opened = only(lines, &["mercury::connection: opened", "route=\"/bus\""]);
    let topic = " topic=\"a\\nb\\u{1b}[31mc\\u{202e}d\\u{2028}e\\u{9b}f peer=1.2.3.4 \\\"x\"";
    assert!(opened.ends_with(topic), "{opened}");
    let closed = only(lines, &["mercury::connection: closed", "route=\"/bus\""]);
    assert!(closed.contains(topic) && closed.contains(" by=\"client\" code=4000 "), "{closed}");
    assert!(closed.ends_with(" sentence=\"bye\\nbye\""), "{closed}");
    assert_eq!(field::<u64>(closed, "bytes_in"), 26);
    let refused = only(lines, &["mercury::http: refused", "code=\"handshake-connection\""]);
    assert!(refused.contains(" status=400 "), "{refused}");
    let value =
        "sentence=\"Connection is x\\u{202e}y\\u{2028}z peer=1.2.3.4 \\\"q, without upgrade\"";
    assert!(refused.ends_with(value), "{refused}");
    // each line begins with a time of day
    assert!(lines.iter().all(|line| line.as_bytes()[10] == b'T'), "{lines:#?}");
}

#[tokio::test]
async fn a_query_is_logged_at_no_level() {
    for format in ["text", "json"] {
        let (start, ended) = visited(&["--log-format", format, "--log-level", "trace"]).await;
        let lines = [start, ended.lines].concat();
        assert!(lines.len() > 6, "{lines:#?}");
        assert_eq!(lines.iter().find(|line| line.contains(TOKEN)), None);
    }
}

#[tokio::test]
async fn without_debug_healthy_connections_leave_no_line() {
    let (_, ended) = visited(&[]).await;
    let lines: Vec<_> = ended.lines.iter().filter(|line| !line.contains(" mercury: ")).collect();
    assert_eq!(lines, [""; 0]);
}

#[tokio::test]
async fn a_start_that_fails_is_json_where_the_log_is() {
    let broker = Process::broker(&[]).await;
    let url = format!("http://127.0.0.1:{}", broker.port());
    let ended = Process::run(&["broker", "-l", &url, "--log-format", "json"], &[]).await;
    assert_eq!(ended.status, Some(1), "{ended:?}");
    let message = &parsed(&ended.lines)[0]["message"];
    assert_eq!(*message, format!("cannot listen on {url}: address already in use"));
}

#[tokio::test]
async fn a_panic_is_a_json_line_too() {
    let mut broker = Process::broker(&["--log-format", "json", "--log-level", "off"]).await;
    let mut doomed = Socket::join(broker.port(), "/bus/x").await;
    doomed.send(TEXT, b"faults: panic in the connection").await.unwrap();
    assert_eq!(doomed.frame().await, None);
    let line = broker.line_with("panicked: ").await;
    let event = &parsed(&[line])[0];
    assert!(event["location"].as_str().unwrap().starts_with("src/connection/"), "{event}");
    assert!(event["thread"].as_str().unwrap().starts_with("shard-"), "{event}");
}
