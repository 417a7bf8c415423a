//! The whole broker: every long-lived thing is started here, and nowhere else.

mod adjustable;
mod certificates;
mod descriptors;
mod error;

use std::cell::RefCell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::time::{Instant, SystemTime};
use std::{thread, vec};

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::oneshot;

use self::adjustable::Adjustable;
use self::certificates::{identity, start_keeper};
use crate::broker::Bounds;
use crate::config::cores::{self, Plan};
use crate::config::{Config, Listen};
use crate::handover::{
    Clock, Identity, Inbox, Keeper, Live, Pendulum, Router, Shutdown, Turnstile,
};
use crate::heap::Heap;
use crate::http::admin::{self, Desk, Watch};
use crate::http::{self, Demo, Door, Entrance, Handshakes, Times, Visits};
use crate::limits::Budget;
use crate::memory::Meter;
use crate::metrics::{Counters, Metrics};
use crate::shard::{self, Remains};
use crate::socket::{self, Listener, Opened, SocketFile};

pub use self::error::StartError;
pub use crate::socket::{Inherited, InheritedError};

/// A running broker. Dropping it begins to drain it without waiting; [`Server::drain`] waits.
#[derive(Debug)]
pub struct Server {
    urls: Vec<String>,
    /// Of Unix sockets; removed when nobody accepts any more.
    files: Vec<SocketFile>,
    /// The listener for operators.
    admin: Option<Admin>,
    pins: Plan,
    metrics: Metrics,
    descriptors: usize,
    adjustable: Adjustable,
    shutdown: Shutdown,
    /// The clock's thread; it ends by itself when nobody looks at the clock any more.
    clock: Option<thread::Thread>,
    /// The time that it shows to the shards.
    time: Clock,
    /// Told when a shard's thread has drained.
    shards: Vec<oneshot::Receiver<Remains>>,
    /// Told when an acceptor's thread has ended.
    acceptors: Vec<oneshot::Receiver<()>>,
    /// The thread that looks after certificates, if there are any: told to read them again, it ends
    /// when this is dropped.
    keeper: Option<mpsc::Sender<()>>,
}

/// The thread that answers operators, until all others have ended.
#[derive(Debug)]
struct Admin {
    url: String,
    /// Dropped to end it.
    end: oneshot::Sender<()>,
    /// Told when it has ended.
    ended: oneshot::Receiver<()>,
    /// Of its Unix socket; removed behind it.
    _file: Option<SocketFile>,
}

/// How a drain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections cut at the deadline.
    pub cut: u64,
    /// Bytes in their outbound.
    pub cut_bytes: u64,
    /// Jobs that nobody pulled.
    pub backlog_messages: u64,
}

/// What every thread is given.
struct Ground {
    router: Router,
    /// Where the threads that are yet to be started will count.
    counters: vec::IntoIter<Arc<Counters>>,
    shutdown: Shutdown,
    clock: Clock,
    live: Live,
    /// What all shards share, acceptors the memory of it.
    bounds: Bounds,
    bodies: Arc<Budget>,
    descriptors: Arc<Budget>,
    turnstile: Arc<Turnstile>,
    /// The first thread that cannot start says so here, the others that they did.
    ready: mpsc::Sender<Result<(), StartError>>,
}

impl Ground {
    /// What operators see of the broker.
    fn watch(&self, metrics: &Metrics, config: &Config) -> Watch {
        Watch {
            metrics: metrics.clone(),
            clock: self.clock.clone(),
            inboxes: self.router.inboxes(),
            shutdown: self.shutdown.clone(),
            descriptors: Arc::clone(&self.descriptors),
            memory_max: config.limits.memory_bytes_max,
            started: SystemTime::now(),
        }
    }
}

impl Server {
    /// Whether it could start with these settings, as far as can be seen without listening: whether
    /// they fit each other, and whether certificates and keys can be used.
    pub fn check(config: &Config) -> Result<(), StartError> {
        check_settings(config)?;
        let mut keeper = Keeper::new(Arc::new(Counters::default()));
        config.listen.iter().try_for_each(|listen| identity(listen, &mut keeper).map(drop))
    }

    /// Starts everything; when it returns, connections are accepted.
    pub fn start(config: &Config) -> Result<Self, StartError> {
        Self::start_with(config, Inherited::default())
    }

