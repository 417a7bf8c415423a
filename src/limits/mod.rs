//! Every number that bounds something, in one place.
//!
//! A constant is fixed or the default of a field of [`Limits`], which is what the command line
//! sets. The unit stands last in the name.

mod budget;

use std::time::Duration;

pub use self::budget::Budget;
use crate::grouped::Grouped;
use crate::rate::Rate;
use crate::slow_consumer::SlowConsumer;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// Default of `--max-message`: the payload of one WebSocket message over all its fragments,
/// inclusive. What the original allows.
pub const MESSAGE_BYTES_MAX: usize = 256 * KIB;
/// A message that began and did not end after this long closes its connection.
pub const MESSAGE_UNFINISHED_MAX: Duration = Duration::from_secs(30);
/// Fragments without payload in one message: they cost us and carry nothing.
pub const MESSAGE_EMPTY_FRAGMENTS_MAX: u32 = 1024;

/// Default of `--max-body`: the body of one POST.
pub const BODY_BYTES_MAX: usize = 16 * MIB;
/// Default of `--max-bodies`: bodies being received or handed over, together.
pub const BODIES_BYTES_MAX: usize = 256 * MIB;
/// A body that makes too little progress for this long is given up.
pub const BODY_STALL_MAX: Duration = Duration::from_secs(10);
/// What a body makes of progress, at least: one that trickles holds its part of `--max-bodies`, and
/// a byte now and then would hold it for ever. Slower than the slowest line that is still in use.
pub const BODY_BYTES_PER_SECOND_MIN: usize = KIB;
/// The head of a request, and hyper's read buffer.
pub const HEAD_BYTES_MAX: usize = 16 * KIB;
/// The first line of a request: less than a head, so that a 414 can be told from a 431.
pub const REQUEST_LINE_BYTES_MAX: usize = 15 * KIB;
/// Header fields of a request.
pub const HEAD_FIELDS_MAX: usize = 100;
/// A PROXY header of version 1, a line (section 2.1 of the protocol).
pub const PROXY_LINE_BYTES_MAX: usize = 107;
/// A PROXY header of version 2: the longest addresses are 216 bytes, the rest may be said about TLS
/// and the client's certificate.
pub const PROXY_HEADER_BYTES_MAX: usize = 4 * KIB;
/// A first head is due this long after accept; a later one, after its first byte.
pub const HEAD_WAIT_MAX: Duration = Duration::from_secs(5);
/// How long an HTTP connection may idle between requests. Longer than the 60 s of most proxies,
/// so that it is the proxy that hangs up.
pub const KEEP_ALIVE_MAX: Duration = Duration::from_secs(75);
/// Connections of operators at once: a few programs ask every few seconds, and people now and then.
pub const ADMIN_CONNECTIONS_MAX: usize = 32;
/// A shard that has not answered the clock for so long is stuck: the clock ticks twice a second,
/// and nothing that a client can ask for takes a second.
pub const SHARD_STUCK_AFTER: Duration = Duration::from_secs(5);
/// For an operator to take more of an answer.
pub const ADMIN_STALL_MAX: Duration = Duration::from_secs(10);

/// Default of `--max-topic`: a topic's name, decoded.
pub const TOPIC_BYTES_MAX: usize = 1024;
/// Segments of a topic: a publish touches every ancestor.
pub const TOPIC_SEGMENTS_MAX: usize = 32;
/// Default of `--max-topics`: topics that somebody is connected to or that hold a backlog.
pub const TOPICS_MAX: usize = 1_000_000;

/// Arrivals and messages waiting in one shard's inbox.
pub const INBOX_ENTRIES_MAX: usize = 4096;
/// Bodies waiting in one shard's inbox, together.
pub const INBOX_BYTES_MAX: usize = 64 * MIB;
/// What a shard takes from its inbox before it looks at its sockets again.
pub const INBOX_TURN_MAX: usize = 64;

/// Default of `--max-outbound`: bytes that wait for one receiver behind what is being written.
pub const OUTBOUND_BYTES_MAX: usize = 4 * MIB;
/// A queued slice shorter than its batch divided by this is copied, so that a laggard does not
/// hold a large batch for a few bytes.
pub const OUTBOUND_COPY_RATIO: usize = 4;
/// Pieces that leave in one vectored write; more are copied into one.
pub const WRITE_PIECES_MAX: usize = 64;
/// Default of `--write-timeout`: no progress of a write for this long closes the connection.
pub const WRITE_STALL_MAX: Duration = Duration::from_secs(10);
/// Pongs that wait for a peer that pings and does not read.
pub const PONGS_PENDING_MAX: u32 = 64;

