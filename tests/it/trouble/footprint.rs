//! What a broker holds: descriptors and memory, connections and topics, which must all come back
//! after a fault.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::faults::raise_descriptors;
use crate::process::Process;
use crate::server::PATIENCE;
use crate::socket::{Socket, post, upgrade};

/// Resident memory may change by this share of what it was: a page more here and there.
const CHANGE_PERCENT: usize = 5;
/// So often a fault must happen until the broker has what it keeps for the next time. Measured with
/// [`ALLOCATOR`], it stands still to 2 % behind the first time.
const WARM_UPS: usize = 2;
/// So often it happens from then on: what leaks a fiftieth of the whole each time is found.
const ROUNDS: usize = 3;
/// Longer than spare buffers take to become fewer: a part of them goes every half a second.
const STILL: Duration = Duration::from_secs(2);

/// Connections at once, and topics: more than any fault takes.
const PLACES: usize = 600;
/// What a broker is started with that is to have so many.
pub(super) const PLACES_FLAGS: [&str; 4] = ["--clients", "600", "--max-topics", "600"];
/// Variables that make the C library's allocator give back at once what is free, so that what is
/// resident is what the broker holds. Left alone it keeps a part, now this and now that.
pub(super) const ALLOCATOR: [(&str, &str); 4] = [
    ("MALLOC_ARENA_MAX", "1"),
    ("MALLOC_MMAP_THRESHOLD_", "2048"),
    ("MALLOC_TRIM_THRESHOLD_", "2048"),
    ("MALLOC_TOP_PAD_", "0"),
];

/// Goes through a fault again and again. After each, every descriptor is back; after the last,
/// memory is what it was once everything had warmed up.
pub(super) async fn comes_back(process: &mut Process, mut fault: impl AsyncFnMut(&mut Process)) {
    let descriptors = process.descriptors();
    let fresh = process.resident_kib();
    let mut again = async |times| {
        for _ in 0..times {
            fault(process).await;
            back(process, descriptors).await;
        }
        settled(process).await
    };
    let before = again(WARM_UPS).await;
    let after = again(ROUNDS).await;
    let kib = format!("{fresh} KiB fresh, {before} when warm, {after} after {ROUNDS} faults more");
    println!("{kib}");
    assert!(after.abs_diff(before) * 100 <= before * CHANGE_PERCENT, "{kib}");
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

/// Its resident memory in KiB, once that has stood still for a while.
async fn settled(process: &Process) -> usize {
    let mut resident = process.resident_kib();
    let mut since = Instant::now();
    while since.elapsed() < STILL {
        sleep(STILL / 20).await;
        let now = process.resident_kib();
        if now != resident {
            (resident, since) = (now, Instant::now());
        }
    }
    resident
}
