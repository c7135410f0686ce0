//! Backups: databases that cover a stretch of another's history.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

#[path = "fixture/fixture.rs"]
mod fixture;
#[path = "fixture/watched.rs"]
mod watched;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use bootstrap::{
    BackupProgress, BackupSummary, Database, Error, ErrorClass, Options, ReadOnlyDatabase,
    ReadOptions, TxId,
};
use disk::{Choice, Crash, Fault, Operation, OsDir, SimDisk};
use fixture::*;
use watched::watched;

fn go_on(_: BackupProgress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn backup(database: &Database, to: &SimDisk) -> BackupSummary {
    database.backup(&to.root(), &go_on).unwrap()
}

/// The state of a database after each of some transactions.
fn digest_at(disk: &SimDisk, at: u64) -> Result<[u8; 32], Error> {
    let options = ReadOptions {
        at: Some(TxId(at)),
        ..ReadOptions::default()
    };
    read_with(disk, &options)?.0.digest()
}

#[test]
fn a_backup_covers_each_state_from_the_first_to_the_last() {
    let (disk, to) = (SimDisk::new(1), SimDisk::new(2));
    let (database, _) = open_with(&disk, small_segments()).unwrap();
    put_all(&database, 1..=10);
    let first = backup(&database, &to);
    assert_eq!((first.tx, first.records), (TxId(10), 0));
    put_all(&database, 11..=30);
    let second = backup(&database, &to);
    assert_eq!((second.tx, second.records), (TxId(30), 20));
    // Nothing to do.
    let third = backup(&database, &to);
    assert_eq!((third.tx, third.records), (TxId(30), 0));
    assert!(third.snapshot.already_there);
    put_all(&database, 31..=35);
    backup(&database, &to);
    for tx in 0..=36 {
        match digest_at(&to, tx) {
            Ok(digest) => assert_eq!(digest, digest_at(&disk, tx).unwrap(), "{tx}"),
            Err(error) => {
                assert!(!(10..=35).contains(&tx), "{tx}: {error}");
                assert!(matches!(error, Error::OutsideRange { .. }), "{error}");
            }
        }
    }
    // It is a database like any other.
    let (copy, report) = open_with(&to, small_segments()).unwrap();
    assert!(report.was_closed);
    assert_eq!(copy.id(), database.id());
    assert_eq!(notes(&copy.view()), expected(1..=35));
    put(&copy, 100);
    drop(copy);
    // And now holds something that the other does not.
    put_all(&database, 36..=40);
    let refused = database.backup(&to.root(), &go_on);
    assert!(
        matches!(refused, Err(Error::ForeignBackup { .. })),
        "{refused:?}"
    );
}

#[test]
fn a_backup_is_made_while_commits_go_on() {
    let (disk, to) = (SimDisk::new(1), SimDisk::new(2));
    let (database, _) = open_with(&disk, small_segments()).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| put_all(&database, 0..300));
        for _ in 0..6 {
            let summary = backup(&database, &to);
            let digest = digest_at(&to, summary.tx.0).unwrap();
            assert_eq!(digest, digest_at(&disk, summary.tx.0).unwrap());
        }
    });
}

#[test]
fn a_backup_beside_a_writer_and_a_restore_are_copies_of_what_is_read() {
    let (disk, to, restored) = (SimDisk::new(1), SimDisk::new(2), SimDisk::new(3));
    let (database, _) = open_with(&disk, small_segments()).unwrap();
    put_all(&database, 1..=10);
    let reader = read(&disk);
    assert_eq!(reader.backup(&to.root(), &go_on).unwrap().tx, TxId(10));
    put_all(&database, 11..=20);
    read(&disk).backup(&to.root(), &go_on).unwrap();
    let at = ReadOptions {
        at: Some(TxId(15)),
        ..ReadOptions::default()
    };
    let (reader, _) = ReadOnlyDatabase::open(to.root(), &at).unwrap();
    let summary = reader.backup(&restored.root(), &go_on).unwrap();
    assert_eq!(summary.tx, TxId(15));
    let (database, _) = open_with(&restored, small_segments()).unwrap();
    assert_eq!(notes(&database.view()), expected(1..=15));
    assert_eq!(put(&database, 99), TxId(16));
}

