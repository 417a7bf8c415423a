//! What a TLS listener shows of itself, swapped when its certificate is another.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;

use crate::config::Tls;
use crate::metrics::Counters;
use crate::tls::{FilesError, Watch};

/// Certificate and key of one listener, as every acceptor sees them. Looking takes no lock; a
/// connection keeps what it began with.
#[derive(Clone)]
pub(crate) struct Identity(Arc<ArcSwap<ServerConfig>>);

impl Identity {
    /// The certificate of the start.
    pub(crate) fn new(config: Arc<ServerConfig>) -> Self {
        Self(Arc::new(ArcSwap::new(config)))
    }

    /// From here on new connections are shown this one.
    pub(crate) fn adopt(&self, config: Arc<ServerConfig>) {
        self.0.store(config);
    }

    /// What a connection that begins now is shown.
    pub(crate) fn now(&self) -> Arc<ServerConfig> {
        self.0.load_full()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity")
    }
}

/// Sees that identities are what their files say.
#[derive(Debug)]
pub(crate) struct Keeper {
    watched: Vec<(Watch, Identity)>,
    /// Its thread's.
    counters: Arc<Counters>,
}

impl Keeper {
    /// Nothing is watched yet.
    pub(crate) const fn new(counters: Arc<Counters>) -> Self {
        Self { watched: vec![], counters }
    }

    /// Reads a listener's files, and watches them from here on.
    pub(crate) fn begin(&mut self, files: Tls) -> Result<Identity, FilesError> {
        let (watch, config) = Watch::begin(files)?;
        let identity = Identity::new(config);
        self.watched.push((watch, identity.clone()));
        Ok(identity)
    }

    /// Whether there is nothing to do.
    pub(crate) const fn is_idle(&self) -> bool {
        self.watched.is_empty()
    }

    /// Looks at all files, and takes over those that have changed, or all when it is `asked` to. A
    /// pair that is broken changes nothing.
    pub(crate) fn look(&mut self, asked: bool) {
        for (watch, identity) in &mut self.watched {
            match watch.look(asked) {
                None => {}
                Some(Ok(config)) => {
                    identity.adopt(config);
                    self.counters.certificates_reloaded.add(1);
                    let cert = watch.files().cert.display();
                    tracing::info!(%cert, "certificate read again");
                }
                Some(Err(error)) => {
                    self.counters.certificates_refused.add(1);
                    tracing::error!(
                        path = %error.path.display(),
                        "certificate not changed, the one before stays: {error}"
                    );
                }
            }
        }
    }
}
