//! Snapshots of a database beside commits: what they cost, and what they cost others.
//!
//! ```text
//! full            bound: hash the pages on one thread, write them to one file and sync it
//! one row         bound: write as many bytes to a new file, sync it, rename it, sync the directory, write a byte, sync the file
//! commits beside  bound: the same commits with no snapshot under way
//! ```
//!
//! A row is a u64 key, an i64, an f64 and a string of 32 bytes, with an ordered index on the i64. `CAIRN_BENCH_ROWS` says how many.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bootstrap::{Database, Options, SnapshotPolicy, SyncPolicy};
use disk::{Dir, OsDir};
use schema::{NewTable, WriteTransaction};
use table::{ColumnType, Value};

const ROWS_EACH: u64 = 1000;
const PAGE_BYTES: usize = 32 << 10;
const ROUNDS: usize = 21;

fn initialise(tx: &mut WriteTransaction) -> Result<(), schema::Error> {
    let readings = NewTable::new("readings")
        .column("id", ColumnType::U64)
        .column("place", ColumnType::I64)
        .column("value", ColumnType::F64)
        .column("note", ColumnType::String)
        .primary_key(&["id"])
        .index("by place", &["place"]);
    tx.create_table(&readings).map(drop)
}

fn scattered(id: u64) -> i64 {
    id.wrapping_mul(0x9e37_79b9_7f4a_7c15).cast_signed()
}

fn cells(id: u64, value: f64) -> [(&'static str, Value); 4] {
    [
        ("id", Value::from(id)),
        ("place", Value::from(scattered(id))),
        ("value", Value::from(value)),
        ("note", Value::from(format!("{id:032}").as_str())),
    ]
}

fn insert(tx: &mut WriteTransaction, id: u64) -> Result<(), schema::Error> {
    tx.insert("readings", &cells(id, 0.5)).map(drop)
}

fn change(database: &Database, id: u64, value: f64) {
    let change = |tx: &mut WriteTransaction| {
        tx.delete("readings", &[Value::from(id)])?;
        tx.insert("readings", &cells(id, value)).map(drop)
    };
    database.write(change).unwrap();
}

fn open(path: &Path, sync_policy: SyncPolicy) -> Database {
    let options = Options {
        snapshots: SnapshotPolicy::by_hand(),
        background: false,
        sync_policy,
        ..Options::default()
    };
    Database::open(OsDir::open(path).unwrap(), options, initialise)
        .unwrap()
        .0
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn row(work: &str, bound: &str, took: Duration, at_least: Duration, note: &str) {
    let ratio = took.as_secs_f64() / at_least.as_secs_f64();
    println!("| {work} | {bound} | {took:.2?} | {at_least:.2?} | {ratio:.2} | {note} |");
}

/// Writes so many pages to a file and syncs it.
fn write_pages(dir: &dyn Dir, database: &Database) -> Duration {
    let view = database.view();
    let begun = Instant::now();
    let file = dir.create("bound").unwrap();
    let mut at = 0;
    for (_, page) in view.state().store().pages().iter() {
        let bytes = page.bytes().unwrap().as_bytes();
        std::hint::black_box(blake3::hash(bytes));
        file.write_all_at(at, bytes).unwrap();
        at += PAGE_BYTES as u64;
    }
    file.sync().unwrap();
    let took = begun.elapsed();
    dir.remove("bound").unwrap();
    took
}

/// What no snapshot of so many bytes gets by without.
fn write_and_publish(dir: &dyn Dir, bytes: usize) -> Duration {
    let content = vec![7; bytes];
    let begun = Instant::now();
    let file = dir.create("bound.tmp").unwrap();
    file.write_all_at(0, &content).unwrap();
    file.sync().unwrap();
    dir.rename("bound.tmp", "bound").unwrap();
    dir.sync().unwrap();
    file.write_all_at(0, &[1]).unwrap();
    file.sync().unwrap();
    let took = begun.elapsed();
    dir.remove("bound").unwrap();
    took
}

/// Commits rows until told to stop, or so many; how long each took, sorted.
fn commits(
    database: &Database,
    next: &mut u64,
    count: usize,
    stop: Option<&AtomicBool>,
) -> Vec<Duration> {
    let mut times = Vec::new();
    while stop.map_or(times.len() < count, |stop| !stop.load(Ordering::Relaxed)) {
        *next += 1;
        let begun = Instant::now();
        database.write(|tx| insert(tx, *next)).unwrap();
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    times
}

fn main() {
    let measured = std::env::args().any(|argument| argument == "--bench");
    let default = if measured { 1_000_000 } else { 5000 };
    let rows = std::env::var("CAIRN_BENCH_ROWS").map_or(default, |rows| rows.parse().unwrap());
    let rounds = if measured { ROUNDS } else { 1 };
    println!("{rows} rows; {rounds} rounds, medians");
    println!("| work | bound | snapshot | bound | ratio | |");
    println!("|---|---|---|---|---|---|");
    let temporary = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let root = OsDir::open(temporary.path()).unwrap();
    let aside = root.create_dir_durable("aside").unwrap();
    root.create_dir_durable("unsynced").unwrap();
    let database = open(&temporary.path().join("unsynced"), SyncPolicy::Never);
    for first in (0..rows).step_by(usize::try_from(ROWS_EACH).unwrap()) {
        let ids = first..rows.min(first + ROWS_EACH);
        database
            .write(|tx| ids.into_iter().try_for_each(|id| insert(tx, id)))
            .unwrap();
    }
    for value in [1.5, 2.5] {
        change(&database, 0, value);
        let begun = Instant::now();
        let summary = database.snapshot().unwrap();
        let took = begun.elapsed();
        let bound = write_pages(&*aside, &database);
        let note = format!("{} MiB", summary.file_bytes >> 20);
        row("full, read back", "hash, write, sync", took, bound, &note);
    }
    let (mut times, mut bounds, mut bytes) = (Vec::new(), Vec::new(), 0);
    for round in 0..rounds as u64 {
        change(&database, round * 7919 % rows, 3.5);
        let begun = Instant::now();
        let summary = database.snapshot().unwrap();
        times.push(begun.elapsed());
        bytes = summary.file_bytes;
        bounds.push(write_and_publish(&*aside, usize::try_from(bytes).unwrap()));
    }
    let note = format!("{} KiB", bytes >> 10);
    row(
        "one changed row",
        "write, three syncs",
        median(times),
        median(bounds),
        &note,
    );

    let mut next = rows;
    let count = if measured { 20_000 } else { 500 };
    let quiet = commits(&database, &mut next, count, None);
    let stop = AtomicBool::new(false);
    let beside = std::thread::scope(|scope| {
        let committing = scope.spawn(|| commits(&database, &mut next, 0, Some(&stop)));
        for round in 0..5 {
            // Every page of rows has changed.
            let ids = (round..rows).step_by(500);
            let spread = |tx: &mut WriteTransaction| {
                ids.into_iter().try_for_each(|id| {
                    tx.delete("readings", &[Value::from(id)])?;
                    tx.insert("readings", &cells(id, 4.5 + round as f64))
                        .map(drop)
                })
            };
            database.write(spread).unwrap();
            database.snapshot().unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        committing.join().unwrap()
    });
    for (name, part) in [("median", 2), ("99 of 100", 100), ("999 of 1000", 1000)] {
        let of = |times: &[Duration]| times[times.len() - 1 - times.len() / part];
        row(
            &format!("commit beside a large snapshot, {name}"),
            "commit alone",
            of(&beside),
            of(&quiet),
            "",
        );
    }
}
