//! Cairn: a snapshot of all rows, and an empty log behind it.

use std::ops::ControlFlow;
use std::path::Path;

use cairn::{
    ColumnType, Database, Error, NewTable, Options, ReadOnlyDatabase, ReadOptions, SnapshotLoading,
    SnapshotPolicy, SyncPolicy, View,
};

use crate::engine::{BATCH, Engine, Opened};
use crate::row::{Row, Texts};

pub(crate) struct Cairn {
    name: &'static str,
    loading: SnapshotLoading,
    is_read_only: bool,
}

impl Cairn {
    pub(crate) fn new(name: &'static str, loading: SnapshotLoading, is_read_only: bool) -> Self {
        Cairn {
            name,
            loading,
            is_read_only,
        }
    }

    fn open(&self, dir: &Path, sync_policy: SyncPolicy) -> Database {
        let options = Options {
            loading: self.loading,
            sync_policy,
            snapshots: SnapshotPolicy::by_hand(),
            background: false,
            ..Options::default()
        };
        let rows = NewTable::new("rows")
            .column("key", ColumnType::U64)
            .column("count", ColumnType::I64)
            .column("ratio", ColumnType::F64)
            .column("text", ColumnType::String)
            .primary_key(&["key"]);
        Database::open_with(dir, options, |tx| tx.create_table(&rows).map(drop)).unwrap()
    }
}

impl Engine for Cairn {
    fn name(&self) -> &'static str {
        self.name
    }

    fn settings(&self) -> &'static str {
        match self.loading {
            SnapshotLoading::Mapped if self.is_read_only => "the same, opened for reading only",
            SnapshotLoading::Mapped => {
                "a snapshot, an ordered primary key; each page is verified when it is first used"
            }
            _ => "the default: every byte is verified before it opens",
        }
    }

    fn fill(&self, dir: &Path, rows: u64) {
        let database = self.open(dir, SyncPolicy::Never);
        let mut texts = Texts::default();
        for first in (0..rows).step_by(BATCH) {
            let insert = |tx: &mut cairn::Transaction<'_>| {
                (first..rows.min(first + BATCH as u64)).try_for_each(|place| {
                    let row = texts.row(place);
                    let cells = [
                        ("key", row.key.into()),
                        ("count", row.count.into()),
                        ("ratio", row.ratio.into()),
                        ("text", row.text.into()),
                    ];
                    tx.insert("rows", &cells).map(drop)
                })
            };
            database.write::<_, Error>(insert).unwrap();
        }
        database.snapshot().unwrap();
        database.close().unwrap();
    }

    fn find_first(&self, dir: &Path, key: u64) -> (u64, Box<dyn Opened>) {
        if self.is_read_only {
            let options = ReadOptions {
                loading: self.loading,
                ..ReadOptions::default()
            };
            let database = ReadOnlyDatabase::open_with(dir, &options).unwrap();
            return (digest(&database.view(), key), Box::new(database));
        }
        let database = self.open(dir, SyncPolicy::EveryCommit);
        (digest(&database.view(), key), Box::new(database))
    }
}

/// The digest of the row of a key.
fn digest(view: &View, key: u64) -> u64 {
    let row = view.table("rows").unwrap().get(&[key.into()]).unwrap();
    let row = row.unwrap();
    Row {
        key: row.get("key").unwrap(),
        count: row.get("count").unwrap(),
        ratio: row.get("ratio").unwrap(),
        text: row.get::<String>("text").unwrap().as_str(),
    }
    .digest()
}

impl Opened for ReadOnlyDatabase {
    fn copy(&self, to: &Path) {
        self.backup(to, &|_| ControlFlow::Continue(())).unwrap();
    }
}

impl Opened for Database {
    fn copy(&self, to: &Path) {
        self.backup(to, &|_| ControlFlow::Continue(())).unwrap();
    }
}
