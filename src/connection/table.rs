//! All connections of one shard, and the broker that says who gets what.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::keepalive::{Due, Moment, Rules};
use super::slow::Lines;
use super::writer::{Ending, Writer};
use crate::broker::topic::Topic;
use crate::broker::{Bounds, Broker, MemberId, Receivers, Role, Taken};
use crate::close::Reason;
use crate::code::CloseCode;
use crate::frame::OpCode;
use crate::handover::{ConnectionId, Descriptor};
use crate::limits::{Budget, Limits, MESSAGE_UNFINISHED_MAX};
use crate::memory::Meter;
use crate::metrics::{Counters, Parts as _};
use crate::outbound::Batch;
use crate::refusal::Refusal;
use crate::slack;
use crate::slow_consumer::SlowConsumer;
use crate::socket::{PeerAddress, Socket};

/// What a shard's connections share. Borrowed for one turn at a time, never across an await.
#[derive(Debug)]
pub(crate) struct Table {
    /// Who gets what.
    pub(crate) broker: Broker,
    /// Who writes where.
    pub(super) writers: Writers,
    /// The shard's number.
    pub(super) shard: usize,
    /// Connections that have ever opened here.
    opened: u64,
    /// No data frame is taken any more.
    pub(crate) draining: bool,
    rules: Rules,
    /// `--clients`, of all shards together.
    connections: Option<Arc<Budget>>,
    /// The flusher's task, while it sleeps.
    flusher: Option<Waker>,
    /// When all were shed from whom memory could be taken.
    pub(super) shed_at: Option<u64>,
    /// Lines about slow consumers.
    pub(super) lines: Lines,
}

/// The writing sides, by member.
#[derive(Debug)]
pub(super) struct Writers {
    pub(super) list: Vec<Option<Writer>>,
    /// What all of them need to write.
    pub(super) ground: Ground,
}

/// What a write needs to know besides its socket.
#[derive(Debug)]
pub(super) struct Ground {
    /// Milliseconds since the shard began, as of the last sweep.
    pub(super) now: u64,
    /// The same as connections remember it.
    pub(super) moment: Moment,
    /// `--max-outbound`.
    pub(super) outbound_bytes_max: usize,
    /// What may be kept of messages that wait for room.
    pub(super) hoard_bytes_max: usize,
    /// `--slow-consumer`.
    pub(super) slow_consumer: SlowConsumer,
    /// The shard's part of `--memory-max`.
    pub(super) meter: Arc<Meter>,
    /// Where the shard counts.
    pub(super) counters: Arc<Counters>,
}

impl Table {
    /// A shard's empty table.
    pub(crate) fn new(
        shard: usize,
        bounds: Bounds,
        limits: &Limits,
        connections: Option<Arc<Budget>>,
    ) -> Self {
        let ground = Ground {
            now: 0,
            moment: Moment::at(0),
            outbound_bytes_max: limits.outbound_bytes_max,
            hoard_bytes_max: limits.hoard_bytes_max(),
            slow_consumer: limits.slow_consumer,
            meter: Arc::clone(&bounds.meter),
            counters: Arc::clone(&bounds.counters),
        };
        Self {
            broker: Broker::new(bounds),
            writers: Writers { list: vec![], ground },
            shard,
            opened: 0,
            draining: false,
            rules: Rules::new(limits),
            connections,
            flusher: None,
            shed_at: None,
            lines: Lines::default(),
        }
    }

    /// Other limits from here on, for those who are there, too.
    pub(super) fn adopt(&mut self, limits: &Limits) {
        let ground = &mut self.writers.ground;
        ground.outbound_bytes_max = limits.outbound_bytes_max;
        ground.hoard_bytes_max = limits.hoard_bytes_max();
        ground.slow_consumer = limits.slow_consumer;
        self.rules = Rules::new(limits);
        self.broker.adopt(limits);
    }

    /// Joins a topic, or says why not.
    pub(super) fn admit(
        &mut self,
        role: Role,
        topic: &Topic,
        echo: bool,
    ) -> Result<MemberId, Refusal> {
        // a puller makes room
        if role != Role::Puller && self.is_short_of_memory() {
            return Err(Refusal::memory_full());
        }
        if let Some(budget) = &self.connections
            && !budget.take(1)
        {
            return Err(Refusal::connections_full(budget.max()));
        }
        if let Ok(id) = self.broker.join(role, topic, echo) {
            role.pattern().of(&self.counters().connections).add(1);
            return Ok(id);
        }
        if let Some(budget) = &self.connections {
            budget.give(1);
        }
        Err(Refusal::topics_full())
    }

    /// Gives a member its place; from now on it is written to.
    pub(super) fn seat(
        &mut self,
        id: MemberId,
        socket: Socket,
        role: Role,
        peer: PeerAddress,
        descriptor: Descriptor,
    ) {
        self.opened += 1;
        let moment = self.writers.ground.moment;
        let opened = self.writers.ground.tenths();
        let writer = Writer::new(socket, self.opened, opened, role, peer, descriptor, moment);
        self.writers.insert(id, writer);
    }

