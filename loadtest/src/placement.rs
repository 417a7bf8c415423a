//! Which CPUs a spawned broker gets, and which the client.

use std::fmt;
use std::io::Error;

use mercury::config::{Pin, cores};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// CPUs for each side, ascending.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Placement {
    /// The broker's.
    pub(crate) broker: Vec<usize>,
    /// The client's.
    pub(crate) client: Vec<usize>,
}

/// Puts the calling thread back where it was allowed to run before.
#[derive(Debug)]
pub(crate) struct Return {
    /// Where that was.
    mask: CpuSet,
}

impl Placement {
    /// Divides the CPUs that we may use: the last ones, one per thread, for a client of so many
    /// threads, the others for the broker. None if there is only one, or no other than those that
    /// `pin` gives to shards.
    pub(crate) fn find(threads: usize, pin: Option<&Pin>) -> Option<Self> {
        Self::divide(&cores::available(), threads, pin)
    }

    fn divide(cpus: &[usize], threads: usize, pin: Option<&Pin>) -> Option<Self> {
        let (free, broker_min): (Vec<usize>, _) = match pin {
            // The broker's other threads go where the kernel likes.
            Some(Pin::List(pinned)) => {
                (cpus.iter().copied().filter(|cpu| !pinned.contains(cpu)).collect(), 0)
            }
            _ => (cpus.to_vec(), 1),
        };
        let client = threads.min(free.len().saturating_sub(broker_min));
        let (rest, client) = free.split_at(free.len() - client);
        let broker = if broker_min == 0 { cpus } else { rest };
        (!client.is_empty()).then(|| Self { broker: broker.to_vec(), client: client.to_vec() })
    }

    /// Lets the calling thread, and what it starts, run on the broker's CPUs only.
    pub(crate) fn enter_broker(&self) -> Result<Return, Error> {
        let back = Return { mask: sched_getaffinity(None)? };
        enter(&self.broker)?;
        Ok(back)
    }

    /// The same with the client's.
    pub(crate) fn enter_client(&self) -> Result<(), Error> {
        enter(&self.client)
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "broker on CPU {}, client on CPU {}",
            list(&self.broker),
            list(&self.client)
        )
    }
}

impl Drop for Return {
    fn drop(&mut self) {
        // The mask was ours; if it no longer is, the kernel has put us where we may be.
        sched_setaffinity(None, &self.mask).ok();
    }
}

fn enter(cpus: &[usize]) -> Result<(), Error> {
    let mut mask = CpuSet::new();
    for cpu in cpus {
        mask.set(*cpu);
    }
    Ok(sched_setaffinity(None, &mask)?)
}

/// Like `0-2,5`.
fn list(cpus: &[usize]) -> String {
    let ranges = cpus.chunk_by(|one, next| one + 1 == *next).map(|range| match range {
        [only] => only.to_string(),
        range => format!("{}-{}", range[0], range[range.len() - 1]),
    });
    ranges.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn divide(cpus: &[usize], threads: usize, pin: &str) -> Option<String> {
        Placement::divide(cpus, threads, Some(&Pin::parse(pin).unwrap()))
            .map(|placement| placement.to_string())
    }

    #[test]
    fn the_client_takes_the_last_cpus() {
        let divided = |cpus: &[usize], threads| divide(cpus, threads, "auto").unwrap();
        assert_eq!(divided(&[0, 1], 1), "broker on CPU 0, client on CPU 1");
        assert_eq!(divided(&[0, 1], 4), "broker on CPU 0, client on CPU 1");
        assert_eq!(divided(&[1, 2, 3, 5, 7], 2), "broker on CPU 1-3, client on CPU 5,7");
        assert_eq!(divide(&[3], 1, "auto"), None);
        assert_eq!(divide(&[], 1, "none"), None);
    }

    #[test]
    fn what_is_pinned_is_the_brokers() {
        assert_eq!(divide(&[0, 1, 2], 1, "2").unwrap(), "broker on CPU 0-2, client on CPU 1");
        assert_eq!(divide(&[0, 1], 1, "0,1"), None);
    }

    #[test]
    fn a_thread_comes_back() {
        let Some(placement) = Placement::find(1, None) else { return };
        let before = sched_getaffinity(None).unwrap();
        let back = placement.enter_broker().unwrap();
        placement.enter_client().unwrap();
        assert_eq!(sched_getaffinity(None).unwrap().count(), 1);
        drop(back);
        assert_eq!(sched_getaffinity(None).unwrap(), before);
    }
}
