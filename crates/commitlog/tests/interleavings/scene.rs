//! A log on a simulated disk that many threads share, and what is in its files.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use commitlog::{Log, LogId, Options, TxId};
use disk::{Choice, Crash, SimDisk};
use shuttle::thread;

use crate::hooked_dir::{HookedDir, Hooks};

const LOG_ID: LogId = LogId(*b"interleavings...");

/// Runs the scenario in many orders: half of them fair, half with few preemptions, which find what needs one thread to stand still for long.
pub(crate) fn explore(scenario: impl Fn() + Send + Sync + Copy + 'static) {
    let orders = std::env::var("CAIRN_SEEDS").ok();
    let orders = orders.map_or(4000, |orders| orders.parse().unwrap());
    shuttle::check_random(scenario, orders);
    shuttle::check_pct(scenario, orders, 3);
}

/// Lets other threads go on in the middle of each open, write and sync, can panic in a sync, and can note what was durable at some time.
#[derive(Debug, Default)]
pub(crate) struct Slowness {
    panics: AtomicBool,
    watched: Mutex<Option<Watched>>,
}

#[derive(Debug)]
struct Watched {
    disk: SimDisk,
    not_yet: Vec<Vec<u8>>,
    durable: Vec<Vec<u8>>,
}

impl Slowness {
    pub(crate) fn panic_in_next_sync(&self) {
        self.panics.store(true, Ordering::SeqCst);
    }

    /// Notes from now on which of these records become durable, if only for a while.
    pub(crate) fn watch(&self, disk: &SimDisk, records: Vec<Vec<u8>>) {
        *self.watched.lock().unwrap() = Some(Watched {
            disk: disk.clone(),
            not_yet: records,
            durable: Vec::new(),
        });
    }

    pub(crate) fn was_durable(&self, record: &[u8]) -> bool {
        let watched = self.watched.lock().unwrap();
        let durable = &watched.as_ref().unwrap().durable;
        durable.iter().any(|known| known == record)
    }

    fn look(&self) {
        if let Some(watched) = self.watched.lock().unwrap().as_mut() {
            let disk = &watched.disk;
            let found = watched
                .not_yet
                .extract_if(.., |record| is_durable(disk, record));
            watched.durable.extend(found);
        }
    }
}

impl Hooks for Slowness {
    fn before_open(&self) {
        thread::yield_now();
    }

    fn before_write(&self, _: u64) {
        thread::yield_now();
    }

    fn after_sync(&self) {
        self.look();
        // What is written from here on is not covered by this sync.
        thread::yield_now();
        assert!(!self.panics.swap(false, Ordering::SeqCst), "told to");
    }
}

pub(crate) struct Scene {
    pub(crate) disk: SimDisk,
    pub(crate) slowness: Arc<Slowness>,
    pub(crate) log: Arc<Log>,
}

pub(crate) fn scene(options: Options) -> Scene {
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

pub(crate) fn payload(thread: u8, number: u8) -> Vec<u8> {
    vec![0xC0 | thread, 0xA0 | number, 0x5A, thread, number, 0x7E]
}

/// Whether the record is in the files, as they are or as a power cut would leave them at the worst.
pub(crate) fn holds(disk: &SimDisk, payload: &[u8], after_power_cut: bool) -> bool {
    let disk = disk.fork();
    if after_power_cut {
        disk.crash(Crash::Power(Choice::Old));
    }
    disk.files().iter().any(|file| {
        let bytes = disk.read(file).unwrap();
        bytes.windows(payload.len()).any(|window| window == payload)
    })
}

pub(crate) fn is_durable(disk: &SimDisk, payload: &[u8]) -> bool {
    holds(disk, payload, true)
}

/// The records but the genesis that are found behind what a kill leaves, in their order.
pub(crate) fn contents(disk: &SimDisk) -> Vec<Vec<u8>> {
    let killed = disk.fork();
    let (log, _) = Log::open(killed.root(), Options::default(), &[]).unwrap();
    read(&log, TxId(1)..log.next_id())
}

/// These records.
pub(crate) fn read(log: &Log, ids: Range<TxId>) -> Vec<Vec<u8>> {
    let mut reader = log.reader(ids.start).unwrap();
    let mut found = Vec::new();
    for id in ids.start.0..ids.end.0 {
        let record = reader.next_record().unwrap().unwrap();
        assert_eq!(record.id, TxId(id));
        found.push(record.payload.to_vec());
    }
    found
}

/// Reopens what a kill leaves. Ids are gapless by construction: the records are `expected` in some order.
pub(crate) fn check_contents(disk: &SimDisk, mut expected: Vec<Vec<u8>>) {
    let mut found = contents(disk);
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

pub(crate) fn all(threads: u8, each: u8) -> Vec<Vec<u8>> {
    let one = |thread| (0..each).map(move |number| payload(thread, number));
    (0..threads).flat_map(one).collect()
}

pub(crate) fn spawn_each(
    threads: u8,
    work: impl Fn(u8) + Clone + Send + 'static,
) -> Vec<thread::JoinHandle<()>> {
    let start = |number| {
        let work = work.clone();
        thread::spawn(move || work(number))
    };
    (0..threads).map(start).collect()
}

pub(crate) fn join(threads: Vec<thread::JoinHandle<()>>) {
    for thread in threads {
        thread.join().unwrap();
    }
}
