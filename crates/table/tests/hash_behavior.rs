//! Hash indexes of tables, one claim at a time.
#![allow(clippy::unwrap_used)]

use std::ops::Bound;

use table::{
    ColumnType, Error, IndexId, IndexKind, IndexSpec, KeyHash, Layout, LayoutColumn, LayoutNumber,
    RowId, Store, TableId, Value, ValueRef, WriteTransaction, encode_key,
};

const TABLE: TableId = TableId(7);
const INDEX: IndexId = IndexId(1);

fn store(columns: &[LayoutColumn]) -> Store {
    let mut store = Store::new([3; 32]);
    let layout = Layout::new(LayoutNumber(1), columns.to_vec()).unwrap();
    store.create_table(TABLE, layout).unwrap();
    store
}

/// A number in a width of its own, so that all texts are long and different.
fn text(number: usize, width: usize) -> Value {
    Value::from(format!("{number:0width$}"))
}

fn hash(id: u32, columns: &[u16], unique: bool) -> IndexSpec {
    IndexSpec {
        id: IndexId(id),
        columns: columns.to_vec(),
        unique,
        kind: IndexKind::Hash,
    }
}

fn hash_columns() -> [LayoutColumn; 3] {
    [
        LayoutColumn::required(ColumnType::U64),
        LayoutColumn::nullable(ColumnType::I32),
        LayoutColumn::nullable(ColumnType::String),
    ]
}

#[test]
fn a_hash_index_answers_whole_keys_and_refuses_all_else_by_name() {
    let mut store = store(&hash_columns());
    store.create_index(TABLE, hash(1, &[1, 2], false)).unwrap();
    for number in 0..20_u64 {
        let group = Value::I32(i32::try_from(number % 3).unwrap());
        let row = [
            number.into(),
            group,
            text(usize::try_from(number % 2).unwrap(), 30),
        ];
        store.insert(TABLE, &row).unwrap();
    }
    let table = store.table(TABLE).unwrap();
    let key = [Value::I32(2), text(1, 30)];
    let rows = table.find_all(INDEX, &key).unwrap();
    let mut numbers: Vec<Value> = rows.map(|row| row.unwrap().value(0).unwrap()).collect();
    numbers.sort();
    assert_eq!(numbers, [5_u64, 11, 17].map(Value::U64));
    let first = table.find(INDEX, &key).unwrap().unwrap();
    assert_eq!(first.value(2).unwrap(), text(1, 30));
    assert!(
        table
            .find(INDEX, &[Value::I32(2), Value::Null])
            .unwrap()
            .is_none()
    );

    let refusal = Error::WholeKeyOnly {
        table: TABLE,
        index: INDEX,
    };
    assert_eq!(
        refusal.to_string(),
        "index 1 of table 7 is a hash index, which knows whole keys only; make it an ordered one to ask for this"
    );
    assert_eq!(table.find(INDEX, &key[..1]).unwrap_err(), refusal);
    assert_eq!(table.find_all(INDEX, &key[..1]).unwrap_err(), refusal);
    assert_eq!(table.index_prefix(INDEX, &key[..1]).unwrap_err(), refusal);
    let all = table.index_range(INDEX, Bound::Unbounded, Bound::Unbounded);
    assert_eq!(all.unwrap_err(), refusal);
}

