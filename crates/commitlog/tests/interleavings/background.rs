//! What is done in the background beside appenders: by a maintainer that comes and goes, by hand, for futures that are given up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use commitlog::{Error, Handoff, Log, LogId, Maintainer, Options, SyncPolicy, TxId};
use disk::{Fault, SimDisk};
use shuttle::thread;

use crate::hooked_dir::{HookedDir, Hooks};
use crate::scene::{
    Scene, all, check_contents, explore, holds, is_durable, join, payload, scene, spawn_each,
};

#[test]
fn futures_are_woken_with_and_without_somebody_who_maintains() {
    for maintained in [false, true] {
        explore(move || {
            let Scene { disk, log, .. } = scene(Options {
                sync_policy: SyncPolicy::Never,
                handoff: Handoff::Queued,
                ..Options::default()
            });
            let maintainer = maintained.then(|| Maintainer::start(&log).unwrap());
            let at = disk.clone();
            let futures = spawn_each(3, {
                let log = Arc::clone(&log);
                move |thread| {
                    let payload = payload(thread, 0);
                    let id = log.append(&payload, None).unwrap();
                    if thread == 0 {
                        // Given up, perhaps while it is waited for.
                        drop(log.durable(id));
                        return log.wait_durable(id).unwrap();
                    }
                    shuttle::future::block_on(log.durable(id)).unwrap();
                    assert!(is_durable(&at, &payload));
                }
            });
            // It may end before they are done: then they look after themselves.
            if let Some(maintainer) = maintainer {
                maintainer.stop().unwrap();
            }
            join(futures);
            check_contents(&disk, all(3, 1));
        });
    }
}

#[test]
fn maintaining_by_hand_beside_commits_writes_and_syncs() {
    explore(|| {
        let Scene { disk, log, .. } = scene(Options {
            sync_policy: SyncPolicy::Interval(Duration::from_secs(1)),
            ..Options::default()
        });
        let maintaining = Arc::clone(&log);
        let maintainer = thread::spawn(move || {
            for second in 1..4 {
                maintaining
                    .maintain(Duration::from_secs(10 * second))
                    .unwrap();
            }
        });
        let at = disk.clone();
        let committed = Arc::clone(&log);
        join(spawn_each(2, move |thread| {
            let payload = payload(thread, 0);
            committed.commit(&payload, None).unwrap();
            assert!(holds(&at, &payload, false));
        }));
        maintainer.join().unwrap();
        log.maintain(Duration::from_secs(100)).unwrap();
        assert!(is_durable(&disk, &payload(0, 0)));
        assert!(is_durable(&disk, &payload(1, 0)));
    });
}

#[test]
fn maintainers_come_and_go_beside_appenders() {
    explore(|| {
        let Scene { disk, log, .. } = scene(Options {
            sync_policy: SyncPolicy::Interval(Duration::ZERO),
            handoff: Handoff::Queued,
            // Room for one frame and a little: who appends waits for whoever writes.
            queue_bytes_max: 60,
            segment_bytes_max: 12288 + 200,
            ..Options::default()
        });
        let maintained = Arc::clone(&log);
        let maintaining = thread::spawn(move || {
            let stopped = Maintainer::start(&maintained).unwrap();
            drop(Maintainer::start(&maintained).unwrap());
            stopped.stop().unwrap();
        });
        let at = disk.clone();
        let appended = Arc::clone(&log);
        join(spawn_each(2, move |thread| {
            let payloads = [payload(thread, 0), payload(thread, 1)];
            let first = appended.append(&payloads[0], None).unwrap();
            let second = appended.append(&payloads[1], None).unwrap();
            assert!(first < second);
            if thread == 0 {
                appended.wait_written(second).unwrap();
                assert!(holds(&at, &payloads[1], false));
            } else {
                shuttle::future::block_on(appended.durable(first)).unwrap();
                assert!(is_durable(&at, &payloads[0]));
            }
        }));
        maintaining.join().unwrap();
        drop(log);
        check_contents(&disk, all(2, 2));
    });
}

