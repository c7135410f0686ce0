//! What a transaction of one row costs: to be made, to be applied, and while views are held.
//!
//! The reference row is (u64 key, i64, f64, 32-byte string) with an ordered primary key and a million rows. Arguments ask for another number, a
//! hash index, or a part: `cargo bench -p table --bench commit -- 10000000 hash update scattered`.
//!
//! ```text
//! applied only      bound: nothing that can still be taken back
//! in place          a trial, kept: what a commit does
//! taken back        a trial, taken back and done again: a view came in between
//! on a fork         a copy of each page that is written: what a commit does where views hold them all
//! ```
//!
//! All of it takes turns within one run, so that ratios hold on a busy machine.
#![allow(clippy::unwrap_used)]

use std::collections::VecDeque;
use std::hint::black_box;
use std::time::{Duration, Instant};

use table::{
    ColumnType, IndexId, IndexKind, IndexSpec, Layout, LayoutColumn, LayoutNumber, Store, TableId,
    Transaction, TransactionBuilder, Value, WriteTransaction,
};

const TABLE: TableId = TableId(1);
const KEY: IndexId = IndexId(1);
const ROUNDS: usize = 5;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Applied,
    InPlace,
    TakenBack,
    Fork,
}

#[derive(Clone, Copy, Debug)]
enum Work {
    Insert,
    Update,
    Delete,
}

/// Which rows come one after the other.
#[derive(Clone, Copy, Debug)]
enum Order {
    Ascending,
    Scattered,
}

fn main() {
    let asked = std::env::args().find_map(|argument| argument.parse().ok());
    let is_test = std::env::args().any(|argument| argument == "--test");
    let rows: u64 = if is_test {
        1_000
    } else {
        asked.unwrap_or(1_000_000)
    };
    let count = rows.min(20_000) / 4;
    let kind = match std::env::args().any(|argument| argument == "hash") {
        true => IndexKind::Hash,
        false => IndexKind::Ordered,
    };
    let mut store = filled(rows, kind);
    println!(
        "{rows} rows, {kind:?} key, transactions of one row, ns each; median of {ROUNDS} rounds"
    );
    single_rows(&mut store, rows, count);
    under_views(&mut store, rows, count);
    taking_a_view(&store);
}

/// Each work in each way from its bytes on, up to its bytes, and from one end to the other.
fn single_rows(store: &mut Store, rows: u64, count: u64) {
    println!(
        "{:18} {:>12} {:>12} {:>12} {:>12} {:>12} {:>12} {:>16}",
        "",
        "applied only",
        "in place",
        "taken back",
        "on a fork",
        "to bytes",
        "in all",
        "transactions/s"
    );
    let ways = [Way::Applied, Way::InPlace, Way::TakenBack, Way::Fork];
    for (work, order) in [Order::Ascending, Order::Scattered]
        .into_iter()
        .flat_map(|order| [Work::Insert, Work::Update, Work::Delete].map(|work| (work, order)))
    {
        let what = format!("{work:?} {order:?}").to_lowercase();
        if !asked_for(&what) {
            continue;
        }
        let mut times = vec![Vec::new(); ways.len() + 2];
        for turn in 0..ROUNDS as u64 {
            let keys = keys(order, turn, rows, count);
            for (place, &way) in ways.iter().enumerate() {
                let (to_bytes, applied) = run(store, work, way, &keys);
                times[place].push(applied);
                times[ways.len()].push(to_bytes);
            }
            times[ways.len() + 1].push(run_whole(store, work, &keys));
        }
        let ns: Vec<f64> = times.iter_mut().map(|times| each(times, count)).collect();
        print!("{what:18}");
        ns.iter().for_each(|ns| print!(" {ns:12.0}"));
        println!(" {:16.0}", 1e9 / ns[ns.len() - 1]);
    }
}

/// Whether the arguments that are words of a line's name are all in this one's.
fn asked_for(what: &str) -> bool {
    let names = ["insert", "update", "delete", "ascending", "scattered"];
    let asked = std::env::args().filter(|argument| names.contains(&argument.as_str()));
    asked.into_iter().all(|argument| what.contains(&argument))
}

