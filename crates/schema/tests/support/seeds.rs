//! Which seeds a test tries, and how a failure is replayed.
#![allow(dead_code, unreachable_pub)]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

/// Runs `check` on `count` seeds, or on what the environment asks for: `CAIRN_SEED=S` for the one seed S,
/// `CAIRN_SEEDS=N` for N seeds, `CAIRN_MINUTES=N` for new seeds until N minutes are over.
pub fn for_each_seed(test: &str, count: u64, check: impl Fn(u64)) {
    if let Some(seed) = number("CAIRN_SEED") {
        check(seed);
        println!("{test}: the seed {seed}");
        return;
    }
    let minutes = number("CAIRN_MINUTES").map(|minutes| Duration::from_secs(60 * minutes));
    let count = number("CAIRN_SEEDS").unwrap_or(count);
    let begin = Instant::now();
    for seed in 0.. {
        let enough = match minutes {
            Some(minutes) => begin.elapsed() >= minutes,
            None => seed >= count,
        };
        if enough {
            println!("{test}: {seed} seeds");
            return;
        }
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(seed))) {
            eprintln!(
                "seed {seed} fails; replay: CAIRN_SEED={seed} cargo test -p schema --test {test}"
            );
            resume_unwind(panic);
        }
    }
}

/// Whether the environment chooses the seeds: then they may be too few for a claim about all of them together.
pub fn are_chosen() -> bool {
    ["CAIRN_SEED", "CAIRN_SEEDS", "CAIRN_MINUTES"]
        .into_iter()
        .any(|variable| number(variable).is_some())
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}
