//! redb: a copy-on-write B-tree in one file, with no log.

use std::path::Path;
use std::time::{Duration, Instant};

use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition};

use crate::rival::{Promise, Rival, Session, Written};

const FILE: &str = "redb";
const RECORDS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("records");

pub(crate) struct Redb;

struct Open {
    database: Database,
}

impl Rival for Redb {
    fn name(&self) -> &'static str {
        "redb"
    }

    fn package(&self) -> Option<&'static str> {
        Some("redb")
    }

    fn settings(&self) -> &'static str {
        "a transaction per commit; power: `Durability::Immediate`; keys are ids"
    }

    fn refuses(&self, promise: Promise) -> Option<&'static str> {
        (promise == Promise::Kill)
            .then_some("`Durability::None` keeps a commit in the process, a kill loses it")
    }

    fn open(&self, dir: &Path, _promise: Promise) -> Box<dyn Session> {
        let database = Database::create(dir.join(FILE)).unwrap();
        Box::new(Open { database })
    }

    fn replay(&self, dir: &Path, _written: Written, visit: &mut dyn FnMut(&[u8])) -> Duration {
        let database = Database::open(dir.join(FILE)).unwrap();
        let start = Instant::now();
        let transaction = database.begin_read().unwrap();
        let records = transaction.open_table(RECORDS).unwrap();
        for entry in records.iter().unwrap() {
            visit(entry.unwrap().1.value());
        }
        start.elapsed()
    }

    fn replay_note(&self) -> Option<&'static str> {
        Some("a scan of the tree, whose checksums are not verified")
    }

    fn batch_to_fill(&self) -> usize {
        100
    }
}

impl Session for Open {
    fn commit(&self, _thread: usize, first: u64, records: &[Vec<u8>]) {
        let mut transaction = self.database.begin_write().unwrap();
        transaction.set_durability(Durability::Immediate).unwrap();
        {
            let mut table = transaction.open_table(RECORDS).unwrap();
            for (id, record) in (first..).zip(records) {
                table.insert(id, record.as_slice()).unwrap();
            }
        }
        transaction.commit().unwrap();
    }
}
