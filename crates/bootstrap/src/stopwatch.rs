//! Measures phases, by an injected clock.

use std::time::Duration;

use crate::clock::Clock;

/// Time since the last lap.
#[derive(Debug)]
pub(crate) struct Stopwatch<'a> {
    clock: &'a dyn Clock,
    last: Duration,
}

impl<'a> Stopwatch<'a> {
    pub(crate) fn start(clock: &'a dyn Clock) -> Self {
        Stopwatch {
            clock,
            last: clock.elapsed(),
        }
    }

    /// Time since the start or the last lap.
    pub(crate) fn lap(&mut self) -> Duration {
        let now = self.clock.elapsed();
        let lap = now.saturating_sub(self.last);
        self.last = now;
        lap
    }
}
