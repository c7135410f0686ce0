//! The hash index beside hashbrown's `HashTable`, std's `BTreeMap` and our own B+tree.
//!
//! `cargo bench -p table --bench hash_index -- 10` for ten million rows; one million unless told.
//!
//! The bound, sketched before measuring: a find reads the directory (4 bytes a bucket, in cache), the tags of a line (2 MB for
//! a million keys) and one entry, so one scattered read, another that is mostly cached, and the walk through the page directory; a
//! miss reads no entry. hashbrown reads a group of control bytes and a bucket of 16 bytes: the same, but no directory. An insert is a find and a write of the line; a
//! split moves 3,000 entries of 8 bytes for each 2,080 inserted: a few ns an entry.
//!
//! Then whole tables of (u64 key, i64, f64, 32-byte string) whose key is a hash index or an ordered one, beside a
//! `HashMap<u64, Vec<u8>>` of encoded rows: a find reads every column. That map reads two to three scattered places, the
//! table one line of the index, the header of the row's page and five places in it, none of which waits for another.
//!
//! Seen on two shared cores under load, a million keys: 15.8 bytes a row beside 35.7 of hashbrown. What whole tables take beside the map
//! stands in the README of the crate: two waits for memory, for the line and for the row, are nearly all of a hit.
//!
//! Rivals take turns within a round; the median of the rounds counts, and ratios are to hashbrown or to the map (1.00 is as
//! fast, higher is slower).

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;
use std::hint::black_box;
use std::time::Instant;

use hashbrown::HashTable;
use table::{
    BTree, ColumnType, HashIndex, IndexId, IndexKind, IndexSpec, KeyHash, Layout, LayoutColumn,
    LayoutNumber, PAGE_BYTES, PageNumber, Pages, RowId, Store, TableId, Value, ValueRef,
};

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
        "{rows} u64 keys, ns a key; median of {rounds} rounds; in brackets the ratio to the first"
    );
    compare(
        rounds,
        ["hashbrown", "hash index", "B+tree", "std BTreeMap"],
        |rival| match rival {
            0 => measure(rows, &mut Hashbrown::new()),
            1 => measure(rows, &mut Hash::default()),
            2 => measure(rows, &mut Tree::default()),
            _ => measure(rows, &mut BTreeMap::new()),
        },
    );
    println!("rows of (u64 key, i64, f64, 32-byte string); a hit reads every column");
    compare(
        rounds,
        ["std HashMap", "hash key", "ordered key"],
        |rival| match rival {
            0 => measure(rows, &mut Map::new()),
            1 => measure(rows, &mut Table::new(IndexKind::Hash)),
            _ => measure(rows, &mut Table::new(IndexKind::Ordered)),
        },
    );
}

/// Runs rivals in turns and prints their medians.
fn compare<const N: usize>(
    rounds: usize,
    names: [&str; N],
    mut run: impl FnMut(usize) -> ([f64; 4], f64),
) {
    let mut times: [[Vec<f64>; N]; 4] =
        std::array::from_fn(|_| std::array::from_fn(|_| Vec::new()));
    let mut bytes = [0.0; N];
    for _ in 0..rounds {
        for rival in 0..N {
            let (found, taken) = run(rival);
            bytes[rival] = taken;
            for (what, time) in found.into_iter().enumerate() {
                times[what][rival].push(time);
            }
        }
    }
    print!("{:14}", "");
    names.iter().for_each(|name| print!(" {name:>16}"));
    println!();
    for (what, times) in ["insert", "find, hit", "find, miss", "delete"]
        .iter()
        .zip(&mut times)
    {
        let medians = times.each_mut().map(|times| median(times));
        print!("{what:14}");
        for median in &medians {
            print!(" {median:8.1} [{:5.2}]", median / medians[0]);
        }
        println!();
    }
    print!("{:14}", "bytes a row");
    bytes.iter().for_each(|bytes| print!(" {bytes:16.1}"));
    println!();
}

/// What is measured of each.
trait Rival {
    fn insert(&mut self, key: u64, row: RowId);
    /// Whether it is there; reads what is found.
    fn find(&self, key: u64) -> bool;
    fn remove(&mut self, key: u64, row: RowId);
    /// Nothing where it can not be known.
    fn bytes(&self) -> u64;
}

