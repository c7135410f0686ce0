//! Numbers drawn from seeds, which seeds a test tries, and how a failure is replayed.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// Runs `check` on the seeds from 0 up to `count`, or on what the environment asks for: `CAIRN_SEED=S` for the one seed S,
/// `CAIRN_SEEDS=N` for N seeds, `CAIRN_MINUTES=N` for seeds never tried before until N minutes are over. Uses every core.
pub(crate) fn for_each_seed(test: &str, count: u64, check: impl Fn(u64) + Sync) {
    if let Some(seed) = number("CAIRN_SEED") {
        check(seed);
        return;
    }
    let begin = Instant::now();
    let minutes = number("CAIRN_MINUTES").map(|minutes| Duration::from_secs(60 * minutes));
    let count = number("CAIRN_SEEDS").unwrap_or(count);
    let first = minutes.map_or(0, |_| seconds_since_the_epoch() << 20);
    let next = AtomicU64::new(first);
    let failed = AtomicBool::new(false);
    let enough = |seed| match minutes {
        Some(minutes) => begin.elapsed() >= minutes,
        None => seed >= count,
    };
    let work = || {
        while !failed.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if enough(seed) {
                // It was not tried.
                next.fetch_sub(1, Ordering::Relaxed);
                return;
            }
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(seed))) {
                failed.store(true, Ordering::Relaxed);
                eprintln!(
                    "seed {seed} fails; replay: CAIRN_SEED={seed} cargo test -p commitlog --test {test}"
                );
                resume_unwind(panic);
            }
        }
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(work);
        }
    });
    println!(
        "{test}: {} seeds from {first} on, in {} s",
        next.into_inner() - first,
        begin.elapsed().as_secs()
    );
}

/// Whether the environment says which seeds to try: then nobody waits for what depends on none.
#[allow(dead_code, reason = "not every test has so much of that")]
pub(crate) fn are_chosen() -> bool {
    ["CAIRN_SEED", "CAIRN_SEEDS", "CAIRN_MINUTES"]
        .iter()
        .any(|variable| number(variable).is_some())
}

fn seconds_since_the_epoch() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// A small generator of numbers, the same on every machine.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let index = usize::try_from(self.below(of.len() as u64)).unwrap();
        &of[index]
    }
}
