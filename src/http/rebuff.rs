//! A connection that is turned away before its first request.

use std::rc::Rc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::Door;
use super::answer::Denial;
use super::listener::until_drain;
use super::tls;
use super::visit::read_all;
use crate::handover::Identity;
use crate::refusal::Refusal;
use crate::socket::{PeerAddress, Socket};

/// Read of the request that is refused: enough to know that there is one.
const FIRST_BYTES: usize = 512;

/// Closes a connection that may not come in. Says why, unless so many are being told already that
/// it would cost too much.
pub(super) fn rebuff(
    door: &Rc<Door>,
    socket: Socket,
    identity: Option<Identity>,
    peer: PeerAddress,
    refusal: Refusal,
) {
    let denial = Denial::from(refusal);
    denial.refusal.count(&door.counters);
    let Some(descriptor) = door.turnstile.turn_away() else {
        door.counters.refusals_unsaid.add(1);
        // a reset leaves nothing behind; a socket that cannot be reset is closed all the same
        return drop(socket.reset_on_drop());
    };
    let guest = door.visits.enter(door);
    let door = Rc::clone(door);
    tokio::task::spawn_local(async move {
        let told = async {
            if let Some(socket) = tls::admit(&door, socket, identity.as_ref(), peer).await {
                tell(socket, &denial.refusal).await;
            }
        };
        let told = timeout(door.times.linger, told);
        // who does not ask or read by then, or before the drain, is not told
        until_drain(&door, told).await.map(Result::unwrap_or_default);
        drop((guest, descriptor));
    });
}

/// Answers the request. Waits for its first bytes: words that come before it was sent look like a
/// fault to many clients.
async fn tell(mut socket: Socket, refusal: &Refusal) {
    let mut first = vec![0; FIRST_BYTES];
    let has_asked = matches!(socket.read(&mut first).await, Ok(1..));
    if has_asked
        && socket.write_all(&refusal.response(false)).await.is_ok()
        && socket.shutdown().await.is_ok()
    {
        read_all(&mut socket).await;
    }
}
