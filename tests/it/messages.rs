//! Messages of connections: behaviour section 6.

use tokio_tungstenite::tungstenite::{Bytes, Message};

use crate::server::{Client, TestServer};
use crate::wire::{BINARY, PING, PONG, TEXT, Wire, frame};

/// Sender and receiver of each pattern.
const WAYS: [(&str, &str); 4] = [
    ("/pub/x", "/sub/x"),
    ("/push/x", "/pull/x"),
    ("/bus/x", "/bus/x"),
    ("/bus/y", "/bus/y?echo=1"),
];

/// A sender and receiver for each way.
async fn ways(server: &TestServer) -> Vec<(Client, Client)> {
    let mut ways = vec![];
    for (sender, receiver) in WAYS {
        ways.push((server.connect(sender).await, server.connect(receiver).await));
    }
    ways
}

#[tokio::test]
async fn text_and_binary_arrive_as_they_were_sent_at_every_length() {
    let server = TestServer::start();
    let bytes: Vec<u8> = (0..=255).cycle().take(262_144).collect();
    let text = "a\u{0}\u{7f}é€😀\u{feff}\n".repeat(20_000);
    for (mut sender, mut receiver) in ways(&server).await {
        for length in [0, 1, 124, 125, 126, 127, 65_534, 65_535, 65_536, 65_537, 262_144] {
            let binary = Message::binary(Bytes::copy_from_slice(&bytes[..length]));
            sender.send_message(binary.clone()).await;
            assert!(receiver.next().await == binary, "binary of {length}");
            let text = Message::text(&text[..text.floor_char_boundary(length)]);
            sender.send_message(text.clone()).await;
            assert!(receiver.next().await == text, "text of {length}");
        }
    }
}

#[tokio::test]
async fn empty_messages_are_messages() {
    let server = TestServer::start();
    for (mut sender, mut receiver) in ways(&server).await {
        for _ in 0..3 {
            sender.send_message(Message::text("")).await;
            sender.send_message(Message::binary(Bytes::new())).await;
        }
        for _ in 0..3 {
            assert_eq!(receiver.text().await, "");
            assert_eq!(receiver.binary().await, "");
        }
    }
}

#[tokio::test]
async fn each_publishers_messages_keep_their_order() {
    const TEXTS: usize = 3000;
    let server = TestServer::start();
    for (mut sender, mut receiver) in ways(&server).await {
        let send = async {
            for number in 0..TEXTS {
                sender.feed(&number.to_string()).await;
            }
            sender.flush().await;
        };
        let receive = async {
            for number in 0..TEXTS {
                assert_eq!(receiver.text().await, number.to_string());
            }
        };
        tokio::join!(send, receive);
    }
}

#[tokio::test]
async fn what_came_in_fragments_leaves_whole() {
    let server = TestServer::start();
    for (sender, receiver) in WAYS {
        let mut sender = Wire::connect(&server, sender).await;
        let mut receiver = Wire::connect(&server, receiver).await;
        for whole in [TEXT, BINARY] {
            let euro = "a€b".as_bytes();
            // in the middle of a character, with an empty fragment and a ping between
            let mut packet = frame(whole & 0x7f, &euro[..2]);
            packet.extend(frame(PING, "between"));
            packet.extend(frame(0x00, ""));
            packet.extend(frame(0x00, &euro[2..3]));
            packet.extend(frame(0x80, &euro[3..]));
            sender.send(packet).await;
            let came = receiver.next().await;
            assert_eq!((came.first, came.payload.as_slice()), (whole, euro));
            let pong = sender.next().await;
            assert_eq!((pong.first, pong.payload.as_slice()), (PONG, &b"between"[..]));
        }
    }
}

#[tokio::test]
async fn fragments_of_two_senders_do_not_mix() {
    let server = TestServer::start();
    let mut one = Wire::connect(&server, "/pub/x").await;
    let mut two = Wire::connect(&server, "/pub/x").await;
    let mut receiver = Wire::connect(&server, "/sub/x").await;
    one.send(frame(0x01, "one ")).await;
    two.send(frame(0x02, "two ")).await;
    one.send([frame(0x00, "and "), frame(PING, "")].concat()).await;
    assert_eq!(one.next().await.first, PONG);
    two.send(frame(0x80, "two")).await;
    assert_eq!(receiver.next().await.payload, b"two two");
    one.send(frame(0x80, "one")).await;
    assert_eq!(receiver.text().await, "one and one");
}

#[tokio::test]
async fn frames_may_come_byte_by_byte() {
    let server = TestServer::start();
    let mut receiver = server.connect("/sub/x").await;
    let mut sender = Wire::connect(&server, "/pub/x").await;
    let packet = [frame(TEXT, "short"), frame(TEXT, "l".repeat(200)), frame(PING, "p")].concat();
    for byte in packet {
        sender.send([byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(receiver.text().await, "short");
    assert_eq!(receiver.text().await, "l".repeat(200));
    assert_eq!(sender.next().await.payload, b"p");
}

#[tokio::test]
async fn a_ping_is_answered_with_its_payload_on_every_route() {
    let server = TestServer::start();
    for route in ["bus", "pub", "sub", "push", "pull"] {
        let mut wire = Wire::connect(&server, &format!("/{route}/x")).await;
        for payload in [&[][..], b"p", &[0xff; 125]] {
            wire.send(frame(PING, payload)).await;
            let pong = wire.next().await;
            assert_eq!((pong.first, pong.payload.as_slice()), (PONG, payload), "{route}");
        }
        // a pong that nobody asked for is no breach
        wire.send([frame(PONG, "unasked"), frame(PING, "last")].concat()).await;
        assert_eq!(wire.next().await.payload, b"last", "{route}");
    }
}

#[tokio::test]
async fn a_ping_is_answered_in_a_flood() {
    const TEXTS: usize = 50;
    let server = TestServer::start();
    let mut flooded = Wire::narrow(&server, "/sub/x").await;
    for number in 0..TEXTS {
        let text = format!("{number:0>60000}");
        assert_eq!(server.post("/pub/x", text).await.0, 200);
    }
    flooded.send(frame(PING, "in a flood")).await;
    let (mut texts, mut pongs) = (0, vec![]);
    while texts < TEXTS || pongs.is_empty() {
        let frame = flooded.next().await;
        match frame.first {
            TEXT => {
                assert!(frame.payload == format!("{texts:0>60000}").as_bytes(), "not {texts}");
                texts += 1;
            }
            first => pongs.push((first, frame.payload)),
        }
    }
    assert_eq!(pongs, [(PONG, b"in a flood".to_vec())]);
}
