//! Indexes built from tables of many pages, of which each core takes a part.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::ops::Bound;

use table::{
    ColumnType, Error, IndexId, IndexKind, IndexSpec, Layout, LayoutColumn, LayoutNumber, Row,
    Store, TableId, Value,
};

const TABLE: TableId = TableId(7);
const INDEX: IndexId = IndexId(1);
const ROWS: u64 = 40_000;

/// Rows of (number, the number scattered, a group, a text of which every fifth is null), on some hundred pages.
fn filled(count: u64) -> Store {
    let columns = vec![
        LayoutColumn::required(ColumnType::U64),
        LayoutColumn::required(ColumnType::U64),
        LayoutColumn::required(ColumnType::I32),
        LayoutColumn::nullable(ColumnType::String),
    ];
    let mut store = Store::new([3; 32]);
    store
        .create_table(TABLE, Layout::new(LayoutNumber(1), columns).unwrap())
        .unwrap();
    for number in 0..count {
        store.insert(TABLE, &row(number)).unwrap();
    }
    store
}

fn row(number: u64) -> [Value; 4] {
    let text = match number % 5 {
        0 => Value::Null,
        _ => format!("{:040}", scattered(number)).into(),
    };
    let group = i32::try_from(number % 100).unwrap() - 50;
    [number.into(), scattered(number).into(), group.into(), text]
}

fn scattered(number: u64) -> u64 {
    number.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

fn spec(column: u16, unique: bool, kind: IndexKind) -> IndexSpec {
    IndexSpec {
        id: INDEX,
        columns: vec![column],
        unique,
        kind,
    }
}

fn number_of(row: Result<Row<'_>, Error>) -> u64 {
    match row.unwrap().value(0).unwrap() {
        Value::U64(number) => number,
        other => panic!("{other:?} is no number"),
    }
}

#[test]
fn every_row_is_found_by_its_key_and_in_its_order() {
    let store = filled(ROWS);
    assert!(store.pages().page_count() > 100);
    let rows = [(1, true), (2, false), (3, true), (3, false)];
    for (column, unique) in rows {
        let at = usize::from(column);
        let mut expected: BTreeMap<Value, Vec<u64>> = BTreeMap::new();
        for number in 0..ROWS {
            expected
                .entry(row(number)[at].clone())
                .or_default()
                .push(number);
        }
        for kind in [IndexKind::Ordered, IndexKind::Hash] {
            let mut store = store.clone();
            store
                .create_index(TABLE, spec(column, unique, kind))
                .unwrap();
            store.check().unwrap();
            let table = store.table(TABLE).unwrap();
            for (key, numbers) in &expected {
                let found = table.find_all(INDEX, std::slice::from_ref(key)).unwrap();
                let mut found: Vec<u64> = found.map(number_of).collect();
                found.sort_unstable();
                assert_eq!(found, *numbers, "{key:?} of column {column}");
            }
            if kind == IndexKind::Ordered {
                let in_order = table
                    .index_range(INDEX, Bound::Unbounded, Bound::Unbounded)
                    .unwrap();
                let in_order: Vec<u64> = in_order.map(number_of).collect();
                assert_eq!(
                    in_order,
                    expected.values().flatten().copied().collect::<Vec<_>>()
                );
            }
        }
    }
}

#[test]
fn an_index_is_the_same_whether_it_was_built_or_grew() {
    let built = {
        let mut store = filled(2_000);
        store
            .create_index(TABLE, spec(1, true, IndexKind::Hash))
            .unwrap();
        store
    };
    let mut grown = filled(0);
    grown
        .create_index(TABLE, spec(1, true, IndexKind::Hash))
        .unwrap();
    for number in 0..2_000 {
        grown.insert(TABLE, &row(number)).unwrap();
    }
    assert_eq!(
        built.table(TABLE).unwrap().memory_use().unwrap(),
        grown.table(TABLE).unwrap().memory_use().unwrap()
    );
}

#[test]
fn two_rows_of_one_key_are_refused_by_name_however_far_apart() {
    // The second one of a key stands in the last page, the first one in the first.
    for (column, twice) in [(1, 3), (3, 3)] {
        for kind in [IndexKind::Ordered, IndexKind::Hash] {
            let mut store = filled(ROWS);
            let mut again = row(twice);
            again[0] = ROWS.into();
            store.insert(TABLE, &again).unwrap();
            let before = store.pages().page_count();
            let refused = store.create_index(TABLE, spec(column, true, kind));
            let key = vec![row(twice)[usize::from(column)].clone()];
            let expected = Error::UniqueViolation {
                table: TABLE,
                index: INDEX,
                key,
            };
            assert_eq!(refused.unwrap_err().to_string(), expected.to_string());
            assert_eq!(store.pages().page_count(), before);
            store.check().unwrap();
            store
                .create_index(TABLE, spec(column, false, kind))
                .unwrap();
            store.check().unwrap();
        }
    }
}

#[test]
fn rows_without_a_value_do_not_conflict() {
    for kind in [IndexKind::Ordered, IndexKind::Hash] {
        let mut store = filled(ROWS);
        store.create_index(TABLE, spec(3, true, kind)).unwrap();
        let table = store.table(TABLE).unwrap();
        let nulls = table.find_all(INDEX, &[Value::Null]).unwrap();
        assert_eq!(nulls.count() as u64, ROWS / 5);
    }
}
