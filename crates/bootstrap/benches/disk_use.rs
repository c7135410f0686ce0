//! What a database takes on the disk under a steady load of a million commits, while it snapshots and prunes by its policy.
//!
//! ```text
//! bound: the state twice, once for each line of snapshots, and the window: the log that its policy lets grow behind the older one
//! ```
//!
//! Each commit writes one row of 100,000 anew, with its two index entries; a snapshot is due after each 40,000 of them, and what is due is done between two
//! commits. `CAIRN_BENCH_COMMITS` says how many commits.
#![allow(clippy::unwrap_used)]

#[path = "fixture/readings.rs"]
mod readings;

use std::path::Path;
use std::time::{Duration, Instant};

use bootstrap::{Database, Maintenance, Options, SnapshotPolicy, SyncPolicy};
use disk::{Access, OsDir};
use readings::*;

const ROWS: u64 = 100_000;
const EVERY_RECORDS: u64 = 40_000;
/// No transaction here takes more of the log.
const RECORD_BYTES: u64 = 96;
const SEGMENT_BYTES: u64 = 4 << 20;
const LINES: u64 = 20;

/// How long the files of the log are, and those of the snapshots.
fn sizes(path: &Path) -> [u64; 2] {
    ["log", "snapshots"].map(|part| {
        let Ok(dir) = OsDir::open(path.join(part)) else {
            return 0;
        };
        let lengths = dir.list().unwrap().into_iter().map(|entry| {
            let file = dir.open(&entry.name, Access::Read).unwrap();
            file.len().unwrap()
        });
        lengths.sum()
    })
}

/// The most of all that was seen.
#[derive(Default)]
struct Most {
    log: u64,
    snapshots: u64,
    both: u64,
}

impl Most {
    fn see(&mut self, [log, snapshots]: [u64; 2]) {
        self.log = self.log.max(log);
        self.snapshots = self.snapshots.max(snapshots);
        self.both = self.both.max(log + snapshots);
    }
}

fn options() -> Options {
    Options {
        snapshots: SnapshotPolicy {
            every_records: Some(EVERY_RECORDS),
            prune: true,
            ..SnapshotPolicy::by_hand()
        },
        background: false,
        sync_policy: SyncPolicy::Never,
        segment_bytes_max: SEGMENT_BYTES,
        ..Options::default()
    }
}

fn main() {
    let measured = std::env::args().any(|argument| argument == "--bench");
    let default = if measured { 1_000_000 } else { 2_000 };
    let commits: u64 =
        std::env::var("CAIRN_BENCH_COMMITS").map_or(default, |text| text.parse().unwrap());
    let temporary = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = temporary.path();
    let database = open(path, SyncPolicy::Never);
    fill(&database, ROWS);
    database.close().unwrap();
    let opened = Database::open(OsDir::open(path).unwrap(), options(), |_| {
        Ok::<(), schema::Error>(())
    });
    let (database, _) = opened.unwrap();
    println!(
        "| commits | state | log | snapshots | both, at most | of the state twice and the window | snapshots written |"
    );
    println!("|---|---|---|---|---|---|---|");
    let (mut most, mut written, mut count) = (Most::default(), 0, 0);
    let mut upkeep = Duration::ZERO;
    let begun = Instant::now();
    for commit in 1..=commits {
        let id = commit.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        change(&database, [id % ROWS], commit as f64);
        let before = Instant::now();
        loop {
            match database.maintain().unwrap() {
                Maintenance::Idle => break,
                Maintenance::Snapshot(summary) => {
                    written += summary.file_bytes;
                    count += 1;
                }
                _ => {}
            }
            most.see(sizes(path));
        }
        upkeep += before.elapsed();
        if commit % commits.div_ceil(LINES) == 0 {
            most.see(sizes(path));
            let pages = database.view().state().store().pages().page_count();
            let state = pages * PAGE_BYTES as u64;
            // Two rounds lie behind the older snapshot when the next one is due, and whole segments go.
            let window = 2 * EVERY_RECORDS * RECORD_BYTES + 2 * SEGMENT_BYTES;
            println!(
                "| {commit} | {} MiB | {} MiB | {} MiB | {} MiB | {:.2} | {count}, {} MiB |",
                state >> 20,
                most.log >> 20,
                most.snapshots >> 20,
                most.both >> 20,
                most.both as f64 / (2 * state + window) as f64,
                written >> 20,
            );
            most = Most::default();
        }
    }
    println!(
        "{commits} commits in {:.1?}, {:.1?} of it for snapshots and pruning",
        begun.elapsed(),
        upkeep
    );
}
