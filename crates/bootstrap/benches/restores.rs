//! A database from its snapshots: how soon it is there, and what keeping it costs: collection of packs, and backups.
//!
//! ```text
//! checked, copied   bound: map the same pack, and hash it on two threads, a page at a time
//! mapped            bound: the same with a tenth of the rows
//! full backup       bound: hash the pages on one thread, write them to one file and sync it
//! next backup       bound: write as many bytes to a new file, sync it, rename it, sync the directory, write a byte, sync the file
//! churn             bound: the bytes of the pages that have changed, twice, for there are two lines of snapshots
//! ```
//!
//! An open ends with the first row read by its key; it is of a database that was closed, from files that are cached. `CAIRN_BENCH_ROWS` says how many rows.
#![allow(clippy::unwrap_used)]

#[path = "fixture/readings.rs"]
mod readings;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bootstrap::{
    Database, Options, ReadOnlyDatabase, ReadOptions, SnapshotLoading, SnapshotPolicy, SyncPolicy,
    View,
};
use disk::{Access, Dir, File, OsDir};
use readings::*;
use table::Value;

const ROUNDS: usize = 9;
const THREADS: usize = 2;
/// Snapshots, each after one row of so many has been written anew.
const CHURN_ROUNDS: u64 = 30;
const CHURN_EACH: u64 = 1000;

/// A database with two snapshots that share no byte, closed.
fn prepare(path: &Path, rows: u64) {
    let database = open(path, SyncPolicy::Never);
    fill(&database, rows);
    for value in [1.5, 2.5] {
        change(&database, [0], value);
        database.snapshot().unwrap();
    }
    database.close().unwrap();
}

/// The files of the snapshots, by name, oldest first.
fn packs(path: &Path) -> BTreeMap<String, Arc<dyn File>> {
    let dir = OsDir::open(path.join("snapshots")).unwrap();
    let open = |name: String| {
        let file = dir.open(&name, Access::Read).unwrap();
        (name, file)
    };
    let entries = dir.list().unwrap().into_iter();
    entries.map(|entry| open(entry.name)).collect()
}

/// Maps a file and hashes each page of it.
fn map_and_hash(dir: &dyn Dir, name: &str) -> Duration {
    let begun = Instant::now();
    let file = dir.open(name, Access::Read).unwrap();
    let map = file.map(0..file.len().unwrap()).unwrap();
    let pages: Vec<&[u8]> = map.chunks(PAGE_BYTES).collect();
    std::thread::scope(|scope| {
        for part in pages.chunks(pages.len().div_ceil(THREADS)) {
            scope.spawn(move || {
                for page in part {
                    black_box(blake3::hash(page));
                }
            });
        }
    });
    begun.elapsed()
}

fn read_a_row(view: &View, rows: u64) {
    let table = view.state().table("readings").unwrap();
    let key = table.primary_key().unwrap().id;
    let row = table.find(key, &[Value::from(rows / 2)]).unwrap();
    assert!(row.is_some());
}

/// Opens for writing, and reads a row.
fn open_for_writing(path: &Path, loading: SnapshotLoading, rows: u64) -> Duration {
    let options = Options {
        snapshots: SnapshotPolicy::by_hand(),
        background: false,
        loading,
        ..Options::default()
    };
    let begun = Instant::now();
    let dir = OsDir::open(path).unwrap();
    let opened = Database::open(dir, options, |_| Ok::<(), schema::Error>(()));
    let (database, report) = opened.unwrap();
    read_a_row(&database.view(), rows);
    let took = begun.elapsed();
    assert_eq!(report.records_replayed, 0);
    database.close().unwrap();
    took
}

/// Opens for reading, and reads a row.
fn open_for_reading(path: &Path, loading: SnapshotLoading, rows: u64) -> Duration {
    let options = ReadOptions {
        loading,
        ..ReadOptions::default()
    };
    let begun = Instant::now();
    let dir = OsDir::open(path).unwrap();
    let (database, _) = ReadOnlyDatabase::open(dir, &options).unwrap();
    read_a_row(&database.view(), rows);
    begun.elapsed()
}

/// So often, all of them in turn; the medians.
fn medians(rounds: usize, works: &[&dyn Fn() -> Duration]) -> Vec<Duration> {
    let mut times = vec![Vec::new(); works.len()];
    for _ in 0..rounds {
        for (work, times) in works.iter().zip(&mut times) {
            times.push(work());
        }
    }
    times.into_iter().map(median).collect()
}