/// Other rows in each turn, all over the table.
fn keys(order: Order, turn: u64, rows: u64, count: u64) -> Vec<u64> {
    let numbers = turn * count..(turn + 1) * count;
    match order {
        Order::Ascending => numbers.collect(),
        Order::Scattered => numbers.map(|n| scattered(n, rows)).collect(),
    }
}

fn bytes_of(store: &Store, work: Work, row: &[Value; 4], key: u64) -> Vec<u8> {
    match work {
        Work::Insert => insert(store, row),
        Work::Update => update(store, key),
        Work::Delete => delete(store, key),
    }
}

/// So many transactions; the store has the same rows afterwards. Yields the time up to the bytes of all, and the time to apply them.
fn run(store: &mut Store, work: Work, way: Way, keys: &[u64]) -> (Duration, Duration) {
    prepare(store, work, keys);
    let new_rows: Vec<[Value; 4]> = keys.iter().map(|&key| row(key)).collect();
    let start = Instant::now();
    let all = keys.iter().zip(&new_rows);
    let all: Vec<Vec<u8>> = all
        .map(|(key, row)| bytes_of(store, work, row, *key))
        .collect();
    let to_bytes = start.elapsed();
    let start = Instant::now();
    all.iter().for_each(|bytes| commit(store, bytes, way));
    let applied = start.elapsed();
    clean_up(store, work, keys);
    (to_bytes, applied)
}

/// The same, one transaction after the other.
fn run_whole(store: &mut Store, work: Work, keys: &[u64]) -> Duration {
    prepare(store, work, keys);
    let new_rows: Vec<[Value; 4]> = keys.iter().map(|&key| row(key)).collect();
    let start = Instant::now();
    for (key, row) in keys.iter().zip(&new_rows) {
        let bytes = bytes_of(store, work, row, *key);
        commit(store, &bytes, Way::InPlace);
    }
    let time = start.elapsed();
    clean_up(store, work, keys);
    time
}

/// Makes room for what is to be inserted.
fn prepare(store: &mut Store, work: Work, keys: &[u64]) {
    if matches!(work, Work::Insert) {
        for key in keys {
            let bytes = delete(store, *key);
            apply(store, &bytes);
        }
    }
}

/// Brings back what was deleted.
fn clean_up(store: &mut Store, work: Work, keys: &[u64]) {
    if matches!(work, Work::Delete) {
        for key in keys {
            let bytes = insert(store, &row(*key));
            apply(store, &bytes);
        }
    }
}

/// Updates of one row each, a view taken before each and the last so many held; and what a view makes it copy, a page and the two
/// nodes above it, copied in the same order from one place to as many others.
fn under_views(store: &mut Store, rows: u64, count: u64) {
    println!(
        "commit of an update, a view taken before each, the last so many held; bound: copying a page and two nodes"
    );
    let held = [0, 1, 8, 64];
    let held_count = held.len();
    let page_count = usize::try_from(store.pages().page_count()).unwrap();
    let pages = vec![1_u8; page_count * table::PAGE_BYTES];
    let mut times = vec![Vec::new(); 2 * held_count];
    for turn in 0..ROUNDS as u64 {
        let keys = keys(Order::Scattered, turn, rows, count);
        for (place, &held) in held.iter().enumerate() {
            let mut views = VecDeque::new();
            let start = Instant::now();
            for &key in &keys {
                if held > 0 {
                    views.push_back(store.clone());
                    if views.len() > held {
                        views.pop_front();
                    }
                }
                let bytes = update(store, key);
                commit(store, &bytes, Way::InPlace);
            }
            times[place].push(start.elapsed());

            let copied = table::PAGE_BYTES + 2 * 4096;
            let mut copies = vec![1_u8; (held + 1) * copied];
            let start = Instant::now();
            for (n, &key) in keys.iter().enumerate().filter(|_| held > 0) {
                let page = usize::try_from(key).unwrap() % (page_count - 1) * table::PAGE_BYTES;
                let copy = &mut copies[n % (held + 1) * copied..][..copied];
                copy.copy_from_slice(black_box(&pages[page..page + copied]));
            }
            times[held_count + place].push(start.elapsed());
        }
    }
    let ns: Vec<f64> = times.iter_mut().map(|times| each(times, count)).collect();
    for (place, held) in held.iter().enumerate() {
        let more = ns[place] - ns[0];
        let bound = ns[held_count + place];
        println!(
            "{held:4} held {:10.0} ns   {more:+8.0} ns   bound {bound:8.0} ns",
            ns[place]
        );
    }
}

