//! One core: a thread, its runtime, its connections and its broker.

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

use crate::broker::Bounds;
use crate::connection::{Home, Table};
use crate::handover::{Inbox, Shutdown};
use crate::limits::{Budget, Limits};

/// What a shard is made of, put together by the server and sent to the shard's thread.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Its number, for logs.
    pub(crate) number: usize,
    /// Where its arrivals land.
    pub(crate) inbox: Inbox,
    /// What its broker may use.
    pub(crate) bounds: Bounds,
    /// What its connections may use.
    pub(crate) limits: Limits,
    /// `--clients`, of all shards together.
    pub(crate) connections: Option<Arc<Budget>>,
    /// Tells the end of the inbox's patience.
    pub(crate) shutdown: Shutdown,
}

/// Topics whose jobs nobody pulled before the broker ended.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Remains {
    /// Jobs left in backlogs.
    pub(crate) backlog_messages: u64,
}

/// Runs a shard on this thread until it has drained. `ready` is called once it runs.
pub(crate) fn run(plan: Plan, ready: impl FnOnce()) -> io::Result<Remains> {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    Ok(runtime.block_on(async move {
        ready();
        let Plan { number, inbox, bounds, limits, connections, shutdown } = plan;
        let home = Home::new(Table::new(bounds, &limits, connections), &limits);
        spawn_local(guard::essential(number, "flusher", flusher::run(Rc::clone(&home))));
        spawn_local(guard::essential(
            number,
            "sweep",
            sweep::run(Rc::clone(&home), limits.clone()),
        ));
        inbox::run(number, &inbox, &home, &shutdown).await;
        drain::run(number, &inbox, &home, &limits).await
    }))
}
