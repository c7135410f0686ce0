//! Snapshots of a database beside commits: what they cost, and what they cost others.
//!
//! ```text
//! full            bound: hash the pages on one thread, write them to one file and sync it
//! one row         bound: write as many bytes to a new file, sync it, rename it, sync the directory, write a byte, sync the file
//! compressed      bound: the same without
//! commits beside  bound: the same commits with no snapshot under way
//! ```
//!
//! `CAIRN_BENCH_ROWS` says how many.
#![allow(clippy::unwrap_used)]

#[path = "fixture/readings.rs"]
mod readings;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bootstrap::{Database, SnapshotPolicy, SyncPolicy};
use disk::OsDir;
use readings::*;

const ROUNDS: usize = 21;

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
    fill(&database, rows);
    for value in [1.5, 2.5] {
        change(&database, [0], value);
        let begun = Instant::now();
        let summary = database.snapshot().unwrap();
        let took = begun.elapsed();
        let bound = write_pages(&*aside, &database);
        let note = format!("{} MiB", summary.file_bytes >> 20);
        row("full, read back", "hash, write, sync", took, bound, &note);
    }
    let (mut times, mut bounds, mut bytes) = (Vec::new(), Vec::new(), 0);
    for round in 0..rounds as u64 {
        change(&database, [round * 7919 % rows], 3.5);
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

    // As they are, and compressed: a whole one, and an opening from it, in a directory each.
    let mut plain = None;
    for compress in [false, true] {
        let path = temporary.path().join(format!("compress-{compress}"));
        std::mem::drop(OsDir::create(&path).unwrap());
        let policy = SnapshotPolicy {
            compress,
            ..SnapshotPolicy::by_hand()
        };
        let database = open_with(&path, SyncPolicy::Never, policy);
        fill(&database, rows);
        let begun = Instant::now();
        let summary = database.snapshot().unwrap();
        let written = begun.elapsed();
        database.close().unwrap();
        let begun = Instant::now();
        open_with(&path, SyncPolicy::Never, policy).close().unwrap();
        let opened = begun.elapsed();
        let Some((plain_written, plain_opened)) = plain.replace((written, opened)) else {
            continue;
        };
        let note = format!("{} MiB", summary.file_bytes >> 20);
        row(
            "full, compressed",
            "not compressed",
            written,
            plain_written,
            &note,
        );
        row(
            "opened, compressed",
            "not compressed",
            opened,
            plain_opened,
            "",
        );
    }

    let mut next = rows;
    let count = if measured { 20_000 } else { 500 };
    let quiet = commits(&database, &mut next, count, None);
    let stop = AtomicBool::new(false);
    let beside = std::thread::scope(|scope| {
        let committing = scope.spawn(|| commits(&database, &mut next, 0, Some(&stop)));
        for round in 0..5 {
            // Every page of rows has changed.
            let ids = (round..rows).step_by(500);
            change(&database, ids, 4.5 + round as f64);
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
