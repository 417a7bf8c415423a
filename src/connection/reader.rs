//! The reading side of one connection: bytes in, messages to the broker.

use std::pin::pin;
use std::task::{Context, Poll};

use tokio::io::Interest;

use super::breach;
use super::keepalive::milliseconds;
use super::shed::CUT_SHORT;
use super::table::Table;
use super::writer::Ending;
use crate::broker::{MemberId, NoRoom};
use crate::close::Reason;
use crate::code::CloseCode;
use crate::faults;
use crate::frame::decoder::{Decoder, Event, Progress};
use crate::frame::{self, Breach, OpCode};
use crate::grouped::Grouped;
use crate::limits::{FRAMES_PER_TURN_MAX, PONGS_PENDING_MAX, POST_WAIT_MAX, SCRATCH_BYTES};
use crate::slack;
use crate::socket::Socket;

/// Decodes what a connection's socket brings. Owns no buffer while no frame is unfinished.
#[derive(Debug)]
pub(super) struct Reader {
    decoder: Decoder,
    /// Bytes of frames that are not whole yet, or that found no room.
    carry: Vec<u8>,
    /// With fewer bytes than this there is no use in looking.
    needs: usize,
    /// No message was under way for a moment since the clock of an unfinished one was last set.
    was_between: bool,
    /// A message of its was ignored, since the broker drains.
    has_ignored: bool,
    /// Frames that it may yet take in this turn.
    frames_left: u32,
}

/// Answers to pings that leave together: a write each would take a hundred times as long.
#[derive(Debug, Default)]
struct Pongs {
    frames: Vec<u8>,
    count: u32,
}

/// Why the reader does not go on. Boxed in results, so that those are small when it does.
#[derive(Debug)]
pub(super) enum Halt {
    /// The connection ends.
    End(Ending),
    /// The broker has no room for the next message, of so many bytes; without a size, there is no
    /// memory to read it.
    NoRoom(NoRoom, Option<usize>),
    /// It took its share of this turn; whether messages among the rest are taken.
    TurnOver { accepts: bool },
}

impl Reader {
    /// For a connection whose client already sent `left_over` behind its handshake.
    pub(super) fn new(message_bytes_max: usize, left_over: Vec<u8>) -> Self {
        Self {
            decoder: Decoder::new(message_bytes_max),
            carry: left_over,
            needs: 0,
            was_between: false,
            has_ignored: false,
            frames_left: FRAMES_PER_TURN_MAX,
        }
    }

    /// The others had their turn.
    pub(super) const fn begin_turn(&mut self) {
        self.frames_left = FRAMES_PER_TURN_MAX;
    }

    /// Where in the scratch buffer the next bytes should be read to: behind what was kept, if
    /// that is little; a large unfinished frame grows where it is.
    pub(super) fn kept_in_front(&self) -> usize {
        if self.carry.len() <= SCRATCH_BYTES / 2 { self.carry.len() } else { 0 }
    }

    /// Takes `count` bytes that were read to [`Reader::kept_in_front`].
    pub(super) fn received(
        &mut self,
        scratch: &mut [u8],
        count: usize,
        id: MemberId,
        table: &mut Table,
    ) -> Result<(), Box<Halt>> {
        let kept = self.kept_in_front();
        if self.carry.len() + count < self.needs || kept < self.carry.len() {
            self.keep(&scratch[kept..kept + count]);
            if self.carry.len() < self.needs {
                return if self.settle(id, table) { Ok(()) } else { no_memory(id, table) };
            }
            return self.resume(!table.draining, id, table);
        }
        if kept > 0 {
            scratch[..kept].copy_from_slice(&self.carry);
            self.carry.clear();
        }
        let bytes = &mut scratch[..kept + count];
        let (used, result) = self.consume(bytes, !table.draining, id, table);
        if used < bytes.len() {
            self.carry.extend_from_slice(&bytes[used..]);
        }
        // whoever halts anyway says why
        if self.settle(id, table) || result.is_err() { result } else { no_memory(id, table) }
    }

