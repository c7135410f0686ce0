//! The package `commitlog` by zowens: segments of messages and an index.

use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use zowens::message::{MessageBuf, MessageSet};
use zowens::{CommitLog, LogOptions, ReadLimit};

use crate::rival::{Promise, Rival, Session, Written};

/// How much is read at once.
const READ_BYTES: usize = 1 << 20;

pub(crate) struct Zowens;

struct Open {
    log: Mutex<CommitLog>,
}

impl Rival for Zowens {
    fn name(&self) -> &'static str {
        "zowens"
    }

    fn package(&self) -> Option<&'static str> {
        Some("commitlog")
    }

    fn settings(&self) -> &'static str {
        "kill: `append_msg`, or `append` of a buffer, one write each; reads of 1 MiB"
    }

    fn refuses(&self, promise: Promise) -> Option<&'static str> {
        (promise == Promise::Power).then_some("its `flush` does not sync the segment's file")
    }

    fn open(&self, dir: &Path, _promise: Promise) -> Box<dyn Session> {
        Box::new(Open {
            log: Mutex::new(open(dir)),
        })
    }

    fn replay(&self, dir: &Path, _written: Written, visit: &mut dyn FnMut(&[u8])) -> Duration {
        let log = open(dir);
        let start = Instant::now();
        let mut next = 0;
        loop {
            let messages = log.read(next, ReadLimit::max_bytes(READ_BYTES)).unwrap();
            let before = next;
            for message in messages.iter() {
                visit(message.payload());
                next = message.offset() + 1;
            }
            if next == before {
                return start.elapsed();
            }
        }
    }
}

fn open(dir: &Path) -> CommitLog {
    CommitLog::new(LogOptions::new(dir)).unwrap()
}

impl Session for Open {
    fn commit(&self, _thread: usize, _first: u64, records: &[Vec<u8>]) {
        let mut log = self.log.lock().unwrap();
        if let [record] = records {
            log.append_msg(record).unwrap();
            return;
        }
        let mut messages = MessageBuf::default();
        for record in records {
            messages.push(record).unwrap();
        }
        log.append(&mut messages).unwrap();
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.log.lock().unwrap().flush().unwrap();
    }
}
