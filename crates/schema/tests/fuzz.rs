//! Hostile transactions: whatever the bytes, `check` refuses or applies, and never panics, hangs or moves the state.
#![allow(clippy::unwrap_used)]

#[path = "support/database.rs"]
mod database;
#[path = "support/future.rs"]
mod future;
#[path = "support/random.rs"]
mod random;
#[path = "support/raw.rs"]
mod raw;
#[path = "support/seeds.rs"]
mod seeds;

use std::cell::Cell;
use std::sync::OnceLock;

use database::{Database, ID, planes};
use future::Future;
use random::Random;
use raw::{Raw, RawTable};
use schema::{NewTable, State};
use seeds::{are_chosen, for_each_seed};
use table::{ColumnType, Value};

/// A database with a bit of everything, and one that a future build began.
fn databases() -> &'static [Database] {
    static DATABASES: OnceLock<Vec<Database>> = OnceLock::new();
    DATABASES.get_or_init(|| {
        let mut databases = vec![
            Database::new(),
            Database::open(vec![Future::new().genesis(ID, 1)]),
        ];
        for database in &mut databases {
            database.write(|tx| tx.create_table(&planes())).unwrap();
            let plain = NewTable::new("plain")
                .column("x", ColumnType::I32)
                .index("by_x", &["x"]);
            database.write(|tx| tx.create_table(&plain)).unwrap();
            database
                .write(|tx| {
                    for number in 0..20 {
                        tx.insert("planes", &[("tailnum", Value::from(format!("N{number}")))])?;
                        tx.insert("plain", &[("x", Value::I32(number))])?;
                    }
                    tx.create_index("planes", "by_seats", &["seats"], false)
                })
                .unwrap();
            database
                .write(|tx| tx.rename_table("plain", "simple"))
                .unwrap();
            database
                .write(|tx| tx.drop_index("planes", "by_seats"))
                .unwrap();
        }
        databases
    })
}

/// The target: one transaction of any bytes against each database and against an empty state. Returns how many of them
/// accepted it.
fn fuzz_check(data: &[u8]) -> usize {
    let mut accepted = 0;
    let empty = State::empty(ID);
    for state in databases()
        .iter()
        .map(|database| &database.state)
        .chain([&empty])
    {
        if let Ok(checked) = state.check(data) {
            require_sound(checked.state());
            accepted += 1;
        }
    }
    accepted
}

/// A state that a transaction has led to is one that its own rows and pages agree to, and that can be written on.
fn require_sound(state: &State) {
    state.store().check().unwrap();
    let restored = State::from_store(state.database_id(), state.store().clone()).unwrap();
    assert!(restored.catalog() == state.catalog());
    assert_eq!(restored.digest().unwrap(), state.digest().unwrap());
    let mut written = Database {
        state: restored,
        log: Vec::new(),
    };
    let _ = written.write(|tx| {
        tx.create_table(
            &NewTable::new("fresh")
                .column("x", ColumnType::I8)
                .auto_increment("x"),
        )
    });
    let _ = written.write(|tx| tx.insert("fresh", &[]));
    let _ = written.write(|tx| tx.insert("planes", &[("tailnum", Value::from("fresh"))]));
    let _ = written.write(|tx| tx.rename_column("planes", "year", "built"));
    let _ = written.write(|tx| tx.drop_table("planes"));
    written.state.store().check().unwrap();
}

#[test]
fn mutated_transactions_never_break_a_state() {
    for_each_seed("fuzz", 600, |seed| {
        let mut random = Random(seed);
        let logs: Vec<&Vec<u8>> = databases()
            .iter()
            .flat_map(|database| &database.log)
            .collect();
        let mut bytes = (*random.pick(&logs).unwrap()).clone();
        for _ in 0..1 + random.below(4) {
            let place = random.below(bytes.len());
            match random.below(6) {
                0 => bytes[place] ^= 1 << random.below(8),
                1 => bytes[place] = random.next().to_le_bytes()[0],
                2 => bytes.truncate(place),
                3 => {
                    let end = (place + random.below(40)).min(bytes.len());
                    let copied = bytes[place..end].to_vec();
                    let to = random.below(bytes.len());
                    bytes.splice(to..to, copied);
                }
                4 => {
                    let other = random.pick(&logs).unwrap();
                    bytes.extend_from_slice(&other[8.min(other.len())..]);
                }
                _ => {
                    let end = (place + random.below(40)).min(bytes.len());
                    bytes.drain(place..end);
                }
            }
            if bytes.is_empty() {
                break;
            }
        }
        fuzz_check(&bytes);
    });
}

