//! What one call of `maintain` does, and when the next thing is due: counted in calls and in times that are made up.
#![allow(clippy::unwrap_used)]

#[path = "support/hooked_dir.rs"]
mod hooked_dir;

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Waker};
use std::time::Duration;

use commitlog::{Handoff, Log, LogId, Options, SyncPolicy, TxId};
use disk::{Dir, SimDisk};
use hooked_dir::{HookedDir, Hooks};

const LOG_ID: LogId = LogId(*b"maintained......");
/// Before this byte of a segment stand its header and marks.
const FRAMES_BYTE: u64 = 12288;
/// So often something is appended meanwhile. Whoever waits for a pause comes to an end, but has counted.
const LOAD: usize = 50;
const INTERVAL: Duration = Duration::from_secs(10);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn options(sync_policy: SyncPolicy) -> Options {
    Options {
        sync_policy,
        handoff: Handoff::Queued,
        queue_bytes_max: 100 << 20,
        ..Options::default()
    }
}

/// Appends while a write or a sync goes on, as other threads would.
#[derive(Debug, Default)]
struct Load {
    log: Mutex<Weak<Log>>,
    during_writes: bool,
    writes: AtomicUsize,
    syncs: AtomicUsize,
}

impl Load {
    fn append(&self, so_far: usize, payload: &[u8]) {
        let log = self.log.lock().unwrap().upgrade();
        if let Some(log) = log.filter(|_| so_far < LOAD) {
            log.append(payload, None).unwrap();
        }
    }
}

impl Hooks for Load {
    fn before_write(&self, offset: u64) {
        if offset >= FRAMES_BYTE && self.log.lock().unwrap().strong_count() > 0 {
            let so_far = self.writes.fetch_add(1, Ordering::SeqCst);
            if self.during_writes {
                // So much is to be written at once.
                self.append(so_far, &[7; 65_536]);
            }
        }
    }

    fn before_sync(&self) {
        let so_far = self.syncs.fetch_add(1, Ordering::SeqCst);
        if !self.during_writes {
            self.append(so_far, b"x");
        }
    }
}

#[test]
fn a_call_does_what_was_due_once_and_says_that_more_is() {
    // During what is appended; writes and syncs of one call.
    let rows = [
        (true, SyncPolicy::Never, 1, 0),
        (true, SyncPolicy::Interval(Duration::ZERO), 1, 1),
        (false, SyncPolicy::Interval(Duration::ZERO), 1, 1),
    ];
    for (during_writes, policy, writes, syncs) in rows {
        let disk = SimDisk::new(1);
        let load = Arc::new(Load {
            during_writes,
            ..Load::default()
        });
        let hooks: Arc<dyn Hooks> = load.clone();
        let dir: Arc<dyn Dir> = HookedDir::around(disk.root(), hooks);
        let log = Arc::new(Log::create(dir, LOG_ID, options(policy), &[]).unwrap());
        // Space for all that comes is there.
        log.append_with(&vec![0; 12 << 20], None, Handoff::Written)
            .unwrap();
        log.append(b"x", None).unwrap();
        log.maintain(Duration::ZERO).unwrap();
        log.append(b"x", None).unwrap();
        let end = log.next_id();
        load.syncs.store(0, Ordering::SeqCst);
        *load.log.lock().unwrap() = Arc::downgrade(&log);
        let row = format!("{policy:?}, {during_writes}");
        assert_eq!(log.maintain(seconds(1)).unwrap(), Some(seconds(1)), "{row}");
        *load.log.lock().unwrap() = Weak::new();
        let counts = (
            load.writes.load(Ordering::SeqCst),
            load.syncs.load(Ordering::SeqCst),
        );
        assert_eq!(counts, (writes, syncs), "{row}");
        // What was there before is done.
        log.chain_after(end.previous().unwrap()).unwrap();
        assert_eq!(log.durable_end() >= end, syncs > 0, "{row}");
        log.maintain(seconds(1)).unwrap();
        log.close().unwrap();
    }
}