/// What a shard takes of `--memory-max` at a time.
pub const MEMORY_LEASE_BYTES: usize = MIB;
/// When less than the whole divided by this is left of `--memory-max`, memory is scarce: the
/// farthest behind are shed, and newcomers refused.
pub const MEMORY_SCARCE_PARTS: usize = 16;
/// The whole divided by this is not given out at all: it is for what cannot be refused any more,
/// the spare room of batches and answers to pings.
pub const MEMORY_RESERVE_PARTS: usize = 16;
/// How often a body that finds no memory looks again, until every shard has shed.
pub const MEMORY_LOOK: Duration = Duration::from_millis(50);
/// The least that `--memory-max` must have for each thread: leases that are not used up.
pub const MEMORY_BYTES_PER_THREAD_MIN: usize = 4 * MIB;
/// What a buffer takes besides its bytes.
pub const BUFFER_BYTES: usize = 64;
/// Slices up to this are copied together, so that many of them do not cost more than they hold.
pub const OUTBOUND_SMALL_BYTES: usize = 256;
/// Small slices are copied together up to this.
pub const OUTBOUND_GATHERED_BYTES: usize = 4 * KIB;
/// A receiver with less than this behind is shed only if many of them are worth it together.
pub const SHED_BYTES_MIN: usize = 16 * KIB;
/// What nobody can be made to give up may take the whole divided by this, for each kind of it: jobs
/// that wait, bodies that have not come whole. Else a few strangers could use up all memory.
pub const MEMORY_HOARD_PARTS: usize = 8;

/// What an idle connection takes of the process, about.
pub const CONNECTION_BYTES: usize = 1280;
/// Time between two looks at what is resident, at least.
pub const HEAP_LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Free memory is given back to the system no more often than this: it costs a look at all that is
/// free, and a page that is needed again costs half a microsecond.
pub const HEAP_TRIM_PAUSE: Duration = Duration::from_secs(5);
/// Less than this, more than is held, is not worth giving back.
pub const HEAP_SPARE_BYTES_MIN: usize = 128 * KIB;
/// Nor is less than what is resident divided by this.
pub const HEAP_SPARE_PARTS: u64 = 32;

/// Default of `--max-batch`: above it the publishers of a topic wait.
pub const BATCH_BYTES_MAX: usize = 256 * KIB;
/// A batch buffer that grew larger than this is given back instead of pooled.
pub const BATCH_POOLED_BYTES_MAX: usize = 64 * KIB;
/// Batch buffers that a shard keeps for reuse.
pub const BATCH_POOL_MAX: usize = 256;

/// What one shard reads at a time, whoever sent it.
pub const SCRATCH_BYTES: usize = 64 * KIB;
/// Reads of one connection before the others get their turn.
pub const READS_PER_TURN_MAX: usize = 4;
/// Frames of one connection before the others get their turn: 64 KiB hold 10,000 pings. So many
/// take about 100 us, and no load of larger frames is cut short by it.
pub const FRAMES_PER_TURN_MAX: u32 = 1024;
/// Writes of the flusher before the readers get their turn: 64 take about 300 us, which bounds
/// what a saturated topic adds to the latency of a quiet one.
pub const WRITES_PER_TURN_MAX: usize = 64;
/// A coming flush of at least this many writes lets the readers go first once more.
pub const FLUSH_LARGE_WRITES: usize = 4;

/// Default of `--max-backlog`: payload that waits in one topic for a puller.
pub const BACKLOG_BYTES_MAX: usize = 16 * MIB;
/// Default of `--max-backlog-messages`: jobs that wait in one topic for a puller.
pub const BACKLOG_MESSAGES_MAX: usize = 1024;
/// Default of `--max-backlogs`: what waits in all backlogs together.
pub const BACKLOGS_BYTES_MAX: usize = 256 * MIB;
/// Topics with a backlog.
pub const BACKLOGS_TOPICS_MAX: usize = 10_000;
/// What a waiting job takes besides its frame.
pub const JOB_BYTES: usize = 64;
/// A job this small goes to a puller that has nothing, however much others do not take.
pub const JOB_SMALL_BYTES: usize = 16 * KIB;
/// How long a POST waits for room in a backlog or a batch.
pub const POST_WAIT_MAX: Duration = Duration::from_secs(5);

