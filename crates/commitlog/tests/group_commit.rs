//! Many threads commit at once: each is released only when its record is durable, and one sync serves many.
#![allow(clippy::unwrap_used)]

#[path = "support/hooked_dir.rs"]
mod hooked_dir;

use std::collections::BTreeSet;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Barrier, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use commitlog::{Error, Log, LogId, Maintainer, Options, TxId};
use disk::{Crash, Dir, Fault, Operation, SimDisk};
use hooked_dir::{HookedDir, Hooks};

const LOG_ID: LogId = LogId(*b"group commit....");
const THREADS: u64 = 8;
const COMMITS: u64 = 50;
/// Before this byte of a segment stand its header and marks.
const FRAMES_BYTE: u64 = 12288;

fn create(dir: Arc<dyn Dir>) -> Arc<Log> {
    Arc::new(Log::create(dir, LOG_ID, Options::default(), &[(b"genesis", None)]).unwrap())
}

#[test]
fn a_released_waiter_is_durable_and_ids_are_gapless() {
    let disk = SimDisk::new(3);
    let log = create(disk.root());
    let ids = Mutex::new(BTreeSet::new());
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (log, ids, disk) = (&log, &ids, &disk);
            scope.spawn(move || {
                for number in 0..COMMITS {
                    let payload = [thread.to_le_bytes(), number.to_le_bytes()].concat();
                    let id = log.commit(&payload, None).unwrap();
                    assert!(log.durable_end() > id);
                    assert!(ids.lock().unwrap().insert(id.0));
                    if number % 10 == 0 {
                        // Whatever a power cut leaves now, it has this record.
                        let cut = disk.fork();
                        cut.crash(Crash::Power(disk::Choice::Seed(number)));
                        let (reopened, _) = Log::open(cut.root(), Options::default(), &[]).unwrap();
                        let mut reader = reopened.reader(id).unwrap();
                        assert_eq!(reader.next_record().unwrap().unwrap().payload, payload);
                    }
                }
            });
        }
    });
    assert_eq!(ids.into_inner().unwrap(), (1..=THREADS * COMMITS).collect());
    assert_eq!(log.verify().unwrap(), THREADS * COMMITS + 1);
}

#[test]
fn one_sync_serves_all_that_wait() {
    // The gate holds the first sync until everyone has appended, so the second one must serve all the others.
    let disk = SimDisk::new(4);
    let gate = Arc::new(Gate::default());
    let dir = HookedDir::around(disk.root(), Arc::clone(&gate) as Arc<dyn Hooks>);
    let log = create(dir);
    let before = syncs(&disk);
    let appended = AtomicU64::new(0);
    let first = log.append(b"the leader's", None).unwrap();
    gate.hold();
    thread::scope(|scope| {
        scope.spawn(|| log.wait_durable(first).unwrap());
        gate.wait_for_arrival();
        for _ in 0..THREADS {
            scope.spawn(|| {
                let id = log.append(b"a follower's", None).unwrap();
                if appended.fetch_add(1, Ordering::SeqCst) + 1 == THREADS {
                    gate.release();
                }
                log.wait_durable(id).unwrap();
            });
        }
    });
    assert_eq!(syncs(&disk) - before, 2);
    assert_eq!(log.durable_through(), Some(TxId(THREADS + 1)));
}

