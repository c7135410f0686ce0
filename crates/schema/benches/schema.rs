//! What the catalog costs on top of its rows.
//!
//! Bounds, in the same run:
//! - replay of a schema: the same rows in a user's tables, where they define nothing. Aim: within a small factor of it,
//!   and the same per table for 100 tables and for 10,000.
//! - look-up of a name: a `HashMap` of std. Aim: within 1 us, whatever the number of tables.
//! - digest: blake3 over as many bytes, about 2 GB/s a core.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use schema::{NewTable, State, WriteTransaction};
use table::{ColumnType, Value};

const ID: [u8; 16] = [7; 16];
const COLUMNS: usize = 20;

fn table(number: usize) -> NewTable {
    let columns = (1..COLUMNS).fold(
        NewTable::new(&format!("table {number}")),
        |table, column| table.nullable(&format!("column {column}"), ColumnType::I64),
    );
    columns.column("id", ColumnType::U64).primary_key(&["id"])
}

/// The state after the genesis, and the transactions that `write` makes on it one after the other.
fn log(count: usize, write: impl Fn(&mut WriteTransaction, usize)) -> (State, Vec<Vec<u8>>, State) {
    let genesis = WriteTransaction::genesis(ID)
        .unwrap()
        .finish()
        .unwrap()
        .unwrap();
    let mut state = State::empty(ID);
    state.replay(&genesis).unwrap();
    let base = state.clone();
    let mut log = Vec::new();
    for number in 0..count {
        let mut transaction = WriteTransaction::new(&state).unwrap();
        write(&mut transaction, number);
        let bytes = transaction.finish().unwrap().unwrap();
        state.replay(&bytes).unwrap();
        log.push(bytes);
    }
    (base, log, state)
}

fn replay(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("replay a schema of tables of 20 columns");
    group.sample_size(10);
    for count in [100, 1_000, 10_000] {
        let (base, transactions, _) = log(count, |transaction, number| {
            transaction.create_table(&table(number)).unwrap();
        });
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(format!("{count} tables"), |bencher| {
            bencher.iter_batched(
                || base.clone(),
                |mut state| {
                    for transaction in &transactions {
                        state.replay(transaction).unwrap();
                    }
                    state
                },
                BatchSize::LargeInput,
            );
        });
    }
    // The bound: as many rows as st_column and the others get, in a table that defines nothing.
    let (_, mut transactions, _) = log(1_001, |transaction, number| {
        if number == 0 {
            let rows = NewTable::new("rows")
                .column("table_id", ColumnType::U32)
                .column("column_id", ColumnType::U32)
                .column("position", ColumnType::U16)
                .column("column_name", ColumnType::String)
                .column("type_code", ColumnType::U8)
                .column("nullable", ColumnType::Bool)
                .nullable("default_value", ColumnType::Bytes)
                .primary_key(&["table_id", "column_id"]);
            transaction.create_table(&rows).unwrap();
            return;
        }
        for column in 0..COLUMNS + 3 {
            let cells = [
                ("table_id", Value::U32(u32::try_from(number).unwrap())),
                (
                    "column_id",
                    Value::U32(u32::try_from(number * COLUMNS + column).unwrap()),
                ),
                ("position", Value::U16(u16::try_from(column).unwrap())),
                ("column_name", Value::from(format!("column {column}"))),
                ("type_code", Value::U8(5)),
                ("nullable", Value::Bool(true)),
            ];
            transaction
                .insert("rows", &cells)
                .unwrap_or_else(|_| unreachable!("{number} {column}"));
        }
    });
    let genesis = WriteTransaction::genesis(ID)
        .unwrap()
        .finish()
        .unwrap()
        .unwrap();
    let mut base = State::empty(ID);
    base.replay(&genesis).unwrap();
    base.replay(&transactions.remove(0)).unwrap();
    group.throughput(Throughput::Elements(1_000));
    group.bench_function(
        "bound: the rows of 1,000 tables, defining nothing",
        |bencher| {
            bencher.iter_batched(
                || base.clone(),
                |mut state| {
                    for transaction in &transactions {
                        state.replay(transaction).unwrap();
                    }
                    state
                },
                BatchSize::LargeInput,
            );
        },
    );
    group.finish();
}