    /// The same, on sockets that listen already where the configuration says; on all of them where
    /// it says nothing.
    pub fn start_with(config: &Config, mut inherited: Inherited) -> Result<Self, StartError> {
        let config = &Config { listen: inherited.listen(config), ..config.clone() };
        check_settings(config)?;
        let (allowed, reserved) = (descriptors::raise(), descriptors::reserved(config));
        if allowed <= reserved {
            return Err(StartError::Descriptors { allowed, reserved });
        }
        let descriptors = allowed - reserved;
        let mut metrics = Metrics::of_shards(config.shards.get());
        let mut keeper = Keeper::new(metrics.thread());
        let identities = config.listen.iter().map(|listen| identity(listen, &mut keeper));
        let identities = identities.collect::<Result<Vec<_>, _>>()?;
        let mut open = |listen| open(listen, config, &mut inherited);
        let opened = config.listen.iter().map(&mut open).collect::<Result<Vec<_>, _>>()?;
        let of_admin = config.admin.listen.as_ref().map(open).transpose()?;
        inherited.check()?;
        let pins = cores::plan(&config.pin, config.shards);
        let (router, inboxes) = Router::new(config.shards.get());
        let (clock, pendulum) = Clock::new();
        let (ready, started) = mpsc::channel();
        let threads =
            config.shards.get() + config.acceptors.get() + usize::from(of_admin.is_some());
        let mut counters = metrics.shards().to_vec();
        counters.resize_with(threads, || metrics.thread());
        let of_clock = metrics.thread();
        let heap = Heap::new(metrics.clone(), of_clock);
        let mut ground = Ground {
            live: Live::new(config.limits.clone(), config.allow_origin.clone()),
            router,
            counters: counters.into_iter(),
            shutdown: Shutdown::new(config.shards.get()),
            clock,
            bounds: Bounds::new(&config.limits, Arc::new(Counters::default())),
            bodies: Arc::new(Budget::new(config.limits.bodies_budget_max())),
            descriptors: Arc::new(Budget::new(descriptors)),
            turnstile: Arc::new(Turnstile::new(&config.limits)),
            ready,
        };
        // from here on an early return drains what was started
        let mut server = Self {
            urls: opened.iter().map(|opened| opened.url.clone()).collect(),
            files: vec![],
            admin: None,
            pins,
            metrics,
            descriptors,
            adjustable: Adjustable::new(&ground),
            shutdown: ground.shutdown.clone(),
            clock: None,
            time: ground.clock.clone(),
            shards: vec![],
            acceptors: vec![],
            keeper: None,
        };
        server.clock = Some(start_clock(&ground, pendulum, heap)?);
        server.shards = start_shards(config, &server.pins, inboxes, &mut ground)?;
        server.acceptors = start_acceptors(config, &opened, &identities, &mut ground)?;
        server.keeper = start_keeper(keeper)?;
        server.files = opened.into_iter().filter_map(|opened| opened.file).collect();
        server.admin = of_admin
            .map(|opened| {
                let watch = ground.watch(&server.metrics, config);
                start_admin(config, opened, watch, &mut ground)
            })
            .transpose()?;
        started.iter().take(threads).collect::<Result<(), _>>()?;
        Ok(server)
    }

    /// Where it listens, with the ports that the system chose.
    #[must_use]
    pub fn urls(&self) -> &[String] {
        &self.urls
    }

    /// Where it answers operators, likewise.
    #[must_use]
    pub fn admin(&self) -> Option<&str> {
        self.admin.as_ref().map(|admin| admin.url.as_str())
    }

    /// Which CPU each shard runs on.
    #[must_use]
    pub const fn pins(&self) -> &Plan {
        &self.pins
    }

    /// The shard whose loop has been stuck for longest, if one is. A broker that drains must not be
    /// asked: a shard that has ended does not answer either.
    #[must_use]
    pub fn stuck(&self) -> Option<usize> {
        self.metrics.stuck(self.time.ticked()).map(|(shard, _)| shard)
    }

    /// The counters of all threads.
    #[must_use]
    pub const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Sockets that clients may open, all together.
    #[must_use]
    pub const fn descriptors(&self) -> usize {
        self.descriptors
    }

