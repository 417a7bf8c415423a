//! A server that lies is found out, by the right name; one that does not is not.

use std::net::TcpListener;
use std::thread::{self, JoinHandle};

use crate::peer::Peer;
use crate::program::{Ended, run};

/// Messages of a run.
const MESSAGES: usize = 40;
/// The one that is lied about.
const CHOSEN: usize = 7;

/// What becomes of the chosen message.
#[derive(Debug, Clone, Copy)]
enum Lie {
    /// It is delivered.
    None,
    /// It is not.
    Drop,
    /// It is, twice.
    Double,
    /// It is, behind the next one.
    Swap,
    /// It is, with another last byte.
    Change,
    /// It is, and to its publisher too.
    Echo,
    /// It is, and then the subscriber is hung up on.
    HangUp,
}

/// A server for one publisher and one subscriber.
fn serve(lie: Lie) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let work = move || {
        let mut peers = [Peer::accept(&listener), Peer::accept(&listener)];
        peers.sort_by_key(|peer| peer.subscribes);
        let [mut publisher, mut subscriber] = peers;
        let mut number = 0;
        loop {
            let (first, mut payload) = publisher.read();
            if first != 0x81 {
                assert_eq!(first, 0x88, "a Close");
                publisher.send(first, &payload);
                subscriber.send(first, &payload);
                return;
            }
            match lie {
                _ if number != CHOSEN => subscriber.send(first, &payload),
                Lie::None => subscriber.send(first, &payload),
                Lie::Drop => {}
                Lie::Double => {
                    subscriber.send(first, &payload);
                    subscriber.send(first, &payload);
                }
                Lie::Swap => {
                    let (next, behind) = publisher.read();
                    subscriber.send(next, &behind);
                    subscriber.send(first, &payload);
                    number += 1;
                }
                Lie::Change => {
                    *payload.last_mut().unwrap() ^= 1;
                    subscriber.send(first, &payload);
                }
                Lie::Echo => {
                    publisher.send(first, &payload);
                    subscriber.send(first, &payload);
                }
                Lie::HangUp => {
                    subscriber.send(first, &payload);
                    // the other one's end follows
                    return;
                }
            }
            number += 1;
        }
    };
    (port, thread::spawn(work))
}

fn lied_to(lie: Lie) -> Ended {
    let (port, server) = serve(lie);
    let words = "fanout --subscribers 1 --size 64 --window 4 --json -";
    let ended = run(&format!("{words} --messages {MESSAGES} --url http://127.0.0.1:{port}"));
    server.join().unwrap();
    ended
}

/// Each fault and how often it is to be counted; all others are 0.
fn expect(lie: Lie, expected: &[(&str, u64)]) {
    let ended = lied_to(lie);
    let names = ["lost", "duplicated", "reordered", "alien", "mangled", "disconnected", "crashed"];
    for name in names {
        let value = expected.iter().find(|fault| fault.0 == name).map_or(0, |fault| fault.1);
        let row = format!(r#"{{"group":"faults","name":"{name}","unit":"count","value":{value}}}"#);
        assert!(ended.output.contains(&row), "{lie:?}: {row}: {}", ended.output);
    }
    assert_eq!(ended.status, Some(i32::from(!expected.is_empty())), "{lie:?}: {}", ended.errors);
    let told = ended.errors.contains("fanout: ");
    assert!(told || expected.is_empty(), "in words, too: {}", ended.errors);
}

#[test]
fn an_honest_server_is_believed() {
    expect(Lie::None, &[]);
}

#[test]
fn a_message_less_is_lost() {
    expect(Lie::Drop, &[("lost", 1)]);
}

#[test]
fn a_message_more_is_duplicated() {
    expect(Lie::Double, &[("duplicated", 1)]);
}

#[test]
fn a_message_behind_its_successor_is_reordered() {
    expect(Lie::Swap, &[("reordered", 1)]);
}

#[test]
fn a_changed_message_is_mangled_and_the_one_that_was_sent_lost() {
    expect(Lie::Change, &[("mangled", 1), ("lost", 1)]);
}

#[test]
fn a_message_to_somebody_else_is_alien() {
    expect(Lie::Echo, &[("alien", 1)]);
}

#[test]
fn a_connection_that_ends_early_is_lost_with_what_was_under_way() {
    let ended = lied_to(Lie::HangUp);
    assert_eq!(ended.status, Some(1));
    assert!(ended.errors.contains("a connection was lost: "), "{}", ended.errors);
}