fn restore(criterion: &mut Criterion) {
    let (_, _, state) = log(10_000, |transaction, number| {
        transaction.create_table(&table(number)).unwrap();
    });
    let mut group = criterion.benchmark_group("read the catalog of a restored store");
    group
        .sample_size(10)
        .throughput(Throughput::Elements(10_000));
    group.bench_function("10,000 tables", |bencher| {
        bencher.iter(|| State::from_store(ID, state.store().clone()).unwrap());
    });
    group.finish();
}

fn look_up(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("look up a table by name");
    for count in [10, 10_000] {
        let (_, _, state) = log(count, |transaction, number| {
            transaction.create_table(&table(number)).unwrap();
        });
        group.bench_function(format!("{count} tables"), |bencher| {
            bencher.iter(|| state.definition(black_box("table 7")).unwrap().id());
        });
    }
    let names: HashMap<String, u32> = (0..10_000)
        .map(|number| (format!("table {number}"), number))
        .collect();
    group.bench_function("bound: a HashMap of 10,000 names", |bencher| {
        bencher.iter(|| names.get(black_box("table 7")).copied());
    });
    group.finish();
}

fn insert(criterion: &mut Criterion) {
    let counting = NewTable::new("counting")
        .column("id", ColumnType::U64)
        .column("value", ColumnType::I64)
        .primary_key(&["id"])
        .auto_increment("id");
    let plain = NewTable::new("plain")
        .column("id", ColumnType::U64)
        .column("value", ColumnType::I64)
        .primary_key(&["id"]);
    let (_, _, state) = log(1, |transaction, _| {
        transaction.create_table(&counting).unwrap();
        transaction.create_table(&plain).unwrap();
    });
    let rows = 10_000;
    let mut group = criterion.benchmark_group("insert rows in a transaction");
    group.sample_size(10).throughput(Throughput::Elements(rows));
    for name in ["counting", "plain"] {
        let id = state.definition(name).unwrap().id();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut transaction = WriteTransaction::new(&state).unwrap();
                for row in 1..=rows {
                    let id_value = if name == "plain" {
                        Value::U64(row)
                    } else {
                        Value::Null
                    };
                    transaction
                        .insert_row(id, vec![id_value, Value::I64(1)])
                        .unwrap();
                }
                let checked = state
                    .check(&transaction.finish().unwrap().unwrap())
                    .unwrap();
                checked.state().store().pages().page_count()
            });
        });
    }
    group.finish();
}

fn digest(criterion: &mut Criterion) {
    let (_, _, state) = log(11, |transaction, number| {
        if number == 0 {
            transaction.create_table(&table(0)).unwrap();
        } else {
            for row in 0..5_000u64 {
                let id = row + number as u64 * 5_000;
                let mut values = vec![Value::I64(1); COLUMNS - 1];
                values.push(Value::U64(id));
                transaction.insert_row("table 0", values).unwrap();
            }
        }
    });
    let mut group = criterion.benchmark_group("digest");
    // Each cell goes in as its length, its type and its value.
    let bytes = 50_000 * COLUMNS * (8 + 1 + 8);
    group
        .sample_size(10)
        .throughput(Throughput::Bytes(bytes as u64));
    group.bench_function("50,000 rows of 20 columns", |bencher| {
        bencher.iter(|| state.digest().unwrap())
    });
    let plain = vec![7u8; bytes];
    group.bench_function("bound: blake3 of as many bytes", |bencher| {
        bencher.iter(|| blake3::hash(&plain))
    });
    group.finish();
}

criterion_group!(benches, replay, restore, look_up, insert, digest);
criterion_main!(benches);
