//! Long random histories of a store against plain maps: rows, indexes, views, savepoints, replay from bytes.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

#[path = "support/seeds.rs"]
mod seeds;

use std::collections::BTreeMap;
use std::ops::Bound;

use seeds::seeds;
use table::{
    ColumnType, Error, IndexId, IndexKind, IndexSpec, Layout, LayoutColumn, LayoutNumber,
    PageNumber, RowId, Store, TableId, TableRef, Transaction, TransactionBuilder, Value,
    WriteTransaction,
};

const KEYED: TableId = TableId(7);
const BAG: TableId = TableId(9);
const PRIMARY: IndexId = IndexId(1);
const BY_GROUP: IndexId = IndexId(2);
const BY_NAME: IndexId = IndexId(3);
const BY_HASHED_GROUP: IndexId = IndexId(4);
const BY_HASHED_NAME: IndexId = IndexId(5);

/// A small generator, so that a seed names a history for good.
struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) % below
    }
}

fn layout() -> Layout {
    Layout::new(
        LayoutNumber(1),
        vec![
            LayoutColumn::required(ColumnType::U64),
            LayoutColumn {
                column_type: ColumnType::I32,
                nullable: true,
                default: None,
            },
            LayoutColumn {
                column_type: ColumnType::String,
                nullable: true,
                default: None,
            },
            LayoutColumn::required(ColumnType::Bool),
        ],
    )
    .unwrap()
}

/// Both tables; the primary key is an index of either kind.
fn empty_store(of_key: IndexKind) -> Store {
    let mut store = Store::new([3; 32]);
    store.create_table(KEYED, layout()).unwrap();
    store.create_table(BAG, layout()).unwrap();
    for (id, columns, unique, kind) in [
        (PRIMARY, vec![0], true, of_key),
        (BY_GROUP, vec![1, 2], false, IndexKind::Ordered),
        (BY_NAME, vec![2], true, IndexKind::Ordered),
        (BY_HASHED_GROUP, vec![3, 1], false, IndexKind::Hash),
        (BY_HASHED_NAME, vec![2], true, IndexKind::Hash),
    ] {
        store
            .create_index(
                KEYED,
                IndexSpec {
                    id,
                    columns,
                    unique,
                    kind,
                },
            )
            .unwrap();
    }
    store.set_primary_key(KEYED, Some(PRIMARY)).unwrap();
    store
        .create_index(
            BAG,
            IndexSpec {
                id: BY_HASHED_GROUP,
                columns: vec![1],
                unique: false,
                kind: IndexKind::Hash,
            },
        )
        .unwrap();
    store
        .create_index(
            BAG,
            IndexSpec {
                id: BY_GROUP,
                columns: vec![1],
                unique: false,
                kind: IndexKind::Ordered,
            },
        )
        .unwrap();
    store
}

fn random_row(random: &mut Random, key: u64) -> Vec<Value> {
    let group = match random.next(4) {
        0 => Value::Null,
        _ => Value::I32(random.next(7) as i32 - 3),
    };
    let name = match random.next(8) {
        0 => Value::Null,
        1 => Value::String("x".repeat(5000 + random.next(40_000) as usize)),
        2 => Value::String(format!("{:0>1$}", key, 20 + random.next(3000) as usize)),
        3 => Value::String("same".into()),
        _ => Value::String(format!("name {key}")),
    };
    // Names that are indexed must stay short enough to be keys.
    let name = match name {
        Value::String(text) if text.len() > 4000 && random.next(2) == 0 => Value::Null,
        other => other,
    };
    vec![
        Value::U64(key),
        group,
        name,
        Value::Bool(random.next(2) == 0),
    ]
}

/// What the tables must hold.
#[derive(Clone, Default)]
struct Model {
    keyed: BTreeMap<u64, Vec<Value>>,
    bag: BTreeMap<Vec<Value>, usize>,
}

impl Model {
    fn refuses(&self, row: &[Value], except: Option<u64>) -> bool {
        let Value::U64(key) = row[0] else {
            unreachable!()
        };
        let key_taken = Some(key) != except && self.keyed.contains_key(&key);
        let name_taken = !row[2].is_null()
            && self
                .keyed
                .iter()
                .any(|(other, held)| Some(*other) != except && held[2] == row[2]);
        let too_long = matches!(&row[2], Value::String(name) if name.len() > 4000);
        key_taken || name_taken || too_long
    }
}