#[test]
fn after_a_failed_sync_nobody_is_released() {
    let disk = SimDisk::new(5);
    let gate = Arc::new(Gate::default());
    let dir = HookedDir::around(disk.root(), Arc::clone(&gate) as Arc<dyn Hooks>);
    let log = create(dir);
    let barrier = Barrier::new(usize::try_from(THREADS).unwrap());
    gate.fail(&disk);
    let released = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let id = log.append(b"lost", None);
                barrier.wait();
                match id.and_then(|id| log.wait_durable(id)) {
                    Ok(()) => {
                        released.fetch_add(1, Ordering::SeqCst);
                    }
                    Err(error) => {
                        assert!(matches!(error, Error::Io(_) | Error::Poisoned), "{error}")
                    }
                }
            });
        }
    });
    assert_eq!(released.into_inner(), 0);
    assert!(matches!(log.append(b"x", None), Err(Error::Poisoned)));
    assert!(matches!(log.sync(), Err(Error::Poisoned)));
    assert!(matches!(log.rotate(), Err(Error::Poisoned)));
    assert!(matches!(log.prune_before(TxId(1)), Err(Error::Poisoned)));
    assert!(matches!(log.close(), Err(Error::Poisoned)));
    // What is durable stays readable, and nothing more is shown.
    assert_eq!(log.wait_durable(TxId(0)).ok(), Some(()));
    assert_eq!(log.verify().unwrap(), 1);
}

#[test]
fn a_panic_of_the_one_who_syncs_releases_the_others_with_an_error() {
    for panicking in [Operation::SyncFile, Operation::Write] {
        let disk = SimDisk::new(7);
        let gate = Arc::new(Gate::default());
        let dir = HookedDir::around(disk.root(), Arc::clone(&gate) as Arc<dyn Hooks>);
        let log = create(dir);
        let first = log.append(b"the leader's", None).unwrap();
        gate.hold();
        gate.panic_in(panicking);
        let appended = AtomicU64::new(0);
        thread::scope(|scope| {
            let leader = scope.spawn(|| log.wait_durable(first));
            gate.wait_for_arrival();
            let follow = || {
                let id = log.append(b"a follower's", None).unwrap();
                if appended.fetch_add(1, Ordering::SeqCst) + 1 == THREADS {
                    gate.release();
                }
                log.wait_durable(id)
            };
            let followers: Vec<_> = (0..THREADS).map(|_| scope.spawn(follow)).collect();
            assert!(leader.join().is_err());
            for follower in followers {
                let released = follower.join().unwrap();
                assert!(matches!(released, Err(Error::Poisoned)), "{released:?}");
            }
        });
        assert!(matches!(log.append(b"x", None), Err(Error::Poisoned)));
        assert!(matches!(log.wait_durable(first), Err(Error::Poisoned)));
        assert!(matches!(log.close(), Err(Error::Poisoned)));
        assert_eq!(log.verify().unwrap(), 1);
        drop(log);
        let (log, report) = Log::open(disk.root(), Options::default(), &[]).unwrap();
        assert_eq!((report.end, report.torn), (TxId(THREADS + 2), None));
        assert_eq!(log.verify().unwrap(), THREADS + 2);
    }
}

#[test]
fn a_panic_of_the_one_who_writes_releases_those_who_queued_behind_it() {
    let disk = SimDisk::new(8);
    let trap = Arc::new(Trap {
        is_set: AtomicBool::new(false),
        sprung: Barrier::new(2),
    });
    let dir = HookedDir::around(disk.root(), Arc::clone(&trap) as Arc<dyn Hooks>);
    let log = create(dir);
    // Space for the others is reserved with it.
    log.append(b"written", None).unwrap();
    trap.is_set.store(true, Ordering::SeqCst);
    thread::scope(|scope| {
        let leader = scope.spawn(|| log.append(b"the leader's", None));
        trap.sprung.wait();
        let follower = scope.spawn(|| log.append(b"a follower's", None));
        while log.next_id() < TxId(4) {
            thread::yield_now();
        }
        trap.sprung.wait();
        assert!(leader.join().is_err());
        let released = follower.join().unwrap();
        assert!(matches!(released, Err(Error::Unknown { id: TxId(3) })));
    });
    assert!(matches!(log.append(b"x", None), Err(Error::Poisoned)));
    assert!(matches!(log.close(), Err(Error::Poisoned)));
    assert_eq!(log.verify().unwrap(), 1);
    drop(log);
    let (log, report) = Log::open(disk.root(), Options::default(), &[]).unwrap();
    assert_eq!((report.end, report.torn), (TxId(2), None));
    assert_eq!(log.verify().unwrap(), 2);
}

