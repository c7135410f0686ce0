//! Numbers from a seed, and the line that replays a failure.
#![allow(dead_code, unreachable_pub, clippy::cast_possible_truncation)]

/// SplitMix64.
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    /// True once in `count`.
    pub fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        if items.is_empty() {
            None
        } else {
            Some(&items[self.below(items.len())])
        }
    }
}

/// Runs a test for each seed, for the one in `SCHEMA_SEED`, or for as many as `SCHEMA_SEED_COUNT` says; tells how to
/// replay the one that fails.
pub fn for_seeds(test: &str, seeds: std::ops::Range<u64>, run: impl Fn(u64)) {
    let number = |name| -> Option<u64> { std::env::var(name).ok()?.parse().ok() };
    let seeds = match (number("SCHEMA_SEED"), number("SCHEMA_SEED_COUNT")) {
        (Some(seed), _) => seed..seed + 1,
        (None, Some(count)) => 0..count,
        (None, None) => seeds,
    };
    for seed in seeds {
        eprintln!("seed {seed}; replay: SCHEMA_SEED={seed} cargo test -p schema --test {test}");
        run(seed);
    }
}
