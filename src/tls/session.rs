//! The records of one TLS connection: bytes of the wire in, bytes of the application out, and the
//! other way round. No IO.

use std::fmt;
use std::io::IoSlice;
use std::sync::Arc;

use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, InsufficientSizeError,
    UnbufferedStatus,
};
use rustls::{Error, ProtocolVersion, ServerConfig};
use smallvec::SmallVec;

use crate::limits::{
    TLS_AHEAD_BYTES_MAX, TLS_PART_BYTES_MAX, TLS_RECORD_PLAIN_BYTES_MAX, TLS12_RECORDS_MAX,
};
use crate::memory::Meter;

/// What a record takes on the wire besides its bytes, at most, and some room.
const RECORD_OVERHEAD_BYTES: usize = 64;
/// What may have to go before the first record of ours: tickets, a change of keys.
const CONTROL_BYTES: usize = 512;
/// What [`Session::seal`] fills at most.
pub const WIRE_BYTES: usize = TLS_AHEAD_BYTES_MAX
    + TLS_AHEAD_BYTES_MAX.div_ceil(TLS_RECORD_PLAIN_BYTES_MAX) * RECORD_OVERHEAD_BYTES
    + CONTROL_BYTES;

/// One TLS connection, from its first byte on.
pub struct Session {
    connection: UnbufferedServerConnection,
    /// What came of a record, or of a message of the handshake, that is not whole.
    part: Vec<u8>,
    /// What is to go to the peer as it is.
    sealed: Sealed,
    /// Records that carried something to the peer, ever.
    records: u64,
    /// The peer said that it sends no more (RFC 8446 6.1).
    ended: bool,
    /// We said so, or cannot say anything any more.
    closed: bool,
    /// It cannot go on. rustls would look for messages that are gone.
    broken: bool,
    /// Who counts what is held, and how much it counts now.
    counted: Option<(Arc<Meter>, usize)>,
}

/// Records that the socket has not taken.
#[derive(Debug, Default)]
struct Sealed {
    /// Those from `at` to `end`; what is behind is room.
    bytes: Vec<u8>,
    at: usize,
    end: usize,
    /// The records that are not completely gone, in order.
    records: SmallVec<[Record; 4]>,
}

/// One record, or several that carry nothing of the application's.
#[derive(Debug, Clone, Copy)]
struct Record {
    /// Bytes of it that are still to go.
    wire: usize,
    /// What it carries.
    plain: usize,
}

/// TLS that cannot go on; what the peer is to be told of it, if anything, is sealed.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The peer broke the protocol, or does not like us.
    #[error("{0}")]
    Protocol(#[from] Error),
    /// A message of the handshake that is longer than any has to be.
    #[error("a message of the handshake is longer than {TLS_PART_BYTES_MAX} bytes")]
    TooLong,
    /// The keys of TLS 1.2 cannot be changed, and have been used up.
    #[error("the keys are used up")]
    WornOut,
}

impl Session {
    /// A connection that begins.
    pub fn new(config: Arc<ServerConfig>) -> Result<Self, Broken> {
        Ok(Self {
            connection: UnbufferedServerConnection::new(config)?,
            part: vec![],
            sealed: Sealed::default(),
            records: 0,
            ended: false,
            closed: false,
            broken: false,
            counted: None,
        })
    }

    /// Whether nothing can be said yet.
    #[must_use]
    pub fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Whether the peer said that it sends no more.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether a part of a record is kept.
    #[must_use]
    pub const fn is_inside_record(&self) -> bool {
        !self.part.is_empty()
    }

    /// Whether so much was said that it should say goodbye while it can.
    #[must_use]
    pub fn is_worn(&self) -> bool {
        self.records >= TLS12_RECORDS_MAX
            && self.connection.protocol_version() == Some(ProtocolVersion::TLSv1_2)
    }

    /// What is held counts for this meter from here on, which must be this thread's.
    pub fn count_on(&mut self, meter: &Arc<Meter>) {
        self.uncount();
        self.counted = Some((Arc::clone(meter), 0));
        self.count();
    }

    /// What is held counts for nobody any more: it goes to another thread.
    pub fn uncount(&mut self) {
        if let Some((meter, bytes)) = self.counted.take() {
            meter.release(bytes);
        }
    }

    fn count(&mut self) {
        let held = self.part.capacity() + self.sealed.bytes.capacity();
        if let Some((meter, bytes)) = &mut self.counted
            && *bytes != held
        {
            meter.hold(held);
            meter.release(std::mem::replace(bytes, held));
        }
    }

    /// Copies what is kept of a record to the front of `wire`, behind which more of it belongs; how
    /// many bytes that is.
    pub fn put_part(&self, wire: &mut [u8]) -> usize {
        wire[..self.part.len()].copy_from_slice(&self.part);
        self.part.len()
    }

