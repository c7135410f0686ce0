//! Half-empty pages are given back while groups are applied: in bounded steps, with every row where its indexes say, and the
//! same way wherever the same history is applied.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

#[path = "support/rows.rs"]
mod rows;
#[path = "support/seeds.rs"]
mod seeds;

use std::collections::BTreeMap;

use rows::Random;
use seeds::seeds;
use table::{
    ColumnType, IndexId, IndexKind, IndexSpec, Layout, LayoutColumn, LayoutNumber, PageNumber,
    RowId, Store, TableId, Transaction, TransactionBuilder, Value, WriteTransaction,
};

const KEYED: TableId = TableId(7);
const BAG: TableId = TableId(9);
const TABLES: [TableId; 2] = [KEYED, BAG];
const PRIMARY: IndexId = IndexId(1);
const BY_NAME: IndexId = IndexId(2);

fn empty_store() -> Store {
    let mut store = Store::new([3; 32]);
    for table in TABLES {
        let columns = vec![
            LayoutColumn::required(ColumnType::U64),
            LayoutColumn::nullable(ColumnType::String),
            LayoutColumn::nullable(ColumnType::Bytes),
        ];
        let layout = Layout::new(LayoutNumber(1), columns).unwrap();
        store.create_table(table, layout).unwrap();
        for (id, column, unique, kind) in [
            (PRIMARY, 0, true, IndexKind::Ordered),
            (BY_NAME, 1, false, IndexKind::Hash),
        ] {
            let spec = IndexSpec {
                id,
                columns: vec![column],
                unique,
                kind,
            };
            store.create_index(table, spec).unwrap();
        }
    }
    store.set_primary_key(KEYED, Some(PRIMARY)).unwrap();
    store
}

/// A row of 100 to 200 bytes; one in 40 has a value that stands in pages of its own.
fn row(random: &mut Random, key: u64) -> Vec<Value> {
    let name = match random.below(5) {
        0 => Value::Null,
        number => Value::String(format!("name {number}")),
    };
    let length = match random.one_in(40) {
        true => 9_000 + random.below(60_000),
        false => 100 + random.below(100),
    };
    vec![
        Value::U64(key),
        name,
        Value::Bytes(random.bytes(length.min(200)).repeat(length / 200 + 1)),
    ]
}

/// Does something in a transaction and applies what it becomes. Yields the bytes.
fn commit(store: &mut Store, statements: impl FnOnce(&mut WriteTransaction)) -> Vec<u8> {
    let mut transaction = WriteTransaction::new(store);
    statements(&mut transaction);
    let mut builder = TransactionBuilder::new(0);
    transaction.flush(&mut builder).unwrap();
    drop(transaction);
    let bytes = builder.finish();
    apply(store, &bytes);
    bytes
}

fn apply(store: &mut Store, bytes: &[u8]) {
    for group in Transaction::parse(bytes).unwrap().groups() {
        store.apply_group(&group).unwrap();
    }
}

/// Where the row of each key stands.
fn places(store: &Store, table: TableId) -> BTreeMap<u64, RowId> {
    let rows = store.table(table).unwrap().scan().map(|row| {
        let row = row.unwrap();
        let Value::U64(key) = row.value(0).unwrap() else {
            panic!("the key is a u64");
        };
        (key, row.row_id())
    });
    rows.collect()
}

fn assert_holds(store: &Store, table: TableId, expected: &BTreeMap<u64, Vec<Value>>) {
    store.check().unwrap();
    let table = store.table(table).unwrap();
    assert_eq!(table.row_count(), expected.len() as u64);
    for (key, values) in expected {
        let found = table.find(PRIMARY, &[Value::U64(*key)]).unwrap();
        assert_eq!(&found.unwrap().values().unwrap(), values);
    }
}

fn row_pages(store: &Store, table: TableId) -> u64 {
    let pages = store.table(table).unwrap().pages().unwrap();
    pages.map(Result::unwrap).count() as u64
}

/// Both tables with the rows of `count` keys, applied in one transaction.
fn filled(random: &mut Random, count: u64) -> (Store, BTreeMap<u64, Vec<Value>>, Vec<u8>) {
    let rows: BTreeMap<_, _> = (0..count).map(|key| (key, row(random, key))).collect();
    let mut store = empty_store();
    let bytes = commit(&mut store, |transaction| {
        for (table, row) in TABLES
            .iter()
            .flat_map(|t| rows.values().map(move |r| (t, r)))
        {
            transaction.insert(*table, row).unwrap();
        }
    });
    (store, rows, bytes)
}

/// Deletes these rows from both tables.
fn delete(store: &mut Store, keys: &[u64]) -> Vec<u8> {
    let places = TABLES.map(|table| (table, places(store, table)));
    commit(store, |transaction| {
        for (table, places) in places {
            for key in keys {
                transaction.delete(table, places[key]).unwrap();
            }
        }
    })
}

