//! The hash index beside hashbrown's `HashTable`, std's `BTreeMap` and our own B+tree.
//!
//! `cargo bench -p table --bench hash_index -- 10` for ten million rows; one million unless told.
//!
//! The bound, sketched before measuring: a find reads the directory (4 bytes a bucket, in cache) and one line of 64 bytes,
//! so one scattered read and the walk through the page directory; a miss the same. hashbrown reads a group of control
//! bytes and a bucket of 16 bytes: two scattered reads, but no directory. An insert is a find and a write of the line; a
//! split moves 3,000 entries of 8 bytes for each 2,080 inserted: a few ns an entry.
//!
//! Rivals take turns within a round; the median of the rounds counts, and ratios are to hashbrown (1.00 is as fast, higher
//! is slower).

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::hint::black_box;
use std::time::Instant;

use hashbrown::HashTable;
use table::{BTree, HashIndex, KeyHash, PAGE_BYTES, PageNumber, Pages, RowId, TableId};

const OWNER: TableId = TableId(4097);
const HASH_KEY: [u8; 32] = [7; 32];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_test = arguments.iter().any(|argument| argument == "--test");
    let millions: Option<u64> = arguments.iter().find_map(|argument| argument.parse().ok());
    let rows: u64 = match millions {
        _ if is_test => 5_000,
        Some(millions) => millions * 1_000_000,
        None => 1_000_000,
    };
    let rounds = if is_test || rows > 2_000_000 { 1 } else { 5 };
    println!(
        "{rows} u64 keys, ns a key; median of {rounds} rounds; in brackets the ratio to hashbrown"
    );
    let names = ["hashbrown", "hash index", "B+tree", "std BTreeMap"];
    println!(
        "{:14} {:>16} {:>16} {:>16} {:>16}",
        "", names[0], names[1], names[2], names[3]
    );
    let mut times: Vec<[Vec<f64>; 4]> = vec![Default::default(); 4];
    let mut bytes = [0.0; 4];
    for _ in 0..rounds {
        for rival in 0..4 {
            let (found, taken) = match rival {
                0 => measure(rows, &mut Hashbrown::new()),
                1 => measure(rows, &mut Hash::default()),
                2 => measure(rows, &mut Tree::default()),
                _ => measure(rows, &mut BTreeMap::new()),
            };
            bytes[rival] = taken;
            for (what, time) in found.into_iter().enumerate() {
                times[what][rival].push(time);
            }
        }
    }
    for (what, times) in ["insert", "find, hit", "find, miss", "delete"]
        .iter()
        .zip(&mut times)
    {
        let medians: Vec<f64> = times.iter_mut().map(|times| median(times)).collect();
        print!("{what:14}");
        for median in &medians {
            print!(" {median:8.1} [{:5.2}]", median / medians[0]);
        }
        println!();
    }
    print!("{:14}", "bytes a row");
    for bytes in bytes {
        print!(" {bytes:16.1}");
    }
    println!();
}

/// What is measured of each.
trait Rival {
    fn insert(&mut self, key: u64, row: RowId);
    fn find(&self, key: u64) -> Option<RowId>;
    fn remove(&mut self, key: u64, row: RowId);
    /// Nothing where it can not be known.
    fn bytes(&self) -> u64;
}

/// Insert, hit, miss and delete in ns a key, and bytes a row.
fn measure(rows: u64, rival: &mut dyn Rival) -> ([f64; 4], f64) {
    let insert = time(rows, |n| rival.insert(scattered(n), row(n)));
    let bytes = rival.bytes() as f64 / rows as f64;
    let at = |n: u64| n.wrapping_mul(7_919) % rows;
    let hit = time(rows, |n| {
        // The first candidate is the row, but for one in 60,000.
        assert!(rival.find(scattered(at(n))).is_some());
    });
    let miss = time(rows, |n| {
        // A candidate whose row would not fit is rare, and no miss of the index.
        black_box(rival.find(scattered(rows + at(n))));
    });
    let delete = time(rows, |n| rival.remove(scattered(at(n)), row(at(n))));
    assert_eq!(rival.find(scattered(1)), None);
    ([insert, hit, miss, delete], bytes)
}

