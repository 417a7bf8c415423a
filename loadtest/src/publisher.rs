//! The sending end: what is due of a publisher leaves in one write.

use std::io::Error;
use std::rc::Rc;
use std::time::Duration;

use fastwebsockets::OpCode;

use crate::dialect::{Dialect, Envelope};
use crate::load::Load;
use crate::payload::Head;
use crate::scenario::{Pace, Plan};
use crate::timer::{Timer, due_at};

/// A publisher that the server keeps from sending this much is one it does not keep up with.
const PENDING_BYTES_MAX: usize = 64 << 20;

/// The frames of all publishers.
struct Frames {
    /// Of each frame.
    opcode: OpCode,
    /// What surrounds the messages of each publisher.
    envelopes: Vec<Envelope>,
    /// The frame that is written.
    frame: Vec<u8>,
}

/// Sends for all publishers of `load`, at its pace, until it is stopped.
pub(crate) async fn publish(load: Rc<Load>) {
    let mut frames = Frames::new(&load.plan);
    match load.plan.pace {
        Pace::Window(_) => closed_loop(&load, &mut frames).await,
        Pace::Rate(rate) => {
            if let Err(error) = open_loop(&load, rate, &mut frames).await {
                load.failed(format!("the timer failed: {error}"));
            }
        }
    }
}

/// Woken by the first window that opens, this runs behind every socket that was readable in the
/// same turn, and finds all that opened with it.
async fn closed_loop(load: &Rc<Load>, frames: &mut Frames) {
    loop {
        load.due.notified().await;
        let now = load.now();
        while let Some(publisher) = { load.ledger.borrow_mut().next_due() } {
            frames.append(load, publisher, now);
            load.sender(publisher).flush();
        }
        load.announce(&load.ledger.borrow());
    }
}

/// Message k is due at k / rate, from publisher k mod P, whatever became of the ones before; that
/// time is its stamp, so waiting in this process counts as latency too.
async fn open_loop(load: &Rc<Load>, rate: f64, frames: &mut Frames) -> Result<(), Error> {
    let timer = Timer::new()?;
    load.due.notified().await;
    let (start, publishers) = (load.now(), load.plan.publishers);
    let (apart, mut number, mut publisher) = (1e9 / rate, 0, 0);
    loop {
        let mut touched = 0;
        let mut due = due_at(start, number, apart);
        while due <= load.now() {
            if load.ledger.borrow().is_complete() {
                break;
            }
            frames.append(load, publisher, due);
            publisher = (publisher + 1) % publishers;
            number += 1;
            touched += 1;
            due = due_at(start, number, apart);
        }
        for back in 1..=touched.min(publishers) {
            let connection = load.sender((publisher + publishers - back) % publishers);
            connection.flush();
            if connection.pending_bytes() > PENDING_BYTES_MAX {
                load.failed("the server takes messages too slowly: 64 MiB wait".to_owned());
            }
        }
        let complete = {
            let ledger = load.ledger.borrow();
            load.announce(&ledger);
            ledger.is_complete()
        };
        if complete {
            return Ok(());
        }
        timer.wait(Duration::from_nanos(due.saturating_sub(load.now()))).await?;
    }
}

impl Frames {
    fn new(plan: &Plan) -> Self {
        let dialect = plan.server.dialect;
        // Protocols inside the frames are binary ones, whatever the messages are.
        let is_text = dialect == Dialect::Mercury && !plan.binary;
        let envelope =
            |publisher| dialect.envelope(&plan.topic(plan.connection_of(publisher)), plan.size);
        Self {
            opcode: if is_text { OpCode::Text } else { OpCode::Binary },
            envelopes: (0..plan.publishers).map(envelope).collect(),
            frame: Vec::new(),
        }
    }

    /// Appends all that `publisher` may send to its connection.
    fn append(&mut self, load: &Rc<Load>, publisher: usize, stamp: u64) {
        let Self { opcode, envelopes, frame } = self;
        let Envelope { head, tail } = &envelopes[publisher];
        let mut ledger = load.ledger.borrow_mut();
        for sequence in ledger.send(publisher, || load.now()) {
            frame.clear();
            frame.extend_from_slice(head);
            frame.resize(head.len() + load.plan.size, 0);
            ledger.write(Head { publisher, sequence, stamp }, &mut frame[head.len()..]);
            frame.extend_from_slice(tail);
            load.sender(publisher).append(*opcode, frame);
        }
    }
}
