//! SurrealMX: a store in memory with an append-only file.

use std::path::Path;
use std::time::{Duration, Instant};

use surrealmx::{AolMode, Database, DatabaseOptions, FsyncMode, PersistenceOptions, SnapshotMode};

use crate::rival::{Promise, Rival, Session, Written};

pub(crate) struct SurrealMx;

struct Open {
    database: Database,
}

impl Rival for SurrealMx {
    fn name(&self) -> &'static str {
        "surrealmx"
    }

    fn package(&self) -> Option<&'static str> {
        Some("surrealmx")
    }

    fn settings(&self) -> &'static str {
        "AOL synchronous on commit, no snapshots; kill: fsync never; power: fsync at each append; keys are ids"
    }

    fn open(&self, dir: &Path, promise: Promise) -> Box<dyn Session> {
        Box::new(Open {
            database: open(dir, promise),
        })
    }

    fn replay(&self, dir: &Path, _written: Written, visit: &mut dyn FnMut(&[u8])) -> Duration {
        let start = Instant::now();
        let database = open(dir, Promise::Kill);
        database
            .scan_with(
                [0_u8; 8].as_slice()..[u8::MAX; 8].as_slice(),
                None,
                None,
                |_, value| {
                    visit(value);
                    true
                },
            )
            .unwrap();
        start.elapsed()
    }

    fn replay_note(&self) -> Option<&'static str> {
        Some("opening is included, which is where it reads and builds its tree")
    }
}

fn open(dir: &Path, promise: Promise) -> Database {
    let persistence = PersistenceOptions::new(dir)
        .with_aol_mode(AolMode::SynchronousOnCommit)
        .with_snapshot_mode(SnapshotMode::Never)
        .with_fsync_mode(match promise {
            Promise::Kill => FsyncMode::Never,
            Promise::Power => FsyncMode::EveryAppend,
        });
    Database::new_with_persistence(DatabaseOptions::default(), persistence).unwrap()
}

impl Session for Open {
    fn commit(&self, _thread: usize, first: u64, records: &[Vec<u8>]) {
        let mut transaction = self.database.transaction(true);
        for (id, record) in (first..).zip(records) {
            transaction
                .set(id.to_be_bytes().as_slice(), record.as_slice())
                .unwrap();
        }
        transaction.commit().unwrap();
    }
}