    /// Decrypts the records that are whole in `wire`, which begins with what
    /// [`Session::put_part`] put there, and keeps the rest. `take` gets what was inside, piece by
    /// piece.
    pub fn open(&mut self, wire: &mut [u8], mut take: impl FnMut(&[u8])) -> Result<(), Broken> {
        if self.broken {
            return Err(Error::HandshakeNotComplete.into());
        }
        let result = self.advance(wire, &mut take).and_then(|used| self.keep(&wire[used..]));
        if result.is_err() {
            self.give_up();
        }
        self.count();
        result
    }

    /// Nothing more is decrypted or sealed but the alert that says why.
    fn give_up(&mut self) {
        (self.broken, self.closed, self.part) = (true, true, vec![]);
        while self.connection.wants_write()
            && let Ok(ConnectionState::EncodeTlsData(mut data)) =
                self.connection.process_tls_records(&mut []).state
            && encode(&mut self.sealed, &mut data).is_ok()
        {}
    }

    /// Keeps what is not whole.
    fn keep(&mut self, rest: &[u8]) -> Result<(), Broken> {
        if rest.len() > TLS_PART_BYTES_MAX {
            return Err(Broken::TooLong);
        }
        if self.ended || rest.is_empty() {
            self.part = vec![];
        } else {
            self.part.clear();
            self.part.extend_from_slice(rest);
        }
        Ok(())
    }

    /// Goes as far as it can without more from the peer; how many bytes of `wire` are done with.
    fn advance(&mut self, wire: &mut [u8], take: &mut impl FnMut(&[u8])) -> Result<usize, Broken> {
        let mut at = 0;
        loop {
            let UnbufferedStatus { mut discard, state } =
                self.connection.process_tls_records(&mut wire[at..]);
            let mut is_over = false;
            match state? {
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        discard += record.discard;
                        take(record.payload);
                    }
                }
                ConnectionState::EncodeTlsData(mut data) => {
                    encode(&mut self.sealed, &mut data)?;
                }
                ConnectionState::TransmitTlsData(data) => data.done(),
                ConnectionState::PeerClosed => self.ended = true,
                // nothing was promised to be read early
                ConnectionState::ReadEarlyData(_) => {
                    return Err(Error::General("early data".to_owned()).into());
                }
                // more from the peer, or nothing any more
                _ => is_over = true,
            }
            at += discard;
            if is_over {
                return Ok(at);
            }
        }
    }

    /// Encrypts what is in these slices behind their first `skip` bytes, as much of it as may wait
    /// on its way; how many bytes.
    pub fn seal(&mut self, slices: &[IoSlice<'_>], skip: usize) -> Result<usize, Broken> {
        let Self { connection, part, sealed, records, broken, .. } = self;
        if *broken {
            return Err(Error::HandshakeNotComplete.into());
        }
        // what is kept of a message of the handshake must be there, or rustls would not find it
        let state = connection.process_tls_records(part).state?;
        let ConnectionState::WriteTraffic(mut traffic) = state else {
            return Err(Error::HandshakeNotComplete.into());
        };
        let room = TLS_AHEAD_BYTES_MAX.saturating_sub(sealed.plain());
        let mut source = Source::new(slices, skip, room);
        let (mut gathered, mut total) = (vec![], 0);
        while let Some(plain) = source.next(&mut gathered) {
            let room = plain.len() + RECORD_OVERHEAD_BYTES;
            sealed.add(plain.len(), room, |room| traffic.encrypt(plain, room).map_err(missing))?;
            *records += 1;
            total += plain.len();
        }
        Ok(total)
    }

    /// Says that no more will come (RFC 8446 6.1), once and if anything can be said at all.
    pub fn close(&mut self) {
        let Self { connection, part, sealed, closed, .. } = self;
        if std::mem::replace(closed, true) {
            return;
        }
        if let Ok(ConnectionState::WriteTraffic(mut traffic)) =
            connection.process_tls_records(part).state
        {
            let added = sealed
                .add(0, CONTROL_BYTES, |room| traffic.queue_close_notify(room).map_err(missing));
            debug_assert!(added.is_ok(), "an alert can always be said");
        }
        self.count();
    }

    /// What is to be written next.
    #[must_use]
    pub fn unsent(&self) -> &[u8] {
        &self.sealed.bytes[self.sealed.at..self.sealed.end]
    }

    /// Bytes of the application's in records that are not completely gone.
    #[must_use]
    pub fn ahead(&self) -> usize {
        self.sealed.plain()
    }

    /// The socket took so many bytes of what is unsent; how many of the application's are gone with
    /// the records that are complete now.
    pub fn sent(&mut self, count: usize) -> usize {
        self.sealed.forget(count)
    }

    /// Seals into this buffer from here on, until [`Session::reclaim`]; nothing is unsent.
    pub fn lend(&mut self, room: Vec<u8>) {
        debug_assert!(self.unsent().is_empty(), "what is unsent has its place");
        (self.sealed.bytes, self.sealed.at, self.sealed.end) = (room, 0, 0);
    }

    /// Gives back the buffer; what is unsent has one of its own, as large as it is.
    pub fn reclaim(&mut self) -> Vec<u8> {
        let rest = self.unsent().to_vec();
        (self.sealed.at, self.sealed.end) = (0, rest.len());
        let room = std::mem::replace(&mut self.sealed.bytes, rest);
        self.count();
        room
    }
}

