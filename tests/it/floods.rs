//! One who floods a shard gets its error, and an innocent pair beside it goes on.

use std::num::NonZeroUsize;
use std::thread;

use mercury::limits::Limits;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::frames::{CONTINUATION, FIN, Line, PING, PONG, TEXT, close, frame, handshake, head};
use crate::server::TestServer;
use crate::socket::{self, CLOSE, Socket};

/// What an innocent pair does while somebody floods its shard.
pub(crate) const ROUND_TRIPS: usize = 1000;

/// A broker of one shard: whoever floods it floods everybody.
pub(crate) fn one_shard(change: impl FnOnce(&mut Limits)) -> TestServer {
    TestServer::with(|config| {
        config.shards = NonZeroUsize::MIN;
        change(&mut config.limits);
    })
}

/// Repeats an attack until an innocent pair, which is there before, has had its round trips. The
/// pair has a thread of its own, so that it is the broker who serves it late, if anybody.
pub(crate) async fn beside_innocents(server: &TestServer, mut attack: impl AsyncFnMut()) {
    let port = server.port;
    let (ready, is_ready) = oneshot::channel();
    let innocents = thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(round_trips(port, ready));
    });
    is_ready.await.unwrap();
    loop {
        attack().await;
        if innocents.is_finished() {
            break;
        }
    }
    innocents.join().unwrap();
}

async fn round_trips(port: u16, ready: oneshot::Sender<()>) {
    let mut asker = Socket::join(port, "/bus/innocent").await;
    let mut answerer = Socket::join(port, "/bus/innocent").await;
    ready.send(()).unwrap();
    for number in 0..ROUND_TRIPS {
        asker.send(socket::TEXT, number.to_string().as_bytes()).await.unwrap();
        let question = answerer.text().await;
        answerer.send(socket::TEXT, format!("{question}!").as_bytes()).await.unwrap();
        assert_eq!(asker.text().await, format!("{number}!"));
    }
}

/// Sends bytes of which the broker may hang up half-way; what it says in its Close, if that
/// survived.
async fn offend(server: &TestServer, path: &str, bytes: &[u8]) -> Option<(u16, String)> {
    let mut offender = Socket::join(server.port, path).await;
    offender.write(bytes).await.ok();
    loop {
        let (op_code, payload) = offender.frame().await?;
        if op_code == CLOSE {
            let (code, reason) = payload.split_at(2);
            let code = u16::from_be_bytes(code.try_into().unwrap());
            assert!(offender.frame().await.is_none(), "nothing follows a Close");
            return Some((code, String::from_utf8(reason.to_vec()).unwrap()));
        }
    }
}

/// Floods with these bytes beside innocents; each flood ends with this Close. How many it were.
async fn flood(server: &TestServer, path: &str, bytes: &[u8], expected: (u16, &str)) -> u64 {
    let mut floods = 0;
    beside_innocents(server, async || {
        floods += 1;
        let closed = offend(server, path, bytes).await.expect("a Close");
        assert_eq!((closed.0, closed.1.as_str()), expected);
    })
    .await;
    floods
}

#[tokio::test]
async fn pings_whose_pongs_nobody_reads_are_a_1008() {
    let server = one_shard(|_| {});
    // three times what the kernel holds
    let pings = frame(PING, [b'?'; 125]).repeat(12_000);
    let mut floods = 0;
    let mut deaf = vec![];
    beside_innocents(&server, async || {
        let mut flooder = Socket::join_small(server.port, "/sub/planet").await;
        flooder.write(&pings).await.ok();
        floods += 1;
        server.until(|c| &c.pongs_pending, floods).await;
        deaf.push(flooder);
        if deaf.len() > 8 {
            deaf.clear();
        }
    })
    .await;
    drop(deaf);
    let mut flooder = Socket::join_small(server.port, "/sub/planet").await;
    flooder.write(&pings).await.unwrap();
    server.until(|c| &c.pongs_pending, floods + 1).await;
    loop {
        match flooder.frame().await.expect("a Close behind whole pongs") {
            (CLOSE, payload) => {
                assert_eq!(&payload[..], b"\x03\xf0pongs-unread: more than 64 unread pongs");
                break;
            }
            (_, payload) => assert_eq!(payload.len(), 125),
        }
    }
    assert!(flooder.frame().await.is_none());
}

#[tokio::test]
async fn pings_of_one_who_reads_are_answered_every_time() {
    let server = one_shard(|_| {});
    let pong = (PONG, b"".to_vec());
    let mut flooder = Line::open(&server, "/sub/planet").await;
    let pings = frame(PING, "").repeat(10_000);
    beside_innocents(&server, async || {
        let answers = flooder.exchange(&pings, 10_000).await;
        assert!(answers.iter().all(|frame| *frame == pong));
    })
    .await;
    let answers = flooder.exchange(&frame(PING, "").repeat(200_000), 200_000).await;
    assert!(answers.iter().all(|frame| *frame == pong));
    flooder.quiet().await;
    assert_eq!(server.count(|c| &c.pongs_pending), 0);
}

