//! Pings and Closes of a peer that much is queued for.

use std::cell::Cell;

use crate::frames::{BINARY, FIN, Line, PING, PONG, TEXT, close, frame, numbered};
use crate::server::TestServer;
use crate::slow_consumers::{MANY, numbers, publish};

#[tokio::test]
async fn a_peer_with_64_unread_pongs_stays_and_one_with_65_is_a_1008() {
    let server = TestServer::limited(|limits| limits.outbound_bytes_max = 64 * 1024 * 1024);
    let mut sender = Line::open(&server, "/pub/a").await;
    let mut reader = Line::open(&server, "/sub/a").await;
    let mut laggard = Line::narrow(&server, "/sub/a").await;
    publish(&mut sender, &mut reader, 0, |next| next < MANY).await;
    let pings = |count| [frame(PING, "?").repeat(count), frame(TEXT, "behind")].concat();
    laggard.send(pings(64)).await;
    server.until(|c| &c.messages_ignored, 1).await;
    for expected in 0..MANY {
        assert_eq!(laggard.number().await, expected);
    }
    for _ in 0..64 {
        assert_eq!(laggard.next().await.0, PONG);
    }
    publish(&mut sender, &mut reader, 0, |next| next < MANY).await;
    laggard.send(pings(65)).await;
    server.until(|c| &c.pongs_pending, 1).await;
    let (_, closed) = laggard.rest().await;
    assert_eq!(closed, (1008, "pongs-unread: more than 64 unread pongs".to_owned()));
    assert_eq!(server.count(|c| &c.messages_ignored), 1);
    reader.quiet().await;
}

#[tokio::test]
async fn pongs_that_were_read_do_not_count_as_unread() {
    let server = TestServer::limited(|limits| limits.outbound_bytes_max = 64 * 1024 * 1024);
    let mut sender = Line::open(&server, "/pub/a").await;
    let mut reader = Line::open(&server, "/sub/a").await;
    let mut laggard = Line::narrow(&server, "/sub/a").await;
    publish(&mut sender, &mut reader, 0, |next| next < MANY).await;
    for round in 1..5 {
        laggard.send([frame(PING, "?").repeat(60), frame(TEXT, "behind")].concat()).await;
        server.until(|c| &c.messages_ignored, round).await;
        // there is always something behind the pongs: its outbound is never empty
        publish(&mut sender, &mut reader, 0, |next| next < MANY).await;
        for _ in 0..MANY {
            assert_eq!(laggard.next().await.0, BINARY);
        }
        for _ in 0..60 {
            assert_eq!(laggard.next().await.0, PONG);
        }
    }
    assert_eq!(server.count(|c| &c.pongs_pending), 0);
}

#[tokio::test]
async fn a_ping_is_answered_while_a_flood_goes_on() {
    let server = TestServer::limited(|limits| limits.outbound_bytes_max = 1 << 30);
    let mut sender = Line::open(&server, "/pub/a").await;
    let mut reader = Line::open(&server, "/sub/a").await;
    // so many messages that its outbound is never empty, not so many that reading takes long
    let ahead = Cell::new(0);
    let flooding = async {
        loop {
            if ahead.get() < 5000 {
                sender.send(numbered(0, 1024).repeat(50)).await;
                ahead.set(ahead.get() + 50);
            }
            tokio::task::yield_now().await;
        }
    };
    let pinging = async {
        for ping in 0..20 {
            reader.send(frame(PING, [ping])).await;
            loop {
                match reader.next().await {
                    (BINARY, _) => ahead.set(ahead.get() - 1),
                    pong => break assert_eq!(pong, (PONG, vec![ping])),
                }
            }
        }
    };
    tokio::select! {
        () = flooding => {}
        () = pinging => {}
    }
    assert_eq!(server.count(|c| &c.pongs_pending), 0);
}

#[tokio::test]
async fn a_close_or_a_breach_is_answered_behind_whole_frames() {
    let server = TestServer::limited(|limits| limits.outbound_bytes_max = 64 * 1024 * 1024);
    let mut sender = Line::open(&server, "/pub/a").await;
    let mut reader = Line::open(&server, "/sub/a").await;
    let breach = "reserved-op-code: op code 3 is reserved";
    for (last, code, reason) in
        [(close(4000, b"bye"), 4000, "bye"), (frame(FIN | 0x3, ""), 1002, breach)]
    {
        let mut laggard = Line::narrow(&server, "/sub/a").await;
        publish(&mut sender, &mut reader, 0, |next| next < MANY).await;
        laggard.send(last).await;
        let (messages, closed) = laggard.rest().await;
        assert_eq!(closed, (code, reason.to_owned()));
        let came = messages.len();
        assert_eq!(numbers(&messages), (0..came).collect::<Vec<_>>(), "a gap before the Close");
    }
    assert_eq!(server.count(|c| &c.slow_consumers), 0);
    reader.quiet().await;
}
