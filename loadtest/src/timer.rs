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
