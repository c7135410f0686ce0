//! Long random histories of rows that are too long for a page against plain maps: values around every limit, rows of many middling values,
//! updates to and fro, views, trials that are taken back, compaction, replay, and stores put together from their pages.
#![allow(clippy::unwrap_used)]

#[path = "support/rows.rs"]
mod rows;
#[path = "support/seeds.rs"]
mod seeds;

use std::collections::BTreeMap;

use rows::Random;
use seeds::seeds;
use table::{
    ColumnType, IndexId, IndexKind, IndexSpec, Layout, LayoutColumn, LayoutNumber, PageKind, Store,
    TableId, Transaction, TransactionBuilder, Value, WriteTransaction,
};

/// A few columns of values of any length, with a primary key.
const TALL: TableId = TableId(7);
/// Many columns of middling values, with a primary key.
const WIDE: TableId = TableId(8);
/// The first one again, rows named by their content.
const BAG: TableId = TableId(9);
const KEY: IndexId = IndexId(1);
const WIDE_COLUMNS: usize = 60;

/// Just below, at and above what is treated in another way: a view, a piece, a row page, a whole page.
const LENGTHS: [usize; 16] = [
    0, 12, 13, 4_062, 4_063, 7_999, 8_000, 8_001, 8_124, 8_125, 20_000, 32_703, 32_704, 32_705,
    36_767, 70_000,
];

fn layout(table: TableId) -> Layout {
    let mut columns = vec![LayoutColumn::required(ColumnType::U64)];
    if table == WIDE {
        columns.extend(vec![
            LayoutColumn::nullable(ColumnType::String);
            WIDE_COLUMNS
        ]);
    } else {
        columns.push(LayoutColumn::nullable(ColumnType::String));
        columns.push(LayoutColumn::nullable(ColumnType::I32));
        columns.push(LayoutColumn::required(ColumnType::Bytes));
        columns.push(LayoutColumn::nullable(ColumnType::String));
    }
    Layout::new(LayoutNumber(1), columns).unwrap()
}

fn empty_store(kind: IndexKind) -> Store {
    let mut store = Store::new([3; 32]);
    for table in [TALL, WIDE, BAG] {
        store.create_table(table, layout(table)).unwrap();
        let spec = IndexSpec {
            id: KEY,
            columns: vec![0],
            unique: table != BAG,
            kind,
        };
        store.create_index(table, spec).unwrap();
        if table != BAG {
            store.set_primary_key(table, Some(KEY)).unwrap();
        }
    }
    store
}

/// What stands in a column of a row.
fn random_value(random: &mut Random, table: TableId, column: usize) -> Value {
    let length = match random.below(8) {
        _ if table == WIDE => random.below(400),
        0..4 => LENGTHS[random.below(LENGTHS.len())],
        4 | 5 => random.below(10_000),
        _ => random.below(100),
    };
    let letter = b'a' + u8::try_from(random.below(26)).unwrap();
    let mut bytes = vec![letter; length];
    // So that a piece in the place of another one is seen.
    for at in (0..length).step_by(500) {
        bytes[at] = b'0' + u8::try_from(random.below(10)).unwrap();
    }
    match (table, column) {
        (TALL | BAG, 2) => Value::I32(i32::from(letter)),
        (TALL | BAG, 3) => Value::Bytes(bytes),
        _ if random.one_in(8) => Value::Null,
        _ => Value::String(String::from_utf8(bytes).unwrap()),
    }
}

fn random_row(random: &mut Random, table: TableId, key: u64) -> Vec<Value> {
    let count = layout(table).column_count();
    let others = (1..count).map(|column| random_value(random, table, column));
    std::iter::once(Value::U64(key)).chain(others).collect()
}

/// What each table holds. In the bag, no key comes twice either, but nothing says so.
type Model = BTreeMap<(TableId, u64), Vec<Value>>;

