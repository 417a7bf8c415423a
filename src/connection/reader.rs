//! The reading side of one connection: bytes in, messages to the broker.

use std::pin::pin;
use std::task::{Context, Poll};

use tokio::io::Interest;
use tokio::net::tcp::OwnedReadHalf;

use super::breach;
use super::keepalive::milliseconds;
use super::table::Table;
use super::writer::Ending;
use crate::broker::{MemberId, NoRoom};
use crate::frame::Breach;
use crate::frame::decoder::{Decoder, Event, Progress};
use crate::limits::{POST_WAIT_MAX, SCRATCH_BYTES};

/// Decodes what a connection's socket brings. Owns no buffer while no frame is unfinished.
#[derive(Debug)]
pub(super) struct Reader {
    decoder: Decoder,
    /// Bytes of frames that are not whole yet, or that found no room.
    carry: Vec<u8>,
    /// With fewer bytes than this there is no use in looking.
    needs: usize,
    /// A message was taken since the clock of an unfinished one was last set.
    took_message: bool,
}

/// Why the reader does not go on.
#[derive(Debug)]
pub(super) enum Halt {
    /// The connection ends.
    End(Ending),
    /// The broker has no room for the next message, of so many bytes.
    NoRoom(NoRoom, usize),
}

impl Reader {
    /// For a connection whose client already sent `left_over` behind its handshake.
    pub(super) fn new(message_bytes_max: usize, left_over: Vec<u8>) -> Self {
        Self {
            decoder: Decoder::new(message_bytes_max),
            carry: left_over,
            needs: 0,
            took_message: false,
        }
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
    ) -> Result<(), Halt> {
        let kept = self.kept_in_front();
        if self.carry.len() + count < self.needs || kept < self.carry.len() {
            self.carry.extend_from_slice(&scratch[kept..kept + count]);
            if self.carry.len() < self.needs {
                self.settle(id, table);
                return Ok(());
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
        self.settle(id, table);
        result
    }

    /// Takes what was kept. `accepts` says whether messages are still taken: what was read before
    /// a drain began is part of what the drain delivers.
    pub(super) fn resume(
        &mut self,
        accepts: bool,
        id: MemberId,
        table: &mut Table,
    ) -> Result<(), Halt> {
        let mut bytes = std::mem::take(&mut self.carry);
        let (used, result) = self.consume(&mut bytes, accepts, id, table);
        bytes.drain(..used);
        self.carry = bytes;
        self.settle(id, table);
        result
    }

    /// The connection is closing: nothing more is decoded.
    pub(super) fn forget(&mut self) {
        self.carry = vec![];
        self.decoder = Decoder::new(0);
    }

    /// Somebody is there; gives back what is not needed, and starts or stops the clock of an
    /// unfinished message.
    fn settle(&mut self, id: MemberId, table: &mut Table) {
        let (writer, ground) = table.writers.of(id);
        writer.life.heard = ground.now;
        if std::mem::take(&mut self.took_message) {
            writer.life.unfinished = None;
        }
        if self.carry.is_empty() {
            if self.carry.capacity() > 0 {
                self.carry = vec![];
            }
            if !self.decoder.is_inside_message() {
                return;
            }
        }
        writer.life.unfinished.get_or_insert(ground.now);
    }

    /// Decodes frame after frame; how many bytes were used, and why it stopped early.
    fn consume(
        &mut self,
        bytes: &mut [u8],
        accepts: bool,
        id: MemberId,
        table: &mut Table,
    ) -> (usize, Result<(), Halt>) {
        let mut at = 0;
        self.needs = 0;
        while at < bytes.len() {
            let head = match self.decoder.look(&bytes[at..]) {
                Ok(Progress::Whole(head)) => head,
                Ok(Progress::Needs(count)) => {
                    self.needs = count;
                    break;
                }
                Err(error) => return (at, Err(refuse(&error, table))),
            };
            if accepts && head.ends_message() {
                let size = self.decoder.message_bytes(&head);
                if let Err(no_room) = table.broker.room(id, size) {
                    return (at, Err(Halt::NoRoom(no_room, size)));
                }
            }
            match self.decoder.take(&head, &mut bytes[at..]) {
                Ok(Event::Message(kind, payload)) => {
                    self.took_message = true;
                    if accepts {
                        table.broker.publish(id, kind, &payload);
                    } else {
                        table.counters().drain_ignored.add(1);
                    }
                }
                Ok(event) => {
                    if let Err(halt) = respond(&event, id, table) {
                        return (at, Err(halt));
                    }
                }
                Err(error) => return (at, Err(refuse(&error, table))),
            }
            at += head.size + head.payload;
        }
        (at, Ok(()))
    }
}

fn respond(event: &Event<'_>, id: MemberId, table: &mut Table) -> Result<(), Halt> {
    match event {
        Event::Message(..) | Event::Fragment | Event::Pong => {}
        Event::Ping(payload) => {
            let (writer, ground) = table.writers.of(id);
            writer.pong(payload, ground).map_err(breach)?;
        }
        Event::Close(payload) => return Err(Halt::End(Ending::Echo(payload.to_vec()))),
    }
    Ok(())
}

#[cold]
fn refuse(error: &Breach, table: &Table) -> Halt {
    let counters = table.counters();
    match error {
        Breach::MessageTooLong { .. } => counters.message_too_long.add(1),
        Breach::NotUtf8(_) => counters.text_not_utf8.add(1),
        Breach::EmptyFragments(_) => counters.message_unfinished.add(1),
        _ => counters.protocol_errors.add(1),
    }
    breach(error.reason())
}

/// Whether the peer of a connection that is not read is gone: a reset at once, an end of input
/// after as long as a POST would wait for room.
pub(super) fn has_hung_up(
    half: &OwnedReadHalf,
    since: &mut Option<u64>,
    now: u64,
    cx: &mut Context<'_>,
) -> bool {
    let ready = pin!(half.as_ref().ready(Interest::READABLE | Interest::ERROR)).poll(cx);
    match ready {
        Poll::Ready(Err(_)) => true,
        Poll::Ready(Ok(ready)) if ready.is_error() || ready.is_write_closed() => true,
        Poll::Ready(Ok(ready)) if ready.is_read_closed() => {
            now - *since.get_or_insert(now) >= milliseconds(POST_WAIT_MAX)
        }
        Poll::Ready(Ok(_)) | Poll::Pending => false,
    }
}
