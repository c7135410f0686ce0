//! A snapshot after one changed row where there are many tables: it must not cost what they are.
//!
//! ```text
//! all       bound: write as many bytes to a new file, sync it, rename it, sync the directory, write a byte, sync the file
//! one row   bound: the same
//! ```
//!
//! Each table has 20 columns, a primary key and one row. `CAIRN_BENCH_TABLES` says how many tables.
#![allow(clippy::unwrap_used)]

#[path = "fixture/readings.rs"]
mod readings;

use std::time::Instant;

use bootstrap::{Database, Options, SnapshotPolicy, SyncPolicy};
use disk::OsDir;
use readings::{median, row, write_and_publish};
use schema::{NewTable, WriteTransaction};
use table::{ColumnType, Value};

const ROUNDS: usize = 41;
const COLUMNS: usize = 20;
const TABLES_EACH: usize = 100;

fn column(number: usize) -> String {
    format!("column {number}")
}

fn make(tx: &mut WriteTransaction, number: usize) -> Result<(), schema::Error> {
    let name = format!("table {number}");
    let new = (0..COLUMNS).fold(NewTable::new(&name), |table, number| {
        table.column(&column(number), ColumnType::U64)
    });
    tx.create_table(&new.primary_key(&[&column(0)]))?;
    let names: Vec<String> = (0..COLUMNS).map(column).collect();
    let cells = names.iter().map(|name| (name.as_str(), Value::from(1_u64)));
    tx.insert(&name, &cells.collect::<Vec<_>>()).map(drop)
}

fn main() {
    let measured = std::env::args().any(|argument| argument == "--bench");
    let default = if measured { 10_000 } else { 20 };
    let tables = std::env::var("CAIRN_BENCH_TABLES").map_or(default, |text| text.parse().unwrap());
    let rounds = if measured { ROUNDS } else { 3 };
    let temporary = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let root = OsDir::open(temporary.path()).unwrap();
    let aside = root.create_dir_durable("aside").unwrap();
    let dir = root.create_dir_durable("tables").unwrap();
    let options = Options {
        snapshots: SnapshotPolicy::by_hand(),
        background: false,
        sync_policy: SyncPolicy::Never,
        ..Options::default()
    };
    let opened = Database::open(dir, options, |_| Ok::<(), schema::Error>(()));
    let (database, _) = opened.unwrap();
    let numbers: Vec<usize> = (0..tables).collect();
    for some in numbers.chunks(TABLES_EACH) {
        let make_all = |tx: &mut WriteTransaction| some.iter().try_for_each(|it| make(tx, *it));
        database.write(make_all).unwrap();
    }
    println!("{tables} tables; {rounds} rounds, medians");
    println!("| work | bound | snapshot | bound | ratio | |");
    println!("|---|---|---|---|---|---|");
    let (mut times, mut bounds, mut bytes) = (Vec::new(), Vec::new(), 0);
    for round in 0..rounds + 2 {
        let name = format!("table {}", round * 7919 % tables);
        let cells = [("column 7", Value::from(round as u64 + 2))];
        let change =
            |tx: &mut WriteTransaction| tx.update(&name, &[Value::from(1_u64)], &cells).map(drop);
        database.write(change).unwrap();
        let begun = Instant::now();
        let summary = database.snapshot().unwrap();
        let took = begun.elapsed();
        bytes = summary.file_bytes;
        let bound = write_and_publish(&*aside, usize::try_from(bytes).unwrap());
        if round < 2 {
            // The first of each line.
            let note = format!("{} MiB", bytes >> 20);
            row("all", "write, three syncs", took, bound, &note);
            continue;
        }
        times.push(took);
        bounds.push(bound);
    }
    let note = format!("{} KiB", bytes >> 10);
    let (took, bound) = (median(times), median(bounds));
    row("one changed row", "write, three syncs", took, bound, &note);
}
