//! Cairn's `commitlog`.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use commitlog::{Log, LogId, Options, SyncPolicy, TxId};
use disk::{Dir, OsDir};

use crate::rival::{Promise, Rival, Session, Written};

pub(crate) struct Cairn;

struct Open {
    log: Log,
    promise: Promise,
}

impl Rival for Cairn {
    fn name(&self) -> &'static str {
        "cairn"
    }

    fn package(&self) -> Option<&'static str> {
        None
    }

    fn settings(&self) -> &'static str {
        "commitlog of this checkout; kill: sync policy `Never`; power: `EveryCommit`; a batch is an `append_batch`"
    }

    fn open(&self, dir: &Path, promise: Promise) -> Box<dyn Session> {
        let sync_policy = match promise {
            Promise::Kill => SyncPolicy::Never,
            Promise::Power => SyncPolicy::EveryCommit,
        };
        Box::new(Open {
            log: open(dir, sync_policy),
            promise,
        })
    }

    fn replay(&self, dir: &Path, _written: Written, visit: &mut dyn FnMut(&[u8])) -> Duration {
        let log = open(dir, SyncPolicy::Never);
        let start = Instant::now();
        let mut reader = log.reader(TxId(0)).unwrap();
        while let Some(record) = reader.next_record().unwrap() {
            visit(record.payload);
        }
        let took = start.elapsed();
        log.close().unwrap();
        took
    }
}

fn open(dir: &Path, sync_policy: SyncPolicy) -> Log {
    let dir: Arc<dyn Dir> = OsDir::open(dir).unwrap();
    let options = Options {
        sync_policy,
        ..Options::default()
    };
    if dir.list().unwrap().is_empty() {
        return Log::create(dir, LogId(*b"a log of a bench"), options, &[]).unwrap();
    }
    Log::open(dir, options, &[]).unwrap().0
}

impl Session for Open {
    fn commit(&self, _thread: usize, _first: u64, records: &[Vec<u8>]) {
        if let [record] = records {
            self.log.commit(record, None).unwrap();
            return;
        }
        let batch: Vec<_> = records.iter().map(|record| (&record[..], None)).collect();
        let ids = self.log.append_batch(&batch).unwrap();
        if self.promise == Promise::Power {
            self.log.wait_durable(TxId(ids.end.0 - 1)).unwrap();
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.log.close().unwrap();
    }
}
