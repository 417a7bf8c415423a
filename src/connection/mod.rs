//! One WebSocket: a task that reads, writes what had to wait, and says goodbye.

mod keepalive;
mod open;
mod reader;
mod record;
mod shed;
mod slow;
mod survey;
mod table;
mod writer;

use std::cell::{Cell, RefCell};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::task::yield_now;

use self::keepalive::Life;
pub(crate) use self::open::open;
use self::reader::{Halt, Reader};
pub(crate) use self::survey::Cut;
pub(crate) use self::table::Table;
use self::table::Writers;
use self::writer::Ending;
use crate::broker::{MemberId, Role, Ticket};
use crate::close::Reason;
use crate::frame::OpCode;
use crate::limits::{Limits, READS_PER_TURN_MAX, SCRATCH_BYTES, SOCKET_DEAD_AFTER};
use crate::socket::{Received, Socket};

/// What the connections of one shard share.
pub(crate) struct Home {
    /// Topics and sockets.
    pub(crate) table: RefCell<Table>,
    /// Every connection reads into this, one at a time.
    scratch: RefCell<Box<[u8]>>,
    /// `--max-message`.
    message_bytes_max: Cell<usize>,
    /// How long the kernel bears with a puller that takes nothing, before it drops the jobs in its
    /// hands: `--pull-pong-timeout`.
    puller_dead_after: Duration,
}

impl Home {
    /// The home of a shard's connections.
    pub(crate) fn new(table: Table, limits: &Limits) -> Rc<Self> {
        Rc::new(Self {
            table: RefCell::new(table),
            scratch: RefCell::new(vec![0; SCRATCH_BYTES].into()),
            message_bytes_max: Cell::new(limits.message_bytes_max),
            puller_dead_after: limits.pull_pong_wait_max.max(SOCKET_DEAD_AFTER),
        })
    }
}

impl Home {
    /// Other limits from here on. A connection keeps the `--max-message` that it opened with.
    pub(crate) fn adopt(&self, limits: &Limits) {
        self.message_bytes_max.set(limits.message_bytes_max);
        self.table.borrow_mut().adopt(limits);
    }
}

/// One WebSocket's task. It alone leaves the topic, whoever decided that it ends.
pub(crate) struct Connection {
    home: Rc<Home>,
    line: Line,
}

/// What a connection has for itself.
struct Line {
    id: MemberId,
    reader: Reader,
    phase: Phase,
}

/// Where a connection is in its life.
#[derive(Debug)]
enum Phase {
    /// What was read is still to be taken, with the messages in it or without: what its client
    /// sent behind the handshake, or more than its share of a turn.
    Holding { accepts: bool },
    /// It is read.
    Open,
    /// It is not read: its next message found no room.
    Paused(Pause),
    /// It left its topic; our last word is on its way, what still comes is dropped.
    Lingering { end_of_input: bool, shut: bool },
    /// Nothing is left of it in the table.
    Gone,
}

/// Waiting for room in a topic.
#[derive(Debug)]
struct Pause {
    ticket: Ticket,
    /// The size of the message that found no room; `None` when there was no memory to read one.
    message_bytes: Option<usize>,
    /// When the peer was found to have hung up, in milliseconds since the shard began.
    hung_up: Option<u64>,
}

/// Whether a turn of a connection is over.
enum Turn {
    /// There may be more to do at once.
    Again,
    /// It waits to be woken.
    Waits,
}

impl Future for Connection {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { home, line } = self.get_mut();
        let table = &mut *home.table.borrow_mut();
        line.reader.begin_turn();
        while !matches!(line.phase, Phase::Gone) {
            if let Turn::Waits = line.turn(table, home, cx) {
                table.poke();
                return Poll::Pending;
            }
        }
        table.poke();
        Poll::Ready(())
    }
}

impl Line {
    fn turn(&mut self, table: &mut Table, home: &Home, cx: &mut Context<'_>) -> Turn {
        let (writer, _) = table.writers.of(self.id);
        writer.belongs_to(cx);
        if let Some(ending) = writer.take_ending() {
            self.end(table, ending);
            return Turn::Again;
        }
        if writer.waits() && !self.write(table, cx) {
            self.end(table, Ending::Drop);
            return Turn::Again;
        }
        match self.phase {
            Phase::Holding { accepts } => self.go_on(accepts, table, cx),
            Phase::Open => self.read(table, home, cx),
            Phase::Paused(_) => self.look_for_room(table, cx),
            Phase::Lingering { .. } => self.linger(table, home, cx),
            Phase::Gone => Turn::Waits,
        }
    }

