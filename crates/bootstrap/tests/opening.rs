//! Every state that a directory can be in, and what opening makes of it: the rows of `docs/RECOVERY.md` on real files.
#![allow(clippy::unwrap_used)]

#[path = "fixture/fixture.rs"]
mod fixture;

use bootstrap::{DatabaseId, Error, Options, Origin, ReadOptions, Rejection, TxId};
use disk::SimDisk;
use fixture::*;
use snapshot::{Blobs, Header, Snapshots};

/// Another database, with snapshots of the same transactions.
fn stranger() -> SimDisk {
    let disk = SimDisk::new(2);
    let id = DatabaseId(*b"quite another id");
    let (database, _) = open_with(
        &disk,
        Options {
            database_id: Some(id),
            ..small_segments()
        },
    )
    .unwrap();
    for id in 1..=20 {
        put(&database, id + 100);
        if id == 10 || id == 15 {
            database.snapshot().unwrap();
        }
    }
    database.close().unwrap();
    disk
}

#[test]
fn nothing_there() {
    let disk = SimDisk::new(1);
    let no_create = || Options {
        create: false,
        ..options()
    };
    assert!(matches!(
        refusal(&disk, no_create()),
        Error::NoDatabase { .. }
    ));
    check_no_database_to_read(&disk);
    // Files that are not ours are no database, and are left alone.
    disk.write("notes.txt", b"shopping list");
    assert!(matches!(
        refusal(&disk, no_create()),
        Error::NoDatabase { .. }
    ));
    let (database, report) = open(&disk);
    assert_eq!(report.row, 5);
    drop(database);
    assert_eq!(disk.read("notes.txt").unwrap(), b"shopping list");
}

#[test]
fn a_lost_log_is_never_replaced_by_an_empty_one() {
    // With identity and snapshots.
    let disk = sample();
    delete_all(&disk, "log/");
    check_refused(&disk, |error| {
        matches!(
            error,
            Error::LogLost {
                restorable: true,
                ..
            }
        )
    });
    check_restored(&disk, 15);
    // Snapshots alone.
    let disk = sample();
    delete_all(&disk, "log/");
    disk.delete("identity");
    check_refused(&disk, |error| {
        matches!(
            error,
            Error::LogLost {
                restorable: true,
                ..
            }
        )
    });
    check_restored(&disk, 15);
    // The identity alone, or beside snapshots that are no good.
    let disk = sample();
    delete_all(&disk, "log/");
    for path in paths_in(&disk, "snapshots/", "") {
        disk.flip_bit(&path, 20, 0);
    }
    check_refused(&disk, |error| {
        matches!(
            error,
            Error::LogLost {
                restorable: false,
                ..
            }
        )
    });
    delete_all(&disk, "snapshots/");
    check_refused(&disk, |error| {
        matches!(
            error,
            Error::LogLost {
                restorable: false,
                ..
            }
        )
    });
    assert!(matches!(refusal(&disk, restoring()), Error::LogLost { .. }));
    // Only damaged snapshots.
    let disk = sample();
    delete_all(&disk, "log/");
    disk.delete("identity");
    for path in paths_in(&disk, "snapshots/", "") {
        disk.flip_bit(&path, 20, 0);
    }
    check_refused(&disk, |error| {
        matches!(
            error,
            Error::LogLost {
                restorable: false,
                ..
            }
        )
    });
}

#[test]
fn a_missing_identity_is_written_again() {
    let disk = sample();
    let identity = disk.read("identity").unwrap();
    disk.delete("identity");
    // A reader does without.
    let before = files(&disk);
    let (database, report) = read_with(&disk, &ReadOptions::default()).unwrap();
    assert_eq!((report.row, report.identity_rewritten), (26, false));
    assert_eq!(notes(&database.view()), expected(1..=20));
    assert_eq!(files(&disk), before);

    let (_, report) = open_with(&disk, small_segments()).unwrap();
    assert_eq!((report.row, report.identity_rewritten), (24, true));
    assert_eq!(disk.read("identity").unwrap(), identity);
}

#[test]
fn the_log_of_another_database_is_refused() {
    let disk = sample();
    transplant(&stranger(), &disk, "log/");
    check_refused(&disk, |error| matches!(error, Error::ForeignLog { .. }));
}

#[test]
fn the_snapshots_of_another_database_are_reported_and_ignored() {
    let disk = sample();
    transplant(&stranger(), &disk, "snapshots/");
    let (database, report) = open_with(&disk, small_segments()).unwrap();
    assert_eq!((report.row, report.origin), (21, Origin::Genesis));
    let reasons: Vec<_> = report
        .snapshots_rejected
        .iter()
        .map(|it| (it.tx.0, &it.reason))
        .collect();
    assert!(
        matches!(
            reasons[..],
            [
                (15, Rejection::ForeignDatabase(_)),
                (10, Rejection::ForeignDatabase(_))
            ]
        ),
        "{reasons:?}"
    );
    assert_eq!(notes(&database.view()), expected(1..=20));
}

#[test]
fn a_snapshot_of_another_history_is_reported_and_ignored() {
    // The same database, copied and written to differently.
    let disk = SimDisk::new(1);
    let (database, _) = open(&disk);
    put_all(&database, 1..=5);
    database.close().unwrap();
    let other = disk.fork();
    for (disk, id) in [(&disk, 100), (&other, 200)] {
        let (database, _) = open(disk);
        put_all(&database, id..id + 5);
        database.snapshot().unwrap();
        put_all(&database, id + 5..id + 10);
        database.close().unwrap();
    }
    transplant(&other, &disk, "snapshots/");
    let (database, report) = open(&disk);
    assert_eq!((report.row, report.origin), (21, Origin::Genesis));
    assert!(matches!(
        report.snapshots_rejected[0].reason,
        Rejection::OtherHistory
    ));
    assert_eq!(notes(&database.view()), expected((1..=5).chain(100..110)));
}

