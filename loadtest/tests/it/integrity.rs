//! A server that lies is found out, by the right name; one that does not is not.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use crate::program::{Ended, run};

/// The answer to the key that the load tester offers, which is that of RFC 6455 1.3.
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
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

/// One client's end of a connection.
struct Peer {
    /// Where it comes from.
    reader: BufReader<TcpStream>,
    /// It subscribes.
    subscribes: bool,
}

impl Peer {
    /// Answers one handshake.
    fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        let mut reader = BufReader::new(stream);
        let mut request = String::new();
        while !request.ends_with("\r\n\r\n") {
            assert_ne!(reader.read_line(&mut request).unwrap(), 0, "{request}");
        }
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
        );
        let mut peer = Self { reader, subscribes: request.starts_with("GET /sub/") };
        peer.write(answer.as_bytes());
        peer
    }

    /// Its next frame's first byte and payload. RFC 6455 5.2.
    fn read(&mut self) -> (u8, Vec<u8>) {
        let mut take = |size| {
            let mut bytes = vec![0; size];
            self.reader.read_exact(&mut bytes).unwrap();
            bytes
        };
        let head = take(2);
        let length = match head[1] & 0x7f {
            126 => usize::from(u16::from_be_bytes(take(2).try_into().unwrap())),
            127 => panic!("a frame of more than 64 KiB"),
            length => usize::from(length),
        };
        let (mask, mut payload) = (take(4), take(length));
        payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        (head[0], payload)
    }

    /// Sends a frame of less than 126 bytes.
    fn send(&mut self, first: u8, payload: &[u8]) {
        let length = u8::try_from(payload.len()).unwrap();
        assert!(length < 126);
        self.write(&[&[first, length], payload].concat());
    }

    fn write(&mut self, bytes: &[u8]) {
        self.reader.get_mut().write_all(bytes).unwrap();
    }
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
