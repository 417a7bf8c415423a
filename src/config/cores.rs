//! The CPUs that we may use, and which shard runs on which.

use std::fmt;
use std::num::NonZeroUsize;
use std::thread::available_parallelism;

use super::Pin;

/// CPUs of the affinity mask, ascending; empty when the system does not say.
#[must_use]
pub fn available() -> Vec<usize> {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    cores.into_iter().map(|core| core.id).collect()
}

/// How many threads can really run at once: the affinity mask, or the cgroup's quota where that
/// is smaller.
#[must_use]
pub fn usable() -> NonZeroUsize {
    let parallelism = available_parallelism().unwrap_or(NonZeroUsize::MIN);
    NonZeroUsize::new(available().len()).map_or(parallelism, |mask| mask.min(parallelism))
}

/// Which CPU each shard is to be pinned to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// One per shard; `None` leaves the shard to the kernel.
    pub cpus: Vec<Option<usize>>,
    /// Why nothing is pinned although `--pin auto` would have liked to.
    pub note: Option<String>,
}

impl fmt::Display for Plan {
    /// `0,1`, or `none` with the reason.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for cpu in self.cpus.iter().flatten() {
            write!(f, "{separator}{cpu}")?;
            separator = ",";
        }
        match &self.note {
            Some(note) => write!(f, "none: {note}"),
            None if separator.is_empty() => f.write_str("none"),
            None => Ok(()),
        }
    }
}

/// Places `shards` on the CPUs of this machine.
#[must_use]
pub fn plan(pin: &Pin, shards: NonZeroUsize) -> Plan {
    place(pin, shards.get(), &available(), usable().get())
}

/// A pinned shard that shares its CPU loses what pinning gains, so `auto` pins all or none: under
/// a quota every container of a host would sit on the first CPUs.
fn place(pin: &Pin, shards: usize, mask: &[usize], usable: usize) -> Plan {
    let unpinned = |note| Plan { cpus: vec![None; shards], note };
    let cpus = match pin {
        Pin::None => return unpinned(None),
        Pin::List(cpus) => cpus.as_slice(),
        Pin::Auto if mask.is_empty() => {
            return unpinned(Some("the affinity mask is unknown".to_owned()));
        }
        Pin::Auto if usable < mask.len() => {
            let note = format!(
                "the cgroup quota is worth {usable} of the {} CPUs in the affinity mask",
                mask.len()
            );
            return unpinned(Some(note));
        }
        Pin::Auto if shards > mask.len() => {
            let note = format!("{shards} shards, {} CPUs in the affinity mask", mask.len());
            return unpinned(Some(note));
        }
        Pin::Auto => mask,
    };
    Plan { cpus: cpus.iter().copied().cycle().map(Some).take(shards).collect(), note: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_pins_all_shards_or_none() {
        let cases: [(usize, &[usize], usize, &str); 6] = [
            (2, &[0, 1], 2, "0,1"),
            (2, &[3, 5, 8], 3, "3,5"),
            (1, &[7], 1, "7"),
            (3, &[0, 1], 2, "none: 3 shards, 2 CPUs in the affinity mask"),
            (1, &[0, 1], 1, "none: the cgroup quota is worth 1 of the 2 CPUs in the affinity mask"),
            (1, &[], 1, "none: the affinity mask is unknown"),
        ];
        for (shards, mask, usable, expected) in cases {
            let plan = place(&Pin::Auto, shards, mask, usable);
            assert_eq!(plan.to_string(), expected);
            assert_eq!(plan.cpus.len(), shards);
            assert_eq!(plan.cpus.iter().all(Option::is_some), plan.note.is_none());
        }
    }

    #[test]
    fn a_list_is_taken_as_it_is_and_starts_again() {
        let plan = place(&Pin::List(vec![4, 9]), 3, &[0, 1], 1);
        assert_eq!(plan, Plan { cpus: vec![Some(4), Some(9), Some(4)], note: None });
    }

    #[test]
    fn none_needs_no_reason() {
        let plan = place(&Pin::None, 2, &[0, 1], 2);
        assert_eq!(plan, Plan { cpus: vec![None, None], note: None });
        assert_eq!(plan.to_string(), "none");
    }

    #[test]
    fn this_machine_has_a_core() {
        assert!(!available().is_empty());
        assert!(usable().get() <= available().len());
        assert_eq!(plan(&Pin::None, usable()).cpus.len(), usable().get());
    }
}
