//! Giving out what gathered in a turn.

use mercury::broker::{Broker, MemberId, Role};
use mercury::frame::sent_size;

use super::Turn;
use super::crowd::{Everybody, Laggards, PAYLOAD, broker, flush, join, publish};

/// Peers of a bus who all speak.
const PEERS: usize = 100;
/// Those who lag, and the messages of a turn that they get later.
const LAGGARDS: usize = 100;
const BEHIND_MESSAGES: usize = 16;
/// Jobs of a turn.
const JOBS: usize = 256;

/// One message to 100.
pub(super) fn w1_100() -> Turn {
    fan_out(100, 1)
}

/// 16 messages of a turn to 100.
pub(super) fn w16_100() -> Turn {
    fan_out(100, 16)
}

/// One message to 1,000.
pub(super) fn w1_1000() -> Turn {
    fan_out(1000, 1)
}

/// 16 messages of a turn to 1,000.
pub(super) fn w16_1000() -> Turn {
    fan_out(1000, 16)
}

fn fan_out(subscribers: usize, messages: usize) -> Turn {
    let mut broker = broker();
    for _ in 0..subscribers {
        join(&mut broker, Role::Subscriber, "t");
    }
    let publisher = join(&mut broker, Role::Publisher, "t");
    give_out(broker, vec![publisher; messages])
}

/// Every peer speaks in every turn, so that its own frame is cut out of what it gets.
pub(super) fn bus() -> Turn {
    let mut broker = broker();
    let peers = (0..PEERS).map(|_| join(&mut broker, Role::Peer, "t")).collect();
    give_out(broker, peers)
}

/// Subscribers whose sockets are full: what they get waits in their outbounds, and leaves.
pub(super) fn behind() -> Turn {
    let mut broker = broker();
    for _ in 0..LAGGARDS {
        join(&mut broker, Role::Subscriber, "t");
    }
    let publisher = join(&mut broker, Role::Publisher, "t");
    let mut laggards = Laggards::new(LAGGARDS);
    Box::new(move || {
        for _ in 0..BEHIND_MESSAGES {
            publish(&mut broker, publisher, &PAYLOAD);
        }
        flush(&mut broker, &mut laggards);
        laggards.catch_up() / sent_size(PAYLOAD.len())
    })
}

/// Jobs to eight pullers in turn.
pub(super) fn jobs() -> Turn {
    let mut broker = broker();
    for _ in 0..8 {
        join(&mut broker, Role::Puller, "t");
    }
    let pusher = join(&mut broker, Role::Pusher, "t");
    give_out(broker, vec![pusher; JOBS])
}

/// In each turn, these say one message each, and all that gathered is given out.
fn give_out(mut broker: Broker, senders: Vec<MemberId>) -> Turn {
    Box::new(move || {
        let mut everybody = Everybody::default();
        for sender in &senders {
            publish(&mut broker, *sender, &PAYLOAD);
        }
        flush(&mut broker, &mut everybody);
        everybody.bytes / sent_size(PAYLOAD.len())
    })
}
