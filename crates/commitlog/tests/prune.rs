//! Giving up the oldest segments, by id and by bytes.
#![allow(clippy::unwrap_used)]

#[path = "support/hooked_dir.rs"]
mod hooked_dir;
#[path = "support/logs.rs"]
mod logs;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use commitlog::{Error, Handoff, Log, Pruned, TxId};
use disk::{Fault, Operation, SimDisk};
use hooked_dir::{HookedDir, Hooks};
use logs::{LOG_ID, close_beside, expected, fill, give_time, payload, read_all, small};

const END: u64 = 20;

fn log_on(disk: &SimDisk) -> Log {
    let log = Log::create(disk.root(), LOG_ID, small(), &[(b"genesis", Some(7))]).unwrap();
    fill(&log, END);
    log
}

/// The bases and lengths of the segments, oldest first.
fn segments(disk: &SimDisk) -> Vec<(u64, u64)> {
    let extent = Log::inspect(disk.root().as_ref()).unwrap();
    let all = extent.segments.iter();
    all.map(|segment| (segment.base.0, segment.bytes)).collect()
}

#[test]
fn the_files_take_as_little_as_was_asked_for_and_no_more_is_removed() {
    let all = {
        let disk = SimDisk::new(1);
        log_on(&disk);
        segments(&disk)
    };
    assert!(all.len() > 8);
    let total: u64 = all.iter().map(|segment| segment.1).sum();
    for bytes_max in [
        0,
        1,
        all[0].1,
        50_000,
        total - 1,
        total,
        total + 1,
        u64::MAX,
    ] {
        for keep_from in [0, all[1].0 - 1, all[1].0, all[3].0, END, u64::MAX] {
            let disk = SimDisk::new(1);
            let log = log_on(&disk);
            let Pruned {
                segments_removed,
                base,
                ..
            } = log.prune_to_bytes(bytes_max, TxId(keep_from)).unwrap();
            let left = segments(&disk);
            assert_eq!(left[..], all[segments_removed..]);
            assert_eq!((base.0, log.base()), (left[0].0, base));
            let bytes: u64 = left.iter().map(|segment| segment.1).sum();
            // One more was too many, or one fewer too few.
            if segments_removed > 0 {
                assert!(base.0 <= keep_from);
                assert!(bytes + all[segments_removed - 1].1 > bytes_max);
            }
            assert!(bytes <= bytes_max || left.len() == 1 || left[1].0 > keep_from);
            assert_eq!(read_all(&log), expected(base.0, END));
            fill(&log, END + 3);
        }
    }
}

#[test]
fn a_crash_or_a_failure_at_every_call_leaves_whole_segments() {
    let (first, end) = {
        let disk = SimDisk::new(1);
        let log = log_on(&disk);
        let first = disk.call_count();
        disk.record();
        let base = log.prune_to_bytes(40_000, TxId(END)).unwrap().base;
        assert!(base > TxId(0));
        for number in first..=disk.call_count() {
            let state = disk.state_before(number);
            for crashed in state.power_cuts(4, number).into_iter().chain([state]) {
                let (log, report) = Log::open(crashed.root(), small(), &[]).unwrap();
                assert!(report.base <= base);
                assert_eq!(report.missing, None);
                assert_eq!(read_all(&log), expected(report.base.0, END));
                drop(log);
                check_marks(&crashed);
            }
        }
        (first, disk.call_count())
    };
    for number in first..end {
        for fault in [Fault::Eio, Fault::Interrupted] {
            let disk = SimDisk::new(1);
            let log = log_on(&disk);
            disk.fail_at(number, fault);
            let pruned = log.prune_to_bytes(40_000, TxId(END));
            disk.clear_faults();
            match pruned {
                Ok(_) => fill(&log, END + 2),
                Err(error) => assert!(matches!(error, Error::Io(_)), "{error}"),
            }
            if number + 1 == end && fault == Fault::Eio {
                // It was the sync of the directory: nobody knows what that holds.
                assert!(matches!(log.append(b"x", None), Err(Error::Poisoned)));
            }
            let end = log.next_id().0;
            drop(log);
            let (log, report) = Log::open(disk.root(), small(), &[]).unwrap();
            assert_eq!(read_all(&log), expected(report.base.0, end));
        }
    }
}

/// Any one mark may go bad: the log does not look as if a segment were lost.
fn check_marks(disk: &SimDisk) {
    for file in disk.files() {
        for sector in [8, 16] {
            let disk = disk.fork();
            disk.zero_sector(&file, sector);
            let missing = Log::inspect(disk.root().as_ref()).map(|extent| extent.missing);
            // Only the first segment of all has to have a mark.
            let is_genesis = file.starts_with("00000000000000000000");
            assert!(matches!(missing, Ok(None)) || is_genesis, "{missing:?}");
        }
    }
}

