//! What is counted of the core: bytes in, bytes out, no sockets.

mod crowd;
mod delivery;
mod message;
mod topic;

use std::hint::black_box;

use crate::callgrind::{self, CallgrindError};

/// What callgrind is told to count: [`counted`] and all that it calls.
const COUNTED: &str = "workload::counted";
/// Turns before those that are counted, after which every buffer has its size.
const WARM_UP_TURNS: usize = 3;

/// One thing that mercury does all the time.
pub(crate) struct Workload {
    /// What the baseline calls it.
    pub(crate) name: &'static str,
    /// Turns that are counted.
    turns: usize,
    /// Units in a turn: deliveries, messages or names.
    units: usize,
    /// Makes what does one turn and gives the units that it did.
    prepare: fn() -> Turn,
}

/// One turn of a workload; the units that it did.
type Turn = Box<dyn FnMut() -> usize>;

/// All of them.
pub(crate) const ALL: [Workload; 18] = [
    Workload { name: "decode-1-small", turns: 500, units: 1, prepare: message::decode_1 },
    Workload { name: "decode-256-small", turns: 20, units: 256, prepare: message::decode_256 },
    Workload { name: "decode-16-kib", turns: 100, units: 1, prepare: message::decode_16_kib },
    Workload { name: "decode-utf-8", turns: 20, units: 256, prepare: message::decode_utf_8 },
    Workload { name: "append-small", turns: 20, units: 256, prepare: message::append_small },
    Workload { name: "publish-depth-1", turns: 20, units: 256, prepare: message::publish_1 },
    Workload { name: "publish-depth-8", turns: 20, units: 256, prepare: message::publish_8 },
    Workload { name: "publish-bus", turns: 20, units: 256, prepare: message::publish_bus },
    Workload { name: "deliver-100-batch-1", turns: 50, units: 100, prepare: delivery::w1_100 },
    Workload { name: "deliver-100-batch-16", turns: 50, units: 1600, prepare: delivery::w16_100 },
    Workload { name: "deliver-1000-batch-1", turns: 10, units: 1000, prepare: delivery::w1_1000 },
    Workload {
        name: "deliver-1000-batch-16",
        turns: 10,
        units: 16_000,
        prepare: delivery::w16_1000,
    },
    Workload { name: "deliver-bus-100", turns: 10, units: 9900, prepare: delivery::bus },
    Workload { name: "deliver-behind-100", turns: 50, units: 1600, prepare: delivery::behind },
    Workload { name: "deliver-jobs-8", turns: 20, units: 256, prepare: delivery::jobs },
    Workload { name: "topic-parse", turns: 50, units: 32, prepare: topic::parse },
    Workload { name: "topic-find", turns: 5, units: 1000, prepare: topic::find },
    Workload { name: "topic-join-and-leave", turns: 5, units: 1000, prepare: topic::join },
];

impl Workload {
    /// Does it: what the process under callgrind is for.
    ///
    /// # Panics
    /// When a turn does not do its units.
    pub(crate) fn run(&self) {
        let mut turn = (self.prepare)();
        for _ in 0..WARM_UP_TURNS {
            assert_eq!(turn(), self.units, "units of a turn of {}", self.name);
        }
        assert_eq!(counted(self.turns, &mut *turn), self.turns * self.units, "{}", self.name);
    }

    /// Instructions of one unit.
    pub(crate) fn count(&self) -> Result<f64, CallgrindError> {
        let process = callgrind::start(Some(COUNTED), &["--count", self.name])?;
        let sum = callgrind::end(self.name, process)?;
        Ok(per_unit(sum, self.turns * self.units))
    }
}

/// Instructions of one unit, of so many that took them.
#[expect(clippy::cast_precision_loss, reason = "2^53 instructions take weeks to count")]
pub(crate) fn per_unit(instructions: u64, units: usize) -> f64 {
    // as many digits as the baseline has
    (instructions as f64 / units as f64 * 100.0).round() / 100.0
}

/// All that is counted; callgrind finds it by its name.
#[inline(never)]
fn counted(turns: usize, turn: &mut dyn FnMut() -> usize) -> usize {
    (0..turns).map(|_| black_box(turn())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_workload_does_its_units() {
        ALL.iter().for_each(Workload::run);
    }

    #[test]
    fn what_callgrind_looks_for_is_where_it_looks() {
        let name = std::any::type_name_of_val(&counted);
        assert!(name.contains(COUNTED), "{name}");
    }

    #[test]
    fn counts_are_rounded_as_they_are_written() {
        assert_eq!(per_unit(1000, 3).to_string(), "333.33");
    }
}
