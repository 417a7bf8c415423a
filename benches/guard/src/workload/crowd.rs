//! A broker with members, as a shard has it, and receivers in place of sockets.

use std::hint::black_box;
use std::io::IoSlice;
use std::ops::Range;
use std::sync::Arc;

use mercury::broker::topic::Topic;
use mercury::broker::{Bounds, Broker, Kind, MemberId, Receivers, Role, Taken};
use mercury::limits::{Limits, OUTBOUND_BYTES_MAX, TOPIC_BYTES_MAX, WRITE_PIECES_MAX};
use mercury::metrics::Counters;
use mercury::outbound::{Batch, Outbound};

/// What the load tester sends, if nobody asks for another size.
pub(super) const PAYLOAD: [u8; 128] = [b'm'; 128];
/// As the flusher gives out.
const WRITES_PER_TURN: usize = 64;

/// A broker without topics.
pub(super) fn broker() -> Broker {
    Broker::new(Bounds::new(&Limits::default(), Arc::new(Counters::default())))
}

/// One more member.
pub(super) fn join(broker: &mut Broker, role: Role, name: &str) -> MemberId {
    broker.join(role, &topic(name), false).expect("there are few topics")
}

/// A topic of this name.
pub(super) fn topic(name: &str) -> Topic {
    Topic::parse(name, TOPIC_BYTES_MAX).expect("a valid name")
}

/// What a connection does with a message that it read.
pub(super) fn publish(broker: &mut Broker, id: MemberId, payload: &[u8]) {
    broker.room(id, payload.len()).expect("a turn is less than a batch may hold");
    broker.publish(id, Kind::Binary, payload);
}

/// What the flusher does with all that gathered.
pub(super) fn flush(broker: &mut Broker, receivers: &mut impl Receivers) {
    while broker.flush(WRITES_PER_TURN, receivers) {}
}

/// Receivers whose sockets take everything at once; counts the bytes.
#[derive(Default)]
pub(super) struct Everybody {
    /// All that they got.
    pub(super) bytes: usize,
}

impl Receivers for Everybody {
    fn fan_out(&mut self, member: MemberId, batch: &Batch, runs: &[Range<usize>]) {
        black_box(member);
        for run in runs {
            self.bytes += black_box(&batch[run.clone()]).len();
        }
    }

    fn jobs(&mut self, puller: MemberId, frames: Vec<u8>) -> Taken {
        black_box(puller);
        self.bytes += black_box(&frames).len();
        Taken { outbound: 0, spare: Some(frames) }
    }
}

/// Receivers whose sockets are full, and take everything later.
pub(super) struct Laggards {
    outbounds: Vec<Outbound>,
}

impl Laggards {
    /// So many, with the lowest ids.
    pub(super) fn new(count: usize) -> Self {
        Self { outbounds: (0..count).map(|_| Outbound::default()).collect() }
    }

    /// Every socket takes what waits for it; the bytes.
    pub(super) fn catch_up(&mut self) -> usize {
        let mut bytes = 0;
        for outbound in &mut self.outbounds {
            let mut slices = [IoSlice::new(&[]); WRITE_PIECES_MAX];
            let count = outbound.slices(&mut slices);
            let written = slices[..count].iter().map(|slice| slice.len()).sum();
            black_box(slices);
            outbound.advance(written);
            bytes += written;
        }
        bytes
    }
}

impl Receivers for Laggards {
    fn fan_out(&mut self, member: MemberId, batch: &Batch, runs: &[Range<usize>]) {
        for run in runs {
            self.outbounds[member.0 as usize]
                .push(batch, run.start, run.end, 0, OUTBOUND_BYTES_MAX)
                .expect("two batches are no slow consumer");
        }
    }

    fn jobs(&mut self, _: MemberId, _: Vec<u8>) -> Taken {
        unreachable!("nobody pulls")
    }
}
