//! What a change of a table's columns costs, from the call to the state that has it: 1 M rows of (u64 key, i64, f64, 32-byte string),
//! or as many as the first argument says.
//!
//! Bound, in the same run: the same rows read from one store and inserted into another, key included, without a schema's doing.
//! Memory is what the store holds when the change is applied and the view from before is still there, over what it held before.
//! Then transactions that change one row each, of a table as it was filled and of one whose rows stand as they did before a column was added.
#![allow(clippy::unwrap_used)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use schema::{Error, LiveState, NewColumn, NewTable, State, WriteTransaction};
use table::{ColumnType, Value};

const ID: [u8; 16] = [7; 16];
const ROUNDS: usize = 3;
const UPDATES: u64 = 5_000;

fn main() {
    let arguments = std::env::args().skip(1);
    let count: u64 = arguments
        .filter_map(|argument| argument.parse().ok())
        .next()
        .unwrap_or(1_000_000);
    let state = filled(count);
    let before = state.store().pages().memory_bytes() >> 20;
    println!(
        "{count} rows, {before} MiB; seconds, ns a row, memory while a view of before is held"
    );
    let changes: [(&str, Change); 8] = [
        ("add a nullable column", |tx| {
            let column = NewColumn::new("more", ColumnType::I64).nullable();
            tx.add_column("rows", column).map(drop)
        }),
        ("add a column with a default", |tx| {
            let column = NewColumn::new("more", ColumnType::I64).default(7i64);
            tx.add_column("rows", column).map(drop)
        }),
        ("drop a column", |tx| tx.drop_column("rows", "number")),
        ("widen a column", |tx| {
            tx.widen_column("rows", "narrow", ColumnType::I64)
        }),
        ("let a column be null", |tx| {
            tx.drop_not_null("rows", "number")
        }),
        ("change a default", |tx| {
            tx.set_default("rows", "number", Some(Value::I64(1)))
        }),
        ("rename a column", |tx| {
            tx.rename_column("rows", "number", "other")
        }),
        ("demand unique strings", |tx| {
            tx.add_unique("rows", &["text"])
        }),
    ];
    for (name, change) in changes {
        let mut times = Vec::new();
        let mut memory = 0;
        for _ in 0..ROUNDS {
            let (time, bytes) = changed(&state, change);
            times.push(time);
            memory = bytes >> 20;
        }
        print(name, &mut times, count, &format!("{memory} MiB"));
    }
    for (name, changes) in [
        ("a row changed, nothing before it", &changes[..0]),
        ("a row changed, after the first two of these", &changes[..2]),
    ] {
        let mut times = updated(&state, changes);
        times.sort();
        let longest = times[times.len() - 1].as_secs_f64() * 1e6;
        print(name, &mut times, 1, &format!("at most {longest:.0} us"));
    }
    let mut times: Vec<Duration> = (0..ROUNDS).map(|_| copied(&state)).collect();
    print(
        "bound: every row read and inserted elsewhere",
        &mut times,
        count,
        "",
    );
}

type Change = fn(&mut WriteTransaction) -> Result<(), Error>;

fn print(name: &str, times: &mut [Duration], count: u64, memory: &str) {
    times.sort();
    let median = times[times.len() / 2];
    let each = median.as_secs_f64() * 1e9 / count as f64;
    println!(
        "{name:46} {:8.3} s {each:8.1} ns  {memory}",
        median.as_secs_f64()
    );
}

/// A state with the rows, each with a key.
fn filled(count: u64) -> State {
    let mut genesis = WriteTransaction::genesis(ID).unwrap();
    let rows = NewTable::new("rows")
        .column("key", ColumnType::U64)
        .column("number", ColumnType::I64)
        .column("float", ColumnType::F64)
        .column("text", ColumnType::String)
        .column("narrow", ColumnType::I32)
        .primary_key(&["key"]);
    genesis.create_table(&rows).unwrap();
    let mut state = State::empty(ID);
    state.replay(&genesis.finish().unwrap().unwrap()).unwrap();
    let id = state.definition("rows").unwrap().id();
    let keys: Vec<u64> = (0..count).collect();
    for chunk in keys.chunks(10_000) {
        let mut transaction = WriteTransaction::new(&state).unwrap();
        for &key in chunk {
            transaction.insert_row(id, row(key)).unwrap();
        }
        state
            .replay(&transaction.finish().unwrap().unwrap())
            .unwrap();
    }
    state
}

fn row(key: u64) -> Vec<Value> {
    vec![
        Value::U64(key),
        Value::I64(1),
        Value::F64(0.5),
        Value::from(format!("{key:032}")),
        Value::I32(3),
    ]
}

/// One change: how long it takes from the call until it is applied, and what memory there is then.
fn changed(state: &State, change: Change) -> (Duration, usize) {
    let mut live = LiveState::new(state.clone());
    let start = Instant::now();
    let mut transaction = WriteTransaction::new(&live.view()).unwrap();
    change(&mut transaction).unwrap();
    let bytes = transaction.finish().unwrap().unwrap();
    let checked = live.check(&bytes).unwrap();
    let before = live.apply(&bytes, checked);
    let time = start.elapsed();
    let memory = live.view().store().pages().memory_bytes();
    drop(black_box(before));
    (time, memory)
}

/// How long each of many transactions takes that change one row, after some changes of definitions.
fn updated(state: &State, changes: &[(&str, Change)]) -> Vec<Duration> {
    let mut live = LiveState::new(state.clone());
    let mut commit = |change: &dyn Fn(&mut WriteTransaction) -> Result<(), Error>| {
        let start = Instant::now();
        let mut transaction = WriteTransaction::new(&live.view()).unwrap();
        change(&mut transaction).unwrap();
        let bytes = transaction.finish().unwrap().unwrap();
        let checked = live.check(&bytes).unwrap();
        drop(live.apply(&bytes, checked));
        start.elapsed()
    };
    for (place, (_, change)) in changes.iter().enumerate() {
        commit(&|tx| {
            if place > 0 {
                tx.rename_column("rows", "more", &format!("more {place}"))?;
            }
            change(tx)
        });
    }
    let count = state.table("rows").unwrap().row_count();
    let keys = (0..UPDATES).map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15) % count);
    let update = |key: u64| {
        commit(&|tx| {
            let changed = [("number", Value::I64(2))];
            tx.update("rows", &[Value::U64(key)], &changed).map(drop)
        })
    };
    keys.map(update).collect()
}

/// All rows read by one store and inserted by another.
fn copied(state: &State) -> Duration {
    let definition = state.definition("rows").unwrap();
    let rows = state.rows(definition.id()).unwrap();
    let start = Instant::now();
    let mut copy = table::Store::new([1; 32]);
    copy.create_table(definition.id(), rows.layout().clone())
        .unwrap();
    for index in rows.indexes() {
        copy.create_index(definition.id(), index.clone()).unwrap();
    }
    copy.set_primary_key(definition.id(), rows.primary_key().map(|key| key.id))
        .unwrap();
    for row in rows.scan() {
        copy.insert(definition.id(), &row.unwrap().values().unwrap())
            .unwrap();
    }
    black_box(copy);
    start.elapsed()
}
