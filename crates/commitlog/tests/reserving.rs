//! Room is made while others go on: whoever reads, syncs, or appends to the room that there is does not wait for the disk.
#![allow(clippy::unwrap_used)]

#[path = "support/hooked_dir.rs"]
mod hooked_dir;
#[path = "support/logs.rs"]
mod logs;

use std::fmt;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use commitlog::{Error, Handoff, Log, Options, SyncPolicy, TxId};
use disk::{Access, Fault, SimDisk};
use hooked_dir::{HookedDir, Hooks};
use logs::{LOG_ID, read_all};

const FILE: &str = "00000000000000000000.log";
/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// More than there is room for.
static LONG: [u8; 40_000] = [0x4C; 40_000];

type Action = Box<dyn FnOnce() + Send>;

/// Does something once right before the file is made longer.
struct Growth {
    disk: SimDisk,
    before: Mutex<Option<Action>>,
}

impl Growth {
    fn act(&self) {
        let action = self.before.lock().unwrap().take();
        if let Some(action) = action {
            action();
        }
    }
}

impl fmt::Debug for Growth {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Growth")
    }
}

impl Hooks for Growth {
    fn before_write(&self, offset: u64) {
        let len = self
            .disk
            .read(FILE)
            .map_or(u64::MAX, |bytes| bytes.len() as u64);
        if offset >= len {
            self.act();
        }
    }

    fn before_allocate(&self) {
        self.act();
    }
}

/// A log with records 0 and 1 and room for some more short ones.
struct Scene {
    disk: SimDisk,
    growth: Arc<Growth>,
    log: Arc<Log>,
}

impl Scene {
    fn new(sync_policy: SyncPolicy) -> Scene {
        let disk = SimDisk::new(1);
        let growth = Arc::new(Growth {
            disk: disk.clone(),
            before: Mutex::new(None),
        });
        let root = HookedDir::around(disk.root(), Arc::clone(&growth) as Arc<dyn Hooks>);
        let options = Options {
            sync_policy,
            ..Options::default()
        };
        let log = Log::create(root, LOG_ID, options, &[(b"genesis", None)]).unwrap();
        log.append(b"one", None).unwrap();
        let log = Arc::new(log);
        Scene { disk, growth, log }
    }

    /// Does something as soon as room is made for [`LONG`].
    fn on_growth(&self, action: impl FnOnce(&Arc<Log>) + Send + 'static) {
        let log = Arc::downgrade(&self.log);
        let action = move || action(&log.upgrade().unwrap());
        *self.growth.before.lock().unwrap() = Some(Box::new(action));
    }

    fn check_reopened(self, expected: &[&[u8]]) {
        let Scene { disk, log, .. } = self;
        log.close().unwrap();
        drop(log);
        let (log, _) = Log::open(disk.root(), Options::default(), &[]).unwrap();
        let payloads = expected.iter().map(|payload| payload.to_vec());
        let expected: Vec<(u64, Vec<u8>)> = (0..).zip(payloads).collect();
        assert!(read_all(&log) == expected);
    }
}

/// Asks the log in another thread.
fn ask<T: Send + 'static>(
    log: &Arc<Log>,
    question: impl FnOnce(&Log) -> T + Send + 'static,
) -> Receiver<T> {
    let (log, (answer, answers)) = (Arc::clone(log), channel());
    thread::spawn(move || answer.send(question(&log)));
    answers
}

/// Waits until a record with this id has been appended.
fn await_record(log: &Log, id: u64) {
    while log.next_id() <= TxId(id) {
        thread::yield_now();
    }
}

#[test]
fn the_log_answers_while_room_is_made() {
    for policy in [SyncPolicy::EveryCommit, SyncPolicy::Never] {
        let scene = Scene::new(policy);
        let (told, hears) = channel();
        scene.on_growth(move |log| {
            let end = ask(log, |log| log.next_id().0);
            assert_eq!(end.recv_timeout(PATIENCE), Ok(2), "where it ends");
            let durable = ask(log, |log| {
                log.sync().unwrap();
                log.durable_end().0
            });
            assert_eq!(durable.recv_timeout(PATIENCE), Ok(2), "a sync");
            let read = ask(log, |log| {
                let mut reader = log.reader(TxId(1)).unwrap();
                reader.next_record().unwrap().unwrap().payload.to_vec()
            });
            assert_eq!(read.recv_timeout(PATIENCE).unwrap(), b"one", "a reader");
            let queued = ask(log, |log| {
                log.append_with(b"two", None, Handoff::Queued).unwrap().0
            });
            assert_eq!(queued.recv_timeout(PATIENCE), Ok(2), "what is queued");
            told.send(()).unwrap();
        });
        // The short record came first.
        assert_eq!(
            scene.log.append(&LONG, None).unwrap(),
            TxId(3),
            "{policy:?}"
        );
        hears.try_recv().unwrap();
        scene.check_reopened(&[b"genesis", b"one", b"two", &LONG]);
    }
}

