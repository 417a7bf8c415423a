//! Getting a WebSocket: the way there, TLS, and the handshake.
//!
//! The handshake is made of fastwebsockets' parts. Its own function for all of it gives up the
//! answer of a broker that says no, with the reason and `Retry-After` in it.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use fastwebsockets::handshake::generate_key;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{
    CONNECTION, HOST, HeaderMap, RETRY_AFTER, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::upgrade::Upgraded;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::cause;
use crate::config::{Terminal, Way};
use crate::refusal::CODE_FIELD;

/// All of it may take so long.
const OPEN_WAIT_MAX: Duration = Duration::from_secs(15);
/// More of a refusal is not read.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// When the kernel asks a silent machine whether it is there, and how often until it gives up.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_mins(1), Duration::from_secs(15), 4);

/// Why there is no connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unopened {
    /// For people.
    pub(super) sentence: String,
    /// Whether it may be different another time.
    pub(super) is_temporary: bool,
    /// When to come again, as the broker says.
    pub(super) retry_after: Option<Duration>,
}

impl Unopened {
    const fn new(sentence: String, is_temporary: bool) -> Self {
        Self { sentence, is_temporary, retry_after: None }
    }
}

/// Connects. With TLS when `tls` says how.
pub(super) async fn open(
    terminal: &Terminal,
    tls: Option<&Arc<ClientConfig>>,
) -> Result<TokioIo<Upgraded>, Unopened> {
    let url = &terminal.address.url;
    let opening = async {
        let unreachable = |error: std::io::Error| {
            Unopened::new(format!("cannot reach {url}: {}", cause::words(&error)), true)
        };
        match &terminal.address.way {
            Way::Unix(file) => {
                let stream = UnixStream::connect(file).await.map_err(unreachable)?;
                greet(stream, terminal).await
            }
            Way::Tcp(host, port) => {
                let stream = TcpStream::connect((host.as_str(), *port)).await;
                let stream = stream.map_err(unreachable)?;
                tune(&stream).map_err(unreachable)?;
                match tls {
                    Some(config) => greet(secure(stream, host, config, url).await?, terminal).await,
                    None => greet(stream, terminal).await,
                }
            }
        }
    };
    let silent = |_| Unopened::new(format!("{url} does not answer"), true);
    timeout(OPEN_WAIT_MAX, opening).await.map_err(silent)?
}

fn tune(stream: &TcpStream) -> std::io::Result<()> {
    let (time, interval, retries) = KEEPALIVE;
    let keepalive =
        TcpKeepalive::new().with_time(time).with_interval(interval).with_retries(retries);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)?;
    stream.set_nodelay(true)
}

/// TLS over a connection, if whoever is there can be believed.
async fn secure(
    stream: TcpStream,
    host: &str,
    config: &Arc<ClientConfig>,
    url: &str,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, Unopened> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| Unopened::new(format!("{url}: no certificate is for '{host}'"), false))?;
    TlsConnector::from(Arc::clone(config)).connect(name, stream).await.map_err(|error| {
        // what rustls does not like stays as it is; what breaks off may not
        let is_temporary = error.get_ref().is_none_or(|inner| !inner.is::<rustls::Error>());
        Unopened::new(format!("no TLS with {url}: {}", cause::words(&error)), is_temporary)
    })
}

/// RFC 6455 4.1.
async fn greet<S>(stream: S, terminal: &Terminal) -> Result<TokioIo<Upgraded>, Unopened>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let url = &terminal.address.url;
    let path = terminal.address.path(terminal.route, &terminal.topic);
    let mut request = Request::get(&path)
        .header(UPGRADE, "websocket")
        .header(CONNECTION, "Upgrade")
        .header(SEC_WEBSOCKET_KEY, generate_key())
        .header(SEC_WEBSOCKET_VERSION, "13")
        .body(Empty::<Bytes>::new())
        .map_err(|error| Unopened::new(format!("{url}: {error}"), false))?;
    for (name, value) in &terminal.fields {
        request.headers_mut().append(name, value.clone());
    }
    if !request.headers().contains_key(HOST) {
        let host = terminal.address.way.host();
        let host = host.parse().expect("hosts of an address can stand in a field");
        request.headers_mut().insert(HOST, host);
    }
    let expected = accept(&mut request);
    let broken = |error: hyper::Error| broken(url, &error);
    let (mut sender, exchange) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let answering = async move {
        let mut response = sender.send_request(request).await.map_err(broken)?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(refusal(url, &path, response).await);
        }
        if !is_accepted(response.headers(), &expected) {
            return Err(Unopened::new(format!("{url} answers with a wrong handshake"), false));
        }
        hyper::upgrade::on(&mut response).await.map_err(broken)
    };
    // what ends the exchange is seen where the answer is missing
    let (answer, _) = tokio::join!(answering, exchange.with_upgrades());
    answer.map(TokioIo::new)
}

