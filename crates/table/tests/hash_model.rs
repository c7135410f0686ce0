//! Random histories of a hash index against a map from the standard library.
//!
//! A failure prints its seed; `CAIRN_SEED=<seed> cargo test -p table --test hash_model` replays it alone.
#![allow(clippy::unwrap_used)]

#[path = "support/seeds.rs"]
mod seeds;

use std::collections::{BTreeMap, BTreeSet};

use seeds::seeds;
use table::{HashIndex, KeyHash, PAGE_BYTES, PageNumber, Pages, RowId, TableId};

const OWNER: TableId = TableId(4097);
const HASH_KEY: [u8; 32] = [9; 32];

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// What keys a history uses.
#[derive(Clone, Copy, Debug)]
enum Keys {
    /// As many as there are rows, nearly.
    Numbers,
    /// Of all lengths from nothing to many.
    Mixed,
    /// A few, with hundreds of rows each, among others.
    Repeated,
}

const ALL_KEYS: [Keys; 3] = [Keys::Numbers, Keys::Mixed, Keys::Repeated];

fn key(keys: Keys, random: &mut Random) -> Vec<u8> {
    let number = match keys {
        Keys::Numbers => random.below(1 << 40),
        Keys::Mixed => random.below(30_000),
        Keys::Repeated if random.below(3) == 0 => random.below(6),
        Keys::Repeated => random.below(2_000),
    };
    match keys {
        Keys::Numbers | Keys::Repeated => number.to_be_bytes().to_vec(),
        Keys::Mixed => {
            let length = usize::try_from(number % 40).unwrap();
            let mut key = number.to_le_bytes().to_vec();
            key.resize(length, 7);
            key
        }
    }
}

fn row(number: u64) -> RowId {
    let page = PageNumber::new(u32::try_from(number / 4096).unwrap()).unwrap();
    RowId::new(page, u16::try_from(number % 4096).unwrap())
}

#[derive(Clone, Default)]
struct Model {
    /// Rows by the hash of their key: two keys of one hash are one to the index.
    rows: BTreeMap<KeyHash, BTreeSet<RowId>>,
    entries: Vec<(KeyHash, RowId)>,
}

fn found(index: &HashIndex, pages: &Pages, hash: KeyHash) -> BTreeSet<RowId> {
    let all: Vec<RowId> = index
        .candidates(pages, hash)
        .unwrap()
        .map(|row| row.unwrap())
        .collect();
    let rows: BTreeSet<RowId> = all.iter().copied().collect();
    assert_eq!(rows.len(), all.len(), "a row is found twice");
    rows
}

fn check_equal(index: &HashIndex, pages: &Pages, model: &Model) {
    index.check(pages).unwrap();
    assert_eq!(index.entry_count(), model.entries.len() as u64);
    assert_eq!(index.page_count(pages).unwrap(), pages.page_count());
    for (hash, rows) in &model.rows {
        assert_eq!(found(index, pages, *hash), *rows);
        for row in rows {
            assert!(index.contains(pages, *hash, *row).unwrap());
        }
    }
}

fn run_history(seed: u64, keys: Keys, steps: u64) {
    let mut random = Random(seed);
    let (mut pages, mut index, mut model) = (Pages::new(), HashIndex::new(), Model::default());
    let mut views: Vec<(Pages, HashIndex, Model)> = Vec::new();
    let mut rows_given = 0;
    // Growth and decline in turns, through several splits and back.
    for step in 0..steps {
        let growing = step / (steps / 6 + 1) % 3 != 2;
        if random.below(10) < if growing { 8 } else { 1 } {
            let hash = KeyHash::new(&HASH_KEY, &key(keys, &mut random));
            let row = row(rows_given);
            rows_given += 1 + random.below(9);
            index.insert(&mut pages, OWNER, hash, row).unwrap();
            model.rows.entry(hash).or_default().insert(row);
            model.entries.push((hash, row));
        } else if !model.entries.is_empty() {
            let place = random.below(model.entries.len() as u64);
            let (hash, row) = model.entries.swap_remove(usize::try_from(place).unwrap());
            let rows = model.rows.get_mut(&hash).unwrap();
            rows.remove(&row);
            if rows.is_empty() {
                model.rows.remove(&hash);
            }
            assert!(index.remove(&mut pages, OWNER, hash, row).unwrap());
            assert!(!index.remove(&mut pages, OWNER, hash, row).unwrap());
        }
        let wanted = KeyHash::new(&HASH_KEY, &key(keys, &mut random));
        let expected = model.rows.get(&wanted).cloned().unwrap_or_default();
        assert_eq!(found(&index, &pages, wanted), expected);
        if step % (steps / 50 + 1) == 0 {
            index.check(&pages).unwrap();
        }
        if step % (steps / 4 + 1) == 0 {
            views.push((pages.clone(), index.clone(), model.clone()));
        }
    }
    check_equal(&index, &pages, &model);
    for (pages, index, model) in &views {
        check_equal(index, pages, model);
    }
    for (hash, row) in model.entries {
        assert!(index.remove(&mut pages, OWNER, hash, row).unwrap());
    }
    assert_eq!(pages.page_count(), 0, "an empty index owns no page");
    assert_eq!(index, HashIndex::new());
}

