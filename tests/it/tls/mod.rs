//! Brokers that speak TLS, and clients that do.

mod delivery;
mod doors;
mod renewal;

use std::io;
use std::sync::Arc;

use futures_util::StreamExt;
use mercury::config::{Config, Listen};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion, crypto::aws_lc_rs,
};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::configuration::Folder;
use crate::frames::handshake;
use crate::server::{PATIENCE, TestServer};

/// Both versions that are spoken.
const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// A certificate and its key, PEM.
pub(crate) struct Pair {
    /// The certificate, and the one that vouches for it, if any.
    pub(crate) cert: String,
    /// The key.
    pub(crate) key: String,
}

impl Pair {
    /// For `localhost`, vouched for by itself.
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        Self { cert: params.self_signed(&key).unwrap().pem(), key: key.serialize_pem() }
    }

    /// An authority's own certificate, and what it vouches for.
    pub(crate) fn chain() -> (Self, Self) {
        let root_key = KeyPair::generate().unwrap();
        let mut root = CertificateParams::new(vec![]).unwrap();
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let cert = root.self_signed(&root_key).unwrap().pem();
        let authority = Self { cert, key: root_key.serialize_pem() };
        let issuer = Issuer::new(root, root_key);
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let cert = params.signed_by(&key, &issuer).unwrap().pem();
        (authority, Self { cert, key: key.serialize_pem() })
    }

    /// As files of this name.
    pub(crate) fn write(&self, folder: &Folder, name: &str) {
        folder.write(&format!("{name}.crt"), &self.cert);
        folder.write(&format!("{name}.key"), &self.key);
    }

    fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.cert.as_bytes()).unwrap()
    }
}

/// How a client speaks TLS.
#[derive(Clone)]
pub(crate) struct Speaker {
    roots: RootCertStore,
    config: ClientConfig,
}

impl Speaker {
    /// Believes those whom one of these vouches for, and shows a certificate if it has one.
    pub(crate) fn new(
        roots: &[&Pair],
        versions: &[&'static SupportedProtocolVersion],
        own: Option<&Pair>,
    ) -> Self {
        let mut store = RootCertStore::empty();
        for root in roots {
            store.add(root.der()).unwrap();
        }
        let builder = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(store.clone());
        let config = match own {
            None => builder.with_no_client_auth(),
            Some(pair) => {
                let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
                builder.with_client_auth_cert(vec![pair.der()], key).unwrap()
            }
        };
        Self { roots: store, config }
    }

    /// The same in one version.
    fn in_version(&self, version: &'static SupportedProtocolVersion) -> Self {
        let roots = self.roots.clone();
        let builder = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_protocol_versions(&[version])
            .unwrap();
        let config = builder.with_root_certificates(roots.clone()).with_no_client_auth();
        Self { roots, config }
    }

    /// The same, offering these protocols.
    fn offering(mut self, protocols: &[&str]) -> Self {
        self.config.alpn_protocols =
            protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        self
    }

    /// Shakes hands over a connection.
    pub(crate) async fn over<S>(&self, stream: S) -> io::Result<TlsStream<S>>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    {
        let name = ServerName::try_from("localhost").unwrap();
        let connecting = TlsConnector::from(Arc::new(self.config.clone())).connect(name, stream);
        timeout(PATIENCE, connecting).await.expect("a handshake in time")
    }

    /// A TLS connection to 127.0.0.1.
    pub(crate) async fn connect(&self, port: u16) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        self.over(stream).await
    }

    /// One whose kernel takes little.
    async fn connect_narrow(&self, port: u16) -> TlsStream<TcpStream> {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(64 * 1024).unwrap();
        let stream = socket.connect(([127, 0, 0, 1], port).into()).await.unwrap();
        self.over(stream).await.unwrap()
    }

    /// A WebSocket; it is a member when this returns.
    pub(crate) async fn join(&self, port: u16, path: &str) -> crate::server::Client<Tls> {
        let stream = self.connect(port).await.unwrap();
        let url = format!("wss://localhost:{port}{path}");
        let joining = timeout(PATIENCE, client_async(url, stream)).await;
        crate::server::Client(joining.expect("a 101 in time").expect("a handshake").0)
    }

    /// Sends a request, says that no more will come, and reads to the end, which must be told.
    async fn exchange(&self, port: u16, request: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect(port).await.unwrap();
        stream.write_all(request.as_ref()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = vec![];
        let reading = timeout(PATIENCE, stream.read_to_end(&mut answer));
        reading.await.expect("an end in time").expect("an end that was told");
        String::from_utf8(answer).unwrap()
    }
}

/// A TLS connection.
pub(crate) type Tls = TlsStream<TcpStream>;

/// A broker whose certificate stands in `own.crt` and `own.key` of a folder; `more` goes into its
/// URL.
pub(crate) fn start(folder: &Folder, more: &str, change: impl FnOnce(&mut Config)) -> TestServer {
    let path = folder.path().display();
    let url = format!("https://127.0.0.1:0?cert={path}/own.crt&key={path}/own.key{more}");
    TestServer::with(|config| {
        config.listen = vec![Listen::parse(&url).unwrap()];
        change(config);
    })
}

/// A broker with a certificate of its own, and who believes it.
pub(crate) fn simple(change: impl FnOnce(&mut Config)) -> (Folder, TestServer, Speaker) {
    let (folder, pair) = (Folder::with(&[]), Pair::new());
    pair.write(&folder, "own");
    let server = start(&folder, "", change);
    (folder, server, Speaker::new(&[&pair], &VERSIONS, None))
}

/// A WebSocket without a library, which reads nothing by itself.
async fn upgrade(stream: &mut Tls, path: &str) {
    stream.write_all(handshake(path).as_bytes()).await.unwrap();
    let mut answer = vec![];
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(timeout(PATIENCE, stream.read_u8()).await.expect("an answer").unwrap());
    }
    assert!(answer.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&answer));
}

/// The server's next frame: first byte and payload.
async fn frame(stream: &mut Tls) -> (u8, Vec<u8>) {
    let reading = async {
        let first = stream.read_u8().await?;
        let length = match stream.read_u8().await? {
            126 => u64::from(stream.read_u16().await?),
            127 => stream.read_u64().await?,
            short => short.into(),
        };
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        stream.read_exact(&mut payload).await?;
        io::Result::Ok((first, payload))
    };
    timeout(PATIENCE, reading).await.expect("a frame in time").unwrap()
}

/// Waits for the end of the broker's side, which must be told inside of TLS.
async fn ended<S>(mut socket: WebSocketStream<S>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let ended = async { while let Some(Ok(_)) = socket.next().await {} };
    timeout(PATIENCE, ended).await.expect("an end in time");
    let mut rest = vec![];
    timeout(PATIENCE, socket.get_mut().read_to_end(&mut rest)).await.unwrap().unwrap();
}