    /// Reads and drops until the peer has our last word and says no more.
    fn linger(&mut self, table: &mut Table, home: &Home, cx: &mut Context<'_>) -> Turn {
        let Phase::Lingering { end_of_input, shut } = &mut self.phase else { return Turn::Again };
        let (writer, _) = table.writers.of(self.id);
        if writer.outbound.is_empty() && !*shut {
            writer.socket.close();
            if !writer.waits() {
                *end_of_input |= writer.socket.shut().is_err();
                *shut = true;
            }
        }
        let waits = writer.waits();
        if !*end_of_input {
            match discard(&writer.socket, home, cx) {
                Poll::Ready(()) => *end_of_input = true,
                Poll::Pending => return Turn::Waits,
            }
        }
        if waits {
            return Turn::Waits;
        }
        self.leave(table);
        Turn::Again
    }

    /// Writes what waits, as far as the socket takes it; false when the socket is gone.
    fn write(&mut self, table: &mut Table, cx: &mut Context<'_>) -> bool {
        let (writer, ground) = table.writers.of(self.id);
        let before = writer.outbound.bytes();
        while writer.waits() {
            match writer.socket.poll_write_ready(cx) {
                Poll::Pending => break,
                Poll::Ready(Err(_)) => return false,
                Poll::Ready(Ok(())) => {}
            }
            if writer.write_queued(ground).is_err_and(|error| Writers::is_fatal(&error)) {
                return false;
            }
        }
        let after = writer.outbound.bytes();
        if after < before && writer.role == Role::Puller {
            table.broker.progress(self.id, after);
        }
        true
    }

    /// Reads, at most a few times, and takes what came.
    fn read(&mut self, table: &mut Table, home: &Home, cx: &mut Context<'_>) -> Turn {
        let scratch = &mut *home.scratch.borrow_mut();
        for _ in 0..READS_PER_TURN_MAX {
            if let Err(halt) = Reader::may_read(self.id, table) {
                self.halt(table, *halt, cx);
                return Turn::Again;
            }
            let kept = self.reader.kept_in_front();
            let (writer, ground) = table.writers.of(self.id);
            let received = match writer.socket.poll_recv(&mut scratch[kept..], cx) {
                Poll::Pending => return Turn::Waits,
                Poll::Ready(received) => received,
            };
            let Some(Received { count, is_last }) = received else {
                self.end(table, Ending::Drop);
                return Turn::Again;
            };
            if let Some(record) = writer.recorded() {
                record.received(count);
            }
            if writer.socket.is_inside_record() {
                // as good as a message that does not end
                writer.life.unfinished.get_or_insert(ground.moment);
            }
            if let Err(halt) = self.reader.received(scratch, count, self.id, table) {
                return self.halt(table, *halt, cx);
            }
            let (writer, _) = table.writers.of(self.id);
            if is_last && writer.socket.poll_read_ready(cx).is_pending() {
                return Turn::Waits;
            }
        }
        yield_turn(cx);
        Turn::Waits
    }

    /// The reader could not go on.
    fn halt(&mut self, table: &mut Table, halt: Halt, cx: &mut Context<'_>) -> Turn {
        match halt {
            Halt::End(ending) => self.end(table, ending),
            Halt::TurnOver { accepts } => {
                // what is not taken holds nobody up
                table.writers.of(self.id).0.life.holding = accepts;
                self.phase = Phase::Holding { accepts };
                yield_turn(cx);
                return Turn::Waits;
            }
            Halt::NoRoom(no_room, message_bytes) => {
                if no_room.memory_bytes().is_some() {
                    self.reader.tighten(self.id, table);
                }
                let ticket = table.broker.line_up(no_room, cx.waker().clone());
                table.counters().publisher_waits.add(1);
                let life = &mut table.writers.of(self.id).0.life;
                life.paused = true;
                life.has_whole = message_bytes.is_some();
                self.phase = Phase::Paused(Pause { ticket, message_bytes, hung_up: None });
            }
        }
        Turn::Again
    }

    /// Goes on with what was read before the pause, if there is room for it now.
    fn look_for_room(&mut self, table: &mut Table, cx: &mut Context<'_>) -> Turn {
        let Phase::Paused(pause) = &mut self.phase else { return Turn::Again };
        let room = if let Some(bytes) = pause.message_bytes {
            let room = table.broker.room(self.id, bytes);
            room.or_else(|no_room| reader::make_room(no_room, self.id, bytes, table))
        } else {
            let memory = table.has_memory_to_read();
            memory.map_err(|no_room| Box::new(Halt::NoRoom(no_room, None)))
        };
        if let Err(halt) = room {
            let no_room = match *halt {
                Halt::NoRoom(no_room, _) => no_room,
                halt => return self.halt(table, halt, cx),
            };
            let (writer, ground) = table.writers.of(self.id);
            let hung_up = &mut pause.hung_up;
            if let Some(ending) = reader::hang_up(&writer.socket, hung_up, ground.now, cx) {
                table.counters().publisher_hangups.add(1);
                self.end(table, ending);
                return Turn::Again;
            }
            if !table.broker.is_waiting(pause.ticket) {
                pause.ticket = table.broker.line_up(no_room, cx.waker().clone());
            }
            return Turn::Waits;
        }
        table.broker.step_out(pause.ticket);
        let life = &mut table.writers.of(self.id).0.life;
        (life.paused, life.has_whole) = (false, false);
        self.go_on(true, table, cx)
    }

