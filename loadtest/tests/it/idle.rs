//! Connections that are held: what is counted, and that one which is cut is found out.

use std::net::TcpListener;
use std::thread;

use rustix::process::Signal;

use crate::peer::Peer;
use crate::program::{Ended, Program, run, signal};
use crate::scenarios::{expect_count, expect_fine, value};

#[test]
fn says_what_a_connection_costs() {
    let words = "idle --connections 200 --topics 3 --hold 100ms --warm-up-connections 20";
    let document = expect_fine(words);
    expect_count(&document, "load", "connections", 200);
    expect_count(&document, "load", "connects", 200);
    for (group, name) in [
        ("latency", "p50"),
        ("latency", "max"),
        ("server", "cpu per connect"),
        ("memory", "user held"),
        ("hold", "time"),
    ] {
        assert!(value(&document, group, name) > 0.0, "{name}: {document}");
    }
    for name in ["user per connection", "resident per connection", "user left per connection"] {
        value(&document, "memory", name);
    }
    assert!(!document.contains("\"deliveries\""), "nothing is sent: {document}");
}

#[test]
fn connects_at_a_rate() {
    let document = expect_fine("idle --connections 50 --rate 500 --hold 1ms");
    // The last of them is due after 98 ms.
    assert!(value(&document, "load", "time") >= 0.098, "{document}");
}

#[test]
fn pings_go_both_ways() {
    // Who pings is not pinged.
    let words = "idle --connections 5 --hold 2s --broker=--ping-interval=500ms";
    assert!(value(&expect_fine(words), "hold", "pings seen") >= 5.0);
    let document = expect_fine("idle --connections 5 --hold 300ms --ping-every 20ms");
    let (sent, pongs) = (value(&document, "hold", "pings sent"), value(&document, "hold", "pongs"));
    assert!(sent >= 5.0 && (sent - pongs).abs() < 0.5, "{sent} pings, {pongs} pongs: {document}");
    assert!(value(&document, "pong", "p50") > 0.0, "{document}");
    let document = expect_fine("idle --connections 5 --hold 1ms --client fastwebsockets");
    expect_count(&document, "load", "connects", 5);
}

#[test]
fn too_many_for_the_broker_are_told() {
    let ended = run("idle --connections 30 --warm-up-connections 0 --broker=--clients=20");
    assert_eq!(ended.status, Some(1));
    assert!(ended.errors.contains("with status 503, with 2"), "{}", ended.errors);
}

#[test]
fn an_interrupt_ends_the_hold() {
    let program = Program::start("idle --connections 5 --hold 1h");
    program.settle();
    signal(program.pid(), Signal::INT);
    let ended = program.end();
    assert_eq!(ended.status, Some(0), "{}", ended.errors);
    assert!(ended.output.contains("cpu per connect"), "{}", ended.output);
}

#[test]
fn who_had_not_come_yet_is_not_counted() {
    let words = "idle --connections 2000 --rate 50 --warm-up-connections 0 --hold 1h --json -";
    let program = Program::start(words);
    program.settle();
    signal(program.pid(), Signal::INT);
    let ended = program.end();
    assert_eq!(ended.status, Some(0), "{}", ended.errors);
    let [open, came] = ["connections", "connects"].map(|name| value(&ended.output, "load", name));
    assert!(open <= came && came < 2000.0, "{open} of {came}: {}", ended.output);
}

#[test]
fn a_server_that_dies_ends_the_hold() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let mut peers = [(); 3].map(|()| Peer::accept(&listener));
        assert_eq!(peers[0].read().0, 0x89, "a ping, so the hold has begun");
    });
    let words = "idle --connections 3 --warm-up-connections 0 --hold 1h --ping-every 20ms";
    let ended = run(&format!("{words} --json - --url http://127.0.0.1:{port}"));
    server.join().unwrap();
    assert_eq!(ended.status, Some(1), "{} {}", ended.output, ended.errors);
    expect_count(&ended.output, "faults", "disconnected", 3);
}

/// What becomes of the second of three held connections.
#[derive(Debug, Clone, Copy)]
enum Lie {
    /// It is held.
    None,
    /// It is cut without a word.
    Cut,
    /// It gets a Close.
    Close,
    /// It gets a message that nobody sent.
    Message,
    /// Its pings are not answered.
    Deaf,
}

/// Three held connections, each of which is pinged once before anything is lied about.
fn lied_to(lie: Lie) -> Ended {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let peers: Vec<Peer> = (0..3).map(|_| Peer::accept(&listener)).collect();
        let serve = |number: usize, mut peer: Peer| {
            loop {
                let (first, payload) = peer.read();
                match (first, lie) {
                    (0x89, Lie::Cut) | (0x88, Lie::Close) if number == 1 => return,
                    (0x89, Lie::Close) if number == 1 => peer.send(0x88, b"\x03\xe8"),
                    (0x89, Lie::Message) if number == 1 => {
                        peer.send(0x81, b"what is this?");
                        peer.send(0x8a, &payload);
                    }
                    (0x89, Lie::Deaf) if number == 1 => {}
                    (0x89, _) => peer.send(0x8a, &payload),
                    (0x88, _) => return peer.send(0x88, &payload),
                    _ => panic!("frame {first:#x}"),
                }
            }
        };
        thread::scope(|scope| {
            for (number, peer) in peers.into_iter().enumerate() {
                scope.spawn(move || serve(number, peer));
            }
        });
    });
    let words = "idle --connections 3 --warm-up-connections 0 --hold 500ms --ping-every 400ms";
    let ended = run(&format!("{words} --json - --url http://127.0.0.1:{port}"));
    server.join().unwrap();
    ended
}

#[test]
fn a_lie_about_a_held_connection_is_found_out() {
    for (lie, fault) in [
        (Lie::None, None),
        (Lie::Cut, Some("disconnected")),
        (Lie::Close, Some("disconnected")),
        (Lie::Message, Some("alien")),
        (Lie::Deaf, Some("lost")),
    ] {
        let ended = lied_to(lie);
        let status = Some(i32::from(fault.is_some()));
        assert_eq!(ended.status, status, "{lie:?}: {} {}", ended.output, ended.errors);
        for name in ["disconnected", "alien", "lost"] {
            let expected = u32::from(fault == Some(name));
            expect_count(&ended.output, "faults", name, expected);
        }
        assert!(fault.is_none() || ended.errors.contains("idle: "), "in words, too");
    }
}
