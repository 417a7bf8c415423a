//! Asks a broker's listener for operators, one request to a connection.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::cause;
use crate::config::{Target, Way};

/// An answer that is longer is not one of ours: it is 1,000 topics of 4 KiB, escaped.
const ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;
/// How long a broker may take to answer: longer than it may take to ask its shards.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(8);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// Nobody listens there.
    #[error("cannot reach {url}: {} (is the broker started with --admin?)", cause::words(.source))]
    Unreachable {
        /// Where we looked.
        url: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// It takes too long.
    #[error("{url} does not answer")]
    Silent {
        /// Who does not.
        url: String,
    },
    /// It hung up, or does not speak HTTP.
    #[error("{url} broke off: {source}")]
    Broken {
        /// Who did.
        url: String,
        /// What hyper said.
        source: hyper::Error,
    },
    /// It said no.
    #[error("{url}{path} answers {status}: {said}")]
    Refused {
        /// Whom we asked.
        url: String,
        /// For what.
        path: String,
        /// As a number.
        status: StatusCode,
        /// The first line of the body.
        said: String,
    },
    /// It said too much, or what we do not understand.
    #[error("{url}{path} answers what no broker would: {why}")]
    Strange {
        /// Whom we asked.
        url: String,
        /// For what.
        path: String,
        /// What is wrong with it.
        why: String,
    },
}

impl ClientError {
    /// It without what whoever watches knows: whom we asked, and for what.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Refused { said, .. } => said.clone(),
            other => other.to_string(),
        }
    }
}

/// GETs a path.
pub(crate) async fn get(target: &Target, path: &str) -> Result<Bytes, ClientError> {
    let url = || target.url.clone();
    let unreachable = |source| ClientError::Unreachable { url: url(), source };
    let asking = async {
        match &target.way {
            Way::Tcp(host, port) => {
                let connecting = TcpStream::connect((host.as_str(), *port));
                ask(connecting.await.map_err(unreachable)?, target, path).await
            }
            Way::Unix(file) => {
                let connecting = UnixStream::connect(file);
                ask(connecting.await.map_err(unreachable)?, target, path).await
            }
        }
    };
    timeout(ANSWER_WAIT_MAX, asking).await.map_err(|_| ClientError::Silent { url: url() })?
}

async fn ask(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    target: &Target,
    path: &str,
) -> Result<Bytes, ClientError> {
    let broken = |source| ClientError::Broken { url: target.url.clone(), source };
    let request = Request::get(path).header(HOST, target.way.host()).body(Empty::<Bytes>::new());
    let request = request.expect("paths and hosts are checked");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let answering = async move {
        let response = sender.send_request(request).await.map_err(broken)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        match body {
            Ok(body) => Ok((status, body.to_bytes())),
            Err(error) => Err(strange(target, path, too_long_or_cut(&*error))),
        }
    };
    // what ends the connection is seen where the answer is missing
    let (answer, _) = tokio::join!(answering, connection);
    let (status, body) = answer?;
    if status == StatusCode::OK {
        return Ok(body);
    }
    let said = String::from_utf8_lossy(&body).lines().next().unwrap_or_default().to_owned();
    Err(ClientError::Refused { url: target.url.clone(), path: path.to_owned(), status, said })
}

/// An answer that cannot be understood.
pub(crate) fn strange(target: &Target, path: &str, why: impl Into<String>) -> ClientError {
    ClientError::Strange { url: target.url.clone(), path: path.to_owned(), why: why.into() }
}

fn too_long_or_cut(error: &(dyn std::error::Error + 'static)) -> String {
    if error.is::<LengthLimitError>() { "too much".to_owned() } else { error.to_string() }
}
