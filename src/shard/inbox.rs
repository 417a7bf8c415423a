//! Takes what other threads hand over: sockets to join, messages to publish.

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Instant;

use tokio::io::AsyncReadExt;
use tokio::task::{spawn_local, yield_now};

use super::guard::{self, Guarded};
use super::{Shard, answering};
use crate::broker::{NoRoom, Ticket};
use crate::code::RefusalCode;
use crate::connection::{Home, open};
use crate::grouped::Grouped;
use crate::handover::{Arrival, Clock, Descriptor, Handshake, Inbox, Post};
use crate::limits::{INBOX_TURN_MAX, LINGER_MAX, POST_WAIT_MAX};
use crate::refusal::Refusal;
use crate::socket::{Detached, Socket};

/// Takes arrivals until the drain begins.
pub(super) async fn run(shard: &Rc<Shard>, inbox: &Inbox) {
    let mut begun = pin!(shard.shutdown.begun());
    loop {
        tokio::select! {
            () = inbox.arrived() => {}
            () = &mut begun => return,
        }
        let mut taken = 0;
        while let Some(arrival) = inbox.next() {
            match arrival {
                Arrival::Connection(handshake) => join(shard, *handshake),
                Arrival::Message(post) => publish(shard, *post),
                Arrival::Question(question) => answering::hear(shard, *question),
            }
            taken += 1;
            if taken % INBOX_TURN_MAX == 0 {
                yield_now().await;
                if shard.shutdown.has_begun() {
                    return;
                }
            }
        }
    }
}

/// Answers what still arrives once the drain has begun.
pub(super) fn refuse_all(shard: &Rc<Shard>, inbox: &Inbox) {
    while let Some(arrival) = inbox.next() {
        match arrival {
            Arrival::Connection(handshake) => join(shard, *handshake),
            Arrival::Message(post) => answer(*post, Err(Refusal::draining())),
            // who asked hears that nobody answers any more
            Arrival::Question(_) => {}
        }
    }
}

fn join(shard: &Rc<Shard>, handshake: Handshake) {
    let Shard { number, home, clock, .. } = &**shard;
    match open(home, handshake) {
        Ok(Some(connection)) => {
            spawn_local(Guarded::new(*number, Rc::clone(home), connection));
        }
        Ok(None) => {}
        Err(refused) => {
            refused.refusal.count(home.table.borrow().counters());
            refused.refusal.log(refused.peer);
            let response = refused.refusal.response(refused.json);
            turn_away(refused.socket, &response, clock, refused.descriptor);
        }
    }
}

/// Says no on a socket that is not a connection. At once, not in a task: a shard that drains may
/// end before it runs another one.
fn turn_away(mut socket: Detached, response: &[u8], clock: &Clock, descriptor: Descriptor) {
    // otherwise there is nobody to tell
    if socket.finish(response).is_ok() {
        spawn_local(linger(socket, clock.clone(), descriptor));
    }
}

/// Reads and drops for a while, so that the answer survives. The socket's descriptor is given back
/// when it is closed.
async fn linger(socket: Detached, clock: Clock, _descriptor: Descriptor) {
    let mut stream = match Socket::watch(socket) {
        Ok(stream) => stream,
        Err(error) => return tracing::warn!(%error, "cannot watch the socket of a refused client"),
    };
    let mut dropped = [0; 512];
    let deadline = Instant::now() + LINGER_MAX;
    while Instant::now() < deadline {
        tokio::select! {
            read = stream.read(&mut dropped) => {
                if !read.is_ok_and(|count| count > 0) {
                    return;
                }
            }
            _ = clock.tick() => {}
        }
    }
}

fn publish(shard: &Rc<Shard>, post: Post) {
    match attempt(&shard.home, &post) {
        Ok(Ok(())) => answer(post, Ok(())),
        Ok(Err(_)) => {
            shard.home.table.borrow().counters().publisher_waits.add(1);
            let waiting = wait_for_room(Rc::clone(shard), post);
            spawn_local(guard::essential(shard.number, "waiting POST", waiting));
        }
        Err(refusal) => answer(post, Err(refusal)),
    }
}