    /// What a connection that exists is called.
    pub(super) fn id_of(&mut self, id: MemberId) -> ConnectionId {
        ConnectionId { shard: self.shard, sequence: self.writers.of(id).0.sequence() }
    }

    /// Takes back an admission whose socket turned out to be gone.
    pub(super) fn dismiss(&mut self, id: MemberId, role: Role) {
        self.broker.leave(id, vec![]);
        self.forget(id, role);
        self.poke();
    }

    /// Forgets a connection that left its topic; its socket closes.
    pub(super) fn remove(&mut self, id: MemberId) {
        self.record_close(id);
        let role = self.writers.of(id).0.role;
        self.writers.remove(id);
        self.forget(id, role);
    }

    fn forget(&mut self, id: MemberId, role: Role) {
        self.broker.forget(id);
        if let Some(budget) = &self.connections {
            budget.give(1);
        }
        role.pattern().of(&self.counters().connections).take(1);
    }

    /// Connections that are open or closing.
    pub(crate) fn connections(&self) -> u64 {
        self.counters().connections.total()
    }

    /// Where the shard counts.
    pub(crate) const fn counters(&self) -> &Arc<Counters> {
        &self.writers.ground.counters
    }

    /// Wakes the flusher if there is anything to give out and it sleeps.
    #[inline]
    pub(crate) fn poke(&mut self) {
        if self.flusher.is_some()
            && self.broker.has_jobs()
            && let Some(flusher) = self.flusher.take()
        {
            flusher.wake();
        }
    }

    /// The flusher waits here for something to give out.
    pub(crate) fn poll_jobs(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.broker.has_jobs() {
            return Poll::Ready(());
        }
        self.flusher = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Gives out what gathered, in at most `writes` writes; whether anything is left.
    pub(crate) fn flush(&mut self, writes: usize) -> bool {
        self.broker.flush(writes, &mut self.writers)
    }

    /// Gives a connection that says its last word next what was published before. One that is
    /// behind would only have it cut off again.
    pub(super) fn settle(&mut self, id: MemberId) {
        let (writer, _) = self.writers.of(id);
        writer.is_settling = true;
        if writer.outbound.is_empty() {
            self.broker.settle(id, &mut self.writers);
        }
    }

    /// Looks at the deadlines of the connections from number `from` on, at most `count` of them;
    /// the number to go on with, or `None` when all were seen.
    pub(crate) fn sweep(&mut self, now: u64, from: usize, count: usize) -> Option<usize> {
        let moment = Moment::at(now);
        (self.writers.ground.now, self.writers.ground.moment) = (now, moment);
        self.lines.renew(now);
        if from == 0 {
            self.broker.beat(now);
            self.broker.trim();
            if self.writers.ground.meter.is_scarce() {
                self.shed(0);
            }
        }
        let until = (from + count).min(self.writers.list.len());
        for number in from..until {
            let id = member(number);
            let Some(writer) = self.writers.get_mut(id) else { continue };
            let waits = !writer.outbound.is_empty();
            let is_puller = writer.role == Role::Puller;
            if is_puller && writer.life.is_stalled(moment, waits, &self.rules) {
                self.broker.stall(id);
            }
            let due = writer.life.due(moment, id.0, is_puller, waits, &self.rules);
            let is_worn = writer.socket.is_worn() && writer.life.parted.is_none();
            if let Some(lost) = writer.loss_to_log(now) {
                self.log_drops(id, lost);
            }
            if is_worn {
                self.wear_out(id);
            }
            self.act(id, due);
        }
        (until < self.writers.list.len()).then_some(until)
    }

    fn act(&mut self, id: MemberId, due: Due) {
        let (writer, ground) = self.writers.of(id);
        let counters = &ground.counters;
        match due {
            Due::Nothing => {}
            Due::Look => writer.wake(),
            Due::Ping => {
                writer.life.pinged = Some(ground.moment);
                writer.control(OpCode::Ping, &[], ground);
            }
            Due::PongTimeout => {
                counters.pong_timeouts.add(1);
                writer.end(Ending::Mute);
            }
            Due::WriteStall => {
                counters.write_stalls.add(1);
                let max = self.rules.write_timeout();
                let text = format!("took nothing for {max:?} (--write-timeout)");
                writer.give_up(Reason::with(CloseCode::WriteStalled, text), 0, ground);
            }
            Due::Unfinished => {
                counters.message_unfinished.add(1);
                let seconds = MESSAGE_UNFINISHED_MAX.as_secs();
                let text = format!("message did not end within {seconds} seconds");
                writer.end(Ending::Close(Reason::with(CloseCode::MessageUnfinished, text)));
            }
            Due::Inactive => {
                counters.inactive.add(1);
                let reason = Reason::new(CloseCode::Inactive, "nothing came or went for too long");
                writer.end(Ending::Close(reason));
            }
            Due::LingerEnd => writer.end(Ending::Reset),
        }
    }

    /// Says goodbye to a connection while its key lets us.
    #[cold]
    fn wear_out(&mut self, id: MemberId) {
        let (writer, ground) = self.writers.of(id);
        if !writer.is_ending() {
            ground.counters.tls_keys_spent.add(1);
            let text = "a TLS 1.2 key was used as often as it may be: connect again";
            writer.end(Ending::Close(Reason::new(CloseCode::TlsKeysSpent, text)));
        }
    }

    /// Says goodbye to at most `count` connections whose outbound is empty, from number `from`
    /// on; where to go on, and how many it was. Unless it is `late`, a publisher who waits for
    /// room or for its turn is not among them: what was read from it may yet be taken. Nor are
    /// those who would get it.
    pub(crate) fn part(&mut self, from: usize, count: usize, late: bool) -> (usize, usize) {
        let (length, mut parted) = (self.writers.list.len(), 0);
        let coming = if late { Coming::default() } else { self.coming() };
        for step in 0..length {
            let number = (from + step) % length;
            if parted == count {
                return (number, parted);
            }
            let id = member(number);
            let has_backlog = self.writers.get(id).is_some() && self.broker.has_backlog(id);
            let Some(writer) = self.writers.get_mut(id) else { continue };
            if !writer.is_closing()
                && (late || !(writer.life.paused || writer.life.holding))
                && !coming.is_for(writer.role)
                && writer.outbound.is_empty()
                && !has_backlog
            {
                writer.end(Ending::Close(Reason::going_away()));
                parted += 1;
            }
        }
        (0, parted)
    }

    /// What is still to come of what was read before the drain.
    fn coming(&self) -> Coming {
        let mut coming = Coming::default();
        for (number, writer) in self.writers.list.iter().enumerate() {
            let Some(writer) = writer else { continue };
            let Writer { role, life, .. } = writer;
            if writer.is_ending() || !(life.holding || life.paused) {
                continue;
            }
            match role {
                Role::Peer => coming.to_peers = true,
                Role::Publisher => coming.to_subscribers = true,
                // while nobody pulls it waits for ever
                Role::Pusher => coming.to_pullers |= self.broker.has_puller(member(number)),
                Role::Subscriber | Role::Puller => {}
            }
        }
        coming
    }

    /// Cuts every connection that is left: the drain is over.
    pub(crate) fn cut(&mut self) {
        let counters = Arc::clone(self.counters());
        for writer in self.writers.list.iter_mut().flatten() {
            counters.drain_cut.add(1);
            counters.drain_cut_bytes.add(writer.outbound.bytes() as u64);
            writer.replace_ending(Ending::Reset);
            writer.wake();
        }
    }
}

/// Whom messages may still reach that were read, and found no room or no time yet.
#[derive(Debug, Clone, Copy, Default)]
struct Coming {
    to_peers: bool,
    to_subscribers: bool,
    to_pullers: bool,
}

impl Coming {
    const fn is_for(self, role: Role) -> bool {
        match role {
            Role::Peer => self.to_peers,
            Role::Subscriber => self.to_subscribers,
            Role::Puller => self.to_pullers,
            Role::Publisher | Role::Pusher => false,
        }
    }
}

/// The member whose writer stands at this number of the list.
pub(super) fn member(number: usize) -> MemberId {
    MemberId(u32::try_from(number).expect("members are numbered by u32"))
}

impl Writers {
    fn insert(&mut self, id: MemberId, writer: Writer) {
        let number = id.0 as usize;
        if number >= self.list.len() {
            self.list.resize_with(number + 1, || None);
        }
        self.list[number] = Some(writer);
    }