#[test]
fn rotation_and_appending_threads_do_not_lose_records() {
    let disk = SimDisk::new(6);
    let options = Options {
        segment_bytes_max: 12288 + 2000,
        ..Options::default()
    };
    let log = Log::create(disk.root(), LOG_ID, options.clone(), &[(b"genesis", None)]).unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..COMMITS {
                    log.commit(&[7; 100], None).unwrap();
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..10 {
                log.rotate().unwrap();
                log.prune_before(TxId(0)).unwrap();
            }
        });
        scope.spawn(|| {
            let mut reader = log.reader(TxId(0)).unwrap();
            let mut seen = 0;
            while seen < 4 * COMMITS {
                if let Some(record) = reader.next_record().unwrap() {
                    assert_eq!(record.id.0, seen);
                    seen += 1;
                }
                thread::yield_now();
            }
        });
    });
    drop(log);
    let (log, report) = Log::open(disk.root(), options, &[]).unwrap();
    assert_eq!(report.end, TxId(4 * COMMITS + 1));
    assert_eq!(log.verify().unwrap(), 4 * COMMITS + 1);
}

/// Keeps the thread that wakes it until it is told to go on.
struct Stops {
    arrived: Barrier,
    goes_on: Barrier,
}

impl Wake for Stops {
    fn wake(self: Arc<Self>) {
        self.arrived.wait();
        self.goes_on.wait();
    }
}

/// Somebody who syncs for futures, and does nothing until they are told to go on.
fn stopped_maintainer(log: &Log) -> (Maintainer, Arc<Stops>) {
    let maintainer = Maintainer::start(log).unwrap();
    let stops = Arc::new(Stops {
        arrived: Barrier::new(2),
        goes_on: Barrier::new(2),
    });
    let first = log.append(b"first", None).unwrap();
    let mut waits = pin!(log.durable(first));
    let waker = Waker::from(Arc::clone(&stops));
    let polled = waits.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    stops.arrived.wait();
    (maintainer, stops)
}

/// Gives up what is not durable when it is woken, and appends other records in its place.
struct Truncates(Arc<Log>);

impl Wake for Truncates {
    fn wake(self: Arc<Self>) {
        self.0.truncate_after(TxId(1)).unwrap();
        for _ in 2..6 {
            self.0.append(b"another record", None).unwrap();
        }
    }
}

/// Whoever wakes a future is between its append and its wait, if the append began a segment.
#[test]
fn a_commit_whose_record_was_given_up_says_so_whoever_has_its_id_by_then() {
    let disk = SimDisk::new(1);
    let options = Options {
        segment_bytes_max: FRAMES_BYTE + 400,
        ..Options::default()
    };
    let log = Log::create(disk.root(), LOG_ID, options, &[(b"genesis", None)]).unwrap();
    let log = Arc::new(log);
    let (maintainer, stops) = stopped_maintainer(&log);
    let second = log.append(&[7; 200], None).unwrap();
    let waker = Waker::from(Arc::new(Truncates(Arc::clone(&log))));
    let mut truncates = pin!(log.durable(second));
    let mut context = Context::from_waker(&waker);
    assert!(truncates.as_mut().poll(&mut context).is_pending());
    let said = log.commit(&[8; 200], None);
    stops.goes_on.wait();
    assert_eq!(log.next_id(), TxId(6), "it was truncated in between");
    assert!(
        matches!(said, Err(Error::Truncated { end: TxId(2) })),
        "{said:?}"
    );
    let ended = truncates.poll(&mut context);
    assert!(matches!(ended, Poll::Ready(Err(Error::Truncated { .. }))));
    maintainer.stop().unwrap();
    log.close().unwrap();
}

type Use = fn(&Log);

