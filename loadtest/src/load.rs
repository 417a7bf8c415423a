//! One load: its connections, books and clock, all on one thread.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use fastwebsockets::OpCode;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::connection::{Connection, Opened, Target};
use crate::ledger::Ledger;
use crate::scenario::Plan;
use crate::{publisher, subscriber};

/// Handshakes at once: enough to be quick, too few to overflow a listen queue.
const HANDSHAKES_MAX: usize = 64;
/// A server that answered no handshake for this long answers none.
const HANDSHAKE_WAIT_MAX: Duration = Duration::from_secs(10);
/// A Close that is not answered by now will not be.
const CLOSE_WAIT_MAX: Duration = Duration::from_secs(5);
/// One read: what a server batches for a subscriber fits.
const SCRATCH_BYTES: usize = 256 * 1024;

/// A load that is connected.
pub(crate) struct Load {
    /// What it is to do.
    pub(crate) plan: Plan,
    /// What was sent and what arrived.
    pub(crate) ledger: RefCell<Ledger>,
    /// Where every connection reads.
    pub(crate) scratch: RefCell<Box<[u8]>>,
    /// Some publisher has something to send.
    pub(crate) due: Notify,
    /// All has arrived, or something broke.
    pub(crate) news: Notify,
    /// When the clock began.
    origin: Instant,
    /// The sending halves, by number.
    connections: Vec<Rc<Connection>>,
    /// Connections that have not ended.
    open: Cell<usize>,
    /// Connections whose opening the server has not answered yet.
    unheard: Cell<usize>,
    /// Wakes those who are at work when we say goodbye.
    pub(crate) farewell: Notify,
    /// We said goodbye.
    closing: Cell<bool>,
    /// A connection was lost: what is outstanding will not all come.
    broken: Cell<bool>,
}

impl Load {
    /// Opens every connection of `plan` and begins to read; the error is a sentence.
    pub(crate) async fn connect(plan: Plan, target: &Target) -> Result<Rc<Self>, String> {
        let opened = open_all(&plan, target).await.map_err(|error| format!("{target}: {error}"))?;
        let load = Rc::new(Self {
            ledger: RefCell::new(Ledger::new(&plan)),
            scratch: RefCell::new(vec![0; SCRATCH_BYTES].into_boxed_slice()),
            due: Notify::new(),
            news: Notify::new(),
            origin: Instant::now(),
            connections: opened.iter().map(|opened| Rc::clone(&opened.connection)).collect(),
            open: Cell::new(opened.len()),
            unheard: Cell::new(0),
            farewell: Notify::new(),
            closing: Cell::new(false),
            broken: Cell::new(false),
            plan,
        });
        for (number, opened) in opened.into_iter().enumerate() {
            load.greet(&opened.connection, number);
            let receiver = Some(number).filter(|number| *number < load.plan.receivers);
            tokio::task::spawn_local(subscriber::receive(Rc::clone(&load), opened, receiver));
        }
        load.all_heard().await.map_err(|error| format!("{target}: {error}"))?;
        tokio::task::spawn_local(publisher::publish(Rc::clone(&load)));
        Ok(load)
    }

    /// Says what the server must hear before it takes `connection` for a member of its topic.
    fn greet(&self, connection: &Rc<Connection>, number: usize) {
        let mut opening = self.plan.opening(number);
        if !opening.is_empty() {
            self.unheard.update(|unheard| unheard + 1);
            connection.append(OpCode::Binary, &mut opening);
            connection.flush();
        }
    }

    /// Waits until the server has answered every opening; the error is a sentence.
    async fn all_heard(&self) -> Result<(), String> {
        let heard = async {
            while self.unheard.get() > 0 && !self.is_broken() {
                self.news.notified().await;
            }
        };
        if timeout(HANDSHAKE_WAIT_MAX, heard).await.is_err() {
            return Err(format!("{} openings not answered within 10 s", self.unheard.get()));
        }
        match self.ledger.borrow().faults.examples.first() {
            Some(fault) => Err(fault.clone()),
            None => Ok(()),
        }
    }

