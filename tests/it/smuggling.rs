//! Heads and bodies that two parties could read differently: never a message that nobody sent.
//! Behaviour section 1; RFC 9112 6 and 7.1.

use std::fmt::Write as _;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::server::{Client, PATIENCE, TestServer};
use crate::wire::{Wire, handshake};

/// Stands behind every request, in the same packet; ends the connection if it is served.
const SMUGGLED: &str = "POST /pub/smuggled HTTP/1.1\r\nHost: broker\r\nConnection: close\r\n\
                        Content-Length: 4\r\n\r\ngift";
/// The only transfer coding.
pub(crate) const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";

/// What comes of a request and the one behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Refused with this status, and the connection closed: nothing is a message.
    Refused(u16),
    /// The first is a message, and the connection closed.
    Alone(&'static str),
    /// Two requests, two messages.
    Both(&'static str),
    /// The first is refused with this status, clearly ends, and the second is served.
    Next(u16),
}

use Outcome::{Alone, Both, Next, Refused};

/// A POST with these header lines, each ending in CR LF.
pub(crate) fn post(fields: &str, body: &str) -> String {
    format!("POST /pub/first HTTP/1.1\r\nHost: broker\r\n{fields}\r\n{body}")
}

/// A POST whose body is chunked.
pub(crate) fn chunks(body: &str) -> String {
    post(CHUNKED, body)
}

/// A broker, and who hears what a packet makes it say.
pub(crate) struct Watch {
    first: Client,
    smuggled: Client,
    // dropped last: its drain waits for its clients
    server: TestServer,
}

impl Watch {
    /// A broker of its own.
    pub(crate) async fn new() -> Self {
        let server = TestServer::start();
        let first = server.connect("/sub/first").await;
        let smuggled = server.connect("/sub/smuggled").await;
        Self { first, smuggled, server }
    }

    /// Sends one packet without hanging up, so that the broker must; the statuses that came.
    async fn statuses(&self, packet: &[u8]) -> Vec<u16> {
        let mut socket = self.server.raw().await;
        socket.write_all(packet).await.unwrap();
        let mut all = vec![];
        let reading = timeout(PATIENCE, socket.read_to_end(&mut all)).await;
        let text = String::from_utf8_lossy(&all);
        let name = String::from_utf8_lossy(packet);
        reading.unwrap_or_else(|_| panic!("open after {text:?} to {name:?}")).unwrap();
        let answers = text.lines().filter_map(|line| line.strip_prefix("HTTP/1."));
        answers.map(|line| line[2..5].parse().unwrap()).collect()
    }

    /// What came to both topics since the last time.
    async fn heard(&mut self) -> (Vec<String>, Vec<String>) {
        let mut heard = (vec![], vec![]);
        for (topic, client, texts) in [
            ("/pub/first", &mut self.first, &mut heard.0),
            ("/pub/smuggled", &mut self.smuggled, &mut heard.1),
        ] {
            assert_eq!(self.server.post(topic, "mark").await.0, 200);
            loop {
                match client.text().await {
                    mark if mark == "mark" => break,
                    text => texts.push(text),
                }
            }
        }
        heard
    }

    /// One request and the smuggled one in a packet.
    pub(crate) async fn check(&mut self, request: impl AsRef<[u8]>, outcome: Outcome) {
        self.check_behind("", request.as_ref(), outcome).await;
    }

    /// The same as the first request of its connection, and behind a good one.
    pub(crate) async fn check_both(&mut self, request: impl AsRef<[u8]>, outcome: Outcome) {
        self.check_behind("", request.as_ref(), outcome).await;
        let good = post("Content-Length: 4\r\n", "good");
        self.check_behind(&good, request.as_ref(), outcome).await;
    }

    async fn check_behind(&mut self, before: &str, request: &[u8], outcome: Outcome) {
        let packet = [before.as_bytes(), request, SMUGGLED.as_bytes()].concat();
        let statuses = self.statuses(&packet).await;
        let (mut first, smuggled) = self.heard().await;
        let name = String::from_utf8_lossy(&packet);
        let mut expected = match outcome {
            Refused(status) => vec![status],
            Alone(_) => vec![200],
            Both(_) => vec![200, 200],
            Next(status) => vec![status, 200],
        };
        if !before.is_empty() {
            assert_eq!(first.first().map(String::as_str), Some("good"), "{name}");
            first.remove(0);
            expected.insert(0, 200);
        }
        assert_eq!(statuses, expected, "{name}");
        let body = match outcome {
            Alone(body) | Both(body) => vec![body],
            Refused(_) | Next(_) => vec![],
        };
        assert_eq!(first, body, "{name}");
        let gifts = usize::from(matches!(outcome, Both(_) | Next(_)));
        assert_eq!(smuggled, vec!["gift"; gifts], "{name}");
    }
}

#[tokio::test]
async fn a_length_is_one_number() {
    let mut watch = Watch::new().await;
    for (value, outcome) in [
        ("5", Both("hello")),
        ("5\t ", Both("hello")),
        ("005", Both("hello")),
        ("5, 5", Refused(400)),
        ("5,5", Refused(400)),
        ("5, 6", Refused(400)),
        ("+5", Refused(400)),
        ("-1", Refused(400)),
        ("-0", Refused(400)),
        ("0x5", Refused(400)),
        ("5 5", Refused(400)),
        ("5;q=1", Refused(400)),
        ("5.0", Refused(400)),
        ("5e0", Refused(400)),
        ("five", Refused(400)),
        ("\u{665}", Refused(400)),
        ("\"5\"", Refused(400)),
        ("", Refused(400)),
        ("18446744073709551621", Refused(400)),
        ("18446744073709551616", Refused(400)),
        ("999999999999999999999999999999", Refused(400)),
        ("18446744073709551615", Refused(431)),
        ("9223372036854775808", Refused(413)),
    ] {
        let request = post(&format!("Content-Length: {value}\r\n"), "hello");
        watch.check_both(request, outcome).await;
    }
}

#[tokio::test]
async fn two_lengths_agree_or_are_refused() {
    let mut watch = Watch::new().await;
    let two = |one, other| {
        post(&format!("Content-Length: {one}\r\nX: y\r\ncontent-length: {other}\r\n"), "hello")
    };
    watch.check_both(two("5", "5"), Both("hello")).await;
    watch.check_both(two("5", "6"), Refused(400)).await;
    watch.check_both(two("0", "5"), Refused(400)).await;
    watch.check_both(two("5", "0"), Refused(400)).await;
    watch.check_both(two("5", ""), Refused(400)).await;
    watch.check_both(two("", "5"), Refused(400)).await;
    watch.check_both(two("5", "x"), Refused(400)).await;
}

#[tokio::test]
async fn a_length_beside_a_transfer_coding_is_refused() {
    let mut watch = Watch::new().await;
    for fields in [
        format!("Content-Length: 5\r\n{CHUNKED}"),
        format!("{CHUNKED}Content-Length: 5\r\n"),
        format!("Content-Length: 0\r\n{CHUNKED}"),
        format!("{CHUNKED}Content-Length: x\r\n"),
        format!("{CHUNKED}CONTENT-LENGTH:5\r\n"),
        format!("Content-Length: 5\r\n{CHUNKED}Content-Length: 5\r\n"),
    ] {
        watch.check(post(&fields, "0\r\n\r\n"), Refused(400)).await;
    }
    // behind another request the length is hidden from us: the coding counts, and the connection
    // ends (RFC 9112 6.3, 3)
    let good = post("Content-Length: 4\r\n", "good");
    for fields in
        [format!("Content-Length: 50\r\n{CHUNKED}"), format!("{CHUNKED}Content-Length: 50\r\n")]
    {
        let request = post(&fields, "5\r\nhello\r\n0\r\n\r\n");
        watch.check_behind(&good, request.as_bytes(), Alone("hello")).await;
    }
}

#[tokio::test]
async fn the_only_transfer_coding_is_chunked_once() {
    let mut watch = Watch::new().await;
    for (value, outcome) in [
        ("chunked", Both("hello")),
        ("ChunKed", Both("hello")),
        ("\tchunked ", Both("hello")),
        ("chunked, chunked", Refused(400)),
        ("chunked,", Refused(400)),
        (", chunked", Refused(400)),
        ("xchunked", Refused(400)),
        ("chunkedx", Refused(400)),
        ("chunked;q=1", Refused(400)),
        ("\"chunked\"", Refused(400)),
        ("chunked identity", Refused(400)),
        ("chunked, identity", Refused(400)),
        ("identity", Refused(400)),
        ("", Refused(400)),
        ("\u{b}chunked", Refused(400)),
        ("identity, chunked", Refused(501)),
        ("xchunked, chunked", Refused(501)),
        ("gzip, chunked", Refused(501)),
        ("gzip", Refused(400)),
    ] {
        let request = post(&format!("Transfer-Encoding: {value}\r\n"), "5\r\nhello\r\n0\r\n\r\n");
        watch.check_both(request, outcome).await;
    }
    for (one, other, status) in [
        ("chunked", "chunked", 400),
        ("chunked", "identity", 400),
        ("identity", "chunked", 501),
        ("chunked", "", 400),
        ("", "chunked", 400),
    ] {
        let fields = format!("Transfer-Encoding: {one}\r\ntransfer-encoding: {other}\r\n");
        watch.check_both(post(&fields, "5\r\nhello\r\n0\r\n\r\n"), Refused(status)).await;
    }
}

#[tokio::test]
async fn chunks_are_exact() {
    let mut watch = Watch::new().await;
    let spaces = format!("5{}\r\nhello\r\n0\r\n\r\n", " ".repeat(50));
    for body in [
        "5\r\nhello\r\n0\r\n\r\n",
        "2\r\nhe\r\n3\r\nllo\r\n000\r\n\r\n",
        "00000005\r\nhello\r\n0\r\n\r\n",
        "5;a=b;c=\"d\"\r\nhello\r\n0;e\r\n\r\n",
        "5 ;a\r\nhello\r\n0\r\n\r\n",
        &spaces,
        "5\r\nhello\r\n0\r\nX: y\r\nContent-Length: 50\r\n\r\n",
        "5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
    ] {
        watch.check_both(chunks(body), Both("hello")).await;
    }
}

#[tokio::test]
async fn a_chunk_that_is_not_exact_is_refused() {
    let mut watch = Watch::new().await;
    let extension = format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(20_000));
    let extensions = format!("1;{}\r\nx\r\n", "x".repeat(5000)).repeat(4) + "0\r\n\r\n";
    let long = format!("0\r\nX: {}\r\n\r\n", "x".repeat(20_000));
    let mut many = "0\r\n".to_owned();
    for number in 0..101 {
        write!(many, "X-{number}: y\r\n").unwrap();
    }
    many.push_str("\r\n");
    for body in [
        "\r\nhello\r\n0\r\n\r\n",
        "x\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "5 5\r\nhello\r\n0\r\n\r\n",
        "5,\r\nhello\r\n0\r\n\r\n",
        "5\0\r\nhello\r\n0\r\n\r\n",
        "5\rhello\r\n0\r\n\r\n",
        "5\r\r\nhello\r\n0\r\n\r\n",
        "5;a\nhello\r\n0\r\n\r\n",
        "5;a\rb\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello\r0\r\n\r\n",
        "4\r\nhello\r\n0\r\n\r\n",
        "6\r\nhello\r\n0\r\n\r\n",
        "10000000000000005\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\n",
        "5\r\nhello\r\n0\r\n: y\r\n\r\n",
        "5\r\nhello\r\n0\r\nX : y\r\n\r\n",
        "5\r\nhello\r\n0\r\nX: \0\r\n\r\n",
        "5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n",
        "5\r\nhello\r\n0\r\nX: y\rZ: z\r\n\r\n",
        &extension,
        &extensions,
        &long,
        &many,
    ] {
        watch.check_both(chunks(body), Refused(400)).await;
    }
    // the largest chunk is one: all that follows is in it, and it breaks off
    let mut wire = Wire::open(&watch.server).await;
    wire.send(chunks("ffffffffffffffff\r\nhello\r\n0\r\n\r\n") + SMUGGLED).await;
    wire.end().await;
    assert_eq!(wire.answer().await.status, 400);
    assert_eq!(watch.heard().await, (vec![], vec![]));
}

