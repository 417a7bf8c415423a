//! Connections that are cut and come back: that all do, and that who misses a message is found out.

use std::net::TcpListener;
use std::sync::mpsc::{self, Sender};
use std::thread;

use rustix::process::Signal;

use crate::peer::Peer;
use crate::program::{Ended, Program, run, signal};
use crate::scenarios::{expect_count, expect_fine, value};

#[test]
fn all_come_back_and_miss_nothing() {
    for cut in ["reset", "close"] {
        let words = "storm --subscribers 40 --topics 3 --rate 600 --waves 2 --pause 100ms";
        let document = expect_fine(&format!("{words} --share 0.5 --cut {cut}"));
        expect_count(&document, "reconnects", "waves", 2);
        expect_count(&document, "reconnects", "back", 40);
        expect_count(&document, "load", "connections", 43);
        for (group, name) in [
            ("load", "deliveries"),
            ("latency", "p50"),
            ("reconnects", "wave 2"),
            ("reconnects", "handshakes"),
            ("reconnects", "cpu per reconnect"),
            ("connect", "max"),
        ] {
            assert!(value(&document, group, name) > 0.0, "{cut}: {name}: {document}");
        }
    }
}

#[test]
fn they_come_back_at_a_rate() {
    let words = "storm --subscribers 20 --reconnect-rate 200 --waves 1 --pause 50ms";
    // The last of them is due after 95 ms.
    assert!(value(&expect_fine(words), "reconnects", "wave 1") >= 0.095);
}

#[test]
fn who_may_not_come_back_is_told() {
    let words = "storm --subscribers 20 --waves 1 --pause 50ms --patience 300ms";
    let ended = run(&format!("{words} --broker=--accept-rate=22"));
    assert_eq!(ended.status, Some(1), "{} {}", ended.output, ended.errors);
    assert!(ended.errors.contains("were not back after 300ms"), "{}", ended.errors);
}

#[test]
fn who_is_refused_comes_again() {
    let words = "storm --subscribers 20 --waves 1 --pause 50ms --broker=--accept-rate=22";
    let document = expect_fine(words);
    expect_count(&document, "reconnects", "back", 20);
    assert!(value(&document, "reconnects", "refused with 503") > 0.5, "{document}");
    // All come at once, those who are refused a second later.
    assert!(value(&document, "reconnects", "wave 1") >= 1.0, "{document}");
}

#[test]
fn other_dialects_promise_less() {
    let ended = run("storm --dialect nats");
    assert_eq!(ended.status, Some(2));
    assert!(ended.errors.contains("from its handshake on"), "{}", ended.errors);
}

/// What the one subscriber meets that is cut and comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lie {
    /// It is a member again.
    None,
    /// It is refused at first, and then it is.
    Refuse,
    /// It misses the first messages; one or two may have been sent before it was back.
    Late,
    /// It misses a later one.
    Gap,
    /// It gets all that it had before. The last may have been on their way when it was cut, and so
    /// be new to it.
    Replay,
    /// It is cut once more, by the server.
    Cut,
}

/// What happens to the server, in order.
enum Event {
    /// A subscriber asks to come in.
    Asks(Peer),
    /// It says goodbye, with this.
    Leaves(Vec<u8>),
    /// The publisher sent a frame.
    Sent(u8, Vec<u8>),
}

/// Lets one subscriber in after the other, for ever.
fn subscribers(listener: &TcpListener, tell: &Sender<Event>) {
    loop {
        let mut peer = Peer::meet(listener);
        if tell.send(Event::Asks(peer.other_half())).is_err() {
            return;
        }
        if let Ok((first, payload)) = peer.try_read() {
            assert_eq!(first, 0x88, "a Close");
            tell.send(Event::Leaves(payload)).unwrap();
            return;
        }
    }
}

/// One publisher and one subscriber, which is cut once.
fn serve(listener: TcpListener, lie: Lie) {
    let mut peers = [Peer::meet(&listener), Peer::meet(&listener)];
    peers.sort_by_key(|peer| peer.subscribes);
    let [mut publisher, mut subscriber] = peers;
    publisher.welcome();
    subscriber.welcome();
    let (tell, told) = mpsc::channel();
    let mut sending = publisher.other_half();
    let tell_sent = tell.clone();
    let sends = thread::spawn(move || {
        while let Ok((first, payload)) = sending.try_read() {
            tell_sent.send(Event::Sent(first, payload)).unwrap();
            if first == 0x88 {
                return;
            }
        }
    });
    let mut first_life = subscriber.other_half();
    let asks = thread::spawn(move || {
        assert!(first_life.try_read().is_err(), "it is cut without a word");
        subscribers(&listener, &tell);
    });
    let (mut lives, mut refusals, mut had, mut since) = (1, 0, vec![], 0);
    for event in told {
        match event {
            Event::Asks(mut peer) if lie == Lie::Refuse && refusals == 0 => {
                refusals += 1;
                peer.refuse();
            }
            Event::Asks(mut peer) => {
                peer.welcome();
                subscriber = peer;
                lives += 1;
            }
            Event::Leaves(payload) => subscriber.send(0x88, &payload),
            Event::Sent(0x88, payload) => publisher.send(0x88, &payload),
            Event::Sent(_, payload) if lives == 1 => {
                subscriber.try_send(0x81, &payload);
                had.push(payload);
            }
            Event::Sent(_, payload) => {
                since += 1;
                match lie {
                    Lie::Late if since <= 6 => {}
                    Lie::Gap if since == 8 => {}
                    Lie::Replay if since == 1 => {
                        for payload in &had {
                            subscriber.send(0x81, payload);
                        }
                        subscriber.send(0x81, &payload);
                    }
                    Lie::Cut if since == 3 => subscriber.cut(),
                    Lie::Cut if since > 3 => {}
                    _ => subscriber.send(0x81, &payload),
                }
            }
        }
    }
    sends.join().unwrap();
    asks.join().unwrap();
}