#[test]
fn a_hash_index_built_from_rows_finds_what_one_filled_row_by_row_does() {
    let mut store = store(&hash_columns());
    store.create_index(TABLE, hash(1, &[2], false)).unwrap();
    store.create_index(TABLE, hash(2, &[0], true)).unwrap();
    for number in 0..9_000_u64 {
        // Texts that stand in the page, in its heap, in pages of their own, and none; some of them twice.
        let length = [3, 40, 9_000][usize::try_from(number % 7).unwrap().min(2)];
        let of_text = if number % 7 < 2 || number % 500 == 2 {
            text(usize::try_from(number % 4_000).unwrap(), length)
        } else {
            Value::Null
        };
        store
            .insert(TABLE, &[number.into(), Value::Null, of_text])
            .unwrap();
    }
    store.create_index(TABLE, hash(3, &[2], false)).unwrap();
    store.create_index(TABLE, hash(4, &[0], true)).unwrap();
    store.check().unwrap();
    let table = store.table(TABLE).unwrap();
    for row in table.scan() {
        let row = row.unwrap();
        for (filled, built, column) in [(1, 3, 2), (2, 4, 0)] {
            let key = [row.value(column).unwrap()];
            if key[0].is_null() {
                continue;
            }
            let found = [filled, built].map(|index| {
                let rows = table.find_all(IndexId(index), &key).unwrap();
                let mut rows: Vec<RowId> = rows.map(|row| row.unwrap().row_id()).collect();
                rows.sort();
                rows
            });
            assert_eq!(found[0], found[1]);
            assert!(found[0].contains(&row.row_id()));
        }
    }
}

#[test]
fn a_unique_hash_index_over_rows_that_agree_is_refused_and_leaves_no_page() {
    let mut store = store(&hash_columns());
    for (number, group) in [(1_u64, 7), (2, 8), (3, 7)] {
        let row = [number.into(), Value::I32(group), Value::Null];
        store.insert(TABLE, &row).unwrap();
    }
    let pages = store.pages().page_count();
    assert_eq!(
        store.create_index(TABLE, hash(1, &[1], true)),
        Err(Error::UniqueViolation {
            table: TABLE,
            index: INDEX,
            key: vec![Value::I32(7)]
        })
    );
    assert_eq!(store.pages().page_count(), pages);
    // Nulls agree with nothing.
    store.create_index(TABLE, hash(1, &[2], true)).unwrap();
    store.create_index(TABLE, hash(2, &[0], true)).unwrap();
    let again = store.insert(TABLE, &[3_u64.into(), Value::Null, Value::Null]);
    assert_eq!(
        again,
        Err(Error::UniqueViolation {
            table: TABLE,
            index: IndexId(2),
            key: vec![Value::U64(3)]
        })
    );
    store.check().unwrap();
    for index in [1, 2] {
        store.drop_index(TABLE, IndexId(index)).unwrap();
    }
    assert_eq!(store.pages().page_count(), pages);
}

/// Among a million keys a few pairs agree in all bits that a hash index has of them.
#[test]
fn keys_of_one_hash_are_told_apart_by_their_rows() {
    let mut hashes: Vec<(KeyHash, u64)> = (0..1_000_000_u64)
        .map(|number| {
            let mut key = Vec::new();
            encode_key([ValueRef::U64(number)], &mut key);
            (KeyHash::new(&[3; 32], &key), number)
        })
        .collect();
    hashes.sort_unstable();
    let pairs = hashes.windows(2).filter(|pair| pair[0].0 == pair[1].0);
    let pairs: Vec<[u64; 2]> = pairs.map(|pair| [pair[0].1, pair[1].1]).collect();
    assert!(!pairs.is_empty());
    for [one, other] in pairs {
        let mut store = store(&hash_columns());
        store.create_index(TABLE, hash(1, &[0], true)).unwrap();
        let row = |number: u64| [number.into(), Value::Null, Value::Null];
        let first = store.insert(TABLE, &row(one)).unwrap();
        let found = |store: &Store, number: u64| {
            let table = store.table(TABLE).unwrap();
            let found = table.find(INDEX, &[number.into()]).unwrap();
            let all = table.find_all(INDEX, &[number.into()]).unwrap();
            assert_eq!(all.count(), usize::from(found.is_some()));
            found.map(|row| row.value(0).unwrap())
        };
        assert_eq!(found(&store, other), None);
        store.insert(TABLE, &row(other)).unwrap();
        store.create_index(TABLE, hash(2, &[0], true)).unwrap();
        assert_eq!(found(&store, one), Some(one.into()));
        assert_eq!(found(&store, other), Some(other.into()));
        store.delete(TABLE, first).unwrap();
        assert_eq!(found(&store, one), None);
        assert_eq!(found(&store, other), Some(other.into()));
        store.check().unwrap();
    }
}

