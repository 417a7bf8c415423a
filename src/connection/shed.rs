//! What is given up when `--memory-max` is nearly used up.

use super::table::{Ground, Table, Writers, member};
use super::writer::{Ending, Writer};
use crate::broker::{MemberId, NoRoom, Role};
use crate::close::{self, Reason};
use crate::limits::{SCRATCH_BYTES, SHED_BYTES_MIN};
use crate::slow_consumer::Policy;

/// What a connection is told that cannot go on with its message.
pub(super) const NO_MEMORY: Reason = Reason::new(
    close::TRY_AGAIN,
    "message cut short: the broker is short of memory (--memory-max)",
);

impl Table {
    /// Whether nothing should be let in that can wait, although those who are farthest behind
    /// were shed.
    pub(crate) fn is_short_of_memory(&mut self) -> bool {
        self.writers.ground.meter.is_scarce() && {
            self.shed(0);
            self.writers.ground.meter.is_scarce()
        }
    }

    /// Whether there is memory for what the next read may bring.
    pub(super) fn has_memory_to_read(&mut self) -> Result<(), NoRoom> {
        let has_room =
            self.writers.ground.meter.has_room(SCRATCH_BYTES) || self.shed(SCRATCH_BYTES);
        if has_room { Ok(()) } else { Err(NoRoom::memory()) }
    }

    /// Takes from those who are farthest behind what waits for them, until so many bytes more may
    /// be held and memory is not scarce any more; if that is not enough, ends those who keep much
    /// of a message that does not end. Whether so many bytes may be held now.
    #[cold]
    pub(crate) fn shed(&mut self, bytes: usize) -> bool {
        let writers = &mut self.writers;
        // looking is a walk over all connections
        if self.shed_at == Some(writers.ground.now) {
            return writers.ground.meter.has_room(bytes);
        }
        let mut behind = writers.largest(Writer::sheddable);
        while writers.needs(bytes)
            && let Some((_, id)) = behind.pop()
        {
            let (writer, ground) = writers.of(id);
            writer.shed(ground);
        }
        if behind.is_empty() {
            self.shed_at = Some(writers.ground.now);
        }
        if writers.needs(bytes) {
            writers.end_unfinished(bytes.max(writers.ground.meter.scarce_bytes()));
        }
        writers.ground.meter.has_room(bytes)
    }
}

impl Writer {
    /// How much could be taken from it.
    pub(super) fn sheddable(&self) -> usize {
        let closing = self.ending.is_some() || self.life.linger_until.is_some();
        // what a puller was given is nobody else's any more
        if closing || self.role == Role::Puller { 0 } else { self.outbound.bytes() }
    }

    /// Gives up what waits for it.
    fn shed(&mut self, ground: &Ground) {
        ground.counters.memory_sheds.add(1);
        if ground.policy(self.role) == Policy::Close {
            let text = "slow consumer: the broker is short of memory (--memory-max)";
            return self.too_slow(Reason::new(close::TRY_AGAIN, text), ground);
        }
        let dropped = self.outbound.drop_messages();
        self.lose(dropped, ground);
    }
}

impl Writers {
    /// Whether memory is scarce, or too little for so many bytes more.
    fn needs(&self, bytes: usize) -> bool {
        self.ground.meter.is_scarce() || !self.ground.meter.has_room(bytes)
    }

    /// Ends those who keep the most of messages that have not ended, as many as keep so much
    /// together; nobody if all of them do not. It is free once their tasks have run.
    fn end_unfinished(&mut self, mut missing: usize) {
        let mut unfinished = self.largest(|writer| writer.unfinished_bytes);
        if unfinished.iter().map(|(bytes, _)| bytes).sum::<usize>() < missing {
            return;
        }
        while missing > 0
            && let Some((bytes, id)) = unfinished.pop()
        {
            let (writer, ground) = self.of(id);
            ground.counters.memory_sheds.add(1);
            ground.counters.memory_full.add(1);
            writer.end(Ending::Close(NO_MEMORY));
            missing = missing.saturating_sub(bytes);
        }
    }

    /// Those who have enough of something to be worth it, and how much; the largest last.
    fn largest(&self, bytes: impl Fn(&Writer) -> usize) -> Vec<(usize, MemberId)> {
        let numbered = self.list.iter().enumerate();
        let sized = numbered.filter_map(|(number, writer)| {
            let bytes = bytes(writer.as_ref()?);
            (bytes >= SHED_BYTES_MIN).then_some((bytes, member(number)))
        });
        let mut sized: Vec<_> = sized.collect();
        sized.sort_unstable_by_key(|(bytes, _)| *bytes);
        sized
    }
}
