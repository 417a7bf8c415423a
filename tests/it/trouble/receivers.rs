//! Receivers that stand still, die or speak in single bytes.

use std::fs;
use std::io::Read as _;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{sleep, timeout};

use super::footprint::{PLACES_FLAGS, calm, comes_back, has_all_places};
use super::innocents::{Innocents, LEAST, message, number};
use super::proxy::{Manner, Proxy};
use crate::process::{Process, field};
use crate::server::{PATIENCE, TestServer};
use crate::socket::{Socket, TEXT};

/// Less than what the innocents exchange waits for one receiver.
const FLAGS: &[&str] = &["--max-outbound", "512KiB", "--write-timeout", "1s"];

/// A broker in a process of its own with these flags, and as many places as are counted.
async fn start(flags: &[&str]) -> Process {
    let broker = ["broker", "-l", "http://127.0.0.1:0", "--pin", "none"];
    Process::start(&[&broker, flags, &PLACES_FLAGS].concat(), &[]).await
}

/// Everything that the clients of such a broker had is to be had again.
async fn is_empty(process: &Process) {
    has_all_places(async || Socket::open(process.port()).await).await;
}

/// A broker in this process that has such limits.
fn server() -> TestServer {
    TestServer::limited(|limits| {
        limits.outbound_bytes_max = 512 * 1024;
        limits.write_stall_max = Duration::from_secs(1);
    })
}

/// Waits until nobody and no topic is left.
async fn empty(server: &TestServer) {
    server.until(|c| &c.connections, 0).await;
    server.until(|c| &c.topics, 0).await;
    assert_eq!(server.count(|c| &c.joins), server.count(|c| &c.leaves));
    assert_eq!(server.count(|c| &c.panics), 0);
}

/// The log names a slow consumer by topic, address, bytes and seconds behind, and code.
pub(super) async fn names_slow_consumer(process: &mut Process, topic: &str, peer: SocketAddr) {
    let line = process.line_with("slow consumer").await;
    assert!(line.contains("WARN mercury::connection::slow: slow consumer: closed: "), "{line}");
    assert!(line.contains(&format!(" topic={topic:?} peer={peer} behind=")), "{line}");
    assert!(line.ends_with(" code=1013"), "{line}");
    // which of its bounds it was over is said in the sentence
    let (bytes, seconds) = match line.split_once("more than ") {
        Some((_, bound)) => (bound.split(' ').next().unwrap().replace(',', ""), 0.0),
        None => ("0".to_owned(), 1.0),
    };
    assert!(line.contains("more than ") || line.contains("took nothing for 1s "), "{line}");
    assert!(field::<usize>(&line, "behind") > bytes.parse().unwrap(), "{line}");
    assert!(field::<f64>(&line, "seconds") >= seconds, "{line}");
}

/// The process of a subscriber is stopped by SIGSTOP and goes on when all is over.
async fn stopped(port: u16) -> SocketAddr {
    let mut innocents = Innocents::join(port, "news").await;
    let victim = Socket::join(port, "/sub/news").await.into_std();
    let address = victim.local_addr().unwrap();
    let mut reader = Command::new("cat")
        .stdin(std::os::fd::OwnedFd::from(victim))
        .stdout(Stdio::piped())
        // the broker hangs up with a reset when its Close was not read in time
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let pid = Pid::from_child(&reader);
    kill_process(pid, Signal::STOP).unwrap();
    innocents.exchange(LEAST).await;
    kill_process(pid, Signal::CONT).unwrap();
    // it reads what waits for it, and is told why there will be no more
    let mut output = reader.stdout.take().unwrap();
    let reading = tokio::task::spawn_blocking(move || {
        let mut came = vec![];
        output.read_to_end(&mut came).unwrap();
        reader.wait().unwrap();
        came
    });
    let came = timeout(PATIENCE, reading).await;
    let came = came.expect("its end in time").unwrap();
    assert!(came.len() > message(0).len(), "{} bytes came", came.len());
    address
}

#[tokio::test]
async fn a_stopped_subscriber_is_closed_and_the_others_go_on() {
    let mut process = start(FLAGS).await;
    comes_back(&mut process, calm, async |process| {
        let victim = stopped(process.port()).await;
        names_slow_consumer(process, "news", victim).await;
    })
    .await;
    is_empty(&process).await;
}

#[tokio::test]
async fn a_stopped_subscriber_leaves_no_topic_behind() {
    let server = server();
    stopped(server.port).await;
    empty(&server).await;
    assert_eq!(server.count(|c| &c.slow_consumers) + server.count(|c| &c.write_stalls), 1);
}

/// Whether the kernel probes a receive window of zero between these ports of 127.0.0.1.
fn is_probed(local: u16, peer: u16) -> bool {
    /// The timer of `/proc/net/tcp` that sends such probes.
    const PROBES: &str = "04";
    let table = fs::read_to_string("/proc/self/net/tcp").unwrap();
    table.lines().any(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        fields[1] == format!("0100007F:{local:04X}")
            && fields[2] == format!("0100007F:{peer:04X}")
            && fields[5].starts_with(PROBES)
    })
}

