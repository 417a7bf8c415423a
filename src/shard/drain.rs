//! The end of a shard: what was accepted is delivered, then everybody is told goodbye, in steps.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::{Remains, Shard, inbox};
use crate::connection::Home;
use crate::handover::Inbox;
use crate::limits::{CUT_WAIT_MAX, DRAIN_CLOSES_PER_SECOND_MIN, DRAIN_STEP};

/// Drains until the last connection is gone and nobody can send one more, or the time is over.
pub(super) async fn run(shard: &Rc<Shard>, inbox: &Inbox) -> Remains {
    let drain_max = shard.live.now().limits.drain_max;
    let home = &shard.home;
    let begin = Instant::now();
    let deadline = begin + drain_max;
    let total = {
        let mut table = home.table.borrow_mut();
        table.draining = true;
        table.connections()
    };
    let (mut from, mut parted) = (0, 0);
    while Instant::now() < deadline {
        let abandoned = inbox.is_abandoned();
        inbox::refuse_all(shard, inbox);
        if abandoned && home.table.borrow().connections() == 0 {
            break;
        }
        let due = due(begin.elapsed(), total, drain_max).saturating_sub(parted);
        let late = begin.elapsed() > drain_max / 2;
        let (next, count) = part(home, from, due, late);
        (from, parted) = (next, parted + count);
        shard.clock.tick().await;
    }
    if home.table.borrow().connections() > 0 {
        home.table.borrow_mut().cut();
        let limit = Instant::now() + CUT_WAIT_MAX;
        while home.table.borrow().connections() > 0 && Instant::now() < limit {
            shard.clock.tick().await;
        }
    }
    remains(shard)
}

/// Says goodbye to some of those who have got everything; nobody has while batches are given out.
fn part(home: &Home, from: usize, count: usize, late: bool) -> (usize, usize) {
    let table = &mut *home.table.borrow_mut();
    if table.broker.has_jobs() { (from, 0) } else { table.part(from, count, late) }
}

/// How many of `total` connections should have been told goodbye by now: evenly over half of the
/// time, but never slower than a fixed rate, so that a few are told at once.
fn due(elapsed: Duration, total: u64, drain_max: Duration) -> usize {
    let elapsed = (elapsed + DRAIN_STEP).as_millis();
    let half = (drain_max / 2).as_millis().max(1);
    let even = u128::from(total) * elapsed / half;
    let least = u128::from(DRAIN_CLOSES_PER_SECOND_MIN) * elapsed / 1000;
    usize::try_from(even.max(least)).unwrap_or(usize::MAX)
}

/// What nobody pulled is lost with the process: it is said, topic by topic.
fn remains(shard: &Shard) -> Remains {
    let table = shard.home.table.borrow();
    let mut remains = Remains::default();
    for (topic, jobs, bytes) in table.broker.backlogs() {
        tracing::warn!(shard = shard.number, topic, jobs, bytes, "jobs left without a puller");
        remains.backlog_messages += jobs as u64;
    }
    remains
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_are_spread_over_half_the_time_and_few_go_at_once() {
        let drain = Duration::from_secs(5);
        let at = |milliseconds, total| due(Duration::from_millis(milliseconds), total, drain);
        assert_eq!(at(0, 2), 1);
        assert_eq!(at(10, 2), 2);
        assert_eq!(at(1240, 10_000), 5000);
        assert_eq!(at(2490, 10_000), 10_000);
    }
}
