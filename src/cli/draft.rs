//! Settings while they are being taken over: what depends on others is worked out at the end.

use std::num::NonZeroUsize;

use crate::config::{
    Admin, AdminError, Config, Listen, Log, LogFilter, LogFormat, Mode, Pin, Proxies, cores, memory,
};
use crate::limits::{Limits, LimitsError, SHARDS_PER_ACCEPTOR};

/// Where the original listens.
pub(super) const LISTEN_DEFAULT: &str = "http://*:3000";

/// A configuration that may still have gaps.
#[derive(Debug)]
pub(super) struct Draft {
    /// All that stands by itself.
    pub(super) config: Config,
    /// The log's.
    pub(super) log: Log,
    /// Else they follow from the shards.
    pub(super) acceptors: Option<NonZeroUsize>,
    /// Else it follows from the machine, and from what it must hold.
    pub(super) memory_bytes_max: Option<usize>,
}

/// Two settings that cannot both hold.
#[derive(Debug, thiserror::Error)]
pub(super) enum Contradiction {
    /// One of the limits is too small for another.
    #[error(transparent)]
    Limits(#[from] LimitsError),
    /// The listener for operators would be everybody's.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// The listener for operators would be where clients are listened for.
    #[error("--admin is {admin}, which is the place of '{listen}'")]
    Shared {
        /// As it was written.
        admin: String,
        /// The other one, likewise.
        listen: String,
    },
}

impl Contradiction {
    /// The flag that is to say where.
    pub(super) const fn flag(&self) -> &'static str {
        match self {
            Self::Limits(error) => error.flag,
            Self::Admin(_) | Self::Shared { .. } => "--admin",
        }
    }
}

impl Draft {
    /// Everything at its default.
    pub(super) fn new() -> Self {
        let listen = Listen::parse(LISTEN_DEFAULT).expect("the default is right");
        let config = Config {
            listen: vec![listen],
            listen_is_default: true,
            mode: Mode::Development,
            accept_backlog: None,
            allow_origin: None,
            proxies: Proxies::default(),
            shards: cores::usable(),
            acceptors: NonZeroUsize::MIN,
            pin: Pin::Auto,
            admin: Admin::default(),
            limits: Limits::default(),
        };
        let log = Log { format: LogFormat::Text, filter: LogFilter::default() };
        Self { config, log, acceptors: None, memory_bytes_max: None }
    }

    /// Fills the gaps, and checks what was set one against the other.
    pub(super) fn settle(self) -> Result<(Config, Log), Contradiction> {
        let Self { mut config, log, acceptors, memory_bytes_max } = self;
        config.limits.check()?;
        config.admin.check()?;
        check_apart(&config)?;
        let enough = NonZeroUsize::new(config.shards.get() / SHARDS_PER_ACCEPTOR);
        config.acceptors = acceptors.or(enough).unwrap_or(NonZeroUsize::MIN);
        let threads = config.shards.get() + config.acceptors.get();
        let least = config.limits.memory_least(threads);
        config.limits.memory_bytes_max =
            memory_bytes_max.unwrap_or_else(|| memory::half().max(least));
        config.limits.check_memory(threads)?;
        Ok((config, log))
    }
}

/// Whether operators have a place of their own. Where nobody says where to listen, the sockets of a
/// service manager may be meant.
fn check_apart(config: &Config) -> Result<(), Contradiction> {
    let Some(admin) = &config.admin.listen else { return Ok(()) };
    // the kernel would lead clients to it
    let alone = Listen { reuse: false, ..admin.clone() };
    let clashes = |listen: &&Listen| listen.check_beside(&alone).is_err();
    let all = if config.listen_is_default { &[] } else { &*config.listen };
    let Some(listen) = all.iter().find(clashes) else { return Ok(()) };
    Err(Contradiction::Shared { admin: admin.url.clone(), listen: listen.url.clone() })
}