    /// Keeps more of a frame: grows with what comes, and not beyond what the frame needs.
    fn keep(&mut self, bytes: &[u8]) {
        let length = self.carry.len() + bytes.len();
        if length > self.carry.capacity() {
            let capacity = (2 * self.carry.capacity()).min(self.needs).max(length);
            self.carry.reserve_exact(capacity - self.carry.len());
        }
        self.carry.extend_from_slice(bytes);
    }

    /// Takes what was kept. `accepts` says whether messages are still taken: what was read before
    /// a drain began is part of what the drain delivers.
    pub(super) fn resume(
        &mut self,
        accepts: bool,
        id: MemberId,
        table: &mut Table,
    ) -> Result<(), Box<Halt>> {
        let mut bytes = std::mem::take(&mut self.carry);
        let (used, result) = self.consume(&mut bytes, accepts, id, table);
        bytes.drain(..used);
        self.carry = bytes;
        if self.settle(id, table) || result.is_err() { result } else { no_memory(id, table) }
    }

    /// It waits for memory: what it has is held without room behind it.
    #[cold]
    pub(super) fn tighten(&mut self, id: MemberId, table: &mut Table) {
        self.carry.shrink_to_fit();
        self.count(id, table);
    }

    /// The connection is closing: nothing more is decoded.
    pub(super) fn forget(&mut self, id: MemberId, table: &mut Table) {
        self.carry = vec![];
        self.decoder = Decoder::new(0);
        let (writer, ground) = table.writers.of(id);
        ground.meter.release(std::mem::take(&mut writer.unfinished_bytes));
    }

    /// Whether there is memory for what the next read may bring.
    #[inline]
    pub(super) fn may_read(id: MemberId, table: &mut Table) -> Result<(), Box<Halt>> {
        if table.writers.ground.meter.has_room(SCRATCH_BYTES) {
            return Ok(());
        }
        table.has_memory_to_read().or_else(|_| without_memory(id, table))
    }

    /// Somebody is there; whether what is kept may be. The usual case: nothing is, and nothing was.
    #[inline]
    fn settle(&mut self, id: MemberId, table: &mut Table) -> bool {
        let (writer, ground) = table.writers.of(id);
        writer.life.heard = ground.moment;
        let keeps = self.carry.capacity() > 0 || self.decoder.is_inside_message();
        if keeps || writer.unfinished_bytes > 0 || writer.life.unfinished.is_some() {
            return self.settle_kept(id, table);
        }
        self.was_between = false;
        true
    }

    /// Gives back what is not needed, and starts or stops the clock of an unfinished message.
    #[cold]
    fn settle_kept(&mut self, id: MemberId, table: &mut Table) -> bool {
        let (writer, ground) = table.writers.of(id);
        if std::mem::take(&mut self.was_between) {
            writer.life.unfinished = None;
        }
        if let Some(kept) = slack::kept(self.carry.len(), self.carry.capacity()) {
            self.carry.shrink_to(kept);
        }
        if self.carry.is_empty() {
            if self.carry.capacity() > 0 {
                self.carry = vec![];
            }
            if !self.decoder.is_inside_message() && !writer.socket.is_inside_record() {
                ground.meter.release(std::mem::take(&mut writer.unfinished_bytes));
                writer.life.unfinished = None;
                return true;
            }
        }
        writer.life.unfinished.get_or_insert(ground.moment);
        self.count(id, table)
    }

    /// Counts what is kept now, over the limit, too, as it is there; whether there was room for it.
    fn count(&self, id: MemberId, table: &mut Table) -> bool {
        let held = self.carry.capacity() + self.decoder.held();
        let more = held.saturating_sub(table.writers.of(id).0.unfinished_bytes);
        let has_room = table.writers.ground.meter.has_room(more) || table.shed(more);
        let (writer, ground) = table.writers.of(id);
        ground.meter.hold(more);
        ground.meter.release((writer.unfinished_bytes + more) - held);
        writer.unfinished_bytes = held;
        has_room
    }

