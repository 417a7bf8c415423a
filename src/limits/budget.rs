//! What several threads use up together.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// A limit that several threads use up together: relaxed atomics, slow paths only.
#[derive(Debug)]
pub struct Budget {
    used: AtomicUsize,
    max: AtomicUsize,
}

impl Budget {
    /// A budget of `max` units, none of them used.
    #[must_use]
    pub const fn new(max: usize) -> Self {
        Self { used: AtomicUsize::new(0), max: AtomicUsize::new(max) }
    }

    /// Takes `amount` if it fits; says whether it did.
    #[must_use]
    pub fn take(&self, amount: usize) -> bool {
        let max = self.max();
        let fits = |used: usize| used.checked_add(amount).filter(|sum| *sum <= max);
        self.used.fetch_update(Relaxed, Relaxed, fits).is_ok()
    }

    /// Takes `amount` even over the limit: for what was accepted before and must not be lost.
    pub fn take_regardless(&self, amount: usize) {
        self.used.fetch_add(amount, Relaxed);
    }

    /// Gives back what was taken.
    pub fn give(&self, amount: usize) {
        let before = self.used.fetch_sub(amount, Relaxed);
        debug_assert!(before >= amount, "gave back {amount} of {before}");
    }

    /// What is taken now.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used.load(Relaxed)
    }

    /// The limit.
    #[must_use]
    pub fn max(&self) -> usize {
        self.max.load(Relaxed)
    }

    /// Another limit from here on. What is taken stays, even where it is more.
    pub fn set_max(&self, max: usize) {
        self.max.store(max, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_never_exceeds_its_limit() {
        let budget = Budget::new(10);
        assert!(budget.take(10));
        assert!(!budget.take(1));
        assert!(!budget.take(usize::MAX));
        budget.give(4);
        assert!(budget.take(4));
        assert_eq!(budget.used(), 10);
        budget.set_max(5);
        assert!(!budget.take(1));
        budget.give(6);
        assert!(budget.take(1) && !budget.take(1));
    }
}