fn opens(path: &Path, tenth: &Path, rows: u64, rounds: usize) {
    use SnapshotLoading::{Checked, Copied, Mapped};
    let (pack, file) = packs(path).pop_last().unwrap();
    let packs = OsDir::open(path.join("snapshots")).unwrap();
    let times = medians(
        rounds,
        &[
            &|| map_and_hash(&*packs, &pack),
            &|| open_for_writing(path, Checked, rows),
            &|| open_for_reading(path, Checked, rows),
            &|| open_for_writing(path, Copied, rows),
            &|| open_for_writing(path, Mapped, rows),
            &|| open_for_writing(tenth, Mapped, rows / 10),
            &|| open_for_reading(path, Mapped, rows),
            &|| open_for_reading(tenth, Mapped, rows / 10),
        ],
    );
    let note = format!("{} MiB", file.len().unwrap() >> 20);
    let (hash, tenth) = ("map, hash", "a tenth of the rows");
    row("open, checked", hash, times[1], times[0], &note);
    row("open to read, checked", hash, times[2], times[0], &note);
    row("open, copied", hash, times[3], times[0], &note);
    row("open, mapped", tenth, times[4], times[5], "");
    row("open to read, mapped", tenth, times[6], times[7], "");
}

fn backups(root: &Arc<dyn Dir>, database: &Database, rounds: u64, rows: u64) {
    let aside = root.create_dir_durable("aside").unwrap();
    let to = root.create_dir_durable("backup").unwrap();
    let back_up = || {
        let go_on = |_| std::ops::ControlFlow::Continue(());
        let begun = Instant::now();
        let summary = database.backup(&to, &go_on).unwrap();
        (begun.elapsed(), summary.snapshot.file_bytes)
    };
    for _ in 0..2 {
        let (took, bytes) = back_up();
        let note = format!("{} MiB", bytes >> 20);
        let bound = write_pages(&*aside, database);
        row("full backup", "hash, write, sync", took, bound, &note);
        // The next one is on the other line, and shares nothing either.
        change(database, [0], 5.5);
    }
    let (mut times, mut bounds, mut written) = (Vec::new(), Vec::new(), 0);
    for round in 0..rounds {
        change(database, [round * 7919 % rows], 6.5);
        let (took, bytes) = back_up();
        times.push(took);
        written = bytes;
        bounds.push(write_and_publish(&*aside, usize::try_from(bytes).unwrap()));
    }
    let note = format!("{} KiB", written >> 10);
    let (took, bound) = (median(times), median(bounds));
    row("next backup", "write, three syncs", took, bound, &note);
}

/// How many bytes the files of the snapshots have.
fn disk_bytes(path: &Path) -> u64 {
    let files = packs(path).into_values();
    files.map(|file| file.len().unwrap()).sum()
}

/// What writing and collecting cost for each byte that has changed, and what stays on disk.
fn churn(path: &Path, database: &Database, rows: u64) {
    let (mut written, mut changed, mut most) = (0, 0, 0);
    let mut slowest = Duration::ZERO;
    let mut state = 0;
    let begun = Instant::now();
    for round in 0..CHURN_ROUNDS {
        let before = database.view().state().store().pages().moment();
        let ids = (round * 31 % CHURN_EACH..rows).step_by(usize::try_from(CHURN_EACH).unwrap());
        change(database, ids, 7.5 + round as f64);
        let view = database.view();
        let pages = view.state().store().pages();
        let last = pages.iter().map(|(number, _)| number.get()).max().unwrap();
        let born = pages.changed_after(&before).unwrap();
        let born = born.map(|range| *range.start()..last.min(*range.end()).saturating_add(1));
        changed += born.map(|range| range.len() as u64).sum::<u64>();
        let begun = Instant::now();
        let summary = database.snapshot().unwrap();
        slowest = slowest.max(begun.elapsed());
        written += summary.file_bytes;
        most = most.max(disk_bytes(path));
        state = summary.page_count * PAGE_BYTES as u64;
    }
    let changed = changed * PAGE_BYTES as u64;
    let took = begun.elapsed();
    let rows_changed = rows.div_ceil(CHURN_EACH) * CHURN_ROUNDS;
    println!();
    println!(
        "churn: {CHURN_ROUNDS} snapshots in {took:.2?}, the slowest in {slowest:.2?}; {} MiB of pages changed, {} MiB were written: {:.2} of twice that; \
         {} bytes a row that was written; at most {} MiB on disk: {:.2} of the state twice",
        changed >> 20,
        written >> 20,
        written as f64 / (2 * changed) as f64,
        written / rows_changed,
        most >> 20,
        most as f64 / (2 * state) as f64,
    );
}

fn main() {
    let measured = std::env::args().any(|argument| argument == "--bench");
    let default = if measured { 1_000_000 } else { 5000 };
    let rows = std::env::var("CAIRN_BENCH_ROWS").map_or(default, |rows| rows.parse().unwrap());
    let rounds = if measured { ROUNDS } else { 1 };
    println!("{rows} rows; {rounds} rounds, medians");
    println!("| work | bound | took | bound | ratio | |");
    println!("|---|---|---|---|---|---|");
    let temporary = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let root = OsDir::open(temporary.path()).unwrap();
    let [path, tenth] = ["all", "tenth"].map(|name| {
        root.create_dir_durable(name).unwrap();
        temporary.path().join(name)
    });
    prepare(&path, rows);
    prepare(&tenth, rows / 10);
    opens(&path, &tenth, rows, rounds);
    let database = open(&path, SyncPolicy::Never);
    backups(&root, &database, rounds as u64, rows);
    churn(&path, &database, rows);
}
