//! Silence: pings, pongs, and what becomes of those who say nothing.

use std::time::{Duration, Instant};

use mercury::limits::Limits;

use crate::frames::{FIN, Line, PING, PONG, TEXT, frame};
use crate::process::Process;
use crate::server::TestServer;
use crate::socket::Socket;

/// Longer than any test takes.
const NEVER: Duration = Duration::from_hours(1);

/// Silence is soon asked about, and an answer is soon due.
fn impatient(limits: &mut Limits) {
    limits.ping_interval = Some(Duration::from_millis(100));
    limits.pong_wait_max = Duration::from_millis(300);
}

/// Silence is soon asked about, and an answer is never due.
fn curious(limits: &mut Limits) {
    limits.ping_interval = Some(Duration::from_millis(50));
    limits.pong_wait_max = NEVER;
    limits.pull_pong_wait_max = NEVER;
}

/// Waits for a ping, which comes before anything else.
async fn pinged(line: &mut Line) {
    assert_eq!(line.frame().await, Some((PING, vec![])));
}

#[tokio::test]
async fn every_role_is_pinged_after_silence_and_not_before() {
    let server = TestServer::limited(|limits| {
        curious(limits);
        limits.ping_interval = Some(Duration::from_secs(2));
    });
    let begin = Instant::now();
    let mut lines = vec![];
    for path in ["/bus/a", "/pub/a", "/sub/a", "/push/a", "/pull/a"] {
        lines.push(Line::open(&server, path).await);
    }
    for line in &mut lines {
        pinged(line).await;
    }
    // 20 % jitter, and a clock that ticks every half second
    assert!(begin.elapsed() > Duration::from_secs(1), "pinged after {:?}", begin.elapsed());
    assert_eq!(server.count(|c| &c.pong_timeouts), 0);
}

#[tokio::test]
async fn who_answers_is_pinged_again_and_again() {
    let server = TestServer::limited(curious);
    let mut line = Line::open(&server, "/sub/a").await;
    // there is no second ping while the first is unanswered
    for _ in 0..10 {
        pinged(&mut line).await;
        line.send(frame(PONG, "")).await;
    }
    assert_eq!(server.count(|c| &c.pong_timeouts), 0);
}

#[tokio::test]
async fn who_does_not_answer_is_dropped_and_counted() {
    let server = TestServer::limited(impatient);
    let mut mute = Line::open(&server, "/bus/a").await;
    pinged(&mut mute).await;
    assert_eq!(mute.frame().await, None, "one ping, then the end without a Close");
    server.until(|c| &c.connections, 0).await;
    assert_eq!(server.count(|c| &c.leaves), 1);
    assert_eq!(server.count(|c| &c.pong_timeouts), 1);
}

#[tokio::test]
async fn a_drop_for_want_of_a_pong_is_a_debug_line() {
    let flags = ["--ping-interval", "100ms", "--pong-timeout", "300ms", "--log-level", "debug"];
    let mut broker = Process::broker(&flags).await;
    let mut mute = Socket::join(broker.port(), "/sub/news/a%0Ab").await;
    assert_eq!(mute.frame().await.map(|(op_code, _)| op_code), Some(crate::socket::PING));
    let line = broker.line_with("reason=\"pong-timeout\"").await;
    assert!(line.contains("DEBUG mercury::connection: closed id="), "{line}");
    let peer = mute.address();
    let fields = format!(" peer={peer} route=\"/sub\" topic=\"news/a\\nb\" seconds=");
    assert!(line.contains(&fields), "{line}");
    assert!(line.ends_with(" by=\"broker\" code=1006 reason=\"pong-timeout\""), "{line}");
    assert_eq!(mute.frame().await, None);
}

#[tokio::test]
async fn any_byte_is_life() {
    let server = TestServer::limited(curious);
    let mut line = Line::open(&server, "/bus/a").await;
    // a message, another's pong, and bytes of a frame that is not whole yet
    let whole = frame(TEXT, "slowly");
    let (first, rest) = whole.split_at(1);
    let (second, rest) = rest.split_at(4);
    let ping = frame(PING, "you?");
    for bytes in [&whole, &frame(PONG, "what?")[..], first, second, rest] {
        pinged(&mut line).await;
        line.send(bytes).await;
    }
    pinged(&mut line).await;
    line.send(&ping).await;
    assert_eq!(line.next().await, (PONG, b"you?".to_vec()));
    server.until(|c| &c.messages_in, 2).await;
    assert_eq!(server.count(|c| &c.pong_timeouts), 0);
}

#[tokio::test]
async fn a_puller_has_longer_to_answer() {
    let server = TestServer::limited(|limits| {
        impatient(limits);
        limits.pull_pong_wait_max = NEVER;
    });
    let mut puller = Line::open(&server, "/pull/a").await;
    pinged(&mut puller).await;
    // who is asked later and may take less long is given up
    let mut subscriber = Line::open(&server, "/sub/a").await;
    pinged(&mut subscriber).await;
    assert_eq!(subscriber.frame().await, None);
    server.until(|c| &c.pong_timeouts, 1).await;
    assert_eq!(server.post("/push/a", "job").await.0, 200);
    assert_eq!(puller.text().await, "job");
    assert_eq!(server.count(|c| &c.pong_timeouts), 1);
}

