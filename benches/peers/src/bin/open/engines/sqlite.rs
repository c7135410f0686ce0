//! SQLite in WAL mode.

use std::fs::File;
use std::path::Path;

use rusqlite::Connection;

use crate::engine::{BATCH, Engine, Opened};
use crate::row::{Row, Texts};

const FILE: &str = "sqlite";

pub(crate) struct Sqlite;

/// The order of unsigned keys in SQLite's signed ones.
fn signed(key: u64) -> i64 {
    (key ^ 1 << 63).cast_signed()
}

impl Engine for Sqlite {
    fn name(&self) -> &'static str {
        "SQLite"
    }

    fn settings(&self) -> &'static str {
        "WAL, synchronous FULL, emptied by a checkpoint; a copy is `VACUUM INTO`, synced"
    }

    fn fill(&self, dir: &Path, rows: u64) {
        let connection = open(dir);
        connection
            .execute_batch(
                "PRAGMA synchronous = OFF;
                 CREATE TABLE rows (key INTEGER PRIMARY KEY, count INTEGER NOT NULL, ratio REAL NOT NULL, text TEXT NOT NULL)",
            )
            .unwrap();
        let mut texts = Texts::default();
        let statement = "INSERT INTO rows VALUES (?1, ?2, ?3, ?4)";
        let mut insert = connection.prepare(statement).unwrap();
        for first in (0..rows).step_by(BATCH) {
            connection.execute_batch("BEGIN").unwrap();
            for place in first..rows.min(first + BATCH as u64) {
                let row = texts.row(place);
                let values = (signed(row.key), row.count, row.ratio, row.text);
                insert.execute(values).unwrap();
            }
            connection.execute_batch("COMMIT").unwrap();
        }
        drop(insert);
        connection
            .execute_batch("PRAGMA synchronous = FULL; PRAGMA wal_checkpoint(TRUNCATE)")
            .unwrap();
    }

    fn find_first(&self, dir: &Path, key: u64) -> (u64, Box<dyn Opened>) {
        let connection = open(dir);
        let digest = connection
            .query_row(
                "SELECT count, ratio, text FROM rows WHERE key = ?1",
                [signed(key)],
                |row| {
                    let text = row.get_ref(2)?;
                    let found = Row {
                        key,
                        count: row.get(0)?,
                        ratio: row.get(1)?,
                        text: text.as_str()?,
                    };
                    Ok(found.digest())
                },
            )
            .unwrap();
        (digest, Box::new(connection))
    }
}

fn open(dir: &Path) -> Connection {
    let connection = Connection::open(dir.join(FILE)).unwrap();
    connection
        .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
        .unwrap();
    connection
}

impl Opened for Connection {
    fn copy(&self, to: &Path) {
        let file = to.join(FILE);
        self.execute("VACUUM INTO ?1", [file.to_str().unwrap()])
            .unwrap();
        File::open(file).unwrap().sync_all().unwrap();
        File::open(to).unwrap().sync_all().unwrap();
    }
}