/// An exchange that ended before an answer. What came before the request could leave is told inside
/// of the news that it did not.
fn broken(url: &str, error: &hyper::Error) -> Unopened {
    let error = error.source().and_then(|source| source.downcast_ref()).unwrap_or(error);
    let system = error.source().and_then(|source| source.downcast_ref());
    let reason = system.map_or_else(|| error.to_string(), cause::words);
    // all else is no HTTP
    let is_temporary = system.is_some()
        || error.is_canceled()
        || error.is_closed()
        || error.is_incomplete_message();
    Unopened::new(format!("{url} does not shake hands: {reason}"), is_temporary)
}

/// The right answer to a request's key. The library gives it to servers alone.
fn accept<B>(request: &mut Request<B>) -> Vec<u8> {
    let answer = fastwebsockets::upgrade::upgrade(request);
    let (response, _) = answer.expect("the request is a handshake");
    response.headers().get(SEC_WEBSOCKET_ACCEPT).expect("it has one").as_bytes().to_vec()
}

fn is_accepted(headers: &HeaderMap, expected: &[u8]) -> bool {
    let says = |name, word: &[u8]| {
        headers.get(name).is_some_and(|value: &hyper::header::HeaderValue| {
            value.as_bytes().trim_ascii().eq_ignore_ascii_case(word)
        })
    };
    let is_right = headers.get(SEC_WEBSOCKET_ACCEPT).is_some_and(|value| value == expected);
    is_right && says(UPGRADE, b"websocket") && says(CONNECTION, b"upgrade")
}

/// What a broker says that says no.
async fn refusal(url: &str, path: &str, response: Response<Incoming>) -> Unopened {
    let status = response.status();
    let field = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
    let code = field(CODE_FIELD).map(|code| format!(" ({code})")).unwrap_or_default();
    let seconds = field(RETRY_AFTER.as_str()).and_then(|text| text.trim().parse().ok());
    let body = Limited::new(response.into_body(), BODY_BYTES_MAX).collect().await;
    // a body that cannot be read says nothing
    let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let said = String::from_utf8_lossy(&body).lines().next().unwrap_or_default().to_owned();
    let said = if said.is_empty() { String::new() } else { format!(": {said}") };
    Unopened {
        sentence: format!("{url} answers {path} with {}{said}{code}", status.as_u16()),
        is_temporary: is_temporary(status.as_u16(), seconds.is_some()),
        retry_after: seconds.map(Duration::from_secs),
    }
}

/// Whether a status is that of a bad moment: those of a broker, and of a proxy without one.
const fn is_temporary(status: u16, asks: bool) -> bool {
    match status {
        502..=504 => true,
        429 => asks,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[test]
    fn an_answer_is_right_or_none() {
        let mut request = Request::get("/sub/x")
            .header(UPGRADE, "websocket")
            .header(CONNECTION, "Upgrade")
            .header(SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ==")
            .header(SEC_WEBSOCKET_VERSION, "13")
            .body(())
            .unwrap();
        let expected = accept(&mut request);
        // RFC 6455 1.3
        assert_eq!(expected, b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        let mut headers = HeaderMap::new();
        headers
            .insert(SEC_WEBSOCKET_ACCEPT, std::str::from_utf8(&expected).unwrap().parse().unwrap());
        headers.insert(UPGRADE, "WebSocket".parse().unwrap());
        assert!(!is_accepted(&headers, &expected));
        headers.insert(CONNECTION, "upgrade".parse().unwrap());
        assert!(is_accepted(&headers, &expected));
        assert!(!is_accepted(&headers, b"other"));
    }

    /// What is said of one that says this, and hangs up, before it is asked.
    fn unasked(said: &[u8]) -> Unopened {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (near, mut far) = tokio::io::duplex(100);
            far.write_all(said).await.unwrap();
            drop(far);
            let (mut sender, exchange) = http1::handshake(TokioIo::new(near)).await.unwrap();
            let request = Request::new(Empty::<Bytes>::new());
            let (answer, _) = tokio::join!(sender.send_request(request), exchange);
            broken("ws://a", &answer.unwrap_err())
        })
    }

    #[test]
    fn who_speaks_first_is_no_broker_and_who_hangs_up_may_be_one() {
        assert!(!unasked(b"SSH-2.0-OpenSSH\r\n").is_temporary);
        let gone = unasked(b"");
        assert!(gone.is_temporary && !gone.sentence.ends_with("canceled"), "{gone:?}");
    }

    #[test]
    fn a_bad_moment_is_no_refusal() {
        for (status, asks, expected) in [
            (503, true, true),
            (502, false, true),
            (429, true, true),
            (429, false, false),
            (401, true, false),
            (404, false, false),
            (302, false, false),
            (500, false, false),
        ] {
            assert_eq!(is_temporary(status, asks), expected, "{status}");
        }
    }
}