    /// Takes over what may change while it runs, as [`crate::cli::reload()`] lists it; the rest of
    /// the settings must be those that it was started with.
    pub fn adopt(&self, config: &Config) {
        self.adjustable.adopt(config);
        if let Some(keeper) = &self.keeper
            && keeper.send(()).is_err()
        {
            tracing::error!("nobody looks after the certificates any more");
        }
    }

    /// Stops accepting, delivers what was accepted, says goodbye to everybody, and returns when
    /// the last connection is gone or the time is over.
    pub async fn drain(mut self) -> Drained {
        self.begin_drain();
        let mut backlog_messages = 0;
        for shard in std::mem::take(&mut self.shards) {
            // a shard that panicked has ended the process
            backlog_messages += shard.await.unwrap_or_default().backlog_messages;
        }
        for acceptor in std::mem::take(&mut self.acceptors) {
            acceptor.await.unwrap_or_default();
        }
        if let Some(Admin { end, ended, .. }) = self.admin.take() {
            drop(end);
            ended.await.unwrap_or_default();
        }
        Drained {
            cut: self.metrics.sum(|counters| &counters.drain_cut),
            cut_bytes: self.metrics.sum(|counters| &counters.drain_cut_bytes),
            backlog_messages,
        }
    }

    fn begin_drain(&mut self) {
        // before the listeners close: another broker may be waiting for the path
        self.files.clear();
        self.shutdown.begin();
        if let Some(clock) = &self.clock {
            clock.unpark();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.begin_drain();
    }
}

/// Listens there, on a socket that does so already where there is one.
fn open(listen: &Listen, config: &Config, inherited: &mut Inherited) -> Result<Opened, StartError> {
    let claimed = inherited.claim(listen, &config.limits).transpose();
    let opened =
        claimed.unwrap_or_else(|| socket::open(listen, config.accept_backlog, &config.limits));
    opened.map_err(|source| StartError::Listen { url: listen.url.clone(), source })
}

/// What the next thread counts in.
fn next(counters: &mut vec::IntoIter<Arc<Counters>>) -> Arc<Counters> {
    counters.next().expect("there are as many as threads")
}

/// The clock is one thread that ticks for all shards, and looks after the heap of all.
fn start_clock(
    ground: &Ground,
    pendulum: Pendulum,
    mut heap: Heap,
) -> Result<thread::Thread, StartError> {
    let (live, shutdown) = (ground.live.clone(), ground.shutdown.clone());
    let clock = thread::Builder::new()
        .name("clock".to_owned())
        .spawn(move || {
            let look = || heap.look(Instant::now());
            let period = || shard::period(&live.now().limits);
            or_abort("clock", || pendulum.swing(period, &shutdown, look));
        })
        .map_err(|source| StartError::Thread { what: "clock".to_owned(), source })?;
    Ok(clock.thread().clone())
}

/// A shard is one thread; its number is its name and decides its CPU.
fn start_shards(
    config: &Config,
    pins: &Plan,
    inboxes: Vec<Inbox>,
    ground: &mut Ground,
) -> Result<Vec<oneshot::Receiver<Remains>>, StartError> {
    let limits = &config.limits;
    let connections = limits.connections_max.map(|max| Arc::new(Budget::new(max)));
    let mut ended = vec![];
    for (number, inbox) in inboxes.into_iter().enumerate() {
        let plan = shard::Plan {
            number,
            inbox,
            bounds: ground.bounds.shared_with(next(&mut ground.counters)),
            live: ground.live.clone(),
            connections: connections.clone(),
            clock: ground.clock.clone(),
            shutdown: ground.shutdown.clone(),
        };
        let cpu = pins.cpus[number];
        let ready = ground.ready.clone();
        ended.push(start_thread(format!("shard-{number}"), ready, move |ready| {
            if let Some(cpu) = cpu
                && !core_affinity::set_for_current(core_affinity::CoreId { id: cpu })
            {
                tracing::warn!(shard = number, cpu, "cannot pin the shard to its CPU");
            }
            shard::run(plan, ready)
        })?);
    }
    Ok(ended)
}

/// Whether the settings fit each other.
fn check_settings(config: &Config) -> Result<(), StartError> {
    config.limits.check()?;
    config.limits.check_memory(config.shards.get() + config.acceptors.get())?;
    config.admin.check()?;
    Ok(())
}

/// An acceptor is one thread with all listeners.
fn start_acceptors(
    config: &Config,
    opened: &[Opened],
    identities: &[Option<Identity>],
    ground: &mut Ground,
) -> Result<Vec<oneshot::Receiver<()>>, StartError> {
    let mut ended = vec![];
    let demo = Demo::in_mode(config.mode);
    for number in 0..config.acceptors.get() {
        let name = format!("acceptor-{number}");
        let copies = opened.iter().map(|opened| opened.bound.try_clone());
        let copies = copies
            .collect::<io::Result<Vec<_>>>()
            .map_err(|source| StartError::Thread { what: name.clone(), source })?;
        let proxied: Vec<_> = config.listen.iter().map(|listen| listen.proxied).collect();
        let counters = next(&mut ground.counters);
        let memory = Arc::clone(&ground.bounds.memory);
        let door = Door {
            router: RefCell::new(Some(ground.router.clone())),
            live: ground.live.clone(),
            meter: Arc::new(Meter::new(memory, Arc::clone(&counters))),
            counters,
            bodies: Arc::clone(&ground.bodies),
            descriptors: Arc::clone(&ground.descriptors),
            turnstile: Arc::clone(&ground.turnstile),
            proxies: config.proxies.clone(),
            shutdown: ground.shutdown.clone(),
            demo: demo.clone(),
            times: Times::default(),
            visits: Visits::default(),
            handshakes: Handshakes::new(config.acceptors.get()),
        };
        let identities = identities.to_vec();
        ended.push(start_thread(name, ground.ready.clone(), move |ready| {
            let runtime =
                Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
            runtime.block_on(async {
                let entrances = copies.into_iter().zip(proxied).zip(identities);
                let entrances = entrances.map(|((copy, proxied), identity)| {
                    Ok(Entrance { listener: Listener::watch(copy)?, proxied, identity })
                });
                let entrances = entrances.collect::<io::Result<Vec<_>>>()?;
                ready();
                http::serve(Rc::new(door), entrances).await;
                Ok(())
            })
        })?);
    }
    Ok(ended)
}

/// Operators have a thread of their own: nobody whom they look at can keep them waiting.
fn start_admin(
    config: &Config,
    opened: Opened,
    watch: Watch,
    ground: &mut Ground,
) -> Result<Admin, StartError> {
    let Opened { url, bound, file } = opened;
    let (counters, hosts) = (next(&mut ground.counters), config.admin.hosts.clone());
    let desk = Desk::new(counters, watch, ground.router.clone(), hosts);
    let (end, told) = oneshot::channel();
    let ended = start_thread("admin".to_owned(), ground.ready.clone(), move |ready| {
        let runtime =
            Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
        runtime.block_on(async {
            let listener = Listener::watch(bound)?;
            ready();
            // it ends when the other side is gone, without a word
            admin::serve(desk, listener, async { told.await.unwrap_or_default() }).await;
            Ok(())
        })
    })?;
    Ok(Admin { url, end, ended, _file: file })
}

/// Starts a thread that says when it is ready, and what came of it when it ends.
fn start_thread<T: Send + 'static>(
    name: String,
    ready: mpsc::Sender<Result<(), StartError>>,
    run: impl FnOnce(Box<dyn FnOnce()>) -> io::Result<T> + Send + 'static,
) -> Result<oneshot::Receiver<T>, StartError> {
    let (ended, receiver) = oneshot::channel();
    let what = name.clone();
    let body = move || {
        let say = ready.clone();
        // nobody listens once another thread has failed
        let on_ready = Box::new(move || drop(say.send(Ok(()))));
        match or_abort(&what, || run(on_ready)) {
            Ok(result) => drop(ended.send(result)),
            Err(source) => drop(ready.send(Err(StartError::Thread { what, source }))),
        }
    };
    thread::Builder::new()
        .name(name.clone())
        .spawn(body)
        .map_err(|source| StartError::Thread { what: name, source })?;
    Ok(receiver)
}

/// Runs what the broker cannot be without: a panic in it ends the process.
fn or_abort<T>(thread: &str, run: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
        tracing::error!(thread, "panicked, ending");
        std::process::abort();
    })
}