fn assert_equal(store: &Store, model: &Model) {
    store.check().unwrap();
    assert_shows(|table| store.table(table).unwrap(), model);
}

fn assert_shows<'a>(table: impl Fn(TableId) -> TableRef<'a>, model: &Model) {
    let keyed = table(KEYED);
    assert_eq!(keyed.row_count(), model.keyed.len() as u64);
    let by_key: Vec<Vec<Value>> = keyed
        .in_key_order(PRIMARY)
        .unwrap()
        .map(|row| row.unwrap().values().unwrap())
        .collect();
    assert_eq!(by_key, model.keyed.values().cloned().collect::<Vec<_>>());
    check_lookups(keyed, table(BAG), model);
    let mut by_group: Vec<(Value, Value, u64)> = model
        .keyed
        .iter()
        .map(|(key, row)| (row[1].clone(), row[2].clone(), *key))
        .collect();
    by_group.sort();
    let found: Vec<(Value, Value)> = keyed
        .index_range(BY_GROUP, Bound::Unbounded, Bound::Unbounded)
        .unwrap()
        .rev()
        .map(|row| row.unwrap())
        .map(|row| (row.value(1).unwrap(), row.value(2).unwrap()))
        .collect();
    let expected: Vec<(Value, Value)> = by_group
        .into_iter()
        .rev()
        .map(|(group, name, _)| (group, name))
        .collect();
    assert_eq!(found, expected);

    let bag = table(BAG);
    let mut rows: BTreeMap<Vec<Value>, usize> = BTreeMap::new();
    for row in bag.scan() {
        *rows.entry(row.unwrap().values().unwrap()).or_default() += 1;
    }
    assert_eq!(rows, model.bag);
}

/// Whole keys, those that are there and some that are not, through the hash indexes.
fn check_lookups(keyed: TableRef<'_>, bag: TableRef<'_>, model: &Model) {
    for key in 0..62 {
        let found = keyed.find(PRIMARY, &[key.into()]).unwrap();
        let values = found.map(|row| row.values().unwrap());
        assert_eq!(values.as_ref(), model.keyed.get(&key));
    }
    let groups = (-4..4).map(Value::I32).chain([Value::Null]);
    for group in groups {
        for flag in [true, false].map(Value::Bool) {
            let key = [flag, group.clone()];
            let rows = keyed.find_all(BY_HASHED_GROUP, &key).unwrap();
            let mut found: Vec<Vec<Value>> =
                rows.map(|row| row.unwrap().values().unwrap()).collect();
            found.sort();
            let has_key = |row: &&Vec<Value>| row[3] == key[0] && row[1] == key[1];
            let expected: Vec<Vec<Value>> = model.keyed.values().filter(has_key).cloned().collect();
            assert_eq!(found, expected);
        }
        let rows = bag
            .find_all(BY_HASHED_GROUP, std::slice::from_ref(&group))
            .unwrap();
        let in_bag = model.bag.iter().filter(|(row, _)| row[1] == group);
        assert_eq!(rows.count(), in_bag.map(|(_, count)| count).sum::<usize>());
    }
    for row in model.keyed.values().filter(|row| !row[2].is_null()) {
        let found = keyed.find(BY_HASHED_NAME, &row[2..3]).unwrap().unwrap();
        assert_eq!(found.values().unwrap(), *row);
    }
}

fn assert_same_pages(one: &Store, other: &Store) {
    let bytes = |store: &Store| -> Vec<(u32, Vec<u8>)> {
        let pages = store.pages().iter();
        pages
            .map(|(number, page)| (number.get(), page.bytes().unwrap().as_bytes().to_vec()))
            .collect()
    };
    assert!(
        bytes(one) == bytes(other),
        "the same history gave other pages"
    );
    assert_eq!(
        one.heads().collect::<Vec<_>>(),
        other.heads().collect::<Vec<_>>()
    );
}

fn apply(store: &mut Store, bytes: &[u8]) {
    let transaction = Transaction::parse(bytes).unwrap();
    for group in transaction.groups() {
        store.apply_group(&group).unwrap();
    }
}

