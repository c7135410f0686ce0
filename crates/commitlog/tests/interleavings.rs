//! The threads of one log, in orders drawn by shuttle: nobody hangs, nobody is released too early, ids are gapless.
//!
//! Built and run with `RUSTFLAGS="--cfg shuttle"`, as `cargo xtask ci` does; empty otherwise. `CAIRN_SEEDS=N` tries N orders of each scenario.
//! A failure prints the schedule; `shuttle::replay` with the scenario and that text runs it again.
#![cfg(shuttle)]
#![allow(clippy::unwrap_used)]

#[path = "support/hooked_dir.rs"]
mod hooked_dir;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use commitlog::{Error, Handoff, Log, LogId, Maintainer, Options, SyncPolicy, TxId};
use disk::{Choice, Crash, Fault, SimDisk};
use hooked_dir::{HookedDir, Hooks};
use shuttle::thread;

const LOG_ID: LogId = LogId(*b"interleavings...");

/// Runs the scenario in many orders: half of them fair, half with few preemptions, which find what needs one thread to stand still for long.
fn explore(scenario: impl Fn() + Send + Sync + Copy + 'static) {
    let orders = std::env::var("CAIRN_SEEDS").ok();
    let orders = orders.map_or(4000, |orders| orders.parse().unwrap());
    shuttle::check_random(scenario, orders);
    shuttle::check_pct(scenario, orders, 3);
}

/// Lets other threads go on in the middle of each write and sync, and can panic in a sync.
#[derive(Debug, Default)]
struct Slowness {
    panics: AtomicBool,
}

impl Slowness {
    fn panic_in_next_sync(&self) {
        self.panics.store(true, Ordering::SeqCst);
    }
}

impl Hooks for Slowness {
    fn before_write(&self, _: u64) {
        thread::yield_now();
    }

    fn after_sync(&self) {
        // What is written from here on is not covered by this sync.
        thread::yield_now();
        assert!(!self.panics.swap(false, Ordering::SeqCst), "told to");
    }
}

struct Scene {
    disk: SimDisk,
    slowness: Arc<Slowness>,
    log: Arc<Log>,
}

fn scene(options: Options) -> Scene {
    let disk = SimDisk::new(1);
    let slowness = Arc::<Slowness>::default();
    let root = HookedDir::around(disk.root(), Arc::clone(&slowness) as Arc<dyn Hooks>);
    let log = Log::create(root, LOG_ID, options, &[(b"genesis", None)]).unwrap();
    let log = Arc::new(log);
    Scene {
        disk,
        slowness,
        log,
    }
}

fn payload(thread: u8, number: u8) -> Vec<u8> {
    vec![0xC0 | thread, 0xA0 | number, 0x5A, thread, number, 0x7E]
}

/// Whether the record is in the files, as they are or as a power cut would leave them at the worst.
fn holds(disk: &SimDisk, payload: &[u8], after_power_cut: bool) -> bool {
    let disk = disk.fork();
    if after_power_cut {
        disk.crash(Crash::Power(Choice::Old));
    }
    disk.files().iter().any(|file| {
        let bytes = disk.read(file).unwrap();
        bytes.windows(payload.len()).any(|window| window == payload)
    })
}

fn is_durable(disk: &SimDisk, payload: &[u8]) -> bool {
    holds(disk, payload, true)
}

/// Reopens what a kill leaves. Ids are gapless by construction: the records are `expected` in some order.
fn check_contents(disk: &SimDisk, mut expected: Vec<Vec<u8>>) {
    let killed = disk.fork();
    let (log, _) = Log::open(killed.root(), Options::default(), &[]).unwrap();
    let mut reader = log.reader(TxId(1)).unwrap();
    let mut found = Vec::new();
    while let Some(record) = reader.next_record().unwrap() {
        found.push(record.payload.to_vec());
    }
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

fn all(threads: u8, each: u8) -> Vec<Vec<u8>> {
    let one = |thread| (0..each).map(move |number| payload(thread, number));
    (0..threads).flat_map(one).collect()
}

fn spawn_each(
    threads: u8,
    work: impl Fn(u8) + Clone + Send + 'static,
) -> Vec<thread::JoinHandle<()>> {
    let start = |number| {
        let work = work.clone();
        thread::spawn(move || work(number))
    };
    (0..threads).map(start).collect()
}

fn join(threads: Vec<thread::JoinHandle<()>>) {
    for thread in threads {
        thread.join().unwrap();
    }
}

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
        let Scene { disk, log, .. } = scene(Options::default());
        let truncating = Arc::clone(&log);
        let truncator = thread::spawn(move || truncating.truncate_after(TxId(0)).unwrap());
        join(spawn_each(2, move |thread| {
            match log.commit(&payload(thread, 0), None) {
                Ok(_) | Err(Error::Truncated { .. } | Error::BeyondEnd { .. }) => {}
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
