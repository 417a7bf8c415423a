//! Certificate and key of a listener, read from their files and checked against each other.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::{self, Ticketer};
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{Error, RootCertStore, ServerConfig};

use crate::config::{Tls, Verify};
use crate::contents::{self, ContentsError};
use crate::limits::{CERTIFICATE_FILE_BYTES_MAX, TLS_TICKETS};

/// What we speak inside (RFC 7301): a client that offers other protocols only is turned down.
const PROTOCOLS: [&[u8]; 2] = [b"http/1.1", b"http/1.0"];

/// A file that is not what it should be.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}", path.display())]
pub struct FilesError {
    /// Which one.
    pub path: PathBuf,
    /// What is wrong with it.
    pub why: Why,
}

/// What is wrong with a file.
#[derive(Debug)]
pub enum Why {
    /// It cannot be read.
    Unreadable(ContentsError),
    /// Its PEM is broken.
    Pem(pem::Error),
    /// There is no certificate inside.
    NoCertificate,
    /// One of its certificates cannot be read: which, from 1, and why.
    Certificate(usize, Error),
    /// There is no private key inside.
    NoKey,
    /// Its private key is behind a passphrase.
    Encrypted,
    /// Its private key is of no kind that we know, or broken.
    Key(Error),
    /// It is not the key of the certificate in this file.
    Mismatch(PathBuf),
    /// rustls does not take what was read.
    Unfit(String),
}

impl Why {
    const fn of(self, path: PathBuf) -> FilesError {
        FilesError { path, why: self }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => error.fmt(f),
            Self::Pem(error) => write!(f, "is not PEM: {}", fault(error)),
            Self::NoCertificate => write!(f, "holds no certificate in PEM"),
            Self::Certificate(number, error) => {
                write!(f, "certificate {number} in it cannot be used: {error}")
            }
            Self::NoKey => write!(f, "holds no private key in PEM"),
            Self::Encrypted => {
                write!(f, "the key in it is encrypted, take its passphrase off: openssl pkey")
            }
            Self::Key(error) => write!(f, "the key in it cannot be used: {error}"),
            Self::Mismatch(cert) => {
                write!(f, "is not the key of the certificate in {}", cert.display())
            }
            Self::Unfit(reason) => f.write_str(reason),
        }
    }
}

/// What is wrong with PEM, without a byte of it: the library shows lines, and where line ends are
/// lost the key is one.
const fn fault(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => {
            "a part does not end with its line -----END ...-----"
        }
        pem::Error::IllegalSectionStart { .. } => "a line that begins with -----BEGIN is broken",
        pem::Error::Base64Decode(_) => "what stands between BEGIN and END is not base64",
        pem::Error::SectionTooLarge => "a part is too large",
        _ => "it cannot be understood",
    }
}

/// Reads the files and makes of them what connections are opened with. `runs` says that a broker
/// runs, which must not wait for a pipe.
pub fn server_config(files: &Tls, runs: bool) -> Result<Arc<ServerConfig>, FilesError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let chain = certificates(&files.cert, runs)?;
    let key = private_key(&files.key, runs)?;
    let of_key = |why: Why| why.of(files.key.clone());
    let key =
        provider.key_provider.load_private_key(key).map_err(|error| of_key(Why::Key(error)))?;
    let pair = CertifiedKey::new(chain, key);
    match pair.keys_match() {
        Ok(()) => {}
        Err(Error::InconsistentKeys(_)) => return Err(of_key(Why::Mismatch(files.cert.clone()))),
        Err(error) => return Err(Why::Certificate(1, error).of(files.cert.clone())),
    }
    let unfit = |reason: String| Why::Unfit(reason).of(files.cert.clone());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| unfit(error.to_string()))?;
    let builder = match &files.ca {
        Some(ca) if files.verify != Verify::None => {
            let clients = clients(ca, files.verify, &provider, runs)?;
            builder.with_client_cert_verifier(clients)
        }
        _ => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(pair)));
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
    // a client that comes back brings what we must know: nothing is kept here, and after a reload
    // nobody goes on with what the certificates before had vouched for
    config.ticketer = Ticketer::new().map_err(|error| unfit(error.to_string()))?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = TLS_TICKETS;
    Ok(Arc::new(config))
}

/// Who is let in by its certificate.
fn clients(
    ca: &Path,
    verify: Verify,
    provider: &Arc<rustls::crypto::CryptoProvider>,
    runs: bool,
) -> Result<Arc<dyn ClientCertVerifier>, FilesError> {
    let roots = Arc::new(roots(ca, runs)?);
    let builder = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(provider));
    let builder = match verify {
        Verify::Required => builder,
        Verify::Optional | Verify::None => builder.allow_unauthenticated(),
    };
    builder.build().map_err(|error| Why::Unfit(error.to_string()).of(ca.to_owned()))
}

/// The certificates of a file, as those that vouch for others.
pub(super) fn roots(path: &Path, runs: bool) -> Result<RootCertStore, FilesError> {
    let mut roots = RootCertStore::empty();
    for (number, certificate) in certificates(path, runs)?.into_iter().enumerate() {
        let added = roots.add(certificate);
        added.map_err(|error| Why::Certificate(number + 1, error).of(path.to_owned()))?;
    }
    Ok(roots)
}

/// All certificates of a file, in their order.
fn certificates(path: &Path, runs: bool) -> Result<Vec<CertificateDer<'static>>, FilesError> {
    let bytes = read(path, runs)?;
    let of_path = |why: Why| why.of(path.to_owned());
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<_, _>>()
        .map_err(|error| of_path(Why::Pem(error)))?;
    if chain.is_empty() { Err(of_path(Why::NoCertificate)) } else { Ok(chain) }
}

/// The first private key of a file.
fn private_key(path: &Path, runs: bool) -> Result<PrivateKeyDer<'static>, FilesError> {
    let bytes = read(path, runs)?;
    let is_encrypted = ["BEGIN ENCRYPTED PRIVATE KEY", "Proc-Type: 4,ENCRYPTED"]
        .iter()
        .any(|mark| bytes.windows(mark.len()).any(|window| window == mark.as_bytes()));
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| {
        let why = match error {
            _ if is_encrypted => Why::Encrypted,
            pem::Error::NoItemsFound => Why::NoKey,
            error => Why::Pem(error),
        };
        why.of(path.to_owned())
    })
}

/// A file whole, as far as it is no larger than certificates can be.
fn read(path: &Path, runs: bool) -> Result<Vec<u8>, FilesError> {
    let contents = contents::read(path, CERTIFICATE_FILE_BYTES_MAX, runs);
    contents.map_err(|error| Why::Unreadable(error).of(path.to_owned()))
}