#[test]
fn a_table_that_lost_most_of_its_rows_keeps_few_pages_and_views_keep_theirs() {
    for seed in seeds("compaction", 4) {
        let mut random = Random(seed);
        let (mut store, mut rows, _) = filled(&mut random, 3_000);
        let full = TABLES.map(|table| row_pages(&store, table));
        let (view, seen) = (store.clone(), rows.clone());
        // Spread over all pages, in transactions of very different size.
        let mut gone: Vec<u64> = (0..3_000).filter(|key| key % 10 != 3).collect();
        while !gone.is_empty() {
            let size = 1 + random.below(400).min(gone.len() - 1);
            let keys: Vec<u64> = (0..size)
                .map(|_| gone.swap_remove(random.below(gone.len())))
                .collect();
            delete(&mut store, &keys);
            keys.iter().for_each(|key| drop(rows.remove(key)));
        }
        for (table, full) in TABLES.into_iter().zip(full) {
            let left = row_pages(&store, table);
            assert!(left * 4 <= full + 8, "seed {seed}: {left} of {full} pages");
            assert_holds(&store, table, &rows);
            assert_holds(&view, table, &seen);
        }
        let rest: Vec<u64> = rows.keys().copied().collect();
        delete(&mut store, &rest);
        assert_eq!(store.pages().page_count(), 0, "seed {seed}");
    }
}

#[test]
fn a_group_of_n_rows_moves_at_most_2_n_and_16() {
    let mut random = Random(5);
    let (mut store, _, _) = filled(&mut random, 3_000);
    let (mut moved_by_any, mut left) = (0, (0..3_000).collect::<Vec<u64>>());
    while left.len() > 30 {
        let size = 1 + random.below(30);
        let keys: Vec<u64> = (0..size)
            .map(|_| left.swap_remove(random.below(left.len())))
            .collect();
        let before = TABLES.map(|table| places(&store, table));
        delete(&mut store, &keys);
        for (table, before) in TABLES.into_iter().zip(before) {
            let after = places(&store, table);
            let moved = after.iter().filter(|(key, row)| before[key] != **row);
            let moved = moved.count();
            assert!(moved <= 2 * size + 16, "{moved} moved for {size}");
            moved_by_any += moved;
        }
    }
    assert!(moved_by_any > 0);
}

/// A page that is being emptied takes no rows meanwhile; it takes them again when the group is at its end.
#[test]
fn a_page_that_was_not_emptied_takes_rows_again() {
    let mut store = Store::new([3; 32]);
    let columns = vec![LayoutColumn::required(ColumnType::U64); 40];
    let layout = Layout::new(LayoutNumber(1), columns).unwrap();
    store.create_table(BAG, layout).unwrap();
    let row = |key: u64| vec![Value::U64(key); 40];
    commit(&mut store, |transaction| {
        for key in 0..1_000 {
            transaction.insert(BAG, &row(key)).unwrap();
        }
    });
    let (full, row_count) = (row_pages(&store, BAG), 1_000);
    // Rows go one by one, all over the pages, until one of the others moves: sixteen more do, and the page that they leave has more.
    let keys: Vec<u64> = (0..row_count).map(|key| key * 7 % row_count).collect();
    let mut before = places(&store, BAG);
    let mut deleted = 0;
    for key in keys {
        commit(&mut store, |transaction| {
            transaction.delete(BAG, before[&key]).unwrap();
        });
        deleted += 1;
        before.remove(&key);
        let after = places(&store, BAG);
        if after != before {
            break;
        }
    }
    let page_count = row_pages(&store, BAG);
    assert!(page_count >= full - 1 && deleted < row_count);
    let slots: u64 = {
        let pages = store.table(BAG).unwrap().pages().unwrap();
        pages
            .map(|page| u64::from(page.unwrap().rows.capacity()))
            .sum()
    };
    let left = store.table(BAG).unwrap().row_count();
    assert!(slots > left + 100);
    commit(&mut store, |transaction| {
        for key in 0..slots - left {
            transaction.insert(BAG, &row(2_000 + key)).unwrap();
        }
    });
    assert_eq!(row_pages(&store, BAG), page_count);
    assert_eq!(store.table(BAG).unwrap().row_count(), slots);
    store.check().unwrap();
}

/// Also where it goes on from pages and heads that a snapshot keeps.
#[test]
fn the_same_history_leaves_the_same_pages() {
    for seed in seeds("compaction", 4) {
        let mut random = Random(seed);
        let (mut store, _, first) = filled(&mut random, 1_500);
        let mut log = vec![first];
        let mut left: Vec<u64> = (0..1_500).collect();
        let mut restored: Option<Store> = None;
        for step in 0..40 {
            let size = 1 + random.below(40);
            let keys: Vec<u64> = (0..size)
                .map(|_| left.swap_remove(random.below(left.len())))
                .collect();
            let bytes = delete(&mut store, &keys);
            if let Some(restored) = &mut restored {
                apply(restored, &bytes);
            }
            log.push(bytes);
            if step == 20 {
                restored = Some(copy(&store));
            }
        }
        let mut replayed = empty_store();
        log.iter().for_each(|bytes| apply(&mut replayed, bytes));
        assert_same(&store, &replayed);
        assert_same(&store, &restored.unwrap());
    }
}

/// A store made of what a snapshot keeps.
fn copy(store: &Store) -> Store {
    let heads: Vec<Vec<u8>> = store.heads().map(|(_, bytes)| bytes).collect();
    let pages = store.pages();
    let pages = pages
        .iter()
        .map(|(number, page)| (number, page.to_page().unwrap()));
    Store::restore([3; 32], pages, heads.iter().map(Vec::as_slice)).unwrap()
}

fn assert_same(one: &Store, other: &Store) {
    let bytes = |store: &Store| -> Vec<(PageNumber, Vec<u8>)> {
        let pages = store.pages().iter();
        pages
            .map(|(number, page)| (number, page.bytes().unwrap().as_bytes().to_vec()))
            .collect()
    };
    assert!(bytes(one) == bytes(other));
    assert!(one.heads().eq(other.heads()));
}
