//! One WebSocket: its handshake, and what it sends.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use fastwebsockets::{Frame, OpCode, Payload};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, UPGRADE};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::{Instant, sleep_until};

use crate::source::Route;
use crate::tunnel::Trust;

/// The example key of RFC 6455 1.3, whose answer is known without SHA-1.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// The only right answer to [`KEY`].
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Where a broker listens, as the command line says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Name or address and port.
    authority: String,
    /// TLS is spoken there.
    is_tls: bool,
    /// Which certificates are believed then; none says that nobody was asked.
    trust: Option<Trust>,
}

/// A connection right after its handshake.
pub(crate) struct Opened {
    /// Its sending half.
    pub(crate) connection: Rc<Connection>,
    /// Its receiving half.
    pub(crate) reader: OwnedReadHalf,
    /// What came behind the handshake's answer.
    pub(crate) behind: Bytes,
}

/// The sending half of one WebSocket.
pub(crate) struct Connection {
    /// The socket.
    writer: OwnedWriteHalf,
    /// Frames that are not written yet.
    pending: RefCell<BytesMut>,
    /// A task waits for the socket to take more.
    draining: Cell<bool>,
    /// We said goodbye.
    closing: Cell<bool>,
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The server said no.
    Status {
        /// What was asked for.
        path: String,
        /// Its answer.
        status: u16,
        /// Seconds after which to try again, if it said so (RFC 9110 10.2.3).
        retry_after: Option<u64>,
    },
    /// No answer, or none that makes sense: a sentence.
    Broken(String),
}

impl Target {
    /// `http://host[:port]` or `https://host[:port]`; `ws` and `wss` mean the same.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let uri: Uri = text.parse().map_err(|error| format!("{error}"))?;
        let (Some(scheme @ ("http" | "ws" | "https" | "wss")), Some(authority)) =
            (uri.scheme_str(), uri.authority())
        else {
            return Err("expected http://host:port or https://host:port".to_owned());
        };
        let is_tls = matches!(scheme, "https" | "wss");
        if uri.path().len() > 1 || uri.query().is_some() {
            return Err("expected no path behind http://host:port".to_owned());
        }
        let port = authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let authority = format!("{}:{port}", authority.host());
        Ok(Self { authority, is_tls, trust: None })
    }

    /// The same, and whom to believe that it is it.
    pub(crate) fn trusting(self, trust: Option<Trust>) -> Self {
        Self { trust, ..self }
    }

    /// TLS over a connection to it, if it speaks that.
    async fn secure(&self, stream: TcpStream) -> Result<TcpStream, Refusal> {
        if !self.is_tls {
            return Ok(stream);
        }
        let trust = self.trust.as_ref();
        let trust = trust.ok_or_else(|| "https needs --ca or --insecure".to_owned())?;
        let host = self.authority.rsplit_once(':').map_or("", |(host, _)| host);
        trust.dig(stream, host).await.map_err(|error| format!("no TLS: {error}").into())
    }

    /// The address behind the name.
    pub(crate) async fn resolve(&self) -> Result<SocketAddr, Error> {
        let mut addresses = tokio::net::lookup_host(&self.authority).await?;
        addresses.next().ok_or_else(|| Error::other("the name has no address"))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.authority)
    }
}

impl Connection {
    /// Connects and shakes hands.
    pub(crate) async fn open(
        target: &Target,
        route: Route,
        path: &str,
        subprotocol: Option<&'static str>,
    ) -> Result<Opened, Refusal> {
        let stream = route.connect().await?;
        stream.set_nodelay(true).map_err(Refusal::broken)?;
        let stream = target.secure(stream).await?;
        let mut request = Request::get(path)
            .header(HOST, &target.authority)
            .header(UPGRADE, "websocket")
            .header(CONNECTION, "Upgrade")
            .header("Sec-WebSocket-Key", KEY)
            .header("Sec-WebSocket-Version", "13");
        if let Some(name) = subprotocol {
            request = request.header("Sec-WebSocket-Protocol", name);
        }
        let request = request.body(Empty::<Bytes>::new()).map_err(Refusal::broken)?;
        let (mut sender, exchange) = http1::handshake(TokioIo::new(stream)).await?;
        // Its error, if there is one, is also that of the request.
        tokio::task::spawn_local(exchange.with_upgrades());
        let mut response = sender.send_request(request).await?;
        check(path, &response)?;
        let socket = hyper::upgrade::on(&mut response).await?;
        let parts = socket.downcast::<TokioIo<TcpStream>>().expect("it is the stream we passed in");
        let (reader, writer) = parts.io.into_inner().into_split();
        let (pending, draining) = (RefCell::default(), Cell::new(false));
        let closing = Cell::new(false);
        let connection = Rc::new(Self { writer, pending, draining, closing });
        Ok(Opened { connection, reader, behind: parts.read_buf })
    }

    /// Adds a frame to what is pending; masks `payload` in place.
    pub(crate) fn append(&self, opcode: OpCode, payload: &mut [u8]) {
        let mut frame = Frame::new(true, opcode, None, Payload::BorrowedMut(payload));
        frame.mask();
        let mut head = [0; 16];
        let size = frame.fmt_head(&mut head);
        let mut pending = self.pending.borrow_mut();
        pending.extend_from_slice(&head[..size]);
        pending.extend_from_slice(&frame.payload);
    }

    /// Says goodbye: `farewell`, if there is one, and a Close.
    pub(crate) fn close(self: &Rc<Self>, farewell: &[u8]) {
        self.closing.set(true);
        if !farewell.is_empty() {
            self.append(OpCode::Binary, &mut farewell.to_vec());
        }
        self.append(OpCode::Close, &mut 1000_u16.to_be_bytes());
        self.flush();
    }

