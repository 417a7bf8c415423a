//! The writing side of one connection: at once if the socket takes it, else queued in order.

use std::io::{self, IoSlice};
use std::ops::Range;
use std::slice;
use std::task::{Context, Waker};

use super::keepalive::{Life, Moment};
use super::record::Record;
use super::slow::Lost;
use super::table::Ground;
use crate::broker::{Role, Taken};
use crate::close::Reason;
use crate::code::CloseCode;
use crate::frame::{self, OpCode};
use crate::handover::Descriptor;
use crate::limits::{PONGS_PENDING_MAX, WRITE_PIECES_MAX};
use crate::outbound::{Batch, Outbound};
use crate::slow_consumer::Policy;
use crate::socket::{PeerAddress, Socket};

/// How a connection ends. Others only mark it and wake its task, which alone leaves the topic.
#[derive(Debug)]
pub(super) enum Ending {
    /// Our Close frame, then a lingering close.
    Close(Reason),
    /// The same for a slow consumer, from which was taken what waited for it.
    TooSlow {
        /// What the Close says.
        reason: Reason,
        /// Bytes that waited for it.
        behind: usize,
    },
    /// The peer's Close frame, echoed, then a lingering close.
    Echo(Vec<u8>),
    /// No more words: the socket is gone, or the peer is.
    Drop,
    /// The same for one that did not answer our ping.
    Mute,
    /// No more words; if something still waits, what the kernel holds is thrown away, too.
    Reset,
}

/// What most connections have nothing of for most of their lives: a delivery asks one question
/// about all of it.
#[derive(Debug, Default)]
struct Apart {
    /// What somebody decided about it; its task acts on it.
    ending: Option<Ending>,
    /// What will be logged of it.
    record: Option<Record>,
}

/// One connection's socket, and what those who write to it know.
#[derive(Debug)]
pub(super) struct Writer {
    /// Its task reads from it.
    pub(super) socket: Socket,
    /// What the socket did not take.
    pub(super) outbound: Outbound,
    /// Which one of those that have ever opened on its shard, in the six bytes that alignment
    /// leaves free: at 100,000 a second they last for 89 years.
    sequence: [u8; SEQUENCE_BYTES],
    /// When it opened, in tenths of a second since the shard began.
    pub(super) opened: u32,
    /// What the socket is on its topic.
    pub(super) role: Role,
    /// The peer, for logs.
    pub(super) peer: PeerAddress,
    /// When what happened last.
    pub(super) life: Life,
    /// What is out of the ordinary about it; `None` while it only gets what is for it.
    apart: Option<Box<Apart>>,
    /// What its reader keeps of messages that have not ended.
    pub(super) unfinished_bytes: usize,
    /// It gets the last of what is for it, and is no slow consumer any more.
    pub(super) is_settling: bool,
    /// What was dropped since it last had everything; `None` is nothing.
    pub(super) lost: Option<Box<Lost>>,
    /// The connection's task.
    task: Option<Waker>,
    /// Given back when the connection is gone.
    _descriptor: Descriptor,
}

/// Enough to tell the connections of a shard apart.
const SEQUENCE_BYTES: usize = 6;

// there is one for each connection; tokio's part depends on what else is built
const _: () = assert!(size_of::<Option<Writer>>() <= 184 + size_of::<Socket>());

impl Writer {
    pub(super) fn new(
        socket: Socket,
        sequence: u64,
        opened: u32,
        role: Role,
        peer: PeerAddress,
        descriptor: Descriptor,
        now: Moment,
    ) -> Self {
        Self {
            socket,
            outbound: Outbound::default(),
            sequence: *sequence.to_le_bytes().first_chunk().expect("six of eight"),
            opened,
            role,
            peer,
            life: Life::new(now),
            apart: None,
            unfinished_bytes: 0,
            is_settling: false,
            lost: None,
            task: None,
            _descriptor: descriptor,
        }
    }

