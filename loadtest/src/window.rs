//! One publisher's messages under way: how many more may leave, and what each still lacks.

use std::ops::Range;

/// Everything up to `low` has arrived everywhere; from `sent` on nothing has left.
#[derive(Debug)]
pub(crate) struct Window {
    /// The next sequence number.
    sent: u64,
    /// The first message that has not arrived everywhere; rests at 0 in an open loop.
    low: u64,
    /// No number from here on is ever sent.
    quota: u64,
    /// How often each message must arrive.
    deliveries: u32,
    /// Messages that may be under way; 0 in an open loop.
    width: u64,
    /// What each message under way still lacks, at its number modulo the length.
    lacking: Vec<u32>,
}

impl Window {
    /// `width` is 0 in an open loop, where nobody waits.
    pub(crate) fn new(width: u32, deliveries: u32, quota: u64) -> Self {
        let lacking = vec![0; width.next_power_of_two() as usize];
        Self { sent: 0, low: 0, quota, deliveries, width: u64::from(width), lacking }
    }

    /// Messages that have left.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// How often each message must arrive.
    pub(crate) fn deliveries(&self) -> u32 {
        self.deliveries
    }

    /// Each message that leaves from now on must arrive once more, in an open loop.
    pub(crate) fn add_receiver(&mut self) {
        self.deliveries += 1;
    }

    /// Each message that leaves from now on must arrive once less, in an open loop.
    pub(crate) fn remove_receiver(&mut self) {
        self.deliveries -= 1;
    }

    /// Nothing more will leave.
    pub(crate) fn is_complete(&self) -> bool {
        self.sent >= self.quota
    }

    /// From now on nothing leaves.
    pub(crate) fn stop(&mut self) {
        self.quota = self.sent;
    }

    /// Takes the numbers that may leave now: what the window allows, or one in an open loop.
    pub(crate) fn take(&mut self) -> Range<u64> {
        let end = if self.width == 0 { self.sent + 1 } else { self.low + self.width };
        let numbers = self.sent..end.min(self.quota).max(self.sent);
        if self.width > 0 {
            for number in numbers.clone() {
                let slot = self.slot(number);
                self.lacking[slot] = self.deliveries;
            }
        }
        self.sent = numbers.end;
        numbers
    }

    /// One delivery of `number`, the first to its receiver; true if the window opened.
    #[inline]
    pub(crate) fn arrived(&mut self, number: u64) -> bool {
        if self.width == 0 {
            return false;
        }
        let slot = self.slot(number);
        self.lacking[slot] -= 1;
        if self.lacking[slot] > 0 || number != self.low {
            return false;
        }
        while self.low < self.sent && self.lacking[self.slot(self.low)] == 0 {
            self.low += 1;
        }
        !self.is_complete()
    }

    #[inline]
    fn slot(&self, number: u64) -> usize {
        let mask = self.lacking.len() as u64 - 1;
        usize::try_from(number & mask).expect("less than the length of a Vec")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_at_its_lower_end() {
        let mut window = Window::new(3, 2, u64::MAX);
        assert_eq!(window.take(), 0..3);
        assert_eq!(window.take(), 3..3);
        assert!(![1, 1, 2, 0].iter().any(|number| window.arrived(*number)));
        assert!(window.arrived(0));
        assert_eq!(window.take(), 3..5, "0 and 1 are everywhere, 2 lacks one");
    }

    #[test]
    fn keeps_its_quota() {
        let mut window = Window::new(4, 1, 6);
        assert_eq!(window.take(), 0..4);
        assert!(window.arrived(0) && window.arrived(1) && window.arrived(2));
        assert_eq!(window.take(), 4..6);
        assert!(window.is_complete() && !window.arrived(3));
        assert!(window.take().is_empty());
    }

    #[test]
    fn an_open_loop_waits_for_nobody() {
        let mut window = Window::new(0, 9, 2);
        assert_eq!([window.take(), window.take(), window.take()], [0..1, 1..2, 2..2]);
        assert!(!window.arrived(0));
    }

    #[test]
    fn stops_at_once() {
        let mut window = Window::new(4, 1, u64::MAX);
        assert_eq!(window.take(), 0..4);
        window.stop();
        assert!(!window.arrived(0) && window.take().is_empty() && window.is_complete());
    }
}
