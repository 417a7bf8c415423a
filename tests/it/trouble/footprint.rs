//! What a broker holds: descriptors and memory, connections and topics, which must all come back
//! after a fault.

use std::time::Duration;

use mercury::limits::{HEAP_LOOK_INTERVAL, HEAP_TRIM_PAUSE};
use tokio::time::{Instant, sleep};

use super::innocents::{Innocents, LEAST};
use crate::faults::raise_descriptors;
use crate::process::Process;
use crate::server::PATIENCE;
use crate::socket::{Socket, post, upgrade};

/// Resident memory may be larger than it was by this share: a page more here and there.
const GROWTH_PERCENT: usize = 5;
/// So often a fault happens at least: what leaks a fiftieth of the whole each time is found.
const ROUNDS: usize = 3;
/// And so often at most, as long as memory is not back. What a thread frees last stays with it and
/// keeps single pages, now more and now fewer; what leaks is never less than before.
const ROUNDS_MAX: usize = 12;
/// Longer than a broker takes to give back what has become free.
const GIVEN_BACK: Duration = HEAP_TRIM_PAUSE.saturating_add(HEAP_LOOK_INTERVAL.saturating_mul(3));

/// Connections at once, and topics: more than any fault takes.
const PLACES: usize = 600;
/// What a broker is started with that is to have so many.
pub(super) const PLACES_FLAGS: [&str; 4] = ["--clients", "600", "--max-topics", "600"];

/// Innocents exchange messages, and nothing goes wrong.
pub(super) async fn calm(process: &mut Process) {
    Innocents::join(process.port(), "news").await.exchange(LEAST).await;
}

/// Goes through a fault again and again. After each, every descriptor is back; after the last,
/// memory is what it was behind calm traffic that nothing went wrong in. A broker that has done
/// nothing yet is smaller: its code is not all in memory.
pub(super) async fn comes_back(
    process: &mut Process,
    calm: impl AsyncFnOnce(&mut Process),
    mut fault: impl AsyncFnMut(&mut Process),
) {
    let descriptors = process.descriptors();
    let fresh = process.resident_kib();
    calm(process).await;
    back(process, descriptors).await;
    let before = settled(process).await;
    let most = before + before * GROWTH_PERCENT / 100;
    let mut seen = vec![];
    for round in 1..=ROUNDS_MAX {
        fault(process).await;
        back(process, descriptors).await;
        if round < ROUNDS {
            continue;
        }
        seen.push(least(process, most).await);
        if seen.last() <= Some(&most) {
            println!("{fresh} KiB fresh, {before} behind calm, {seen:?} behind {round} faults");
            return;
        }
    }
    panic!("{fresh} KiB fresh, {before} behind calm, then never again {most}: {seen:?}");
}

/// All connections and topics of a broker with [`PLACES_FLAGS`] can be had, and not one more: who
/// was there in a fault has given everything back. `open` makes a connection that says nothing.
pub(super) async fn has_all_places(open: impl AsyncFn() -> Socket) {
    raise_descriptors();
    let mut inside = vec![];
    let deadline = Instant::now() + PATIENCE;
    while inside.len() < PLACES {
        let mut socket = open().await;
        match ask(&mut socket, &format!("/sub/place{}", inside.len())).await {
            (101, _) => inside.push(socket),
            // a descriptor may come back a moment before the place does
            refused => {
                assert!(Instant::now() < deadline, "{refused:?} behind {}", inside.len());
                sleep(Duration::from_millis(5)).await;
            }
        }
    }
    let message = format!("all {PLACES} connections that --clients allows are open\n");
    assert_eq!(ask(&mut open().await, "/sub/place0").await, (503, message));
    let mut poster = open().await;
    poster.write(post("/push/place", "one more")).await.unwrap();
    let message = "there are as many topics as --max-topics allows\n".to_owned();
    assert_eq!(poster.answer().await, Some((503, message)));
}

/// Asks for a WebSocket; the status, and what is said with it.
async fn ask(socket: &mut Socket, path: &str) -> (u16, String) {
    socket.write(upgrade(path)).await.unwrap();
    socket.answer().await.expect("an answer")
}

/// Waits until it holds as many descriptors as before.
async fn back(process: &Process, descriptors: usize) {
    let deadline = Instant::now() + PATIENCE;
    while process.descriptors() != descriptors {
        assert!(
            Instant::now() < deadline,
            "{} descriptors and not {descriptors}",
            process.descriptors()
        );
        sleep(Duration::from_millis(5)).await;
    }
}

/// Its resident memory in KiB, as soon as that is no more than `most`; else what it is in the end.
async fn least(process: &Process, most: usize) -> usize {
    let deadline = Instant::now() + GIVEN_BACK;
    loop {
        let now = process.resident_kib();
        if now <= most || Instant::now() > deadline {
            return now;
        }
        sleep(GIVEN_BACK / 50).await;
    }
}

/// Its resident memory in KiB, once that has stood still for so long that no more is given back.
async fn settled(process: &Process) -> usize {
    let (mut resident, mut since) = (process.resident_kib(), Instant::now());
    while since.elapsed() < GIVEN_BACK {
        sleep(GIVEN_BACK / 50).await;
        let now = process.resident_kib();
        if now != resident {
            (resident, since) = (now, Instant::now());
        }
    }
    resident
}
