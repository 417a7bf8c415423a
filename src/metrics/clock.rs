//! What time it is, for what is counted by time.

use std::sync::LazyLock;
use std::time::Instant;

/// The moment that time is counted from.
static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Microseconds since somebody first asked; they never go back.
#[must_use]
pub fn microseconds() -> u64 {
    let passed = BEGAN.elapsed();
    passed.as_secs() * 1_000_000 + u64::from(passed.subsec_micros())
}
