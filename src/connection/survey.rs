//! The connections of a shard as operators see them, some at a time, and hanging up on one.

use super::table::{Ground, Table, member};
use super::writer::{Ending, Writer};
use crate::close::Reason;
use crate::code::CloseCode;
use crate::handover::{ConnectionId, ConnectionLine, ConnectionSort, Connections, Ranking};

/// What a connection is told that an operator hangs up on.
const CUT: Reason =
    Reason::new(CloseCode::OperatorClosed, "an operator hung up on this connection");

/// What a look for one connection has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// It was found, and is being hung up on.
    Done,
    /// It is not there, or not any more.
    Nowhere,
    /// The look goes on from this number.
    From(usize),
}

impl Ground {
    /// Tenths of a second since the shard began, as of the last sweep.
    pub(super) fn tenths(&self) -> u32 {
        u32::try_from(self.now / 100).expect("no broker is 13 years old")
    }
}

impl Table {
    /// Looks at the connections from number `from` on, at most `count` of them; the number to go
    /// on with, or `None` when all were seen.
    pub(crate) fn survey(
        &self,
        from: usize,
        count: usize,
        wanted: &Connections,
        ranking: &mut Ranking<ConnectionId, ConnectionLine>,
    ) -> Option<usize> {
        let list = &self.writers.list;
        let (from, until) = part(from, count, list.len());
        for (number, writer) in (from..until).zip(&list[from..until]) {
            let Some(writer) = writer else { continue };
            let topic = self.broker.topic_of(member(number));
            if wanted.topic.is_some() && wanted.topic.as_deref() != topic {
                continue;
            }
            let value = match wanted.sort {
                ConnectionSort::Id => 0,
                ConnectionSort::Behind => writer.outbound.bytes() as u64,
            };
            let id = ConnectionId { shard: self.shard, sequence: writer.sequence() };
            ranking.offer(value, || id, || line(id, writer, topic, &self.writers.ground));
        }
        (until < list.len()).then_some(until)
    }

    /// Hangs up on a connection if it is among the next `count` from number `from` on.
    pub(crate) fn hang_up(&mut self, sequence: u64, from: usize, count: usize) -> Cut {
        let length = self.writers.list.len();
        let (from, until) = part(from, count, length);
        let found = self.writers.list[from..until]
            .iter_mut()
            .flatten()
            .find(|writer| writer.sequence() == sequence);
        match found {
            Some(writer) if writer.is_closing() => Cut::Nowhere,
            Some(writer) => {
                writer.end(Ending::Close(CUT));
                self.counters().operator_closed.add(1);
                Cut::Done
            }
            None if until < length => Cut::From(until),
            None => Cut::Nowhere,
        }
    }
}

/// What is looked at next of a list that may have become shorter.
fn part(from: usize, count: usize, length: usize) -> (usize, usize) {
    let from = from.min(length);
    (from, from.saturating_add(count).min(length))
}

fn line(id: ConnectionId, writer: &Writer, topic: Option<&str>, ground: &Ground) -> ConnectionLine {
    let behind_bytes = writer.outbound.bytes();
    let behind = if behind_bytes > 0 { writer.life.tenths_behind(ground.moment) } else { 0 };
    let open = ground.tenths() - writer.opened;
    ConnectionLine {
        id: id.to_string(),
        address: writer.peer.to_string(),
        role: writer.role,
        topic: topic.map(str::to_owned),
        open_seconds: f64::from(open) / 10.0,
        behind_bytes,
        behind_seconds: f64::from(behind) / 10.0,
    }
}