/// Whoever waits for whoever makes room goes on behind that.
#[test]
fn what_waits_until_room_is_made_goes_on_then() {
    let scene = Scene::new(SyncPolicy::EveryCommit);
    let (told, hears) = channel();
    scene.on_growth(move |log| {
        let commits = ask(log, |log| log.commit(b"two", None).unwrap());
        await_record(log, 2);
        let rotates = ask(log, |log| log.rotate().unwrap());
        told.send((commits, rotates)).unwrap();
    });
    assert_eq!(scene.log.append(&LONG, None).unwrap(), TxId(3));
    let (commits, rotates) = hears.try_recv().unwrap();
    assert_eq!(commits.recv_timeout(PATIENCE), Ok(TxId(2)));
    rotates.recv_timeout(PATIENCE).unwrap();
    assert_eq!(scene.disk.files().len(), 2);
    scene.check_reopened(&[b"genesis", b"one", b"two", &LONG]);
}

#[test]
fn what_waits_until_room_is_made_is_written_if_there_is_none() {
    let scene = Scene::new(SyncPolicy::EveryCommit);
    let (told, hears) = channel();
    let disk = scene.disk.clone();
    scene.on_growth(move |log| {
        told.send(ask(log, |log| log.commit(b"two", None).unwrap()))
            .unwrap();
        await_record(log, 2);
        disk.set_capacity(Some(disk.read(FILE).unwrap().len() as u64 + 100));
    });
    let refused = scene.log.append(&LONG, None);
    assert!(matches!(refused, Err(Error::Full(_))), "{refused:?}");
    let commits = hears.try_recv().unwrap();
    assert_eq!(commits.recv_timeout(PATIENCE), Ok(TxId(2)));
    scene.disk.set_capacity(None);
    assert_eq!(scene.log.append(&LONG, None).unwrap(), TxId(3));
    scene.check_reopened(&[b"genesis", b"one", b"two", &LONG]);
}

#[test]
fn a_panic_while_room_is_made_poisons_the_log_and_wakes_all() {
    let scene = Scene::new(SyncPolicy::EveryCommit);
    let (told, hears) = channel();
    scene.on_growth(move |log| {
        told.send(ask(log, |log| log.commit(b"two", None))).unwrap();
        await_record(log, 2);
        panic!("told to");
    });
    let log = Arc::clone(&scene.log);
    assert!(
        thread::spawn(move || log.append(&LONG, None))
            .join()
            .is_err()
    );
    let committed = hears.try_recv().unwrap().recv_timeout(PATIENCE).unwrap();
    assert!(matches!(committed, Err(Error::Poisoned)), "{committed:?}");
    assert!(matches!(scene.log.append(b"x", None), Err(Error::Poisoned)));
}

/// Takes the most of the first 16 KiB of room; another one as long needs more.
static HALF: [u8; 10_000] = [0x48; 10_000];

#[test]
fn what_fits_is_taken_though_no_more_is_left() {
    for policy in [SyncPolicy::EveryCommit, SyncPolicy::Never] {
        let scene = Scene::new(policy);
        scene.log.append(&HALF, None).unwrap();
        let len = scene.disk.read(FILE).unwrap().len() as u64;
        scene.disk.set_capacity(Some(len + 6_000));
        assert_eq!(
            scene.log.append(&HALF, None).unwrap(),
            TxId(3),
            "{policy:?}"
        );
        let refused = scene.log.append(&HALF, None);
        assert!(matches!(refused, Err(Error::Full(_))), "{refused:?}");
        scene.disk.set_capacity(None);
        scene.check_reopened(&[b"genesis", b"one", &HALF, &HALF]);
    }
}

#[test]
fn a_disk_that_fails_to_make_room_is_asked_once_and_changes_nothing() {
    for policy in [SyncPolicy::EveryCommit, SyncPolicy::Never] {
        let scene = Scene::new(policy);
        scene.log.append(&HALF, None).unwrap();
        let disk = scene.disk.clone();
        scene.on_growth(move |_| disk.fail_at(disk.call_count(), Fault::Eio));
        let failed = scene.log.append(&HALF, None);
        assert!(
            matches!(failed, Err(Error::Io(_))),
            "{policy:?}: {failed:?}"
        );
        assert_eq!(scene.log.append(&HALF, None).unwrap(), TxId(3));
        scene.check_reopened(&[b"genesis", b"one", &HALF, &HALF]);
    }
}

#[test]
fn room_is_made_for_as_much_as_there_is_up_to_a_mebibyte() {
    let scene = Scene::new(SyncPolicy::EveryCommit);
    let file = scene.disk.root().open(FILE, Access::Read).unwrap();
    let mut lens = vec![file.len().unwrap()];
    for _ in 0..4 << 10 {
        scene.log.append(&[0x52; 1024 - 32], None).unwrap();
        let len = file.len().unwrap();
        if lens.last() != Some(&len) {
            lens.push(len);
        }
    }
    let steps: Vec<u64> = lens
        .windows(2)
        .map(|pair| (pair[1] - pair[0]) >> 10)
        .collect();
    assert!((8..=12).contains(&steps.len()), "{steps:?} KiB");
    assert!(steps.is_sorted(), "{steps:?} KiB");
    assert_eq!(steps.last(), Some(&1024));
}
