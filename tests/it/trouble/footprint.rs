//! What a broker holds: descriptors and memory, which must come back after a fault.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::process::Process;
use crate::server::PATIENCE;

/// Resident memory may grow by this share of what it was: a page more here and there.
const GROWTH_PERCENT: usize = 5;

/// So often may a fault find memory that the allocator keeps to be too little, or in pieces. What
/// leaks grows every time.
const ROUNDS: usize = 4;

/// Goes through a fault again and again. After each, every descriptor is back; after the second,
/// or soon, so is the memory. (The first fills buffers that a broker keeps, and the allocator's.)
pub(super) async fn comes_back(process: &mut Process, mut fault: impl AsyncFnMut(&mut Process)) {
    let descriptors = process.descriptors();
    let mut resident = vec![process.resident_kib()];
    for round in 0..=ROUNDS {
        fault(process).await;
        back(process, descriptors).await;
        let before = resident[round];
        let after = settled(process).await;
        resident.push(after);
        if round > 0 && after * 100 <= before * (100 + GROWTH_PERCENT) {
            println!("KiB resident, fresh and after each fault: {resident:?}");
            return;
        }
    }
    panic!("KiB resident, fresh and after each fault: {resident:?}");
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

/// Its resident memory in KiB, once that stands still.
async fn settled(process: &Process) -> usize {
    let mut resident = process.resident_kib();
    loop {
        sleep(Duration::from_millis(200)).await;
        let now = process.resident_kib();
        if now == resident {
            return now;
        }
        resident = now;
    }
}
