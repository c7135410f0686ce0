//! What happens to those who wait, read and write when a sync fails or an apply panics: nobody hangs, and nothing is shown
//! or acknowledged that is not durable.
#![allow(clippy::unwrap_used)]

#[path = "fixture/fixture.rs"]
mod fixture;
#[path = "fixture/watched.rs"]
mod watched;

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};

use bootstrap::{Database, Error, Mistake, Options, SyncPolicy, TxId, WriteError};
use disk::{Choice, Crash, Fault, Operation, SimDisk};
use fixture::*;
use watched::watched;

type Step = Box<dyn FnOnce() + Send>;
type Work = fn(&Database) -> Result<(), Error>;

/// Something to be done right before a call of this kind.
#[derive(Clone, Default)]
struct Before(Arc<Mutex<Option<(Operation, Step)>>>);

impl Before {
    fn next(&self, operation: Operation, step: impl FnOnce() + Send + 'static) {
        *self.0.lock().unwrap() = Some((operation, Box::new(step)));
    }

    fn open(&self, disk: &SimDisk, options: Options) -> Arc<Database> {
        let before = self.clone();
        let watch = move |operation| {
            let step = {
                let mut next = before.0.lock().unwrap();
                next.take_if(|(wanted, _)| *wanted == operation)
            };
            if let Some((_, step)) = step {
                step();
            }
        };
        let dir = watched(disk.root(), Arc::new(watch));
        Arc::new(Database::open(dir, options, initialise).unwrap().0)
    }
}

/// A thread that tries to commit a note.
fn putting(
    database: &Arc<Database>,
    id: u64,
) -> JoinHandle<Result<TxId, WriteError<schema::Error>>> {
    let database = Arc::clone(database);
    thread::spawn(move || try_put(&database, id))
}

/// Poisoned, and what was shown before is shown still: the notes 1 to `last`.
fn check_poisoned(database: &Database, last: u64) {
    assert!(database.info().unwrap().is_poisoned);
    for view in [database.view(), database.view_latest()] {
        assert_eq!((view.tx(), notes(&view)), (TxId(last), expected(1..=last)));
    }
    let poisoned = |error: &Error| matches!(error, Error::Poisoned);
    assert!(matches!(try_put(database, 77), Err(WriteError::Refused(error)) if poisoned(&error)));
    let empty = database.write(nothing);
    assert!(matches!(empty, Err(WriteError::Refused(error)) if poisoned(&error)));
    assert!(poisoned(&database.snapshot().unwrap_err()));
    assert!(poisoned(&database.prune().unwrap_err()));
    // What is durable and shown stays so; nothing else is acknowledged any more.
    database.wait_durable(TxId(last)).unwrap();
    database.wait_durable(TxId(last + 1)).unwrap_err();
    assert_eq!(database.view().tx(), TxId(last));
}

/// What such a transaction tells rests on what it read: it is not acknowledged before that is durable.
#[test]
fn a_transaction_that_changes_nothing_waits_for_what_it_read() {
    let disk = SimDisk::new(1);
    let before = Before::default();
    let database = before.open(&disk, options());
    put(&database, 1);
    let (tell, told) = mpsc::channel();
    let (inside, failing) = (Arc::clone(&database), disk.clone());
    before.next(Operation::SyncFile, move || {
        let (read, has_read) = mpsc::channel();
        let reader = thread::spawn(move || {
            inside.write(|tx| {
                read.send(tx.table("notes")?.row_count()).unwrap();
                Ok::<(), schema::Error>(())
            })
        });
        assert_eq!(has_read.recv().unwrap(), 2);
        tell.send(reader).unwrap();
        failing.fail_at(failing.call_count(), Fault::Eio);
    });
    let written = try_put(&database, 2);
    assert!(
        matches!(written, Err(WriteError::Unknown { tx: TxId(2), .. })),
        "{written:?}"
    );
    let read = told.recv().unwrap().join().unwrap();
    assert!(
        matches!(read, Err(WriteError::Refused(Error::Poisoned))),
        "{read:?}"
    );
    check_poisoned(&database, 1);
}