/// A future asked for a sync, and was dropped with the record that it waited for.
#[test]
fn nothing_is_synced_for_a_record_that_was_given_up() {
    let disk = SimDisk::new(4);
    let log = Log::create(disk.root(), LOG_ID, options(SyncPolicy::Never), &[]).unwrap();
    for _ in 0..10 {
        log.append(b"x", None).unwrap();
    }
    // Somebody syncs already, so that the future only asks.
    let sync = log.begin_sync().unwrap();
    let mut future = Box::pin(log.durable(TxId(9)));
    let polled = future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending());
    drop(future);
    sync.finish().unwrap();
    log.truncate_after(TxId(3)).unwrap();
    log.append(b"x", None).unwrap();
    for second in 0..3 {
        log.maintain(seconds(second)).unwrap();
    }
    assert_eq!(log.durable_end(), TxId(4));
    // Who waits now is served.
    let sync = log.begin_sync().unwrap();
    log.append(b"x", None).unwrap();
    let mut future = Box::pin(log.durable(TxId(5)));
    let mut context = Context::from_waker(Waker::noop());
    assert!(future.as_mut().poll(&mut context).is_pending());
    sync.finish().unwrap();
    log.maintain(seconds(3)).unwrap();
    assert_eq!(log.durable_end(), TxId(6));
}

#[test]
fn who_counts_from_elsewhere_makes_nothing_wait_longer() {
    // The time of whoever maintained the log before.
    for before in [1000, 3] {
        let disk = SimDisk::new(2);
        let log = Log::create(
            disk.root(),
            LOG_ID,
            options(SyncPolicy::Interval(INTERVAL)),
            &[],
        )
        .unwrap();
        let synced_at = |second| {
            log.commit(b"x", None).unwrap();
            log.maintain(seconds(second)).unwrap();
            log.durable_end() == log.next_id()
        };
        assert!(synced_at(before));
        assert!(!synced_at(before + 9));
        assert!(synced_at(0));
        assert!(!synced_at(9));
        assert!(synced_at(10));
    }
}

#[test]
fn what_is_queued_waits_no_longer_because_another_clock_is_behind() {
    let disk = SimDisk::new(3);
    let log = Log::create(disk.root(), LOG_ID, options(SyncPolicy::Never), &[]).unwrap();
    log.append(b"x", None).unwrap();
    let due = log.maintain(seconds(1000)).unwrap().unwrap();
    assert!(due > seconds(1000));
    assert_eq!(log.maintain(seconds(0)).unwrap(), None);
    let killed = disk.fork();
    let (found, _) = Log::open(killed.root(), Options::default(), &[]).unwrap();
    assert_eq!(found.next_id(), TxId(1));
}

#[test]
fn a_segment_is_compressed_only_when_nothing_else_is_due() {
    let disk = SimDisk::new(4);
    let load = Arc::<Load>::default();
    let hooks: Arc<dyn Hooks> = load.clone();
    let dir: Arc<dyn Dir> = HookedDir::around(disk.root(), hooks);
    let options = Options {
        compress_sealed: true,
        ..options(SyncPolicy::Interval(Duration::ZERO))
    };
    let log = Arc::new(Log::create(dir, LOG_ID, options, &[(b"x", None)]).unwrap());
    log.rotate().unwrap();
    log.append(b"x", None).unwrap();
    let is_compressed = || {
        let extent = Log::inspect(disk.root().as_ref()).unwrap();
        extent.segments[0].compressed
    };
    // A record comes while the one before it is synced.
    *load.log.lock().unwrap() = Arc::downgrade(&log);
    assert_eq!(log.maintain(seconds(1)).unwrap(), Some(seconds(1)));
    *load.log.lock().unwrap() = Weak::new();
    assert!(!is_compressed());
    assert_eq!(log.maintain(seconds(1)).unwrap(), Some(seconds(1)));
    assert!(is_compressed());
    assert_eq!(log.durable_end(), log.next_id());
    assert_eq!(log.maintain(seconds(1)).unwrap(), None);
}