/// Before this byte of a segment stand its header and marks, and a genesis of seven bytes.
const FIRST_APPENDED_BYTE: u64 = 12288 + 40;
/// What a record of six bytes takes.
const FRAME_BYTES: u64 = 40;
const QUEUE_BYTES_MAX: u64 = 3 * FRAME_BYTES;

/// Looks in the middle of each write how much is acknowledged that is not written.
#[derive(Debug, Default)]
struct QueueBound {
    acknowledged: AtomicU64,
}

impl Hooks for QueueBound {
    fn before_write(&self, offset: u64) {
        for _ in 0..4 {
            thread::yield_now();
        }
        if let Some(written) = offset.checked_sub(FIRST_APPENDED_BYTE) {
            let acknowledged = self.acknowledged.load(Ordering::SeqCst);
            assert!(acknowledged <= written + QUEUE_BYTES_MAX);
        }
    }
}

#[test]
fn a_kill_takes_no_more_than_the_bound_of_the_queue_also_while_it_is_written() {
    for maintained in [false, true] {
        explore(move || {
            let disk = SimDisk::new(1);
            let bound = Arc::<QueueBound>::default();
            let dir = HookedDir::around(disk.root(), Arc::clone(&bound) as Arc<dyn Hooks>);
            let options = Options {
                sync_policy: SyncPolicy::Never,
                handoff: Handoff::Queued,
                queue_bytes_max: usize::try_from(QUEUE_BYTES_MAX).unwrap(),
                ..Options::default()
            };
            let log = Log::create(dir, LogId([1; 16]), options, &[(b"genesis", None)]).unwrap();
            let log = Arc::new(log);
            let maintainer = maintained.then(|| Maintainer::start(&log).unwrap());
            join(spawn_each(2, {
                let log = Arc::clone(&log);
                move |thread| {
                    for number in 0..4 {
                        log.append(&payload(thread, number), None).unwrap();
                        bound.acknowledged.fetch_add(FRAME_BYTES, Ordering::SeqCst);
                    }
                }
            }));
            if let Some(maintainer) = maintainer {
                maintainer.stop().unwrap();
            }
            drop(log);
            check_contents(&disk, all(2, 4));
        });
    }
}

#[test]
fn of_two_maintainers_each_ends_when_it_is_told_to() {
    explore(|| {
        let Scene { disk, log, .. } = scene(Options {
            sync_policy: SyncPolicy::Never,
            handoff: Handoff::Queued,
            ..Options::default()
        });
        let maintainers = [0, 1].map(|_| Maintainer::start(&log).unwrap());
        let at = disk.clone();
        let futures = spawn_each(1, {
            let log = Arc::clone(&log);
            move |thread| {
                let payload = payload(thread, 0);
                let id = log.append(&payload, None).unwrap();
                shuttle::future::block_on(log.durable(id)).unwrap();
                assert!(is_durable(&at, &payload));
            }
        });
        for maintainer in maintainers {
            maintainer.stop().unwrap();
        }
        join(futures);
        drop(log);
        check_contents(&disk, all(1, 1));
    });
}

#[test]
fn a_maintainer_ends_with_its_log_and_leaves_nothing_in_the_queue() {
    // The second writes at once what is queued, and may be at it when the log goes.
    let policies = [SyncPolicy::Never, SyncPolicy::Interval(Duration::ZERO)];
    for (closed, sync_policy) in [false, true]
        .into_iter()
        .flat_map(|closed| policies.map(|policy| (closed, policy)))
    {
        explore(move || {
            let Scene { disk, log, .. } = scene(Options {
                sync_policy,
                handoff: Handoff::Queued,
                ..Options::default()
            });
            let maintainer = Maintainer::start(&log).unwrap();
            join(spawn_each(2, {
                let log = Arc::clone(&log);
                move |thread| {
                    log.append(&payload(thread, 0), None).unwrap();
                }
            }));
            if closed {
                log.close().unwrap();
                assert!(is_durable(&disk, &payload(0, 0)));
                assert!(is_durable(&disk, &payload(1, 0)));
            }
            drop(log);
            check_contents(&disk, all(2, 1));
            maintainer.stop().unwrap();
        });
    }
}

