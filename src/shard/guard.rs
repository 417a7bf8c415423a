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

// with what tokio adds, a task takes 256 bytes; any more, and its alignment would make it 384
const _: () = assert!(size_of::<Guarded<Connection>>() <= 144);

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
pub(super) struct Guarded<T> {
    shard: usize,
    home: Rc<Home>,
    /// `None` once it fell.
    connection: Option<T>,
}

impl<T> Guarded<T> {
    /// Guards a connection of this shard.
    pub(super) const fn new(shard: usize, home: Rc<Home>, connection: T) -> Self {
        Self { shard, home, connection: Some(connection) }
    }
}

impl<T: Future<Output = ()> + Unpin> Future for Guarded<T> {
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::ready;
    use std::ops::Range;
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::{Command, Stdio};
    use std::sync::Arc;

    use super::*;
    use crate::broker::topic::Topic;
    use crate::broker::{Bounds, Kind, MemberId, Pattern, Receivers, Role, Taken};
    use crate::connection::Table;
    use crate::limits::Limits;
    use crate::metrics::Counters;
    use crate::outbound::Batch;

    /// Says to the test binary, run once more, that it is the process to end.
    const CHILD: &str = "MERCURY_TEST_CHILD";
    /// What the kernel calls an abort.
    const SIGABRT: i32 = 6;

    fn home() -> Rc<Home> {
        let limits = Limits::default();
        let bounds = Bounds::new(&limits, Arc::new(Counters::default()));
        Home::new(Table::new(0, bounds, &limits, None), &limits)
    }

    /// A connection that panics when it is polled, and tells when it is dropped.
    struct Panicking<'a>(&'a Cell<bool>);

    impl Future for Panicking<'_> {
        type Output = ();

        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            panic!("on purpose, in a connection");
        }
    }

    impl Drop for Panicking<'_> {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }

    /// Panics in the middle of a fan-out.
    struct Broken;

    impl Receivers for Broken {
        fn fan_out(&mut self, _: MemberId, _: &Batch, _: &[Range<usize>]) {
            panic!("on purpose, in a fan-out");
        }

        fn jobs(&mut self, _: MemberId, _: Vec<u8>) -> Taken {
            panic!("on purpose, in a push");
        }
    }

    /// Runs `doomed` in a process of its own, which must be aborted after saying `last_words`.
    fn aborts(test: &str, last_words: &str, doomed: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        if std::env::var_os(CHILD).is_some() {
            tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
            runtime.block_on(doomed);
            return;
        }
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &format!("shard::guard::tests::{test}"), "--nocapture"])
            .env(CHILD, "1")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.signal(), Some(SIGABRT), "{said}");
        assert!(said.contains(last_words), "{said}");
    }

    #[tokio::test]
    async fn a_connection_that_panics_is_dropped_alone() {
        let home = home();
        let dropped = Cell::new(false);
        Guarded::new(0, Rc::clone(&home), Panicking(&dropped)).await;
        assert!(dropped.get());
        assert_eq!(home.table.borrow().counters().panics.value(), 1);
        assert!(!home.table.borrow().broker.is_in_doubt());
        Guarded::new(0, Rc::clone(&home), ready(())).await;
        assert_eq!(home.table.borrow().counters().panics.value(), 1);
    }

    #[test]
    fn a_panic_inside_the_broker_ends_the_process() {
        let broken = async {
            let home = home();
            let connection_of_home = Rc::clone(&home);
            let task = Box::pin(async move {
                let broker = &mut connection_of_home.table.borrow_mut().broker;
                let topic = Topic::parse("fry", 100).unwrap();
                broker.join(Role::Subscriber, &topic, false).unwrap();
                broker.post(Pattern::PubSub, &topic, Kind::Text, b"hello").unwrap().unwrap();
                broker.flush(64, &mut Broken);
            });
            Guarded::new(3, home, task).await;
        };
        let last_words = "panicked inside the broker: its state is in doubt, ending shard=3";
        aborts("a_panic_inside_the_broker_ends_the_process", last_words, broken);
    }

    #[test]
    fn a_panic_of_an_essential_task_ends_the_process() {
        let task = essential(5, "flusher", async { panic!("on purpose, in an essential task") });
        let last_words = "the shard's state is in doubt, ending shard=5 what=\"flusher\"";
        aborts("a_panic_of_an_essential_task_ends_the_process", last_words, task);
    }
}
