//! Snapshots and pruning, by hand and by policy, and the digest that they must not change.
#![allow(clippy::unwrap_used)]

#[path = "fixture/fixture.rs"]
mod fixture;

use std::collections::BTreeMap;
use std::thread;

use bootstrap::{
    Database, Error, ErrorClass, Maintenance, OpenError, Options, Origin, ReadOptions,
    SnapshotLoading, SnapshotPolicy, TxId,
};
use disk::{Fault, SimDisk};
use fixture::*;
use schema::WriteTransaction;
use table::Value;

#[test]
fn snapshots_are_written_while_commits_go_on() {
    let disk = SimDisk::new(1);
    let (database, _) = open_with(&disk, small_segments()).unwrap();
    put_all(&database, 0..100);
    thread::scope(|scope| {
        scope.spawn(|| put_all(&database, 100..300));
        scope.spawn(|| (0..5).for_each(|_| drop(database.snapshot().unwrap())));
    });
    let digest = database.digest().unwrap();
    assert_eq!(notes(&database.view()), expected(0..300));
    drop(database);
    let (database, report) = open(&disk);
    assert!(matches!(report.origin, Origin::Snapshot { .. }));
    assert_eq!(database.digest().unwrap(), digest);
    let from_log = ReadOptions {
        ignore_snapshots: true,
        ..ReadOptions::default()
    };
    assert_eq!(
        read_with(&disk, &from_log).unwrap().0.digest().unwrap(),
        digest
    );
}

#[test]
fn the_digest_is_the_same_live_replayed_and_from_each_snapshot() {
    for loading in [SnapshotLoading::Checked, SnapshotLoading::Mapped] {
        let disk = SimDisk::new(1);
        let open_options = || Options {
            loading,
            ..small_segments()
        };
        let (database, _) = open_with(&disk, open_options()).unwrap();
        let mut digests = vec![database.digest().unwrap()];
        for id in 1..=30 {
            put(&database, id);
            if id % 10 == 0 {
                assert_eq!(database.snapshot().unwrap().tx, database.view().tx());
            }
            if id % 7 == 0 {
                // Rows go and change, too.
                digests.push(database.digest().unwrap());
                let delete = |tx: &mut WriteTransaction| tx.delete("notes", &[Value::from(id)]);
                database.write(delete).unwrap();
                digests.push(database.digest().unwrap());
                put(&database, id);
            }
            digests.push(database.digest().unwrap());
        }
        let last = database.view().tx();
        drop(database);
        let (database, report) = open_with(&disk, open_options()).unwrap();
        assert!(
            matches!(report.origin, Origin::Snapshot { .. }),
            "{report:?}"
        );
        assert_eq!(Some(&database.digest().unwrap()), digests.last());
        // Each older state, from the log alone and from the nearest snapshot.
        for ignore_snapshots in [false, true] {
            for (tx, digest) in digests.iter().enumerate() {
                let at = Some(TxId(tx as u64));
                let read_options = ReadOptions {
                    at,
                    ignore_snapshots,
                    loading,
                    ..ReadOptions::default()
                };
                let (older, report) = read_with(&disk, &read_options).unwrap();
                assert_eq!(Some(older.view().tx()), at);
                assert_eq!(older.digest().unwrap(), *digest, "at {tx}");
                if ignore_snapshots {
                    assert_eq!(report.origin, Origin::Genesis);
                }
            }
        }
        assert_eq!(last.0 + 1, digests.len() as u64);
        // A state that was loaded can be written to.
        put_all(&database, 100..120);
        assert_eq!(notes(&database.view()).len(), 50);
    }
}