    /// Nanoseconds since the clock began.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// The connection that `publisher` sends on.
    pub(crate) fn sender(&self, publisher: usize) -> &Rc<Connection> {
        &self.connections[self.plan.connection_of(publisher)]
    }

    /// We said goodbye, so an end is no fault.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.get()
    }

    /// Something broke, so what is outstanding will not all come.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.get()
    }

    /// All was sent and has arrived.
    pub(crate) fn is_finished(&self) -> bool {
        let ledger = self.ledger.borrow();
        ledger.outstanding == 0 && ledger.is_complete()
    }

    /// Publishers begin.
    pub(crate) fn start(&self) {
        self.ledger.borrow_mut().start(self.now());
        self.due.notify_one();
    }

    /// The server answered one connection's opening.
    pub(crate) fn heard(&self) {
        self.unheard.update(|unheard| unheard.saturating_sub(1));
        self.news.notify_one();
    }

    /// Wakes whoever waits for what the books now say.
    #[inline]
    pub(crate) fn announce(&self, ledger: &Ledger) {
        if ledger.has_due() {
            self.due.notify_one();
        }
        if ledger.outstanding == 0 && ledger.is_complete() {
            self.news.notify_one();
        }
    }

    /// A connection ended, because of `reason`.
    pub(crate) fn ended(&self, reason: &str) {
        self.open.set(self.open.get() - 1);
        if !self.closing.get() {
            self.failed(format!("a connection was lost: {reason}"));
        }
        self.news.notify_one();
    }

    /// Something broke that a connection stands for: nobody sends any more.
    pub(crate) fn failed(&self, sentence: String) {
        let mut ledger = self.ledger.borrow_mut();
        ledger.faults.disconnected += 1;
        ledger.faults.tell(|| sentence);
        ledger.stop();
        self.broken.set(true);
        self.news.notify_one();
    }

    /// Says goodbye on every connection and waits until each has ended.
    pub(crate) async fn close(&self) {
        self.closing.set(true);
        self.farewell.notify_waiters();
        let farewell = self.plan.server.dialect.farewell();
        for connection in &self.connections {
            if !farewell.is_empty() {
                connection.append(OpCode::Binary, &mut farewell.to_vec());
            }
            connection.append(OpCode::Close, &mut 1000_u16.to_be_bytes());
            connection.flush();
        }
        let all_ended = async {
            while self.open.get() > 0 {
                self.news.notified().await;
            }
        };
        if timeout(CLOSE_WAIT_MAX, all_ended).await.is_err() {
            let open = self.open.get();
            let mut ledger = self.ledger.borrow_mut();
            ledger.faults.disconnected += open as u64;
            ledger.faults.tell(|| format!("{open} connections did not end after our Close"));
        }
    }
}

/// Every connection of `plan`, in its order.
async fn open_all(plan: &Plan, target: &Target) -> Result<Vec<Opened>, String> {
    let address = target.resolve().await.map_err(|error| error.to_string())?;
    let mut routes = plan.sources.routes(address)?;
    let mut handshakes = JoinSet::new();
    let mut opened: Vec<Option<Opened>> = (0..plan.connections()).map(|_| None).collect();
    let mut number = 0;
    loop {
        while number < opened.len() && handshakes.len() < HANDSHAKES_MAX {
            let (target, path) = (target.clone(), plan.path(number));
            let route = routes.next().expect("routes go on for ever");
            let subprotocol = plan.server.dialect.subprotocol();
            handshakes.spawn_local(async move {
                let handshake = Connection::open(&target, route, &path, subprotocol);
                (number, timeout(HANDSHAKE_WAIT_MAX, handshake).await)
            });
            number += 1;
        }
        let Some(handshake) = handshakes.join_next().await else { break };
        let (number, outcome) = handshake.map_err(|error| error.to_string())?;
        let outcome = outcome.map_err(|_| "no answer to a handshake within 10 s".to_owned())?;
        opened[number] = Some(outcome?);
    }
    Ok(opened.into_iter().flatten().collect())
}