#[test]
fn files_that_could_not_be_removed_are_left_to_the_next_open_by_closing() {
    let mut tried = (0..).map(|ahead| {
        let disk = SimDisk::new(1);
        let log = log_on(&disk);
        disk.fail_at(disk.call_count() + ahead, Fault::Eio);
        log.prune_before(TxId(12)).unwrap_err();
        (disk, log)
    });
    let failed = |disk: &SimDisk| disk.calls().last().unwrap().operation;
    let (disk, log) = tried
        .find(|(disk, _)| failed(disk) == Operation::Remove)
        .unwrap();
    let files = disk.files();
    log.close().unwrap();
    drop(log);
    assert_eq!(disk.files(), files);
    let (log, report) = Log::open(disk.root(), small(), &[]).unwrap();
    assert!(!report.was_closed && report.leftovers_removed > 0);
    assert_eq!(read_all(&log), expected(log.base().0, END));
    log.close().unwrap();
    let (_, report) = Log::open(disk.root(), small(), &[]).unwrap();
    assert!(report.was_closed);
}

#[test]
fn a_closed_log_is_not_pruned() {
    let disk = SimDisk::new(1);
    let log = log_on(&disk);
    log.close().unwrap();
    let before = disk.digest();
    assert!(matches!(
        log.prune_to_bytes(0, TxId(END)),
        Err(Error::Closed)
    ));
    assert_eq!(disk.digest(), before);
}

/// Does something when a file is opened for the second time from now.
#[derive(Default)]
struct OnSecondOpen {
    does: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    opened: AtomicUsize,
}

impl std::fmt::Debug for OnSecondOpen {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("OnSecondOpen")
    }
}

impl Hooks for OnSecondOpen {
    fn before_open(&self) {
        if self.opened.fetch_add(1, Ordering::SeqCst) == 1 {
            let does = self.does.lock().unwrap().take();
            does.into_iter().for_each(|does| does());
        }
    }
}

type Read = fn(&Log) -> Result<u64, Error>;

#[test]
fn what_is_given_up_while_it_is_read_is_no_damage_whoever_reads() {
    let reads: [Read; 2] = [Log::verify, |log| {
        let shipment = log.ship(TxId(0)..TxId(END), u64::MAX)?;
        Ok(shipment.range().end.0)
    }];
    for (read, prunes) in reads
        .into_iter()
        .flat_map(|read| [(read, true), (read, false)])
    {
        let disk = SimDisk::new(1);
        let hooks = Arc::<OnSecondOpen>::default();
        let root = HookedDir::around(disk.root(), Arc::clone(&hooks) as Arc<dyn Hooks>);
        let log = Log::create(root, LOG_ID, small(), &[(b"genesis", Some(7))]).unwrap();
        let log = Arc::new(log);
        fill(&log, END);
        let other = Arc::clone(&log);
        *hooks.does.lock().unwrap() = Some(Box::new(move || {
            match prunes {
                true => drop(other.prune_before(TxId(15)).unwrap()),
                false => drop(other.truncate_after(TxId(1)).unwrap()),
            };
        }));
        hooks.opened.store(0, Ordering::SeqCst);
        match (prunes, read(&log)) {
            (true, Err(Error::Pruned { oldest })) => assert_eq!(oldest, log.base()),
            (false, Err(Error::Truncated { end })) => assert_eq!(end, TxId(2)),
            (_, read) => panic!("{read:?}"),
        }
        assert_eq!(log.verify().unwrap(), log.next_id().0 - log.base().0);
    }
}

/// What another thread does whenever a file is to be removed, with a log that is being pruned.
type Meanwhile = Box<dyn Fn(Arc<Log>) + Send + Sync>;

/// Goes on once that is done, which it is at once unless it has to wait for the removal.
#[derive(Default)]
struct WhileRemoving {
    log: OnceLock<Arc<Log>>,
    meanwhile: OnceLock<Meanwhile>,
    removals: AtomicUsize,
}

impl std::fmt::Debug for WhileRemoving {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("WhileRemoving")
    }
}

impl Hooks for WhileRemoving {
    fn before_remove(&self, name: &str) {
        if !name.ends_with(".log") {
            // What making a segment begins with.
            return;
        }
        if let (Some(log), Some(meanwhile)) = (self.log.get(), self.meanwhile.get()) {
            self.removals.fetch_add(1, Ordering::SeqCst);
            meanwhile(Arc::clone(log));
        }
    }
}