/// Default of `--ping-interval`: half of the minute after which most proxies cut.
pub const PING_INTERVAL: Duration = Duration::from_secs(25);
/// The ping interval varies by this much either way, so that connections do not ping in step.
pub const PING_JITTER_PERCENT: u32 = 20;
/// Default of `--pong-timeout`, from when the ping left the outbound.
pub const PONG_WAIT_MAX: Duration = Duration::from_secs(20);
/// Default of `--pull-pong-timeout`: a worker busy with one job does not read.
pub const PULL_PONG_WAIT_MAX: Duration = Duration::from_mins(10);
/// Default of `--inactivity-timeout`: what the original sets for its broker routes.
pub const INACTIVITY_MAX: Duration = Duration::from_hours(4);
/// How long we read and drop after our last word, so that it is not destroyed by a reset.
pub const LINGER_MAX: Duration = Duration::from_secs(2);
/// Longest time between two looks at the deadlines of a shard's connections.
pub const SWEEP_INTERVAL_MAX: Duration = Duration::from_millis(500);
/// Connections that the sweep looks at before the others get their turn.
pub const SWEEP_TURN_MAX: usize = 1024;
/// Turns of fan-outs between two sweeps that are all timed.
pub const FAN_OUTS_TIMED: u32 = 16;
/// Of the others, one in so many is.
pub const FAN_OUTS_TIMED_RATIO: u32 = 16;

/// Topics or connections that a shard looks at for an operator before the others get their turn. So
/// many take about 100 us.
pub const SURVEY_TURN_MAX: usize = 1024;
/// How long a look at all topics or connections may take, however busy the shards are.
pub const SURVEY_WAIT_MAX: Duration = Duration::from_secs(5);
/// Looks at all topics or connections at once: each costs every shard some of its time.
pub const SURVEYS_MAX: usize = 4;
/// Topics or connections on a page, where the request names no number.
pub const PAGE_ROWS: usize = 100;
/// Topics or connections on a page, at most: a shard keeps so many of those it looks at.
pub const PAGE_ROWS_MAX: usize = 1000;
/// What the pace of a topic forgets in: a message counts for it for about so long.
pub const PACE_FORGETS: Duration = Duration::from_secs(3);

/// Default of `--tls-handshake-timeout`: from accept until the client has proved that it can read.
pub const TLS_HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// Default of `--tls-handshakes`: handshakes in flight, of all acceptors together.
pub const TLS_HANDSHAKES_MAX: usize = 1024;
/// What a TLS record carries (RFC 8446 5.1).
pub const TLS_RECORD_PLAIN_BYTES_MAX: usize = 16 * KIB;
/// What is kept of a record, or of a message of the handshake, until it is whole: as long as a
/// record of TLS 1.2 may be, or a chain of certificates.
pub const TLS_PART_BYTES_MAX: usize = 24 * KIB;
/// What is encrypted ahead of a socket: it can be neither dropped nor taken back.
pub const TLS_AHEAD_BYTES_MAX: usize = 64 * KIB;
/// Tickets that a client gets to come back with: one is enough for one connection at a time.
pub const TLS_TICKETS: usize = 1;
/// Records that are sent under one key of TLS 1.2, which has no way to change it; AES-GCM bears
/// 2^24. After so many the connection is told to come again.
pub const TLS12_RECORDS_MAX: u64 = (1 << 24) - (1 << 16);
/// A file of certificates or a key: more is another file by mistake.
pub const CERTIFICATE_FILE_BYTES_MAX: usize = MIB;
/// Time between two looks at the files of certificates.
pub const CERTIFICATE_LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// The least time between two lines about handshakes that were crowded out.
pub const LOG_HANDSHAKES_INTERVAL: Duration = Duration::from_secs(10);

/// A configuration file: more is another file by mistake.
pub const CONFIG_BYTES_MAX: usize = MIB;