    /// Which one of those that have ever opened on its shard.
    pub(super) fn sequence(&self) -> u64 {
        let mut bytes = [0; size_of::<u64>()];
        bytes[..SEQUENCE_BYTES].copy_from_slice(&self.sequence);
        u64::from_le_bytes(bytes)
    }

    /// Remembers the task to wake when there is something for it to do.
    pub(super) fn belongs_to(&mut self, cx: &Context<'_>) {
        if !self.task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
            self.task = Some(cx.waker().clone());
        }
    }

    /// Wakes the connection's task.
    pub(super) fn wake(&self) {
        if let Some(task) = &self.task {
            task.wake_by_ref();
        }
    }

    /// Marks the end; the first reason stays. Nothing is written from now on but by the task.
    pub(super) fn end(&mut self, ending: Ending) {
        if !self.is_ending() {
            self.replace_ending(ending);
            self.wake();
        }
    }

    /// Whether its end is marked.
    #[inline]
    pub(super) fn is_ending(&self) -> bool {
        self.apart.as_ref().is_some_and(|apart| apart.ending.is_some())
    }

    /// Whether its end is marked, or its Close is said.
    pub(super) fn is_closing(&self) -> bool {
        self.is_ending() || self.life.parted.is_some()
    }

    /// Marks another end, whatever was marked before.
    pub(super) fn replace_ending(&mut self, ending: Ending) {
        self.apart.get_or_insert_default().ending = Some(ending);
    }

    /// The end that is marked, to act on it.
    #[inline]
    pub(super) fn take_ending(&mut self) -> Option<Ending> {
        let apart = self.apart.as_mut()?;
        let ending = apart.ending.take();
        if apart.record.is_none() {
            self.apart = None;
        }
        ending
    }

    /// From here on it is recorded what comes and goes.
    pub(super) fn record(&mut self, record: Record) {
        self.apart.get_or_insert_default().record = Some(record);
    }

    /// What is recorded of it.
    #[inline]
    pub(super) fn recorded(&mut self) -> Option<&mut Record> {
        self.apart.as_mut()?.record.as_mut()
    }

    /// Gives it a whole batch: one write if nothing is queued before it.
    #[inline]
    pub(super) fn fan_out_whole(&mut self, batch: &Batch, ground: &Ground) {
        if let Some(socket) = self.socket.plain()
            && self.apart.is_none()
            && self.outbound.is_empty()
        {
            let sent = match socket.send(batch) {
                Ok(bytes) if bytes == batch.len() => {
                    self.life.sent = ground.moment;
                    return self.wrote(bytes, ground);
                }
                Ok(bytes) => Ok(bytes),
                Err(errno) => socket.send_again(errno, batch),
            };
            return self.sent_short(batch, sent, ground);
        }
        let whole = 0..batch.len();
        self.fan_out(batch, slice::from_ref(&whole), ground);
    }

    /// The socket did not take all of a batch.
    #[cold]
    fn sent_short(&mut self, batch: &Batch, sent: io::Result<usize>, ground: &Ground) {
        self.life.sent = ground.moment;
        let whole = 0..batch.len();
        self.keep_rest(batch, slice::from_ref(&whole), sent, ground);
    }

    /// Gives it the runs of a batch: one write if nothing is queued before them.
    pub(super) fn fan_out(&mut self, batch: &Batch, runs: &[Range<usize>], ground: &Ground) {
        if self.is_ending() {
            return;
        }
        self.life.sent = ground.moment;
        if !self.outbound.is_empty() {
            return self.keep(batch, runs, 0, ground);
        }
        let sent = match runs {
            [run] => self.socket.send(&batch[run.clone()]),
            runs => self.send_runs(batch, runs),
        };
        self.keep_rest(batch, runs, sent, ground);
    }

    /// Queues what a write of runs left over.
    fn keep_rest(
        &mut self,
        batch: &Batch,
        runs: &[Range<usize>],
        sent: io::Result<usize>,
        ground: &Ground,
    ) {
        let written = match sent {
            Ok(bytes) => {
                self.wrote_some(bytes, ground);
                bytes
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(_) => return self.end(Ending::Drop),
        };
        if written < runs.iter().map(Range::len).sum() {
            self.keep(batch, runs, written, ground);
        }
    }

    /// The runs of a batch in one write: vectored, or copied when there are very many.
    fn send_runs(&mut self, batch: &Batch, runs: &[Range<usize>]) -> io::Result<usize> {
        if runs.len() > WRITE_PIECES_MAX {
            let copy: Vec<u8> = runs.iter().flat_map(|run| &batch[run.clone()]).copied().collect();
            return self.socket.send(&copy);
        }
        let mut slices = [IoSlice::new(&[]); WRITE_PIECES_MAX];
        for (slice, run) in slices.iter_mut().zip(runs) {
            *slice = IoSlice::new(&batch[run.clone()]);
        }
        self.socket.send_vectored(&slices[..runs.len()])
    }

    /// What the socket did not take waits; over the bound the connection is a slow consumer.
    #[cold]
    fn keep(&mut self, batch: &Batch, runs: &[Range<usize>], mut written: usize, ground: &Ground) {
        if self.outbound.is_empty() {
            // the clock of a stalled write starts now
            self.life.progress = ground.moment;
            self.life.behind = ground.moment;
            if runs.len() > 1 {
                // one batch, so one piece: a connection with nothing queued takes any size
                let copy = runs.iter().flat_map(|run| &batch[run.clone()]).copied().collect();
                self.outbound.push_own(copy, written, &ground.meter);
                return self.wake();
            }
        }
        let mut max = ground.outbound_bytes_max;
        for run in runs {
            let done = written.min(run.len());
            written -= done;
            if self.outbound.push(batch, run.start, run.end, done, max).is_err() {
                self.overflow(batch, run.clone(), max, ground);
                if self.is_ending() {
                    return;
                }
                if ground.policy(self.role) == Policy::DropNewest {
                    // what is there has no gap
                    max = 0;
                }
            }
        }
        self.wake();
    }

    /// Gives a puller its jobs of this turn in one write.
    #[inline]
    pub(super) fn jobs(&mut self, frames: Vec<u8>, ground: &Ground) -> Taken {
        let mut written = 0;
        self.life.sent = ground.moment;
        if self.outbound.is_empty() && !self.is_ending() {
            match self.socket.send(&frames) {
                Ok(bytes) => {
                    self.wrote_some(bytes, ground);
                    if bytes == frames.len() {
                        return Taken { outbound: 0, spare: Some(frames) };
                    }
                    written = bytes;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => self.end(Ending::Drop),
            }
        }
        if self.outbound.is_empty() {
            self.life.progress = ground.moment;
            self.life.behind = ground.moment;
        }
        // a puller that is going away keeps what it did not get, to hand it back when it leaves
        self.outbound.push_own(frames, written, &ground.meter);
        self.wake();
        Taken { outbound: self.outbound.bytes(), spare: None }
    }

    /// Sends a control frame, behind what is queued; never into a partly written frame.
    pub(super) fn control(&mut self, op_code: OpCode, payload: &[u8], ground: &Ground) {
        let mut bytes = Vec::new();
        frame::append(&mut bytes, op_code, payload);
        let Some(written) = self.send_own(&bytes, ground) else { return };
        self.outbound.push_control(bytes, written, &ground.meter);
        if !self.outbound.is_empty() {
            self.wake();
        }
    }

    /// Answers pings (RFC 6455 5.5.3) in one write. A peer that pings and does not read is
    /// bounded.
    pub(super) fn pongs(&mut self, frames: &[u8], ground: &Ground) -> Result<(), Reason> {
        let Some(written) = self.send_own(frames, ground) else { return Ok(()) };
        let mut at = 0;
        while at < frames.len() {
            let pong = frame::sent_at(frames, at).range;
            at = pong.end;
            if at <= written {
                continue;
            }
            // a piece of its own, to be counted
            let done = written.saturating_sub(pong.start);
            self.outbound.push_control(frames[pong].to_vec(), done, &ground.meter);
            if self.outbound.mark_pong() > PONGS_PENDING_MAX {
                ground.counters.pongs_pending.add(1);
                let text = format!("more than {PONGS_PENDING_MAX} unread pongs");
                return Err(Reason::with(CloseCode::PongsUnread, text));
            }
        }
        if !self.outbound.is_empty() {
            self.wake();
        }
        Ok(())
    }

    /// Writes control frames if nothing is queued; how many bytes the socket took, `None` if it
    /// is gone.
    fn send_own(&mut self, frames: &[u8], ground: &Ground) -> Option<usize> {
        if !self.outbound.is_empty() {
            return Some(0);
        }
        let written = match self.socket.send(frames) {
            Ok(count) => {
                self.wrote_some(count, ground);
                count
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(_) => {
                self.end(Ending::Drop);
                return None;
            }
        };
        self.life.progress = ground.moment;
        self.life.behind = ground.moment;
        Some(written)
    }

    /// Whether anything is to be written.
    pub(super) fn waits(&self) -> bool {
        !self.outbound.is_empty() || self.socket.has_unsent()
    }

    /// Writes what is queued, as much as the socket takes in one write.
    pub(super) fn write_queued(&mut self, ground: &Ground) -> io::Result<()> {
        let mut slices = [IoSlice::new(&[]); WRITE_PIECES_MAX];
        let count = self.outbound.slices(&mut slices);
        let bytes = self.socket.send_vectored(&slices[..count])?;
        self.outbound.advance(bytes);
        if self.outbound.is_empty() {
            self.caught_up();
        }
        self.wrote_some(bytes, ground);
        Ok(())
    }

    /// The same where it may be recorded.
    #[inline]
    fn wrote_some(&mut self, bytes: usize, ground: &Ground) {
        self.wrote(bytes, ground);
        if let Some(record) = self.recorded() {
            record.sent(bytes);
        }
    }

    #[inline]
    fn wrote(&mut self, bytes: usize, ground: &Ground) {
        self.life.progress = ground.moment;
        self.role.pattern().of(&ground.counters.bytes_out).add(bytes as u64);
    }

    /// Makes the coming close a reset: what the kernel holds for a peer that does not read is
    /// thrown away.
    pub(super) fn reset_on_drop(&self) {
        if let Err(error) = self.socket.reset_on_drop() {
            tracing::debug!(peer = %self.peer, %error, "cannot reset the socket");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::sync::Arc;

    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::limits::Budget;
    use crate::memory::Meter;
    use crate::outbound::Buffer;
    use crate::slow_consumer::SlowConsumer;

    #[tokio::test]
    async fn a_batch_of_any_size_is_taken_in_runs_too() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _deaf = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (socket, peer) = listener.accept().await.unwrap();
        let descriptor = Descriptor::take(&Arc::new(Budget::new(1))).unwrap();
        let socket = socket.into();
        let (peer, now) = (peer.into(), Moment::at(0));
        let mut writer = Writer::new(socket, 1, 0, Role::Peer, peer, descriptor, now);
        let ground = Ground {
            now: 0,
            moment: Moment::at(0),
            outbound_bytes_max: 1000,
            hoard_bytes_max: usize::MAX,
            slow_consumer: SlowConsumer::default(),
            meter: Meter::unlimited(),
            counters: Arc::default(),
        };
        let mut batch = vec![];
        let mut ends = vec![];
        for size in [8 << 20, 10, 8 << 20] {
            frame::append(&mut batch, OpCode::Binary, &vec![0; size]);
            ends.push(batch.len());
        }
        let batch = Rc::new(Buffer::new(batch, &ground.meter));
        writer.fan_out(&batch, &[0..ends[0], ends[1]..ends[2]], &ground);
        assert!(!writer.is_ending() && writer.outbound.bytes() > 8 << 20);
        let behind = Rc::new(Buffer::new(vec![0; 1000], &ground.meter));
        writer.fan_out(&behind, &[0..400, 500..1000], &ground);
        assert!(!writer.is_ending());
        let whole = 0..101;
        writer.fan_out(&behind, slice::from_ref(&whole), &ground);
        assert!(writer.is_ending());
    }
}
