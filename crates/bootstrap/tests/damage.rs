//! Bytes that are not those that were written, and what opening says of them.
#![allow(clippy::unwrap_used)]

#[path = "fixture/fixture.rs"]
mod fixture;
#[path = "../../schema/tests/support/raw.rs"]
mod raw;

use bootstrap::{Error, ErrorClass, IdentityFlaw, Origin, ReadOptions, Rejection, TxId};
use commitlog::Log;
use disk::{Operation, SimDisk};
use fixture::*;
use raw::{Raw, RawTable};
use schema::NewTable;
use table::{ColumnType, Value};

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
fn a_damaged_snapshot_means_an_older_one_and_a_longer_replay() {
    // Of the newest, in the header, in a place that the header does not tell, and in the manifest; then of both.
    let disk = sample();
    let of = |tx: &str| -> Vec<String> {
        let paths = disk.files().into_iter();
        paths
            .filter(|path| path.starts_with("snapshots/") && path.contains(tx))
            .collect()
    };
    let (newest, oldest) = (of("00015"), of("00010"));
    let ([path], [oldest]) = (&newest[..], &oldest[..]) else {
        panic!("one file each: {newest:?}, {oldest:?}");
    };
    let length = disk.read(path).unwrap().len() as u64;
    for place in [30, length / 2, length - 1] {
        let disk = disk.fork();
        disk.flip_bit(path, place, 0);
        for loading_by_reader in [false, true] {
            let (view, report) = if loading_by_reader {
                let (database, report) = read_with(&disk, &ReadOptions::default()).unwrap();
                (database.view(), report)
            } else {
                let (database, report) = open_with(&disk, small_segments()).unwrap();
                (database.view(), report)
            };
            assert_eq!(report.origin, Origin::Snapshot { tx: TxId(10) }, "{place}");
            assert_eq!(report.records_replayed, 10);
            let rejected = &report.snapshots_rejected;
            assert!(
                matches!(rejected[..], [ref it] if it.tx == TxId(15)),
                "{rejected:?}"
            );
            assert!(matches!(rejected[0].reason, Rejection::Unreadable(_)));
            assert_eq!(notes(&view), expected(1..=20));
        }
        disk.flip_bit(oldest, 30, 0);
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
    let paths = paths_in(&disk, "log/", "").into_iter();
    assert_eq!(
        paths.filter(|path| path.contains(".log.aside-")).count(),
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

/// Records that are given up must never be taken for those that come after.
#[test]
fn a_restore_raises_the_epoch() {
    let disk = sample();
    let mut epoch = 0;
    for id in 601..603 {
        let newest = segments(&disk).pop().unwrap();
        disk.flip_bit(&newest, 3, 0);
        let (database, report) = open_with(&disk, restoring()).unwrap();
        assert!(matches!(report.origin, Origin::Restored { .. }));
        let before = std::mem::replace(&mut epoch, database.info().unwrap().log.epoch);
        assert!(epoch > before, "{epoch} after {before}");
        put(&database, id);
        database.close().unwrap();
    }
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
    check_refused(&killed, |error| error.class() == ErrorClass::Damage);
}

#[test]
fn a_snapshot_of_an_impossible_transaction_is_rejected() {
    let disk = sample();
    let mut snapshots = disk.root().open_dir("snapshots").unwrap();
    for tx in [1 << 62, u64::MAX - 1, u64::MAX] {
        let header = snapshot::Header {
            log_id: ID.0,
            tx,
            chain: 1,
            minimum_reader: 0,
            metadata: Vec::new(),
        };
        let options = snapshot::Options {
            nonce: Some(tx),
            ..snapshot::Options::default()
        };
        let directory = snapshot::Snapshots::open(snapshots, options).unwrap();
        let go_on = &mut |_| std::ops::ControlFlow::Continue(());
        directory.write(&header, &mut [], go_on).unwrap();
        snapshots = disk.root().open_dir("snapshots").unwrap();
    }
    let (database, report) = open_with(&disk, small_segments()).unwrap();
    assert_eq!(report.origin, Origin::Snapshot { tx: TxId(15) });
    assert_eq!(report.snapshots_rejected.len(), 3);
    assert!(
        report
            .snapshots_rejected
            .iter()
            .all(|it| matches!(it.reason, Rejection::Misnumbered))
    );
    database.snapshot().unwrap();
    database.prune().unwrap();
    drop(database);
    delete_all(&disk, "log/");
    check_restored(&disk, 20);
}

/// The damage is in a segment that only the replay reads; the end of the log is torn, which an open that went on would cut.
#[test]
fn an_open_that_damage_refuses_has_changed_nothing() {
    let disk = SimDisk::new(1);
    let (database, _) = open_with(&disk, small_segments()).unwrap();
    put_all(&database, 0..80);
    drop(database);
    let segments = segments(&disk);
    assert!(segments.len() > 3);
    disk.flip_bit(&segments[1], 12_288 + 40, 0);
    let newest = segments.last().unwrap();
    let mut bytes = disk.read(newest).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 64;
    bytes.resize(bytes.len().max(end + 8), 0);
    bytes[end] = 7;
    disk.write(newest, &bytes);
    check_refused(&disk, |error| error.class() == ErrorClass::Damage);
}

/// A record that is whole and takes away what foreign keys are read from: a snapshot taken behind it could not be opened.
#[test]
fn a_record_that_takes_a_column_of_a_system_table_is_named_and_all_before_it_stays() {
    let disk = SimDisk::new(1);
    let (database, _) = open(&disk);
    put_all(&database, 0..4);
    let replies = NewTable::new("replies")
        .column("to", ColumnType::U64)
        .foreign_key(&["to"], "notes", &["id"]);
    let (_, committed) = database
        .write(|tx| {
            tx.create_table(&replies)?;
            tx.drop_not_null("replies", "to")
        })
        .unwrap();
    let state = database.view().state().clone();
    database.close().unwrap();

    let marks = state.marks();
    let columns = RawTable::of(&state, "st_column");
    let gone = Raw::with_marks(marks.minimum_reader, marks.minimum_writer)
        .delete(&columns, &[vec![Value::U32(4), Value::U32(35)]])
        .finish();
    let (log, _) = Log::open(
        disk.root().open_dir("log").unwrap(),
        commitlog::Options::default(),
        &[],
    )
    .unwrap();
    log.commit(&gone, None).unwrap();
    log.close().unwrap();

    check_refused(&disk, |error| {
        let text = error.to_string();
        assert!(text.starts_with("transaction 6 in "), "{text}");
        let why = "row (4, 35) of st_column contradicts the catalog: the system table lacks its column target_index_id, a u32";
        assert!(text.ends_with(why), "{text}");
        error.class() == ErrorClass::Damage
    });
    let before = ReadOptions {
        at: committed.tx,
        ..ReadOptions::default()
    };
    let (before, _) = read_with(&disk, &before).unwrap();
    assert_eq!(before.digest().unwrap(), state.digest().unwrap());
    assert_eq!(notes(&before.view()), expected(0..4));
}