    /// Ends it with a reset. This half goes last, and without the shutdown that it otherwise ends
    /// with, which would be the end of a stream to the server.
    pub(crate) fn reset(self: Rc<Self>) -> Result<(), Error> {
        self.writer.as_ref().set_zero_linger()?;
        // A task that still waits to write keeps it; it ends with the socket's next error.
        if let Some(connection) = Rc::into_inner(self) {
            connection.writer.forget();
        }
        Ok(())
    }

    /// We said goodbye, so an end is no fault.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.get()
    }

    /// Bytes that are not written yet.
    pub(crate) fn pending_bytes(&self) -> usize {
        self.pending.borrow().len()
    }

    /// Writes what is pending, all in one call if the socket takes it; else a task sees to the
    /// rest.
    pub(crate) fn flush(self: &Rc<Self>) {
        if !self.draining.get() && !self.write_once() {
            self.draining.set(true);
            tokio::task::spawn_local(Rc::clone(self).drain());
        }
    }

    /// Writes `bytes` again and again, as much a second as is asked for, until the socket breaks.
    pub(crate) async fn flood(&self, bytes: &[u8], bytes_per_second: Option<f64>) {
        let (mut at, mut sent, start) = (0, 0.0, Instant::now());
        while self.writer.writable().await.is_ok() {
            match self.writer.try_write(&bytes[at..]) {
                Ok(written) => {
                    at = (at + written) % bytes.len();
                    sent += f64::from(u32::try_from(written).unwrap_or(u32::MAX));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
            if let Some(rate) = bytes_per_second {
                sleep_until(start + Duration::from_secs_f64(sent / rate)).await;
            }
        }
    }

    async fn drain(self: Rc<Self>) {
        while self.writer.writable().await.is_ok() {
            if self.write_once() {
                break;
            }
        }
        self.draining.set(false);
    }

    /// True when nothing is left.
    fn write_once(&self) -> bool {
        let mut pending = self.pending.borrow_mut();
        if pending.is_empty() {
            return true;
        }
        match self.writer.try_write(&pending) {
            Ok(written) => pending.advance(written),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            // The reading half meets the same error and reports it.
            Err(_) => pending.clear(),
        }
        pending.is_empty()
    }
}

/// Sees that an answer is the right one (RFC 6455 4.1).
fn check<B>(path: &str, response: &Response<B>) -> Result<(), Refusal> {
    let says = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(Refusal::Status {
            path: path.to_owned(),
            status: response.status().as_u16(),
            retry_after: says("Retry-After").and_then(|seconds| seconds.trim().parse().ok()),
        });
    }
    let is_upgrade = |name, word| says(name).is_some_and(|said| said.eq_ignore_ascii_case(word));
    if !is_upgrade("Upgrade", "websocket") || !is_upgrade("Connection", "upgrade") {
        return Err(Refusal::Broken("no handshake: wrong Upgrade or Connection".to_owned()));
    }
    if says("Sec-WebSocket-Accept") != Some(ACCEPT) {
        return Err(Refusal::Broken("no handshake: wrong Sec-WebSocket-Accept".to_owned()));
    }
    Ok(())
}

impl Refusal {
    /// What broke, in words.
    fn broken(error: impl fmt::Display) -> Self {
        Self::Broken(error.to_string())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status { path, status, .. } => {
                write!(formatter, "refused {path} with status {status}")
            }
            Self::Broken(sentence) => formatter.write_str(sentence),
        }
    }
}

impl From<String> for Refusal {
    fn from(sentence: String) -> Self {
        Self::Broken(sentence)
    }
}

impl From<hyper::Error> for Refusal {
    fn from(error: hyper::Error) -> Self {
        Self::Broken(format!("no handshake: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        let answer = |status: u16, headers: &[(&str, &str)]| {
            let mut answer = Response::builder().status(status);
            for (name, value) in headers {
                answer = answer.header(*name, *value);
            }
            check("/sub/t", &answer.body(()).unwrap())
        };
        let upgrade = [("Upgrade", "WebSocket"), ("Connection", "Upgrade")];
        let accept = ("Sec-WebSocket-Accept", ACCEPT);
        assert_eq!(answer(101, &[upgrade[0], upgrade[1], accept]), Ok(()));
        assert!(matches!(answer(101, &[upgrade[0], accept]), Err(Refusal::Broken(_))));
        assert!(matches!(answer(101, &upgrade), Err(Refusal::Broken(_))));
        let refused = |retry_after| {
            let path = "/sub/t".to_owned();
            Err(Refusal::Status { path, status: 503, retry_after })
        };
        assert_eq!(answer(503, &[("Retry-After", "2")]), refused(Some(2)));
        assert_eq!(answer(503, &[("Retry-After", "Fri, 31 Dec 1999 23:59:59 GMT")]), refused(None));
        let sentence = answer(503, &[]).unwrap_err().to_string();
        assert_eq!(sentence, "refused /sub/t with status 503");
    }

    #[test]
    fn targets() {
        let authority = |text| Target::parse(text).map(|target| target.authority);
        assert_eq!(authority("http://127.0.0.1:3000/").unwrap(), "127.0.0.1:3000");
        assert_eq!(authority("ws://[::1]:9").unwrap(), "[::1]:9");
        assert_eq!(authority("http://broker").unwrap(), "broker:80");
        assert_eq!(authority("wss://broker").unwrap(), "broker:443");
        assert!(Target::parse("https://broker").unwrap().is_tls);
        for wrong in ["ftp://broker", "broker:80", "http://broker/bus/x", ""] {
            assert!(authority(wrong).is_err(), "{wrong}");
        }
    }
}
