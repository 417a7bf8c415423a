//! The listener for those who run the broker: how it is, and what it counts.
//!
//! It has a thread of its own, which no shard and no acceptor waits for, and goes on answering
//! while the broker drains.

mod clerk;
mod exposition;
mod health;
mod host;
mod query;
mod route;
mod shards;
mod survey;
mod watch;

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use self::clerk::Clerk;
pub(crate) use self::watch::Watch;
use super::alarm::Alarm;
use super::visit::read_all;
use super::wire::{Progress, Wire};
use super::{Times, protocol};
use crate::handover::Router;
use crate::limits::{ADMIN_CONNECTIONS_MAX, ADMIN_STALL_MAX, SURVEYS_MAX};
use crate::metrics::Counters;
use crate::socket::{Listener, Socket};

/// What the connections of operators share.
#[derive(Debug)]
pub(crate) struct Desk {
    /// This thread's.
    pub(crate) counters: Arc<Counters>,
    /// What the broker says of itself.
    pub(crate) watch: Watch,
    /// The way to every shard; given up when the drain begins, which the shards wait for.
    pub(crate) router: RefCell<Option<Router>>,
    /// Looks at all topics or connections that there is a place for.
    pub(crate) surveys: Semaphore,
    /// `--admin-host`.
    pub(crate) hosts: Vec<String>,
    /// How long to wait for what.
    pub(crate) times: Times,
}

impl Desk {
    /// A desk that may ask those whom the router leads to, called by one of these hosts.
    pub(crate) fn new(
        counters: Arc<Counters>,
        watch: Watch,
        router: Router,
        hosts: Vec<String>,
    ) -> Self {
        let router = RefCell::new(Some(router));
        let surveys = Semaphore::new(SURVEYS_MAX);
        Self { counters, watch, router, surveys, hosts, times: Times::default() }
    }
}

/// Serves operators until the end of the broker. Must run on a `LocalRuntime`.
pub(crate) async fn serve(desk: Desk, listener: Listener, end: impl Future<Output = ()>) {
    let desk = Rc::new(desk);
    let accepting = accept(Rc::clone(&desk), listener);
    let parting = async {
        desk.watch.shutdown.begun().await;
        desk.router.take();
        end.await;
    };
    tokio::select! {
        () = parting => {}
        () = accepting => {}
    }
}

/// Accepts for ever. When all places are taken, the others wait in the kernel's row.
async fn accept(desk: Rc<Desk>, listener: Listener) {
    let places = Arc::new(Semaphore::new(ADMIN_CONNECTIONS_MAX));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((socket, _)) => {
                tokio::task::spawn_local(visit(Rc::clone(&desk), socket, place));
            }
            Err(error) => {
                // whatever it is, trying again at once might spin
                tracing::debug!(%error, "cannot accept an operator");
                sleep(desk.times.accept_pause).await;
            }
        }
    }
}

/// Serves one HTTP connection.
async fn visit(desk: Rc<Desk>, mut socket: Socket, _place: OwnedSemaphorePermit) {
    let progress = Rc::new(Progress::default());
    let clerk = Clerk { desk: Rc::clone(&desk), progress: Rc::clone(&progress) };
    let wire = Wire::new(&mut socket, Rc::clone(&progress)).0;
    let driven = protocol().serve_connection(TokioIo::new(wire), clerk);
    if !is_in_time(&desk.times, &progress, driven).await {
        return;
    }
    // a close with unread input sends a reset, which destroys what we said last
    if socket.shutdown().await.is_ok() {
        timeout(desk.times.linger, read_all(&mut socket)).await.unwrap_or_default();
    }
}

/// Runs HTTP until it ends; false when a deadline passed before.
async fn is_in_time<F: Future>(times: &Times, progress: &Progress, driven: F) -> bool {
    let mut driven = pin!(driven);
    let mut phase = progress.phase();
    let mut alarm = Alarm::new(times.head_wait);
    poll_fn(|cx| {
        if driven.as_mut().poll(cx).is_ready() {
            return Poll::Ready(true);
        }
        if progress.is_long() {
            return Poll::Ready(false);
        }
        let now = progress.phase();
        if now != phase {
            phase = now;
            alarm.set(times.due(phase, || ADMIN_STALL_MAX));
        }
        alarm.poll(cx).map(|()| false)
    })
    .await
}
