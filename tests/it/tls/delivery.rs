//! Messages through TLS: whole, in order and bounded, however records and segments are cut.

use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex, split};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::{Speaker, Tls, VERSIONS, ended, frame as next, simple, upgrade};
use crate::frames::{BINARY, CLOSE, FIN, TEXT, frame, handshake, number, numbered};
use crate::server::{Client, PATIENCE, TestServer};
use crate::stopping::reaches;

/// Payload of the messages that fill outbounds.
const MESSAGE_BYTES: usize = 64 * 1024;

#[tokio::test]
async fn messages_of_every_size_come_as_they_went() {
    let (_folder, server, speaker) = simple(|_| {});
    for version in VERSIONS {
        let speaker = speaker.in_version(version);
        let mut peer = speaker.join(server.port, "/bus/fry").await;
        let mut other = speaker.join(server.port, "/bus/fry").await;
        for size in [0, 1, 125, 126, 16_383, 16_384, 16_385, 65_535, 65_536, 131_072, 262_144] {
            let binary: Vec<u8> = (0..size).map(|at: u32| at.to_le_bytes()[0]).collect();
            peer.send_message(Message::binary(binary.clone())).await;
            assert_eq!(other.binary().await, binary);
            let text = "x".repeat(size as usize);
            other.send(&text).await;
            assert_eq!(peer.text().await, text);
        }
        peer.close().await;
        other.close().await;
    }
}

#[tokio::test]
async fn a_record_for_every_byte_is_a_message_all_the_same() {
    let (_folder, server, speaker) = simple(|_| {});
    let mut stream = speaker.connect(server.port).await.unwrap();
    let mut wire = handshake("/bus/fry?echo=1").into_bytes();
    // in fragments, too
    wire.extend(frame(TEXT & !FIN, "hel"));
    wire.extend(frame(FIN, "lo"));
    wire.extend(frame(TEXT, "again"));
    for byte in wire {
        stream.write_all(&[byte]).await.unwrap();
        stream.flush().await.unwrap();
    }
    let mut head = vec![];
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap());
    }
    assert_eq!(next(&mut stream).await, (TEXT, b"hello".to_vec()));
    assert_eq!(next(&mut stream).await, (TEXT, b"again".to_vec()));
}

#[tokio::test]
async fn a_segment_for_every_byte_is_a_message_all_the_same() {
    let (_folder, server, speaker) = simple(|_| {});
    let socket = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
    socket.set_nodelay(true).unwrap();
    let (near, far) = duplex(1 << 20);
    let (mut from_client, mut to_client) = split(far);
    let (mut from_broker, mut to_broker) = socket.into_split();
    let mut relay = JoinSet::new();
    relay.spawn(async move {
        while let Ok(byte) = from_client.read_u8().await {
            to_broker.write_all(&[byte]).await.unwrap();
        }
    });
    relay.spawn(async move {
        tokio::io::copy(&mut from_broker, &mut to_client).await.unwrap();
    });
    let stream = speaker.over(near).await.unwrap();
    let (socket, _) = client_async("wss://localhost/bus/fry?echo=1", stream).await.unwrap();
    let mut client = Client(socket);
    client.send("slowly").await;
    assert_eq!(client.text().await, "slowly");
    let long = "x".repeat(10_000);
    client.send(&long).await;
    assert_eq!(client.text().await, long);
    client.close().await;
}

#[tokio::test]
async fn what_comes_behind_the_handshake_is_the_first_message() {
    let (_folder, server, speaker) = simple(|_| {});
    let mut listener = speaker.join(server.port, "/sub/fry").await;
    for size in [3, 40_000] {
        let mut stream = speaker.connect(server.port).await.unwrap();
        let text = "y".repeat(size);
        let together = [handshake("/pub/fry").into_bytes(), frame(TEXT, &text)].concat();
        stream.write_all(&together).await.unwrap();
        assert_eq!(listener.text().await, text);
    }
}

/// Jobs that no two kernel buffers hold together.
const JOBS: usize = 100;

/// A receiver that reads nothing, and what was sent until it was too slow.
async fn laggard(speaker: &Speaker, server: &TestServer, path: &str) -> Tls {
    let mut laggard = speaker.connect_narrow(server.port).await;
    upgrade(&mut laggard, path).await;
    laggard
}

/// Sends numbered messages in step with a reader, as long as `goes_on`; how many.
async fn publish(sender: &mut Tls, reader: &mut Tls, goes_on: impl Fn(usize) -> bool) -> usize {
    let mut count = 0;
    while goes_on(count) {
        sender.write_all(&numbered(count, MESSAGE_BYTES)).await.unwrap();
        sender.flush().await.unwrap();
        let (first, payload) = next(reader).await;
        assert_eq!((first, number(&payload), payload.len()), (BINARY, count, MESSAGE_BYTES));
        count += 1;
    }
    count
}

/// The numbers of all messages until the Close, and what that says.
async fn until_close(stream: &mut Tls) -> (Vec<usize>, u16) {
    let mut numbers = vec![];
    loop {
        match next(stream).await {
            (BINARY, payload) => {
                assert_eq!(payload.len(), MESSAGE_BYTES);
                assert!(payload[8..].iter().all(|byte| *byte == 0), "whole and right");
                numbers.push(number(&payload));
            }
            (CLOSE, payload) => return (numbers, u16::from_be_bytes([payload[0], payload[1]])),
            (first, _) => assert_eq!(first, crate::frames::PING),
        }
    }
}