#[test]
fn pruning_needs_two_good_snapshots_and_keeps_what_they_need() {
    let disk = SimDisk::new(1);
    let (database, _) = open_with(&disk, small_segments()).unwrap();
    put_all(&database, 1..=100);
    assert_eq!(database.prune().unwrap().floor, None);
    database.snapshot().unwrap();
    assert_eq!(
        database.prune().unwrap().floor,
        None,
        "one snapshot is not enough"
    );
    put_all(&database, 101..=200);
    database.snapshot().unwrap();
    put_all(&database, 201..=210);
    let pruned = database.prune().unwrap();
    assert_eq!(pruned.floor, Some(TxId(100)));
    assert_eq!(
        pruned.base,
        TxId(101),
        "everything before the older snapshot's successor is gone"
    );
    assert!(pruned.segments_removed > 0);
    let digest = database.digest().unwrap();
    drop(database);

    // Either snapshot is enough.
    for lost in [None, Some("200"), Some("100")] {
        let disk = disk.fork();
        if let Some(lost) = lost {
            let of_lost = |path: &String| path.starts_with("snapshots/") && path.contains(lost);
            disk.files()
                .into_iter()
                .filter(of_lost)
                .for_each(|path| disk.delete(path));
        }
        let (database, report) = open_with(&disk, small_segments()).unwrap();
        let tx = TxId(if lost == Some("200") { 100 } else { 200 });
        assert_eq!((report.row, report.origin), (22, Origin::Snapshot { tx }));
        assert_eq!(database.digest().unwrap(), digest);
    }
    let at = |tx| ReadOptions {
        at: Some(TxId(tx)),
        ..ReadOptions::default()
    };
    assert_eq!(
        notes(&read_with(&disk, &at(150)).unwrap().0.view()),
        expected(1..=150)
    );
    match read_with(&disk, &at(99)) {
        Err(Error::OutsideRange { at, first, last }) => {
            assert_eq!((at, first, last), (TxId(99), TxId(100), TxId(210)));
        }
        other => panic!("expected the range, got {other:?}"),
    }
    assert!(matches!(
        read_with(&disk, &at(211)),
        Err(Error::OutsideRange { .. })
    ));
}

/// As much as the policy asks for is left to whoever reads on in the log, and nothing that snapshots need goes for it.
#[test]
fn a_prune_leaves_a_window_of_the_log() {
    const SEGMENT_BYTES: u64 = 16 * 1024;
    let log_bytes = |database: &Database| -> u64 {
        let segments = database.info().unwrap().log.segments;
        segments.iter().map(|segment| segment.bytes).sum()
    };
    let pruned = |keep_log_bytes| {
        let disk = SimDisk::new(1);
        let options = Options {
            snapshots: SnapshotPolicy {
                keep_log_bytes,
                ..SnapshotPolicy::by_hand()
            },
            ..small_segments()
        };
        let (database, _) = open_with(&disk, options).unwrap();
        for first in [1, 501, 1001] {
            put_all(&database, first..first + 500);
            database.snapshot().unwrap();
        }
        let before = log_bytes(&database);
        let pruned = database.prune().unwrap();
        let left = log_bytes(&database);
        assert_eq!(pruned.floor, Some(TxId(1000)));
        drop(database);
        let (database, _) = open_with(&disk, small_segments()).unwrap();
        assert_eq!(notes(&database.view()), expected(1..=1500));
        (before, left, pruned.base)
    };
    let (before, least, base) = pruned(0);
    assert_eq!(base, TxId(1001));
    for window in [least / 2, least + 2 * SEGMENT_BYTES, before - 1, before] {
        let (_, left, base) = pruned(window);
        assert!(base <= TxId(1001), "{window}: {base}");
        assert!(left <= least.max(window), "{window}: {left} bytes left");
        assert!(
            left + SEGMENT_BYTES > window.max(least),
            "{window}: {left} bytes left"
        );
    }
    assert_eq!(pruned(before).1, before);
}

/// Cut off anywhere, a prune leaves no record in the log that no state can be rebuilt from any more.
#[test]
fn a_prune_cuts_the_log_before_it_lets_snapshots_go() {
    let keeping = |keep| Options {
        snapshots: SnapshotPolicy {
            keep,
            ..SnapshotPolicy::by_hand()
        },
        ..options()
    };
    let disk = SimDisk::new(1);
    let (database, _) = open_with(&disk, keeping(3)).unwrap();
    for first in [1, 6, 11] {
        put_all(&database, first..first + 5);
        database.snapshot().unwrap();
    }
    put_all(&database, 16..=20);
    let pruned = database.prune().unwrap();
    assert_eq!((pruned.floor, pruned.base), (Some(TxId(5)), TxId(6)));
    drop(database);

    let (database, _) = open_with(&disk, keeping(2)).unwrap();
    let first = disk.call_count();
    disk.record();
    let pruned = database.prune().unwrap();
    assert_eq!((pruned.floor, pruned.base), (Some(TxId(10)), TxId(11)));
    assert_eq!(pruned.snapshots_removed, [TxId(5)]);
    for call in first..=disk.call_count() {
        let killed = disk.state_before(call);
        let cuts = killed.power_cuts(4, call);
        for left in std::iter::once(killed).chain(cuts) {
            let base = read(&left).info().unwrap().log.base;
            let at = ReadOptions {
                at: Some(base),
                ..ReadOptions::default()
            };
            match read_with(&left, &at) {
                Ok((database, _)) => {
                    assert_eq!(notes(&database.view()), expected(1..=base.0), "call {call}");
                }
                Err(error) => panic!("call {call}, transaction {base}: {error}"),
            }
        }
    }
}