    /// Takes what was kept, then reads.
    fn go_on(&mut self, accepts: bool, table: &mut Table, cx: &mut Context<'_>) -> Turn {
        table.writers.of(self.id).0.life.holding = false;
        self.phase = Phase::Open;
        match self.reader.resume(accepts, self.id, table) {
            Err(halt) => self.halt(table, *halt, cx),
            Ok(()) => Turn::Again,
        }
    }

    /// Leaves the topic, then says the last word, if there is one.
    fn end(&mut self, table: &mut Table, ending: Ending) {
        if let Phase::Paused(pause) = &self.phase {
            table.broker.step_out(pause.ticket);
        }
        table.record_end(self.id, &ending);
        if let Ending::TooSlow { reason, behind } = &ending {
            table.log_too_slow(self.id, reason, *behind);
        }
        if matches!(ending, Ending::Close(_) | Ending::Echo(_)) {
            table.settle(self.id);
        }
        let cut_inside_job = self.leave_topic(table);
        let (writer, ground) = table.writers.of(self.id);
        let payload = match ending {
            Ending::Close(reason) | Ending::TooSlow { reason, .. } => reason.payload(),
            Ending::Echo(payload) => payload,
            Ending::Drop | Ending::Mute => return self.leave(table),
            Ending::Reset => {
                if !writer.outbound.is_empty() {
                    writer.reset_on_drop();
                }
                return self.leave(table);
            }
        };
        writer.outbound.cut(writer.socket.ahead());
        if cut_inside_job {
            // the job goes to another puller: this one must not get the rest of it
            return self.leave(table);
        }
        // whoever found it too slow meanwhile, or shed it, wanted no more than this
        writer.take_ending();
        writer.control(OpCode::Close, &payload, ground);
        writer.life.parted = Some(ground.moment);
        // nothing more is taken from it
        let Life { paused, holding, has_whole, .. } = &mut writer.life;
        (*paused, *holding, *has_whole) = (false, false, false);
        // a write error of the Close itself: nobody is there to linger for
        if writer.take_ending().is_some() {
            return self.leave(table);
        }
        self.phase = Phase::Lingering { end_of_input: false, shut: false };
        self.reader.forget(self.id, table);
    }

    /// Leaves the topic; whether a puller's job is partly on the wire, or encrypted for it.
    fn leave_topic(&self, table: &mut Table) -> bool {
        let (writer, _) = table.writers.of(self.id);
        let unwritten = if writer.role == Role::Puller && writer.life.parted.is_none() {
            writer.outbound.unwritten_messages()
        } else {
            vec![]
        };
        let is_begun = writer.outbound.is_inside_frame() || writer.socket.ahead() > 0;
        let inside = writer.role == Role::Puller && is_begun;
        table.broker.leave(self.id, unwritten);
        inside
    }

    /// Takes the connection, which left its topic, out of the table: its socket closes.
    fn leave(&mut self, table: &mut Table) {
        self.reader.forget(self.id, table);
        table.remove(self.id);
        self.phase = Phase::Gone;
    }
}

impl Drop for Connection {
    /// A task that panicked or was cut short leaves no trace in the table.
    fn drop(&mut self) {
        let Self { home, line } = self;
        if matches!(line.phase, Phase::Gone) {
            return;
        }
        if let Ok(mut table) = home.table.try_borrow_mut() {
            line.end(&mut table, Ending::Reset);
            table.poke();
        }
    }
}

/// Reads and drops; ready when no more will come.
fn discard(socket: &Socket, home: &Home, cx: &mut Context<'_>) -> Poll<()> {
    let scratch = &mut *home.scratch.borrow_mut();
    for _ in 0..READS_PER_TURN_MAX {
        if ready!(socket.poll_discard(scratch, cx)).is_none() {
            return Poll::Ready(());
        }
    }
    yield_turn(cx);
    Poll::Pending
}

/// Goes on once the others had their turn. A task that wakes itself does not let the runtime look
/// at the sockets before 61 turns, nor the flusher go on: whoever floods would be served alone.
fn yield_turn(cx: &mut Context<'_>) {
    // registers the waker with the runtime, which calls it behind its look at the sockets
    let waits = pin!(yield_now()).poll(cx);
    debug_assert!(waits.is_pending(), "it yields once");
}

/// The reason that a peer's breach is answered with.
fn breach(reason: Reason) -> Halt {
    Halt::End(Ending::Close(reason))
}