/// Uses the log when it is woken, as an executor does that goes on with its task at once.
struct Uses {
    log: Arc<Log>,
    how: Use,
    times: AtomicU64,
}

impl Wake for Uses {
    fn wake(self: Arc<Self>) {
        (self.how)(&self.log);
        self.times.fetch_add(1, Ordering::SeqCst);
    }
}

/// What happens while a future waits.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    Nothing,
    /// The call of the disk that comes so many later fails.
    Fails(u64),
    Panics(Operation),
}

/// A future waits, and this thread does something that moves or ends the log: `how` is what the waker does, in this thread. Yields how many calls of the disk there were.
fn use_when_woken(does: Use, trouble: Trouble, how: Use) -> u64 {
    let disk = SimDisk::new(1);
    let gate = Arc::<Gate>::default();
    let dir = HookedDir::around(disk.root(), Arc::clone(&gate) as Arc<dyn Hooks>);
    let options = Options {
        segment_bytes_max: FRAMES_BYTE + 400,
        ..Options::default()
    };
    let log = Log::create(dir, LOG_ID, options, &[(b"genesis", None)]).unwrap();
    let log = Arc::new(log);
    log.append(&[6; 300], None).unwrap();
    log.rotate().unwrap();
    let (maintainer, stops) = stopped_maintainer(&log);
    let waited_for = log.append(&[7; 200], None).unwrap();
    let uses = Arc::new(Uses {
        log: Arc::clone(&log),
        how,
        times: AtomicU64::new(0),
    });
    let waker = Waker::from(Arc::clone(&uses));
    let mut waits = pin!(log.durable(waited_for));
    let polled = waits.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    let before = disk.call_count();
    match trouble {
        Trouble::Nothing => {}
        Trouble::Fails(later) => disk.fail_at(before + later, Fault::Eio),
        Trouble::Panics(operation) => gate.panic_in(operation),
    }
    let _ = catch_unwind(AssertUnwindSafe(|| does(&log)));
    let calls = disk.call_count() - before;
    disk.clear_faults();
    stops.goes_on.wait();
    drop(maintainer);
    let _ = log.close();
    assert_eq!(uses.times.load(Ordering::SeqCst), 1, "it was not woken");
    calls
}

/// What is not finished so long after it began never is.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_waker_may_use_the_log_whatever_the_thread_did_that_wakes_it() {
    let what: [(&str, Use); 7] = [
        // Begins a segment, and writes into it.
        ("append", |log| drop(log.append(&[8; 200], None))),
        ("sync", |log| drop(log.sync())),
        ("rotate", |log| drop(log.rotate())),
        ("truncate", |log| drop(log.truncate_after(TxId(2)))),
        ("prune", |log| drop(log.prune_before(TxId(2)))),
        ("compress", |log| drop(log.compress_sealed())),
        ("close", |log| drop(log.close())),
    ];
    let running = Arc::new(Mutex::new(String::new()));
    let (done, waits) = mpsc::channel();
    let rows = thread::spawn({
        let running = Arc::clone(&running);
        move || {
            for (does, how) in what.iter().flat_map(|does| what.map(|how| (does, how))) {
                let run = |trouble| {
                    *running.lock().unwrap() = format!("{}, {trouble:?}, {}", does.0, how.0);
                    use_when_woken(does.1, trouble, how.1)
                };
                for later in 0..run(Trouble::Nothing) {
                    run(Trouble::Fails(later));
                }
                run(Trouble::Panics(Operation::Write));
                run(Trouble::Panics(Operation::SyncFile));
            }
            // Nobody waits any more if this comes too late.
            let _ = done.send(());
        }
    });
    let ended = waits.recv_timeout(PATIENCE);
    let hangs = matches!(ended, Err(RecvTimeoutError::Timeout));
    assert!(!hangs, "{}: it hangs", running.lock().unwrap());
    rows.join().unwrap();
}

/// Drops what it has when it is woken: the one who wakes it, and the log.
struct Ends {
    held: Mutex<Option<(Maintainer, Arc<Log>)>>,
    came_back: mpsc::Sender<()>,
}

