//! Databases whose snapshots are compressed.
#![allow(clippy::unwrap_used)]

#[path = "fixture/fixture.rs"]
mod fixture;

use std::ops::ControlFlow;

use bootstrap::{Database, Options, Origin, SnapshotInfo, SnapshotLoading, SnapshotPolicy, TxId};
use disk::SimDisk;
use fixture::*;

fn options_with(compress: bool, loading: SnapshotLoading) -> Options {
    Options {
        snapshots: SnapshotPolicy {
            compress,
            ..SnapshotPolicy::by_hand()
        },
        loading,
        ..small_segments()
    }
}

fn filled(disk: &SimDisk, compress: bool) -> Database {
    let options = options_with(compress, SnapshotLoading::Checked);
    let (database, _) = open_with(disk, options).unwrap();
    let fill = |tx: &mut schema::WriteTransaction| (0..3000).try_for_each(|id| insert(tx, id));
    database.write(fill).unwrap();
    database
}

fn pack_bytes(disk: &SimDisk) -> u64 {
    let packs = paths_in(disk, "snapshots/", ".pack").into_iter();
    packs
        .map(|pack| disk.read(pack).unwrap().len() as u64)
        .sum()
}

#[test]
fn it_opens_in_every_way_with_the_same_content_in_fewer_bytes() {
    let (plain, disk) = (SimDisk::new(1), SimDisk::new(2));
    filled(&plain, false).snapshot().unwrap();
    let database = filled(&disk, true);
    let summary = database.snapshot().unwrap();
    assert_eq!(summary.file_bytes, pack_bytes(&disk));
    assert!(pack_bytes(&disk) * 2 < pack_bytes(&plain));
    let digest = database.digest().unwrap();
    database.close().unwrap();
    for loading in [
        SnapshotLoading::Checked,
        SnapshotLoading::Mapped,
        SnapshotLoading::Copied,
    ] {
        for compress in [true, false] {
            let disk = disk.fork();
            let (database, report) = open_with(&disk, options_with(compress, loading)).unwrap();
            assert_eq!(report.origin, Origin::Snapshot { tx: TxId(1) });
            assert_eq!(database.digest().unwrap(), digest);
            put(&database, 10_000);
            database.snapshot().unwrap();
            assert_eq!(read(&disk).digest().unwrap(), database.digest().unwrap());
        }
    }
}

/// Both lines, and then the option changed: pages are shared with what is there, whatever it is, and pruned, scrubbed and backed up.
#[test]
fn it_is_pruned_scrubbed_and_backed_up_and_the_option_may_change() {
    let disk = SimDisk::new(1);
    let mut database = filled(&disk, true);
    let to = SimDisk::new(2);
    for round in 0..9 {
        put(&database, 10_000 + round);
        let summary = database.snapshot().unwrap();
        if round >= 2 {
            // Two rows, not all of them again.
            assert!(summary.file_bytes < 300_000, "{round}: {summary:?}");
        }
        let pruned = database.prune().unwrap();
        assert_eq!(pruned.floor.is_some(), round >= 1);
        assert!(
            database
                .scrub(&|_| ControlFlow::Continue(()))
                .unwrap()
                .findings
                .is_empty()
        );
        database
            .backup(&to.root(), &|_| ControlFlow::Continue(()))
            .unwrap();
        assert_eq!(read(&to).digest().unwrap(), database.digest().unwrap());
        if round % 3 == 2 {
            database.close().unwrap();
            let options = options_with(round % 2 == 0, SnapshotLoading::Mapped);
            database = open_with(&disk, options).unwrap().0;
        }
    }
    for disk in [&disk, &to] {
        let found = SnapshotInfo::read_back_all(&*disk.root()).unwrap();
        assert!(found.len() >= 2 && found.iter().all(|it| it.rejected.is_none()));
    }
    assert!(pack_bytes(&to) > 0);
}

/// A flip in a compressed page: the other line and the log, or the scrub, as with any other.
#[test]
fn a_flipped_bit_costs_nothing() {
    let disk = SimDisk::new(1);
    let database = filled(&disk, true);
    database.snapshot().unwrap();
    put(&database, 10_000);
    database.snapshot().unwrap();
    let digest = database.digest().unwrap();
    database.close().unwrap();
    let packs = paths_in(&disk, "snapshots/", ".pack");
    for (pack, origin) in packs.iter().zip([2, 1]) {
        let length = disk.read(pack).unwrap().len() as u64;
        for byte in (4096..length - 3000).step_by(10_007) {
            let bad = disk.fork();
            bad.flip_bit(pack, byte, 3);
            let options = options_with(true, SnapshotLoading::Checked);
            let (database, report) = open_with(&bad, options).unwrap();
            assert_eq!(
                report.origin,
                Origin::Snapshot { tx: TxId(origin) },
                "{byte}"
            );
            assert_eq!(database.digest().unwrap(), digest);
            let report = database.scrub(&|_| ControlFlow::Continue(())).unwrap();
            assert!(report.is_sound(), "{byte}: {report:?}");
            assert!(bad.read(pack).unwrap() == disk.read(pack).unwrap());
        }
    }
}