/// Rows of one key beyond 112 stand in a tree. What is gone in a transaction is passed over in both places.
#[test]
fn a_row_in_the_tree_is_found_when_those_in_the_lines_are_gone() {
    let mut store = store(&hash_columns());
    store.create_index(TABLE, hash(1, &[1], false)).unwrap();
    for number in 0..300_u64 {
        let row = [number.into(), Value::I32(7), Value::Null];
        store.insert(TABLE, &row).unwrap();
    }
    let key = [Value::I32(7)];
    let found = store.table(TABLE).unwrap().find_all(INDEX, &key).unwrap();
    let rows: Vec<RowId> = found.map(|row| row.unwrap().row_id()).collect();
    assert_eq!(rows.len(), 300);
    let mut writes = WriteTransaction::new(&store);
    for row in rows {
        let table = writes.table(TABLE).unwrap();
        let first = table.find(INDEX, &key).unwrap().unwrap();
        assert_eq!(first.row_id(), row);
        writes.delete(TABLE, row).unwrap();
    }
    let table = writes.table(TABLE).unwrap();
    assert!(table.find(INDEX, &key).unwrap().is_none());
}

/// In its home line, behind it, in the tree, or nowhere.
#[test]
fn a_row_is_found_wherever_its_entry_stands() {
    let mut store = store(&hash_columns());
    store.create_index(TABLE, hash(1, &[0], false)).unwrap();
    store.create_index(TABLE, hash(2, &[1], false)).unwrap();
    for number in 0..20_000_u64 {
        let row = [number.into(), Value::Null, Value::Null];
        store.insert(TABLE, &row).unwrap();
    }
    let often = [Value::I32(-5)];
    let found = |store: &Store, index: u32, key: &[Value]| {
        let table = store.table(TABLE).unwrap();
        let row = table.find(IndexId(index), key).unwrap();
        row.map(|row| row.values().unwrap())
    };
    for number in 0..40_000_u64 {
        let row = (number < 20_000).then(|| vec![number.into(), Value::Null, Value::Null]);
        assert_eq!(found(&store, 1, &[number.into()]), row);
    }
    assert_eq!(found(&store, 2, &often), None);
    // More than the lines take that one key may stand in.
    let mut places = Vec::new();
    for number in 20_000..20_300_u64 {
        let row = [number.into(), often[0].clone(), Value::Null];
        places.push(store.insert(TABLE, &row).unwrap());
    }
    for place in places {
        assert_eq!(found(&store, 2, &often).unwrap()[1], often[0]);
        store.delete(TABLE, place).unwrap();
    }
    assert_eq!(found(&store, 2, &often), None);
    assert!(found(&store, 2, &[Value::Null]).is_some());
    let refusal = store.table(TABLE).unwrap().find(INDEX, &[Value::U32(7)]);
    assert!(matches!(
        refusal,
        Err(Error::WrongType {
            column: 0,
            expected: ColumnType::U64,
            found: ColumnType::U32,
            ..
        })
    ));
}

#[test]
fn rows_are_found_in_pages_of_as_many_slots_as_there_can_be() {
    let mut store = store(&[LayoutColumn::required(ColumnType::U32)]);
    store.create_index(TABLE, hash(1, &[0], true)).unwrap();
    for number in 0..10_000_u32 {
        store.insert(TABLE, &[number.into()]).unwrap();
    }
    let table = store.table(TABLE).unwrap();
    let slots = table
        .pages()
        .unwrap()
        .map(|page| page.unwrap().rows.capacity());
    assert_eq!(slots.collect::<Vec<u16>>(), [4_095, 4_095, 4_095]);
    for number in 0..10_000_u32 {
        let row = table.find(INDEX, &[number.into()]).unwrap().unwrap();
        assert_eq!(row.value_ref(0), Ok(Some(ValueRef::U32(number))));
    }
}
