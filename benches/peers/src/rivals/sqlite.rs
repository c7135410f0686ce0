//! SQLite in WAL mode, one connection that the threads share.

use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::rival::{Promise, Rival, Session, Written};

const FILE: &str = "sqlite";

pub(crate) struct Sqlite;

struct Open {
    connection: Mutex<Connection>,
}

impl Rival for Sqlite {
    fn name(&self) -> &'static str {
        "SQLite"
    }

    fn package(&self) -> Option<&'static str> {
        Some("rusqlite")
    }

    fn settings(&self) -> &'static str {
        "journal_mode WAL, locking_mode EXCLUSIVE, prepared statements; kill: synchronous OFF; power: FULL; keys are ids"
    }

    fn open(&self, dir: &Path, promise: Promise) -> Box<dyn Session> {
        Box::new(Open {
            connection: Mutex::new(open(dir, promise)),
        })
    }

    fn replay(&self, dir: &Path, _written: Written, visit: &mut dyn FnMut(&[u8])) -> Duration {
        let connection = open(dir, Promise::Kill);
        let start = Instant::now();
        let mut select = connection
            .prepare("SELECT payload FROM records ORDER BY id")
            .unwrap();
        let mut rows = select.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            visit(row.get_ref(0).unwrap().as_blob().unwrap());
        }
        start.elapsed()
    }

    fn replay_note(&self) -> Option<&'static str> {
        Some("a scan of the table, whose pages have no checksums")
    }
}

fn open(dir: &Path, promise: Promise) -> Connection {
    let connection = Connection::open(dir.join(FILE)).unwrap();
    let synchronous = match promise {
        Promise::Kill => "OFF",
        Promise::Power => "FULL",
    };
    connection
        .execute_batch(&format!(
            "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous}; \
             CREATE TABLE IF NOT EXISTS records (id INTEGER PRIMARY KEY, payload BLOB NOT NULL) STRICT;"
        ))
        .unwrap();
    connection
}

impl Session for Open {
    fn commit(&self, _thread: usize, first: u64, records: &[Vec<u8>]) {
        let mut connection = self.connection.lock().unwrap();
        let transaction = connection.transaction().unwrap();
        {
            let mut insert = transaction
                .prepare_cached("INSERT INTO records VALUES (?1, ?2)")
                .unwrap();
            for (id, record) in (first..).zip(records) {
                insert
                    .execute((i64::try_from(id).unwrap(), record))
                    .unwrap();
            }
        }
        transaction.commit().unwrap();
    }
}