/// Default of `--drain-timeout`.
pub const DRAIN_MAX: Duration = Duration::from_secs(5);
/// Time between two ticks of the clock while the broker drains, at most.
pub const DRAIN_STEP: Duration = Duration::from_millis(10);
/// How long connections that a drain cut get to leave their topics.
pub const CUT_WAIT_MAX: Duration = Duration::from_secs(1);
/// How long after its accept a connection may say what it wants although the broker drains: its
/// request may be on its way, and a close would answer it with a reset.
pub const NEWCOMER_WAIT_MAX: Duration = Duration::from_millis(750);
/// Lines that a shard logs about slow consumers in a second; of more it says how many they were.
pub const LOG_LINES_PER_SECOND_MAX: u32 = 10;
/// How often one connection that messages are dropped from is logged, at most.
pub const LOG_DROPS_INTERVAL: Duration = Duration::from_secs(10);
/// Connections closed per second by a drain, at least.
pub const DRAIN_CLOSES_PER_SECOND_MIN: u32 = 100;

/// Descriptors kept free of clients, at least: listeners, event queues, logs.
pub const DESCRIPTORS_RESERVED: usize = 64;
/// Descriptors of one thread's event queue, and some room.
pub const DESCRIPTORS_PER_THREAD: usize = 5;
/// How long accepting pauses when descriptors have run out.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Send buffer of a socket. The kernel doubles it; left alone it hides up to 4 MiB.
pub const SOCKET_SEND_BYTES: usize = 256 * KIB;
/// Unacknowledged data, or a receive window of zero, for this long means that the host is gone.
/// Raised where `--write-timeout` is longer, and to `--pull-pong-timeout` for pullers.
pub const SOCKET_DEAD_AFTER: Duration = Duration::from_secs(30);

/// Listening sockets that a service manager may pass to us.
pub const INHERITED_MAX: usize = 64;

/// New connections that are told at the same time why they may not come in, each for up to
/// [`LINGER_MAX`]; more are reset without a word. Their descriptors are not those of clients.
pub const TURNED_AWAY_MAX: usize = 64;

/// Seconds named in a `Retry-After`.
pub const RETRY_AFTER_SECONDS: u32 = 5;
/// Seconds for which a browser need not repeat a preflight: two hours are the most that Chromium
/// grants. What a preflight was told and is no longer so, the POST is told anew.
pub const PREFLIGHT_AGE_SECONDS: u32 = 2 * 60 * 60;
/// Acceptors: one for this many shards, at least one.
pub const SHARDS_PER_ACCEPTOR: usize = 4;

const _: () = assert!(OUTBOUND_BYTES_MAX >= 2 * MESSAGE_BYTES_MAX);
const _: () = assert!(BACKLOG_BYTES_MAX >= BODY_BYTES_MAX, "a body must fit an empty backlog");
const _: () = assert!(BACKLOGS_BYTES_MAX >= BACKLOG_BYTES_MAX);
const _: () = assert!(BODIES_BYTES_MAX >= BODY_BYTES_MAX);
const _: () = assert!(INBOX_BYTES_MAX >= BODY_BYTES_MAX);
const _: () = assert!(MEMORY_BYTES_PER_THREAD_MIN == 4 * MIB, "a sentence says so");
const _: () = assert!(OUTBOUND_SMALL_BYTES <= OUTBOUND_GATHERED_BYTES);
const _: () = assert!(MEMORY_RESERVE_PARTS > 1 && MEMORY_SCARCE_PARTS > 1);
const _: () = assert!(BATCH_POOLED_BYTES_MAX <= BATCH_BYTES_MAX);
const _: () = assert!(TOPIC_BYTES_MAX < HEAD_BYTES_MAX / 4, "a topic may be percent-encoded");
const _: () = assert!(REQUEST_LINE_BYTES_MAX < HEAD_BYTES_MAX);
const _: () = assert!(NEWCOMER_WAIT_MAX.as_millis() < CUT_WAIT_MAX.as_millis(), "a drain of 0 s");
const _: () = assert!(NEWCOMER_WAIT_MAX.as_millis() < HEAD_WAIT_MAX.as_millis());
const _: () =
    assert!(TLS_PART_BYTES_MAX >= TLS_RECORD_PLAIN_BYTES_MAX + 2048 + 5, "RFC 5246 6.2.3");
const _: () = assert!(TLS_PART_BYTES_MAX < SCRATCH_BYTES / 2, "room to read behind a kept frame");
const _: () = assert!(PONG_WAIT_MAX.as_secs() < PULL_PONG_WAIT_MAX.as_secs());