#[tokio::test]
async fn a_slow_consumer_gets_whole_frames_and_a_1013() {
    for version in VERSIONS {
        let (_folder, server, speaker) =
            simple(|config| config.limits.outbound_bytes_max = 1024 * 1024);
        let speaker = speaker.in_version(version);
        let mut slow = laggard(&speaker, &server, "/sub/fry").await;
        let mut sender = laggard(&speaker, &server, "/pub/fry").await;
        let mut reader = laggard(&speaker, &server, "/sub/fry").await;
        let is_fast = |_| server.count(|c| &c.slow_consumers) == 0;
        let sent = publish(&mut sender, &mut reader, is_fast).await;
        let (numbers, code) = until_close(&mut slow).await;
        assert_eq!(code, 1013);
        assert_eq!(numbers, (0..numbers.len()).collect::<Vec<_>>(), "a gap before the Close");
        assert!(numbers.len() < sent, "nothing was dropped");
        // TLS ends in order
        let mut rest = vec![];
        timeout(PATIENCE, slow.read_to_end(&mut rest)).await.expect("an end").unwrap();
        assert_eq!(rest, b"");
        assert_eq!(server.count(|c| &c.slow_pubsub_closed), 1);
    }
}

#[tokio::test]
async fn what_is_dropped_is_dropped_whole() {
    for policy in ["drop-oldest", "drop-newest"] {
        let (_folder, server, speaker) = simple(|config| {
            config.limits.outbound_bytes_max = 1024 * 1024;
            config.limits.slow_consumer.set(policy).unwrap();
        });
        let mut slow = laggard(&speaker, &server, "/sub/fry").await;
        let mut sender = laggard(&speaker, &server, "/pub/fry").await;
        let mut reader = laggard(&speaker, &server, "/sub/fry").await;
        let dropped = || {
            let [oldest, newest] = [
                server.count(|c| &c.slow_pubsub_dropped_oldest),
                server.count(|c| &c.slow_pubsub_dropped_newest),
            ];
            oldest + newest
        };
        let sent = publish(&mut sender, &mut reader, |_| dropped() < 20).await;
        let mut numbers = vec![];
        while numbers.len() as u64 + dropped() < sent as u64 {
            let (first, payload) = next(&mut slow).await;
            if first == BINARY {
                assert_eq!(payload.len(), MESSAGE_BYTES);
                numbers.push(number(&payload));
            }
        }
        assert!(numbers.is_sorted(), "{policy}: {numbers:?}");
        assert_eq!(numbers.last() == Some(&(sent - 1)), policy == "drop-oldest", "{numbers:?}");
        // it has caught up, and gets what comes next
        sender.write_all(&frame(TEXT, "next")).await.unwrap();
        assert_eq!(next(&mut slow).await, (TEXT, b"next".to_vec()));
    }
}

#[tokio::test]
async fn jobs_that_a_puller_did_not_get_go_to_the_next() {
    let (_folder, server, speaker) = simple(|_| {});
    let mut first = laggard(&speaker, &server, "/pull/fry").await;
    let mut pusher = laggard(&speaker, &server, "/push/fry").await;
    for job in 0..JOBS {
        pusher.write_all(&numbered(job, MESSAGE_BYTES)).await.unwrap();
    }
    pusher.flush().await.unwrap();
    server.until(|c| &c.messages_in, JOBS as u64).await;
    // it read one, and what it did not read is lost with its socket
    assert_eq!(number(&next(&mut first).await.1), 0);
    drop(first);
    server.until_any(|c| &c.jobs_returned).await;
    let mut second = laggard(&speaker, &server, "/pull/fry").await;
    let mut expected = number(&next(&mut second).await.1);
    assert!(0 < expected && expected < JOBS, "{expected}");
    while expected + 1 < JOBS {
        expected += 1;
        let (_, payload) = next(&mut second).await;
        assert_eq!((number(&payload), payload.len()), (expected, MESSAGE_BYTES));
    }
}

#[tokio::test]
async fn a_drain_says_goodbye_inside_of_tls() {
    let (_folder, server, speaker) = simple(|_| {});
    let mut clients = vec![];
    for version in VERSIONS {
        clients.push(speaker.in_version(version).join(server.port, "/sub/fry").await);
    }
    let idle = speaker.connect(server.port).await.unwrap();
    let half = server.raw().await;
    let mut draining = JoinSet::new();
    draining.spawn(server.drain());
    for mut client in clients {
        assert_eq!(client.closed().await, (1001, "going away".to_owned()));
        ended(client.0).await;
    }
    let drained = timeout(PATIENCE, draining.join_next()).await.expect("an end");
    let drained = drained.unwrap().unwrap();
    assert_eq!(drained.cut, 0);
    drop((idle, half));
}

#[tokio::test]
async fn pings_are_answered_and_a_close_is_echoed() {
    let (_folder, server, speaker) = simple(|_| {});
    let mut client = speaker.join(server.port, "/bus/fry").await;
    client.send_message(Message::Ping(Bytes::from_static(b"there?"))).await;
    assert_eq!(client.next().await, Message::Pong(Bytes::from_static(b"there?")));
    client.0.close(None).await.unwrap();
    ended(client.0).await;
    server.until(|c| &c.connections, 0).await;
}

#[tokio::test]
async fn what_waits_for_records_is_counted_and_given_back() {
    let (_folder, server, speaker) = simple(|_| {});
    let mut slow = laggard(&speaker, &server, "/sub/fry").await;
    let before = server.count(|c| &c.memory_bytes);
    let mut sender = laggard(&speaker, &server, "/pub/fry").await;
    for job in 0..20 {
        sender.write_all(&numbered(job, MESSAGE_BYTES)).await.unwrap();
    }
    sender.flush().await.unwrap();
    // the kernel does not hold all of them
    reaches(|| server.count(|c| &c.memory_bytes), before + MESSAGE_BYTES as u64).await;
    for job in 0..20 {
        assert_eq!(number(&next(&mut slow).await.1), job);
    }
    server.until(|c| &c.memory_bytes, before).await;
}
