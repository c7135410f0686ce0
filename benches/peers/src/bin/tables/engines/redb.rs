//! redb over memory instead of a file.

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, backends::InMemoryBackend};

use crate::engine::{Digest, Engine};
use crate::row::{Texts, unpacked};

const ROWS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("rows");

/// A database of one table.
pub(crate) struct Redb(Database);

impl Redb {
    pub(crate) fn new() -> Self {
        let database = Database::builder().create_with_backend(InMemoryBackend::new());
        let mut redb = Redb(database.expect("memory suffices"));
        // From now on there is a table to read.
        redb.insert(&mut std::iter::empty());
        redb
    }

    fn read<T>(&self, work: impl FnOnce(&redb::ReadOnlyTable<u64, &'static [u8]>) -> T) -> T {
        let transaction = self.0.begin_read().expect("it is open");
        work(&transaction.open_table(ROWS).expect("it was written to"))
    }
}

impl Engine for Redb {
    fn name(&self) -> &'static str {
        "redb"
    }

    fn settings(&self) -> &'static str {
        "`InMemoryBackend`, `Durability::None`; the row but its key is one value"
    }

    fn insert(&mut self, rows: &mut dyn Iterator<Item = u64>) {
        let mut texts = Texts::default();
        let mut transaction = self.0.begin_write().expect("it is open");
        transaction
            .set_durability(redb::Durability::None)
            .expect("nothing was done yet");
        {
            let mut table = transaction.open_table(ROWS).expect("it is open");
            for place in rows {
                let row = texts.row(place);
                let packed = row.packed();
                table.insert(row.key, &packed[..]).expect("memory suffices");
            }
        }
        transaction.commit().expect("memory suffices");
    }

    fn delete(&mut self, keys: &[u64]) {
        let mut transaction = self.0.begin_write().expect("it is open");
        transaction
            .set_durability(redb::Durability::None)
            .expect("nothing was done yet");
        {
            let mut table = transaction.open_table(ROWS).expect("it is open");
            for key in keys {
                let old = table.remove(key).expect("memory suffices");
                assert!(old.is_some());
            }
        }
        transaction.commit().expect("memory suffices");
    }

    fn find(&self, keys: &[u64]) -> (u64, u64) {
        let mut digest = Digest::default();
        self.read(|table| {
            for key in keys {
                if let Some(value) = table.get(key).expect("memory is sound") {
                    digest.add(unpacked(*key, value.value()));
                }
            }
        });
        (digest.sum, digest.count)
    }

    fn sum(&self) -> i64 {
        self.read(|table| {
            let rows = table.iter().expect("memory is sound");
            rows.map(|row| {
                let (key, value) = row.expect("memory is sound");
                unpacked(key.value(), value.value()).count
            })
            .sum()
        })
    }

    fn range(&self, from: u64, count: usize) -> Option<u64> {
        let mut digest = Digest::default();
        self.read(|table| {
            for row in table.range(from..).expect("memory is sound").take(count) {
                let (key, value) = row.expect("memory is sound");
                digest.add(unpacked(key.value(), value.value()));
            }
        });
        Some(digest.sum)
    }
}
