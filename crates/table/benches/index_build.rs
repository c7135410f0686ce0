//! Indexes made from the rows of a table, all at once, beside std's collections filled with the same keys.
//!
//! Rows are (u64 key, i64, f64, 32-byte string), the keys in no order; a million of them, or as many as an argument says:
//! `cargo bench -p table --bench index_build -- 10000000`. What std needs begins with the values in a `Vec`, what the store needs with rows in pages.
//! Time over the bound, less is faster; medians of a few rounds, one of each in turn.

use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;
use std::time::{Duration, Instant};

use table::{
    ColumnType, IndexId, IndexKind, IndexSpec, Layout, LayoutColumn, LayoutNumber, Store, TableId,
    Value,
};

const TABLE: TableId = TableId(1);
const INDEX: IndexId = IndexId(1);
const ROUNDS: usize = 5;

fn main() {
    let asked = std::env::args().find_map(|argument| argument.parse().ok());
    let count: u64 = if std::env::args().any(|argument| argument == "--test") {
        1_000
    } else {
        asked.unwrap_or(1_000_000)
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("{count} rows, {cores} cores; medians of {ROUNDS} rounds");
    let keys: Vec<u64> = (0..count)
        .map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 8)
        .collect();
    let store = filled(&keys);
    let texts: Vec<String> = keys.iter().map(|key| text(*key)).collect();
    let pairs = || keys.iter().copied().zip(0_u64..);

    let mut rows = Rows::default();
    for _ in 0..ROUNDS {
        rows.round(
            "ordered, u64",
            || build(&store, 0, IndexKind::Ordered),
            "BTreeMap",
            || pairs().collect::<BTreeMap<u64, u64>>().len(),
        );
        rows.round(
            "ordered, u64",
            || build(&store, 0, IndexKind::Ordered),
            "sort of a Vec",
            || {
                let mut sorted: Vec<(u64, u64)> = pairs().collect();
                sorted.sort_unstable();
                sorted.len()
            },
        );
        rows.round(
            "ordered, string",
            || build(&store, 3, IndexKind::Ordered),
            "BTreeMap",
            || {
                let texts = texts.iter().cloned().zip(0_u64..);
                texts.collect::<BTreeMap<String, u64>>().len()
            },
        );
        rows.round(
            "hash, u64",
            || build(&store, 0, IndexKind::Hash),
            "HashMap",
            || pairs().collect::<HashMap<u64, u64>>().len(),
        );
        rows.round(
            "hash, string",
            || build(&store, 3, IndexKind::Hash),
            "HashMap",
            || {
                let texts = texts.iter().cloned().zip(0_u64..);
                texts.collect::<HashMap<String, u64>>().len()
            },
        );
    }
    rows.print(count);
}

/// The times of each piece of work and its bound.
#[derive(Default)]
struct Rows(Vec<(&'static str, &'static str, Vec<[Duration; 2]>)>);

impl Rows {
    fn round(
        &mut self,
        what: &'static str,
        work: impl FnOnce() -> usize,
        bound: &'static str,
        bound_work: impl FnOnce() -> usize,
    ) {
        let times = [timed(work), timed(bound_work)];
        let known = self
            .0
            .iter_mut()
            .find(|row| (row.0, row.1) == (what, bound));
        match known {
            Some(row) => row.2.push(times),
            None => self.0.push((what, bound, vec![times])),
        }
    }

    fn print(&self, count: u64) {
        for (what, bound, rounds) in &self.0 {
            let [work, bound_work] = [0, 1].map(|which| {
                let mut times: Vec<Duration> = rounds.iter().map(|times| times[which]).collect();
                times.sort_unstable();
                times[times.len() / 2].as_nanos() as f64 / count as f64
            });
            println!(
                "{what:18} {work:7.1} ns a row   {bound:14} {bound_work:7.1} ns a row   ratio {:.2}",
                work / bound_work
            );
        }
    }
}

fn timed(work: impl FnOnce() -> usize) -> Duration {
    let start = Instant::now();
    black_box(work());
    start.elapsed()
}

fn build(store: &Store, column: u16, kind: IndexKind) -> usize {
    let mut store = store.clone();
    let spec = IndexSpec {
        id: INDEX,
        columns: vec![column],
        unique: true,
        kind,
    };
    store
        .create_index(TABLE, spec)
        .expect("the keys are different");
    usize::try_from(store.pages().page_count()).expect("it fits memory")
}

fn text(key: u64) -> String {
    format!("{key:032}")
}

fn filled(keys: &[u64]) -> Store {
    let columns = [
        ColumnType::U64,
        ColumnType::I64,
        ColumnType::F64,
        ColumnType::String,
    ];
    let columns = columns.map(LayoutColumn::required).to_vec();
    let layout = Layout::new(LayoutNumber(1), columns).expect("it is sound");
    let mut store = Store::new([0; 32]);
    store.create_table(TABLE, layout).expect("it is new");
    for &key in keys {
        let row: [Value; 4] = [
            key.into(),
            (key as i64).into(),
            (key as f64).into(),
            text(key).into(),
        ];
        store.insert(TABLE, &row).expect("there is room");
    }
    store
}