#[tokio::test]
async fn a_refused_request_with_a_body_ends_its_connection() {
    let mut watch = Watch::new().await;
    let smuggled = SMUGGLED;
    for (line, status) in [
        ("POST /nowhere", 404),
        ("POST /sub/first", 405),
        ("PUT /pub/first", 405),
        ("GET /pub/first", 426),
        ("HEAD /pub/first", 405),
        ("DELETE /pub/first", 405),
        ("POST /pub/", 404),
        ("POST /pub/$first", 403),
        ("POST /pub/%ff", 400),
    ] {
        let length = smuggled.len();
        for request in [
            format!("{line} HTTP/1.1\r\nHost: broker\r\nContent-Length: {length}\r\n\r\n"),
            format!("{line} HTTP/1.1\r\nHost: broker\r\n{CHUNKED}\r\n0\r\n\r\n"),
        ] {
            watch.check_both(request, Refused(status)).await;
        }
    }
}

#[tokio::test]
async fn a_handshake_hides_no_request() {
    let mut watch = Watch::new().await;
    for more in [
        "Content-Length: 5\r\n",
        CHUNKED,
        "Content-Length: 0\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: identity\r\n",
        "Host: broker\r\n",
        "X: y\rz\r\n",
        "X: y\r\n z\r\n",
    ] {
        watch.check_both(handshake("/sub/first", more), Refused(400)).await;
    }
    let both = format!("Content-Length: 0\r\n{CHUNKED}");
    watch.check_both(handshake("/sub/first", &both), Refused(400)).await;
    // what stands behind a good one is frames
    let mut wire = Wire::open(&watch.server).await;
    assert_eq!(wire.ask(handshake("/pub/first", "") + SMUGGLED).await.status, 101);
    assert_eq!(wire.next().await.closed().0, 1002);
    assert_eq!(watch.heard().await, (vec![], vec![]));
}
