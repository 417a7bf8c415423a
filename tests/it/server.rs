//! A broker on a port of its own, and its clients.

use std::num::NonZeroUsize;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use mercury::config::{Admin, Config, Listen, Mode, Pin, Proxies};
use mercury::limits::Limits;
use mercury::metrics::{Counters, Metrics, Parts};
use mercury::server::{Drained, Server};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// Longer than anything takes on a loaded machine, shorter than a person's patience.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A broker in this process; it drains when dropped.
pub(crate) struct TestServer {
    server: Option<Server>,
    /// Where it listens, on 127.0.0.1.
    pub(crate) port: u16,
}

impl TestServer {
    /// A broker with two shards and default limits.
    pub(crate) fn start() -> Self {
        Self::with(|_| {})
    }

    /// A broker with other limits.
    pub(crate) fn limited(change: impl FnOnce(&mut Limits)) -> Self {
        Self::with(|config| change(&mut config.limits))
    }

    /// A broker with other settings.
    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            listen: vec![Listen::parse("http://127.0.0.1:0").unwrap()],
            listen_is_default: false,
            mode: Mode::Development,
            accept_backlog: None,
            allow_origin: None,
            proxies: Proxies::default(),
            shards: NonZeroUsize::new(2).unwrap(),
            acceptors: NonZeroUsize::MIN,
            pin: Pin::None,
            admin: Admin::default(),
            limits: Limits { drain_max: Duration::from_secs(2), ..Limits::default() },
        };
        change(&mut config);
        let server = Server::start(&config).unwrap();
        let port = server.urls()[0].rsplit(':').next().unwrap().parse().unwrap();
        Self { server: Some(server), port }
    }

    /// The port of its listener for operators.
    pub(crate) fn admin_port(&self) -> u16 {
        let url = self.server.as_ref().unwrap().admin().expect("a listener for operators");
        url.rsplit(':').next().unwrap().parse().unwrap()
    }

    /// The address of a path, for a WebSocket.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("ws://127.0.0.1:{}{path}", self.port)
    }

    /// A WebSocket on a path; it is a member when this returns.
    pub(crate) async fn connect(&self, path: &str) -> Client {
        let connecting = timeout(PATIENCE, connect_async(self.url(path))).await;
        Client(connecting.expect("a 101 in time").expect("a handshake").0)
    }

    /// The status with which a handshake on this path is refused, and the body.
    pub(crate) async fn refusal(&self, path: &str) -> (u16, String) {
        match timeout(PATIENCE, connect_async(self.url(path))).await.expect("an answer in time") {
            Err(Error::Http(response)) => {
                let body = response.body().clone().unwrap_or_default();
                (response.status().as_u16(), String::from_utf8(body).unwrap())
            }
            other => panic!("expected a refusal, got {other:?}"),
        }
    }

    /// A plain TCP connection.
    pub(crate) async fn raw(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).await.unwrap()
    }

    /// Sends bytes as they are, reads until the broker closes.
    pub(crate) async fn exchange(&self, request: impl AsRef<[u8]>) -> String {
        let mut socket = self.raw().await;
        socket.write_all(request.as_ref()).await.unwrap();
        let mut answer = vec![];
        let reading = timeout(PATIENCE, socket.read_to_end(&mut answer));
        reading.await.expect("an end in time").unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// POSTs a body; status and body of the answer.
    pub(crate) async fn post(&self, path: &str, body: impl AsRef<[u8]>) -> (u16, String) {
        self.post_as(path, "", body).await
    }

    /// POSTs a body with more header lines, each ending in CR LF.
    pub(crate) async fn post_as(
        &self,
        path: &str,
        head: &str,
        body: impl AsRef<[u8]>,
    ) -> (u16, String) {
        let body = body.as_ref();
        let mut request = format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{head}\
             Content-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        let answer = self.exchange(request).await;
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned();
        (status.unwrap_or_else(|| panic!("no status in {answer:?}")), body)
    }

    /// What it counts, for a thread that watches.
    pub(crate) fn metrics(&self) -> Metrics {
        self.server.as_ref().unwrap().metrics().clone()
    }

    /// One count, over all threads.
    pub(crate) fn count<C: Parts>(&self, counter: impl Fn(&Counters) -> &C) -> u64 {
        self.server.as_ref().unwrap().metrics().sum(counter)
    }

    /// Waits until a count has this value.
    pub(crate) async fn until<C: Parts>(
        &self,
        counter: impl Fn(&Counters) -> &C + Copy,
        value: u64,
    ) {
        let reached = async {
            while self.count(counter) != value {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let reached = timeout(PATIENCE, reached).await.is_ok();
        assert!(reached, "the count is {} and not {value}", self.count(counter));
    }

    /// Waits until a count has begun.
    pub(crate) async fn until_any<C: Parts>(&self, counter: impl Fn(&Counters) -> &C + Copy) {
        let any = async {
            while self.count(counter) == 0 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(PATIENCE, any).await.expect("a count in time");
    }

    /// Drains the broker and waits for its end.
    pub(crate) async fn drain(mut self) -> Drained {
        self.server.take().unwrap().drain().await
    }

    /// The broker itself, to drain it while its clients go on.
    pub(crate) fn into_server(mut self) -> Server {
        self.server.take().unwrap()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        let Some(server) = self.server.take() else { return };
        let drain = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(server.drain())
        };
        std::thread::spawn(drain).join().unwrap();
    }
}

/// A WebSocket of an independent library.
pub(crate) struct Client<S = MaybeTlsStream<TcpStream>>(pub(crate) WebSocketStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// Sends text.
    pub(crate) async fn send(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    /// Sends anything.
    pub(crate) async fn send_message(&mut self, message: Message) {
        self.0.send(message).await.unwrap();
    }

    /// Queues text without flushing: many leave in one packet.
    pub(crate) async fn feed(&mut self, text: &str) {
        self.0.feed(Message::text(text)).await.unwrap();
    }

    /// Flushes what was queued.
    pub(crate) async fn flush(&mut self) {
        self.0.flush().await.unwrap();
    }

    /// The next message that is not a ping.
    pub(crate) async fn next(&mut self) -> Message {
        loop {
            let next = timeout(PATIENCE, self.0.next()).await.expect("a message in time");
            match next.expect("the connection is open").expect("a valid frame") {
                Message::Ping(_) => {}
                message => return message,
            }
        }
    }

    /// The next text.
    pub(crate) async fn text(&mut self) -> String {
        match self.next().await {
            Message::Text(text) => text.to_string(),
            other => panic!("expected text, got {other:?}"),
        }
    }

    /// The next binary message.
    pub(crate) async fn binary(&mut self) -> Bytes {
        match self.next().await {
            Message::Binary(bytes) => bytes,
            other => panic!("expected binary, got {other:?}"),
        }
    }

    /// Code and reason of the broker's Close, which must be next.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        match self.next().await {
            Message::Close(Some(frame)) => (frame.code.into(), frame.reason.to_string()),
            other => panic!("expected a Close, got {other:?}"),
        }
    }

    /// Nothing came before this: a ping is answered first. Works since pongs keep their order
    /// with messages.
    pub(crate) async fn quiet(&mut self) {
        self.0.send(Message::Ping(Bytes::from_static(b"quiet"))).await.unwrap();
        match self.next().await {
            Message::Pong(_) => {}
            other => panic!("expected nothing, got {other:?}"),
        }
    }

    /// Closes in order and waits for the echo.
    pub(crate) async fn close(mut self) {
        self.0.close(None).await.unwrap();
        while let Some(Ok(_)) = timeout(PATIENCE, self.0.next()).await.expect("an echo in time") {}
    }
}
