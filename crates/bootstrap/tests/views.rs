//! What views show while commits are under way, and that neither views nor commits keep the other out.
#![allow(clippy::unwrap_used)]

#[path = "fixture/fixture.rs"]
mod fixture;
#[path = "fixture/watched.rs"]
mod watched;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use bootstrap::{Database, Options, SyncPolicy, TxId, View, WriteError};
use disk::{Operation, SimDisk};
use fixture::*;
use schema::WriteTransaction;
use watched::watched;

type Step = Box<dyn FnOnce() + Send>;

/// A database, and what is to be done right before its next write to the disk.
fn open_watched(disk: &SimDisk, options: Options) -> (Arc<Database>, Arc<Mutex<Option<Step>>>) {
    let next: Arc<Mutex<Option<Step>>> = Arc::default();
    let inside = Arc::clone(&next);
    let watch = move |operation| {
        if operation == Operation::Write {
            let step = inside.lock().unwrap().take();
            step.into_iter().for_each(|step| step());
        }
    };
    let dir = watched(disk.root(), Arc::new(watch));
    let (database, _) = Database::open(dir, options, initialise).unwrap();
    (Arc::new(database), next)
}

/// Changes of one row and of many, of which some are checked in place and some on a fork.
fn change(tx: &mut WriteTransaction, which: u64) -> Result<(), schema::Error> {
    match which {
        0 => insert(tx, 1049),
        1 => tx.delete("notes", &[3_u64.into()]),
        2 => {
            let text = [("text", "another".into())];
            tx.update("notes", &[4_u64.into()], &text).map(drop)
        }
        _ => (2000..2400).try_for_each(|id| insert(tx, id)),
    }
}

#[test]
fn a_view_that_is_taken_while_a_transaction_is_logged_does_not_show_it() {
    let takes: [fn(&Database) -> View; 2] = [Database::view, Database::view_latest];
    for take in takes {
        let disk = SimDisk::new(1);
        let (database, next) = open_watched(&disk, never_syncing());
        put_all(&database, 1..=20);
        for which in 0..4 {
            let before = database.view();
            let (tell, told) = mpsc::channel();
            let inside = Arc::clone(&database);
            let step = move || (0..2).for_each(|_| tell.send(take(&inside)).unwrap());
            *next.lock().unwrap() = Some(Box::new(step));
            let (_, committed) = database.write(|tx| change(tx, which)).unwrap();
            assert_eq!(committed.tx, Some(before.tx().next()));
            let seen: Vec<View> = told.iter().collect();
            assert_eq!(seen.len(), 2);
            for seen in seen {
                assert_eq!(seen.tx(), before.tx(), "change {which}");
                assert_eq!(seen.digest().unwrap(), before.digest().unwrap());
            }
            assert_eq!(database.view().tx(), before.tx().next());
            assert_ne!(database.digest().unwrap(), before.digest().unwrap());
        }
        let view = database.view();
        view.state().store().check().unwrap();
        Arc::into_inner(database).unwrap().close().unwrap();
        // What the log makes of it.
        assert_eq!(open(&disk).0.digest().unwrap(), view.digest().unwrap());
    }
}

#[test]
fn what_a_full_disk_refuses_leaves_the_state_as_it_was() {
    for policy in [SyncPolicy::Never, SyncPolicy::EveryCommit] {
        let disk = SimDisk::new(1);
        let options = Options {
            sync_policy: policy,
            ..small_segments()
        };
        let (database, _) = open_with(&disk, options).unwrap();
        put_all(&database, 1..=20);
        disk.set_capacity(Some(disk.used_bytes()));
        // Down to less than the shortest note takes.
        let fill = |id: u64| try_put(&database, 50 * id).is_ok();
        (100..).find(|id| !fill(*id));
        for which in 0..4 {
            let before = database.view();
            let written = database.write(|tx| change(tx, which));
            match written {
                Ok(_) => assert!((1..3).contains(&which), "{which} is as long"),
                Err(WriteError::Refused(_)) => {
                    for view in [database.view(), database.view_latest()] {
                        assert_eq!(view.tx(), before.tx());
                        assert_eq!(view.digest().unwrap(), before.digest().unwrap());
                    }
                }
                Err(other) => panic!("{other}"),
            }
        }
        disk.set_capacity(None);
        let before = put(&database, 500_000);
        for which in [0, 3] {
            database.write(|tx| change(tx, which)).unwrap();
        }
        let view = database.view();
        assert_eq!(view.tx(), TxId(before.0 + 2));
        view.state().store().check().unwrap();
        database.close().unwrap();
        assert_eq!(open(&disk).0.digest().unwrap(), view.digest().unwrap());
    }
}

/// Each goes on until all others have had their share. Who were kept out for ever would find that somebody else had far too much.
#[test]
fn readers_and_a_writer_all_get_on() {
    const SHARE: u64 = 2_000;
    const TOO_MUCH: u64 = 50_000_000;
    for policy in [SyncPolicy::Never, SyncPolicy::EveryCommit] {
        let options = Options {
            sync_policy: policy,
            ..options()
        };
        let database = open_with(&SimDisk::new(1), options).unwrap().0;
        let counts: [AtomicU64; 5] = Default::default();
        let [commits, views @ ..] = &counts;
        let has_share = |count: &AtomicU64| count.load(Ordering::Relaxed) >= SHARE;
        let is_over = || counts.iter().all(has_share);
        let go_on = |count: &AtomicU64, step: &dyn Fn(u64)| {
            while !is_over() {
                let next = count.load(Ordering::Relaxed) + 1;
                assert!(next < TOO_MUCH, "somebody is kept out");
                step(next);
                count.store(next, Ordering::Relaxed);
            }
        };
        thread::scope(|scope| {
            for count in views {
                scope.spawn(|| {
                    go_on(count, &|_| {
                        let shown = commits.load(Ordering::Relaxed);
                        // The genesis, and what was acknowledged before.
                        assert!(database.view().tx().0 >= shown);
                    });
                });
            }
            go_on(commits, &|next| {
                assert_eq!(put(&database, next), TxId(next));
            });
        });
        let last = commits.load(Ordering::Relaxed);
        assert_eq!(database.view().tx(), TxId(last));
        assert_eq!(notes(&database.view()).len() as u64, last);
    }
}
