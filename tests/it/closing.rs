//! Closes and breaches: behaviour section 6.

use crate::server::{PATIENCE, TestServer};
use crate::stopping::{NOTHING_CUT, draining_for, reaches};
use crate::wire::{BINARY, CLOSE, PING, TEXT, Wire, close, close_payload, frame};

const ROUTES: [&str; 5] = ["/bus/x", "/pub/x", "/sub/x", "/push/x", "/pull/x"];

/// The code with which these bytes of a publisher are answered; it must come with a sentence,
/// and be the last frame.
async fn answered(server: &TestServer, bytes: &[u8]) -> u16 {
    let mut wire = Wire::connect(server, "/pub/x").await;
    wire.send(bytes).await;
    let (code, sentence) = wire.next().await.closed();
    assert!(!sentence.is_empty(), "{code} without a sentence");
    assert_eq!(wire.frame().await, None);
    code
}

#[tokio::test]
async fn a_close_is_echoed_with_its_code_and_reason_on_every_route() {
    let server = TestServer::start();
    for route in ROUTES {
        for payload in [
            vec![],
            close_payload(1000, ""),
            close_payload(1001, "leaving"),
            close_payload(1014, "bad gateway"),
            close_payload(3000, "é€😀"),
            close_payload(4999, &"x".repeat(123)),
        ] {
            let mut wire = Wire::connect(&server, route).await;
            wire.send(frame(CLOSE, &payload)).await;
            let echo = wire.next().await;
            assert_eq!((echo.first, echo.payload), (CLOSE, payload), "{route}");
            assert_eq!(wire.frame().await, None);
        }
    }
    server.until(|counters| &counters.connections, 0).await;
}

#[tokio::test]
async fn a_close_that_breaks_the_rules_is_a_1002() {
    let server = TestServer::start();
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535] {
        assert_eq!(answered(&server, &close(code, "")).await, 1002, "{code}");
    }
    assert_eq!(answered(&server, &frame(CLOSE, "x")).await, 1002);
    assert_eq!(answered(&server, &frame(CLOSE, [0x03, 0xe8, 0xff])).await, 1007);
}

#[tokio::test]
async fn nothing_after_a_close_is_delivered() {
    let server = TestServer::start();
    for (sender, receiver) in [("/bus/x", "/bus/x"), ("/pub/x", "/sub/x"), ("/push/x", "/pull/x")] {
        let mut receiver = server.connect(receiver).await;
        let mut wire = Wire::connect(&server, sender).await;
        let packet = [frame(TEXT, "before"), close(1000, ""), frame(TEXT, "after")].concat();
        wire.send(packet).await;
        assert_eq!(wire.next().await.closed(), (1000, String::new()));
        wire.send([frame(TEXT, "later"), frame(PING, "later")].concat()).await;
        wire.end().await;
        assert_eq!(wire.frame().await, None);
        assert_eq!(server.post(sender, "end").await.0, 200);
        assert_eq!(receiver.text().await, "before");
        assert_eq!(receiver.text().await, "end");
    }
}

#[tokio::test]
async fn a_close_is_echoed_in_a_flood() {
    let server = TestServer::start();
    let mut flooded = Wire::narrow(&server, "/sub/x").await;
    for number in 0..50 {
        assert_eq!(server.post("/pub/x", format!("{number:0>60000}")).await.0, 200);
    }
    flooded.send(close(4000, "enough")).await;
    server.until(|counters| &counters.leaves, 1).await;
    let mut texts = 0;
    let last = loop {
        let frame = flooded.next().await;
        if frame.first != TEXT {
            break frame;
        }
        assert!(frame.payload == format!("{texts:0>60000}").as_bytes(), "not {texts}");
        texts += 1;
    };
    assert_eq!(last.closed(), (4000, "enough".to_owned()));
    // it went by itself, and was not slow
    assert_eq!(server.count(|counters| &counters.slow_consumer_bytes), 0);
    assert_eq!(flooded.frame().await, None);
}

#[tokio::test]
async fn a_message_over_the_limit_is_a_1009_and_one_at_the_limit_is_fine() {
    let server = TestServer::limited(|limits| limits.message_bytes_max = 1000);
    let mut subscriber = server.connect("/sub/x").await;
    let mut publisher = Wire::connect(&server, "/pub/x").await;
    let parts = [frame(0x02, [0; 400]), frame(0x80, [0; 600])].concat();
    publisher.send([frame(BINARY, [0; 1000]), parts].concat()).await;
    assert_eq!(subscriber.binary().await.len(), 1000);
    assert_eq!(subscriber.binary().await.len(), 1000);
    let parts = [frame(0x02, [0; 400]), frame(0x00, [0; 600]), frame(0x80, [0; 1])].concat();
    for over in [frame(BINARY, [0; 1001]), parts] {
        assert_eq!(answered(&server, &over).await, 1009);
    }
    let mut publisher = server.connect("/pub/x").await;
    publisher.send(&"x".repeat(1001)).await;
    assert_eq!(
        publisher.closed().await,
        (1009, "message-too-long: message is at least 1,001 bytes, more than 1,000".into())
    );
    // its head is enough: nobody waits for what was only announced
    assert_eq!(answered(&server, &frame(TEXT, vec![0; 100_000])[..14]).await, 1009);
    assert_eq!(server.count(|counters| &counters.message_too_long), 4);
    subscriber.quiet().await;
}

