//! How fast something is done that may take its time.

use std::cell::Cell;
use std::time::Duration;

use crate::clock::Clock;

/// Bytes a second, at most, from a moment on.
#[derive(Debug)]
pub(crate) struct Pace {
    bytes_per_second: Option<u64>,
    begun: Duration,
    done: Cell<u64>,
    /// Of the part that is being done.
    of_part: Cell<u64>,
}

impl Pace {
    pub(crate) fn begin(clock: &dyn Clock, bytes_per_second: Option<u64>) -> Self {
        Pace {
            bytes_per_second,
            begun: bytes_per_second.map_or(Duration::ZERO, |_| clock.elapsed()),
            done: Cell::new(0),
            of_part: Cell::new(0),
        }
    }

    /// How long to wait, by the same clock, after so many bytes of a part, which begins whenever there are fewer than before.
    pub(crate) fn wait(&self, clock: &dyn Clock, of_part: u64) -> Duration {
        let Some(bytes_per_second) = self.bytes_per_second else {
            return Duration::ZERO;
        };
        let before = self.of_part.replace(of_part);
        let more = of_part.checked_sub(before).unwrap_or(of_part);
        self.done.set(self.done.get().saturating_add(more));
        let nanos =
            u128::from(self.done.get()) * 1_000_000_000 / u128::from(bytes_per_second.max(1));
        let due = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        due.saturating_sub(clock.elapsed().saturating_sub(self.begun))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct At(std::sync::Mutex<Duration>);

    impl Clock for At {
        fn wall_ns(&self) -> Option<i64> {
            None
        }

        fn elapsed(&self) -> Duration {
            *self.0.lock().expect("no test panics with it")
        }
    }

    #[test]
    fn what_is_too_fast_waits_and_parts_add_up() {
        let clock = At(Duration::from_secs(7).into());
        let set = |millis: u64| {
            *clock.0.lock().expect("no test panics with it") = Duration::from_millis(7000 + millis);
        };
        let pace = Pace::begin(&clock, Some(1000));
        let rows = [
            // Milliseconds, bytes of the part, milliseconds to wait.
            (0, 100, 100),
            (60, 100, 40),
            (100, 300, 200),
            (900, 400, 0),
            // Another part, after 400 bytes.
            (900, 700, 0),
            (900, 50, 0),
            (900, 250, 50),
        ];
        for (millis, bytes, expected) in rows {
            set(millis);
            assert_eq!(
                pace.wait(&clock, bytes),
                Duration::from_millis(expected),
                "{millis}, {bytes}"
            );
        }
        assert_eq!(
            Pace::begin(&clock, None).wait(&clock, u64::MAX),
            Duration::ZERO
        );
    }
}