#[track_caller]
fn assert_shows(store: &Store, model: &Model) {
    store.check().unwrap();
    let mut found = Model::new();
    for table in store.tables() {
        for row in table.scan() {
            let values = row.unwrap().values().unwrap();
            let Value::U64(key) = values[0] else {
                panic!("the first column is the key")
            };
            found.insert((table.id(), key), values);
        }
        let count = model.keys().filter(|(of, _)| *of == table.id()).count();
        assert_eq!(table.row_count(), count as u64);
    }
    assert!(found == *model, "other rows");
}

/// All pages and heads.
fn bytes_of(store: &Store) -> Vec<(u32, Vec<u8>)> {
    let pages = store.pages().iter();
    let pages =
        pages.map(|(number, page)| (number.get(), page.bytes().unwrap().as_bytes().to_vec()));
    let heads = store.heads().map(|(table, head)| (table.0, head));
    pages.chain(heads).collect()
}

/// The same store from its pages and heads.
fn restored(store: &Store) -> Store {
    let pages = store.pages().iter();
    let pages = pages.map(|(number, page)| (number, page.to_page().unwrap()));
    let heads: Vec<Vec<u8>> = store.heads().map(|(_, head)| head).collect();
    Store::restore([3; 32], pages, heads.iter().map(Vec::as_slice)).unwrap()
}

fn apply(store: &mut Store, bytes: &[u8]) {
    for group in Transaction::parse(bytes).unwrap().groups() {
        store.apply_group(&group).unwrap();
    }
}

/// A few statements as one transaction.
fn transact(store: &Store, random: &mut Random, model: &mut Model, is_growing: bool) -> Vec<u8> {
    let mut transaction = WriteTransaction::new(store);
    for _ in 0..1 + random.below(6) {
        let table = [TALL, WIDE, BAG][random.below(3)];
        let key = random.below(40) as u64;
        let row = transaction.table(table).unwrap();
        let found = row.find(KEY, &[key.into()]).unwrap();
        let place = found.map(|row| row.row_id());
        let choice = random.below(10);
        match place {
            None if is_growing || choice == 0 => {
                let row = random_row(random, table, key);
                transaction.insert(table, &row).unwrap();
                model.insert((table, key), row);
            }
            None => {}
            Some(place) if choice < if is_growing { 2 } else { 8 } => {
                transaction.delete(table, place).unwrap();
                model.remove(&(table, key));
            }
            Some(place) => {
                let count = layout(table).column_count();
                let mut changes = BTreeMap::new();
                for _ in 0..1 + random.below(3) {
                    let column = 1 + random.below(count - 1);
                    changes.insert(column, random_value(random, table, column));
                }
                let changes: Vec<(usize, Value)> = changes.into_iter().collect();
                transaction.update(table, place, &changes).unwrap();
                let row = model.get_mut(&(table, key)).unwrap();
                for (column, value) in changes {
                    row[column] = value;
                }
            }
        }
    }
    let mut builder = TransactionBuilder::new(0);
    transaction.flush(&mut builder).unwrap();
    builder.finish()
}

fn live_history(seed: u64, steps: usize) {
    let mut random = Random(seed);
    let kind = [IndexKind::Hash, IndexKind::Ordered][random.below(2)];
    let (mut store, mut model) = (empty_store(kind), Model::new());
    let mut twin = store.clone();
    let mut views: Vec<(Store, Model)> = Vec::new();
    for step in 0..steps {
        let is_growing = step / 40 % 2 == 0;
        let mut changed = model.clone();
        let bytes = transact(&store, &mut random, &mut changed, is_growing);
        if random.one_in(3) {
            let before = bytes_of(&store);
            store.begin_trial();
            apply(&mut store, &bytes);
            store.take_back_trial();
            assert!(before == bytes_of(&store), "what was taken back is there");
        }
        if random.one_in(3) {
            store.begin_trial();
            apply(&mut store, &bytes);
            store.keep_trial();
        } else {
            apply(&mut store, &bytes);
        }
        apply(&mut twin, &bytes);
        model = changed;
        assert_shows(&store, &model);
        assert!(
            bytes_of(&store) == bytes_of(&twin),
            "the same history gave other pages"
        );
        if random.one_in(10) {
            views.push((store.clone(), model.clone()));
        }
        if views.len() > 3 {
            let (view, model) = views.remove(random.below(views.len()));
            assert_shows(&view, &model);
        }
        if random.one_in(20) {
            twin = restored(&store);
        }
    }
    for (view, model) in &views {
        assert_shows(view, model);
    }
    for table in [TALL, WIDE, BAG] {
        let rows = store.table(table).unwrap().scan();
        let rows: Vec<_> = rows.map(|row| row.unwrap().row_id()).collect();
        for row in rows {
            store.delete(table, row).unwrap();
        }
        let used = store.table(table).unwrap().memory_use().unwrap();
        assert_eq!(used.total(), 0, "what is deleted takes nothing");
    }
}

