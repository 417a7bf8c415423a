//! Messages of a few bytes, as many as fit.

use std::cell::RefCell;

use tokio::sync::Notify;

use crate::floods::{ROUND_TRIPS, beside_innocents, one_shard};
use crate::frames::{BINARY, Line, frame};
use crate::server::TestServer;

/// In one write, 1.8 MB.
const MANY: usize = 200_000;
/// In one write, 18 KB.
const FEW: usize = 2_000;
/// All of the many wait for one receiver: only who reads none of them is slow.
const OUTBOUND_BYTES: usize = 1024 * 1024;

const _: () = assert!(MANY * (2 + 3) <= OUTBOUND_BYTES, "two bytes of head, three of payload");

/// One shard, which sends no pings: those who only read are silent for a while.
fn server() -> TestServer {
    one_shard(|limits| {
        limits.message_bytes_max = 64 * 1024;
        limits.outbound_bytes_max = OUTBOUND_BYTES;
        limits.ping_interval = None;
    })
}

/// Messages of three bytes each, which are their numbers.
fn tiny(count: usize) -> Vec<u8> {
    (0..count)
        .flat_map(|number| frame(BINARY, &u32::try_from(number).unwrap().to_be_bytes()[1..]))
        .collect()
}

fn number(payload: &[u8]) -> usize {
    payload.iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

/// Reads so many messages of [`tiny`], all of them and in order.
async fn hear(reader: &mut Line, count: usize) {
    for expected in 0..count {
        let (first, payload) = reader.next().await;
        assert_eq!((first, number(&payload)), (BINARY, expected));
    }
}

/// All arrive in order at one who reads, while one who does not is a slow consumer.
async fn flood(sender: &str, receiver: &str) {
    let server = server();
    let mut sender = Line::open(&server, sender).await;
    let mut reader = Line::open(&server, receiver).await;
    let (few, many) = (tiny(FEW), tiny(MANY));
    beside_innocents(&server, async || {
        tokio::join!(sender.send(&many), hear(&mut reader, MANY));
    })
    .await;
    let mut deaf = Line::narrow(&server, receiver).await;
    tokio::join!(sender.send(&many), hear(&mut reader, MANY));
    // in steps, so that it hears of its end as soon as that has come
    while server.count(|c| &c.slow_consumers) == 0 {
        tokio::join!(sender.send(&few), hear(&mut reader, FEW));
    }
    assert_eq!(server.count(|c| &c.slow_consumers), 1);
    let (_, closed) = deaf.rest().await;
    assert_eq!(
        closed,
        (1013, "slow-consumer: more than 1,048,576 bytes behind (--max-outbound)".to_owned())
    );
    reader.quiet().await;
}

#[tokio::test]
async fn tiny_publications_arrive_all_and_in_order() {
    flood("/pub/planet", "/sub/planet").await;
}

#[tokio::test]
async fn tiny_messages_on_the_bus_arrive_all_and_in_order() {
    flood("/bus/planet", "/bus/planet").await;
}

/// Reads jobs, each a later one than the one before, until all have come to anybody.
async fn pull(puller: &mut Line, all: &RefCell<Vec<usize>>) {
    let mut last = None;
    while all.borrow().len() < MANY {
        let (first, payload) = puller.next().await;
        assert_eq!(first, BINARY);
        let number = number(&payload);
        assert!(last < Some(number), "{number} behind {last:?}");
        last = Some(number);
        all.borrow_mut().push(number);
    }
}

#[tokio::test]
async fn tiny_jobs_arrive_each_once_and_a_deaf_puller_is_passed_over() {
    let server = server();
    let mut pusher = Line::open(&server, "/push/planet").await;
    let mut puller = Line::open(&server, "/pull/planet").await;
    let many = tiny(MANY);
    beside_innocents(&server, async || {
        tokio::join!(pusher.send(&many), hear(&mut puller, MANY));
    })
    .await;
    let mut deaf = Line::narrow(&server, "/pull/planet").await;
    let (all, sent) = (RefCell::default(), Notify::new());
    let sending = async {
        pusher.send(&many).await;
        sent.notify_one();
    };
    let late = async {
        sent.notified().await;
        pull(&mut deaf, &all).await;
    };
    // the one that gets the last job ends; the other waits for more in vain
    let pulling = async {
        tokio::select! {
            () = pull(&mut puller, &all) => {}
            () = late => {}
        }
    };
    tokio::join!(sending, pulling);
    let mut all = all.into_inner();
    all.sort_unstable();
    assert!(all.into_iter().eq(0..MANY), "each job once");
    assert_eq!(server.count(|c| &c.slow_consumers), 0);
}

#[tokio::test]
async fn tiny_messages_of_receivers_are_ignored_and_counted() {
    let server = server();
    let mut subscriber = Line::open(&server, "/sub/planet").await;
    let mut puller = Line::open(&server, "/pull/planet").await;
    let many = tiny(MANY);
    let mut ignored = 0;
    beside_innocents(&server, async || {
        tokio::join!(subscriber.send(&many), puller.send(&many));
        ignored += 2 * MANY as u64;
    })
    .await;
    server.until(|c| &c.messages_ignored, ignored).await;
    assert_eq!(server.count(|c| &c.messages_in), 2 * ROUND_TRIPS as u64);
    subscriber.quiet().await;
    puller.quiet().await;
}

#[tokio::test]
async fn two_talkers_hear_all_of_each_other_and_nothing_of_themselves() {
    const EACH: usize = MANY / 2;
    /// Messages in a small read.
    const SMALL: usize = 27;
    let server = server();
    let mut fry = Line::open(&server, "/bus/planet").await;
    let mut leela = Line::open(&server, "/bus/planet").await;
    let many = tiny(EACH);
    beside_innocents(&server, async || {
        let (his, hers) = tokio::join!(fry.exchange(&many, EACH), leela.exchange(&many, EACH));
        for came in [his, hers] {
            assert!(came.iter().map(|(_, payload)| number(payload)).eq(0..EACH));
        }
    })
    .await;
    // small reads, so that a batch holds many ranges of both
    for few in many.chunks(many.len() / EACH * SMALL).take(100) {
        tokio::join!(fry.send(few), leela.send(few));
    }
    tokio::join!(hear(&mut fry, 100 * SMALL), hear(&mut leela, 100 * SMALL));
    fry.quiet().await;
    leela.quiet().await;
}
