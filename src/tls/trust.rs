//! Whom `mercury sub` and the others believe that they are the broker.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};

use super::pair::{FilesError, roots};

/// Why nobody can be believed.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The file that was named.
    #[error(transparent)]
    File(#[from] FilesError),
    /// rustls does not take it.
    #[error(transparent)]
    Unfit(#[from] rustls::Error),
    /// This machine has no certificates, and what was wrong with the first of them, if any.
    #[error("this machine has no certificates that vouch for others{0}; name a file with --ca")]
    Empty(String),
}

/// What connections are opened with: those are believed for whom a certificate of this file
/// vouches, or one of this machine's.
pub fn client_config(ca: Option<&Path>) -> Result<Arc<ClientConfig>, TrustError> {
    let roots = match ca {
        Some(path) => roots(path, false)?,
        None => machine_roots()?,
    };
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Those that the machine believes; odd ones among them are passed over, as by everybody.
fn machine_roots() -> Result<RootCertStore, TrustError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let first = found.errors.first().map(|error| format!(" ({error})"));
        return Err(TrustError::Empty(first.unwrap_or_default()));
    }
    Ok(roots)
}
