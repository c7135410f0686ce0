//! Appenders and committers beside each other, and beside who rotates, truncates, closes, or fails.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use commitlog::{Error, Handoff, Log, Options, SyncPolicy, TxId};
use disk::{Fault, SimDisk};
use shuttle::thread;

use crate::scene::{
    Scene, all, check_contents, explore, holds, is_durable, join, payload, scene, spawn_each,
};

#[test]
fn a_commit_is_durable_when_it_returns() {
    explore(|| {
        let Scene { disk, log, .. } = scene(Options::default());
        let at = disk.clone();
        join(spawn_each(3, move |thread| {
            for number in 0..2 {
                let payload = payload(thread, number);
                let id = log.commit(&payload, None).unwrap();
                assert!(log.durable_end() > id);
                assert!(is_durable(&at, &payload));
            }
        }));
        check_contents(&disk, all(3, 2));
    });
}

#[test]
fn an_append_is_written_when_it_returns_and_a_queued_one_when_it_was_waited_for() {
    explore(|| {
        let Scene { disk, log, .. } = scene(Options {
            sync_policy: SyncPolicy::Never,
            // Room for one frame and a little: most have to wait.
            queue_bytes_max: 60,
            ..Options::default()
        });
        let at = disk.clone();
        join(spawn_each(3, move |thread| {
            let (first, second) = (payload(thread, 0), payload(thread, 1));
            if thread == 0 {
                log.append(&first, None).unwrap();
                log.append_batch(&[(&second, None)]).unwrap();
            } else {
                log.append_with(&first, None, Handoff::Queued).unwrap();
                let id = log.append_with(&second, None, Handoff::Queued).unwrap();
                log.wait_written(id).unwrap();
            }
            assert!(holds(&at, &first, false));
            assert!(holds(&at, &second, false));
        }));
        check_contents(&disk, all(3, 2));
    });
}

#[test]
fn a_dropped_log_leaves_nothing_in_the_queue() {
    explore(|| {
        let Scene { disk, log, .. } = scene(Options {
            handoff: Handoff::Queued,
            queue_bytes_max: 100,
            ..Options::default()
        });
        join(spawn_each(2, move |thread| {
            for number in 0..2 {
                log.append(&payload(thread, number), None).unwrap();
            }
            let _one_of_them_is_the_last = &log;
        }));
        check_contents(&disk, all(2, 2));
    });
}

#[test]
fn rotations_and_truncations_wait_for_their_turn() {
    explore(|| {
        let Scene { disk, log, .. } = scene(Options {
            segment_bytes_max: 12288 + 100,
            ..Options::default()
        });
        let rotating = Arc::clone(&log);
        let rotator = thread::spawn(move || {
            rotating.rotate().unwrap();
            rotating.prune_before(TxId(0)).unwrap();
        });
        let at = disk.clone();
        join(spawn_each(2, move |thread| {
            for number in 0..2 {
                let payload = payload(thread, number);
                log.commit(&payload, None).unwrap();
                assert!(is_durable(&at, &payload));
            }
        }));
        rotator.join().unwrap();
        check_contents(&disk, all(2, 2));
    });
}

#[test]
fn who_waits_for_a_record_that_is_truncated_learns_it() {
    explore(|| {
        let Scene {
            disk,
            slowness,
            log,
        } = scene(Options::default());
        slowness.watch(&disk, all(2, 1));
        let truncating = Arc::clone(&log);
        let truncator = thread::spawn(move || {
            truncating.truncate_after(TxId(0)).unwrap();
            // It gets an id that another record had.
            truncating.append(b"another", None).unwrap();
        });
        let watching = Arc::clone(&slowness);
        join(spawn_each(2, move |thread| {
            let payload = payload(thread, 0);
            match log.commit(&payload, None) {
                // It may have been given up since.
                Ok(_) => assert!(watching.was_durable(&payload)),
                Err(Error::Truncated { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }));
        truncator.join().unwrap();
        let killed = disk.fork();
        let (log, _) = Log::open(killed.root(), Options::default(), &[]).unwrap();
        log.verify().unwrap();
    });
}

#[test]
fn closing_lets_the_others_end() {
    explore(|| {
        let Scene { disk, log, .. } = scene(Options {
            queue_bytes_max: 60,
            ..Options::default()
        });
        let closing = Arc::clone(&log);
        let closer = thread::spawn(move || closing.close().unwrap());
        let at = disk.clone();
        join(spawn_each(2, move |thread| {
            let payload = payload(thread, 0);
            match log.commit(&payload, None) {
                Ok(_) => assert!(is_durable(&at, &payload)),
                Err(Error::Closed) => assert!(!holds(&at, &payload, false)),
                Err(error) => panic!("{error}"),
            }
        }));
        closer.join().unwrap();
        let (_, report) = Log::open(disk.root(), Options::default(), &[]).unwrap();
        assert!(report.was_closed);
    });
}

/// What a thread may see of a failure: an error, and after it only errors.
fn commits_until_it_fails(log: &Log, disk: &SimDisk, thread: u8) {
    let mut failed = false;
    for number in 0..2 {
        let payload = payload(thread, number);
        match log.commit(&payload, None) {
            Ok(_) => {
                assert!(!failed, "it went on after a failure");
                assert!(is_durable(disk, &payload));
            }
            Err(Error::Io(_) | Error::Poisoned | Error::Unknown { .. }) => failed = true,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_failure_reaches_all_and_nothing_is_acknowledged_after_it() {
    use shuttle::rand::Rng;
    explore(|| {
        let Scene { disk, log, .. } = scene(Options::default());
        // Space is reserved now: what fails from here on is a write that counts, or a sync.
        log.commit(b"first", None).unwrap();
        let failing = shuttle::rand::thread_rng().gen_range(0..8);
        disk.fail_at(disk.call_count() + failing, Fault::Eio);
        let (closing, at) = (Arc::clone(&log), disk.clone());
        join(spawn_each(3, move |thread| {
            commits_until_it_fails(&log, &at, thread)
        }));
        if closing.append(b"x", None).is_err() {
            assert!(matches!(closing.close(), Err(Error::Poisoned)));
        }
    });
}

#[test]
fn a_panic_of_one_who_leads_reaches_all() {
    explore(|| {
        let Scene {
            disk,
            slowness,
            log,
        } = scene(Options::default());
        slowness.panic_in_next_sync();
        let (closing, at) = (Arc::clone(&log), disk.clone());
        join(spawn_each(3, move |thread| {
            let _ = catch_unwind(AssertUnwindSafe(|| {
                commits_until_it_fails(&log, &at, thread)
            }));
        }));
        assert!(matches!(closing.append(b"x", None), Err(Error::Poisoned)));
        assert!(matches!(closing.close(), Err(Error::Poisoned)));
    });
}
