//! One core: a thread, its runtime, its connections and its broker.

mod answering;
mod drain;
mod flusher;
mod guard;
mod inbox;
mod sweep;

use std::io;
use std::rc::Rc;
use std::sync::Arc;

use tokio::runtime::{Builder, LocalOptions};
use tokio::task::spawn_local;

pub(crate) use self::sweep::period;
use crate::broker::Bounds;
use crate::connection::{Home, Table};
use crate::handover::{Clock, Inbox, Live, Shutdown};
use crate::limits::Budget;

/// What a shard is made of, put together by the server and sent to the shard's thread.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Its number, for logs.
    pub(crate) number: usize,
    /// Where its arrivals land.
    pub(crate) inbox: Inbox,
    /// What its broker may use.
    pub(crate) bounds: Bounds,
    /// What its connections may use, which may change.
    pub(crate) live: Live,
    /// `--clients`, of all shards together.
    pub(crate) connections: Option<Arc<Budget>>,
    /// The time.
    pub(crate) clock: Clock,
    /// Tells that the drain begins.
    pub(crate) shutdown: Shutdown,
}

/// What the tasks of one shard share.
struct Shard {
    /// Its number, for logs.
    number: usize,
    /// Its topics and connections.
    home: Rc<Home>,
    /// What its connections may use, which may change.
    live: Live,
    /// The time.
    clock: Clock,
    /// Tells that the drain begins.
    shutdown: Shutdown,
}

/// What nobody pulled before the broker ended.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Remains {
    /// Jobs left in backlogs.
    pub(crate) backlog_messages: u64,
}

/// Runs a shard on this thread until it has drained. `ready` is called once it runs.
pub(crate) fn run(plan: Plan, ready: impl FnOnce()) -> io::Result<Remains> {
    // no timer: the clock ticks for all shards
    let runtime = Builder::new_current_thread().enable_io().build_local(LocalOptions::default())?;
    Ok(runtime.block_on(async move {
        ready();
        let Plan { number, inbox, bounds, live, connections, clock, shutdown } = plan;
        let settings = live.kept();
        let limits = &settings.limits;
        let home = Home::new(Table::new(number, bounds, limits, connections), limits);
        let shard = Rc::new(Shard { number, home, live, clock, shutdown });
        let flusher = flusher::run(Rc::clone(&shard.home));
        spawn_local(guard::essential(number, "flusher", flusher));
        spawn_local(guard::essential(number, "sweep", sweep::run(Rc::clone(&shard), settings)));
        inbox::run(&shard, &inbox).await;
        let remains = drain::run(&shard, &inbox).await;
        shard.shutdown.shard_ended();
        remains
    }))
}