#[tokio::test]
async fn text_that_is_not_utf8_is_a_1007() {
    let server = TestServer::start();
    let mut subscriber = server.connect("/sub/x").await;
    let parts = [frame(0x01, [0xe2, 0x82]), frame(0x80, "x")].concat();
    let cut = [frame(0x01, "a"), frame(0x80, [0xe2])].concat();
    for text in [frame(TEXT, [0xff]), frame(TEXT, [0xed, 0xa0, 0x80]), parts, cut] {
        assert_eq!(answered(&server, &text).await, 1007);
    }
    subscriber.quiet().await;
}

#[tokio::test]
async fn any_other_breach_is_a_1002() {
    let server = TestServer::start();
    let mut subscriber = server.connect("/sub/x").await;
    let unmasked = [&[TEXT, 2][..], b"hi"].concat();
    let long = [&[TEXT, 0xfe, 0, 2, 0, 0, 0, 0][..], b"hi"].concat();
    let longer = [&[TEXT, 0xff][..], &2u64.to_be_bytes(), &[0; 4], b"hi"].concat();
    let top = [&[TEXT, 0xff][..], &(1u64 << 63).to_be_bytes(), &[0; 4]].concat();
    let inside = [frame(0x01, "a"), frame(TEXT, "b")].concat();
    for (name, bytes) in [
        ("unmasked", unmasked),
        ("not the shortest length", long),
        ("not the shorter length", longer),
        ("top bit of a length", top),
        ("first reserved bit", frame(0xc1, "x")),
        ("second reserved bit", frame(0xa1, "x")),
        ("third reserved bit", frame(0x91, "x")),
        ("reserved data op code", frame(0x83, "x")),
        ("reserved control op code", frame(0x8b, "x")),
        ("long ping", frame(PING, [0; 126])),
        ("long close", frame(CLOSE, close_payload(1000, &"x".repeat(124)))),
        ("fragmented ping", frame(0x09, "x")),
        ("fragmented close", frame(0x08, close_payload(1000, ""))),
        ("nothing to continue", frame(0x80, "x")),
        ("nothing to go on with", frame(0x00, "x")),
        ("message inside a message", inside),
    ] {
        assert_eq!(answered(&server, &bytes).await, 1002, "{name}");
    }
    assert_eq!(server.count(|counters| &counters.protocol_errors), 16);
    subscriber.quiet().await;
}

#[tokio::test]
async fn what_came_before_a_breach_is_delivered() {
    let server = TestServer::start();
    let mut subscriber = server.connect("/sub/x").await;
    let packet = [frame(TEXT, "before"), frame(0xf1, "breach"), frame(TEXT, "after")].concat();
    assert_eq!(answered(&server, &packet).await, 1002);
    assert_eq!(server.post("/pub/x", "end").await.0, 200);
    assert_eq!(subscriber.text().await, "before");
    assert_eq!(subscriber.text().await, "end");
}

#[tokio::test]
async fn a_peer_hears_what_was_said_before_its_own_close_or_breach() {
    let server = TestServer::start();
    for (last, code) in [(frame(0xf1, "breach"), 1002), (close(1000, ""), 1000)] {
        let mut wire = Wire::connect(&server, "/bus/x?echo=1").await;
        let mut deaf = Wire::connect(&server, "/bus/x").await;
        wire.send([frame(TEXT, "one"), frame(TEXT, "two"), last.clone()].concat()).await;
        assert_eq!(wire.text().await, "one");
        assert_eq!(wire.text().await, "two");
        assert_eq!(wire.next().await.closed().0, code);
        assert_eq!(wire.frame().await, None);
        // once, and none of its own
        assert_eq!(deaf.text().await, "one");
        assert_eq!(deaf.text().await, "two");
        deaf.send([frame(TEXT, "own"), last].concat()).await;
        assert_eq!(deaf.next().await.closed().0, code);
    }
}

#[tokio::test]
async fn a_close_that_crosses_ours_is_not_answered() {
    let server = TestServer::start();
    let late = frame(TEXT, "late").repeat(100_000);
    for (round, first, code) in [(1, frame(0xf1, "breach"), 1002), (2, close(4000, ""), 4000)] {
        let mut wire = Wire::connect(&server, "/bus/x?echo=1").await;
        wire.send(first).await;
        server.until(|counters| &counters.leaves, round).await;
        wire.send([close(1000, "mine"), late.clone(), close(1001, "mine")].concat()).await;
        wire.end().await;
        assert_eq!(wire.next().await.closed().0, code);
        assert_eq!(wire.frame().await, None);
    }
    server.until(|counters| &counters.connections, 0).await;
    assert_eq!(server.count(|counters| &counters.messages_in), 0);
}

#[tokio::test]
async fn a_drain_that_meets_a_close_says_nothing_more() {
    let server = draining_for(PATIENCE);
    let mut closing = vec![];
    for (last, code) in [(close(4000, ""), 4000), (frame(0xf1, "breach"), 1002)] {
        let mut wire = Wire::connect(&server, "/sub/x").await;
        wire.send(last).await;
        assert_eq!(wire.next().await.closed().0, code);
        closing.push(wire);
    }
    let mut open = Wire::connect(&server, "/sub/x").await;
    let server = server.into_server();
    let metrics = server.metrics().clone();
    let goodbyes = async move {
        // the drain has begun when it has told this one
        reaches(|| metrics.sum(|counters| &counters.leaves), 3).await;
        open.send(close(1000, "mine")).await;
        assert_eq!(open.next().await.closed(), (1001, "going away".to_owned()));
        closing.push(open);
        for mut wire in closing {
            assert_eq!(wire.frame().await, None);
        }
    };
    assert_eq!(tokio::join!(server.drain(), goodbyes).0, NOTHING_CUT);
}