fn time(rows: u64, mut step: impl FnMut(u64)) -> f64 {
    let begin = Instant::now();
    (0..rows).for_each(&mut step);
    begin.elapsed().as_nanos() as f64 / rows as f64
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// splitmix64 as a permutation: number `n` of a sequence without repetition.
fn scattered(n: u64) -> u64 {
    let mut z = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn row(number: u64) -> RowId {
    let page = u32::try_from(number / 512).ok().and_then(PageNumber::new);
    RowId::new(
        page.expect("few rows"),
        u16::try_from(number % 512).expect("below 512"),
    )
}

/// The key of a `u64` column.
fn key(number: u64) -> [u8; 9] {
    let mut key = [1; 9];
    key[1..].copy_from_slice(&number.to_be_bytes());
    key
}

struct Hashbrown {
    state: foldhash::fast::FixedState,
    table: HashTable<(u64, RowId)>,
}

impl Hashbrown {
    fn new() -> Self {
        Hashbrown {
            state: foldhash::fast::FixedState::with_seed(7),
            table: HashTable::new(),
        }
    }
}

impl Rival for Hashbrown {
    fn insert(&mut self, key: u64, row: RowId) {
        let hash = self.state.hash_one(key);
        self.table.insert_unique(hash, (hash, row), |entry| entry.0);
    }

    fn find(&self, key: u64) -> Option<RowId> {
        let hash = self.state.hash_one(key);
        self.table
            .find(hash, |entry| entry.0 == hash)
            .map(|entry| entry.1)
    }

    fn remove(&mut self, key: u64, row: RowId) {
        let hash = self.state.hash_one(key);
        let entry = self.table.find_entry(hash, |entry| *entry == (hash, row));
        entry.expect("it is there").remove();
    }

    fn bytes(&self) -> u64 {
        self.table.allocation_size() as u64
    }
}

#[derive(Default)]
struct Hash {
    pages: Pages,
    index: HashIndex,
}

impl Rival for Hash {
    fn insert(&mut self, number: u64, row: RowId) {
        let hash = KeyHash::new(&HASH_KEY, &key(number));
        self.index
            .insert(&mut self.pages, OWNER, hash, row)
            .expect("room");
    }

    fn find(&self, number: u64) -> Option<RowId> {
        let hash = KeyHash::new(&HASH_KEY, &key(number));
        let mut candidates = self.index.candidates(&self.pages, hash).expect("sound");
        candidates.next().map(|row| row.expect("sound"))
    }

    fn remove(&mut self, number: u64, row: RowId) {
        let hash = KeyHash::new(&HASH_KEY, &key(number));
        assert!(
            self.index
                .remove(&mut self.pages, OWNER, hash, row)
                .expect("sound")
        );
    }

    fn bytes(&self) -> u64 {
        self.pages.page_count() * PAGE_BYTES as u64
    }
}

#[derive(Default)]
struct Tree {
    pages: Pages,
    tree: BTree,
}

impl Rival for Tree {
    fn insert(&mut self, number: u64, row: RowId) {
        self.tree
            .insert(&mut self.pages, OWNER, &key(number), row)
            .expect("room");
    }

    fn find(&self, number: u64) -> Option<RowId> {
        self.tree
            .first_with_key(&self.pages, &key(number))
            .expect("sound")
    }

    fn remove(&mut self, number: u64, row: RowId) {
        assert!(
            self.tree
                .remove(&mut self.pages, OWNER, &key(number), row)
                .expect("sound")
        );
    }

    fn bytes(&self) -> u64 {
        self.pages.page_count() * PAGE_BYTES as u64
    }
}

impl Rival for BTreeMap<u64, RowId> {
    fn insert(&mut self, key: u64, row: RowId) {
        BTreeMap::insert(self, key, row);
    }

    fn find(&self, key: u64) -> Option<RowId> {
        self.get(&key).copied()
    }

    fn remove(&mut self, key: u64, _row: RowId) {
        BTreeMap::remove(self, &key).expect("it is there");
    }

    fn bytes(&self) -> u64 {
        0
    }
}