/// The bounds that an operator can set, checked against each other by [`Limits::check`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// `--max-message`: payload of one WebSocket message over all fragments, inclusive.
    pub message_bytes_max: usize,
    /// `--max-body`: body of one POST, inclusive.
    pub body_bytes_max: usize,
    /// `--max-bodies`: bodies in flight, together.
    pub bodies_bytes_max: usize,
    /// `--max-topic`: a topic's name, decoded, inclusive.
    pub topic_bytes_max: usize,
    /// `--max-topics`: topics at once.
    pub topics_max: usize,
    /// `--clients`: WebSocket connections at once; `None` is as many as there are descriptors.
    pub connections_max: Option<usize>,
    /// `--connections-per-ip`: TCP connections of one client address at once; `None` is no limit.
    pub address_connections_max: Option<usize>,
    /// `--accept-rate`: new TCP connections of all clients; `None` is no limit.
    pub accept_rate_max: Option<Rate>,
    /// `--max-outbound`: bytes behind what is being written to one receiver.
    pub outbound_bytes_max: usize,
    /// `--slow-consumer`: what is done over `--max-outbound`.
    pub slow_consumer: SlowConsumer,
    /// `--write-timeout`: no progress of a write.
    pub write_stall_max: Duration,
    /// `--max-batch`: above it, publishers wait.
    pub batch_bytes_max: usize,
    /// `--max-backlog`: payload waiting in one topic for a puller.
    pub backlog_bytes_max: usize,
    /// `--max-backlog-messages`: jobs waiting in one topic for a puller.
    pub backlog_messages_max: usize,
    /// `--max-backlogs`: payload waiting in all backlogs.
    pub backlogs_bytes_max: usize,
    /// `--memory-max`: what all queues hold together. No limit by default; the command line's
    /// default is half of what the machine or the cgroup gives.
    pub memory_bytes_max: usize,
    /// `--ping-interval`: silence after which we ping; `None` is never.
    pub ping_interval: Option<Duration>,
    /// `--pong-timeout`, for all but pullers.
    pub pong_wait_max: Duration,
    /// `--pull-pong-timeout`.
    pub pull_pong_wait_max: Duration,
    /// `--inactivity-timeout`: nothing either way; `None` is never.
    pub inactivity_max: Option<Duration>,
    /// `--drain-timeout`: from the signal to the end.
    pub drain_max: Duration,
    /// `--tls-handshake-timeout`: from accept.
    pub tls_handshake_max: Duration,
    /// `--tls-handshakes`: in flight at once.
    pub tls_handshakes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes_max: MESSAGE_BYTES_MAX,
            body_bytes_max: BODY_BYTES_MAX,
            bodies_bytes_max: BODIES_BYTES_MAX,
            topic_bytes_max: TOPIC_BYTES_MAX,
            topics_max: TOPICS_MAX,
            connections_max: None,
            address_connections_max: None,
            accept_rate_max: None,
            outbound_bytes_max: OUTBOUND_BYTES_MAX,
            slow_consumer: SlowConsumer::default(),
            write_stall_max: WRITE_STALL_MAX,
            batch_bytes_max: BATCH_BYTES_MAX,
            backlog_bytes_max: BACKLOG_BYTES_MAX,
            backlog_messages_max: BACKLOG_MESSAGES_MAX,
            backlogs_bytes_max: BACKLOGS_BYTES_MAX,
            memory_bytes_max: usize::MAX,
            ping_interval: Some(PING_INTERVAL),
            pong_wait_max: PONG_WAIT_MAX,
            pull_pong_wait_max: PULL_PONG_WAIT_MAX,
            inactivity_max: Some(INACTIVITY_MAX),
            drain_max: DRAIN_MAX,
            tls_handshake_max: TLS_HANDSHAKE_MAX,
            tls_handshakes_max: TLS_HANDSHAKES_MAX,
        }
    }
}

/// Two settings that cannot both hold.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{flag} is {}, less than {}, which is {relation}", Grouped(*.value), Grouped(*.least))]
pub struct LimitsError {
    /// The flag that is too small.
    pub flag: &'static str,
    /// What it was set to.
    pub value: usize,
    /// The least that it may be.
    pub least: usize,
    /// Why: which other flag it depends on.
    pub relation: &'static str,
}

