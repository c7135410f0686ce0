//! Which seeds a test tries, and how a failure is replayed.
#![allow(dead_code, reason = "each test uses its part")]

use std::time::{Duration, Instant};

/// Seeds to try, one after the other. Dropped by a panic, it names the seed that was being tried.
#[derive(Debug)]
pub(crate) struct Seeds {
    test: &'static str,
    only: Option<u64>,
    count: u64,
    minutes: Option<Duration>,
    begin: Instant,
    tried: u64,
}

/// `count` seeds, or what the environment asks for: `CAIRN_SEED=S` for the one seed S, `CAIRN_SEEDS=N` for N seeds,
/// `CAIRN_MINUTES=N` for new seeds until N minutes are over. `test` is the file of the test.
pub(crate) fn seeds(test: &'static str, count: u64) -> Seeds {
    let minutes = number("CAIRN_MINUTES").map(|minutes| Duration::from_secs(60 * minutes));
    Seeds {
        test,
        only: number("CAIRN_SEED"),
        count: number("CAIRN_SEEDS").unwrap_or(count),
        minutes,
        begin: Instant::now(),
        tried: 0,
    }
}

/// Whether the environment chooses the seeds: then they may be too few for a claim about all of them together.
pub(crate) fn are_chosen() -> bool {
    ["CAIRN_SEED", "CAIRN_SEEDS", "CAIRN_MINUTES"]
        .into_iter()
        .any(|variable| number(variable).is_some())
}

impl Iterator for Seeds {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let more = match (self.only, self.minutes) {
            (Some(_), _) => self.tried == 0,
            (None, Some(minutes)) => self.begin.elapsed() < minutes,
            (None, None) => self.tried < self.count,
        };
        let seed = self.only.unwrap_or(self.tried);
        self.tried += u64::from(more);
        more.then_some(seed)
    }
}

impl Drop for Seeds {
    fn drop(&mut self) {
        let test = self.test;
        if std::thread::panicking() {
            let seed = self.only.unwrap_or(self.tried.saturating_sub(1));
            eprintln!(
                "seed {seed} fails; replay: CAIRN_SEED={seed} cargo test -p table --test {test}"
            );
        } else {
            println!("{test}: {} seeds", self.tried);
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}
