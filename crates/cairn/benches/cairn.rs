//! What names and values cost on top of the layers below, each beside the same work there, in the same run:
//!
//! ```text
//! write, one row     bound: the same transaction of `bootstrap`. Aim: within a tenth, unsynced; durable, the sync is all there is
//! read by key        bound: the index of `table`, by its id; peer: a `BTreeMap` of the standard library
//! scan               bound: the rows of `table`, a cell by its position; peer: the values of the `BTreeMap`
//! ```
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Duration;

use cairn::{ColumnType, Database, Error, NewTable, Options, SnapshotPolicy, SyncPolicy, Value};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use disk::OsDir;

const ROWS: u64 = 100_000;

fn options(sync_policy: SyncPolicy) -> Options {
    Options {
        sync_policy,
        snapshots: SnapshotPolicy::by_hand(),
        background: false,
        ..Options::default()
    }
}

fn readings() -> NewTable {
    NewTable::new("readings")
        .column("id", ColumnType::U64)
        .column("place", ColumnType::String)
        .column("value", ColumnType::F64)
        .primary_key(&["id"])
}

fn cells(id: u64) -> [(&'static str, Value); 3] {
    let value = f64::from(u32::try_from(id % 1000).unwrap());
    [
        ("id", id.into()),
        ("place", "a place name".into()),
        ("value", value.into()),
    ]
}

fn write(criterion: &mut Criterion) {
    for (name, policy) in [
        ("write/durable", SyncPolicy::EveryCommit),
        ("write/unsynced", SyncPolicy::Never),
    ] {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(1));
        let below = tempfile::tempdir().unwrap();
        let create = |tx: &mut schema::WriteTransaction| tx.create_table(&readings()).map(drop);
        let dir = OsDir::open(below.path()).unwrap();
        let (bound, _) = bootstrap::Database::open(dir, options(policy), create).unwrap();
        let mut id = 0;
        group.bench_function("bound: bootstrap", |bencher| {
            bencher.iter(|| {
                id += 1;
                bound.write(|tx| tx.insert("readings", &cells(id))).unwrap()
            });
        });
        let path = tempfile::tempdir().unwrap();
        let open = Database::open_with(path.path(), options(policy), |tx| {
            tx.create_table(&readings())
        });
        let db = open.unwrap();
        let mut id = 0;
        group.bench_function("one row", |bencher| {
            bencher.iter(|| {
                id += 1;
                db.write(|tx| tx.insert("readings", &cells(id))).unwrap()
            });
        });
        group.finish();
    }
}

fn read(criterion: &mut Criterion) {
    let path = tempfile::tempdir().unwrap();
    let db = Database::open_with(path.path(), options(SyncPolicy::Never), |tx| {
        tx.create_table(&readings())?;
        (0..ROWS).try_for_each(|id| tx.insert("readings", &cells(id)).map(drop))?;
        Ok::<(), Error>(())
    });
    let db = db.unwrap();
    let view = db.view();
    let table = view.table("readings").unwrap();
    let peer: BTreeMap<u64, (String, f64)> = table
        .scan()
        .map(|row| {
            let row = row?;
            Ok((row.get("id")?, (row.get("place")?, row.get("value")?)))
        })
        .collect::<Result<_, Error>>()
        .unwrap();

    // Keys that are not beside each other.
    let mut next = 0;
    let mut key = move || {
        next = (next + 7_919) % ROWS;
        next
    };
    let mut group = criterion.benchmark_group("read by key");
    group.throughput(Throughput::Elements(1));
    group.bench_function("peer: BTreeMap", |bencher| {
        bencher.iter(|| black_box(peer[&key()].1));
    });
    let (rows, index) = (table.inner(), table.definition().primary_key().unwrap().id);
    group.bench_function("bound: table", |bencher| {
        bencher.iter(|| {
            let row = rows.find(index, &[Value::U64(key())]).unwrap().unwrap();
            row.value(2).unwrap()
        });
    });
    group.bench_function("get", |bencher| {
        bencher.iter(|| {
            let row = table.get(&[Value::U64(key())]).unwrap().unwrap();
            row.get::<f64>("value").unwrap()
        });
    });
    group.finish();

    let mut group = criterion.benchmark_group("scan and add up a column");
    group.throughput(Throughput::Elements(ROWS));
    group.bench_function("peer: BTreeMap", |bencher| {
        bencher.iter(|| peer.values().map(|(_, value)| value).sum::<f64>());
    });
    group.bench_function("bound: table", |bencher| {
        bencher.iter(|| {
            let mut sum = 0.0;
            for row in rows.scan() {
                if let Value::F64(value) = row.unwrap().value(2).unwrap() {
                    sum += value;
                }
            }
            sum
        });
    });
    group.bench_function("scan", |bencher| {
        bencher.iter(|| {
            let values = table.scan().map(|row| row.unwrap().get::<f64>("value"));
            values.sum::<Result<f64, Error>>().unwrap()
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2));
    targets = write, read
}
criterion_main!(benches);