/// How much room a record needs, if there can be one.
#[expect(clippy::needless_pass_by_value, reason = "as it comes")]
fn missing(error: EncryptError) -> Option<InsufficientSizeError> {
    match error {
        EncryptError::InsufficientSize(size) => Some(size),
        EncryptError::EncryptExhausted => None,
    }
}

/// Seals what rustls itself has to say.
fn encode<Data>(sealed: &mut Sealed, data: &mut EncodeTlsData<'_, Data>) -> Result<(), Broken> {
    sealed.add(0, CONTROL_BYTES, |room| {
        data.encode(room).map_err(|error| match error {
            EncodeError::InsufficientSize(size) => Some(size),
            EncodeError::AlreadyEncoded => None,
        })
    })
}

impl Drop for Session {
    fn drop(&mut self) {
        self.uncount();
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({} bytes unsent)", self.unsent().len())
    }
}

impl Sealed {
    /// Bytes of the application's in records that are not completely gone.
    fn plain(&self) -> usize {
        self.records.iter().map(|record| record.plain).sum()
    }

    /// One more record, which carries so much and takes about `room`; `fill` writes it and says its
    /// length, or how much it takes, or that there can be none.
    fn add(
        &mut self,
        plain: usize,
        mut room: usize,
        mut fill: impl FnMut(&mut [u8]) -> Result<usize, Option<InsufficientSizeError>>,
    ) -> Result<(), Broken> {
        loop {
            if self.bytes.len() < self.end + room {
                self.bytes.resize(self.end + room, 0);
            }
            match fill(&mut self.bytes[self.end..]) {
                Ok(wire) => {
                    self.end += wire;
                    self.records.push(Record { wire, plain });
                    return Ok(());
                }
                Err(Some(InsufficientSizeError { required_size })) => room = required_size,
                Err(None) => return Err(Broken::WornOut),
            }
        }
    }

    /// Forgets what is gone; what was inside the records that are complete now.
    fn forget(&mut self, mut count: usize) -> usize {
        self.at += count;
        let mut plain = 0;
        while let Some(first) = self.records.first_mut() {
            let step = count.min(first.wire);
            first.wire -= step;
            count -= step;
            if first.wire > 0 {
                break;
            }
            plain += first.plain;
            self.records.remove(0);
        }
        plain
    }
}

/// The bytes of several slices, as many at a time as a record carries.
struct Source<'a> {
    slices: &'a [IoSlice<'a>],
    /// How many bytes of the first one are done with.
    done: usize,
    /// How many bytes may yet be taken.
    left: usize,
}

impl<'a> Source<'a> {
    fn new(slices: &'a [IoSlice<'a>], skip: usize, left: usize) -> Self {
        let mut source = Self { slices, done: 0, left: skip };
        while source.left > 0 && !source.take(usize::MAX).is_empty() {}
        Self { left, ..source }
    }

    /// The next bytes, at most `count`, that lie side by side; none when there are no more.
    fn take(&mut self, count: usize) -> &'a [u8] {
        while let Some(first) = self.slices.first() {
            if self.done < first.len() {
                let rest = &first[self.done..];
                let piece = &rest[..rest.len().min(count).min(self.left)];
                self.done += piece.len();
                self.left -= piece.len();
                return piece;
            }
            (self.slices, self.done) = (&self.slices[1..], 0);
        }
        &[]
    }

    /// What the next record carries: a piece of a slice where it lies, or several, gathered.
    fn next<'b>(&mut self, gathered: &'b mut Vec<u8>) -> Option<&'b [u8]>
    where
        'a: 'b,
    {
        let first = self.take(TLS_RECORD_PLAIN_BYTES_MAX);
        let is_all = first.len() == TLS_RECORD_PLAIN_BYTES_MAX || self.left == 0;
        if first.is_empty() {
            return None;
        }
        let mut more =
            if is_all { &[] } else { self.take(TLS_RECORD_PLAIN_BYTES_MAX - first.len()) };
        if more.is_empty() {
            return Some(first);
        }
        gathered.clear();
        gathered.extend_from_slice(first);
        while !more.is_empty() {
            gathered.extend_from_slice(more);
            more = self.take(TLS_RECORD_PLAIN_BYTES_MAX - gathered.len());
        }
        Some(gathered)
    }
}
