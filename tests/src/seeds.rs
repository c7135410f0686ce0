//! Which seeds a random test tries, and how a failure is replayed.

use std::ops::Range;
use std::time::{Duration, Instant};

/// One seed under trial. Dropped by a panic, it prints the line that replays the failure.
#[derive(Debug)]
pub struct Seed {
    /// The seed.
    pub value: u64,
    test: &'static str,
}

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let (seed, test) = (self.value, self.test);
            eprintln!("replay with: CAIRN_SEED={seed} cargo test -p cairn-tests --test {test}");
        }
    }
}

/// The seeds to try: `default_count` of them, or as the variables `CAIRN_SEED`, `CAIRN_SEEDS` and `CAIRN_MINUTES` say. `test` is
/// the name of the test file.
pub fn seeds(test: &'static str, default_count: u64) -> impl Iterator<Item = Seed> {
    let number = |name: &str| -> Option<u64> {
        let text = std::env::var(name).ok()?;
        Some(text.parse().expect("a whole number"))
    };
    let minutes = number("CAIRN_MINUTES");
    let range: Range<u64> = match number("CAIRN_SEED") {
        Some(seed) => seed..seed + 1,
        None if minutes.is_some() => 0..u64::MAX,
        None => 0..number("CAIRN_SEEDS").unwrap_or(default_count),
    };
    let end = minutes.map(|minutes| Instant::now() + Duration::from_secs(60 * minutes));
    range
        .take_while(move |_| end.is_none_or(|end| Instant::now() < end))
        .map(move |value| Seed { value, test })
}
