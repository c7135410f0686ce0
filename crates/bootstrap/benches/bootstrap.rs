//! What the whole costs over its parts. Each group has its bound in the same run:
//!
//! ```text
//! commit, durable      bound: write the same bytes and fdatasync; about 100 us on an ordinary disk
//! commit, unsynced     bound: append the same bytes to the log alone; the rest is the transaction
//! open by replay       bound: read and verify the same log alone; the rest is applying rows
//! open from snapshot   bound: read the same snapshot alone; mapped: the tree of hashes only
//! ```
#![allow(clippy::unwrap_used)]

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bootstrap::{
    Database, OpenReport, Options, Origin, SnapshotLoading, SnapshotPolicy, SyncPolicy, TxId,
};
use commitlog::{Log, LogId};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use disk::{File, OsDir};
use schema::{NewTable, WriteTransaction};
use snapshot::{Blob, LoadMode, LoadOptions, Snapshots, Verify};
use table::{ColumnType, Value};

const ROWS: u64 = 20_000;
const ROWS_EACH: u64 = 10;

fn options() -> Options {
    Options {
        snapshots: SnapshotPolicy::by_hand(),
        background: false,
        ..Options::default()
    }
}

fn initialise(tx: &mut WriteTransaction) -> Result<(), schema::Error> {
    let readings = NewTable::new("readings")
        .column("id", ColumnType::U64)
        .column("place", ColumnType::String)
        .column("value", ColumnType::F64)
        .primary_key(&["id"]);
    tx.create_table(&readings).map(drop)
}

fn open(path: &Path, options: Options) -> (Database, OpenReport) {
    Database::open(OsDir::open(path).unwrap(), options, initialise).unwrap()
}

fn insert(tx: &mut WriteTransaction, id: u64) -> Result<(), schema::Error> {
    let cells = [
        ("id", Value::from(id)),
        ("place", Value::from("a place name")),
        ("value", Value::from(0.5)),
    ];
    tx.insert("readings", &cells).map(drop)
}

/// The bytes of the transaction that inserts one row.
fn payload() -> Vec<u8> {
    let mut genesis = WriteTransaction::genesis([1; 16]).unwrap();
    initialise(&mut genesis).unwrap();
    let mut state = schema::State::empty([1; 16]);
    state.replay(&genesis.finish().unwrap().unwrap()).unwrap();
    let mut tx = WriteTransaction::new(&state).unwrap();
    insert(&mut tx, 1).unwrap();
    tx.finish().unwrap().unwrap()
}

fn commit(criterion: &mut Criterion) {
    let payload = payload();
    let mut group = criterion.benchmark_group("commit/durable");
    group.throughput(Throughput::Elements(1));
    let dir = tempfile::tempdir().unwrap();
    let file: Arc<dyn File> = OsDir::open(dir.path()).unwrap().create("bound").unwrap();
    let mut offset = 0;
    group.bench_function("bound: write and sync", |bencher| {
        bencher.iter(|| {
            file.write_all_at(offset, &payload).unwrap();
            offset += payload.len() as u64;
            file.sync().unwrap();
        });
    });
    let dir = tempfile::tempdir().unwrap();
    let (database, _) = open(dir.path(), options());
    let mut id = 0;
    group.bench_function("one row", |bencher| {
        bencher.iter(|| {
            id += 1;
            database.write(|tx| insert(tx, id)).unwrap()
        });
    });
    group.finish();

    let mut group = criterion.benchmark_group("commit/unsynced");
    group.throughput(Throughput::Elements(1));
    let dir = tempfile::tempdir().unwrap();
    let log_options = commitlog::Options {
        sync_policy: SyncPolicy::Never,
        ..commitlog::Options::default()
    };
    let log = Log::create(
        OsDir::open(dir.path()).unwrap(),
        LogId([1; 16]),
        log_options,
        &[],
    )
    .unwrap();
    group.bench_function("bound: append to the log", |bencher| {
        bencher.iter(|| log.append(&payload, None).unwrap());
    });
    let dir = tempfile::tempdir().unwrap();
    let (database, _) = open(
        dir.path(),
        Options {
            sync_policy: SyncPolicy::Never,
            ..options()
        },
    );
    let mut id = 0;
    group.bench_function("one row", |bencher| {
        bencher.iter(|| {
            id += 1;
            database.write(|tx| insert(tx, id)).unwrap()
        });
    });
    group.finish();
}

/// A closed database of [`ROWS`] rows in transactions of [`ROWS_EACH`], with a snapshot at the end if asked for.
fn filled(with_snapshot: bool) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (database, _) = open(
        dir.path(),
        Options {
            sync_policy: SyncPolicy::Never,
            ..options()
        },
    );
    for first in (0..ROWS).step_by(usize::try_from(ROWS_EACH).unwrap()) {
        database
            .write(|tx| (first..first + ROWS_EACH).try_for_each(|id| insert(tx, id)))
            .unwrap();
    }
    if with_snapshot {
        database.snapshot().unwrap();
    }
    database.close().unwrap();
    dir
}

fn open_by_replay(criterion: &mut Criterion) {
    let dir = filled(false);
    let mut group = criterion.benchmark_group("open/replay");
    group.throughput(Throughput::Elements(ROWS));
    group.bench_function("bound: read the log", |bencher| {
        let log_dir = OsDir::open(dir.path()).unwrap().open_dir("log").unwrap();
        bencher.iter(|| {
            let (log, _) =
                Log::open(Arc::clone(&log_dir), commitlog::Options::default(), &[]).unwrap();
            let mut reader = log.reader(TxId(0)).unwrap();
            let mut bytes = 0;
            while let Some(record) = reader.next_record().unwrap() {
                bytes += record.payload.len();
            }
            black_box(bytes)
        });
    });
    group.bench_function("open", |bencher| {
        bencher.iter_batched(
            || (),
            |()| open(dir.path(), options()),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

fn open_from_snapshot(criterion: &mut Criterion) {
    let dir = filled(true);
    let mut group = criterion.benchmark_group("open/snapshot");
    group.throughput(Throughput::Elements(ROWS));
    let snapshots_dir = OsDir::open(dir.path())
        .unwrap()
        .open_dir("snapshots")
        .unwrap();
    let snapshots = Snapshots::open(snapshots_dir, snapshot::Options::default()).unwrap();
    let load = |mode, verify| {
        let manifest = &snapshots.list().unwrap().sound[0];
        snapshots
            .load(manifest, LoadOptions { mode, verify })
            .unwrap()
    };
    group.bench_function("bound: read and hash it", |bencher| {
        bencher.iter_with_large_drop(|| load(LoadMode::Copy, Verify::All));
    });
    group.bench_function("bound: map it", |bencher| {
        bencher.iter_with_large_drop(|| {
            let manifest = &snapshots.list().unwrap().sound[0];
            snapshots.map::<Blob>(manifest).unwrap()
        });
    });
    for (name, loading) in [
        ("open, checked", SnapshotLoading::Checked),
        ("open, mapped", SnapshotLoading::Mapped),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || (),
                |()| {
                    let (database, report) = open(
                        dir.path(),
                        Options {
                            loading,
                            ..options()
                        },
                    );
                    assert!(matches!(report.origin, Origin::Snapshot { .. }));
                    (database, report)
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2));
    targets = commit, open_by_replay, open_from_snapshot
}
criterion_main!(benches);
