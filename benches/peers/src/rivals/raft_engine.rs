//! raft-engine: the log of TiKV, many groups of entries in one log of files.

use std::path::Path;
use std::time::{Duration, Instant};

use protobuf::well_known_types::BytesValue;
use raft_engine::{Config, Engine, LogBatch, MessageExt, ReadableSize};

use crate::records::id_of;
use crate::rival::{Promise, Rival, Session, Written};

/// How many entries are fetched at once.
const FETCH: u64 = 1000;

pub(crate) struct RaftEngine;

struct Open {
    engine: Engine,
    sync: bool,
}

/// A record as an entry. Indexes begin at 1.
#[derive(Debug, Clone)]
struct Message;

impl MessageExt for Message {
    type Entry = BytesValue;

    fn index(entry: &BytesValue) -> u64 {
        id_of(&entry.value) + 1
    }
}

impl Rival for RaftEngine {
    fn name(&self) -> &'static str {
        "raft-engine"
    }

    fn package(&self) -> Option<&'static str> {
        Some("raft-engine")
    }

    fn settings(&self) -> &'static str {
        "one raft group per thread; kill: `write(batch, false)`; power: `write(batch, true)`; no compression"
    }

    fn open(&self, dir: &Path, promise: Promise) -> Box<dyn Session> {
        Box::new(Open {
            engine: open(dir),
            sync: promise == Promise::Power,
        })
    }

    fn replay(&self, dir: &Path, written: Written, visit: &mut dyn FnMut(&[u8])) -> Duration {
        let engine = open(dir);
        let start = Instant::now();
        let mut entries = Vec::new();
        for group in 1..=written.threads as u64 {
            let Some(mut next) = engine.first_index(group) else {
                continue;
            };
            let end = engine.last_index(group).unwrap() + 1;
            while next < end {
                let until = end.min(next + FETCH);
                entries.clear();
                engine
                    .fetch_entries_to::<Message>(group, next, until, None, &mut entries)
                    .unwrap();
                entries.iter().for_each(|entry| visit(&entry.value));
                next = until;
            }
        }
        start.elapsed()
    }
}

fn open(dir: &Path) -> Engine {
    Engine::open(Config {
        dir: dir.to_str().unwrap().to_owned(),
        batch_compression_threshold: ReadableSize(0),
        ..Config::default()
    })
    .unwrap()
}

impl Session for Open {
    fn commit(&self, thread: usize, _first: u64, records: &[Vec<u8>]) {
        let entries: Vec<BytesValue> = records
            .iter()
            .map(|record| BytesValue {
                value: record.clone(),
                ..BytesValue::default()
            })
            .collect();
        let mut batch = LogBatch::default();
        batch
            .add_entries::<Message>(thread as u64 + 1, &entries)
            .unwrap();
        self.engine.write(&mut batch, self.sync).unwrap();
    }
}