/// A removal that never became durable comes undone: an old segment, a gap, the rest of the log.
#[test]
fn a_segment_whose_removal_came_undone_is_no_part_of_the_log_and_is_removed() {
    let disk = SimDisk::new(1);
    let (database, _) = open(&disk);
    for first in [1, 6, 11] {
        put_all(&database, first..first + 5);
        database.snapshot().unwrap();
    }
    put_all(&database, 16..=20);
    let first = segments(&disk)[0].clone();
    let bytes = disk.read(&first).unwrap();
    assert_eq!(database.prune().unwrap().segments_removed, 2);
    let kept = database.info().unwrap().log.segments.len();
    database.close().unwrap();
    disk.write(&first, &bytes);
    let (database, report) = read_with(&disk, &ReadOptions::default()).unwrap();
    assert_eq!(report.leftovers_removed, 0);
    assert_eq!(notes(&database.view()), expected(1..=20));
    assert_eq!(database.info().unwrap().log.segments.len(), kept);
    assert!(segments(&disk).contains(&first));

    let (database, report) = open_with(&disk, small_segments()).unwrap();
    assert_eq!(report.leftovers_removed, 1);
    let told = "removed 1 segments that the log had given up before";
    assert!(report.to_string().contains(told), "{report}");
    assert!(!segments(&disk).contains(&first));
    assert_eq!(notes(&database.view()), expected(1..=20));
    database.close().unwrap();
    let (_, report) = open_with(&disk, small_segments()).unwrap();
    assert_eq!(report.leftovers_removed, 0);
    assert!(report.was_closed);
}

/// The newest snapshot holds all that any of them held.
#[test]
fn a_lost_segment_is_damage_though_a_snapshot_holds_what_it_held() {
    let disk = SimDisk::new(1);
    let (database, _) = open(&disk);
    for first in [1, 6, 11] {
        put_all(&database, first..first + 5);
        database.snapshot().unwrap();
    }
    database.close().unwrap();
    let names = segments(&disk);
    assert!(names.len() > 3);
    for lost in &names[1..] {
        let disk = disk.fork();
        disk.delete(lost);
        let before = disk.digest();
        let read = read_with(&disk, &ReadOptions::default()).map(drop);
        assert_eq!(disk.digest(), before);
        assert_eq!(read.unwrap_err().class(), ErrorClass::Damage, "{lost}");
        let Err(OpenError::Database(error)) = open_with(&disk, small_segments()) else {
            panic!("{lost} is lost");
        };
        assert_eq!(error.class(), ErrorClass::Damage, "{lost}");
        assert!(!disk.files().contains(lost));
    }
}

/// Three segments with five notes each, and a fourth one; snapshots at the ends of the second and third.
fn two_snapshots() -> (SimDisk, Vec<String>) {
    let disk = SimDisk::new(1);
    let (database, _) = open(&disk);
    put_all(&database, 1..=5);
    database.snapshot().unwrap();
    put_all(&database, 6..=10);
    database.snapshot().unwrap();
    put_all(&database, 11..=15);
    database.snapshot().unwrap();
    put_all(&database, 16..=20);
    database.close().unwrap();
    let names = segments(&disk);
    assert_eq!(names.len(), 4);
    (disk, names)
}