#[test]
fn a_panic_while_applying_stops_the_database_and_releases_those_who_wait() {
    let disk = SimDisk::new(1);
    let before = Before::default();
    let mistaken = Options {
        mistake: Some(Mistake::PanicWhileApplying(TxId(5))),
        ..options()
    };
    let database = before.open(&disk, mistaken);
    put_all(&database, 1..=2);
    let old = database.view();
    let (tell, told) = mpsc::channel();
    let inside = Arc::clone(&database);
    before.next(Operation::SyncFile, move || {
        // One more waits for its sync; the next one panics.
        let waiting = putting(&inside, 4);
        while inside.view_latest().tx() < TxId(4) {
            thread::yield_now();
        }
        let panicked = putting(&inside, 5).join();
        tell.send((waiting, panicked.is_err())).unwrap();
    });
    let unknown = |result: &Result<TxId, WriteError<schema::Error>>, expected| match result {
        Err(WriteError::Unknown { tx, source }) => {
            *tx == TxId(expected) && matches!(source, Error::Poisoned)
        }
        _ => false,
    };
    let written = try_put(&database, 3);
    assert!(unknown(&written, 3), "{written:?}");
    let (waiting, has_panicked) = told.recv().unwrap();
    assert!(has_panicked);
    let waited = waiting.join().unwrap();
    assert!(unknown(&waited, 4), "{waited:?}");
    check_poisoned(&database, 2);
    assert_eq!(notes(&old), expected(1..=2));

    // The records are whole, so that the next open finds them, as far as they are on the medium.
    let killed = open(&disk.fork()).0;
    assert_eq!(notes(&killed.view()), expected(1..=5));
    let database = Arc::into_inner(database).unwrap();
    assert!(matches!(database.close(), Err(Error::Poisoned)));
    disk.crash(Crash::Power(Choice::Old));
    let left = notes(&open(&disk).0.view());
    assert!(left.len() >= 2 && left == expected(1..=left.len() as u64));
}

#[test]
fn a_panic_within_an_append_stops_the_database() {
    let disk = SimDisk::new(1);
    let before = Before::default();
    // Where the append itself writes.
    let options = Options {
        sync_policy: SyncPolicy::Never,
        ..options()
    };
    let database = before.open(&disk, options);
    put_all(&database, 1..=2);
    database.wait_durable(TxId(2)).unwrap();
    before.next(Operation::Write, || panic!("within the disk"));
    let put = catch_unwind(AssertUnwindSafe(|| try_put(&database, 3)));
    assert!(put.is_err());
    check_poisoned(&database, 2);
    drop(database);
    assert_eq!(notes(&open(&disk).0.view()), expected(1..=2));
}

/// Also if it comes while others wait, and whatever it has done by then.
#[test]
fn a_panic_of_the_program_within_a_transaction_stops_nothing() {
    let disk = SimDisk::new(1);
    let before = Before::default();
    let database = before.open(&disk, options());
    put(&database, 1);
    let inside = Arc::clone(&database);
    before.next(Operation::SyncFile, move || {
        let panicking = thread::spawn(move || {
            let _ = inside.write(|tx| -> Result<(), schema::Error> {
                tx.delete("notes", &[1_u64.into()])?;
                panic!("in the program")
            });
        });
        assert!(panicking.join().is_err());
    });
    assert_eq!(put(&database, 2), TxId(2));
    assert!(!database.info().unwrap().is_poisoned);
    assert_eq!(notes(&database.view()), expected(1..=2));
    assert_eq!(put(&database, 3), TxId(3));
    Arc::into_inner(database).unwrap().close().unwrap();
}

/// Whoever watches over a database learns that it has stopped from what it says, and not from the next commit.
#[test]
fn what_ends_the_log_outside_of_a_commit_is_told_at_once() {
    let works: [(&str, Work); 3] = [
        ("prune", |database| database.prune().map(drop)),
        ("snapshot", |database| database.snapshot().map(drop)),
        ("backup", |database| {
            let to = SimDisk::new(5).root();
            let go_on = |_| ControlFlow::Continue(());
            database.backup(&to, &go_on).map(drop)
        }),
    ];
    for sync_policy in [SyncPolicy::EveryCommit, SyncPolicy::Never] {
        for (name, work) in works {
            let mut stopped = 0;
            for nth in 0.. {
                let disk = SimDisk::new(nth);
                let options = Options {
                    sync_policy,
                    ..small_segments()
                };
                let (database, _) = open_with(&disk, options).unwrap();
                for id in 1..=20 {
                    put(&database, id);
                    if id == 10 || id == 15 {
                        database.snapshot().unwrap();
                    }
                }
                let failing = disk.call_count() + nth;
                disk.fail_at(failing, Fault::Eio);
                let _ = work(&database);
                if disk.call_count() <= failing {
                    break;
                }
                disk.clear_faults();
                let is_poisoned = database.info().unwrap().is_poisoned;
                let commit = try_put(&database, 100);
                let context = format!("{sync_policy:?}, {name}, call {nth}: {commit:?}");
                assert_eq!(is_poisoned, commit.is_err(), "{context}");
                stopped += usize::from(is_poisoned);
            }
            // A backup reads the log; under `Never` it makes it durable first.
            let writes = name != "backup" || sync_policy == SyncPolicy::Never;
            assert_eq!(stopped > 0, writes, "{sync_policy:?}, {name}");
        }
    }
}
