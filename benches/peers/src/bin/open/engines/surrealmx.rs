//! SurrealMX: a store in memory, with a snapshot of it in a file.

use std::fs;
use std::path::Path;

use surrealmx::{AolMode, Database, DatabaseOptions, FsyncMode, PersistenceOptions, SnapshotMode};

use crate::engine::{BATCH, Engine, Opened};
use crate::row::{Texts, unpacked};

pub(crate) struct SurrealMx;

/// A database, and where its snapshot is.
struct Open {
    database: Database,
    dir: std::path::PathBuf,
}

fn open(dir: &Path) -> Database {
    let persistence = PersistenceOptions::new(dir)
        .with_aol_mode(AolMode::SynchronousOnCommit)
        .with_snapshot_mode(SnapshotMode::Never)
        .with_fsync_mode(FsyncMode::Never);
    Database::new_with_persistence(DatabaseOptions::default(), persistence).unwrap()
}

impl Engine for SurrealMx {
    fn name(&self) -> &'static str {
        "SurrealMX"
    }

    fn settings(&self) -> &'static str {
        "a snapshot, no compression, an empty log behind it; a copy is another snapshot, in its own directory"
    }

    fn fill(&self, dir: &Path, rows: u64) {
        let database = open(dir);
        let mut texts = Texts::default();
        for first in (0..rows).step_by(BATCH) {
            let mut transaction = database.transaction(true);
            for place in first..rows.min(first + BATCH as u64) {
                let row = texts.row(place);
                let key = row.key.to_be_bytes();
                transaction.put(&key[..], &row.packed()[..]).unwrap();
            }
            transaction.commit().unwrap();
        }
        database.persistence().unwrap().snapshot().unwrap();
    }

    fn find_first(&self, dir: &Path, key: u64) -> (u64, Box<dyn Opened>) {
        let database = open(dir);
        let bytes = key.to_be_bytes();
        let mut digest = 0;
        database
            .with_value(&bytes[..], |value| digest = unpacked(key, value).digest())
            .unwrap();
        let dir = dir.to_path_buf();
        (digest, Box::new(Open { database, dir }))
    }
}

impl Opened for Open {
    fn copy(&self, _to: &Path) {
        self.database.persistence().unwrap().snapshot().unwrap();
        assert!(fs::read_dir(&self.dir).unwrap().next().is_some());
    }
}
