//! The pullers of one topic, in turn.

use super::MemberId;
use crate::slack;

/// Pullers in the order of their turns. A newcomer stands behind all others; one that can take no
/// more keeps its place and is passed over.
#[derive(Debug, Default)]
pub(super) struct Ring {
    pullers: Vec<Puller>,
    /// Whose turn it is; fixed when the last job was given out.
    next: usize,
    /// How many of `pullers` are open.
    open: usize,
}

#[derive(Debug)]
struct Puller {
    id: MemberId,
    /// False once it was found full, until it makes progress.
    open: bool,
}

impl Ring {
    /// A newcomer gets its turn after everybody who is here.
    pub(super) fn join(&mut self, id: MemberId) {
        self.pullers.insert(self.next, Puller { id, open: true });
        self.open += 1;
        self.next = (self.next + 1) % self.pullers.len();
    }

    pub(super) const fn len(&self) -> usize {
        self.pullers.len()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.pullers.is_empty()
    }

    /// The turn of one that leaves passes to the one that followed it.
    pub(super) fn leave(&mut self, id: MemberId) {
        let Some(place) = self.place(id) else { return };
        self.open -= usize::from(self.pullers.remove(place).open);
        if place < self.next {
            self.next -= 1;
        }
        if self.next == self.pullers.len() {
            self.next = 0;
        }
        if let Some(kept) = slack::kept(self.pullers.len(), self.pullers.capacity()) {
            self.pullers.shrink_to(kept);
        }
    }

    /// The first puller from the turn on that `takes` the job; its place, for [`Ring::served`].
    pub(super) fn choose(&mut self, mut takes: impl FnMut(MemberId) -> bool) -> Option<usize> {
        let count = self.pullers.len();
        for step in 0..count {
            if self.open == 0 {
                return None;
            }
            let place =
                if self.next + step < count { self.next + step } else { self.next + step - count };
            let puller = &mut self.pullers[place];
            if puller.open {
                if takes(puller.id) {
                    return Some(place);
                }
                puller.open = false;
                self.open -= 1;
            }
        }
        None
    }

    /// The puller at this place got a job: the turn is its successor's. Who it was.
    pub(super) fn served(&mut self, place: usize) -> MemberId {
        self.next = if place + 1 == self.pullers.len() { 0 } else { place + 1 };
        self.pullers[place].id
    }

    /// A puller may be able to take more.
    pub(super) fn reopen(&mut self, id: MemberId) {
        if self.open == self.pullers.len() {
            return;
        }
        if let Some(place) = self.place(id)
            && !self.pullers[place].open
        {
            self.pullers[place].open = true;
            self.open += 1;
        }
    }

    fn place(&self, id: MemberId) -> Option<usize> {
        self.pullers.iter().position(|puller| puller.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serve(ring: &mut Ring, count: usize, full: &[u32]) -> Vec<u32> {
        let mut served = vec![];
        for _ in 0..count {
            match ring.choose(|id| !full.contains(&id.0)) {
                Some(place) => served.push(ring.served(place).0),
                None => break,
            }
        }
        served
    }

    fn ring(pullers: u32) -> Ring {
        let mut ring = Ring::default();
        (0..pullers).for_each(|id| ring.join(MemberId(id)));
        ring
    }

    #[test]
    fn turns_go_round_and_a_newcomer_stands_behind_all() {
        let mut ring = ring(3);
        assert_eq!(serve(&mut ring, 3, &[]), [0, 1, 2]);
        ring.join(MemberId(3));
        assert_eq!(serve(&mut ring, 5, &[]), [0, 1, 2, 3, 0]);
        ring.join(MemberId(4));
        assert_eq!(serve(&mut ring, 5, &[]), [1, 2, 3, 0, 4]);
    }

    #[test]
    fn the_turn_of_one_that_leaves_passes_to_the_one_that_followed_it() {
        for leaver in 0..3 {
            let mut ring = ring(3);
            assert_eq!(serve(&mut ring, 1, &[]), [0]);
            ring.leave(MemberId(leaver));
            let expected = [[1, 2], [2, 0], [1, 0]][leaver as usize];
            assert_eq!(serve(&mut ring, 2, &[]), expected, "{leaver} left");
        }
    }

    #[test]
    fn a_full_puller_is_passed_over_and_keeps_its_place() {
        let mut ring = ring(3);
        assert_eq!(serve(&mut ring, 4, &[1]), [0, 2, 0, 2]);
        ring.reopen(MemberId(1));
        assert_eq!(serve(&mut ring, 3, &[]), [0, 1, 2]);
        assert_eq!(serve(&mut ring, 1, &[0, 1, 2]), [0; 0]);
        ring.reopen(MemberId(2));
        assert_eq!(serve(&mut ring, 2, &[]), [2, 2]);
        ring.leave(MemberId(2));
        assert_eq!(serve(&mut ring, 1, &[]), [0; 0]);
    }

    #[test]
    fn the_last_one_leaves_an_empty_ring() {
        let mut ring = ring(1);
        ring.leave(MemberId(0));
        assert_eq!(serve(&mut ring, 1, &[]), [0; 0]);
        ring.join(MemberId(5));
        assert_eq!(serve(&mut ring, 2, &[]), [5, 5]);
    }

    #[test]
    fn a_peak_of_pullers_leaves_no_room_behind() {
        let mut ring = ring(10_000);
        (1..10_000).for_each(|id| ring.leave(MemberId(id)));
        assert_eq!(serve(&mut ring, 2, &[]), [0, 0]);
        assert!(ring.pullers.capacity() <= 8, "room for {}", ring.pullers.capacity());
    }
}
