//! What is given up when `--memory-max` is nearly used up.

use super::keepalive::Life;
use super::table::{Ground, Table, Writers, member};
use super::writer::{Ending, Writer};
use crate::broker::{MemberId, NoRoom, Role};
use crate::close::Reason;
use crate::code::CloseCode;
use crate::limits::{SCRATCH_BYTES, SHED_BYTES_MIN};
use crate::slow_consumer::Policy;

/// What a connection is told that cannot go on with its message.
pub(super) const CUT_SHORT: Reason = Reason::new(
    CloseCode::MemoryCutShort,
    "the broker is short of memory, and your message is not whole (--memory-max)",
);
/// What a connection is told whose message cannot even wait.
const NOT_TAKEN: Reason = Reason::new(
    CloseCode::MemoryNotTaken,
    "the broker is short of memory, and your message has no room (--memory-max)",
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
        if has_room { Ok(()) } else { Err(NoRoom::memory(SCRATCH_BYTES)) }
    }

    /// A member's message found no room: if memory is what is missing, shedding may make some.
    #[cold]
    pub(super) fn make_room(
        &mut self,
        no_room: NoRoom,
        id: MemberId,
        message_bytes: usize,
    ) -> Result<(), NoRoom> {
        match no_room.memory_bytes() {
            Some(missing) if self.shed(missing + SCRATCH_BYTES) => {
                self.broker.room(id, message_bytes)
            }
            _ => Err(no_room),
        }
    }

    /// What all queues of the broker may hold together.
    pub(crate) fn memory_bytes_max(&self) -> usize {
        self.writers.ground.meter.bytes_max()
    }

    /// Takes from those who are farthest behind what waits for them, until so many bytes more may
    /// be held and memory is not scarce any more; if that is not enough, ends those who keep much
    /// of a message that does not end, and if there are none, takes from many who are behind a
    /// little. Whether so many bytes may be held now.
    #[cold]
    pub(crate) fn shed(&mut self, bytes: usize) -> bool {
        let writers = &mut self.writers;
        // looking is a walk over all connections
        if self.shed_at == Some(writers.ground.now) {
            return writers.ground.meter.has_room(bytes);
        }
        let scarce_bytes = writers.ground.meter.scarce_bytes();
        let mut behind = writers.largest(Writer::sheddable);
        while writers.needs(bytes)
            && let Some((size, id)) = behind.pop()
            && size >= SHED_BYTES_MIN
        {
            let (writer, ground) = writers.of(id);
            writer.shed(ground);
        }
        if writers.needs(bytes) {
            self.shed_at = Some(writers.ground.now);
            if !writers.end_unfinished(bytes.max(scarce_bytes)) {
                writers.shed_little(bytes);
            }
        }
        writers.ground.meter.has_room(bytes)
    }
}

impl Writer {
    /// How much could be taken from it.
    pub(super) fn sheddable(&self) -> usize {
        // what a puller was given is nobody else's any more
        if self.is_closing() || self.role == Role::Puller { 0 } else { self.outbound.bytes() }
    }

    /// What taking that would free, if all who share it are taken from.
    fn share(&self) -> usize {
        if self.sheddable() > 0 { self.outbound.share() } else { 0 }
    }

    /// Gives up what waits for it.
    fn shed(&mut self, ground: &Ground) {
        if ground.policy(self.role) == Policy::Close {
            ground.counters.memory_sheds.add(1);
            let text = "the broker is short of memory, and much waits for you (--memory-max)";
            return self.too_slow(Reason::new(CloseCode::MemoryShed, text), 0, ground);
        }
        let dropped = self.outbound.drop_messages(self.socket.ahead());
        // the message that is partly written stays, and may be all that is left
        if dropped.messages > 0 {
            ground.counters.memory_sheds.add(1);
            self.lose(dropped, ground);
        }
    }

    /// What it keeps of messages: of those that are whole and wait, or of one that is not.
    fn kept(&self, whole: bool) -> usize {
        let Life { has_whole, holding, .. } = self.life;
        let counts = !self.is_ending() && (has_whole || holding) == whole;
        if counts { self.unfinished_bytes } else { 0 }
    }
}

impl Writers {
    /// Whether memory is scarce, or too little for so many bytes more.
    fn needs(&self, bytes: usize) -> bool {
        self.ground.meter.is_scarce() || !self.ground.meter.has_room(bytes)
    }

    /// Ends those who keep the most of messages that have not ended, as many as keep so much
    /// together; nobody if all of them do not. Then those who wait for room with whole ones, until
    /// what they keep is no hoard any more. It is free once their tasks have run. Whether there
    /// were any.
    fn end_unfinished(&mut self, missing: usize) -> bool {
        let unfinished = self.largest(|writer| writer.kept(false));
        if sum(&unfinished) >= missing {
            self.end_all(unfinished, missing, &CUT_SHORT);
            return true;
        }
        let waiting = self.largest(|writer| writer.kept(true));
        let excess = sum(&waiting).saturating_sub(self.ground.hoard_bytes_max);
        self.end_all(waiting, excess, &NOT_TAKEN);
        excess > 0
    }

    /// Takes from those who are behind a little, if many are, and so is much.
    fn shed_little(&mut self, bytes: usize) {
        let scarce_bytes = self.ground.meter.scarce_bytes();
        let mut behind = self.largest(Writer::share);
        let mut left = sum(&behind);
        while left >= scarce_bytes
            && self.needs(bytes)
            && let Some((share, id)) = behind.pop()
        {
            let (writer, ground) = self.of(id);
            writer.shed(ground);
            left -= share;
        }
    }

    /// Ends as many of these as keep so much together, those who keep the most first.
    fn end_all(&mut self, mut list: Vec<(usize, MemberId)>, mut missing: usize, reason: &Reason) {
        while missing > 0
            && let Some((bytes, id)) = list.pop()
        {
            let (writer, ground) = self.of(id);
            ground.counters.memory_sheds.add(1);
            ground.counters.memory_full.add(1);
            writer.end(Ending::Close(reason.clone()));
            missing = missing.saturating_sub(bytes);
        }
    }

    /// Those who have some of something, and how much; the largest last.
    fn largest(&self, bytes: impl Fn(&Writer) -> usize) -> Vec<(usize, MemberId)> {
        let numbered = self.list.iter().enumerate();
        let sized = numbered.filter_map(|(number, writer)| {
            let bytes = bytes(writer.as_ref()?);
            (bytes > 0).then_some((bytes, member(number)))
        });
        let mut sized: Vec<_> = sized.collect();
        sized.sort_unstable_by_key(|(bytes, _)| *bytes);
        sized
    }
}

/// What all of these have together.
fn sum(list: &[(usize, MemberId)]) -> usize {
    list.iter().map(|(bytes, _)| bytes).sum()
}