#[test]
fn behaves_as_a_map_of_sets() {
    for seed in seeds("hash_model", 3) {
        for keys in ALL_KEYS {
            run_history(seed, keys, 40_000);
        }
    }
}

#[test]
fn the_same_history_makes_the_same_bytes() {
    let bytes_of = |between: bool| {
        let mut random = Random(77);
        let (mut pages, mut index) = (Pages::new(), HashIndex::new());
        let (mut views, mut entries) = (Vec::new(), Vec::new());
        for step in 0..20_000 {
            if step % 3 == 2 {
                let place = random.below(entries.len() as u64);
                let (hash, row) = entries.swap_remove(usize::try_from(place).unwrap());
                index.remove(&mut pages, OWNER, hash, row).unwrap();
            } else {
                let hash = KeyHash::new(&HASH_KEY, &key(Keys::Repeated, &mut random));
                index.insert(&mut pages, OWNER, hash, row(step)).unwrap();
                entries.push((hash, row(step)));
            }
            // Views make pages be copied; that must not show in them.
            if between && step % 50 == 0 {
                views.push(pages.clone());
            }
        }
        let bytes: Vec<(PageNumber, u32)> = pages
            .iter()
            .map(|(number, page)| (number, page.bytes().unwrap().checksum()))
            .collect();
        (index, bytes)
    };
    assert_eq!(bytes_of(false), bytes_of(true));
}

/// From 25,000 rows on while it grows, from 100,000 on while it shrinks.
#[test]
fn an_index_takes_at_most_18_bytes_a_row_at_any_size() {
    let (mut pages, mut index) = (Pages::new(), HashIndex::new());
    let hash = |number: u64| KeyHash::new(&HASH_KEY, &number.to_be_bytes());
    let per_row = |index: &HashIndex, pages: &Pages| {
        pages.page_count() * PAGE_BYTES as u64 * 100 / index.entry_count()
    };
    const ROWS: u64 = 300_000;
    for number in 0..ROWS {
        index
            .insert(&mut pages, OWNER, hash(number), row(number))
            .unwrap();
        if number >= 25_000 {
            assert!(per_row(&index, &pages) <= 1_800, "{number}");
        }
    }
    assert!(index.spilled_count() < 20, "{}", index.spilled_count());
    for number in 0..ROWS {
        if ROWS - number >= 100_000 {
            assert!(per_row(&index, &pages) <= 1_800, "{number}");
        }
        assert!(
            index
                .remove(&mut pages, OWNER, hash(number), row(number))
                .unwrap()
        );
    }
    assert_eq!(pages.page_count(), 0);
}

/// A key with more rows than lines take, and what it does to its neighbours.
#[test]
fn rows_of_one_key_beyond_its_lines_are_found_too() {
    let (mut pages, mut index) = (Pages::new(), HashIndex::new());
    let one = KeyHash::new(&HASH_KEY, b"one");
    for number in 0..20_000_u64 {
        index.insert(&mut pages, OWNER, one, row(number)).unwrap();
        let other = KeyHash::new(&HASH_KEY, &number.to_be_bytes());
        index.insert(&mut pages, OWNER, other, row(number)).unwrap();
    }
    index.check(&pages).unwrap();
    assert!(index.spilled_count() >= 20_000 - 112);
    assert_eq!(found(&index, &pages, one).len(), 20_000);
    for number in 0..20_000_u64 {
        let other = KeyHash::new(&HASH_KEY, &number.to_be_bytes());
        assert!(index.remove(&mut pages, OWNER, other, row(number)).unwrap());
    }
    index.check(&pages).unwrap();
    for number in (0..20_000).rev() {
        assert!(index.remove(&mut pages, OWNER, one, row(number)).unwrap());
    }
    assert_eq!((index, pages.page_count()), (HashIndex::new(), 0));
}
