//! TLS under a connection: a task decrypts between the socket and who reads, so that the lean
//! reader stays as it is. What it costs is the client's.

use std::fmt;
use std::fs;
use std::io::Error;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{WebPkiSupportedAlgorithms, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    self, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

/// Which certificates are believed.
#[derive(Clone)]
pub(crate) struct Trust(Arc<ClientConfig>);

impl Trust {
    /// Those that the certificates in this file, PEM, vouch for.
    pub(crate) fn from_file(path: &str) -> Result<Self, String> {
        let bytes = fs::read(path).map_err(|error| error.to_string())?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&bytes) {
            let certificate = certificate.map_err(|error| error.to_string())?;
            roots.add(certificate).map_err(|error| error.to_string())?;
        }
        if roots.is_empty() {
            return Err("there is no certificate in it".to_owned());
        }
        let config = versions().with_root_certificates(roots).with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }

    /// Any: whoever is in between may read and write.
    pub(crate) fn blind() -> Self {
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
        let verifier = Arc::new(Blind(algorithms));
        let builder = versions().dangerous().with_custom_certificate_verifier(verifier);
        Self(Arc::new(builder.with_no_client_auth()))
    }

    /// Shakes hands with `host` over `stream`; what is read and written then goes through TLS.
    pub(crate) async fn dig(&self, stream: TcpStream, host: &str) -> Result<TcpStream, Error> {
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(host).map_err(Error::other)?;
        let mut outer = TlsConnector::from(Arc::clone(&self.0)).connect(name, stream).await?;
        let (near, far) = StdUnixStream::pair()?;
        near.set_nonblocking(true)?;
        far.set_nonblocking(true)?;
        let mut far = UnixStream::from_std(far)?;
        tokio::task::spawn_local(async move {
            // both sides meet the error that ends it
            copy_bidirectional(&mut outer, &mut far).await.ok();
        });
        // to tokio it is a stream socket like any other
        TcpStream::from_std(OwnedFd::from(near).into())
    }
}

fn versions() -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has both versions")
}

impl fmt::Debug for Trust {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Trust")
    }
}

impl PartialEq for Trust {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Trust {}

/// Believes every certificate, if its key signed the handshake.
#[derive(Debug)]
struct Blind(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Blind {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, signed, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
