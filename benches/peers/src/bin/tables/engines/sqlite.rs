//! SQLite's database in memory.

use rusqlite::Connection;

use crate::engine::{Digest, Engine};
use crate::row::{Row, Texts};

/// A connection to a database of one table.
pub(crate) struct Sqlite(Connection);

impl Sqlite {
    pub(crate) fn new() -> Self {
        let connection = Connection::open_in_memory().expect("memory suffices");
        connection
            .execute_batch(
                "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;
                 CREATE TABLE rows (key INTEGER PRIMARY KEY, count INTEGER NOT NULL, ratio REAL NOT NULL, text TEXT NOT NULL)",
            )
            .expect("the statements are sound");
        Sqlite(connection)
    }

    fn transaction(&self, work: impl FnOnce(&Connection)) {
        self.0.execute_batch("BEGIN").expect("none is open");
        work(&self.0);
        self.0.execute_batch("COMMIT").expect("one is open");
    }
}

fn add(row: &rusqlite::Row<'_>, digest: &mut Digest) {
    let text = row.get_ref(3).expect("there are four columns");
    digest.add(Row {
        key: signed_back(row.get(0).expect("it is an integer")),
        count: row.get(1).expect("it is an integer"),
        ratio: row.get(2).expect("it is a float"),
        text: text.as_str().expect("it is a text"),
    });
}

/// The order of unsigned keys in SQLite's signed ones.
fn signed(key: u64) -> i64 {
    (key ^ 1 << 63).cast_signed()
}

fn signed_back(key: i64) -> u64 {
    key.cast_unsigned() ^ 1 << 63
}

impl Engine for Sqlite {
    fn name(&self) -> &'static str {
        "SQLite"
    }

    fn settings(&self) -> &'static str {
        "`:memory:`, journal_mode OFF (nothing can be rolled back), prepared statements"
    }

    fn insert(&mut self, rows: &mut dyn Iterator<Item = u64>) {
        let mut texts = Texts::default();
        self.transaction(|connection| {
            let mut insert = connection
                .prepare_cached("INSERT INTO rows VALUES (?1, ?2, ?3, ?4)")
                .expect("the statement is sound");
            for place in rows {
                let row = texts.row(place);
                let values = (signed(row.key), row.count, row.ratio, row.text);
                insert.execute(values).expect("it is new");
            }
        });
    }

    fn delete(&mut self, keys: &[u64]) {
        self.transaction(|connection| {
            let mut delete = connection
                .prepare_cached("DELETE FROM rows WHERE key = ?1")
                .expect("the statement is sound");
            for key in keys {
                assert_eq!(delete.execute([signed(*key)]), Ok(1));
            }
        });
    }

    fn find(&self, keys: &[u64]) -> (u64, u64) {
        let mut digest = Digest::default();
        self.transaction(|connection| {
            let mut select = connection
                .prepare_cached("SELECT * FROM rows WHERE key = ?1")
                .expect("the statement is sound");
            for key in keys {
                let mut found = select.query([signed(*key)]).expect("memory is sound");
                if let Some(row) = found.next().expect("memory is sound") {
                    add(row, &mut digest);
                }
            }
        });
        (digest.sum, digest.count)
    }

    fn sum(&self) -> i64 {
        let sum = self
            .0
            .query_row("SELECT sum(count) FROM rows", [], |row| row.get(0));
        sum.expect("memory is sound")
    }

    fn range(&self, from: u64, count: usize) -> Option<u64> {
        let mut digest = Digest::default();
        let mut select = self
            .0
            .prepare_cached("SELECT * FROM rows WHERE key >= ?1 ORDER BY key LIMIT ?2")
            .expect("the statement is sound");
        let limit = i64::try_from(count).expect("it is small");
        let mut rows = select
            .query([signed(from), limit])
            .expect("memory is sound");
        while let Some(row) = rows.next().expect("memory is sound") {
            add(row, &mut digest);
        }
        Some(digest.sum)
    }
}