/// Whoever opens the log next may be another process, with the same temporary names.
#[test]
fn nothing_is_done_in_the_files_any_more_once_a_log_is_closed_or_dropped() {
    for (closed, compressing_by_hand) in [(false, false), (true, false), (true, true)] {
        explore(move || {
            let Scene { disk, log, .. } = scene(Options {
                sync_policy: SyncPolicy::Never,
                compress_sealed: !compressing_by_hand,
                ..Options::default()
            });
            log.append(&payload(0, 0), None).unwrap();
            log.rotate().unwrap();
            let maintainer = Maintainer::start(&log).unwrap();
            let by_hand = compressing_by_hand.then(|| {
                let log = Arc::clone(&log);
                thread::spawn(move || match log.compress_sealed() {
                    Ok(_) | Err(Error::Closed) => {}
                    Err(error) => panic!("{error}"),
                })
            });
            thread::yield_now();
            if closed {
                log.close().unwrap();
            }
            drop(log);
            let calls = disk.call_count();
            maintainer.stop().unwrap();
            if let Some(by_hand) = by_hand {
                by_hand.join().unwrap();
            }
            assert_eq!(&disk.calls()[usize::try_from(calls).unwrap()..], []);
            assert!(disk.files().iter().all(|name| name.ends_with(".log")));
            check_contents(&disk, all(1, 1));
        });
    }
}

#[test]
fn no_file_is_removed_any_more_once_a_log_is_closed_or_failed_beside_a_prune() {
    use shuttle::rand::Rng;
    for fails in [false, true] {
        explore(move || {
            let Scene { disk, log, .. } = scene(Options {
                // Room for one record.
                segment_bytes_max: 12288 + 60,
                ..Options::default()
            });
            for number in 0..3 {
                log.commit(&payload(0, number), None).unwrap();
            }
            if fails {
                let failing = shuttle::rand::thread_rng().gen_range(0..8);
                disk.fail_at(disk.call_count() + failing, Fault::Eio);
            }
            let pruners = [2, 3].map(|keep| {
                let log = Arc::clone(&log);
                thread::spawn(move || match log.prune_before(TxId(keep)) {
                    Ok(pruned) => assert!(pruned.base >= TxId(keep)),
                    Err(Error::Closed) => {}
                    Err(Error::Io(_) | Error::Poisoned) if fails => {}
                    Err(error) => panic!("{error}"),
                })
            });
            thread::yield_now();
            match log.close() {
                Ok(()) => {}
                Err(Error::Io(_) | Error::Poisoned) if fails => {}
                Err(error) => panic!("{error}"),
            }
            let calls = disk.call_count();
            pruners.map(|pruner| pruner.join().unwrap());
            assert_eq!(&disk.calls()[usize::try_from(calls).unwrap()..], []);
            disk.clear_faults();
            let killed = disk.fork();
            let (log, report) = Log::open(killed.root(), Options::default(), &[]).unwrap();
            assert_eq!(report.end, TxId(4));
            assert_eq!(log.verify().unwrap(), 4 - log.base().0);
        });
    }
}