/// A value for a cell of a system table: mostly one that stands somewhere already, so that references meet.
fn cell(random: &mut Random, state: &State, table: &RawTable, column: usize) -> Value {
    let definition = &table.layout.columns()[column];
    if definition.nullable && random.one_in(5) {
        return Value::Null;
    }
    let rows = state.rows(table.id).unwrap();
    let place = random.below(usize::try_from(rows.row_count()).unwrap().max(1));
    if let Some(row) = rows.scan().nth(place)
        && random.below(4) > 0
    {
        return row.unwrap().value(column).unwrap();
    }
    let small = random.below(12);
    let number: u16 = [0, 1, 2, 3, 9, 18, 255, 4095, 4096, 4097, 4102, 9000][small];
    match definition.column_type {
        ColumnType::Bool => Value::Bool(random.one_in(2)),
        ColumnType::U8 => Value::U8(number.to_le_bytes()[0]),
        ColumnType::U16 => Value::U16(number),
        ColumnType::U32 => Value::U32(number.into()),
        ColumnType::U64 => Value::U64(number.into()),
        ColumnType::I64 => Value::I64(number.into()),
        ColumnType::I128 => Value::I128(i128::from(number) - 2),
        ColumnType::String => {
            Value::from(["st_new", "new", "", "st_table", "x", "planes"][small % 6])
        }
        ColumnType::Bytes => Value::Bytes(u32::from(number).to_le_bytes()[..small % 5].to_vec()),
        _ => Value::Uuid([small.to_le_bytes()[0]; 16]),
    }
}

#[test]
fn well_formed_nonsense_in_the_catalog_never_breaks_a_state() {
    let accepted = Cell::new(0);
    for_each_seed("fuzz", 1500, |seed| {
        let mut random = Random(seed);
        let database = random.pick(databases()).unwrap();
        let names = [
            "st_table",
            "st_column",
            "st_index",
            "st_constraint",
            "st_sequence",
            "st_database",
        ];
        let mut raw = Raw::new();
        for _ in 0..1 + random.below(4) {
            let table = RawTable::of(&database.state, random.pick(&names).unwrap());
            let columns = table.layout.column_count();
            let mut row: Vec<Value> = (0..columns)
                .map(|column| cell(&mut random, &database.state, &table, column))
                .collect();
            // Mostly a row that is there, with a cell or two of another.
            let rows = database.state.rows(table.id).unwrap();
            let count = usize::try_from(rows.row_count()).unwrap();
            if let Some(found) = rows.scan().nth(random.below(count)) {
                let found = found.unwrap().values().unwrap();
                for (cell, found) in row.iter_mut().zip(found) {
                    if !random.one_in(columns) {
                        *cell = found;
                    }
                }
            }
            let key: Vec<Value> = table
                .key
                .iter()
                .map(|&column| row[usize::from(column)].clone())
                .collect();
            raw = match random.below(4) {
                0 => raw.insert(&table, &[row]),
                1 => raw.delete(&table, &[key]),
                _ => {
                    let column = random.below(columns);
                    let value = cell(&mut random, &database.state, &table, column);
                    raw.update(&table, &key, &[(column, value)])
                }
            };
        }
        accepted.set(accepted.get() + fuzz_check(&raw.finish()));
    });
    eprintln!("{} transactions were accepted", accepted.get());
    assert!(
        accepted.get() > 0 || are_chosen(),
        "nonsense that nothing accepts tests only the first check"
    );
}
