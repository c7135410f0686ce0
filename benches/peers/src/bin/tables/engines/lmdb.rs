//! LMDB, which has no mode in memory: its file is mapped for writing and never synced.
#![expect(
    unsafe_code,
    reason = "the program promises that nobody else touches the file"
)]

use heed::byteorder::BigEndian;
use heed::types::{Bytes, U64};
use heed::{Database, Env, EnvFlags, EnvOpenOptions};

use crate::engine::{Digest, Engine};
use crate::row::{Texts, unpacked};

/// How large the map may get: address space, not memory.
const MAP_BYTES: usize = 16 << 30;

/// An environment of one database.
pub(crate) struct Lmdb {
    env: Env,
    rows: Database<U64<BigEndian>, Bytes>,
    _dir: tempfile::TempDir,
}

impl Lmdb {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("there is a directory for that");
        let mut options = EnvOpenOptions::new();
        options.map_size(MAP_BYTES);
        // SAFETY: the directory was just made, and nobody else knows it.
        let env = unsafe {
            options.flags(EnvFlags::NO_SYNC | EnvFlags::WRITE_MAP);
            options.open(dir.path())
        };
        let env = env.expect("the directory is empty");
        let mut transaction = env.write_txn().expect("nobody writes");
        let rows = env.create_database(&mut transaction, None);
        let rows = rows.expect("it is the first");
        transaction.commit().expect("the disk has room");
        Lmdb {
            env,
            rows,
            _dir: dir,
        }
    }
}

impl Engine for Lmdb {
    fn name(&self) -> &'static str {
        "LMDB"
    }

    fn settings(&self) -> &'static str {
        "heed; a file that is never synced, NO_SYNC and WRITE_MAP; the row but its key is one value"
    }

    fn insert(&mut self, rows: &mut dyn Iterator<Item = u64>) {
        let mut texts = Texts::default();
        let mut transaction = self.env.write_txn().expect("nobody writes");
        for place in rows {
            let row = texts.row(place);
            let put = self.rows.put(&mut transaction, &row.key, &row.packed());
            put.expect("the disk has room");
        }
        transaction.commit().expect("the disk has room");
    }

    fn delete(&mut self, keys: &[u64]) {
        let mut transaction = self.env.write_txn().expect("nobody writes");
        for key in keys {
            let deleted = self.rows.delete(&mut transaction, key);
            assert!(deleted.expect("the disk has room"));
        }
        transaction.commit().expect("the disk has room");
    }

    fn find(&self, keys: &[u64]) -> (u64, u64) {
        let transaction = self.env.read_txn().expect("it is open");
        let mut digest = Digest::default();
        for key in keys {
            let found = self.rows.get(&transaction, key);
            if let Some(bytes) = found.expect("memory is sound") {
                digest.add(unpacked(*key, bytes));
            }
        }
        (digest.sum, digest.count)
    }

    fn sum(&self) -> i64 {
        let transaction = self.env.read_txn().expect("it is open");
        let rows = self.rows.iter(&transaction).expect("memory is sound");
        rows.map(|row| {
            let (key, bytes) = row.expect("memory is sound");
            unpacked(key, bytes).count
        })
        .sum()
    }

    fn range(&self, from: u64, count: usize) -> Option<u64> {
        let transaction = self.env.read_txn().expect("it is open");
        let mut digest = Digest::default();
        let rows = self.rows.range(&transaction, &(from..));
        for row in rows.expect("memory is sound").take(count) {
            let (key, bytes) = row.expect("memory is sound");
            digest.add(unpacked(key, bytes));
        }
        Some(digest.sum)
    }
}
