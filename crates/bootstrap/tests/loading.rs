//! How much of a snapshot is checked before the database opens, and afterwards.
#![allow(clippy::unwrap_used)]

#[path = "fixture/fixture.rs"]
mod fixture;

use bootstrap::{Database, Maintenance, OpenReport, Options, Origin, SnapshotLoading, TxId};
use disk::SimDisk;
use fixture::*;

/// Snapshots of transactions 1 and 2 with some twenty pages each, the log not pruned.
fn two_snapshots() -> SimDisk {
    let disk = SimDisk::new(1);
    let (database, _) = open_with(&disk, options()).unwrap();
    for first in [0, 5000] {
        let rows = |tx: &mut schema::WriteTransaction| {
            (first..first + 5000).try_for_each(|id| insert(tx, id))
        };
        database.write(rows).unwrap();
        database.snapshot().unwrap();
    }
    database.close().unwrap();
    disk
}

fn open_loading(disk: &SimDisk, loading: SnapshotLoading) -> (Database, OpenReport) {
    let options = Options {
        loading,
        ..options()
    };
    open_with(disk, options).unwrap()
}

/// One bit in the middle of the newest snapshot's pages.
fn damage_newest(disk: &SimDisk) {
    let path = paths_in(disk, "snapshots/", ".pack").pop().unwrap();
    let pages = disk.read(&path).unwrap().len() as u64 / (32 << 10);
    disk.flip_bit(&path, 4096 + pages / 2 * (32 << 10) + 700, 5);
}

#[test]
fn a_damaged_page_is_found_before_or_after_the_database_opens() {
    use SnapshotLoading::{Checked, Copied, Mapped};
    let disk = two_snapshots();
    let whole = open_loading(&disk, Checked).0.digest().unwrap();
    damage_newest(&disk);
    for loading in [Checked, Copied] {
        let (database, report) = open_loading(&disk, loading);
        assert_eq!(report.origin, Origin::Snapshot { tx: TxId(1) });
        assert_eq!(report.snapshots_rejected.len(), 1);
        assert_eq!(database.digest().unwrap(), whole);
        assert!(matches!(database.maintain().unwrap(), Maintenance::Idle));
    }
    let (database, report) = open_loading(&disk, Mapped);
    assert_eq!(report.origin, Origin::Snapshot { tx: TxId(2) });
    assert!(database.digest().is_err());
}

#[test]
fn what_was_only_mapped_is_verified_step_by_step() {
    let disk = two_snapshots();
    for is_damaged in [false, true] {
        if is_damaged {
            damage_newest(&disk);
        }
        let (database, _) = open_loading(&disk, SnapshotLoading::Mapped);
        // What is written meanwhile is not in the way.
        put(&database, 10_000 + u64::from(is_damaged));
        let mut steps = Vec::new();
        loop {
            match database.maintain().unwrap() {
                Maintenance::Idle => break,
                step => steps.push(step),
            }
        }
        let (last, before) = steps.split_last().unwrap();
        assert!(
            before
                .iter()
                .all(|step| matches!(step, Maintenance::Verifying))
        );
        let Maintenance::Verified { damaged } = last else {
            panic!("{last:?}");
        };
        assert_eq!(damaged.len(), usize::from(is_damaged), "{damaged:?}");
        let failure = database.info().unwrap().background_failure;
        assert_eq!(failure.is_some(), is_damaged, "{failure:?}");
    }
}
