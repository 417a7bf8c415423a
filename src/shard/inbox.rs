//! Takes what other threads hand over: sockets to join, messages to publish.

use std::future::poll_fn;
use std::io::Write as _;
use std::net::TcpStream;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::task::{spawn_local, yield_now};
use tokio::time::{Instant, sleep, timeout};

use super::guard;
use crate::broker::{NoRoom, Ticket};
use crate::connection::{Home, open};
use crate::handover::{Arrival, Handshake, Inbox, Post, Shutdown};
use crate::limits::{INBOX_TURN_MAX, LINGER_MAX, POST_WAIT_MAX};
use crate::refusal::Refusal;

/// A POST that waits for a budget which other topics use up looks again this often.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Takes arrivals until the drain begins.
pub(super) async fn run(number: usize, inbox: &Inbox, home: &Rc<Home>, shutdown: &Shutdown) {
    let mut begun = pin!(shutdown.begun());
    loop {
        tokio::select! {
            () = inbox.arrived() => {}
            () = &mut begun => return,
        }
        let mut taken = 0;
        while let Some(arrival) = inbox.next() {
            match arrival {
                Arrival::Connection(handshake) => join(number, home, *handshake),
                Arrival::Message(post) => publish(number, home, *post, shutdown),
            }
            taken += 1;
            if taken % INBOX_TURN_MAX == 0 {
                yield_now().await;
            }
        }
    }
}

/// Answers what still arrives once the drain has begun.
pub(super) fn refuse_all(number: usize, inbox: &Inbox, home: &Rc<Home>) {
    while let Some(arrival) = inbox.next() {
        match arrival {
            Arrival::Connection(handshake) => join(number, home, *handshake),
            Arrival::Message(post) => answer(*post, Err(Refusal::draining())),
        }
    }
}

fn join(number: usize, home: &Rc<Home>, handshake: Handshake) {
    match open(home, handshake) {
        Ok(Some(connection)) => {
            spawn_local(guard::connection(number, Rc::clone(home), connection));
        }
        Ok(None) => {}
        Err(refused) => {
            home.table.borrow().counters().refusals.add(1);
            spawn_local(turn_away(refused.socket, refused.refusal.response(refused.json)));
        }
    }
}

/// Says no on a socket that is not a connection, and lingers so that the answer survives.
async fn turn_away(mut socket: TcpStream, response: Vec<u8>) {
    // an empty socket takes a short answer or is gone; there is nobody to tell then
    if socket.write_all(&response).is_err() || socket.shutdown(std::net::Shutdown::Write).is_err() {
        return;
    }
    let Ok(mut stream) = tokio::net::TcpStream::from_std(socket) else { return };
    let mut dropped = [0; 512];
    let rest = async { while stream.read(&mut dropped).await.is_ok_and(|count| count > 0) {} };
    if timeout(LINGER_MAX, rest).await.is_err() {
        tracing::debug!("a refused client kept sending");
    }
}

fn publish(number: usize, home: &Rc<Home>, post: Post, shutdown: &Shutdown) {
    let table = &mut *home.table.borrow_mut();
    let Post { pattern, topic, kind, body, .. } = &post;
    let outcome = table.broker.post(*pattern, topic, *kind, body);
    table.poke();
    match outcome {
        Ok(Ok(())) => answer(post, Ok(())),
        Ok(Err(_)) => {
            let waiting = wait_for_room(Rc::clone(home), post, shutdown.clone());
            spawn_local(guard::essential(number, "waiting POST", waiting));
        }
        Err(_) => {
            table.counters().topics_full.add(1);
            answer(post, Err(Refusal::topics_full()));
        }
    }
}

/// A POST whose topic is full waits a while, like a publisher that is not read.
async fn wait_for_room(home: Rc<Home>, post: Post, shutdown: Shutdown) {
    let deadline = Instant::now() + POST_WAIT_MAX;
    let mut begun = pin!(shutdown.begun());
    loop {
        let Post { pattern, topic, kind, body, .. } = &post;
        let outcome = {
            let table = &mut *home.table.borrow_mut();
            let outcome = table.broker.post(*pattern, topic, *kind, body);
            table.poke();
            outcome
        };
        let no_room = match outcome {
            Ok(Ok(())) => return answer(post, Ok(())),
            Ok(Err(no_room)) => no_room,
            Err(_) => {
                home.table.borrow().counters().topics_full.add(1);
                return answer(post, Err(Refusal::topics_full()));
            }
        };
        if Instant::now() >= deadline {
            return answer(post, Err(full(no_room, &home)));
        }
        let look_again = sleep(LOOK_AGAIN.min(deadline - Instant::now()));
        tokio::select! {
            () = room(&home, no_room) => {}
            () = look_again => {}
            () = &mut begun => return answer(post, Err(Refusal::draining())),
        }
    }
}

/// Waits in the topic's row until there may be room.
async fn room(home: &Home, no_room: NoRoom) {
    let mut place = Place { home, ticket: None };
    poll_fn(|cx| {
        let broker = &mut home.table.borrow_mut().broker;
        match place.ticket {
            Some(ticket) if broker.is_waiting(ticket) => Poll::Pending,
            Some(_) => Poll::Ready(()),
            None => {
                place.ticket = Some(broker.line_up(no_room, cx.waker().clone()));
                Poll::Pending
            }
        }
    })
    .await;
}

/// A place in a row, given back when the wait ends, however it ends.
struct Place<'a> {
    home: &'a Home,
    ticket: Option<Ticket>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.home.table.borrow_mut().broker.step_out(ticket);
        }
    }
}

fn full(no_room: NoRoom, home: &Home) -> Refusal {
    let table = home.table.borrow();
    let seconds = POST_WAIT_MAX.as_secs();
    if no_room.is_backlog() {
        table.counters().backlog_full.add(1);
        let message = format!("no puller took a job for {seconds} seconds and the backlog is full");
        return Refusal::new(503, "backlog-full", message);
    }
    table.counters().batch_full.add(1);
    let message = format!("the topic had no room for {seconds} seconds");
    Refusal::new(503, "topic-busy", message)
}

fn answer(post: Post, outcome: Result<(), Refusal>) {
    if post.answer.send(outcome).is_err() {
        tracing::debug!(topic = %post.topic, "the sender of a POST did not wait for its answer");
    }
}