    /// Decodes frame after frame and answers pings; how many bytes were used, and why it stopped
    /// early.
    fn consume(
        &mut self,
        bytes: &mut [u8],
        accepts: bool,
        id: MemberId,
        table: &mut Table,
    ) -> (usize, Result<(), Box<Halt>>) {
        let mut pongs = Pongs::default();
        let (used, result) = self.decode(bytes, accepts, id, table, &mut pongs);
        if pongs.count == 0 {
            return (used, result);
        }
        // what was pinged before the end is answered before it
        (used, pongs.send(id, table).and(result))
    }

    #[inline]
    fn decode(
        &mut self,
        bytes: &mut [u8],
        accepts: bool,
        id: MemberId,
        table: &mut Table,
        pongs: &mut Pongs,
    ) -> (usize, Result<(), Box<Halt>>) {
        let mut at = 0;
        self.needs = 0;
        while at < bytes.len() {
            let head = match self.decoder.look(&bytes[at..]) {
                Ok(Progress::Whole(head)) => head,
                Ok(Progress::Needs(count)) => {
                    self.needs = count;
                    break;
                }
                Err(error) => return (at, Err(Halt::refuse(&error, table))),
            };
            if self.frames_left == 0 {
                return (at, Err(Halt::turn_over(accepts)));
            }
            if accepts && head.ends_message() {
                let size = self.decoder.message_bytes(&head);
                if let Err(no_room) = table.broker.room(id, size)
                    && let Err(halt) = make_room(no_room, id, size, table)
                {
                    return (at, Err(halt));
                }
            }
            self.frames_left -= 1;
            match self.decoder.take(&head, &mut bytes[at..]) {
                Ok(Event::Message(kind, payload)) => {
                    faults::heed(&payload);
                    faults::pass(faults::Place::Connection);
                    if accepts {
                        table.broker.publish(id, kind, &payload);
                    } else {
                        self.ignore(table);
                    }
                }
                Ok(Event::Fragment | Event::Pong) => {}
                Ok(Event::Ping(payload)) => {
                    if let Err(halt) = pongs.add(payload, id, table) {
                        return (at, Err(halt));
                    }
                }
                Ok(Event::Close(payload)) => return (at, Err(self.answer(payload))),
                Err(error) => return (at, Err(Halt::refuse(&error, table))),
            }
            self.was_between |= !self.decoder.is_inside_message();
            at += head.size + head.payload;
        }
        (at, Ok(()))
    }
}

#[allow(clippy::unnecessary_box_returns, reason = "boxed here, `decode` keeps its registers")]
impl Reader {
    /// A message that came after the drain began.
    #[cold]
    fn ignore(&mut self, table: &Table) {
        self.has_ignored = true;
        table.counters().drain_ignored.add(1);
    }

    /// A Close is answered with its own words (RFC 6455 5.5.1); they would say that all in front of
    /// it was taken, so not where something was ignored.
    #[cold]
    fn answer(&self, payload: &[u8]) -> Box<Halt> {
        Box::new(Halt::End(if self.has_ignored {
            Ending::Close(Reason::going_away())
        } else {
            Ending::Echo(payload.to_vec())
        }))
    }
}

/// A whole message of this size found no room: if memory is what is missing, shedding may make
/// some, unless it could never be held.
#[cold]
pub(super) fn make_room(
    no_room: NoRoom,
    id: MemberId,
    bytes: usize,
    table: &mut Table,
) -> Result<(), Box<Halt>> {
    // it is held while it waits
    let missing = no_room.memory_bytes().map_or(0, |missing| missing + bytes);
    if missing > table.memory_bytes_max() {
        return Err(Box::new(Halt::never(bytes, missing, table)));
    }
    // not to be given up for itself before those who keep a part of one
    table.writers.of(id).0.life.has_whole = true;
    table
        .make_room(no_room, id, bytes)
        .map_err(|no_room| Box::new(Halt::NoRoom(no_room, Some(bytes))))?;
    table.writers.of(id).0.life.has_whole = false;
    Ok(())
}

