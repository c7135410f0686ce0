//! Replay of 100, 200, 400 and 800 tables of 20 columns from a log, beside reading and checksumming the same bytes.
//!
//! The bound: a record is read, its checksums and the chain verified, at several GB/s. A table of 20 columns is about 750 bytes of
//! log, so a fraction of a microsecond. Applying it writes about 22 rows of the catalog and their index entries, each page of which
//! is checked first: tens of microseconds. What must show is a line: ns per table do not grow with the number of tables.
//!
//! Seen, on two busy cores: 52 to 83 us per table from 100 to 400 tables without a trend, beside 0.12 us for reading and checksumming.
#![allow(clippy::unwrap_used)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use cairn::{
    ColumnType, Database, Error, NewTable, Options, ReadOnlyDatabase, ReadOptions, SyncPolicy,
};
use cairn_tests::fixed_options;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use disk::SimDisk;

fn table(number: u64) -> NewTable {
    let columns = (1..20).fold(
        NewTable::new(&format!("table_{number}")),
        |table, column| table.nullable(&format!("column_{column}"), ColumnType::I64),
    );
    columns.column("id", ColumnType::U64).primary_key(&["id"])
}

/// A log with one transaction for each table.
fn log_of(count: u64) -> SimDisk {
    let disk = SimDisk::new(1);
    let options = Options {
        sync_policy: SyncPolicy::Never,
        ..fixed_options()
    };
    let database = Database::open_on(disk.root(), options, |_| Ok::<(), Error>(())).unwrap();
    for number in 0..count {
        database
            .write(|tx| tx.create_table(&table(number)))
            .unwrap();
    }
    database.close().unwrap();
    disk
}

fn open(disk: &SimDisk) -> ReadOnlyDatabase {
    ReadOnlyDatabase::open_on(disk.root(), &ReadOptions::default()).unwrap()
}

/// Reads every record, which verifies its checksums and the chain.
fn read(database: &ReadOnlyDatabase) -> u64 {
    let mut records = database.records(cairn::TxId(0)).unwrap();
    let mut bytes = 0;
    while let Some(record) = records.next_record().unwrap() {
        bytes += black_box(record.payload).len() as u64;
    }
    bytes
}

fn schema_replay(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("schema_replay");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(2));
    for count in [100, 200, 400, 800] {
        let disk = log_of(count);
        let database = open(&disk);
        let bytes = read(&database);
        group.throughput(Throughput::Elements(count));
        group.bench_with_input(BenchmarkId::new("replay", count), &disk, |bencher, disk| {
            bencher.iter(|| open(disk));
        });
        group.bench_with_input(
            BenchmarkId::new("bound: read and checksum", count),
            &database,
            |bencher, database| {
                bencher.iter(|| read(database));
            },
        );
        let (replay, bound) = (fastest(|| _ = open(&disk)), fastest(|| _ = read(&database)));
        println!(
            "{count} tables, {bytes} bytes: replay {} ns per table, reading and checksumming {} ns",
            replay.as_nanos() / u128::from(count),
            bound.as_nanos() / u128::from(count),
        );
    }
    group.finish();
}

fn fastest(run: impl Fn()) -> Duration {
    let times = (0..10).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed()
    });
    times.min().unwrap()
}

criterion_group!(benches, schema_replay);
criterion_main!(benches);
