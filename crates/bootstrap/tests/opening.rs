//! Every state that a directory can be in, and what opening makes of it: the rows of `docs/RECOVERY.md` on real files.
#![allow(clippy::unwrap_used)]

#[path = "fixture/fixture.rs"]
mod fixture;

use bootstrap::{
    DatabaseId, Error, ErrorClass, IdentityFlaw, Options, Origin, ReadOptions, Rejection, TxId,
};
use disk::{Operation, SimDisk};
use fixture::*;

/// Rows 1 to 20, a snapshot of transactions 10 and 15; closed.
fn sample() -> SimDisk {
    let disk = SimDisk::new(1);
    let (database, _) = open_with(&disk, small_segments()).unwrap();
    for id in 1..=20 {
        put(&database, id);
        if id == 10 || id == 15 {
            database.snapshot().unwrap();
        }
    }
    database.close().unwrap();
    disk
}

/// The same, with the log pruned before transaction 11.
fn pruned() -> SimDisk {
    let disk = sample();
    let (database, _) = open_with(&disk, small_segments()).unwrap();
    assert_eq!(database.prune().unwrap().base, TxId(11));
    database.close().unwrap();
    disk
}

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

fn restoring() -> Options {
    Options {
        restore_from_snapshots: true,
        ..small_segments()
    }
}

/// Refused for writing and for reading, with the same error and without a change.
fn check_refused(disk: &SimDisk, is_expected: impl Fn(&Error) -> bool) {
    let before = files(disk);
    let error = refusal(disk, small_segments());
    assert!(is_expected(&error), "writing: {error:?}");
    let error = read_with(disk, &ReadOptions::default())
        .map(drop)
        .unwrap_err();
    assert!(is_expected(&error), "reading: {error:?}");
    assert_eq!(files(disk), before);
}

/// Restored from a snapshot through `tx`, and good to go on with.
fn check_restored(disk: &SimDisk, tx: u64) {
    let (database, report) = open_with(disk, restoring()).unwrap();
    assert!(
        matches!(report.origin, Origin::Restored { tx: found, .. } if found == TxId(tx)),
        "{report:?}"
    );
    assert_eq!(notes(&database.view()), expected(1..=tx));
    assert_eq!(put(&database, 500), TxId(tx + 1));
    let digest = database.digest().unwrap();
    drop(database);
    for _ in 0..2 {
        let (database, report) = open_with(disk, small_segments()).unwrap();
        assert_eq!(report.origin, Origin::Snapshot { tx: TxId(tx) });
        assert_eq!(database.digest().unwrap(), digest);
        database.close().unwrap();
    }
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

fn check_no_database_to_read(disk: &SimDisk) {
    let error = read_with(disk, &ReadOptions::default())
        .map(drop)
        .unwrap_err();
    assert!(matches!(error, Error::NoDatabase { .. }));
    assert_eq!(error.class(), ErrorClass::Refused);
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
fn a_damaged_identity_is_named() {
    for (offset, flaw) in [(0, IdentityFlaw::Magic), (20, IdentityFlaw::Checksum)] {
        let disk = sample();
        disk.flip_bit("identity", offset, 1);
        check_refused(
            &disk,
            |error| matches!(error, Error::IdentityDamaged { flaw: found, .. } if *found == flaw),
        );
    }
    let disk = sample();
    disk.write("identity", b"");
    check_refused(&disk, |error| error.class() == ErrorClass::Damage);
}

#[test]
fn a_newer_identity_names_both_versions() {
    let disk = sample();
    let mut bytes = disk.read("identity").unwrap();
    bytes[8] = 9;
    let checksum = crc32c::crc32c(&bytes[..36]);
    bytes[36..].copy_from_slice(&checksum.to_le_bytes());
    disk.write("identity", &bytes);
    check_refused(&disk, |error| {
        error.class() == ErrorClass::NewerFormat
            && error.to_string().contains("version 9")
            && error.to_string().contains("up to 1")
    });
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
        Error::LogBehindSnapshot { snapshot, end } => (*snapshot, *end) == (TxId(15), TxId(9)),
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
                restorable: true
            }
        )
    });
    check_restored(&disk, 15);
}

