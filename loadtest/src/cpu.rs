//! This thread's own CPU time.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// What this thread has run so far.
pub(crate) fn of_this_thread() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("a clock of CPU time is not negative")
}
