//! What all of them do, and how long it takes.

use std::time::Instant;

use crate::engine::{Digest, Engine};
use crate::row::{Texts, key};

/// Rows of a transaction that loads.
const BATCH: usize = 1_000;
/// How many transactions of one row.
const SINGLES: usize = 2_000;
/// How many ranges are read, and rows of each.
const RANGES: usize = 200;
const RANGE_ROWS: usize = 100;

/// The pieces of work of a round, in the order of its times.
pub(crate) const WORKS: [&str; 8] = [
    "insert, 1,000 rows a transaction",
    "insert, one row a transaction",
    "find by key and read every column",
    "find a key that is not there",
    "sum of one i64 column",
    "range of 100 rows by key",
    "delete, one row a transaction",
    "delete, 1,000 rows a transaction",
];

/// All of the work on a fresh engine. Yields nanoseconds for each row, by [`WORKS`]; not a number where an engine can not do it.
pub(crate) fn round(engine: &mut dyn Engine, rows: u32) -> Vec<f64> {
    let rows_len = usize::try_from(rows).expect("it is memory");
    let (rows, loaded) = (u64::from(rows), rows_len - SINGLES);
    let mut times = Vec::new();
    let mut timed = |rows: usize, work: &mut dyn FnMut()| {
        let start = Instant::now();
        work();
        times.push(start.elapsed().as_secs_f64() * 1e9 / rows as f64);
    };
    let all: Vec<u64> = (0..rows).collect();
    timed(loaded, &mut || {
        let batches = all[..loaded].chunks(BATCH);
        batches.for_each(|batch| engine.insert(&mut batch.iter().copied()));
    });
    timed(SINGLES, &mut || {
        let batches = all[loaded..].chunks(1);
        batches.for_each(|batch| engine.insert(&mut batch.iter().copied()));
    });

    // Every key once, in an order that is neither theirs nor that of their coming.
    let places: Vec<u64> = (0..rows).map(|place| place * 7_919 % rows).collect();
    let keys: Vec<u64> = places.iter().map(|&place| key(place)).collect();
    let missing: Vec<u64> = places.iter().map(|&place| key(place + rows)).collect();
    let mut texts = Texts::default();
    let mut expected = Digest::default();
    let mut sum = 0_i64;
    for &place in &places {
        let row = texts.row(place);
        expected.add(row);
        sum = sum.wrapping_add(row.count);
    }
    timed(rows_len, &mut || {
        assert_eq!(engine.find(&keys), (expected.sum, expected.count));
    });
    timed(rows_len, &mut || assert_eq!(engine.find(&missing), (0, 0)));
    timed(rows_len, &mut || assert_eq!(engine.sum(), sum));

    let mut sorted: Vec<(u64, u64)> = places.iter().map(|&place| (key(place), place)).collect();
    sorted.sort_unstable();
    let starts: Vec<usize> = (0..RANGES)
        .map(|number| number * 104_729 % (rows_len - RANGE_ROWS))
        .collect();
    let mut expected = Vec::new();
    for &start in &starts {
        let mut digest = Digest::default();
        for &(_, place) in &sorted[start..start + RANGE_ROWS] {
            digest.add(texts.row(place));
        }
        expected.push(digest.sum);
    }
    let ordered = engine.range(0, 1).is_some();
    timed(RANGES * RANGE_ROWS, &mut || {
        for (&start, &expected) in starts.iter().zip(&expected).filter(|_| ordered) {
            assert_eq!(engine.range(sorted[start].0, RANGE_ROWS), Some(expected));
        }
    });

    let (singles, rest) = keys.split_at(SINGLES);
    timed(SINGLES, &mut || {
        singles.chunks(1).for_each(|key| engine.delete(key))
    });
    timed(rest.len(), &mut || {
        rest.chunks(BATCH).for_each(|keys| engine.delete(keys));
    });
    assert_eq!(engine.find(&keys), (0, 0));
    if !ordered {
        times[5] = f64::NAN;
    }
    times
}
