//! What a database that snapshots and prunes by its policy takes on the disk while commits go on.
#![allow(clippy::unwrap_used)]

#[path = "fixture/fixture.rs"]
mod fixture;

use bootstrap::{Database, Maintenance, Options, SnapshotPolicy, SyncPolicy};
use disk::SimDisk;
use fixture::*;
use schema::WriteTransaction;
use table::Value;

const ROWS: u64 = 8_000;
/// In each third.
const COMMITS: u64 = 30_000;
const EVERY_RECORDS: u64 = 150;
/// Longer than any transaction here.
const RECORD_BYTES: u64 = 512;
const SEGMENT_BYTES: u64 = 64 << 10;
const PAGE_BYTES: u64 = 32 << 10;
/// What snapshots leave unused in their packs, whatever they use.
const SPARE_BYTES: u64 = 4 << 20;

/// Does what is due. Yields the most that was on the disk after a step.
fn keep_up(database: &Database, disk: &SimDisk) -> u64 {
    let mut most = disk.used_bytes();
    while !matches!(database.maintain().unwrap(), Maintenance::Idle) {
        most = most.max(disk.used_bytes());
    }
    most
}

/// Writes a row anew, with another text each time.
fn put_again(database: &Database, id: u64, commit: u64) {
    let text = format!("the text of {id} since commit {commit:06}");
    let again = |tx: &mut WriteTransaction| {
        tx.delete("notes", &[Value::from(id)])?;
        let cells = [
            ("id", Value::from(id)),
            ("text", Value::from(text.as_str())),
        ];
        tx.insert("notes", &cells).map(drop)
    };
    database.write(again).unwrap();
}

/// A steady load, the work in between done as it falls due. Yields the most that was on the disk in each third, and how many pages there are.
fn steady_load(policy: SnapshotPolicy) -> ([u64; 3], u64) {
    let disk = SimDisk::new(1);
    let options = Options {
        snapshots: policy,
        sync_policy: SyncPolicy::Never,
        segment_bytes_max: SEGMENT_BYTES,
        ..options()
    };
    let (database, _) = open_with(&disk, options).unwrap();
    put_all(&database, 0..ROWS);
    keep_up(&database, &disk);
    let mut thirds = [0; 3];
    for commit in 0..3 * COMMITS {
        // Any row, and half of the time one of a few.
        let any = commit.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        let few = [ROWS, 64][usize::from(commit % 2 == 0)];
        put_again(&database, any % few, commit);
        let third = usize::try_from(commit / COMMITS).unwrap();
        thirds[third] = thirds[third].max(keep_up(&database, &disk));
    }
    let pages = database.view().state().store().pages().page_count();
    let tx = database.view().tx();
    database.close().unwrap();
    let (reopened, _) = open_with(&disk, options_by_hand()).unwrap();
    assert_eq!(reopened.view().tx(), tx);
    (thirds, pages)
}

fn options_by_hand() -> Options {
    Options {
        snapshots: SnapshotPolicy::by_hand(),
        ..options()
    }
}

#[test]
fn disk_use_is_bounded_by_the_state_twice_and_the_window() {
    let policy = SnapshotPolicy {
        every_records: Some(EVERY_RECORDS),
        prune: true,
        ..SnapshotPolicy::by_hand()
    };
    let ([first, second, third], pages) = steady_load(policy);
    let state = pages * PAGE_BYTES;
    assert!(state > 1 << 20, "{state}");
    // Between the older snapshot and the next one lie two rounds of commits, and a segment may have begun just before.
    let window = 3 * EVERY_RECORDS * RECORD_BYTES + 3 * SEGMENT_BYTES;
    // Each line holds the state, a quarter of it unused, and what has changed since it was last written: all of it at most.
    let line = state + state / 4 + SPARE_BYTES + state;
    for most in [first, second, third] {
        assert!(most <= 2 * line + window, "{most} beside {state}");
    }
    // In the first third there was nothing unused yet. As it is in the others, so it would be for ever.
    assert!(third <= second + second / 100, "{second}, then {third}");

    // The test would see a log that is not pruned.
    let unpruned = SnapshotPolicy {
        prune: false,
        ..policy
    };
    let ([_, second, third], _) = steady_load(unpruned);
    assert!(third > second + second / 10, "{second}, then {third}");
}
