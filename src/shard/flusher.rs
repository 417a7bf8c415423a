//! Gives out what gathered in the batches, a chunk at a time.

use std::future::poll_fn;
use std::rc::Rc;

use tokio::task::yield_now;

use crate::connection::Home;
use crate::faults;
use crate::limits::{FLUSH_LARGE_WRITES, WRITES_PER_TURN_MAX};

/// Runs for as long as its shard.
pub(super) async fn run(home: Rc<Home>) {
    loop {
        poll_fn(|cx| home.table.borrow_mut().poll_jobs(cx)).await;
        faults::pass(faults::Place::Flusher);
        if home.table.borrow().broker.has_writes(FLUSH_LARGE_WRITES) {
            // a large flush takes long: what has arrived by now should be part of it
            yield_now().await;
        }
        while flush(&home) {
            yield_now().await;
        }
    }
}

/// One chunk; whether anything is left.
fn flush(home: &Home) -> bool {
    home.table.borrow_mut().flush(WRITES_PER_TURN_MAX)
}