impl Wake for Ends {
    fn wake(self: Arc<Self>) {
        drop(self.held.lock().unwrap().take());
        self.came_back.send(()).unwrap();
    }
}

#[test]
fn a_waker_may_end_the_maintainer_that_runs_it() {
    for compress_sealed in [false, true] {
        let disk = SimDisk::new(1);
        let options = Options {
            compress_sealed,
            ..Options::default()
        };
        let log = Log::create(disk.root(), LOG_ID, options, &[(b"genesis", None)]).unwrap();
        let log = Arc::new(log);
        let maintainer = Maintainer::start(&log).unwrap();
        let id = log.append(b"first", None).unwrap();
        let mut waits = pin!(log.durable(id));
        let (came_back, waiting) = mpsc::channel();
        let waker = Waker::from(Arc::new(Ends {
            held: Mutex::new(Some((maintainer, log))),
            came_back,
        }));
        let mut context = Context::from_waker(&waker);
        assert!(waits.as_mut().poll(&mut context).is_pending());
        waiting.recv_timeout(PATIENCE).unwrap();
        assert!(matches!(waits.poll(&mut context), Poll::Ready(Ok(()))));
    }
}

fn syncs(disk: &SimDisk) -> usize {
    let calls = disk.calls().into_iter();
    calls
        .filter(|call| call.operation == Operation::SyncFile)
        .count()
}

/// Holds syncs of files back, and can make the next one fail.
#[derive(Debug, Default)]
struct Gate {
    held: Mutex<Held>,
    changed: std::sync::Condvar,
}

#[derive(Debug, Default)]
struct Held {
    holds: bool,
    arrived: bool,
    fails: Option<SimDisk>,
    panics: Option<Operation>,
}

impl Gate {
    /// Holds the next sync back.
    fn hold(&self) {
        let mut held = self.held.lock().unwrap();
        (held.holds, held.arrived) = (true, false);
    }

    fn fail(&self, disk: &SimDisk) {
        self.held.lock().unwrap().fails = Some(disk.clone());
    }

    /// Makes the next sync of a file panic, or the next write of a mark.
    fn panic_in(&self, operation: Operation) {
        self.held.lock().unwrap().panics = Some(operation);
    }

    fn panic_if_told(&self, operation: Operation) {
        let mut held = self.held.lock().unwrap();
        if held.panics == Some(operation) {
            held.panics = None;
            drop(held);
            panic!("told to, in {operation:?}");
        }
    }

    fn wait_for_arrival(&self) {
        let held = self.held.lock().unwrap();
        drop(self.changed.wait_while(held, |held| !held.arrived).unwrap());
    }

    fn release(&self) {
        self.held.lock().unwrap().holds = false;
        self.changed.notify_all();
    }

    fn pass(&self) {
        let mut held = self.held.lock().unwrap();
        held.arrived = true;
        self.changed.notify_all();
        let held = &mut *self.changed.wait_while(held, |held| held.holds).unwrap();
        if let Some(disk) = held.fails.take() {
            disk.fail_at(disk.call_count(), Fault::Eio);
        }
    }
}

impl Hooks for Gate {
    fn before_write(&self, offset: u64) {
        if offset < FRAMES_BYTE {
            self.panic_if_told(Operation::Write);
        }
    }

    fn before_sync(&self) {
        self.pass();
        self.panic_if_told(Operation::SyncFile);
    }
}

/// Panics in the next write of frames, once somebody has met it there twice.
#[derive(Debug)]
struct Trap {
    is_set: AtomicBool,
    sprung: Barrier,
}

impl Hooks for Trap {
    fn before_write(&self, offset: u64) {
        if offset >= FRAMES_BYTE && self.is_set.swap(false, Ordering::SeqCst) {
            self.sprung.wait();
            self.sprung.wait();
            panic!("told to");
        }
    }
}