#[test]
fn a_lost_first_segment_is_told_and_the_database_whole_where_a_snapshot_holds_what_it_held() {
    let (start, names) = two_snapshots();
    for (lost, transactions) in [(2, TxId(0)..TxId(11)), (3, TxId(0)..TxId(16))] {
        let disk = start.fork();
        for name in &names[..lost] {
            disk.delete(name);
        }
        let told = format!(
            "transactions 0 to {} are lost",
            transactions.end.previous().unwrap()
        );
        let (database, report) = read_with(&disk, &ReadOptions::default()).unwrap();
        assert_eq!(report.segments_lost, Some(transactions.clone()));
        assert_eq!(notes(&database.view()), expected(1..=20));
        let log_only = ReadOptions {
            ignore_snapshots: true,
            ..ReadOptions::default()
        };
        let error = read_with(&disk, &log_only).map(drop).unwrap_err();
        assert_eq!(error.class(), ErrorClass::Damage);
        for last in [20, 21] {
            let (database, report) = open_with(&disk, small_segments()).unwrap();
            assert_eq!(report.segments_lost, Some(transactions.clone()));
            assert!(report.to_string().contains(&told), "{report}");
            assert_eq!(notes(&database.view()), expected(1..=last));
            put(&database, last + 1);
            database.close().unwrap();
        }
        // Once the log is pruned that far, nothing is missing any more.
        let (database, _) = open_with(&disk, small_segments()).unwrap();
        for first in [23, 28] {
            put_all(&database, first..first + 5);
            database.snapshot().unwrap();
        }
        assert!(database.prune().unwrap().base > transactions.end);
        database.close().unwrap();
        let (database, report) = open_with(&disk, small_segments()).unwrap();
        assert_eq!(report.segments_lost, None);
        assert_eq!(notes(&database.view()), expected(1..=32));
    }
}

#[test]
fn a_lost_first_segment_is_damage_where_no_snapshot_holds_what_it_held() {
    let (start, names) = two_snapshots();
    let lost = || {
        let disk = start.fork();
        disk.delete(&names[0]);
        disk.delete(&names[1]);
        disk.delete(&names[2]);
        disk
    };
    let disk = lost();
    delete_all(&disk, "snapshots/");
    check_refused(&disk, |error| {
        error.to_string().contains("is missing") && error.class() == ErrorClass::Damage
    });
    // The newer snapshots look sound until they are read.
    let disk = lost();
    for path in paths_in(&disk, "snapshots/", ".pack") {
        disk.flip_bit(&path, 5000, 0);
    }
    check_refused(&disk, |error| {
        let told = "its segments with transactions 0 to 15 are lost";
        error.to_string().contains(told) && error.class() == ErrorClass::Damage
    });
    // It ends before what is lost ends.
    let disk = lost();
    for path in paths_in(&disk, "snapshots/", ".pack") {
        if path.contains("00015-") {
            disk.delete(&path);
        }
    }
    check_refused(&disk, |error| error.class() == ErrorClass::Damage);
    check_restored(&disk, 10);
}

#[test]
fn what_a_restore_moved_aside_beyond_a_lost_segment_can_be_salvaged() {
    let (disk, names) = two_snapshots();
    disk.delete(&names[2]);
    let (database, report) = open_with(&disk, restoring()).unwrap();
    assert_eq!(notes(&database.view()), expected(1..=15));
    assert!(
        report.to_string().contains("`commitlog::salvage`"),
        "{report}"
    );
    database.close().unwrap();
    // Under their old names, in a directory of their own, as the report says.
    let aside = SimDisk::new(2);
    for path in disk.files() {
        if let Some((stem, _)) = path
            .strip_prefix("log/")
            .and_then(|name| name.split_once(".log.aside-"))
        {
            aside.write(format!("{stem}.log"), &disk.read(&path).unwrap());
        }
    }
    let log_id = commitlog::LogId(*b"the salvaged one");
    let salvaged = SimDisk::new(3);
    let options = commitlog::Options::default();
    let report = commitlog::salvage(&*aside.root(), salvaged.root(), log_id, options).unwrap();
    assert_eq!(report.missing, [TxId(11)..TxId(16)]);
    assert_eq!(report.kept.last().unwrap().ids, TxId(16)..TxId(21));
}

#[test]
fn a_third_snapshot_lets_the_first_go() {
    let disk = SimDisk::new(1);
    let (database, _) = open(&disk);
    let mut removed = Vec::new();
    for id in 1..=4 {
        put(&database, id);
        removed.extend(database.snapshot().unwrap().removed);
    }
    assert_eq!(removed, [TxId(1), TxId(2)]);
    let again = database.snapshot().unwrap();
    assert!(again.already_there);
    let left: Vec<TxId> = database
        .info()
        .unwrap()
        .snapshots
        .iter()
        .map(|s| s.tx)
        .collect();
    assert_eq!(left, [TxId(4), TxId(3)]);
}

#[test]
fn a_snapshot_gone_bad_is_written_anew() {
    let disk = SimDisk::new(1);
    let (database, _) = open(&disk);
    put(&database, 1);
    database.snapshot().unwrap();
    let pack = paths_in(&disk, "snapshots/", ".pack");
    disk.flip_bit(&pack[0], 5000, 3);
    let summary = database.snapshot().unwrap();
    assert!(!summary.already_there);
    drop(database);
    let (_, report) = open(&disk);
    assert_eq!(report.origin, Origin::Snapshot { tx: TxId(1) });
}