fn lied_to(lie: Lie) -> Ended {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || serve(listener, lie));
    let words = "storm --subscribers 1 --rate 40 --size 64 --waves 1 --pause 300ms --json -";
    let ended = run(&format!("{words} --url http://127.0.0.1:{port}"));
    if lie != Lie::Cut {
        server.join().unwrap();
    }
    ended
}

/// The run finds `fault`, and no other but behind a cut.
fn expect(lie: Lie, fault: Option<&str>) {
    let ended = lied_to(lie);
    let status = Some(i32::from(fault.is_some()));
    assert_eq!(ended.status, status, "{lie:?}: {} {}", ended.output, ended.errors);
    for name in ["lost", "duplicated", "reordered", "disconnected"] {
        if fault == Some(name) {
            assert!(value(&ended.output, "faults", name) > 0.5, "{lie:?}: {}", ended.output);
        } else if lie != Lie::Cut {
            expect_count(&ended.output, "faults", name, 0);
        }
    }
    if lie == Lie::Refuse {
        expect_count(&ended.output, "reconnects", "refused with 503", 1);
    }
}

#[test]
fn an_honest_server_is_believed() {
    expect(Lie::None, None);
    expect(Lie::Refuse, None);
}

#[test]
fn who_is_back_late_has_lost_what_was_sent_since() {
    expect(Lie::Late, Some("lost"));
}

#[test]
fn who_is_back_has_no_gaps() {
    expect(Lie::Gap, Some("lost"));
}

#[test]
fn who_is_back_hears_nothing_again() {
    expect(Lie::Replay, Some("duplicated"));
}

#[test]
fn who_is_cut_again_by_the_server_is_lost() {
    expect(Lie::Cut, Some("disconnected"));
}

/// Holds back what is published until no more is, and says when the first has come.
fn delay(listener: &TcpListener, came: &Sender<()>) {
    let mut peers = [Peer::meet(listener), Peer::meet(listener)];
    peers.sort_by_key(|peer| peer.subscribes);
    let [mut publisher, mut subscriber] = peers;
    publisher.welcome();
    subscriber.welcome();
    let mut held = vec![publisher.read().1];
    came.send(()).unwrap();
    publisher.be_impatient();
    while let Ok((first, payload)) = publisher.try_read() {
        assert_eq!(first, 0x81, "nobody leaves before all has come");
        held.push(payload);
    }
    for payload in held {
        subscriber.send(0x81, &payload);
    }
    let (first, payload) = subscriber.read();
    subscriber.send(first, &payload);
}

#[test]
fn an_interrupt_loses_nothing_that_is_under_way() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (came, has_come) = mpsc::channel();
    let server = thread::spawn(move || delay(&listener, &came));
    let words = "storm --subscribers 1 --rate 50 --size 64 --pause 1h --json -";
    let program = Program::start(&format!("{words} --url http://127.0.0.1:{port}"));
    has_come.recv().unwrap();
    signal(program.pid(), Signal::INT);
    server.join().unwrap();
    let ended = program.end();
    assert_eq!(ended.status, Some(0), "{} {}", ended.output, ended.errors);
    expect_count(&ended.output, "faults", "lost", 0);
    assert!(
        value(&ended.output, "load", "deliveries") < 0.5,
        "all came after it: {}",
        ended.output
    );
}

#[test]
fn a_server_that_dies_ends_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let mut peers = [Peer::accept(&listener), Peer::accept(&listener)];
        peers.sort_by_key(|peer| peer.subscribes);
        assert!(peers[1].try_read().is_err(), "the subscriber is cut");
    });
    let words = "storm --subscribers 1 --size 64 --pause 50ms --patience 1h";
    let ended = run(&format!("{words} --url http://127.0.0.1:{port}"));
    server.join().unwrap();
    assert_eq!(ended.status, Some(1), "{} {}", ended.output, ended.errors);
    assert!(ended.errors.contains("a connection was lost"), "{}", ended.errors);
}
