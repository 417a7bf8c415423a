//! What all queues hold together, bounded: each thread leases its part of `--memory-max` in large
//! pieces, so that counting costs a load and a store.

use std::sync::Arc;

use crate::limits::{Budget, MEMORY_LEASE_BYTES, MEMORY_SCARCE_PARTS};
use crate::metrics::{Counter, Counters};

/// What the queues of one thread hold, and what it has leased for them. Only that thread changes
/// it.
#[derive(Debug)]
pub struct Meter {
    /// `--memory-max`, of all threads together.
    budget: Arc<Budget>,
    /// Bytes taken from the budget, used or not.
    leased: Counter,
    /// Where the thread counts; its `memory_bytes` is what is used.
    counters: Arc<Counters>,
}

impl Meter {
    /// A meter that has leased nothing yet.
    #[must_use]
    pub fn new(budget: Arc<Budget>, counters: Arc<Counters>) -> Self {
        Self { budget, leased: Counter::default(), counters }
    }

    /// A meter that counts and never says no.
    #[must_use]
    pub fn unlimited() -> Arc<Self> {
        Arc::new(Self::new(Arc::new(Budget::new(usize::MAX)), Arc::default()))
    }

    /// Whether so many bytes more may be held; leases what it takes.
    #[inline]
    #[must_use]
    pub fn has_room(&self, bytes: usize) -> bool {
        self.has_leased(bytes)
            || self.lease(self.counters.memory_bytes.value().saturating_add(bytes as u64))
    }

    /// Whether so many bytes more may be held without leasing anything.
    #[inline]
    #[must_use]
    pub fn has_leased(&self, bytes: usize) -> bool {
        let spare = self.leased.value().saturating_sub(self.counters.memory_bytes.value());
        bytes as u64 <= spare
    }

    #[cold]
    fn lease(&self, used: u64) -> bool {
        let missing = used - self.leased.value();
        let pieces = missing.div_ceil(MEMORY_LEASE_BYTES as u64);
        let wanted = pieces.saturating_mul(MEMORY_LEASE_BYTES as u64);
        let fits = usize::try_from(wanted).is_ok_and(|wanted| self.budget.take(wanted));
        if fits {
            self.leased.add(wanted);
        }
        fits
    }

    /// Counts so many bytes more. Whoever can wait or be refused asks for room first; what was
    /// accepted before is held even over the limit.
    #[inline]
    pub fn hold(&self, bytes: usize) {
        self.counters.memory_bytes.add(bytes as u64);
        if self.counters.memory_bytes.value() > self.leased.value() {
            self.overdraw();
        }
    }

    /// Counts so many bytes more that there was room for when it was asked, without looking again.
    #[inline]
    pub fn hold_asked(&self, bytes: usize) {
        self.counters.memory_bytes.add(bytes as u64);
    }

    #[cold]
    fn overdraw(&self) {
        let used = self.counters.memory_bytes.value();
        if !self.lease(used) {
            let missing = used - self.leased.value();
            self.budget.take_regardless(usize::try_from(missing).unwrap_or(usize::MAX));
            self.leased.add(missing);
        }
    }

    /// So many bytes are free again; gives leases back that nobody needs.
    #[inline]
    pub fn release(&self, bytes: usize) {
        self.counters.memory_bytes.take(bytes as u64);
        let (used, leased) = (self.counters.memory_bytes.value(), self.leased.value());
        if leased >= used + 2 * MEMORY_LEASE_BYTES as u64 {
            self.give_back(leased - used);
        }
    }

    /// One lease stays, so that a thread at the edge of one does not take and give all the time.
    #[cold]
    fn give_back(&self, spare: u64) {
        let unneeded = spare - MEMORY_LEASE_BYTES as u64;
        self.leased.take(unneeded);
        self.budget.give(usize::try_from(unneeded).unwrap_or(usize::MAX));
    }

    /// Whether so little is left for all threads that nothing should be let in that can wait.
    #[must_use]
    pub fn is_scarce(&self) -> bool {
        self.budget.used() > self.bytes_max() - self.scarce_bytes()
    }

    /// What all threads together may hold.
    #[must_use]
    pub fn bytes_max(&self) -> usize {
        self.budget.max()
    }

    /// Memory is scarce when less than this is left of it.
    #[must_use]
    pub fn scarce_bytes(&self) -> usize {
        self.bytes_max() / MEMORY_SCARCE_PARTS
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.budget.give(usize::try_from(self.leased.value()).unwrap_or(usize::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: usize = MEMORY_LEASE_BYTES;

    fn meters(leases: usize) -> (Arc<Budget>, [Meter; 2]) {
        let budget = Arc::new(Budget::new(leases * LEASE));
        let meter = || Meter::new(Arc::clone(&budget), Arc::default());
        let meters = [meter(), meter()];
        (budget, meters)
    }

    #[test]
    fn leases_are_taken_whole_and_given_back() {
        let (budget, [meter, _]) = meters(10);
        meter.hold(1);
        assert_eq!(budget.used(), LEASE);
        meter.hold(LEASE);
        assert_eq!(budget.used(), 2 * LEASE);
        assert!(meter.has_room(3 * LEASE));
        meter.hold(3 * LEASE);
        assert_eq!(budget.used(), 5 * LEASE);
        meter.release(4 * LEASE);
        assert_eq!(budget.used(), LEASE + 1);
        meter.release(1);
        assert_eq!(budget.used(), LEASE + 1);
        drop(meter);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn one_threads_memory_is_missing_for_the_other() {
        let (budget, [one, other]) = meters(4);
        assert!(one.has_room(3 * LEASE));
        one.hold(3 * LEASE);
        assert!(!other.has_room(LEASE + 1));
        assert!(other.has_room(LEASE));
        assert!(other.is_scarce());
        // what was accepted is held all the same, and counted
        other.hold(2 * LEASE);
        assert_eq!(budget.used(), 5 * LEASE);
        assert!(!one.has_room(1));
        other.release(2 * LEASE);
        one.release(2 * LEASE);
        assert!(!one.is_scarce());
        assert!(other.has_room(LEASE));
    }

    #[test]
    fn no_size_overflows() {
        let (_, [meter, _]) = meters(2);
        meter.hold(5);
        assert!(!meter.has_room(usize::MAX));
        assert!(Meter::unlimited().has_room(1 << 50));
    }
}
