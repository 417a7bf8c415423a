//! Opens connections: a bounded number of handshakes at once, or so many a second.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};

use crate::connection::{Connection, Opened, Refusal, Target};
use crate::scenario::Plan;
use crate::source::Route;

/// Handshakes at once: enough to be quick, too few to overflow a listen queue.
const HANDSHAKES_MAX: usize = 64;
/// A server that answered no handshake for this long answers none.
pub(crate) const HANDSHAKE_WAIT_MAX: Duration = Duration::from_secs(10);

/// Connections on their way.
pub(crate) struct Arrivals {
    /// To where.
    target: Target,
    /// From where to where, in turn.
    routes: Box<dyn Iterator<Item = Route>>,
    /// What the handshake offers.
    subprotocol: Option<&'static str>,
    /// Whose handshake is not begun yet, the next one first.
    waiting: BinaryHeap<Reverse<Visitor>>,
    /// Handshakes under way.
    handshakes: JoinSet<Arrival>,
}

/// One whose handshake is not begun.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Visitor {
    /// When it may begin.
    at: Instant,
    /// Whose it is.
    number: usize,
    /// Its latency counts from then on, even if it begins later.
    is_due: bool,
}

/// How one handshake ended.
pub(crate) struct Arrival {
    /// Whose it was.
    pub(crate) number: usize,
    /// How long it took: from connecting, or from when it was due at a rate.
    pub(crate) took: Duration,
    /// The connection, or why there is none.
    pub(crate) outcome: Result<Opened, Refusal>,
}

impl Arrivals {
    /// Nobody yet; the error is a sentence.
    pub(crate) async fn new(plan: &Plan, target: &Target) -> Result<Self, String> {
        let address = target.resolve().await.map_err(|error| error.to_string())?;
        Ok(Self {
            target: target.clone(),
            routes: Box::new(plan.sources.routes(address)?),
            subprotocol: plan.server.dialect.subprotocol(),
            waiting: BinaryHeap::new(),
            handshakes: JoinSet::new(),
        })
    }

    /// This one is to connect: when it is due, which its latency counts from, or else as soon as
    /// there is room for a handshake.
    pub(crate) fn invite(&mut self, number: usize, due: Option<Instant>) {
        let at = due.unwrap_or_else(Instant::now);
        self.waiting.push(Reverse(Visitor { at, number, is_due: due.is_some() }));
    }

    /// The next one whose handshake has ended; none if nobody is to come any more. Nothing is lost
    /// when this is dropped before.
    pub(crate) async fn next(&mut self, plan: &Plan) -> Option<Arrival> {
        loop {
            self.begin(plan);
            let has_room = self.handshakes.len() < HANDSHAKES_MAX;
            let next = self.waiting.peek().filter(|_| has_room);
            let due = next.map(|Reverse(visitor)| visitor.at);
            tokio::select! {
                Some(arrival) = self.handshakes.join_next() => {
                    return Some(arrival.expect("a handshake does not panic"));
                }
                () = until(due), if due.is_some() => {}
                else => return None,
            }
        }
    }

    /// Begins the handshakes that are due, as far as there is room.
    fn begin(&mut self, plan: &Plan) {
        while self.handshakes.len() < HANDSHAKES_MAX {
            let now = Instant::now();
            let Some(Reverse(next)) =
                self.waiting.peek_mut().filter(|next| next.0.at <= now).map(PeekMut::pop)
            else {
                return;
            };
            let Visitor { at, number, is_due } = next;
            let since = if is_due { at } else { now };
            let (target, path) = (self.target.clone(), plan.path(number));
            let route = self.routes.next().expect("routes go on for ever");
            let subprotocol = self.subprotocol;
            self.handshakes.spawn_local(async move {
                let handshake = Connection::open(&target, route, &path, subprotocol);
                let outcome = timeout(HANDSHAKE_WAIT_MAX, handshake).await;
                let outcome = outcome.unwrap_or_else(|_| {
                    Err(Refusal::Broken("no answer to a handshake within 10 s".to_owned()))
                });
                Arrival { number, took: since.elapsed(), outcome }
            });
        }
    }
}

/// Until the next one is due; tokio's millisecond is a part of the latency at a rate.
async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}