/// Insert, hit, miss and delete in ns a key, and bytes a row.
fn measure(rows: u64, rival: &mut dyn Rival) -> ([f64; 4], f64) {
    let insert = time(rows, |n| rival.insert(scattered(n), row(n)));
    let bytes = rival.bytes() as f64 / rows as f64;
    let at = |n: u64| n.wrapping_mul(7_919) % rows;
    let hit = time(rows, |n| assert!(rival.find(scattered(at(n)))));
    let miss = time(rows, |n| {
        // A candidate whose row would not fit is rare, and no miss of the index.
        black_box(rival.find(scattered(rows + at(n))));
    });
    let delete = time(rows, |n| rival.remove(scattered(at(n)), row(at(n))));
    assert!(!rival.find(scattered(1)));
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

    fn find(&self, key: u64) -> bool {
        let hash = self.state.hash_one(key);
        black_box(self.table.find(hash, |entry| entry.0 == hash)).is_some()
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

    fn find(&self, number: u64) -> bool {
        let hash = KeyHash::new(&HASH_KEY, &key(number));
        let mut candidates = self.index.candidates(&self.pages, hash).expect("sound");
        black_box(candidates.next()).is_some()
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

    fn find(&self, number: u64) -> bool {
        let found = self.tree.first_with_key(&self.pages, &key(number));
        black_box(found.expect("sound")).is_some()
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

    fn find(&self, key: u64) -> bool {
        black_box(self.get(&key)).is_some()
    }

    fn remove(&mut self, key: u64, _row: RowId) {
        BTreeMap::remove(self, &key).expect("it is there");
    }

    fn bytes(&self) -> u64 {
        0
    }
}

/// Encoded rows by their keys.
struct Map(HashMap<u64, Vec<u8>>);

impl Map {
    fn new() -> Self {
        Map(HashMap::new())
    }
}

impl Rival for Map {
    fn insert(&mut self, key: u64, row: RowId) {
        let mut bytes = key.to_le_bytes().to_vec();
        bytes.extend(row.to_u64().to_le_bytes());
        bytes.extend((key as f64).to_le_bytes());
        bytes.extend(text(key).as_bytes());
        self.0.insert(key, bytes);
    }

    fn find(&self, key: u64) -> bool {
        let Some(bytes) = self.0.get(&key) else {
            return false;
        };
        black_box(bytes.iter().map(|&byte| u64::from(byte)).sum::<u64>());
        true
    }

    fn remove(&mut self, key: u64, _row: RowId) {
        self.0.remove(&key).expect("it is there");
    }

    fn bytes(&self) -> u64 {
        0
    }
}

struct Table(Store);

const KEY: IndexId = IndexId(1);

impl Table {
    fn new(kind: IndexKind) -> Self {
        let columns = [
            ColumnType::U64,
            ColumnType::I64,
            ColumnType::F64,
            ColumnType::String,
        ];
        let columns = columns.map(LayoutColumn::required).to_vec();
        let layout = Layout::new(LayoutNumber(1), columns).expect("it is sound");
        let mut store = Store::new(HASH_KEY);
        store.create_table(OWNER, layout).expect("it is new");
        let spec = IndexSpec {
            id: KEY,
            columns: vec![0],
            unique: true,
            kind,
        };
        store.create_index(OWNER, spec).expect("it fits");
        store.set_primary_key(OWNER, Some(KEY)).expect("it fits");
        Table(store)
    }
}

impl Rival for Table {
    fn insert(&mut self, key: u64, row: RowId) {
        let row = [
            Value::U64(key),
            Value::I64(row.to_u64() as i64),
            Value::F64(key as f64),
            Value::String(text(key)),
        ];
        self.0.insert(OWNER, &row).expect("the key is new");
    }

    fn find(&self, key: u64) -> bool {
        let table = self.0.table(OWNER).expect("it is there");
        let found = table.find(KEY, &[Value::U64(key)]).expect("sound");
        let Some(row) = found else { return false };
        let mut sum = 0;
        for column in 0..4 {
            sum += match row.value_ref(column).expect("sound") {
                Some(ValueRef::U64(value)) => value & 1,
                Some(ValueRef::I64(value)) => value as u64 & 1,
                Some(ValueRef::F64(value)) => value.to_bits() & 1,
                Some(ValueRef::String(text)) => text.bytes().map(u64::from).sum(),
                _ => 0,
            };
        }
        black_box(sum);
        true
    }

    fn remove(&mut self, key: u64, _row: RowId) {
        let table = self.0.table(OWNER).expect("it is there");
        let found = table.find(KEY, &[Value::U64(key)]).expect("sound");
        let row = found.expect("it is there").row_id();
        self.0.delete(OWNER, row).expect("sound");
    }

    fn bytes(&self) -> u64 {
        self.0.pages().page_count() * PAGE_BYTES as u64
    }
}

/// 32 bytes.
fn text(key: u64) -> String {
    format!("{key:032}")
}