/// By hand, perhaps behind a full disk, after which the background waits until somebody succeeds.
#[test]
fn no_segment_is_left_plain_because_somebody_else_compresses() {
    for fills_up in [false, true] {
        explore(move || {
            let Scene { disk, log, .. } = scene(Options {
                // Room for one record.
                segment_bytes_max: 12288 + 60,
                compress_sealed: true,
                ..Options::default()
            });
            for number in 0..3 {
                log.commit(&payload(0, number), None).unwrap();
            }
            if fills_up {
                disk.set_capacity(Some(disk.used_bytes()));
            }
            let maintainer = Maintainer::start(&log).unwrap();
            thread::yield_now();
            disk.set_capacity(None);
            let is_done = || {
                let segments = Log::inspect(disk.root().as_ref()).unwrap().segments;
                let sealed = &segments[..segments.len() - 1];
                sealed.iter().all(|segment| segment.compressed)
            };
            while log.compress_sealed().unwrap().is_none() && !is_done() {
                thread::yield_now();
            }
            while !is_done() {
                thread::yield_now();
            }
            let stopped = maintainer.stop();
            assert!(stopped.is_ok() || fills_up, "{stopped:?}");
            log.close().unwrap();
        });
    }
}

/// Both make a segment anew, under the same temporary name.
#[test]
fn a_truncation_beside_who_compresses_leaves_what_it_kept() {
    explore(|| {
        let Scene { disk, log, .. } = scene(Options::default());
        log.append(&payload(0, 0), None).unwrap();
        log.append(&payload(0, 1), None).unwrap();
        log.rotate().unwrap();
        let compressing = Arc::clone(&log);
        let compressor = thread::spawn(move || compressing.compress_sealed().map(drop));
        thread::yield_now();
        log.truncate_after(TxId(1)).unwrap();
        log.commit(&payload(1, 0), None).unwrap();
        compressor.join().unwrap().unwrap();
        assert_eq!(log.verify().unwrap(), 3);
        log.close().unwrap();
        check_contents(&disk, vec![payload(0, 0), payload(1, 0)]);
    });
}

