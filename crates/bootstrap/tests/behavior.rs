//! What an open database does: commits, views, snapshots, and how it ends.
#![allow(clippy::unwrap_used)]

#[path = "fixture/fixture.rs"]
mod fixture;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use bootstrap::{
    Database, Error, ErrorClass, OpenError, Options, Origin, ReadOnlyDatabase, ReadOptions,
    SyncPolicy, TxId, WriteError,
};
use disk::{Choice, Crash, Fault, Operation, OsDir, SimDisk};
use fixture::*;
use schema::WriteTransaction;
use table::Value;

#[test]
fn what_was_committed_is_there_after_a_kill_and_after_a_close() {
    let disk = SimDisk::new(1);
    let (database, report) = open(&disk);
    assert_eq!(
        (report.row, report.origin, report.tx),
        (5, Origin::Created, TxId(0))
    );
    assert_eq!(put_all(&database, 1..=3), [TxId(1), TxId(2), TxId(3)]);
    let digest = database.digest().unwrap();
    disk.crash(Crash::Kill);
    drop(database);

    let (database, report) = open(&disk);
    assert_eq!(
        (report.row, report.origin, report.tx),
        (21, Origin::Genesis, TxId(3))
    );
    assert_eq!((report.records_replayed, report.was_closed), (4, false));
    assert_eq!(notes(&database.view()), expected(1..=3));
    assert_eq!(database.digest().unwrap(), digest);
    database.close().unwrap();

    let (database, report) = open(&disk);
    assert!(report.was_closed);
    assert_eq!(database.digest().unwrap(), digest);
}

#[test]
fn opening_and_closing_a_closed_database_changes_no_byte() {
    let disk = SimDisk::new(1);
    let (database, _) = open_with(&disk, small_segments()).unwrap();
    put_all(&database, 1..=40);
    database.snapshot().unwrap();
    put_all(&database, 41..=60);
    database.close().unwrap();
    let before = files(&disk);
    assert!(segments(&disk).len() > 1);
    for _ in 0..2 {
        open_with(&disk, small_segments())
            .unwrap()
            .0
            .close()
            .unwrap();
        assert_eq!(files(&disk), before);
        // Not even a crash right after the open changes anything.
        drop(open_with(&disk, small_segments()).unwrap().0);
        assert_eq!(files(&disk), before);
    }
}

#[test]
fn a_failing_initialiser_leaves_nothing_to_trip_over() {
    let disk = SimDisk::new(1);
    let failing = |tx: &mut WriteTransaction| {
        initialise(tx).unwrap();
        Err("no reason")
    };
    let failed = Database::open(disk.root(), options(), failing).map(drop);
    assert!(matches!(failed, Err(OpenError::Initialiser("no reason"))));
    assert_eq!(files(&disk).len(), 0);
    let panicking = |_: &mut WriteTransaction| -> Result<(), schema::Error> { panic!("half-way") };
    let open_and_panic = || Database::open(disk.root(), options(), panicking).map(drop);
    assert!(catch_unwind(AssertUnwindSafe(open_and_panic)).is_err());
    assert_eq!(files(&disk).len(), 0);

    let no_create = Options {
        create: false,
        ..options()
    };
    assert!(matches!(
        refusal(&disk, no_create),
        Error::NoDatabase { .. }
    ));
    let (database, report) = open(&disk);
    assert_eq!(report.row, 5);
    assert_eq!(notes(&database.view()), expected([]));
}

#[test]
fn a_transaction_that_fails_or_panics_never_happened() {
    let disk = SimDisk::new(1);
    let (database, _) = open(&disk);
    put(&database, 1);
    let digest = database.digest().unwrap();
    let failed = database.write(|tx| {
        tx.insert(
            "notes",
            &[("id", Value::from(2_u64)), ("text", Value::from("two"))],
        )
        .unwrap();
        Err::<(), _>("changed my mind")
    });
    assert!(matches!(
        failed,
        Err(WriteError::RolledBack("changed my mind"))
    ));
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _ = database.write(|tx| -> Result<(), schema::Error> {
            tx.insert(
                "notes",
                &[("id", Value::from(2_u64)), ("text", Value::from("two"))],
            )?;
            panic!("in the middle")
        });
    }));
    assert!(panicked.is_err());
    let violated = try_put(&database, 1);
    assert!(matches!(
        violated,
        Err(WriteError::RolledBack(
            schema::Error::UniqueViolation { .. }
        ))
    ));
    assert_eq!(database.digest().unwrap(), digest);
    assert_eq!(database.view().tx(), TxId(1));
    assert_eq!(put(&database, 2), TxId(2));
}