fn hooked_log(disk: &SimDisk, meanwhile: Meanwhile) -> (Arc<Log>, Arc<WhileRemoving>) {
    let hooks = Arc::<WhileRemoving>::default();
    let root = HookedDir::around(disk.root(), Arc::clone(&hooks) as Arc<dyn Hooks>);
    let log = Log::create(root, LOG_ID, small(), &[(b"genesis", Some(7))]).unwrap();
    let log = Arc::new(log);
    fill(&log, END);
    hooks.log.set(Arc::clone(&log)).unwrap();
    assert!(hooks.meanwhile.set(meanwhile).is_ok());
    (log, hooks)
}

/// Longer than anything takes that does not wait for the removal.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn appending_reading_and_rotating_go_on_while_files_are_removed() {
    let disk = SimDisk::new(1);
    let meanwhile: Meanwhile = Box::new(|log| {
        let (done, waits) = mpsc::channel();
        thread::spawn(move || {
            let id = log.next_id().0;
            log.append_with(&payload(id), Some(1), Handoff::Queued)
                .unwrap();
            fill(&log, id + 2);
            log.rotate().unwrap();
            let oldest = log.base();
            assert_eq!(read_all(&log), expected(oldest.0, id + 2));
            let gone = log.reader(TxId(0)).map(drop);
            assert!(matches!(gone, Err(Error::Pruned { oldest: found }) if found == oldest));
            // Nobody waits any more if this comes too late.
            let _ = done.send(());
        });
        waits
            .recv_timeout(PATIENCE)
            .expect("it waits for the removal");
    });
    let (log, hooks) = hooked_log(&disk, meanwhile);
    let first = usize::try_from(disk.call_count()).unwrap();
    let Pruned {
        segments_removed,
        base,
        ..
    } = log.prune_before(TxId(END)).unwrap();
    assert!(segments_removed > 5);
    assert_eq!(hooks.removals.load(Ordering::SeqCst), segments_removed);
    // All removals are synced together.
    let calls = &disk.calls()[first..];
    let place = |operation| calls.iter().rposition(|call| call.operation == operation);
    assert!(place(Operation::Remove) < place(Operation::SyncDir));
    let end = log.next_id().0;
    assert_eq!(end, END + 2 * segments_removed as u64);
    for cut in disk.power_cuts(6, 1) {
        let (log, report) = Log::open(cut.root(), small(), &[]).unwrap();
        assert_eq!((report.base, report.leftovers_removed), (base, 0));
        assert_eq!(read_all(&log), expected(base.0, end));
    }
}

/// Whoever opens the log next finds nobody at work in its directory.
#[test]
fn a_log_is_closed_only_when_no_file_of_it_is_removed_any_more() {
    let disk = SimDisk::new(1);
    let closing: Arc<Mutex<Option<thread::JoinHandle<u64>>>> = Arc::default();
    let (kept, watched) = (Arc::clone(&closing), disk.clone());
    let meanwhile: Meanwhile = Box::new(move |log| {
        let mut closing = kept.lock().unwrap();
        if closing.is_none() {
            *closing = Some(close_beside(&log, &watched));
        }
    });
    let (log, _) = hooked_log(&disk, meanwhile);
    let Pruned { base, .. } = log.prune_before(TxId(END)).unwrap();
    let closing = closing.lock().unwrap().take().unwrap();
    assert_eq!(closing.join().unwrap(), disk.call_count());
    drop(log);
    let (_, report) = Log::open(disk.root(), small(), &[]).unwrap();
    assert!(report.was_closed);
    assert_eq!((report.base, report.leftovers_removed), (base, 0));
}

/// A second prune yields when the files that a first one has begun to remove are gone, too.
#[test]
fn prunes_come_one_after_the_other() {
    let disk = SimDisk::new(1);
    let second: Arc<Mutex<Option<thread::JoinHandle<usize>>>> = Arc::default();
    let (kept, watched) = (Arc::clone(&second), disk.clone());
    let meanwhile: Meanwhile = Box::new(move |log| {
        let mut second = kept.lock().unwrap();
        if second.is_none() {
            let disk = watched.clone();
            let thread = thread::spawn(move || {
                log.prune_before(TxId(9)).unwrap();
                disk.files().len()
            });
            give_time(&thread);
            *second = Some(thread);
        }
    });
    let (log, _) = hooked_log(&disk, meanwhile);
    log.prune_before(TxId(9)).unwrap();
    let second = second.lock().unwrap().take().unwrap();
    assert_eq!(second.join().unwrap(), segments(&disk).len());
}