impl Limits {
    /// Raises the defaults that the largest message must fit into: whoever raises `--max-message`
    /// or `--max-body` alone means it. What is set by hand comes after this, and is checked.
    pub fn make_room(&mut self) {
        let largest = self.message_bytes_max.max(self.body_bytes_max);
        let raise = |bound: &mut usize, least: usize| *bound = least.max(*bound);
        raise(&mut self.outbound_bytes_max, self.message_bytes_max.saturating_mul(2));
        raise(&mut self.bodies_bytes_max, self.body_bytes_max);
        raise(&mut self.backlog_bytes_max, largest);
        raise(&mut self.backlogs_bytes_max, self.backlog_bytes_max);
    }

    /// Whether the settings fit each other.
    pub fn check(&self) -> Result<(), LimitsError> {
        let at_least = |flag, value, least, relation| {
            if value < least {
                return Err(LimitsError { flag, value, least, relation });
            }
            Ok(())
        };
        let twice = self.message_bytes_max.saturating_mul(2);
        at_least("--max-outbound", self.outbound_bytes_max, twice, "twice --max-message")?;
        at_least("--max-bodies", self.bodies_bytes_max, self.body_bytes_max, "--max-body")?;
        let largest = self.message_bytes_max.max(self.body_bytes_max);
        let relation = "the larger of --max-message and --max-body";
        at_least("--max-backlog", self.backlog_bytes_max, largest, relation)?;
        at_least("--max-backlogs", self.backlogs_bytes_max, self.backlog_bytes_max, "--max-backlog")
    }

    /// What `--memory-max` must hold: a message or body of any size twice, on its way in and on
    /// its way out, and leases of so many threads.
    #[must_use]
    pub fn memory_least(&self, threads: usize) -> usize {
        let largest = self.message_bytes_max.max(self.body_bytes_max);
        largest.saturating_mul(2).saturating_add(threads * MEMORY_BYTES_PER_THREAD_MIN)
    }

    /// What each kind of queue that cannot be shed may take of `--memory-max`: a part of it, but
    /// one message or body of any size, with its place and what was read behind it, in any case.
    #[must_use]
    pub fn hoard_bytes_max(&self) -> usize {
        let largest = self.message_bytes_max.max(self.body_bytes_max);
        largest.saturating_add(2 * SCRATCH_BYTES).max(self.memory_bytes_max / MEMORY_HOARD_PARTS)
    }

    /// What all bodies together may take: `--max-bodies`, or their part of `--memory-max` if that
    /// is less.
    #[must_use]
    pub fn bodies_budget_max(&self) -> usize {
        self.bodies_bytes_max.min(self.hoard_bytes_max())
    }

    /// Whether `--memory-max` holds what it must.
    pub fn check_memory(&self, threads: usize) -> Result<(), LimitsError> {
        let (value, least) = (self.memory_bytes_max, self.memory_least(threads));
        if value >= least {
            return Ok(());
        }
        let relation =
            "twice the larger of --max-message and --max-body, and 4 MiB for each thread";
        Err(LimitsError { flag: "--memory-max", value, least, relation })
    }

    /// What all queues can add up to when so many connections fill everything that is theirs:
    /// a batch being written, an outbound behind it and an unfinished message for each, all
    /// bodies, all backlogs and their jobs.
    #[must_use]
    pub fn worst_case(&self, connections: usize) -> usize {
        let jobs = BACKLOGS_TOPICS_MAX.saturating_mul(self.backlog_messages_max);
        let each = [self.batch_bytes_max, self.outbound_bytes_max, self.message_bytes_max];
        let each = each.into_iter().fold(self.message_bytes_max, usize::saturating_add);
        each.saturating_mul(connections)
            .saturating_add(self.bodies_bytes_max)
            .saturating_add(self.backlogs_bytes_max)
            .saturating_add(jobs.saturating_mul(JOB_BYTES))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_fit_each_other() {
        assert_eq!(Limits::default().check(), Ok(()));
    }

    #[test]
    fn an_outbound_below_two_messages_is_refused() {
        let limits = Limits { message_bytes_max: 3 * MIB, ..Limits::default() };
        let error = limits.check().unwrap_err().to_string();
        let expected =
            "--max-outbound is 4,194,304, less than 6,291,456, which is twice --max-message";
        assert_eq!(error, expected);
    }

    #[test]
    fn raising_a_message_makes_room_for_it() {
        for bytes in [1, 3 * MIB, 1 << 40] {
            let mut limits = Limits { message_bytes_max: bytes, ..Limits::default() };
            limits.make_room();
            assert_eq!(limits.check(), Ok(()));
        }
    }
}
