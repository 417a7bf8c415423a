//! What a panic does: a connection falls alone, a shard in doubt ends the process.
//!
//! A panic inside the broker may leave half of a change behind, and a shard that goes on with it
//! would deliver wrongly without a word. A panic while a connection's own bytes are decoded
//! concerns nobody else.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::connection::{Connection, Home};

/// A task that its shard cannot be without: a panic in it ends the process.
pub(super) async fn essential(shard: usize, what: &'static str, task: impl Future<Output = ()>) {
    let mut task = pin!(task);
    poll_fn(|cx| {
        catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(cx))).unwrap_or_else(|_| {
            tracing::error!(shard, what, "panicked: the shard's state is in doubt, ending");
            std::process::abort();
        })
    })
    .await;
}

/// One connection: a panic outside the broker drops it alone. A struct, since an async function
/// would hold the connection twice, and there is one of these per idle client.
pub(super) struct Guarded {
    shard: usize,
    home: Rc<Home>,
    /// `None` once it fell.
    connection: Option<Connection>,
}

impl Guarded {
    /// Guards a connection of this shard.
    pub(super) const fn new(shard: usize, home: Rc<Home>, connection: Connection) -> Self {
        Self { shard, home, connection: Some(connection) }
    }
}

impl Future for Guarded {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { shard, home, connection } = self.get_mut();
        let Some(task) = connection else { return Poll::Ready(()) };
        if let Ok(poll) = catch_unwind(AssertUnwindSafe(|| Pin::new(task).poll(cx))) {
            return poll;
        }
        end_if_in_doubt(*shard, home);
        tracing::error!(shard, "a connection panicked and was dropped");
        home.table.borrow().counters().panics.add(1);
        if catch_unwind(AssertUnwindSafe(|| drop(connection.take()))).is_err() {
            end_if_in_doubt(*shard, home);
        }
        Poll::Ready(())
    }
}

fn end_if_in_doubt(shard: usize, home: &Home) {
    if home.table.borrow().broker.is_in_doubt() {
        tracing::error!(shard, "panicked inside the broker: its state is in doubt, ending");
        std::process::abort();
    }
}
