//! What a receiver is owed, where receivers leave and come back.

use crate::sequence::Sequence;

/// What one receiver is to its topic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Standing {
    /// A member: every message is to come.
    #[default]
    Member,
    /// It left, and nothing is to come.
    Away,
    /// It is back, and nothing has come yet. What is sent from now on must, so what arrives first
    /// is at most this.
    Back(u64),
}

impl Standing {
    /// Leaves when `sent` messages were sent, and `received` says which came: those that were still
    /// to come, and how many of them are lost, since later ones did.
    pub(crate) fn leave(&mut self, sent: u64, received: &Sequence) -> (u64, u64) {
        match std::mem::replace(self, Self::Away) {
            Self::Member => {
                let lost = received.missing();
                (sent - received.next() + lost, lost)
            }
            Self::Away => (0, 0),
            Self::Back(from) => (sent - from, 0),
        }
    }

    /// Comes back when `sent` messages were sent.
    pub(crate) fn come_back(&mut self, sent: u64) {
        *self = Self::Back(sent);
    }

    /// Before message `number` is booked in `received`: if it is the first since the receiver came
    /// back, its books begin anew, with it or before it. Returns how many messages are to come that
    /// were not before: some that were sent before we knew that it was back.
    pub(crate) fn begin(&mut self, number: u64, received: &mut Sequence) -> u64 {
        let Self::Back(from) = *self else { return 0 };
        if number < received.next() {
            // It had this one, or later ones, before it left.
            return 0;
        }
        let first = number.min(from);
        *received = Sequence::starting_at(first);
        *self = Self::Member;
        from - first
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sequence::Arrival::{Ahead, Duplicate, Next};

    fn received(numbers: &[u64]) -> Sequence {
        let mut sequence = Sequence::default();
        for number in numbers {
            sequence.record(*number);
        }
        sequence
    }

    #[test]
    fn who_leaves_is_owed_nothing_but_has_lost_its_gaps() {
        let mut standing = Standing::default();
        assert_eq!(standing.leave(9, &received(&[0, 1, 4, 5])), (3 + 2, 2));
        assert_eq!(standing.leave(12, &received(&[0])), (0, 0), "it is away");
        standing.come_back(12);
        assert_eq!(standing.leave(15, &received(&[0])), (3, 0), "nothing had come yet");
    }

    #[test]
    fn who_is_back_hears_all_that_is_sent_from_then_on() {
        let mut books = received(&[0, 1, 2]);
        let mut standing = Standing::Back(7);
        assert_eq!(standing.begin(7, &mut books), 0);
        assert_eq!((standing, books.record(7)), (Standing::Member, Next));
        let mut books = received(&[0, 1, 2]);
        let mut standing = Standing::Back(7);
        assert_eq!(standing.begin(9, &mut books), 0);
        assert_eq!((books.record(9), books.missing()), (Ahead, 2), "7 and 8 were to come");
    }

    #[test]
    fn what_comes_first_may_be_older_and_all_behind_it_is_to_come() {
        let mut books = received(&[0, 1, 2]);
        let mut standing = Standing::Back(7);
        assert_eq!(standing.begin(5, &mut books), 2);
        assert_eq!((books.record(5), books.record(7)), (Next, Ahead));
        assert_eq!(books.missing(), 1);
        assert_eq!(standing.begin(8, &mut books), 0, "only the first counts");
    }

    #[test]
    fn what_came_before_it_left_does_not_come_again() {
        let mut books = received(&[0, 1, 2]);
        let mut standing = Standing::Back(7);
        assert_eq!(standing.begin(2, &mut books), 0);
        assert_eq!((standing, books.record(2)), (Standing::Back(7), Duplicate));
    }
}
