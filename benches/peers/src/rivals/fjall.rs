//! fjall: an LSM tree whose journal is what a commit waits for.

use std::path::Path;
use std::time::{Duration, Instant};

use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use crate::rival::{Promise, Rival, Session, Written};

pub(crate) struct Fjall;

struct Open {
    database: Database,
    records: Keyspace,
    mode: PersistMode,
}

impl Rival for Fjall {
    fn name(&self) -> &'static str {
        "fjall"
    }

    fn package(&self) -> Option<&'static str> {
        Some("fjall")
    }

    fn settings(&self) -> &'static str {
        "a batch per commit, no compression; kill: `PersistMode::Buffer`; power: `SyncData`; keys are ids"
    }

    fn open(&self, dir: &Path, promise: Promise) -> Box<dyn Session> {
        let (database, records) = open(dir);
        let mode = match promise {
            Promise::Kill => PersistMode::Buffer,
            Promise::Power => PersistMode::SyncData,
        };
        Box::new(Open {
            database,
            records,
            mode,
        })
    }

    fn replay(&self, dir: &Path, _written: Written, visit: &mut dyn FnMut(&[u8])) -> Duration {
        let start = Instant::now();
        let (_database, records) = open(dir);
        for item in records.iter() {
            visit(&item.value().unwrap());
        }
        start.elapsed()
    }

    fn replay_note(&self) -> Option<&'static str> {
        Some("opening is included, which is where it reads and builds its tree")
    }
}

fn open(dir: &Path) -> (Database, Keyspace) {
    let database = Database::builder(dir)
        .journal_compression(CompressionType::None)
        .open()
        .unwrap();
    let records = database
        .keyspace("records", KeyspaceCreateOptions::default)
        .unwrap();
    (database, records)
}

impl Session for Open {
    fn commit(&self, _thread: usize, first: u64, records: &[Vec<u8>]) {
        let mut batch = self.database.batch().durability(Some(self.mode));
        for (id, record) in (first..).zip(records) {
            batch.insert(&self.records, id.to_be_bytes(), record.as_slice());
        }
        batch.commit().unwrap();
    }
}
