//! CPU time: the broker's from /proc, and this thread's own.

use std::fs;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// What all threads of `process` have run so far, to the nanosecond; none if it is gone. Threads
/// that ended are not in it, which is why `/proc/P/stat` would be the choice if its ticks of 10 ms
/// were not coarser than a short run.
pub(crate) fn of_process(process: u32) -> Option<Duration> {
    let mut total = Duration::ZERO;
    for thread in fs::read_dir(format!("/proc/{process}/task")).ok()?.flatten() {
        // A thread may end while we look.
        let Ok(line) = fs::read_to_string(thread.path().join("schedstat")) else { continue };
        total += Duration::from_nanos(line.split(' ').next()?.parse().ok()?);
    }
    Some(total)
}

/// What this thread has run so far.
pub(crate) fn of_this_thread() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("a clock of CPU time is not negative")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_with_work() {
        let (process, thread) = (of_process(std::process::id()).unwrap(), of_this_thread());
        while of_this_thread() < thread + Duration::from_millis(20) {}
        assert!(of_process(std::process::id()).unwrap() > process);
        assert_eq!(of_process(u32::MAX), None);
    }
}