    fn remove(&mut self, id: MemberId) {
        self.list[id.0 as usize] = None;
        while let Some(None) = self.list.last() {
            self.list.pop();
        }
        if let Some(kept) = slack::kept(self.list.len(), self.list.capacity()) {
            self.list.shrink_to(kept);
        }
    }

    fn get(&self, id: MemberId) -> Option<&Writer> {
        self.list.get(id.0 as usize)?.as_ref()
    }

    fn get_mut(&mut self, id: MemberId) -> Option<&mut Writer> {
        self.list.get_mut(id.0 as usize)?.as_mut()
    }

    /// The writer of a connection that exists, and what it needs.
    pub(super) fn of(&mut self, id: MemberId) -> (&mut Writer, &Ground) {
        let writer = self.list[id.0 as usize].as_mut().expect("a connection has a writer");
        (writer, &self.ground)
    }

    /// Whether a write failed for good.
    pub(super) fn is_fatal(error: &io::Error) -> bool {
        error.kind() != io::ErrorKind::WouldBlock
    }
}

impl Receivers for Writers {
    #[inline]
    fn fan_out_whole(&mut self, member: MemberId, batch: &Batch) {
        let (writer, ground) = self.of(member);
        writer.fan_out_whole(batch, ground);
    }

    fn fan_out(&mut self, member: MemberId, batch: &Batch, runs: &[Range<usize>]) {
        let (writer, ground) = self.of(member);
        writer.fan_out(batch, runs, ground);
    }

    #[inline]
    fn jobs(&mut self, puller: MemberId, frames: Vec<u8>) -> Taken {
        let (writer, ground) = self.of(puller);
        writer.jobs(frames, ground)
    }
}
