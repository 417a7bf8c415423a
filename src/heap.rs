//! Gives back to the system what has become free in the C library's heap.
//!
//! The library keeps most of what was freed for the next time: behind a peak, a broker would look
//! as large as it was at the peak for the rest of its life. So one thread looks now and then
//! whether much more is resident than the broker holds, and has the library give it back.

use std::sync::Arc;
use std::time::Instant;

use crate::limits::{
    CONNECTION_BYTES, HEAP_LOOK_INTERVAL, HEAP_SPARE_BYTES_MIN, HEAP_SPARE_PARTS, HEAP_TRIM_PAUSE,
};
use crate::metrics::{Counters, Metrics};

/// The heap of this process, as one thread looks after it.
#[derive(Debug)]
pub(crate) struct Heap {
    /// What all threads say that they hold.
    metrics: Metrics,
    /// Where this one counts.
    counters: Arc<Counters>,
    /// What is resident and nobody's.
    spare: Spare,
    /// When to look next.
    due: Instant,
}

/// How much is resident that the broker does not know of: its code, what it holds and does not
/// count, and what is free in the heap. Only the last of these grows when the broker shrinks.
#[derive(Debug)]
struct Spare {
    /// The least of it since the heap was trimmed, in bytes. Below 0 where the broker counts what
    /// it holds more than once, as a message that waits at several levels.
    least: i64,
    /// What it was when last looked at, in bytes.
    last: i64,
}

impl Heap {
    /// The heap of a broker whose threads count in `metrics`; trims are counted in `counters`.
    pub(crate) fn new(metrics: Metrics, counters: Arc<Counters>) -> Self {
        Self { metrics, counters, spare: Spare::new(), due: Instant::now() }
    }

    /// Gives back what has become free, if it is much and time to look.
    pub(crate) fn look(&mut self, now: Instant) {
        if now < self.due {
            return;
        }
        self.due = now + HEAP_LOOK_INTERVAL;
        let Some(before) = resident() else { return };
        if !self.spare.is_much(before, self.held()) {
            return;
        }
        trim();
        self.counters.heap_trims.add(1);
        self.due = now + HEAP_TRIM_PAUSE;
        if let Some(after) = resident() {
            self.spare.trimmed(after, self.held());
            let took = now.elapsed();
            tracing::debug!(before, after, ?took, "gave memory back to the system");
        }
    }

    /// What the broker knows that it holds, in bytes.
    fn held(&self) -> u64 {
        let connections = self.metrics.sum(|counters| &counters.connections);
        self.metrics.sum(|counters| &counters.memory_bytes) + connections * CONNECTION_BYTES as u64
    }
}

impl Spare {
    const fn new() -> Self {
        Self { least: i64::MAX, last: i64::MIN }
    }

    /// Whether much more is spare than once was, and no longer becomes more.
    fn is_much(&mut self, resident: u64, held: u64) -> bool {
        let spare = resident.cast_signed() - held.cast_signed();
        let stands = spare <= self.last;
        self.last = spare;
        self.least = self.least.min(spare);
        let much = (resident / HEAP_SPARE_PARTS).max(HEAP_SPARE_BYTES_MIN as u64);
        stands && spare - self.least > much.cast_signed()
    }

    /// The heap was trimmed: what is spare now cannot be given back.
    fn trimmed(&mut self, resident: u64, held: u64) {
        self.last = resident.cast_signed() - held.cast_signed();
        self.least = self.last;
    }
}

/// Resident memory of this process that is no file's, in bytes; none where the system does not say.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn trim() {
    // SAFETY: malloc_trim(3) takes a number and no pointer, gives back pages that hold nothing but
    // free memory, and is safe beside threads that allocate (MT-Safe): it locks each part of the
    // heap while it walks it.
    #[expect(
        unsafe_code,
        reason = "the C library has no other way, and a peak would last for ever"
    )]
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Other C libraries keep little, or have no such call.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
const fn trim() {}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    #[test]
    fn what_is_free_behind_a_peak_is_given_back_once() {
        let mut spare = Spare::new();
        assert!(!spare.is_much(5 * MIB, 0));
        // rises with what is held
        assert!(!spare.is_much(105 * MIB, 100 * MIB));
        // all is free again, and all of it resident
        assert!(!spare.is_much(105 * MIB, 0), "it may still rise");
        assert!(spare.is_much(105 * MIB, 0));
        spare.trimmed(6 * MIB, 0);
        assert!(!spare.is_much(6 * MIB, 0));
        assert!(!spare.is_much(6 * MIB, 0));
    }

    #[test]
    fn what_is_counted_twice_is_not_taken_for_free() {
        let mut spare = Spare::new();
        assert!(!spare.is_much(8 * MIB, 0));
        assert!(!spare.is_much(40 * MIB, 64 * MIB));
        assert!(!spare.is_much(40 * MIB, 64 * MIB));
        // 32 MiB of it were free, and went back by themselves
        assert!(!spare.is_much(8 * MIB, 0), "it may still rise");
        assert!(spare.is_much(8 * MIB, 0), "once, in vain");
        spare.trimmed(8 * MIB, 0);
        assert!(!spare.is_much(8 * MIB, 0));
    }

    #[test]
    fn what_cannot_be_given_back_is_not_tried_again() {
        let mut spare = Spare::new();
        assert!(!spare.is_much(5 * MIB, 0));
        assert!(!spare.is_much(20 * MIB, 0));
        assert!(spare.is_much(20 * MIB, 0));
        spare.trimmed(20 * MIB, 0);
        assert!(!spare.is_much(20 * MIB, 0));
        assert!(!spare.is_much(20 * MIB + 64 * 1024, 0));
    }

    #[test]
    fn a_ripple_is_left_alone() {
        let mut spare = Spare::new();
        for resident in [100, 102, 101, 103, 100, 103, 103] {
            assert!(!spare.is_much(resident * MIB, 0), "{resident} MiB");
        }
    }

    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[test]
    fn a_heap_full_of_holes_is_given_back() {
        let mut metrics = Metrics::default();
        let counters = metrics.thread();
        let mut heap = Heap::new(metrics, Arc::clone(&counters));
        let mut now = Instant::now();
        let mut look = |heap: &mut Heap| {
            heap.look(now);
            now += HEAP_TRIM_PAUSE.max(HEAP_LOOK_INTERVAL);
        };
        look(&mut heap);
        // every hundredth stays, so that no end of the heap is free; no other test takes so much
        let blocks: Vec<_> = (0..100_000).map(|_| vec![1_u8; 1000].into_boxed_slice()).collect();
        let full = resident().unwrap();
        let kept: Vec<_> = blocks.into_iter().step_by(100).collect();
        // what others take meanwhile may make it wait
        for _ in 0..1000 {
            look(&mut heap);
            if counters.heap_trims.value() > 0 {
                break;
            }
        }
        let after = resident().unwrap();
        assert!(counters.heap_trims.value() > 0);
        assert!(after + 70 * MIB < full, "{full} bytes full, {after} after");
        drop(kept);
    }
}
