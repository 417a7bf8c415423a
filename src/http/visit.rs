//! One HTTP connection: from accept until it closes or becomes a WebSocket.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use hyper::server::conn::http1::Connection;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::tcp::WriteHalf;
use tokio::time::timeout;

use super::alarm::Alarm;
use super::answer::Denial;
use super::porter::Porter;
use super::publish::inbox_full;
use super::upgrade::Upgrade;
use super::wire::{Phase, Progress, Wire};
use super::{Door, Guest, protocol};
use crate::code::RefusalCode;
use crate::grouped::Grouped;
use crate::handover::{Arrival, Descriptor, Handshake, InboxFull};
use crate::limits::REQUEST_LINE_BYTES_MAX;
use crate::refusal::Refusal;
use crate::socket::{PeerAddress, Socket};

/// Read and dropped at a time while lingering.
const LINGER_BYTES: usize = 4096;

/// hyper, driving one socket.
type Driven<'a> = Connection<TokioIo<Wire<'a>>, Porter>;

/// How the HTTP part of a connection ended.
enum End {
    /// A checked handshake; its socket can be taken.
    Upgrade(Box<Upgrade>),
    /// hyper is done, with an error or without.
    Over(hyper::Result<()>),
    /// The deadline of this phase passed.
    Late(Phase),
    /// The socket failed while a shard had the request: a reset, mostly.
    Gone,
    /// The shards have ended, and no request is on its way, nor likely to be.
    Drained,
    /// The first line of a head is longer than we read.
    Long,
    /// The drain has begun, and a head is on its way: no matter what it asks for.
    Broken,
}

/// Serves one HTTP connection.
pub(super) async fn visit(guest: Guest, socket: Socket, peer: PeerAddress, descriptor: Descriptor) {
    // a local is dropped first: the socket is closed before its descriptor is given back
    let mut socket = socket;
    let door = &*guest.0;
    let progress = Rc::new(Progress::default());
    let is_tls = socket.is_tls();
    let porter = Porter { door: Rc::clone(&guest.0), progress: Rc::clone(&progress), peer, is_tls };
    let (wire, watched) = Wire::new(&mut socket, Rc::clone(&progress));
    let mut driven = protocol().serve_connection(TokioIo::new(wire), porter);
    match drive(door, &mut driven, &progress, &watched).await {
        End::Upgrade(upgrade) => {
            let rest = rest(driven);
            // behind that stands what hyper has not asked for
            let plain = socket.take_plain();
            let rest = if plain.is_empty() { rest } else { [rest, plain.into()].concat().into() };
            hand_over(door, socket, rest, *upgrade, descriptor).await;
        }
        End::Over(Err(error)) if error.is_parse_version_h2() && progress.is_flushed() => {
            let message = "HTTP/2 is not spoken here, HTTP/1.1 is";
            drop(driven);
            refuse(door, socket, &Denial::new(RefusalCode::HttpVersion, message)).await;
        }
        End::Over(result) => {
            if result.is_err_and(|error| error.is_parse()) {
                door.counters.refusals.bare.add(1);
            }
            if shut(door, &mut driven, &progress).await && !progress.has_ended() {
                drop(driven);
                linger(door, socket).await;
            }
        }
        End::Late(Phase::Writing(_)) => door.counters.write_stalls.add(1),
        End::Late(_) => {
            let rest = rest(driven);
            expire(door, socket, &rest, &progress).await;
        }
        End::Gone | End::Drained => (),
        End::Long => {
            drop(driven);
            refuse(door, socket, &long()).await;
        }
        End::Broken => {
            drop(driven);
            refuse(door, socket, &Refusal::draining().into()).await;
        }
    }
}

/// Runs HTTP until it ends one way or another.
async fn drive(
    door: &Door,
    driven: &mut Driven<'_>,
    progress: &Progress,
    watched: &WriteHalf<'_>,
) -> End {
    let mut phase = progress.phase();
    let mut alarm = Alarm::new(door.times.head_wait);
    // polled until it waits, so that its end wakes us; asked by a load, which is cheaper
    let mut over = pin!(door.shutdown.over());
    let mut listens = false;
    let mut failed = pin!(None);
    let mut is_hurried = false;
    poll_fn(|cx| {
        let polled = driven.poll_without_shutdown(cx);
        if let Some(upgrade) = progress.take_parked() {
            return Poll::Ready(End::Upgrade(upgrade));
        }
        if let Poll::Ready(result) = polled {
            return Poll::Ready(End::Over(result));
        }
        if progress.is_sent_off() {
            // hyper would not notice. The end of input is no failure: who waits may say no more
            if failed.is_none() {
                failed.set(Some(watched.ready(Interest::ERROR)));
            }
            if failed.as_mut().as_pin_mut().is_some_and(|failed| failed.poll(cx).is_ready()) {
                return Poll::Ready(End::Gone);
            }
        } else {
            failed.set(None);
        }
        if !listens {
            // one that has ended must not be polled again
            listens = over.as_mut().poll(cx).is_ready() || door.shutdown.has_begun();
        }
        if door.shutdown.is_over() && progress.is_idle() {
            if progress.phase() != Phase::First {
                return Poll::Ready(End::Drained);
            }
            if !std::mem::replace(&mut is_hurried, true) {
                alarm.hasten(door.times.head_wait.saturating_sub(door.times.newcomer_wait));
            }
        }
        if progress.is_long() && progress.is_flushed() {
            return Poll::Ready(End::Long);
        }
        let now = progress.phase();
        if door.shutdown.has_begun() && progress.has_part() {
            return Poll::Ready(End::Broken);
        }
        if now != phase {
            phase = now;
            let stall = || door.live.now().limits.write_stall_max;
            alarm.set(door.times.due(phase, stall));
        }
        let is_drained = is_hurried && phase == Phase::First;
        alarm.poll(cx).map(|()| if is_drained { End::Drained } else { End::Late(phase) })
    })
    .await
}

