//! What every new connection has to pass, whichever acceptor it came to.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use super::Descriptor;
use super::addresses::{Addresses, Place};
use crate::limits::{Budget, Limits, TURNED_AWAY_MAX};
use crate::rate::Rate;
use crate::refusal::Refusal;

/// Counts new connections by their address and by the time. Without a limit it does nothing.
#[derive(Debug)]
pub(crate) struct Turnstile {
    /// `--connections-per-ip`.
    addresses: Option<Arc<Addresses>>,
    /// `--accept-rate`.
    pacer: Option<Pacer>,
    /// Descriptors of those who are being told why they may not come in.
    turned_away: Arc<Budget>,
}

/// How fast new connections come.
#[derive(Debug)]
struct Pacer {
    max: Rate,
    begin: Instant,
    /// When the next one is due if they come evenly: nanoseconds after the beginning.
    due: AtomicU64,
}

impl Turnstile {
    /// Nobody has come yet.
    pub(crate) fn new(limits: &Limits) -> Self {
        let pacer = |max| Pacer { max, begin: Instant::now(), due: AtomicU64::new(0) };
        Self {
            addresses: limits.address_connections_max.map(|max| Arc::new(Addresses::new(max))),
            pacer: limits.accept_rate_max.map(pacer),
            turned_away: Arc::new(Budget::new(TURNED_AWAY_MAX)),
        }
    }

    /// Lets one more connection in, or not; of nobody when it is a proxy's,
    /// whose clients count, or a process of this machine. Who is refused for
    /// its address does not count for the pace: one client must not use up what is there for all.
    pub(crate) fn pass(&self, client: Option<IpAddr>) -> Result<Option<Place>, Refusal> {
        let place = client.map_or(Ok(None), |client| self.place(client))?;
        match &self.pacer {
            Some(pacer) if pacer.is_too_fast() => Err(Refusal::accept_rate(pacer.max)),
            _ => Ok(place),
        }
    }

    /// One more connection of this client, or what counts as one, if it may have it.
    pub(crate) fn place(&self, client: IpAddr) -> Result<Option<Place>, Refusal> {
        self.addresses.as_ref().map(|addresses| addresses.take(client)).transpose()
    }

    /// A descriptor to tell somebody why it may not come in; `None` when too many are being told.
    pub(crate) fn turn_away(&self) -> Option<Descriptor> {
        Descriptor::take(&self.turned_away)
    }
}

impl Pacer {
    /// Whether one more now is too fast; if not, it counts.
    fn is_too_fast(&self) -> bool {
        let now = u64::try_from(self.begin.elapsed().as_nanos()).expect("no broker is that old");
        self.due.fetch_update(Relaxed, Relaxed, |due| self.max.admit(due, now)).is_err()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const LEELA: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn turnstile(connections: Option<usize>, rate: &str) -> Turnstile {
        Turnstile::new(&Limits {
            address_connections_max: connections,
            accept_rate_max: Rate::parse(rate).unwrap(),
            ..Limits::default()
        })
    }

    fn code(passed: Result<Option<Place>, Refusal>) -> &'static str {
        passed.unwrap_err().code.name()
    }

    #[test]
    fn without_limits_everybody_passes_and_nothing_is_kept() {
        let turnstile = turnstile(None, "0");
        assert!((0..1000).all(|_| matches!(turnstile.pass(Some(FRY)), Ok(None))));
    }

    #[test]
    fn who_is_refused_for_its_address_does_not_count_for_the_pace() {
        let turnstile = turnstile(Some(1), "2/h");
        let _place = turnstile.pass(Some(FRY)).unwrap();
        assert_eq!(code(turnstile.pass(Some(FRY))), "address-full");
        assert_eq!(code(turnstile.pass(Some(LEELA))), "accept-rate");
        // and gave its place back
        assert_eq!(code(turnstile.pass(Some(LEELA))), "accept-rate");
    }

    #[test]
    fn a_proxy_counts_for_the_pace_alone() {
        let turnstile = turnstile(Some(1), "2/h");
        assert!(matches!(turnstile.pass(None), Ok(None)));
        assert_eq!(code(turnstile.pass(None)), "accept-rate");
        let _place = turnstile.place(FRY).unwrap();
        assert_eq!(code(turnstile.place(FRY)), "address-full");
        assert!(turnstile.place(LEELA).unwrap().is_some());
    }

    #[test]
    fn so_many_are_told_at_a_time() {
        let turnstile = turnstile(Some(1), "0");
        let mut told: Vec<_> = (0..TURNED_AWAY_MAX).map(|_| turnstile.turn_away()).collect();
        assert!(told.iter().all(Option::is_some));
        assert!(turnstile.turn_away().is_none());
        told.pop();
        assert!(turnstile.turn_away().is_some());
    }
}
