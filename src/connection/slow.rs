//! Receivers that do not keep up: what they lose, and how much is said about it.

use std::ops::Range;

use super::keepalive::milliseconds;
use super::table::{Ground, Table};
use super::writer::{Ending, Writer};
use crate::broker::{MemberId, Role};
use crate::close::Reason;
use crate::code::CloseCode;
use crate::grouped::Grouped;
use crate::limits::{LOG_DROPS_INTERVAL, LOG_LINES_PER_SECOND_MAX};
use crate::metrics::{Counter, Counters};
use crate::outbound::{Batch, Dropped};
use crate::slow_consumer::Policy;

/// What one receiver has lost since it last had everything.
#[derive(Debug, Default)]
pub(super) struct Lost {
    /// Not yet logged.
    dropped: Dropped,
    /// When it may be logged again.
    next_line: u64,
    /// It has caught up: this is forgotten once it is logged.
    over: bool,
}

/// Lines that a shard may still log about slow consumers.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// Which second of the shard's life the allowance is for.
    second: Option<u64>,
    /// What is left of it.
    left: u32,
    /// Lines that there was no allowance for.
    withheld: u64,
}

impl Writer {
    /// A run of a batch does not fit into `max` behind what waits: does what the operator chose.
    #[cold]
    pub(super) fn overflow(
        &mut self,
        batch: &Batch,
        run: Range<usize>,
        max: usize,
        ground: &Ground,
    ) {
        if self.is_settling {
            // it closes by itself: there is no more for it, and it is not counted
            return self.end(Ending::Drop);
        }
        let dropped = match ground.policy(self.role) {
            Policy::Close => {
                let bytes = Grouped(max);
                let text = format!("more than {bytes} bytes behind (--max-outbound)");
                let reason = Reason::with(CloseCode::SlowConsumer, text);
                return self.too_slow(reason, run.len(), ground);
            }
            Policy::DropOldest => {
                let sealed = self.socket.ahead();
                self.outbound.push_dropping_oldest(batch, run, max, sealed)
            }
            Policy::DropNewest => self.outbound.push_dropping_newest(batch, run, max),
        };
        self.lose(dropped, ground);
    }

    /// Closes it for the policy of its pattern; so many bytes more did not even come to wait.
    pub(super) fn too_slow(&mut self, reason: Reason, more: usize, ground: &Ground) {
        ground.counters.slow_consumers.add(1);
        counter(&ground.counters, self.role, Policy::Close).add(1);
        self.give_up(reason, more, ground);
    }

    /// Closes it, whatever the policy: no puller, which would be passed over. What waits behind
    /// the partly written frame is dropped at once.
    pub(super) fn give_up(&mut self, reason: Reason, more: usize, ground: &Ground) {
        debug_assert_ne!(self.role, Role::Puller, "a puller is passed over");
        let behind = self.outbound.bytes() + more;
        let dropped = self.outbound.cut(self.socket.ahead()) + more;
        ground.counters.slow_consumer_bytes.add(dropped as u64);
        self.end(Ending::TooSlow { reason, behind });
    }

    /// Counts what it will never get.
    pub(super) fn lose(&mut self, dropped: Dropped, ground: &Ground) {
        if self.lost.as_ref().is_none_or(|lost| lost.over) {
            ground.counters.slow_consumers.add(1);
        }
        counter(&ground.counters, self.role, ground.policy(self.role)).add(dropped.messages);
        ground.counters.slow_consumer_bytes.add(dropped.bytes as u64);
        let lost = self.lost.get_or_insert_default();
        lost.over = false;
        lost.dropped.messages += dropped.messages;
        lost.dropped.bytes += dropped.bytes;
    }

    /// Nothing waits any more.
    pub(super) fn caught_up(&mut self) {
        if let Some(lost) = &mut self.lost {
            lost.over = true;
        }
    }

    /// What it lost, if that is to be logged now.
    pub(super) fn loss_to_log(&mut self, now: u64) -> Option<Dropped> {
        let lost = self.lost.as_mut()?;
        if now < lost.next_line {
            return None;
        }
        if lost.dropped == Dropped::default() {
            if lost.over {
                self.lost = None;
            }
            return None;
        }
        lost.next_line = now + milliseconds(LOG_DROPS_INTERVAL);
        Some(std::mem::take(&mut lost.dropped))
    }
}

impl Table {
    /// Logs a slow consumer that we close, unless there are too many.
    pub(super) fn log_too_slow(&mut self, member: MemberId, reason: &Reason, behind: usize) {
        let id = self.id_of(member);
        let (writer, ground) = self.writers.of(member);
        if self.lines.take(ground) {
            let peer = writer.peer;
            let seconds = writer.life.seconds_behind(ground.moment);
            let topic = self.broker.topic_of(member).unwrap_or_default();
            let (code, said) = (reason.code.number(), reason.said());
            tracing::warn!(
                %id, topic, %peer, behind, %seconds, code, "slow consumer: closed: {said}"
            );
        }
    }

    /// Logs a slow consumer that does not get everything, unless there are too many.
    pub(super) fn log_drops(&mut self, member: MemberId, lost: Dropped) {
        let id = self.id_of(member);
        let (writer, ground) = self.writers.of(member);
        if self.lines.take(ground) {
            let (peer, behind) = (writer.peer, writer.outbound.bytes());
            let seconds = writer.life.seconds_behind(ground.moment);
            let topic = self.broker.topic_of(member).unwrap_or_default();
            let (policy, Dropped { messages, bytes }) = (ground.policy(writer.role), lost);
            tracing::warn!(
                %id, topic, %peer, behind, %seconds, %policy, messages, bytes,
                "slow consumer: dropped"
            );
        }
    }
}

impl Ground {
    /// What is done with a receiver of this role that does not keep up.
    pub(super) fn policy(&self, role: Role) -> Policy {
        match role {
            Role::Peer => self.slow_consumer.bus,
            _ => self.slow_consumer.pubsub,
        }
    }
}

impl Lines {
    /// A new second brings a new allowance, and a word about what the last one was too small for.
    pub(super) fn renew(&mut self, now: u64) {
        let second = now / 1000;
        if self.second == Some(second) {
            return;
        }
        if self.withheld > 0 {
            tracing::warn!(lines = self.withheld, "more slow consumers were not logged");
        }
        *self = Self { second: Some(second), left: LOG_LINES_PER_SECOND_MAX, withheld: 0 };
    }

    /// Whether one more line may be logged.
    fn take(&mut self, ground: &Ground) -> bool {
        self.renew(ground.now);
        if self.left == 0 {
            self.withheld += 1;
            ground.counters.log_lines_withheld.add(1);
            return false;
        }
        self.left -= 1;
        true
    }
}

/// What counts how often this policy bit receivers of this role.
fn counter(counters: &Counters, role: Role, policy: Policy) -> &Counter {
    match (role, policy) {
        (Role::Peer, Policy::Close) => &counters.slow_bus_closed,
        (Role::Peer, Policy::DropOldest) => &counters.slow_bus_dropped_oldest,
        (Role::Peer, Policy::DropNewest) => &counters.slow_bus_dropped_newest,
        (_, Policy::Close) => &counters.slow_pubsub_closed,
        (_, Policy::DropOldest) => &counters.slow_pubsub_dropped_oldest,
        (_, Policy::DropNewest) => &counters.slow_pubsub_dropped_newest,
    }
}
