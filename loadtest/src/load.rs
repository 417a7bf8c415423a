//! One load: its connections, books and clock, all on one thread.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use fastwebsockets::OpCode;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::arrivals::{Arrivals, HANDSHAKE_WAIT_MAX};
use crate::connection::{Connection, Opened, Target};
use crate::ledger::Ledger;
use crate::scenario::Plan;
use crate::{publisher, subscriber};

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
    /// The sending half of each that is or was open, by number.
    connections: RefCell<Vec<Option<Rc<Connection>>>>,
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
        let load = Self::new(plan);
        load.fill(target, None, |_, _, _| {}).await?;
        tokio::task::spawn_local(publisher::publish(Rc::clone(&load)));
        Ok(load)
    }

    /// A load without connections.
    pub(crate) fn new(plan: Plan) -> Rc<Self> {
        Rc::new(Self {
            ledger: RefCell::new(Ledger::new(&plan)),
            scratch: RefCell::new(vec![0; SCRATCH_BYTES].into_boxed_slice()),
            due: Notify::new(),
            news: Notify::new(),
            origin: Instant::now(),
            connections: RefCell::new(vec![None; plan.connections()]),
            open: Cell::new(0),
            unheard: Cell::new(0),
            farewell: Notify::new(),
            closing: Cell::new(false),
            broken: Cell::new(false),
            plan,
        })
    }

    /// Opens every connection, so many a second or as fast as it goes, and calls `each` with the
    /// number of one, the time that its handshake took, and its reader; the error is a sentence.
    pub(crate) async fn fill(
        self: &Rc<Self>,
        target: &Target,
        rate: Option<f64>,
        mut each: impl FnMut(usize, Duration, JoinHandle<()>),
    ) -> Result<(), String> {
        let (start, count) = (Instant::now(), self.plan.connections());
        let filled = async {
            let mut arrivals = Arrivals::new(&self.plan, target).await?;
            for (place, number) in (0_u32..).zip(0..count) {
                let due = rate.map(|rate| start + Duration::from_secs_f64(f64::from(place) / rate));
                arrivals.invite(number, due);
            }
            while let Some(arrival) = arrivals.next(&self.plan).await {
                let opened = arrival.outcome.map_err(|refusal| {
                    format!("{refusal}, with {} of {count} connected", self.open())
                })?;
                each(arrival.number, arrival.took, self.admit(arrival.number, opened));
            }
            self.all_heard().await
        };
        filled.await.map_err(|error| format!("{target}: {error}"))
    }

    /// Takes in connection `number`: it is read from now on, in a task that ends with it.
    pub(crate) fn admit(self: &Rc<Self>, number: usize, opened: Opened) -> JoinHandle<()> {
        self.open.update(|open| open + 1);
        self.greet(&opened.connection, number);
        self.connections.borrow_mut()[number] = Some(Rc::clone(&opened.connection));
        let receiver = Some(number).filter(|number| *number < self.plan.receivers);
        tokio::task::spawn_local(subscriber::receive(Rc::clone(self), opened, receiver))
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
    pub(crate) fn sender(&self, publisher: usize) -> Rc<Connection> {
        self.connection(self.plan.connection_of(publisher)).expect("publishers never leave")
    }

    /// Connection `number`, if it was ever open.
    pub(crate) fn connection(&self, number: usize) -> Option<Rc<Connection>> {
        self.connections.borrow()[number].clone()
    }

    /// Connections that are open.
    pub(crate) fn open(&self) -> usize {
        self.open.get()
    }

    /// We said goodbye, so an end is no fault.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.get()
    }

    /// Something broke, so what is outstanding will not all come.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.get()
    }

    /// Returns once something broke.
    pub(crate) async fn until_broken(&self) {
        while !self.is_broken() {
            self.news.notified().await;
        }
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

    /// Ends connection `number` with a reset; its reader is gone.
    pub(crate) fn reset(&self, number: usize) {
        self.open.update(|open| open - 1);
        let connection = self.connections.borrow_mut()[number].take();
        if let Some(Err(error)) = connection.map(Connection::reset) {
            self.failed(format!("a connection could not be reset: {error}"));
        }
    }

    /// A connection ended, because of `reason`.
    pub(crate) fn ended(&self, connection: &Connection, reason: &str) {
        self.open.update(|open| open - 1);
        if !connection.is_closing() {
            self.failed(format!("a connection was lost: {reason}"));
        }
        self.news.notify_one();
    }

    /// Something broke that a connection stands for: nobody sends any more.
    pub(crate) fn failed(&self, sentence: String) {
        self.lost(1, sentence);
    }

    /// So many connections are lost: nobody sends any more.
    pub(crate) fn lost(&self, connections: usize, sentence: String) {
        let mut ledger = self.ledger.borrow_mut();
        ledger.faults.disconnected += connections as u64;
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
        for connection in self.connections.borrow().iter().flatten() {
            connection.close(farewell);
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