#[tokio::test]
async fn pongs_keep_the_order_and_the_bytes_of_their_pings() {
    let server = one_shard(|_| {});
    let mut fry = Line::open(&server, "/bus/planet?echo=1").await;
    let pings: Vec<u8> =
        (0..500_usize).flat_map(|number| frame(PING, "p".repeat(number % 126))).collect();
    let answers = fry.exchange(&pings, 500).await;
    for (number, pong) in answers.into_iter().enumerate() {
        assert_eq!(pong, (PONG, vec![b'p'; number % 126]));
    }
    // the last word stands behind them all
    let pings = [frame(PING, "p").repeat(100), close(1000, b"bye")].concat();
    let frames = fry.exchange(&pings, 101).await;
    assert!(frames[..100].iter().all(|frame| *frame == (PONG, b"p".to_vec())));
    assert_eq!(frames[100].1, b"\x03\xe8bye");
}

#[tokio::test]
async fn floods_of_empty_fragments_are_a_1008() {
    let server = one_shard(|_| {});
    let empty = frame(CONTINUATION, "").repeat(50_000);
    let bytes = [frame(TEXT & !FIN, ""), empty].concat();
    let expected = (1008, "empty-fragments: message has more than 1,024 empty fragments");
    let floods = flood(&server, "/bus/planet", &bytes, expected).await;
    server.until(|c| &c.message_unfinished, floods).await;
}

#[tokio::test]
async fn endless_fragments_of_a_byte_are_a_1009_with_pings_between_or_not() {
    let server = one_shard(|limits| limits.message_bytes_max = 16 * 1024);
    let expected = (1009, "message-too-long: message is at least 16,385 bytes, more than 16,384");
    let fragments = frame(CONTINUATION, "x").repeat(20_000);
    let bytes = [frame(TEXT & !FIN, ""), fragments].concat();
    let floods = flood(&server, "/bus/planet", &bytes, expected).await;
    server.until(|c| &c.message_too_long, floods).await;
    let between = [frame(CONTINUATION, "x"), frame(PING, "")].concat().repeat(20_000);
    let bytes = [frame(TEXT & !FIN, ""), between].concat();
    let more = flood(&server, "/pub/planet", &bytes, expected).await;
    server.until(|c| &c.message_too_long, floods + more).await;
}

#[tokio::test]
async fn huge_announced_lengths_are_refused_by_their_heads() {
    let server = one_shard(|_| {});
    let top = usize::MAX / 2;
    let reason =
        "message-too-long: message is at least 9,223,372,036,854,775,807 bytes, more than 262,144";
    let bytes = [head(TEXT, top), vec![0; 10_000]].concat();
    let floods = flood(&server, "/bus/planet", &bytes, (1009, reason)).await;
    server.until(|c| &c.message_too_long, floods).await;
    let bytes = [head(TEXT, top + 1), vec![0; 10_000]].concat();
    let closed = offend(&server, "/push/planet", &bytes).await.expect("a Close");
    assert_eq!(closed.0, 1002);
    server.until(|c| &c.protocol_errors, 1).await;
}

#[tokio::test]
async fn nothing_of_a_flood_behind_a_close_is_taken() {
    let server = one_shard(|_| {});
    let closes = close(1000, b"bye").repeat(10_000);
    let late = frame(TEXT, "late").repeat(10_000);
    for bytes in [closes.clone(), [closes, late].concat()] {
        flood(&server, "/bus/planet", &bytes, (1000, "bye")).await;
    }
    assert_eq!(server.count(|c| &c.messages_in), 4 * ROUND_TRIPS as u64);
    assert_eq!(server.count(|c| &c.protocol_errors), 0);
}

#[tokio::test]
async fn refused_and_unfinished_handshakes_are_a_matter_of_the_acceptor() {
    let server = one_shard(|_| {});
    let (mut refused, mut unfinished) = (0, vec![]);
    beside_innocents(&server, async || {
        for path in ["/bus/", "/nowhere", "/pub/$reserved"] {
            let mut socket = Socket::open(server.port).await;
            socket.write(handshake(path)).await.unwrap();
            assert!(matches!(socket.answer().await, Some((403 | 404, _))));
            refused += 1;
        }
        let mut socket = Socket::open(server.port).await;
        socket.write(b"\x16\x03\x01\x00garbage\r\n\r\n").await.unwrap();
        assert!(matches!(socket.answer().await, Some((400, _))));
        let half = handshake("/bus/planet");
        let mut socket = Socket::open(server.port).await;
        socket.write(&half[..half.len() / 2]).await.unwrap();
        unfinished.push(socket);
    })
    .await;
    // those that did not end in time may be among them by now
    assert!(server.count(|c| &c.refusals) >= refused);
    // the innocents only
    assert_eq!(server.count(|c| &c.joins), 2);
}