#[test]
fn a_log_behind_a_snapshot_has_lost_its_end() {
    // An older copy of the log comes back.
    let disk = SimDisk::new(1);
    let (database, _) = open_with(&disk, small_segments()).unwrap();
    put_all(&database, 1..=8);
    database.close().unwrap();
    let old = disk.fork();
    let (database, _) = open_with(&disk, small_segments()).unwrap();
    put_all(&database, 9..=15);
    database.snapshot().unwrap();
    database.close().unwrap();
    transplant(&old, &disk, "log/");
    check_refused(&disk, |error| match error {
        Error::LogBehindSnapshot {
            snapshot,
            end,
            restorable: true,
        } => (*snapshot, *end) == (TxId(15), TxId(9)),
        _ => false,
    });
    check_restored(&disk, 15);
}

#[test]
fn a_pruned_log_needs_a_snapshot() {
    let disk = pruned();
    delete_all(&disk, "snapshots/");
    check_refused(&disk, |error| {
        matches!(
            error,
            Error::NoStart {
                base: TxId(11),
                lost_from: None,
                restorable: false
            }
        )
    });
    let disk = pruned();
    for path in paths_in(&disk, "snapshots/", ".pack") {
        disk.flip_bit(&path, 5000, 0);
    }
    // They look sound, until they are read.
    check_refused(&disk, |error| {
        matches!(
            error,
            Error::NoStart {
                base: TxId(11),
                lost_from: None,
                restorable: false
            }
        )
    });
}

#[test]
fn a_log_that_begins_after_every_snapshot_is_out_of_reach() {
    let disk = pruned();
    let (database, _) = open_with(&disk, small_segments()).unwrap();
    let older = disk.fork();
    put_all(&database, 21..=30);
    database.snapshot().unwrap();
    put_all(&database, 31..=40);
    database.snapshot().unwrap();
    database.prune().unwrap();
    database.close().unwrap();
    transplant(&older, &disk, "snapshots/");
    check_refused(&disk, |error| {
        matches!(
            error,
            Error::NoStart {
                base: TxId(31),
                lost_from: None,
                restorable: true
            }
        )
    });
    check_restored(&disk, 15);
}

#[test]
fn restoring_is_not_done_without_need() {
    let disk = sample();
    let before = files(&disk);
    let (database, report) = open_with(&disk, restoring()).unwrap();
    assert_eq!(
        (report.row, report.origin),
        (22, Origin::Snapshot { tx: TxId(15) })
    );
    assert_eq!(notes(&database.view()), expected(1..=20));
    database.close().unwrap();
    assert_eq!(files(&disk), before);
}

#[test]
fn the_report_tells_the_story() {
    let disk = sample();
    for path in paths_in(&disk, "snapshots/", ".pack")
        .into_iter()
        .filter(|path| path.contains("00015"))
    {
        disk.flip_bit(path, 5000, 0);
    }
    disk.delete("identity");
    let (_, report) = open_with(&disk, small_segments()).unwrap();
    let story = report.to_string();
    let lines: Vec<&str> = story.lines().collect();
    assert_eq!(
        lines[..3],
        [
            "opened database 616e206578616d706c6527732069642e from its snapshot of transaction 10",
            "replayed 10 transactions (955 bytes)",
            "the newest transaction is 20",
        ]
    );
    assert!(story.contains("the identity file was missing and was written again"));
    assert!(
        story.contains("the snapshot of transaction 15 was not used: "),
        "{story}"
    );
}

/// Whatever is wrong with it, its manifest proves how far the log was synced.
#[test]
fn a_snapshot_that_can_not_be_used_still_proves_that_the_log_lost_its_end() {
    let disk = SimDisk::new(1);
    let (database, _) = open(&disk);
    put_all(&database, 0..5);
    database.close().unwrap();
    let dir = disk.root().create_dir_durable("snapshots").unwrap();
    let snapshots = Snapshots::open(dir, snapshot::Options::default()).unwrap();
    let header = Header {
        log_id: ID.0,
        tx: 50,
        chain: 77,
        minimum_reader: 99,
        metadata: Vec::new(),
    };
    let mut blobs = Blobs::new(vec![(0, vec![1; 10])]);
    let mut go_on = |_| std::ops::ControlFlow::Continue(());
    snapshots
        .write(&header, &mut [&mut blobs], &mut go_on)
        .unwrap();
    let is_expected = |error: &Error| match error {
        Error::LogBehindSnapshot {
            snapshot,
            end,
            restorable: false,
        } => (*snapshot, *end) == (TxId(50), TxId(6)),
        _ => false,
    };
    check_refused(&disk, is_expected);
    assert!(is_expected(&refusal(&disk, restoring())));
    let at = ReadOptions {
        at: Some(TxId(3)),
        ..ReadOptions::default()
    };
    assert!(is_expected(&read_with(&disk, &at).map(drop).unwrap_err()));
    // That of another database proves nothing.
    let disk = SimDisk::new(1);
    open(&disk).0.close().unwrap();
    let dir = disk.root().create_dir_durable("snapshots").unwrap();
    let snapshots = Snapshots::open(dir, snapshot::Options::default()).unwrap();
    let header = Header {
        log_id: [9; 16],
        ..header
    };
    let mut blobs = Blobs::new(vec![(0, vec![1; 10])]);
    snapshots
        .write(&header, &mut [&mut blobs], &mut go_on)
        .unwrap();
    assert_eq!(open(&disk).1.row, 21);
}