/// One statement on the fork and on the model; both must agree on whether it is refused.
fn statement(random: &mut Random, transaction: &mut WriteTransaction, model: &mut Model) {
    let key = random.next(60);
    let row = random_row(random, key);
    match random.next(7) {
        0 | 1 => {
            let refused = model.refuses(&row, None);
            let result = transaction.insert(KEYED, &row);
            assert_eq!(result.is_err(), refused, "{result:?}");
            if !refused {
                model.keyed.insert(key, row);
            }
        }
        2 => {
            let found = transaction
                .table(KEYED)
                .unwrap()
                .find(PRIMARY, &[key.into()])
                .unwrap();
            assert_eq!(found.is_some(), model.keyed.remove(&key).is_some());
            if let Some(row) = found.map(|row| row.row_id()) {
                transaction.delete(KEYED, row).unwrap();
            }
        }
        3 => {
            let found = transaction
                .table(KEYED)
                .unwrap()
                .find(PRIMARY, &[key.into()])
                .unwrap();
            let Some(place) = found.map(|row| row.row_id()) else {
                return;
            };
            let mut new = model.keyed[&key].clone();
            let changes: Vec<(usize, Value)> = (1..4)
                .filter(|_| random.next(2) == 0)
                .map(|column| (column, row[column].clone()))
                .collect();
            for (column, value) in &changes {
                new[*column] = value.clone();
            }
            let refused = model.refuses(&new, Some(key));
            let result = transaction.update(KEYED, place, &changes);
            assert_eq!(result.is_err(), refused, "{result:?}");
            if !refused {
                model.keyed.insert(key, new);
            }
        }
        4 | 5 => {
            let row = vec![
                Value::U64(key % 5),
                row[1].clone(),
                row[2].clone(),
                row[3].clone(),
            ];
            transaction.insert(BAG, &row).unwrap();
            *model.bag.entry(row).or_default() += 1;
        }
        _ => {
            let rows: Vec<_> = transaction.table(BAG).unwrap().scan().collect();
            if rows.is_empty() {
                return;
            }
            let row = rows[random.next(rows.len() as u64) as usize]
                .as_ref()
                .unwrap();
            let (place, values) = (row.row_id(), row.values().unwrap());
            drop(rows);
            transaction.delete(BAG, place).unwrap();
            let count = model.bag.get_mut(&values).unwrap();
            *count -= 1;
            if *count == 0 {
                model.bag.remove(&values);
            }
        }
    }
}

fn history(seed: u64) {
    let mut random = Random(seed);
    let of_key = [IndexKind::Ordered, IndexKind::Hash][seed as usize % 2];
    let mut store = empty_store(of_key);
    let mut model = Model::default();
    let mut log: Vec<Vec<u8>> = Vec::new();
    let mut views: Vec<(Store, Model)> = Vec::new();
    for _ in 0..40 {
        let mut transaction = WriteTransaction::new(&store);
        let mut next = model.clone();
        let mut savepoint = None;
        for _ in 0..random.next(25) {
            statement(&mut random, &mut transaction, &mut next);
            match random.next(20) {
                0 => savepoint = Some((transaction.savepoint(), next.clone())),
                1 => {
                    if let Some((saved, saved_model)) = &savepoint {
                        transaction.roll_back_to(saved);
                        next = saved_model.clone();
                    }
                }
                _ => {}
            }
        }
        assert_shows(|table| transaction.table(table).unwrap(), &next);
        assert_equal(&store, &model);
        if random.next(5) == 0 {
            continue;
        }
        let mut builder = TransactionBuilder::new(0);
        transaction.flush(&mut builder).unwrap();
        let bytes = builder.finish();
        if random.next(3) == 0 {
            views.push((store.clone(), model.clone()));
        }
        apply(&mut store, &bytes);
        model = next;
        log.push(bytes);
        assert_equal(&store, &model);
    }
    views
        .iter()
        .for_each(|(view, model)| assert_equal(view, model));

    let mut replayed = empty_store(of_key);
    log.iter().for_each(|bytes| apply(&mut replayed, bytes));
    assert_same_pages(&store, &replayed);

    let heads: Vec<Vec<u8>> = store.heads().map(|(_, bytes)| bytes).collect();
    let pages = store
        .pages()
        .iter()
        .map(|(number, page)| (number, page.to_page().unwrap()));
    let restored = Store::restore([3; 32], pages, heads.iter().map(Vec::as_slice)).unwrap();
    assert_equal(&restored, &model);
    assert_same_pages(&store, &restored);

    store.drop_table(KEYED).unwrap();
    store.drop_table(BAG).unwrap();
    assert_eq!(
        store.pages().page_count(),
        0,
        "a dropped table gives back its pages"
    );
}

