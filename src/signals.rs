//! What asks a program to do something.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Signals of some kinds.
pub(crate) struct Signals(Vec<(SignalKind, Signal)>);

impl Signals {
    /// From here on none of these ends us by itself.
    pub(crate) fn new(kinds: &[SignalKind]) -> io::Result<Self> {
        let each = kinds.iter().map(|kind| Ok((*kind, signal(*kind)?)));
        each.collect::<io::Result<_>>().map(Self)
    }

    /// The next of them; may be given up at any time.
    pub(crate) async fn next(&mut self) -> SignalKind {
        poll_fn(|cx| {
            let mut each = self.0.iter_mut();
            let came =
                each.find_map(|(kind, signal)| signal.poll_recv(cx).is_ready().then_some(*kind));
            came.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}
