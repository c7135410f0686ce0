//! SurrealMX without its file.

use surrealmx::{Database, DatabaseOptions};

use crate::engine::{Digest, Engine};
use crate::row::{Texts, unpacked};

/// A store in memory alone.
pub(crate) struct SurrealMx(Database);

impl SurrealMx {
    pub(crate) fn new() -> Self {
        SurrealMx(Database::new_with_options(DatabaseOptions::default()))
    }

    /// Visits rows from a key on, for as long as it is asked for more.
    fn visit(&self, from: u64, mut visit: impl FnMut(u64, &[u8]) -> bool) {
        let transaction = self.0.transaction(false);
        let begin = from.to_be_bytes();
        // One byte longer than any key, so that the last one is before it.
        let end = [u8::MAX; 9];
        let scanned = transaction.scan_with(&begin[..]..&end[..], None, None, |key, bytes| {
            let key = key.as_ref().first_chunk().expect("keys have 8 bytes");
            visit(u64::from_be_bytes(*key), bytes)
        });
        scanned.expect("memory is sound");
    }
}

impl Engine for SurrealMx {
    fn name(&self) -> &'static str {
        "SurrealMX"
    }

    fn settings(&self) -> &'static str {
        "in memory, default options; the row but its key is one value"
    }

    fn insert(&mut self, rows: &mut dyn Iterator<Item = u64>) {
        let mut texts = Texts::default();
        let mut transaction = self.0.transaction(true);
        for place in rows {
            let row = texts.row(place);
            let key = row.key.to_be_bytes();
            let put = transaction.put(&key[..], &row.packed()[..]);
            put.expect("it is new");
        }
        transaction.commit().expect("nobody else writes");
    }

    fn delete(&mut self, keys: &[u64]) {
        let mut transaction = self.0.transaction(true);
        for key in keys {
            let key = key.to_be_bytes();
            transaction.del(&key[..]).expect("memory is sound");
        }
        transaction.commit().expect("nobody else writes");
    }

    fn find(&self, keys: &[u64]) -> (u64, u64) {
        let transaction = self.0.transaction(false);
        let mut digest = Digest::default();
        for key in keys {
            let bytes = key.to_be_bytes();
            let found = transaction.with_value(&bytes[..], |value| {
                digest.add(unpacked(*key, value));
            });
            found.expect("memory is sound");
        }
        (digest.sum, digest.count)
    }

    fn sum(&self) -> i64 {
        let mut sum = 0;
        self.visit(0, |key, bytes| {
            sum += unpacked(key, bytes).count;
            true
        });
        sum
    }

    fn range(&self, from: u64, count: usize) -> Option<u64> {
        let mut digest = Digest::default();
        self.visit(from, |key, bytes| {
            digest.add(unpacked(key, bytes));
            digest.count < count as u64
        });
        Some(digest.sum)
    }
}