#[test]
fn the_policy_is_carried_out_step_by_step() {
    let disk = SimDisk::new(1);
    let policy = SnapshotPolicy {
        every_records: Some(10),
        prune: true,
        ..SnapshotPolicy::by_hand()
    };
    let (database, _) = open_with(
        &disk,
        Options {
            snapshots: policy,
            ..small_segments()
        },
    )
    .unwrap();
    put_all(&database, 1..=8);
    assert!(matches!(database.maintain().unwrap(), Maintenance::Idle));
    put(&database, 9);
    // The genesis counts.
    let Maintenance::Snapshot(summary) = database.maintain().unwrap() else {
        panic!("a snapshot is due")
    };
    assert_eq!(summary.tx, TxId(9));
    let Maintenance::Prune(pruned) = database.maintain().unwrap() else {
        panic!("a prune is due")
    };
    assert_eq!(pruned.floor, None);
    assert!(matches!(database.maintain().unwrap(), Maintenance::Idle));
    put_all(&database, 10..=19);
    assert!(matches!(
        database.maintain().unwrap(),
        Maintenance::Snapshot(_)
    ));
    let Maintenance::Prune(pruned) = database.maintain().unwrap() else {
        panic!("a prune is due")
    };
    assert_eq!((pruned.floor, pruned.base), (Some(TxId(9)), TxId(10)));
    assert!(matches!(database.maintain().unwrap(), Maintenance::Idle));
}

#[test]
fn the_thread_in_the_background_does_the_same() {
    let disk = SimDisk::new(1);
    let policy = SnapshotPolicy {
        every_records: Some(10),
        ..SnapshotPolicy::by_hand()
    };
    let (database, _) = open_with(
        &disk,
        Options {
            snapshots: policy,
            background: true,
            ..options()
        },
    )
    .unwrap();
    let mut id = 0;
    while database.info().unwrap().snapshots.is_empty() {
        id += 1;
        put(&database, id);
        thread::yield_now();
    }
    let digest = database.digest().unwrap();
    database.close().unwrap();
    let (database, report) = open(&disk);
    assert!(matches!(report.origin, Origin::Snapshot { .. }));
    assert_eq!(database.digest().unwrap(), digest);
}

#[test]
fn a_read_that_fails_costs_no_snapshot() {
    let disk = pruned();
    let (database, _) = open_with(&disk, small_segments()).unwrap();
    put_all(&database, 30..32);
    database.snapshot().unwrap();
    database.close().unwrap();
    let before = paths_in(&disk, "snapshots/", ".pack");
    let mut failed = 0;
    for call in 0.. {
        let disk = disk.fork();
        let (database, _) = open_with(&disk, small_segments()).unwrap();
        disk.fail_at(disk.call_count() + call, Fault::Eio);
        let asked = disk.call_count();
        let result = database.snapshot();
        if disk.call_count() - asked <= call {
            assert!(result.unwrap().already_there);
            break;
        }
        failed += u64::from(result.is_err());
        assert_eq!(paths_in(&disk, "snapshots/", ".pack"), before, "{call}");
    }
    assert!(failed > 10, "{failed}");
}

/// A snapshot can fail without the database failing, which may then be closed.
#[test]
fn parts_of_snapshots_are_removed_by_the_next_open_also_after_a_close() {
    let parts = [
        "00000000000000000009.manifest.tmp",
        "00000000000000000009-0123456789abcdef.pack.tmp",
    ];
    let others = ["notes.txt", "9.pack.tmp"];
    for is_closed in [true, false] {
        let disk = SimDisk::new(1);
        let (database, _) = open(&disk);
        put_all(&database, 1..=3);
        database.snapshot().unwrap();
        let before = files(&disk);
        let dir = disk.root().open_dir("snapshots").unwrap();
        for name in parts.iter().chain(&others) {
            dir.create(name).unwrap();
        }
        if is_closed {
            database.close().unwrap();
        } else {
            drop(database);
        }
        let (database, report) = open(&disk);
        assert_eq!(report.was_closed, is_closed);
        let mut after = files(&disk);
        for name in others {
            assert!(after.remove(&format!("snapshots/{name}")).is_some());
        }
        let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&after), names(&before));
        database.close().unwrap();
    }
}
