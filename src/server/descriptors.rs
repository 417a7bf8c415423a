//! How many descriptors there are, and how many of them are not for clients.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Config;
use crate::limits::{
    ADMIN_CONNECTIONS_MAX, DESCRIPTORS_PER_THREAD, DESCRIPTORS_RESERVED, TURNED_AWAY_MAX,
};

/// Descriptors that are not for clients.
pub(super) fn reserved(config: &Config) -> usize {
    let acceptors = config.acceptors.get();
    let is_administered = config.admin.listen.is_some();
    let threads = config.shards.get() + acceptors + usize::from(is_administered);
    let own = DESCRIPTORS_PER_THREAD * threads + acceptors * config.listen.len();
    let limits = &config.limits;
    let turns_away = limits.address_connections_max.is_some()
        || limits.accept_rate_max.is_some()
        || config.listen.iter().any(|listen| listen.proxied);
    let more = [(turns_away, TURNED_AWAY_MAX), (is_administered, 1 + ADMIN_CONNECTIONS_MAX)];
    let more = more.into_iter().filter(|(is_needed, _)| *is_needed);
    DESCRIPTORS_RESERVED.max(own) + more.map(|(_, count)| count).sum::<usize>()
}

/// Raises the soft limit of descriptors to the hard one; what it is then.
pub(super) fn raise() -> usize {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, "cannot raise the limit of descriptors");
    }
    let now = getrlimit(Resource::Nofile).current;
    now.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
}