#[tokio::test]
async fn a_puller_that_never_answers_is_dropped_and_its_turn_passes_on() {
    let server = TestServer::limited(|limits| {
        impatient(limits);
        limits.pull_pong_wait_max = Duration::from_millis(400);
    });
    let mut mute = Line::open(&server, "/pull/a").await;
    pinged(&mut mute).await;
    assert_eq!(mute.frame().await, None);
    server.until(|c| &c.pong_timeouts, 1).await;
    assert_eq!(server.post("/push/a", "job").await.0, 200);
    let mut puller = Line::open(&server, "/pull/a").await;
    assert_eq!(puller.text().await, "job");
}

#[tokio::test]
async fn who_is_silent_for_long_gets_a_1001_when_nobody_pings() {
    let server = TestServer::limited(|limits| {
        limits.ping_interval = None;
        limits.inactivity_max = Some(Duration::from_millis(200));
    });
    for path in ["/bus/a", "/pub/a", "/sub/a", "/push/a", "/pull/a"] {
        let mut line = Line::open(&server, path).await;
        assert_eq!(line.frame().await.map(|(first, _)| first), Some(FIN | 0x8), "{path}");
        assert_eq!(line.frame().await, None);
    }
    let mut line = Line::open(&server, "/sub/a").await;
    assert_eq!(
        line.closed().await,
        (1001, "inactive: nothing came or went for too long".to_owned())
    );
    server.until(|c| &c.inactive, 6).await;
    server.until(|c| &c.connections, 0).await;
    assert_eq!(server.count(|c| &c.pong_timeouts), 0);
}

#[tokio::test]
async fn a_pong_is_no_inactivity() {
    let server = TestServer::limited(|limits| {
        curious(limits);
        limits.inactivity_max = Some(Duration::from_secs(2));
    });
    let mut mute = Line::open(&server, "/sub/a").await;
    let mut line = Line::open(&server, "/sub/a").await;
    // the one that answers outlives the one that does not
    while server.count(|c| &c.inactive) == 0 {
        pinged(&mut line).await;
        line.send(frame(PONG, "")).await;
    }
    pinged(&mut mute).await;
    assert_eq!(
        mute.closed().await,
        (1001, "inactive: nothing came or went for too long".to_owned())
    );
    line.quiet().await;
    assert_eq!(server.count(|c| &c.inactive), 1);
}

#[tokio::test]
async fn a_message_that_does_not_end_is_a_1008_whatever_its_sender_answers() {
    let server = TestServer::limited(|limits| {
        curious(limits);
        limits.ping_interval = Some(Duration::from_secs(5));
    });
    let mut line = Line::open(&server, "/pub/a").await;
    line.send(frame(TEXT & !FIN, "begun")).await;
    // it lives for the 30 s that a message may take
    let (first, payload) = loop {
        match line.frame().await.expect("a Close") {
            (PING, _) => line.send(frame(PONG, "")).await,
            frame => break frame,
        }
    };
    assert_eq!((first, &payload[..2]), (FIN | 0x8, &1008u16.to_be_bytes()[..]));
    assert_eq!(payload[2..], *b"message-unfinished: message did not end within 30 seconds");
    server.until(|c| &c.message_unfinished, 1).await;
    assert_eq!(server.count(|c| &c.messages_in), 0);
}

/// A pusher that is not read: its second message finds no room.
async fn paused_pusher(server: &TestServer) -> Line {
    let mut pusher = Line::open(server, "/push/a").await;
    pusher.send([frame(TEXT, "1"), frame(TEXT, "2"), frame(TEXT, "3")].concat()).await;
    server.until(|c| &c.publisher_waits, 1).await;
    pusher
}

#[tokio::test]
async fn a_pusher_that_is_not_read_owes_no_pong() {
    let server = TestServer::limited(|limits| {
        impatient(limits);
        limits.pull_pong_wait_max = NEVER;
        limits.inactivity_max = Some(Duration::from_secs(2));
        limits.backlog_messages_max = 1;
    });
    let pusher = paused_pusher(&server).await;
    // others come, are asked and given up meanwhile
    for gone in 1..4 {
        let mut mute = Line::open(&server, "/sub/a").await;
        pinged(&mut mute).await;
        assert_eq!(mute.frame().await, None);
        server.until(|c| &c.pong_timeouts, gone).await;
    }
    server.until(|c| &c.connections, 1).await;
    let mut puller = Line::open(&server, "/pull/a").await;
    for expected in ["1", "2", "3"] {
        assert_eq!(puller.text().await, expected);
    }
    assert_eq!(server.count(|c| &c.inactive), 0);
    drop(pusher);
}

#[tokio::test]
async fn a_reset_of_a_pusher_that_is_not_read_is_noticed() {
    let server = TestServer::limited(|limits| limits.backlog_messages_max = 1);
    let pusher = paused_pusher(&server).await;
    assert_eq!(server.count(|c| &c.connections), 1);
    pusher.reset();
    server.until(|c| &c.publisher_hangups, 1).await;
    server.until(|c| &c.connections, 0).await;
    // what was accepted is kept
    let mut puller = Line::open(&server, "/pull/a").await;
    assert_eq!(puller.text().await, "1");
    puller.quiet().await;
}

#[tokio::test]
async fn the_end_of_a_pusher_that_is_not_read_is_noticed() {
    let server = TestServer::limited(|limits| limits.backlog_messages_max = 1);
    let mut pusher = paused_pusher(&server).await;
    pusher.finish().await;
    server.until(|c| &c.publisher_hangups, 1).await;
    server.until(|c| &c.connections, 0).await;
    assert_eq!(server.count(|c| &c.backlog_messages), 1);
}