#[test]
fn a_transaction_that_changes_nothing_is_not_logged() {
    let disk = SimDisk::new(1);
    let (database, _) = open(&disk);
    assert_eq!(database.write(nothing).unwrap().1.tx, None);
    let undone = database.write(|tx| {
        tx.insert(
            "notes",
            &[("id", Value::from(2_u64)), ("text", Value::from("two"))],
        )?;
        tx.delete("notes", &[Value::from(2_u64)])
    });
    assert_eq!(undone.unwrap().1.tx, None);
    assert_eq!(put(&database, 1), TxId(1));
}

#[test]
fn a_view_never_moves() {
    let disk = SimDisk::new(1);
    let (database, _) = open(&disk);
    put(&database, 1);
    let old = database.view();
    put_all(&database, 2..=20);
    assert_eq!((notes(&old), old.tx()), (expected([1]), TxId(1)));
    assert_eq!(notes(&database.view()), expected(1..=20));
    drop(database);
    assert_eq!(notes(&old), expected([1]));
}

#[test]
fn a_second_writer_is_refused_and_told_who_holds_it() {
    let disk = SimDisk::new(1);
    let (database, _) = open(&disk);
    let error = refusal(&disk, options());
    assert_eq!(error.class(), ErrorClass::Locked);
    assert!(error.to_string().contains("the test"), "{error}");
    database.close().unwrap();
    assert!(
        disk.files().contains(&"lock".to_owned()),
        "a lock file is left behind"
    );
    open(&disk);
}

#[test]
fn the_default_policy_shows_only_what_is_durable() {
    let disk = SimDisk::new(1);
    let (database, _) = open(&disk);
    put_all(&database, 1..=5);
    assert_eq!(database.durable_through(), Some(TxId(5)));
    assert_eq!(database.view().tx(), TxId(5));
    disk.crash(Crash::Power(Choice::Old));
    assert_eq!(notes(&open(&disk).0.view()), expected(1..=5));
}

#[test]
fn without_syncs_views_show_what_is_applied_and_a_kill_loses_nothing() {
    let disk = SimDisk::new(1);
    let (database, _) = open_with(&disk, never_syncing()).unwrap();
    put_all(&database, 1..=5);
    assert_eq!(database.view().tx(), TxId(5));
    assert_eq!(database.durable_through(), Some(TxId(0)));
    database.wait_durable(TxId(3)).unwrap();
    assert!(database.durable_through() >= Some(TxId(3)));
    put(&database, 6);
    let killed = disk.fork();
    assert_eq!(notes(&open(&killed).0.view()), expected(1..=6));
    disk.crash(Crash::Power(Choice::Old));
    let recovered = notes(&open(&disk).0.view());
    assert!(recovered.len() >= 3, "{recovered:?}");
    assert_eq!(recovered, expected(1..=recovered.len() as u64));
}

#[test]
fn a_failed_sync_leaves_the_outcome_unknown_and_stops_the_database() {
    for surviving in [Choice::Old, Choice::New] {
        let disk = SimDisk::new(1);
        let (database, _) = open(&disk);
        put(&database, 1);
        let before = database.digest().unwrap();
        // The next sync of a file fails.
        let first = disk.call_count();
        put(&database, 2);
        let calls = disk.calls();
        let sync = calls.iter().skip(usize::try_from(first).unwrap());
        let sync = sync
            .filter(|call| call.operation == Operation::SyncFile)
            .count();
        assert!(sync > 0);
        let second = database.digest().unwrap();
        let next_sync = calls
            .iter()
            .rposition(|call| call.operation == Operation::SyncFile)
            .unwrap() as u64;
        disk.fail_at(disk.call_count() + (next_sync - first), Fault::Eio);
        match try_put(&database, 3) {
            Err(WriteError::Unknown { tx, .. }) => assert_eq!(tx, TxId(3)),
            other => panic!("expected an unknown outcome, got {other:?}"),
        }
        // What was durable stays readable; nothing else is shown or accepted.
        assert_eq!(database.view().tx(), TxId(2));
        assert_eq!(database.view_latest().tx(), TxId(2));
        assert_eq!(database.digest().unwrap(), second);
        assert!(matches!(
            try_put(&database, 4),
            Err(WriteError::Refused(Error::Poisoned))
        ));
        assert!(matches!(database.snapshot(), Err(Error::Poisoned)));
        assert!(matches!(database.prune(), Err(Error::Poisoned)));
        assert!(matches!(
            database.wait_durable(TxId(3)),
            Err(Error::Poisoned)
        ));
        assert!(database.info().unwrap().is_poisoned);
        assert!(database.close().is_err());
        disk.crash(Crash::Power(surviving));
        let (database, _) = open(&disk);
        let found = notes(&database.view());
        assert!(
            found == expected(1..=2) || found == expected(1..=3),
            "{found:?}"
        );
        assert_ne!(database.digest().unwrap(), before);
    }
}