/// Whoever publishes waits for memory, in the middle of a message, too. Of the others no message
/// is taken, so they are read, but may not keep one that is unfinished.
#[cold]
fn without_memory(id: MemberId, table: &mut Table) -> Result<(), Box<Halt>> {
    let (writer, _) = table.writers.of(id);
    if writer.role.sends() {
        return Err(Box::new(Halt::NoRoom(NoRoom::memory(SCRATCH_BYTES), None)));
    }
    if writer.unfinished_bytes > 0 { no_memory(id, table) } else { Ok(()) }
}

/// What a connection is told that cannot go on with its message.
#[cold]
fn no_memory(id: MemberId, table: &mut Table) -> Result<(), Box<Halt>> {
    let (writer, ground) = table.writers.of(id);
    // whoever was shed for it is counted
    if !writer.is_ending() {
        ground.counters.memory_full.add(1);
    }
    Err(breach(CUT_SHORT).into())
}

#[allow(clippy::unnecessary_box_returns, reason = "boxed here, `decode` keeps its registers")]
impl Halt {
    /// Others have their turn first.
    #[cold]
    fn turn_over(accepts: bool) -> Box<Self> {
        Box::new(Self::TurnOver { accepts })
    }

    /// No shedding makes room for a message that is for too many levels.
    #[cold]
    fn never(bytes: usize, missing: usize, table: &Table) -> Self {
        table.counters().message_too_long.add(1);
        let (bytes, missing) = (Grouped(bytes), Grouped(missing));
        let text = format!(
            "message of {bytes} bytes takes {missing}, with a copy for each level: more than \
             --memory-max"
        );
        breach(Reason::with(CloseCode::MessageNeverFits, text))
    }

    /// The peer did what it must not.
    #[cold]
    fn refuse(error: &Breach, table: &Table) -> Box<Self> {
        let counters = table.counters();
        match error {
            Breach::MessageTooLong { .. } => counters.message_too_long.add(1),
            Breach::NotUtf8(_) => counters.text_not_utf8.add(1),
            Breach::EmptyFragments(_) => counters.message_unfinished.add(1),
            _ => counters.protocol_errors.add(1),
        }
        Box::new(breach(error.reason()))
    }
}

impl Pongs {
    /// Answers a ping (RFC 6455 5.5.3), at once or with those that follow.
    #[cold]
    fn add(&mut self, payload: &[u8], id: MemberId, table: &mut Table) -> Result<(), Box<Halt>> {
        frame::append(&mut self.frames, OpCode::Pong, payload);
        self.count += 1;
        let (writer, _) = table.writers.of(id);
        // behind what is queued they cost no write, and one may be the last that is borne
        if self.count < PONGS_PENDING_MAX && writer.outbound.is_empty() {
            return Ok(());
        }
        self.send(id, table)
    }

    /// Sends what gathered.
    #[cold]
    fn send(&mut self, id: MemberId, table: &mut Table) -> Result<(), Box<Halt>> {
        let (writer, ground) = table.writers.of(id);
        let sent = writer.pongs(&self.frames, ground).map_err(|reason| breach(reason).into());
        self.frames.clear();
        self.count = 0;
        sent
    }
}

/// How a connection ends that is not read and whose peer is gone: at once at a reset. A peer that
/// only said all may be there, and is told after as long as a POST would wait for room.
pub(super) fn hang_up(
    socket: &Socket,
    since: &mut Option<u64>,
    now: u64,
    cx: &mut Context<'_>,
) -> Option<Ending> {
    let ready = pin!(socket.ready(Interest::READABLE | Interest::ERROR)).poll(cx);
    match ready {
        Poll::Ready(Err(_)) => Some(Ending::Drop),
        Poll::Ready(Ok(ready)) if ready.is_error() || ready.is_write_closed() => Some(Ending::Drop),
        Poll::Ready(Ok(ready)) if ready.is_read_closed() => {
            let waits = now - *since.get_or_insert(now);
            (waits >= milliseconds(POST_WAIT_MAX)).then(|| {
                let seconds = POST_WAIT_MAX.as_secs();
                let text = format!("the topic had no room for {seconds} seconds after your last");
                Ending::Close(Reason::with(CloseCode::NoRoom, text))
            })
        }
        Poll::Ready(Ok(_)) | Poll::Pending => None,
    }
}