#[test]
fn a_damaged_snapshot_means_an_older_one_and_a_longer_replay() {
    // Of the newest, each file once; then of both; in a place that the manifest does not tell, and in the manifest.
    let disk = sample();
    let of = |tx: &str| -> Vec<String> {
        let paths = disk.files().into_iter();
        paths
            .filter(|path| path.starts_with("snapshots/") && path.contains(tx))
            .collect()
    };
    let (newest, oldest) = (of("00015"), of("00010"));
    assert!(newest.len() >= 2, "{newest:?}");
    for path in &newest {
        let disk = disk.fork();
        let middle = disk.read(path).unwrap().len() as u64 / 2;
        disk.flip_bit(path, middle, 0);
        for loading_by_reader in [false, true] {
            let (view, report) = if loading_by_reader {
                let (database, report) = read_with(&disk, &ReadOptions::default()).unwrap();
                (database.view(), report)
            } else {
                let (database, report) = open_with(&disk, small_segments()).unwrap();
                (database.view(), report)
            };
            assert_eq!(report.origin, Origin::Snapshot { tx: TxId(10) }, "{path}");
            assert_eq!(report.records_replayed, 10);
            let rejected = &report.snapshots_rejected;
            assert!(
                matches!(rejected[..], [ref it] if it.tx == TxId(15)),
                "{rejected:?}"
            );
            assert!(matches!(rejected[0].reason, Rejection::Unreadable(_)));
            assert_eq!(notes(&view), expected(1..=20));
        }
        disk.flip_bit(&oldest[0], 30, 0);
        let (database, report) = open_with(&disk, small_segments()).unwrap();
        assert_eq!((report.row, report.origin), (21, Origin::Genesis));
        assert_eq!(report.snapshots_rejected.len(), 2);
        assert_eq!(notes(&database.view()), expected(1..=20));
    }
}

#[test]
fn a_damaged_log_is_named_and_left_alone() {
    let disk = sample();
    let newest = segments(&disk).pop().unwrap();
    // A bit in the middle of the first frame of the newest segment.
    disk.flip_bit(&newest, 12_288 + 40, 2);
    check_refused(
        &disk,
        |error| matches!(error, Error::Log(commitlog::Error::Damaged { file, .. }) if file.ends_with(&newest[4..])),
    );
    check_restored(&disk, 15);
    let set_aside = paths_in(&disk, "log/", ".aside-0");
    assert_eq!(
        set_aside.len(),
        segments(&sample()).len(),
        "nothing is thrown away"
    );
}

#[test]
fn a_lost_newest_segment_is_found_out() {
    let disk = sample();
    disk.delete(segments(&disk).pop().unwrap());
    check_refused(&disk, |error| error.class() == ErrorClass::Damage);
}

#[test]
fn a_damaged_genesis_is_found_out_and_a_snapshot_helps() {
    let disk = sample();
    disk.flip_bit(&segments(&disk)[0], 12_288 + 100, 2);
    // It is not needed.
    let (database, report) = open_with(&disk, small_segments()).unwrap();
    assert_eq!(report.origin, Origin::Snapshot { tx: TxId(15) });
    assert_eq!(notes(&database.view()), expected(1..=20));
    drop(database);
    let from_log = ReadOptions {
        ignore_snapshots: true,
        ..ReadOptions::default()
    };
    let error = read_with(&disk, &from_log).map(drop).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Damage);
    delete_all(&disk, "snapshots/");
    check_refused(&disk, |error| error.class() == ErrorClass::Damage);
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
fn restoring_passes_over_a_damaged_snapshot() {
    let disk = sample();
    delete_all(&disk, "log/");
    let pack = paths_in(&disk, "snapshots/", ".pack")
        .into_iter()
        .find(|path| path.contains("00015"));
    disk.flip_bit(pack.unwrap(), 5000, 0);
    check_restored(&disk, 10);
}

