//! A timer of the kernel's: tokio's own rounds up to a millisecond, which an open loop would
//! report as latency.

use std::io::{Error, ErrorKind};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;

use crate::report::float;

/// When the `number`th of things is due that are `apart` ns apart from `start` on, in ns.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positive, and exact to a nanosecond for the first hundred days"
)]
pub(crate) fn due_at(start: u64, number: u64, apart: f64) -> u64 {
    start + (float(number) * apart) as u64
}

/// Waits to the microsecond.
pub(crate) struct Timer {
    /// Readable when the time has come.
    descriptor: AsyncFd<OwnedFd>,
}

impl Timer {
    /// A timer that is not set.
    #[expect(deprecated, reason = "its successor is unsafe; we own the descriptor and keep it")]
    pub(crate) fn new() -> Result<Self, Error> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let descriptor = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        Ok(Self { descriptor: AsyncFd::new(descriptor)? })
    }

    /// Returns after `duration`.
    pub(crate) async fn wait(&self, duration: Duration) -> Result<(), Error> {
        // A zero would switch the timer off.
        let duration = duration.max(Duration::from_nanos(1));
        let it_value = Timespec::try_from(duration).map_err(Error::other)?;
        let setting = Itimerspec { it_interval: Timespec::default(), it_value };
        timerfd_settime(self.descriptor.get_ref(), TimerfdTimerFlags::empty(), &setting)?;
        loop {
            let mut ready = self.descriptor.readable().await?;
            match rustix::io::read(self.descriptor.get_ref(), &mut [0; 8]).map_err(Error::from) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => ready.clear_ready(),
                outcome => return outcome.map(drop),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_at_a_rate_is_evenly_apart() {
        let due: Vec<u64> = (0..4).map(|number| due_at(100, number, 2.5)).collect();
        assert_eq!(due, [100, 102, 105, 107]);
    }
}
