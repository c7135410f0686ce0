//! Where time comes from: always from outside, so that a simulation can bring its own.

use std::fmt::Debug;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A source of time. Nothing that is decided or stored in tables depends on it: it stamps records and measures phases.
pub trait Clock: Send + Sync + Debug {
    /// Wall-clock time in nanoseconds since the Unix epoch, noted beside each record; `None` notes nothing.
    fn wall_ns(&self) -> Option<i64>;

    /// Time since some fixed moment, never running backwards.
    fn elapsed(&self) -> Duration;
}

/// The clock of the operating system.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    start: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        SystemClock {
            start: Instant::now(),
        }
    }
}

impl Clock for SystemClock {
    fn wall_ns(&self) -> Option<i64> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        i64::try_from(since.as_nanos()).ok()
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}
