//! Which seeds a random test tries, and how a failure is replayed.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

/// Runs `check` on `count` seeds, or on what the environment asks for: `CAIRN_SEED=S` for the one seed S,
/// `CAIRN_SEEDS=N` for N seeds, `CAIRN_MINUTES=N` for new seeds until N minutes are over.
pub(crate) fn for_each_seed(test: &str, count: u64, check: impl Fn(u64)) {
    if let Some(seed) = number("CAIRN_SEED") {
        check(seed);
        return;
    }
    let minutes = number("CAIRN_MINUTES").map(|minutes| Duration::from_secs(60 * minutes));
    let count = number("CAIRN_SEEDS").unwrap_or(count);
    let begin = Instant::now();
    for seed in 0.. {
        match minutes {
            Some(minutes) if begin.elapsed() >= minutes => break,
            None if seed >= count => break,
            _ => {}
        }
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(seed))) {
            eprintln!("seed {seed} fails; replay: CAIRN_SEED={seed} cargo test -p disk {test}");
            resume_unwind(panic);
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// A small generator of numbers, the same in every build.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }

    /// An index below `bound`.
    pub(crate) fn index(&mut self, bound: usize) -> usize {
        usize::try_from(self.below(bound as u64)).unwrap()
    }
}
