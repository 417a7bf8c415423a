//! A connection that ends is made anew where that may help, and what may be lost is told.

use std::net::Ipv4Addr;

use futures_util::{SinkExt as _, StreamExt as _};
use mercury::config::Listen;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{WebSocketStream, accept_async};

use super::{Ended, Tool};
use crate::server::{PATIENCE, TestServer};

/// Something on a port that is no broker of ours, and does as it is told.
pub(super) struct StandIn(TcpListener);

impl StandIn {
    pub(super) async fn new() -> Self {
        Self(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap())
    }

    pub(super) fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    /// The next connection.
    pub(super) async fn stream(&self) -> TcpStream {
        timeout(PATIENCE, self.0.accept()).await.expect("a connection in time").unwrap().0
    }

    /// The next WebSocket.
    pub(super) async fn socket(&self) -> WebSocketStream<TcpStream> {
        accept_async(self.stream().await).await.unwrap()
    }

    /// The same, of a command that knows of it.
    pub(super) async fn joined(&self) -> WebSocketStream<TcpStream> {
        let mut socket = self.socket().await;
        socket.send(Message::Ping(Bytes::from_static(b"joined"))).await.unwrap();
        assert_eq!(next(&mut socket).await, Message::Pong(Bytes::from_static(b"joined")));
        socket
    }

