//! redb: a copy-on-write B-tree in one file.

use std::path::Path;

use redb::{Database, Durability, ReadableDatabase, TableDefinition};

use crate::engine::{BATCH, Engine, Opened};
use crate::row::{Texts, unpacked};

const FILE: &str = "redb";
const ROWS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("rows");

pub(crate) struct Redb;

impl Engine for Redb {
    fn name(&self) -> &'static str {
        "redb"
    }

    fn settings(&self) -> &'static str {
        "default options; the row but its key is one value"
    }

    fn fill(&self, dir: &Path, rows: u64) {
        let database = Database::create(dir.join(FILE)).unwrap();
        let mut texts = Texts::default();
        for first in (0..rows).step_by(BATCH) {
            let end = rows.min(first + BATCH as u64);
            let mut transaction = database.begin_write().unwrap();
            let durability = match end == rows {
                true => Durability::Immediate,
                false => Durability::None,
            };
            transaction.set_durability(durability).unwrap();
            {
                let mut table = transaction.open_table(ROWS).unwrap();
                for place in first..end {
                    let row = texts.row(place);
                    table.insert(row.key, &row.packed()[..]).unwrap();
                }
            }
            transaction.commit().unwrap();
        }
    }

    fn find_first(&self, dir: &Path, key: u64) -> (u64, Box<dyn Opened>) {
        let database = Database::open(dir.join(FILE)).unwrap();
        let transaction = database.begin_read().unwrap();
        let table = transaction.open_table(ROWS).unwrap();
        let found = table.get(key).unwrap().unwrap();
        (unpacked(key, found.value()).digest(), Box::new(database))
    }

    fn no_copy(&self) -> Option<&'static str> {
        Some("it has no backup: the file is copied while nobody has it open")
    }
}

impl Opened for Database {
    fn copy(&self, _to: &Path) {
        unreachable!("it says that it has none");
    }
}