fn taking_a_view(store: &Store) {
    let count = 100_000;
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            (0..count).for_each(|_| drop(black_box(store.clone())));
            start.elapsed()
        })
        .collect();
    let ns = each(&mut times, count);
    println!("taking a view and dropping it: {ns:.0} ns");
}

fn commit(store: &mut Store, bytes: &[u8], way: Way) {
    match way {
        Way::Applied => apply(store, bytes),
        Way::InPlace => {
            store.begin_trial();
            apply(store, bytes);
            store.keep_trial();
        }
        Way::TakenBack => {
            store.begin_trial();
            apply(store, bytes);
            store.take_back_trial();
            store.begin_trial();
            apply(store, bytes);
            store.keep_trial();
        }
        Way::Fork => {
            let mut fork = store.clone();
            apply(&mut fork, bytes);
            *store = fork;
        }
    }
}

fn apply(store: &mut Store, bytes: &[u8]) {
    for group in Transaction::parse(bytes).unwrap().groups() {
        store.apply_group(&group).unwrap();
    }
}

fn insert(store: &Store, row: &[Value; 4]) -> Vec<u8> {
    let mut transaction = WriteTransaction::new(store);
    transaction.insert(TABLE, row).unwrap();
    finish(&transaction)
}

fn update(store: &Store, key: u64) -> Vec<u8> {
    let mut transaction = WriteTransaction::new(store);
    let row = transaction.table(TABLE).unwrap();
    let row = row.find(KEY, &[key.into()]).unwrap().unwrap();
    let Value::I64(before) = row.value(1).unwrap() else {
        unreachable!("it is a column of i64");
    };
    let row = row.row_id();
    let changes = [(1, Value::I64(before + 1))];
    transaction.update(TABLE, row, &changes).unwrap();
    finish(&transaction)
}

fn delete(store: &Store, key: u64) -> Vec<u8> {
    let mut transaction = WriteTransaction::new(store);
    let row = transaction.table(TABLE).unwrap();
    let row = row.find(KEY, &[key.into()]).unwrap().unwrap().row_id();
    transaction.delete(TABLE, row).unwrap();
    finish(&transaction)
}

fn finish(transaction: &WriteTransaction) -> Vec<u8> {
    let mut builder = TransactionBuilder::new(0);
    transaction.flush(&mut builder).unwrap();
    builder.finish()
}

/// Each key once for `rows` numbers in a row, and no two beside each other.
fn scattered(n: u64, rows: u64) -> u64 {
    n * 618_033_989 % rows
}

fn row(key: u64) -> [Value; 4] {
    [
        key.into(),
        (key as i64).into(),
        (key as f64).into(),
        format!("{key:032}").into(),
    ]
}

fn filled(rows: u64, kind: IndexKind) -> Store {
    let columns = [
        ColumnType::U64,
        ColumnType::I64,
        ColumnType::F64,
        ColumnType::String,
    ];
    let layout = Layout::new(
        LayoutNumber(1),
        columns.map(LayoutColumn::required).to_vec(),
    );
    let mut store = Store::new([0; 32]);
    store.create_table(TABLE, layout.unwrap()).unwrap();
    let spec = IndexSpec {
        id: KEY,
        columns: vec![0],
        unique: true,
        kind,
    };
    store.create_index(TABLE, spec).unwrap();
    store.set_primary_key(TABLE, Some(KEY)).unwrap();
    for key in 0..rows {
        store.insert(TABLE, &row(key)).unwrap();
    }
    store
}

fn each(times: &mut [Duration], count: u64) -> f64 {
    times.sort();
    times[times.len() / 2].as_nanos() as f64 / count as f64
}