/// Sends the socket to its home shard, which answers the handshake.
async fn hand_over(
    door: &Door,
    socket: Socket,
    left_over: Bytes,
    upgrade: Upgrade,
    mut descriptor: Descriptor,
) {
    let Upgrade { role, topic, echo, accept, json, client: peer, place } = upgrade;
    if place.is_some() {
        descriptor.keep(place);
    }
    let socket = match socket.detach() {
        Ok(socket) => socket,
        Err(error) => return tracing::warn!(%peer, %error, "cannot hand over a socket"),
    };
    let home = topic.clone();
    let handshake =
        Handshake { socket, left_over, descriptor, peer, role, topic, echo, accept, json };
    let arrival = Arrival::Connection(Box::new(handshake));
    let sent = door.send(role.pattern(), &home, arrival);
    if let Err(InboxFull(Arrival::Connection(handshake))) = sent {
        let denial = inbox_full(door);
        denial.refusal.count(&door.counters);
        let Ok(socket) = Socket::watch(handshake.socket) else { return };
        say(door, socket, &denial.refusal, handshake.json).await;
    }
}

/// No head came in time: says so if a part of it did.
async fn expire(door: &Door, socket: Socket, part: &[u8], progress: &Progress) {
    if progress.phase() == Phase::Idle && part.is_empty() {
        return;
    }
    if part.is_empty() {
        door.counters.head_timeouts.add(1);
    } else {
        let message = format!("the rest of the head did not come in {:?}", door.times.head_wait);
        let denial = Denial::new(RefusalCode::HeadTimeout, message);
        denial.refusal.count(&door.counters);
        say(door, socket, &denial.refusal, false).await;
    }
}

/// A first line that is over its limit.
fn long() -> Denial {
    let max = Grouped(REQUEST_LINE_BYTES_MAX);
    Denial::new(RefusalCode::TargetTooLong, format!("the request line is more than {max} bytes"))
}

/// Turns down what hyper has not made a request of.
pub(super) async fn refuse(door: &Door, socket: Socket, denial: &Denial) {
    denial.refusal.count(&door.counters);
    say(door, socket, &denial.refusal, false).await;
}

/// Lets hyper write its last words and shut down the write side; whether that was in time.
async fn shut(door: &Door, driven: &mut Driven<'_>, progress: &Progress) -> bool {
    let shut = async {
        while !progress.is_shut() {
            if Pin::new(&mut *driven).await.is_err() {
                break;
            }
        }
    };
    timeout(door.live.now().limits.write_stall_max, shut).await.is_ok()
}

/// Writes a refusal past hyper and closes the connection.
async fn say(door: &Door, mut socket: Socket, refusal: &Refusal, json: bool) {
    let words = refusal.response(json);
    let written = timeout(door.live.now().limits.write_stall_max, socket.write_all(&words)).await;
    if matches!(written, Ok(Ok(()))) && socket.shutdown().await.is_ok() {
        linger(door, socket).await;
    }
}

/// Reads and drops for a while: a close with unread input sends a reset, which destroys what we
/// said last.
async fn linger(door: &Door, mut socket: Socket) {
    // what has not come by then is lost: the bound is the point
    timeout(door.times.linger, read_all(&mut socket)).await.unwrap_or_default();
}

/// Reads and drops until the peer sends no more.
pub(super) async fn read_all(socket: &mut Socket) {
    let mut scratch = vec![0; LINGER_BYTES];
    while matches!(socket.read(&mut scratch).await, Ok(1..)) {}
}

/// What hyper read and did not use. hyper lets go of the socket.
fn rest(driven: Driven<'_>) -> Bytes {
    let rest = driven.into_parts().read_buf;
    // an empty rest would keep hyper's whole buffer alive
    if rest.is_empty() { Bytes::new() } else { rest }
}