/// Publishes if there is room; otherwise says where to wait for it.
fn attempt(home: &Home, post: &Post) -> Result<Result<(), NoRoom>, Refusal> {
    let table = &mut *home.table.borrow_mut();
    let Post { pattern, topic, kind, body, .. } = post;
    if table.is_short_of_memory() {
        return Err(Refusal::memory_full());
    }
    let mut outcome = table.broker.post(*pattern, topic, *kind, body);
    if let Ok(Err(no_room)) = outcome
        && let Some(missing) = no_room.memory_bytes()
    {
        // it is held meanwhile
        let missing = missing + body.len();
        if missing > table.memory_bytes_max() {
            return Err(never(body.len(), missing));
        }
        if table.shed(missing - body.len()) {
            outcome = table.broker.post(*pattern, topic, *kind, body);
        }
    }
    table.poke();
    if let Ok(Err(no_room)) = outcome
        && no_room.memory_bytes().is_some()
    {
        // waiting would hold what there is too little of
        return Err(Refusal::memory_full());
    }
    outcome.map_err(|_| Refusal::topics_full())
}

/// No shedding makes room for a message that is for too many levels.
fn never(bytes: usize, missing: usize) -> Refusal {
    let (bytes, missing) = (Grouped(bytes), Grouped(missing));
    let message = format!(
        "body of {bytes} bytes takes {missing}, with a copy for each level that is heard: more \
         than --memory-max"
    );
    Refusal::new(RefusalCode::BodyTooLong, message)
}

/// A POST whose topic is full waits a while, like a publisher that is not read. It is given up
/// once nobody waits for its answer.
async fn wait_for_room(shard: Rc<Shard>, mut post: Post) {
    let deadline = Instant::now() + POST_WAIT_MAX;
    let mut begun = pin!(shard.shutdown.begun());
    let mut place = Place { home: &shard.home, ticket: None };
    loop {
        let no_room = match attempt(&shard.home, &post) {
            Ok(Ok(())) => return answer(post, Ok(())),
            Ok(Err(no_room)) => no_room,
            Err(refusal) => return answer(post, Err(refusal)),
        };
        if Instant::now() >= deadline {
            return answer(post, Err(full(no_room)));
        }
        tokio::select! {
            biased;
            () = post.answer.closed() => {
                return shard.home.table.borrow().counters().publisher_hangups.add(1);
            }
            () = place.room(no_room) => {}
            // a budget that other topics use up may have room by now
            _ = shard.clock.tick() => {}
            () = &mut begun => return answer(post, Err(Refusal::draining())),
        }
    }
}

/// A place in a topic's row, given back when the wait ends, however it ends.
struct Place<'a> {
    home: &'a Home,
    ticket: Option<Ticket>,
}

impl Place<'_> {
    /// Waits until there may be room; lines up unless it still stands in the row.
    async fn room(&mut self, no_room: NoRoom) {
        let mut is_new = true;
        poll_fn(|cx| {
            let broker = &mut self.home.table.borrow_mut().broker;
            if self.ticket.is_some_and(|ticket| broker.is_waiting(ticket)) {
                return Poll::Pending;
            }
            if !std::mem::take(&mut is_new) {
                return Poll::Ready(());
            }
            self.ticket = Some(broker.line_up(no_room, cx.waker().clone()));
            Poll::Pending
        })
        .await;
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.home.table.borrow_mut().broker.step_out(ticket);
        }
    }
}

fn full(no_room: NoRoom) -> Refusal {
    let seconds = POST_WAIT_MAX.as_secs();
    if no_room.is_backlog() {
        let message = format!(
            "no puller took a job for {seconds} seconds and a backlog is full: the topic's own, \
             or that of all topics together"
        );
        return Refusal::new(RefusalCode::BacklogFull, message);
    }
    let message = format!("the topic had no room for {seconds} seconds");
    Refusal::new(RefusalCode::TopicBusy, message)
}

fn answer(post: Post, outcome: Result<(), Refusal>) {
    if post.answer.send(outcome).is_err() {
        tracing::debug!(
            topic = post.topic.name(),
            "the sender of a POST did not wait for its answer"
        );
    }
}
