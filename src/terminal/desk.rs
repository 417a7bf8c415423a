//! What the futures of one command share: the messages between them, and the wish to leave.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use rustix::process::Pid;
use tokio::sync::Notify;

use super::belt::Belt;
use super::ledger::Ledger;
use crate::config::{Form, Terminal};

/// What waits to be printed: then nothing is read.
const INCOMING_BYTES_MAX: usize = 1024 * 1024;
/// What waits to be sent: then no input is read.
const OUTGOING_BYTES_MAX: usize = 256 * 1024;

/// All of one command's that is in no single future.
pub(super) struct Desk {
    /// From the broker.
    pub(super) incoming: Belt,
    /// To the broker. Its end is also that of the connection.
    pub(super) outgoing: Belt,
    /// What became of what was sent.
    pub(super) ledger: RefCell<Ledger>,
    /// The process groups of the commands that run, by the numbers of their jobs.
    pub(super) groups: RefCell<BTreeMap<u64, Pid>>,
    is_leaving: Cell<bool>,
    bell: Notify,
}

impl Desk {
    /// For what this command is told.
    pub(super) fn new(terminal: &Terminal) -> Self {
        let exec = terminal.output.as_ref().map(|output| &output.form);
        // a job that is not being done yet is better with the broker, which knows of other pullers
        let incoming_max = if let Some(Form::Exec { .. }) = exec { 1 } else { INCOMING_BYTES_MAX };
        let desk = Self {
            incoming: Belt::new(incoming_max),
            outgoing: Belt::new(OUTGOING_BYTES_MAX),
            ledger: RefCell::default(),
            groups: RefCell::default(),
            is_leaving: Cell::default(),
            bell: Notify::new(),
        };
        if terminal.output.is_none() {
            desk.incoming.discard();
        }
        desk
    }

    /// The connection ends in order, after what waits to be sent; what comes until the broker has
    /// answered is still taken.
    pub(super) fn leave(&self) {
        self.is_leaving.set(true);
        self.outgoing.close();
        self.incoming.widen();
        self.bell.notify_one();
    }

    /// The same, and nothing more is taken.
    pub(super) fn enough(&self) {
        self.incoming.discard();
        self.leave();
    }

    /// It is time to go.
    pub(super) fn is_leaving(&self) -> bool {
        self.is_leaving.get()
    }

    /// Waits until it is.
    pub(super) async fn left(&self) {
        while !self.is_leaving.get() {
            self.bell.notified().await;
        }
    }
}