#[test]
fn a_torn_tail_is_cut_and_reported() {
    let disk = SimDisk::new(1);
    let (database, _) = open_with(&disk, never_syncing()).unwrap();
    put_all(&database, 1..=5);
    drop(database);
    // Half of the last record.
    let segment = &segments(&disk)[0];
    let bytes = disk.read(segment).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() as u64;
    disk.flip_bit(segment, end, 0);
    let reader = read(&disk);
    assert!(reader.view().tx() < TxId(5));
    let (database, report) = open(&disk);
    let torn = report.torn.expect("it was cut");
    assert!(torn.bytes_cut > 0);
    assert_eq!(notes(&database.view()), expected(1..=4));
    put(&database, 5);
    drop(database);
    let (database, report) = open(&disk);
    assert_eq!(report.torn, None);
    assert_eq!(notes(&database.view()), expected(1..=5));
}

#[test]
fn reading_writes_nothing_and_takes_no_lock() {
    let disk = SimDisk::new(1);
    let (database, _) = open_with(&disk, small_segments()).unwrap();
    put_all(&database, 1..=10);
    database.snapshot().unwrap();
    put_all(&database, 11..=15);
    // Beside a live writer.
    let first = usize::try_from(disk.call_count()).unwrap();
    let reader = read(&disk);
    assert_eq!(notes(&reader.view()), expected(1..=15));
    let mut records = reader.records(TxId(0)).unwrap();
    let mut count = 0;
    while records.next_record().unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, 16);
    reader.info().unwrap();
    reader.digest().unwrap();
    for call in &disk.calls()[first..] {
        let reads = matches!(
            call.operation,
            Operation::List | Operation::Open | Operation::Len | Operation::Read | Operation::Map
        );
        assert!(reads, "{call:?}");
    }
    put_all(&database, 16..=40);
    assert_eq!(
        notes(&reader.view()),
        expected(1..=15),
        "what was opened does not move"
    );
    assert_eq!(notes(&read(&disk).view()), expected(1..=40));
}

#[test]
fn a_reader_survives_a_writer_that_prunes() {
    let disk = sample();
    let (database, _) = open_with(&disk, small_segments()).unwrap();
    let reader = read(&disk);
    let mut records = reader.records(TxId(0)).unwrap();
    database.prune().unwrap();
    assert_eq!(notes(&reader.view()), expected(1..=20));
    let gone = records.next_record();
    assert!(
        matches!(
            gone,
            Ok(Some(_)) | Err(Error::Log(commitlog::Error::Pruned { .. }))
        ),
        "{gone:?}"
    );
    assert_eq!(notes(&read(&disk).view()), expected(1..=20));
}

#[test]
fn unproven_records_are_shown_only_on_request() {
    let disk = SimDisk::new(1);
    let (database, _) = open_with(&disk, never_syncing()).unwrap();
    put_all(&database, 1..=3);
    assert_eq!(read(&disk).view().tx(), TxId(0));
    let unproven = ReadOptions {
        unproven: true,
        ..ReadOptions::default()
    };
    assert_eq!(
        notes(&read_with(&disk, &unproven).unwrap().0.view()),
        expected(1..=3)
    );
    // A torn tail is "not yet" to a reader.
    let segment = &segments(&disk)[0];
    let bytes = disk.read(segment).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() as u64;
    disk.flip_bit(segment, end, 0);
    assert_eq!(
        notes(&read_with(&disk, &unproven).unwrap().0.view()),
        expected(1..=2)
    );
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

#[test]
fn a_segment_without_its_genesis_is_damage_and_left_alone() {
    let disk = SimDisk::new(1);
    disk.record();
    open(&disk);
    // Cut off right after the rename of the first segment: the genesis is the commit point.
    let rename = disk
        .calls()
        .iter()
        .find(|call| call.operation == Operation::Rename)
        .unwrap()
        .number;
    let killed = disk.state_before(rename + 1);
    assert!(!killed.files().contains(&"identity".to_owned()));
    assert_eq!(notes(&read(&killed).view()), expected([]));
    assert_eq!(open(&killed.fork()).1.row, 23);
    // Then the genesis goes, and with it all that proved it.
    let segment = &segments(&killed)[0];
    killed.flip_bit(segment, 12_288 + 100, 0);
    check_refused(&killed, |error| error.class() == ErrorClass::Damage);
    for mark_sector in [8, 16] {
        killed.zero_sector(segment, mark_sector);
    }
    check_refused(&killed, |error| matches!(error, Error::NoGenesis { .. }));
}