#[test]
fn what_is_no_backup_of_this_database_is_left_alone() {
    let disk = SimDisk::new(1);
    let (database, _) = open_with(&disk, small_segments()).unwrap();
    put_all(&database, 1..=5);
    let other_id = || {
        let disk = SimDisk::new(2);
        let options = Options {
            database_id: Some(bootstrap::DatabaseId([9; 16])),
            ..options()
        };
        drop(open_with(&disk, options).unwrap());
        disk
    };
    let diverged = || {
        let disk = SimDisk::new(4);
        let (diverged, _) = open_with(&disk, small_segments()).unwrap();
        put_all(&diverged, 7..=14);
        diverged.close().unwrap();
        disk
    };
    // And one that lacks the identity, and was not closed.
    let cut_off = || {
        let disk = SimDisk::new(5);
        let (diverged, _) = open_with(&disk, small_segments()).unwrap();
        put_all(&diverged, 7..=8);
        drop(diverged);
        disk.delete("identity");
        disk
    };
    for to in [other_id(), diverged(), cut_off()] {
        let before = files(&to);
        let refused = database.backup(&to.root(), &go_on);
        assert!(
            matches!(refused, Err(Error::ForeignBackup { .. })),
            "{refused:?}"
        );
        assert_eq!(files(&to), before);
    }
}

/// Each begins before the other has ended.
#[test]
fn of_two_backups_at_a_time_the_second_goes_on_behind_the_first() {
    let (disk, to) = (SimDisk::new(1), SimDisk::new(2));
    let (database, _) = open_with(&disk, small_segments()).unwrap();
    put_all(&database, 1..=5);
    backup(&database, &to);
    let reader = read(&disk);
    put(&database, 6);
    let database = Arc::new(database);
    let (inside, first, is_first) = (Arc::clone(&database), to.clone(), AtomicBool::new(true));
    let watch = move |operation| {
        if operation == Operation::Lock && is_first.swap(false, Ordering::Relaxed) {
            put_all(&inside, 7..=9);
            assert_eq!(backup(&inside, &first).tx, TxId(9));
        }
    };
    let second = database.backup(&watched(to.root(), Arc::new(watch)), &go_on);
    assert_eq!(second.unwrap().tx, TxId(9));
    assert_eq!(digest_at(&to, 9).unwrap(), database.digest().unwrap());
    // A state that was read before is older, and says so.
    let before = files(&to);
    let ahead = reader.backup(&to.root(), &go_on);
    assert!(
        matches!(
            ahead,
            Err(Error::BackupAhead {
                tx: TxId(5),
                last: TxId(9),
                ..
            })
        ),
        "{ahead:?}"
    );
    assert_eq!(files(&to), before);
}

#[test]
fn a_disk_that_fails_is_no_verdict_about_a_backup() {
    let disk = SimDisk::new(1);
    let (database, _) = open_with(&disk, small_segments()).unwrap();
    put_all(&database, 1..=5);
    let to = SimDisk::new(2);
    backup(&database, &to);
    put_all(&database, 6..=7);
    for nth in 0.. {
        let to = to.fork();
        let call = to.call_count() + nth;
        to.fail_at(call, Fault::Eio);
        match database.backup(&to.root(), &go_on) {
            Ok(_) if to.call_count() <= call => break,
            Ok(_) => {}
            Err(error) => assert_eq!(error.class(), ErrorClass::World, "call {call}: {error}"),
        }
        to.clear_faults();
        assert_eq!(backup(&database, &to).tx, TxId(7), "call {call}");
        assert_eq!(notes(&read(&to).view()), expected(1..=7));
    }
}

#[test]
fn a_damaged_identity_of_a_backup_is_named() {
    let (disk, to) = (SimDisk::new(1), SimDisk::new(2));
    let (database, _) = open_with(&disk, small_segments()).unwrap();
    put(&database, 1);
    backup(&database, &to);
    put(&database, 2);
    to.flip_bit("identity", 9, 3);
    let before = files(&to);
    let refused = database.backup(&to.root(), &go_on);
    match refused {
        Err(Error::IdentityDamaged { file, .. }) => assert!(file.ends_with("identity")),
        other => panic!("{other:?}"),
    }
    assert_eq!(files(&to), before);
    // What the message says.
    to.delete("identity");
    assert_eq!(backup(&database, &to).tx, TxId(2));
    assert!(to.files().contains(&"identity".to_owned()));
}

#[test]
fn what_is_not_proven_to_be_durable_is_not_backed_up() {
    let (disk, to) = (SimDisk::new(1), SimDisk::new(2));
    let (database, _) = open_with(&disk, never_syncing()).unwrap();
    put_all(&database, 1..=10);
    database.wait_durable(TxId(10)).unwrap();
    put_all(&database, 11..=20);
    let unproven = ReadOptions {
        unproven: true,
        ..ReadOptions::default()
    };
    let (reader, _) = read_with(&disk, &unproven).unwrap();
    assert_eq!(reader.view().tx(), TxId(20));
    let refused = reader.backup(&to.root(), &go_on);
    assert!(
        matches!(refused, Err(Error::Unproven { tx: TxId(20) })),
        "{refused:?}"
    );
    assert!(files(&to).is_empty());
    let summary = read(&disk).backup(&to.root(), &go_on);
    assert_eq!(summary.unwrap().tx, TxId(10));
}

