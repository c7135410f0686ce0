//! What the tests of a log have in common: a directory, options for short segments, payloads by number.
#![allow(dead_code, reason = "no test needs all of it")]

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use commitlog::{Log, LogId, Options, SyncPolicy, TxId};
use disk::{Access, Dir, OsDir, SimDisk};
use tempfile::TempDir;

pub(crate) const LOG_ID: LogId = LogId(*b"0123456789abcdef");

pub(crate) fn temporary() -> (TempDir, Arc<dyn Dir>) {
    let temporary = tempfile::tempdir().unwrap();
    let dir = OsDir::open(temporary.path()).unwrap();
    (temporary, dir)
}

pub(crate) fn small() -> Options {
    Options {
        segment_bytes_max: 12288 + 400,
        ..Options::default()
    }
}

pub(crate) fn payload(number: u64) -> Vec<u8> {
    let length = usize::try_from(number * 37 % 300).unwrap();
    (0..length)
        .map(|at| u8::try_from((at as u64 + number) % 251).unwrap())
        .collect()
}

pub(crate) fn create(dir: &Arc<dyn Dir>, options: Options) -> Log {
    Log::create(Arc::clone(dir), LOG_ID, options, &[(b"genesis", Some(7))]).unwrap()
}

/// A log that syncs nothing by itself and holds these payloads from id 0 on.
pub(crate) fn log_of(disk: &SimDisk, payloads: &[impl AsRef<[u8]>]) -> Log {
    let options = Options {
        sync_policy: SyncPolicy::Never,
        ..Options::default()
    };
    let log = Log::create(disk.root(), LOG_ID, options, &[]).unwrap();
    for payload in payloads {
        log.append(payload.as_ref(), None).unwrap();
    }
    log
}

pub(crate) fn files(dir: &Arc<dyn Dir>) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in dir.list().unwrap() {
        let file = dir.open(&entry.name, Access::Read).unwrap();
        let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
        file.read_exact_at(0, &mut bytes).unwrap();
        files.push((entry.name, bytes));
    }
    files
}

pub(crate) fn read_all(log: &Log) -> Vec<(u64, Vec<u8>)> {
    let mut reader = log.reader(log.base()).unwrap();
    let mut records = Vec::new();
    while let Some(record) = reader.next_owned().unwrap() {
        records.push((record.id.0, record.payload));
    }
    records
}

pub(crate) fn expected(from: u64, to: u64) -> Vec<(u64, Vec<u8>)> {
    let one = |id| {
        (
            id,
            if id == 0 {
                b"genesis".to_vec()
            } else {
                payload(id)
            },
        )
    };
    (from..to).map(one).collect()
}

pub(crate) fn fill(log: &Log, to: u64) {
    for number in log.next_id().0..to {
        assert_eq!(log.commit(&payload(number), Some(1)).unwrap(), TxId(number));
    }
}

pub(crate) fn segments(dir: &Arc<dyn Dir>) -> Vec<u64> {
    let extent = Log::inspect(dir.as_ref()).unwrap();
    extent
        .segments
        .iter()
        .map(|segment| segment.base.0)
        .collect()
}

/// Closes the log in another thread, and yields once that is about to wait for whoever is at work on files, or done. The thread ends with how many calls of the disk there were
/// when the log was closed.
pub(crate) fn close_beside(log: &Arc<Log>, disk: &SimDisk) -> JoinHandle<u64> {
    let (closed, disk) = (Arc::clone(log), disk.clone());
    let thread = thread::spawn(move || {
        closed.close().unwrap();
        disk.call_count()
    });
    while log.maintain(Duration::ZERO).is_ok() {
        thread::yield_now();
    }
    give_time(&thread);
    thread
}

/// Gives a thread time to end, unless it waits for this one.
pub(crate) fn give_time<T>(thread: &JoinHandle<T>) {
    for _ in 0..10_000 {
        if thread.is_finished() {
            break;
        }
        thread::yield_now();
    }
}