#[test]
fn long_values_are_what_a_map_holds_through_any_history() {
    for seed in seeds("spill_model", 6) {
        live_history(seed, 160);
    }
}

/// Columns are added to rows with long values, and tables with them are dropped.
#[test]
fn long_values_survive_a_new_layout_and_go_with_their_table() {
    let mut random = Random(5);
    let (mut store, mut model) = (empty_store(IndexKind::Ordered), Model::new());
    for _ in 0..40 {
        let bytes = transact(&store, &mut random, &mut model, true);
        apply(&mut store, &bytes);
    }
    for table in [TALL, WIDE, BAG] {
        let mut columns = layout(table).columns().to_vec();
        let mut sources: Vec<Option<u16>> = (0..).map(Some).take(columns.len()).collect();
        sources.push(None);
        columns.push(LayoutColumn {
            column_type: ColumnType::String,
            nullable: false,
            default: Some(Value::String("n".repeat(9_000))),
        });
        let next = Layout::new(LayoutNumber(2), columns).unwrap();
        store.change_layout(table, next, &sources).unwrap();
    }
    for row in model.values_mut() {
        row.push(Value::String("n".repeat(9_000)));
    }
    assert_shows(&store, &model);
    assert_shows(&restored(&store), &model);
    for table in [TALL, WIDE, BAG] {
        store.drop_table(table).unwrap();
        store.check().unwrap();
    }
    assert_eq!(store.pages().page_count(), 0);
}

/// A row with two long values and some that share a spill: where one is replaced that has its spill for itself, the others are not written.
#[test]
fn an_update_of_one_long_value_writes_no_other() {
    let mut store = empty_store(IndexKind::Hash);
    let text = |letter: &str, length: usize| Value::String(letter.repeat(length));
    let row = vec![
        1_u64.into(),
        text("a", 70_000),
        Value::I32(5),
        Value::Bytes(vec![b'z'; 200_000]),
        text("b", 7_000),
    ];
    let place = store.insert(TALL, &row).unwrap();
    let whole_pages: Vec<u32> = store
        .pages()
        .iter()
        .filter(|(_, page)| {
            let page = page.bytes().unwrap();
            page.kind() == Some(PageKind::LongValue) && page.as_bytes()[100] == b'z'
        })
        .map(|(number, _)| number.get())
        .collect();
    assert_eq!(whole_pages.len(), 6);
    let changes = [
        (1, text("c", 71_000)),
        (1, text("d", 20)),
        (4, text("e", 33_000)),
        (2, Value::Null),
    ];
    for (column, value) in changes {
        let moment = store.pages().moment();
        let change = [(column, value.clone())];
        assert_eq!(store.update(TALL, place, &change), Ok(place));
        let changed = store.pages().changed_after(&moment).unwrap();
        let changed: Vec<_> = changed.collect();
        let is_changed = |number: &u32| changed.iter().any(|range| range.contains(number));
        assert!(!whole_pages.iter().any(is_changed), "column {column}");
        store.check().unwrap();
        let found = store.table(TALL).unwrap().get(place).unwrap();
        assert_eq!(found.value(column).unwrap(), value);
        assert_eq!(found.value(3).unwrap(), row[3]);
    }
}
