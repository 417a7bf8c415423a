//! What the log says of a connection that opens and of one that has ended, at debug. Nothing is
//! kept of one that opens while nobody listens.

use std::time::Instant;

use tracing::Level;

use super::table::Table;
use super::writer::Ending;
use crate::broker::MemberId;
use crate::close::Reason;
use crate::code::CloseCode;

/// Target of these lines, so that `mercury::connection=debug` is enough.
const LOG: &str = "mercury::connection";

/// What a connection without a Close is said to have ended with (RFC 6455 7.1.5).
const NO_CLOSE: u16 = 1006;
/// A Close without a code (RFC 6455 7.1.5).
const NO_CODE: u16 = 1005;

/// One connection, from when it opened.
#[derive(Debug)]
pub(super) struct Record {
    /// When that was, if it was recorded then; else there are no counts either.
    opened: Option<Instant>,
    /// Bytes that were read from it behind its handshake.
    bytes_in: u64,
    /// Bytes that its socket took, the answer to its handshake included.
    bytes_out: u64,
    /// How it ended, once it has left its topic.
    end: Option<End>,
}

/// How a connection ended.
#[derive(Debug)]
struct End {
    topic: Box<str>,
    /// Who hung up.
    by: &'static str,
    /// The close code.
    code: u16,
    /// Our own code.
    reason: Option<&'static str>,
    sentence: Option<String>,
}

impl Record {
    /// More bytes were read.
    pub(super) const fn received(&mut self, bytes: usize) {
        self.bytes_in += bytes as u64;
    }

    /// The socket took more bytes.
    pub(super) const fn sent(&mut self, bytes: usize) {
        self.bytes_out += bytes as u64;
    }
}

/// Whether these lines are logged.
fn is_listened_to() -> bool {
    tracing::enabled!(target: LOG, Level::DEBUG)
}

impl Table {
    /// Logs and records a connection that has opened; so many bytes were read and sent so far.
    pub(super) fn record_open(&mut self, member: MemberId, bytes_in: usize, bytes_out: usize) {
        if !is_listened_to() {
            return;
        }
        let id = self.id_of(member);
        let topic = self.broker.topic_of(member).unwrap_or_default();
        let (writer, _) = self.writers.of(member);
        let (peer, route) = (writer.peer, writer.role.route());
        tracing::debug!(target: LOG, %id, %peer, route, topic, "opened");
        writer.record(Record {
            opened: Some(Instant::now()),
            bytes_in: bytes_in as u64,
            bytes_out: bytes_out as u64,
            end: None,
        });
    }

    /// Remembers how a connection ends that is still on its topic; the first reason stays.
    pub(super) fn record_end(&mut self, member: MemberId, ending: &Ending) {
        let (writer, _) = self.writers.of(member);
        if writer.recorded().is_none() {
            if !is_listened_to() {
                return;
            }
            writer.record(Record { opened: None, bytes_in: 0, bytes_out: 0, end: None });
        }
        let is_draining = self.draining;
        let Some(record) = writer.recorded() else { return };
        if record.end.is_none() {
            let topic = self.broker.topic_of(member).unwrap_or_default().into();
            record.end = Some(End { topic, ..End::of(ending, is_draining) });
        }
    }

    /// Logs a connection that is gone but for its place.
    pub(super) fn record_close(&mut self, member: MemberId) {
        let id = self.id_of(member);
        let (writer, _) = self.writers.of(member);
        let (peer, route) = (writer.peer, writer.role.route());
        let Some(Record { opened, bytes_in, bytes_out, end: Some(end) }) = writer.recorded() else {
            return;
        };
        let counted = opened.is_some();
        let (bytes_in, bytes_out) = (counted.then_some(*bytes_in), counted.then_some(*bytes_out));
        let seconds = opened.map(|opened| (opened.elapsed().as_secs_f64() * 1e3).round() / 1e3);
        let End { topic, by, code, reason, sentence } = end;
        let (topic, sentence) = (&**topic, sentence.as_deref());
        tracing::debug!(
            target: LOG, %id, %peer, route, topic, seconds, bytes_in, bytes_out, by, code, reason,
            sentence, "closed"
        );
    }
}

impl End {
    fn of(ending: &Ending, is_draining: bool) -> Self {
        let (by, code, reason, sentence) = match ending {
            Ending::Close(reason) | Ending::TooSlow { reason, .. } => {
                let Reason { code, text } = reason;
                ("broker", code.number(), Some(code.name()), Some(text.to_string()))
            }
            Ending::Echo(payload) => match &payload[..] {
                [high, low, text @ ..] => {
                    let text = String::from_utf8_lossy(text).into_owned();
                    let text = Some(text).filter(|text| !text.is_empty());
                    ("client", u16::from_be_bytes([*high, *low]), None, text)
                }
                _ => ("client", NO_CODE, None, None),
            },
            Ending::Drop => ("client", NO_CLOSE, None, None),
            Ending::Mute => ("broker", NO_CLOSE, Some(CloseCode::PongTimeout.name()), None),
            Ending::Reset => {
                let reason = is_draining.then_some(CloseCode::DrainCut.name());
                ("broker", NO_CLOSE, reason, None)
            }
        };
        Self { topic: Box::default(), by, code, reason, sentence }
    }
}
