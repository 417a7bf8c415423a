//! This thread's own CPU time.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// What this thread has run so far. By libc: rustix looks for the vDSO itself, and dies under
/// valgrind, which hides it.
pub(crate) fn of_this_thread() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("every thread has a clock").into()
}