#[test]
fn a_full_disk_refuses_and_the_database_goes_on_when_space_returns() {
    let disk = SimDisk::new(1);
    let (database, _) = open(&disk);
    put(&database, 1);
    disk.set_capacity(Some(disk.used_bytes()));
    let big = "x".repeat(200_000);
    let mut refused = None;
    let mut kept = vec![1_u64];
    for id in 2..200_u64 {
        let cells = [("id", Value::from(id)), ("text", Value::from(big.as_str()))];
        match database.write(|tx| tx.insert("notes", &cells).map(drop)) {
            Ok(_) => kept.push(id),
            Err(error) => {
                refused = Some(error);
                break;
            }
        }
    }
    assert!(
        matches!(
            refused,
            Some(WriteError::Refused(Error::Log(commitlog::Error::Full(_))))
        ),
        "{refused:?}"
    );
    assert_eq!(notes(&database.view()).len(), kept.len());
    assert!(database.snapshot().is_err(), "a snapshot needs space, too");
    assert!(!database.info().unwrap().is_poisoned);
    disk.set_capacity(None);
    put(&database, 1000);
    database.snapshot().unwrap();
    let digest = database.digest().unwrap();
    disk.crash(Crash::Power(Choice::Old));
    assert_eq!(open(&disk).0.digest().unwrap(), digest);
}

#[test]
fn too_large_transactions_are_refused_the_genesis_included() {
    let disk = SimDisk::new(1);
    let limited = |transaction_bytes_max| Options {
        transaction_bytes_max,
        ..options()
    };
    let too_large = |error: &Error| {
        matches!(
            error,
            Error::Log(commitlog::Error::TransactionTooLarge { .. })
        )
    };
    assert!(too_large(&refusal(&disk, limited(100))));
    let (database, report) = open_with(&disk, limited(1 << 20)).unwrap();
    assert_eq!(report.row, 5, "nothing was left to trip over");
    let cells = [
        ("id", Value::from(1_u64)),
        ("text", Value::from("x".repeat(1 << 20).as_str())),
    ];
    match database.write(|tx| tx.insert("notes", &cells).map(drop)) {
        Err(WriteError::Refused(error)) => assert!(too_large(&error), "{error}"),
        other => panic!("expected a refusal, got {other:?}"),
    }
    assert_eq!(put(&database, 1), TxId(1));
}

#[test]
fn many_threads_commit_and_every_acknowledged_row_survives_a_power_cut() {
    let disk = SimDisk::new(1);
    let (database, _) = open(&disk);
    let highest_acknowledged = AtomicU64::new(0);
    thread::scope(|scope| {
        for worker in 0..4_u64 {
            let (database, highest) = (&database, &highest_acknowledged);
            scope.spawn(move || {
                for number in 0..50 {
                    let tx = put(database, worker * 1000 + number);
                    highest.fetch_max(tx.0, Ordering::AcqRel);
                    assert!(
                        database.view().tx() >= tx,
                        "the head moves before the acknowledgement"
                    );
                    assert!(database.durable_through() >= Some(tx));
                }
            });
        }
        let (database, highest) = (&database, &highest_acknowledged);
        scope.spawn(move || {
            // A view never shows what is not durable.
            while highest.load(Ordering::Acquire) < 200 {
                let view = database.view();
                assert!(Some(view.tx()) <= database.durable_through());
                assert_eq!(notes(&view).len() as u64, view.tx().0);
                thread::yield_now();
            }
        });
    });
    assert_eq!(database.view().tx(), TxId(200));
    let digest = database.digest().unwrap();
    disk.crash(Crash::Power(Choice::Old));
    assert_eq!(open(&disk).0.digest().unwrap(), digest);
}

#[test]
fn records_come_in_order_and_never_beyond_what_is_durable() {
    let disk = SimDisk::new(1);
    let (database, _) = open_with(&disk, never_syncing()).unwrap();
    put_all(&database, 1..=3);
    let mut records = database.records(TxId(0)).unwrap();
    let first = records.next_record().unwrap().unwrap();
    assert_eq!(
        (first.id, first.time),
        (TxId(0), Some(1_700_000_000_000_000_000))
    );
    assert!(
        records.next_record().unwrap().is_none(),
        "transaction 1 is not durable"
    );
    database.wait_durable(TxId(3)).unwrap();
    for tx in 1..=3 {
        assert_eq!(records.next_record().unwrap().unwrap().id, TxId(tx));
    }
    assert!(records.next_record().unwrap().is_none());
}