#[test]
fn random_histories_equal_plain_maps() {
    seeds("store_model", 12).for_each(history);
}

#[test]
fn net_effect_of_nothing_is_nothing() {
    let mut store = empty_store(IndexKind::Ordered);
    let row = vec![Value::U64(1), Value::Null, "a".into(), true.into()];
    store.insert(KEYED, &row).unwrap();
    store.insert(BAG, &row).unwrap();
    let mut transaction = WriteTransaction::new(&store);
    let other = vec![Value::U64(2), Value::Null, Value::Null, true.into()];
    for table in [KEYED, BAG] {
        let place = transaction.insert(table, &other).unwrap();
        transaction.delete(table, place).unwrap();
        let place = transaction
            .table(table)
            .unwrap()
            .scan()
            .next()
            .unwrap()
            .unwrap()
            .row_id();
        transaction.delete(table, place).unwrap();
        transaction.insert(table, &row).unwrap();
    }
    let mut builder = TransactionBuilder::new(0);
    transaction.flush(&mut builder).unwrap();
    assert!(builder.is_empty());
}

#[test]
fn rows_may_swap_unique_values() {
    let mut store = empty_store(IndexKind::Ordered);
    let row = |key: u64, name: &str| vec![Value::U64(key), Value::Null, name.into(), true.into()];
    store.insert(KEYED, &row(1, "a")).unwrap();
    store.insert(KEYED, &row(2, "b")).unwrap();
    let mut transaction = WriteTransaction::new(&store);
    let place = |transaction: &WriteTransaction, key: u64| {
        transaction
            .table(KEYED)
            .unwrap()
            .find(PRIMARY, &[key.into()])
            .unwrap()
            .unwrap()
            .row_id()
    };
    for (key, name) in [(1, "c"), (2, "a"), (1, "b")] {
        let place = place(&transaction, key);
        transaction
            .update(KEYED, place, &[(2, name.into())])
            .unwrap();
    }
    let mut builder = TransactionBuilder::new(0);
    transaction.flush(&mut builder).unwrap();
    apply(&mut store, &builder.finish());
    let rows = store
        .table(KEYED)
        .unwrap()
        .index_prefix(PRIMARY, &[])
        .unwrap();
    let rows: Vec<_> = rows.map(|row| row.unwrap().values().unwrap()).collect();
    assert_eq!(rows, [row(1, "b"), row(2, "a")]);
}

#[test]
fn a_violation_names_table_index_and_key_and_changes_nothing() {
    let mut store = empty_store(IndexKind::Ordered);
    store
        .insert(KEYED, &[1_u64.into(), Value::Null, "a".into(), true.into()])
        .unwrap();
    let before = store.clone();
    let refused = store.insert(KEYED, &[2_u64.into(), Value::Null, "a".into(), true.into()]);
    assert_eq!(
        refused,
        Err(Error::UniqueViolation {
            table: KEYED,
            index: BY_NAME,
            key: vec!["a".into()]
        })
    );
    assert_same_pages(&before, &store);
}

#[test]
fn a_place_of_another_table_or_of_none_is_no_row_and_no_damage() {
    let mut store = empty_store(IndexKind::Ordered);
    let row = [1_u64.into(), Value::Null, "a".into(), true.into()];
    let keyed = store.insert(KEYED, &row).unwrap();
    let bag = store.insert(BAG, &row).unwrap();
    let index_page = store
        .pages()
        .iter()
        .find(|(_, page)| page.bytes().unwrap().kind() == Some(table::PageKind::IndexLeaf));
    let nowhere = RowId::new(PageNumber::MAX, 0);
    let in_index = RowId::new(index_page.unwrap().0, 0);
    let free_slot = RowId::new(keyed.page(), keyed.slot() + 1);
    let missing = Error::NoSuchRow {
        table: KEYED,
        values: vec![],
    };
    for place in [bag, nowhere, in_index, free_slot] {
        assert_eq!(store.table(KEYED).unwrap().get(place).unwrap_err(), missing);
        assert_eq!(store.clone().delete(KEYED, place), Err(missing.clone()));
        for column in [0, 3] {
            let change = (column, row[column].clone());
            let updated = store.clone().update(KEYED, place, &[change]);
            assert_eq!(updated, Err(missing.clone()));
        }
    }
    assert!(store.table(KEYED).unwrap().get(keyed).is_ok());
}