    /// Answers the next handshake with this, and hangs up; what was asked.
    pub(super) async fn answer(&self, answer: &str) -> String {
        let mut stream = self.stream().await;
        let mut head = vec![];
        while !head.ends_with(b"\r\n\r\n") {
            head.push(timeout(PATIENCE, stream.read_u8()).await.expect("a head in time").unwrap());
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8(head).unwrap()
    }
}

/// The next message, whatever it is.
pub(super) async fn next(socket: &mut WebSocketStream<TcpStream>) -> Message {
    let next = timeout(PATIENCE, socket.next()).await.expect("a message in time");
    next.expect("the connection is open").unwrap()
}

/// Closes with a code, and waits for the answer.
async fn close(mut socket: WebSocketStream<TcpStream>, code: u16) {
    let frame = CloseFrame { code: code.into(), reason: "why: because".into() };
    socket.send(Message::Close(Some(frame.clone()))).await.unwrap();
    loop {
        match next(&mut socket).await {
            Message::Close(answer) => {
                assert_eq!(answer.unwrap().code, frame.code);
                return;
            }
            Message::Ping(_) => {}
            other => panic!("expected a Close, got {other:?}"),
        }
    }
}

/// A broker on a port that another one has left.
fn again(port: u16) -> TestServer {
    let url = format!("http://127.0.0.1:{port}");
    TestServer::with(|config| config.listen = vec![Listen::parse(&url).unwrap()])
}

#[tokio::test]
async fn a_subscriber_comes_back_when_the_broker_does() {
    let server = TestServer::start();
    let port = server.port;
    let mut tool = Tool::joined(&server, &["sub", "logs", "--count", "2"]).await;
    server.connect("/pub/logs").await.send("before").await;
    assert_eq!(tool.line().await, "before");
    server.drain().await;
    let line = tool.error().await;
    assert!(line.contains(" closed with 1001, going away, connecting again in "), "{line}");
    let server = again(port);
    while tool.error().await != "mercury: connected again" {}
    server.connect("/pub/logs").await.send("after").await;
    assert_eq!(tool.end().await, Ended { output: b"after\n".to_vec(), ..Ended::silent(0) });
}

#[tokio::test]
async fn a_publisher_comes_back_goes_on_and_tells_what_may_be_lost() {
    let stand_in = StandIn::new().await;
    let mut tool = Tool::start(stand_in.port(), &["pub", "news"]);
    let mut socket = stand_in.socket().await;
    tool.write(b"one\n").await;
    assert_eq!(next(&mut socket).await, Message::text("one"));
    // an answer to the question behind it
    let Message::Ping(question) = next(&mut socket).await else { panic!("expected a ping") };
    socket.send(Message::Pong(question)).await.unwrap();
    tool.write(b"two\n").await;
    assert_eq!(next(&mut socket).await, Message::text("two"));
    drop(socket);
    assert_eq!(tool.error().await, "mercury: message 2 may not have arrived");
    let line = tool.error().await;
    assert!(line.contains(", connecting again in "), "{line}");
    let mut socket = stand_in.socket().await;
    assert_eq!(tool.error().await, "mercury: connected again");
    tool.write(b"three\n").await;
    assert_eq!(next(&mut socket).await, Message::text("three"));
    drop(tool.input.take());
    while !matches!(next(&mut socket).await, Message::Close(_)) {}
    // the library answers as it is driven on
    assert!(socket.next().await.is_none());
    let error = "mercury: 1 of 3 messages may not have arrived".to_owned();
    assert_eq!(tool.end().await, Ended { errors: vec![error], ..Ended::silent(4) });
}

#[tokio::test]
async fn what_came_shortly_before_a_broker_stopped_may_not_have_arrived() {
    let server = TestServer::start();
    let mut subscriber = server.connect("/sub/news").await;
    let mut tool = Tool::start(server.port, &["pub", "news", "--no-reconnect"]);
    tool.write(b"one\n").await;
    assert_eq!(subscriber.text().await, "one");
    drop(subscriber);
    server.drain().await;
    let ended = tool.end().await;
    assert_eq!(ended.status, Some(4), "{ended:?}");
    assert_eq!(ended.errors[0], "mercury: message 1 may not have arrived");
    assert!(ended.errors[1].ends_with(" closed with 1001, going away"), "{ended:?}");
}

#[tokio::test]
async fn a_close_that_is_answered_with_another_code_settles_nothing() {
    let stand_in = StandIn::new().await;
    let tool = Tool::start(stand_in.port(), &["pub", "news", "--message", "one"]);
    let mut socket = stand_in.socket().await;
    assert_eq!(next(&mut socket).await, Message::text("one"));
    while !matches!(next(&mut socket).await, Message::Close(_)) {}
    // in place of the library's own
    socket.get_mut().write_all(b"\x88\x0c\x03\xe9going away").await.unwrap();
    let url = format!("ws://127.0.0.1:{}", stand_in.port());
    let errors = vec![
        "mercury: message 1 may not have arrived".to_owned(),
        format!("mercury: {url} closed with 1001, going away"),
    ];
    assert_eq!(tool.end().await, Ended { errors, ..Ended::silent(4) });
}

#[tokio::test]
async fn close_codes_say_whether_to_come_back() {
    let stand_in = StandIn::new().await;
    for (code, comes_back) in [
        (1001, true),
        (1011, true),
        (1012, true),
        (1013, true),
        (1002, false),
        (1007, false),
        (1008, false),
        (1009, false),
        (4000, false),
    ] {
        let mut tool = Tool::start(stand_in.port(), &["sub", "logs"]);
        close(stand_in.socket().await, code).await;
        let line = tool.error().await;
        let closed = format!(" closed with {code}, why: because");
        assert!(line.contains(&closed), "{line}");
        assert_eq!(line.contains("connecting again in"), comes_back, "{line}");
        if comes_back {
            drop(stand_in.socket().await);
            assert_eq!(tool.error().await, "mercury: connected again");
        } else {
            assert_eq!(tool.end().await, Ended::silent(3));
        }
    }
}

#[tokio::test]
async fn a_busy_broker_is_asked_again_and_one_that_refuses_is_not() {
    let stand_in = StandIn::new().await;
    let mut tool = Tool::start(stand_in.port(), &["sub", "logs"]);
    let busy = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\nmercury-code: draining\r\n\
                Content-Length: 5\r\n\r\nbusy\n";
    stand_in.answer(busy).await;
    let line = tool.error().await;
    let sentence = "answers /sub/logs with 503: busy (draining), connecting again in ";
    assert!(line.contains(sentence), "{line}");
    stand_in.answer("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n").await;
    let line = tool.error().await;
    assert!(line.ends_with(" answers /sub/logs with 401"), "{line}");
    assert_eq!(tool.end().await, Ended::silent(3));
}

#[tokio::test]
async fn who_shall_not_come_back_does_not() {
    let server = TestServer::start();
    let tool = Tool::joined(&server, &["sub", "logs", "--no-reconnect"]).await;
    server.drain().await;
    let ended = tool.end().await;
    assert_eq!((ended.status, ended.errors.len()), (Some(4), 1), "{ended:?}");
    assert!(ended.errors[0].ends_with(" closed with 1001, going away"), "{ended:?}");
}

#[tokio::test]
async fn a_broker_that_was_never_there_is_waited_for_on_demand() {
    let server = TestServer::start();
    let port = server.port;
    server.drain().await;
    let error = format!("mercury: cannot reach ws://127.0.0.1:{port}: connection refused");
    let ended = Tool::start(port, &["sub", "logs"]).end().await;
    assert_eq!(ended, Ended { errors: vec![error.clone()], ..Ended::silent(4) });
    let mut tool = Tool::start(port, &["sub", "logs", "--reconnect", "--count", "1"]);
    let line = tool.error().await;
    assert!(line.starts_with(&format!("{error}, connecting again in ")), "{line}");
    let server = again(port);
    while tool.error().await != "mercury: connected again" {}
    server.connect("/pub/logs").await.send("there").await;
    assert_eq!(tool.line().await, "there");
    assert_eq!(tool.end().await.status, Some(0));
}

#[tokio::test]
async fn a_silent_broker_is_asked_and_then_given_up() {
    let stand_in = StandIn::new().await;
    let flags = ["sub", "logs", "--idle-timeout", "100ms", "--no-reconnect"];
    let tool = Tool::start(stand_in.port(), &flags);
    let mut socket = stand_in.socket().await;
    // an answer is a sign of life
    assert!(matches!(next(&mut socket).await, Message::Ping(_)));
    socket.flush().await.unwrap();
    assert!(matches!(next(&mut socket).await, Message::Ping(_)));
    let ended = tool.end().await;
    let error = format!("mercury: lost ws://127.0.0.1:{}: the broker is silent", stand_in.port());
    assert_eq!(ended, Ended { errors: vec![error], ..Ended::silent(4) });
}

#[tokio::test]
async fn a_long_message_that_still_comes_is_no_silence() {
    let stand_in = StandIn::new().await;
    let flags = ["sub", "logs", "--idle-timeout", "100ms", "--no-reconnect", "--count", "1"];
    let tool = Tool::start(stand_in.port(), &flags);
    let mut socket = stand_in.socket().await;
    // the library would answer with pongs, which cannot stand inside a frame
    let stream = socket.get_mut();
    for byte in b"\x81\x05hello" {
        let mut ping = [0; 6];
        timeout(PATIENCE, stream.read_exact(&mut ping)).await.expect("a ping in time").unwrap();
        assert_eq!(ping[..2], *b"\x89\x80");
        stream.write_all(&[*byte]).await.unwrap();
    }
    assert!(matches!(next(&mut socket).await, Message::Close(_)));
    assert!(socket.next().await.is_none());
    assert_eq!(tool.end().await, Ended { output: b"hello\n".to_vec(), ..Ended::silent(0) });
}

#[tokio::test]
async fn pings_are_answered() {
    let stand_in = StandIn::new().await;
    let _tool = Tool::start(stand_in.port(), &["sub", "logs"]);
    let mut socket = stand_in.socket().await;
    let payload = Bytes::from_static(b"are you there?");
    socket.send(Message::Ping(payload.clone())).await.unwrap();
    assert_eq!(next(&mut socket).await, Message::Pong(payload));
}