/// Stalls a proxy and waits until its receive window is zero.
async fn close_window(broker: u16, proxy: &Proxy, innocents: &mut Innocents) {
    proxy.pass(Manner::Stalled);
    // more than the proxy's kernel holds, less than the broker's
    innocents.exchange(50).await;
    let closed = async {
        while !is_probed(broker, proxy.address.port()) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, closed).await.expect("a window of zero in time");
}

/// A subscriber's window is zero until the broker gives it up.
async fn zero_window(port: u16) -> SocketAddr {
    let mut innocents = Innocents::join(port, "news").await;
    let proxy = Proxy::start(port, Manner::Whole).await;
    let _victim = Socket::join(proxy.port, "/sub/news").await;
    close_window(port, &proxy, &mut innocents).await;
    innocents.exchange(LEAST).await;
    proxy.address
}

#[tokio::test]
async fn a_window_of_zero_is_closed_and_the_others_go_on() {
    let mut process = start(FLAGS).await;
    comes_back(&mut process, calm, async |process| {
        let victim = zero_window(process.port()).await;
        names_slow_consumer(process, "news", victim).await;
    })
    .await;
    is_empty(&process).await;
}

#[tokio::test]
async fn a_window_of_zero_leaves_no_topic_behind() {
    let server = server();
    zero_window(server.port).await;
    empty(&server).await;
}

#[tokio::test]
async fn a_window_that_opens_again_has_lost_nothing() {
    let server = TestServer::limited(|limits| {
        limits.outbound_bytes_max = 2 * LEAST * message(0).len();
        limits.write_stall_max = PATIENCE;
    });
    let mut innocents = Innocents::join(server.port, "news").await;
    let proxy = Proxy::start(server.port, Manner::Whole).await;
    let mut victim = Socket::join(proxy.port, "/sub/news").await;
    close_window(server.port, &proxy, &mut innocents).await;
    innocents.exchange(LEAST).await;
    proxy.pass(Manner::Whole);
    for expected in 0..innocents.exchanged {
        assert_eq!(number(&victim.text().await), expected);
    }
    drop((victim, proxy, innocents));
    empty(&server).await;
    assert_eq!(server.count(|c| &c.slow_consumers), 0);
}

/// A publisher and a subscriber of whom every byte is a segment, in both directions.
async fn chopped(port: u16) {
    const MESSAGES: usize = 100;
    let mut innocents = Innocents::join(port, "news").await;
    let to_publisher = Proxy::start(port, Manner::Chopped).await;
    let to_subscriber = Proxy::start(port, Manner::Chopped).await;
    let mut subscriber = Socket::join(to_subscriber.port, "/sub/bytes").await;
    let mut publisher = Socket::join(to_publisher.port, "/pub/bytes").await;
    let conversation = async {
        for number in 0..MESSAGES {
            let text = format!("{number} {}", "ü".repeat(number));
            publisher.send(TEXT, text.as_bytes()).await.unwrap();
            assert_eq!(subscriber.text().await, text);
        }
        publisher.close().await;
        subscriber.close().await;
    };
    innocents.exchange_during(conversation).await;
}

#[tokio::test]
async fn one_byte_per_segment_is_as_good_as_any() {
    let mut process = start(FLAGS).await;
    comes_back(&mut process, calm, async |process| chopped(process.port()).await).await;
    is_empty(&process).await;
    assert_eq!(process.stop().await.lines.len(), 2);
}

#[tokio::test]
async fn one_byte_per_segment_leaves_no_topic_behind() {
    let server = server();
    chopped(server.port).await;
    empty(&server).await;
}

/// Subscribers come and reset their connections: some in their handshake, some when they were
/// told much that they did not read.
async fn resets(port: u16) {
    const ROUNDS: usize = 20;
    const SUBSCRIBERS: usize = 30;
    let mut innocents = Innocents::join(port, "news").await;
    let storm = async {
        for _ in 0..ROUNDS {
            let mut sockets = vec![];
            for number in 0..SUBSCRIBERS {
                let mut socket = Socket::open(port).await;
                if number % 5 == 0 {
                    socket.write("GET /sub/news HTTP/1.1\r\nHost: bro").await.unwrap();
                } else {
                    socket = socket.upgrade("/sub/news").await;
                }
                sockets.push(socket);
            }
            sockets.into_iter().for_each(Socket::reset);
        }
    };
    innocents.exchange_during(storm).await;
}

#[tokio::test]
async fn a_storm_of_resets_costs_the_others_nothing() {
    // on a slow machine much is published before they go, and none of them reads
    let flags = ["--max-outbound", "64MiB", "--write-timeout", "1m"];
    let mut process = start(&flags).await;
    comes_back(&mut process, calm, async |process| resets(process.port()).await).await;
    is_empty(&process).await;
    // nothing is logged about clients that go
    assert_eq!(process.stop().await.lines.len(), 2);
}

#[tokio::test]
async fn a_storm_of_resets_leaves_no_topic_behind() {
    let server = server();
    resets(server.port).await;
    empty(&server).await;
}
