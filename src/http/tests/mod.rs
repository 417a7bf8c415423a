//! The door end to end: a real socket on one side, a pretended shard on the other.

mod handshakes;
mod introductions;
mod posts;

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::{Shutdown as Side, SocketAddr, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender};
use tokio::runtime::{Builder, LocalOptions};

use super::{Demo, Door, Entrance, Handshakes, Times, Visits, serve};
use crate::broker::{Kind, Role};
use crate::code::RefusalCode;
use crate::config::{Listen, Mode, Proxies};
use crate::handover::{Arrival, Inbox, Live, Router, Shutdown, Turnstile};
use crate::limits::{Budget, Limits};
use crate::memory::Meter;
use crate::metrics::Counters;
use crate::refusal::Refusal;
use crate::socket::{Listener, open};

const PATIENCE: Duration = Duration::from_secs(20);

/// What reached the pretended shard.
#[derive(Debug, PartialEq, Eq)]
enum Came {
    Post(String, Kind, Bytes),
    Connection(Role, String, bool, Bytes),
}

/// What a test may set.
struct Settings {
    limits: Limits,
    times: Times,
    descriptors: usize,
    /// Connections begin with a PROXY header.
    proxied: bool,
    /// The shard looks at nothing.
    is_stuck: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let limits = Limits { body_bytes_max: 1 << 20, ..Limits::default() };
        let times = Times { linger: Duration::from_secs(1), ..Times::default() };
        Self { limits, times, descriptors: 100, proxied: false, is_stuck: false }
    }
}

/// A door with one acceptor and one pretended shard; drains when dropped.
struct House {
    address: SocketAddr,
    counters: Arc<Counters>,
    bodies: Arc<Budget>,
    shutdown: Shutdown,
    came: Receiver<Came>,
    acceptor: Option<JoinHandle<()>>,
}

impl House {
    fn new() -> Self {
        Self::with(Settings::default())
    }

    fn with(settings: Settings) -> Self {
        let Settings { limits, times, descriptors, proxied, is_stuck } = settings;
        let listen = Listen::parse("http://127.0.0.1:0").unwrap();
        let bound = open(&listen, None, &limits).unwrap().bound;
        let address = SocketAddr::from(([127, 0, 0, 1], bound.port().unwrap()));
        let counters = Arc::new(Counters::default());
        let bodies = Arc::new(Budget::new(limits.bodies_bytes_max));
        let descriptors = Arc::new(Budget::new(descriptors));
        let shutdown = Shutdown::default();
        let (router, mut inboxes) = Router::new(1);
        let (sender, came) = crossbeam_channel::unbounded();
        let inbox = inboxes.pop().unwrap();
        let ends = shutdown.clone();
        thread::spawn(move || shard(&inbox, &sender, &ends, is_stuck));
        let parts = (counters.clone(), bodies.clone(), descriptors, shutdown.clone());
        let acceptor = thread::spawn(move || {
            let (counters, bodies, descriptors, shutdown) = parts;
            let demo = Demo::in_mode(Mode::Production);
            let (visits, handshakes) = (Visits::default(), Handshakes::new(1));
            let meter = Meter::unlimited();
            let turnstile = Arc::new(Turnstile::new(&limits));
            let proxies = Proxies::default();
            let live = Live::new(limits, None);
            #[rustfmt::skip]
            let door = Door {
                router: RefCell::new(Some(router)),
                live, counters, bodies, meter, descriptors, turnstile, proxies,
                shutdown, demo, times, visits, handshakes,
            };
            let mut builder = Builder::new_current_thread();
            let runtime = builder.enable_all().build_local(LocalOptions::default()).unwrap();
            runtime.block_on(async {
                let listener = Listener::watch(bound).unwrap();
                let entrance = Entrance { listener, proxied, identity: None };
                serve(Rc::new(door), vec![entrance]).await;
            });
        });
        let acceptor = Some(acceptor);
        Self { address, counters, bodies, shutdown, came, acceptor }
    }

    fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(self.address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        socket
    }

    /// Sends a text as it is and says no more; returns all that came back.
    fn ask(&self, text: &str) -> String {
        let mut socket = self.connect();
        socket.write_all(text.as_bytes()).unwrap();
        socket.shutdown(Side::Write).unwrap();
        rest(&mut socket)
    }

    /// The same without hanging up: the door must be the one to close.
    fn ask_open(&self, text: &str) -> String {
        let mut socket = self.connect();
        socket.write_all(text.as_bytes()).unwrap();
        rest(&mut socket)
    }

    /// Waits until something is so.
    fn until(&self, is_so: impl Fn() -> bool) {
        let began = Instant::now();
        while !is_so() {
            assert!(began.elapsed() < PATIENCE, "not in time: {:?}", self.counters);
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn came(&self) -> Came {
        self.came.recv_timeout(PATIENCE).unwrap()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.shutdown.begin();
        self.acceptor.take().unwrap().join().unwrap();
        assert_eq!(self.bodies.used(), 0);
    }
}

/// A shard that answers each post with 200, or as its topic says, and each handshake with a 101.
/// It ends once the house is gone and its inbox empty.
fn shard(inbox: &Inbox, sender: &Sender<Came>, ends: &Shutdown, is_stuck: bool) {
    loop {
        let came = match if is_stuck { None } else { inbox.next() } {
            Some(Arrival::Message(post)) => {
                let topic = post.topic.name().to_owned();
                let full = Refusal::new(RefusalCode::BacklogFull, "no room");
                let answer = if topic == "full" { Err(full) } else { Ok(()) };
                drop(post.answer.send(answer));
                Came::Post(topic, post.kind, post.body)
            }
            Some(Arrival::Connection(mut handshake)) => {
                let head = format!("HTTP/1.1 101 ok\r\naccept: {}\r\n\r\n", handshake.accept);
                handshake.socket.finish(head.as_bytes()).unwrap();
                let topic = handshake.topic.name().to_owned();
                Came::Connection(handshake.role, topic, handshake.echo, handshake.left_over)
            }
            Some(Arrival::Question(_)) => unreachable!("nobody asks"),
            None if ends.has_begun() => return,
            None => {
                thread::sleep(Duration::from_millis(1));
                continue;
            }
        };
        if sender.send(came).is_err() {
            return;
        }
    }
}

/// Everything until the end, which must be orderly.
fn rest(socket: &mut TcpStream) -> String {
    let mut all = Vec::new();
    socket.read_to_end(&mut all).unwrap_or_else(|error| {
        panic!("{error} after {}", String::from_utf8_lossy(&all));
    });
    String::from_utf8(all).unwrap()
}

/// One head, and a body of the announced length.
fn response(socket: &mut impl Read) -> String {
    let (mut all, mut byte) = (String::new(), [0]);
    while !all.ends_with("\r\n\r\n") {
        socket.read_exact(&mut byte).unwrap_or_else(|error| panic!("{error} after {all}"));
        all.push(char::from(byte[0]));
    }
    let length = all.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    socket.read_exact(&mut body).unwrap();
    all + std::str::from_utf8(&body).unwrap()
}