#[test]
fn a_policy_may_change_from_one_opening_to_the_next() {
    let disk = SimDisk::new(1);
    let policies = [
        SyncPolicy::Never,
        SyncPolicy::EveryCommit,
        SyncPolicy::Never,
    ];
    for (opening, sync_policy) in (0_u64..).zip(policies) {
        let (database, _) = open_with(
            &disk,
            Options {
                sync_policy,
                ..options()
            },
        )
        .unwrap();
        assert_eq!(database.sync_policy(), sync_policy);
        put(&database, opening);
        assert_eq!(notes(&database.view()), expected(0..=opening));
        database.close().unwrap();
    }
}

#[test]
fn a_database_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Database>();
    shared::<bootstrap::View>();
    shared::<bootstrap::ReadOnlyDatabase>();
    shared::<Arc<Database>>();
}

#[test]
fn a_transaction_inside_another_is_refused_and_the_outer_one_goes_on() {
    let disk = SimDisk::new(1);
    let database = Arc::new(open(&disk).0);
    let same = Arc::clone(&database);
    let other_disk = SimDisk::new(2);
    let other = open(&other_disk).0;
    let refused = |database: &Database| {
        matches!(
            try_put(database, 9),
            Err(WriteError::Refused(Error::AlreadyWriting))
        )
    };
    let outer = database.write(|tx| {
        insert(tx, 1)?;
        assert!(refused(&database));
        assert!(refused(&same));
        // Another database has a turn of its own; inside that one both are taken.
        other
            .write(|tx| {
                assert!(refused(&other));
                assert!(refused(&database));
                insert(tx, 1)
            })
            .unwrap();
        assert!(refused(&database));
        put(&other, 2);
        insert(tx, 2)
    });
    assert_eq!(outer.unwrap().1.tx, Some(TxId(1)));
    assert_eq!(notes(&database.view()), expected(1..=2));
    assert_eq!(notes(&other.view()), expected(1..=2));
    assert_eq!(Error::AlreadyWriting.class(), ErrorClass::Refused);
    // Also one that panicked has given its turn back.
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _ = database.write(|_| -> Result<(), schema::Error> { panic!("in the program") });
    }));
    assert!(panicked.is_err());
    put(&database, 3);
    thread::scope(|scope| scope.spawn(|| put(&database, 4)).join().unwrap());
}

#[test]
fn everything_but_a_transaction_can_be_done_inside_a_transaction() {
    for policy in [SyncPolicy::EveryCommit, SyncPolicy::Never] {
        let disk = SimDisk::new(1);
        let options = Options {
            sync_policy: policy,
            ..small_segments()
        };
        let database = open_with(&disk, options).unwrap().0;
        put_all(&database, 1..=30);
        let summaries = database.write(|tx| {
            insert(tx, 31)?;
            // What is not committed yet is seen by nobody.
            for view in [database.view(), database.view_latest()] {
                assert_eq!(notes(&view), expected(1..=30));
            }
            database.wait_durable(TxId(30)).unwrap();
            assert!(database.wait_durable(TxId(31)).is_err());
            assert_eq!(database.durable_through(), Some(TxId(30)));
            let first = database.snapshot().unwrap();
            let pruned = database.prune().unwrap();
            database.maintain().unwrap();
            let mut records = database.records(TxId(0)).unwrap();
            assert_eq!(records.next_record().unwrap().unwrap().id, TxId(0));
            assert_eq!(database.info().unwrap().tx, TxId(30));
            database.digest().unwrap();
            let reading = ReadOnlyDatabase::open(disk.root(), &ReadOptions::default());
            assert_eq!(notes(&reading.unwrap().0.view()), expected(1..=30));
            let again = Database::open(disk.root(), Options::default(), initialise).map(drop);
            assert!(matches!(
                again,
                Err(OpenError::Database(Error::Disk(disk::Error::Locked { .. })))
            ));
            Ok::<_, schema::Error>((first.tx, pruned.floor))
        });
        assert_eq!(summaries.unwrap().0, (TxId(30), None));
        assert_eq!(notes(&database.view()), expected(1..=31));
        database.close().unwrap();
        assert_eq!(notes(&open(&disk).0.view()), expected(1..=31));
    }
}

#[test]
fn removing_the_lock_file_lets_no_second_writer_in() {
    let disk = SimDisk::new(1);
    let temporary = tempfile::tempdir().unwrap();
    for dir in [disk.root(), OsDir::open(temporary.path()).unwrap()] {
        let open = || Database::open(Arc::clone(&dir), options(), initialise);
        let (database, _) = open().unwrap();
        put_all(&database, 1..=3);
        dir.remove("lock").unwrap();
        let second = open().map(drop);
        assert!(
            matches!(
                second,
                Err(OpenError::Database(Error::Disk(disk::Error::Locked { .. })))
            ),
            "{second:?}"
        );
        put(&database, 4);
        database.close().unwrap();
        assert_eq!(notes(&open().unwrap().0.view()), expected(1..=4));
    }
}