#[test]
fn a_failure_in_the_background_reaches_who_waits_and_who_stops_it() {
    use shuttle::rand::Rng;
    explore(|| {
        let Scene { disk, log, .. } = scene(Options {
            sync_policy: SyncPolicy::Interval(Duration::ZERO),
            handoff: Handoff::Queued,
            ..Options::default()
        });
        // Space is reserved now: what fails from here on is a write that counts, or a sync.
        log.commit(b"first", None).unwrap();
        let failing = shuttle::rand::thread_rng().gen_range(0..6);
        disk.fail_at(disk.call_count() + failing, Fault::Eio);
        let maintainer = Maintainer::start(&log).unwrap();
        let (appended, at) = (Arc::clone(&log), disk.clone());
        join(spawn_each(2, move |thread| {
            let payload = payload(thread, 0);
            match appended.append(&payload, None) {
                Ok(id) => match shuttle::future::block_on(appended.durable(id)) {
                    Ok(()) => assert!(is_durable(&at, &payload)),
                    Err(Error::Io(_) | Error::Poisoned) => {
                        assert!(matches!(appended.append(b"x", None), Err(Error::Poisoned)));
                    }
                    Err(error) => panic!("{error}"),
                },
                Err(Error::Io(_) | Error::Poisoned | Error::Unknown { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }));
        let stopped = maintainer.stop();
        disk.clear_faults();
        match log.close() {
            Ok(()) => assert!(stopped.is_ok(), "{stopped:?}"),
            Err(Error::Poisoned) => {}
            Err(error) => panic!("{error}"),
        }
    });
}

#[test]
fn futures_that_are_given_up_while_they_wait_leave_nobody_behind() {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};
    for maintained in [false, true] {
        explore(move || {
            let Scene { disk, log, .. } = scene(Options {
                handoff: Handoff::Queued,
                ..Options::default()
            });
            let maintainer = maintained.then(|| Maintainer::start(&log).unwrap());
            let at = disk.clone();
            let futures = spawn_each(3, {
                let log = Arc::clone(&log);
                move |thread| {
                    let payload = payload(thread, 0);
                    let id = log.append(&payload, None).unwrap();
                    if thread == 0 {
                        let mut future = pin!(log.durable(id));
                        let mut context = Context::from_waker(Waker::noop());
                        // It may have been the one that the others count on.
                        for _ in 0..2 {
                            if let Poll::Ready(ended) = future.as_mut().poll(&mut context) {
                                ended.unwrap();
                                return assert!(is_durable(&at, &payload));
                            }
                            thread::yield_now();
                        }
                        return;
                    }
                    shuttle::future::block_on(log.durable(id)).unwrap();
                    assert!(is_durable(&at, &payload));
                }
            });
            join(futures);
            if let Some(maintainer) = maintainer {
                maintainer.stop().unwrap();
            }
            drop(log);
            check_contents(&disk, all(3, 1));
        });
    }
}

/// A task that was given up, and all that goes with it when its waker does: another future of the same log.
struct GivenUp {
    _future: std::sync::Mutex<commitlog::Durable>,
}

impl std::task::Wake for GivenUp {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn what_goes_with_a_waker_may_use_the_log() {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Waker};
    explore(|| {
        let Scene { log, .. } = scene(Options::default());
        let maintainer = Maintainer::start(&log).unwrap();
        let id = log.append(&payload(0, 0), None).unwrap();
        let mut inner = log.durable(id);
        let _ = std::pin::Pin::new(&mut inner).poll(&mut Context::from_waker(Waker::noop()));
        {
            let mut outer = pin!(log.durable(id));
            let waker = Waker::from(Arc::new(GivenUp {
                _future: std::sync::Mutex::new(inner),
            }));
            let _ = outer.as_mut().poll(&mut Context::from_waker(&waker));
            drop(waker);
            // Only the log knows of the task now.
            let _ = outer.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }
        log.wait_durable(id).unwrap();
        maintainer.stop().unwrap();
    });
}

/// Uses the log when it is woken, as an executor does that goes on with its task at once.
struct Uses {
    log: Arc<Log>,
    how: fn(&Log),
    times: AtomicU64,
}

impl std::task::Wake for Uses {
    fn wake(self: Arc<Self>) {
        (self.how)(&self.log);
        self.times.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_waker_may_append_sync_prune_and_close_whichever_thread_wakes_it() {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Waker};
    let hows: [fn(&Log); 4] = [
        |log| drop(log.append(&payload(2, 0), None)),
        |log| drop(log.sync()),
        |log| drop(log.prune_before(TxId(2))),
        |log| drop(log.close()),
    ];
    for how in hows {
        explore(move || {
            let Scene { log, .. } = scene(Options {
                // Room for one record.
                segment_bytes_max: 12288 + 60,
                ..Options::default()
            });
            log.append(&payload(3, 1), None).unwrap();
            log.rotate().unwrap();
            let maintainer = Maintainer::start(&log).unwrap();
            let threads = spawn_each(3, {
                let log = Arc::clone(&log);
                move |thread| {
                    let ended = match thread {
                        0 => log.append(&payload(0, 0), None).map(drop),
                        1 => log
                            .sync()
                            .and_then(|()| log.append(&payload(1, 0), None).map(drop)),
                        _ => log.compress_sealed().map(drop),
                    };
                    assert!(matches!(ended, Ok(()) | Err(Error::Closed)), "{ended:?}");
                }
            });
            let uses = Arc::new(Uses {
                log: Arc::clone(&log),
                how,
                times: AtomicU64::new(0),
            });
            let waker = Waker::from(Arc::clone(&uses));
            let mut context = Context::from_waker(&waker);
            let id = log.append(&payload(3, 0), None).unwrap();
            let mut future = pin!(log.durable(id));
            let is_pending = future.as_mut().poll(&mut context).is_pending();
            join(threads);
            log.close().unwrap();
            // Whoever wakes it may still be at it.
            maintainer.stop().unwrap();
            assert_eq!(uses.times.load(Ordering::SeqCst), u64::from(is_pending));
        });
    }
}
