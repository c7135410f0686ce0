//! LMDB: a copy-on-write B-tree in a file that is mapped.
#![expect(
    unsafe_code,
    reason = "the program promises that nobody else touches the file"
)]

use std::fs::File;
use std::path::Path;

use heed::byteorder::BigEndian;
use heed::types::{Bytes, U64};
use heed::{CompactionOption, Database, Env, EnvFlags, EnvOpenOptions};

use crate::engine::{BATCH, Engine, Opened};
use crate::row::{Texts, unpacked};

/// How large the map may get: address space, not memory.
const MAP_BYTES: usize = 16 << 30;

pub(crate) struct Lmdb;

fn open(dir: &Path, flags: EnvFlags) -> Env {
    let mut options = EnvOpenOptions::new();
    options.map_size(MAP_BYTES);
    // SAFETY: this program made the directory, and nobody else knows it.
    unsafe {
        options.flags(flags);
        options.open(dir).unwrap()
    }
}

impl Engine for Lmdb {
    fn name(&self) -> &'static str {
        "LMDB"
    }

    fn settings(&self) -> &'static str {
        "heed, default flags; the row but its key is one value; a copy is `copy_to_path` without compaction, synced"
    }

    fn fill(&self, dir: &Path, rows: u64) {
        let env = open(dir, EnvFlags::NO_SYNC);
        let mut transaction = env.write_txn().unwrap();
        let table: Database<U64<BigEndian>, Bytes> =
            env.create_database(&mut transaction, None).unwrap();
        transaction.commit().unwrap();
        let mut texts = Texts::default();
        for first in (0..rows).step_by(BATCH) {
            let mut transaction = env.write_txn().unwrap();
            for place in first..rows.min(first + BATCH as u64) {
                let row = texts.row(place);
                table
                    .put(&mut transaction, &row.key, &row.packed())
                    .unwrap();
            }
            transaction.commit().unwrap();
        }
        env.force_sync().unwrap();
        env.prepare_for_closing().wait();
    }

    fn find_first(&self, dir: &Path, key: u64) -> (u64, Box<dyn Opened>) {
        let env = open(dir, EnvFlags::empty());
        let transaction = env.read_txn().unwrap();
        let table: Database<U64<BigEndian>, Bytes> =
            env.open_database(&transaction, None).unwrap().unwrap();
        let found = table.get(&transaction, &key).unwrap().unwrap();
        let digest = unpacked(key, found).digest();
        drop(transaction);
        (digest, Box::new(Open(Some(env))))
    }
}

/// heed opens no environment twice, so it is waited for its end.
struct Open(Option<Env>);

impl Opened for Open {
    fn copy(&self, to: &Path) {
        let env = self.0.as_ref().unwrap();
        let copy = env.copy_to_path(to.join("data.mdb"), CompactionOption::Disabled);
        copy.unwrap().sync_all().unwrap();
        File::open(to).unwrap().sync_all().unwrap();
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(env) = self.0.take() {
            env.prepare_for_closing().wait();
        }
    }
}