#[test]
fn a_backup_whose_next_transaction_is_pruned_can_not_go_on() {
    let (disk, to) = (SimDisk::new(1), SimDisk::new(2));
    let (database, _) = open_with(&disk, small_segments()).unwrap();
    put_all(&database, 1..=10);
    backup(&database, &to);
    for round in 0..3 {
        put_all(&database, 100 + round * 50..130 + round * 50);
        database.snapshot().unwrap();
    }
    assert!(database.prune().unwrap().base > TxId(11));
    let refused = database.backup(&to.root(), &go_on);
    assert!(
        matches!(refused, Err(Error::Log(commitlog::Error::Pruned { .. }))),
        "{refused:?}"
    );
    assert_eq!(notes(&read(&to).view()), expected(1..=10));
}

/// A power cut at each call, of the first backup and of the second: what was covered is, and the next attempt goes on.
#[test]
fn a_crash_at_every_call_leaves_what_was_covered() {
    let disk = SimDisk::new(1);
    let (database, _) = open_with(&disk, small_segments()).unwrap();
    put_all(&database, 1..=10);
    let mut covered = None;
    let mut to = SimDisk::new(2);
    for last in [10, 14] {
        put_all(&database, 11..=last);
        let whole = to.fork();
        let begun = whole.call_count();
        whole.record();
        let summary = database.backup(&whole.root(), &go_on).unwrap();
        assert_eq!(summary.tx, TxId(last));
        let calls = whole.call_count();
        for call in begun..calls {
            for choice in [Choice::Old, Choice::New, Choice::Drawn] {
                let cut = whole.state_before(call);
                cut.crash(Crash::Power(choice));
                match read_with(&cut, &ReadOptions::default()) {
                    Ok((reader, _)) => {
                        let tx = reader.view().tx().0;
                        assert!(Some(tx) >= covered && tx <= last, "{tx} at call {call}");
                        assert_eq!(reader.digest().unwrap(), digest_at(&disk, tx).unwrap());
                    }
                    Err(error) => assert_eq!(covered, None, "call {call}: {error}"),
                }
                let again = database.backup(&cut.root(), &go_on);
                assert_eq!(again.unwrap().tx, TxId(last), "call {call}");
                assert_eq!(notes(&read(&cut).view()), expected(1..=last));
            }
        }
        covered = Some(last);
        to = whole;
    }
}

#[test]
fn a_backup_that_is_given_up_is_gone_on_with() {
    let (disk, to) = (SimDisk::new(1), SimDisk::new(2));
    let (database, _) = open_with(&disk, small_segments()).unwrap();
    put_all(&database, 1..=10);
    backup(&database, &to);
    put_all(&database, 11..=20);
    for stop_at in 0..3 {
        let calls = std::cell::Cell::new(0);
        let stop = |_| {
            calls.set(calls.get() + 1);
            match calls.get() > stop_at {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        let given_up = database.backup(&to.root(), &stop);
        assert!(
            matches!(given_up, Err(Error::Snapshot(snapshot::Error::Cancelled))),
            "{given_up:?}"
        );
        assert!(read(&to).view().tx() >= TxId(10));
    }
    assert_eq!(backup(&database, &to).tx, TxId(20));
    assert_eq!(notes(&read(&to).view()), expected(1..=20));
}

#[cfg(unix)]
#[test]
fn a_database_is_not_backed_up_into_itself() {
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| root.path().join(name);
    let dir = || OsDir::open(path("db")).unwrap();
    OsDir::create(path("db")).unwrap();
    let (database, _) = Database::open(dir(), options(), initialise).unwrap();
    put(&database, 1);
    database.snapshot().unwrap();
    let check = |reader: Option<&ReadOnlyDatabase>, to: &str, is_refused: bool| {
        let dir = OsDir::create(path(to)).unwrap();
        let done = match reader {
            Some(reader) => reader.backup(&dir, &go_on),
            None => database.backup(&dir, &go_on),
        };
        match done {
            Err(Error::BackupInside { path }) => assert!(is_refused && path == dir.path()),
            done => assert!(!is_refused && done.unwrap().tx == TxId(1), "{to}"),
        }
    };
    let (reader, _) = ReadOnlyDatabase::open(dir(), &ReadOptions::default()).unwrap();
    for reader in [None, Some(&reader)] {
        for inside in ["db", "db/../db/.", "db/snapshots", "db/log", "db/log/in/it"] {
            check(reader, inside, true);
        }
        for apart in ["copy", "db/copy", "db copy"] {
            check(reader, apart, false);
        }
    }
    std::os::unix::fs::symlink(path("db"), path("link")).unwrap();
    check(Some(&reader), "link", true);
    drop(database);
    let (reader, _) = ReadOnlyDatabase::open(dir(), &ReadOptions::default()).unwrap();
    let refused = reader.backup(&dir(), &go_on);
    assert!(matches!(refused, Err(Error::BackupInside { .. })));
}
