//! Long random histories in which columns come, go and change between the rows, against plain maps: what is read of rows that were written
//! under older layouts, through indexes, scans, folds, views and transactions, and that replay has the same pages.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

#[path = "support/rows.rs"]
mod rows;
#[path = "support/seeds.rs"]
mod seeds;

use std::collections::BTreeMap;
use std::ops::Bound;

use rows::{Random, random_value};
use seeds::seeds;
use table::{
    ColumnType, Error, FixedValue, IndexId, IndexKind, IndexSpec, Layout, LayoutColumn,
    LayoutNumber, RowId, Store, TableId, TableRef, Transaction, TransactionBuilder, Value,
    WriteTransaction,
};

const KEYED: TableId = TableId(7);
const BAG: TableId = TableId(9);
const TABLES: [TableId; 2] = [KEYED, BAG];
const PRIMARY: IndexId = IndexId(1);
const BY_GROUP: IndexId = IndexId(2);
const BY_HASHED_GROUP: IndexId = IndexId(3);

/// The types that columns have which come later.
const TYPES: [ColumnType; 8] = [
    ColumnType::I64,
    ColumnType::String,
    ColumnType::U8,
    ColumnType::Bool,
    ColumnType::F64,
    ColumnType::I32,
    ColumnType::Bytes,
    ColumnType::U128,
];

/// What a table must hold. The key of a keyed table is the `key`th column, what its other indexes are over is the `group`th one.
#[derive(Debug, Clone)]
struct Model {
    layout: Layout,
    key: usize,
    group: usize,
    rows: BTreeMap<Vec<Value>, usize>,
}

/// What a log holds: rows, or a change of a table's columns.
#[derive(Debug, Clone)]
enum Record {
    Rows(Vec<u8>),
    Columns(TableId, Layout, Vec<Option<u16>>),
}

type Models = [Model; 2];

fn first_layout() -> Layout {
    let columns = vec![
        LayoutColumn::nullable(ColumnType::String),
        LayoutColumn::required(ColumnType::U64),
        LayoutColumn::nullable(ColumnType::I32),
    ];
    Layout::new(LayoutNumber(1), columns).unwrap()
}

fn empty_store(of_key: IndexKind) -> Store {
    let mut store = Store::new([3; 32]);
    for table in TABLES {
        store.create_table(table, first_layout()).unwrap();
        for (id, columns, unique, kind) in [
            (PRIMARY, vec![1], true, of_key),
            (BY_GROUP, vec![2], false, IndexKind::Ordered),
            (BY_HASHED_GROUP, vec![2], false, IndexKind::Hash),
        ] {
            if unique && table == BAG {
                continue;
            }
            let spec = IndexSpec {
                id,
                columns,
                unique,
                kind,
            };
            store.create_index(table, spec).unwrap();
        }
    }
    store.set_primary_key(KEYED, Some(PRIMARY)).unwrap();
    store
}

fn empty_models() -> Models {
    TABLES.map(|_| Model {
        layout: first_layout(),
        key: 1,
        group: 2,
        rows: BTreeMap::new(),
    })
}

fn random_row(random: &mut Random, model: &Model, keys: usize) -> Vec<Value> {
    let columns = model.layout.columns().iter().enumerate();
    let values = columns.map(|(column, definition)| {
        if column == model.key {
            return Value::U64(random.below(keys) as u64);
        }
        if column == model.group {
            return Value::I32(random.below(5) as i32);
        }
        // Some rows have the defaults of columns, as the rows have that are older.
        if random.one_in(3) {
            if let Some(default) = &definition.default {
                return default.clone();
            }
            if definition.nullable {
                return Value::Null;
            }
        }
        let length_max = [10, 60, 9_000][random.below(40).min(2) * random.below(2)];
        random_value(random, definition, length_max)
    });
    values.collect()
}

/// What a table shows, through all that reads it.
fn assert_shows(table: TableRef<'_>, model: &Model) {
    let mut rows: BTreeMap<Vec<Value>, usize> = BTreeMap::new();
    for row in table.scan() {
        *rows.entry(row.unwrap().values().unwrap()).or_default() += 1;
    }
    assert!(rows == model.rows, "a table shows other rows");
    let all = || model.rows.iter().flat_map(|(row, &count)| vec![row; count]);
    assert_eq!(table.row_count(), all().count() as u64);
    if table.id() == KEYED {
        for row in model.rows.keys() {
            let found = table.find(PRIMARY, &row[model.key..=model.key]).unwrap();
            assert_eq!(found.unwrap().values().unwrap(), *row);
        }
    }
    for group in 0..6 {
        let key = [Value::I32(group)];
        let mut expected: Vec<_> = all()
            .filter(|row| row[model.group] == key[0])
            .cloned()
            .collect();
        expected.sort();
        let bound = Bound::Included(&key[..]);
        let ordered = table.index_range(BY_GROUP, bound, bound).unwrap();
        let hashed = table.find_all(BY_HASHED_GROUP, &key).unwrap();
        let mut of_ordered: Vec<_> = ordered.map(|row| row.unwrap().values().unwrap()).collect();
        let mut of_hashed: Vec<_> = hashed.map(|row| row.unwrap().values().unwrap()).collect();
        of_ordered.sort();
        of_hashed.sort();
        assert_eq!(of_ordered, expected);
        assert_eq!(of_hashed, expected);
    }
    for (column, definition) in model.layout.columns().iter().enumerate() {
        let values = all().map(|row| &row[column]).filter(|it| !it.is_null());
        let values: Vec<Value> = values.cloned().collect();
        match definition.column_type {
            ColumnType::I64 => {
                assert_folds::<i64>(table, column, &values, Value::I64);
                let sum = values.iter().map(|value| match value {
                    Value::I64(value) => i128::from(*value),
                    other => panic!("{other:?}"),
                });
                let sum: i128 = sum.sum();
                assert_eq!(table.column::<i64>(column).unwrap().sum().unwrap(), sum);
            }
            ColumnType::U8 => assert_folds::<u8>(table, column, &values, Value::U8),
            ColumnType::I32 => assert_folds::<i32>(table, column, &values, Value::I32),
            ColumnType::F64 => assert_folds::<f64>(table, column, &values, Value::F64),
            ColumnType::U128 => assert_folds::<u128>(table, column, &values, Value::U128),
            _ => {}
        }
    }
}

fn assert_folds<T: FixedValue>(
    table: TableRef<'_>,
    column: usize,
    values: &[Value],
    to_value: impl Fn(T) -> Value + Clone,
) {
    let folds = table.column::<T>(column).unwrap();
    assert_eq!(folds.count().unwrap(), values.len() as u64);
    let [min, max] = [folds.min(), folds.max()].map(|found| found.unwrap().map(&to_value));
    assert_eq!(min.as_ref(), values.iter().min());
    assert_eq!(max.as_ref(), values.iter().max());
    let Some(pivot) = values.first() else { return };
    for pivot in [pivot.clone(), to_value(T::zeroed())] {
        let is_pivot = |value: T| to_value(value) == pivot;
        let expected = values.iter().filter(|value| **value == pivot).count();
        assert_eq!(folds.count_if(is_pivot).unwrap(), expected as u64);
        let found = folds.filter(is_pivot).map(|row| row.unwrap());
        let found: Vec<Value> = found.map(|row| row.value(column).unwrap()).collect();
        assert_eq!(found, vec![pivot; expected]);
    }
    // What is documented of the slots of a page: zero where there is no value.
    for page in folds.pages().into_iter().flatten() {
        let page = page.unwrap();
        let held: Vec<u64> = page.held_bits().collect();
        for (slot, value) in page.values.iter().enumerate() {
            let is_held = held[slot / 64] >> (slot % 64) & 1 == 1;
            assert!(is_held || bytemuck::bytes_of(value).iter().all(|it| *it == 0));
        }
    }
}

fn assert_equal(store: &Store, models: &Models) {
    store.check().unwrap();
    for (table, model) in TABLES.into_iter().zip(models) {
        assert_shows(store.table(table).unwrap(), model);
    }
}

fn pages_of(store: &Store) -> Vec<(u32, Vec<u8>)> {
    let pages = store.pages().iter();
    pages
        .map(|(number, page)| (number.get(), page.bytes().unwrap().as_bytes().to_vec()))
        .collect()
}

fn assert_same_pages(one: &Store, other: &Store) {
    let heads = |store: &Store| store.heads().collect::<Vec<_>>();
    assert_eq!(heads(one), heads(other));
    assert!(
        pages_of(one) == pages_of(other),
        "the same history gave other pages"
    );
}

fn restored(store: &Store) -> Store {
    let heads: Vec<Vec<u8>> = store.heads().map(|(_, bytes)| bytes).collect();
    let pages = store.pages().iter();
    let pages = pages.map(|(number, page)| (number, page.to_page().unwrap()));
    Store::restore([3; 32], pages, heads.iter().map(Vec::as_slice)).unwrap()
}

fn apply(store: &mut Store, record: &Record) -> Result<(), Error> {
    match record {
        Record::Rows(bytes) => {
            let transaction = Transaction::parse(bytes).unwrap();
            transaction
                .groups()
                .try_for_each(|group| store.apply_group(&group))
        }
        Record::Columns(table, layout, sources) => {
            store.change_layout(*table, layout.clone(), sources)
        }
    }
}

/// One statement on a transaction and on the models.
fn statement(
    random: &mut Random,
    transaction: &mut WriteTransaction,
    models: &mut Models,
    keys: usize,
) {
    let at = random.below(2);
    let (table, model) = (TABLES[at], &mut models[at]);
    let places: Vec<(RowId, Vec<Value>)> = transaction
        .table(table)
        .unwrap()
        .scan()
        .map(|row| row.unwrap())
        .map(|row| (row.row_id(), row.values().unwrap()))
        .collect();
    let choice = random.below(7);
    if choice < 3 || places.is_empty() {
        let row = random_row(random, model, keys);
        let is_taken = |held: &Vec<Value>| held[model.key] == row[model.key];
        let refused = table == KEYED && model.rows.keys().any(is_taken);
        assert_eq!(transaction.insert(table, &row).is_err(), refused);
        if !refused {
            *model.rows.entry(row).or_default() += 1;
        }
        return;
    }
    let (place, old) = places[random.below(places.len())].clone();
    let count = model.rows.get_mut(&old).unwrap();
    *count -= 1;
    if *count == 0 {
        model.rows.remove(&old);
    }
    if choice < 5 {
        transaction.delete(table, place).unwrap();
        return;
    }
    let mut new = random_row(random, model, keys);
    new[model.key] = old[model.key].clone();
    let mut changes = Vec::new();
    for column in 0..new.len() {
        if random.one_in(3) {
            changes.push((column, new[column].clone()));
        } else {
            new[column] = old[column].clone();
        }
    }
    transaction.update(table, place, &changes).unwrap();
    *model.rows.entry(new).or_default() += 1;
}

/// A change of the columns of a table that its rows allow, and the model after it.
fn change(random: &mut Random, table: TableId, model: &Model) -> (Record, Model) {
    let mut next = model.clone();
    let mut columns = model.layout.columns().to_vec();
    let mut sources: Vec<Option<u16>> = (0..columns.len() as u16).map(Some).collect();
    let mut added: Option<Value> = None;
    let mut is_wider = false;
    let column = random.below(columns.len());
    let free = column != model.key && column != model.group;
    let choice = random.below(8);
    let is_never_null = model.rows.keys().all(|row| !row[column].is_null());
    match choice {
        1 | 2 if free && columns.len() > 3 => {
            columns.remove(column);
            sources.remove(column);
            next.key -= usize::from(column < next.key);
            next.group -= usize::from(column < next.group);
        }
        3 if free && !columns[column].nullable => columns[column].nullable = true,
        3 if free && is_never_null && columns[column].default != Some(Value::Null) => {
            columns[column].nullable = false;
        }
        4 if free => {
            let required = LayoutColumn::required(columns[column].column_type);
            columns[column].default = Some(random_value(random, &required, 30));
        }
        5 if columns[column].column_type == ColumnType::U8 && random.one_in(2) => {
            is_wider = true;
            columns[column].column_type = ColumnType::I64;
            let wider = |value: &Value| value.widened(ColumnType::I64).unwrap();
            columns[column].default = columns[column].default.as_ref().map(wider);
            next.rows = BTreeMap::new();
            for (row, count) in &model.rows {
                let mut row = row.clone();
                row[column] = wider(&row[column]);
                *next.rows.entry(row).or_default() += count;
            }
        }
        _ => {
            let column_type = TYPES[random.below(TYPES.len())];
            let nullable = random.one_in(2);
            let mut definition = LayoutColumn {
                column_type,
                nullable,
                default: None,
            };
            if !nullable || random.one_in(2) {
                let length_max = [20, 9_000][random.below(8) / 7];
                let required = LayoutColumn::required(column_type);
                definition.default = Some(random_value(random, &required, length_max));
            }
            added = Some(definition.default.clone().unwrap_or(Value::Null));
            columns.push(definition);
            sources.push(None);
        }
    }
    if !is_wider {
        next.rows = BTreeMap::new();
        for (row, count) in &model.rows {
            let value = |source: &Option<u16>| match source {
                Some(source) => row[usize::from(*source)].clone(),
                None => added.clone().unwrap(),
            };
            let row = sources.iter().map(value).collect();
            *next.rows.entry(row).or_default() += count;
        }
    }
    let number = LayoutNumber(model.layout.number().0 + 1);
    next.layout = Layout::new(number, columns).unwrap();
    (Record::Columns(table, next.layout.clone(), sources), next)
}

fn history(seed: u64) {
    let mut random = Random(seed);
    let of_key = [IndexKind::Ordered, IndexKind::Hash][random.below(2)];
    // Few keys, or so many that most rows are never written again.
    let (keys, statements) = [(40, 12), (2_000, 60)][random.below(2)];
    let mut store = empty_store(of_key);
    let mut models = empty_models();
    let mut log: Vec<Record> = Vec::new();
    let mut views: Vec<(Store, Models)> = Vec::new();
    let mut older_count = 0;
    for _ in 0..45 {
        if random.one_in(4) {
            views.push((store.clone(), models.clone()));
        }
        let (record, next) = if random.one_in(3) {
            let at = random.below(2);
            let (record, next) = change(&mut random, TABLES[at], &models[at]);
            let mut all = models.clone();
            all[at] = next;
            (record, all)
        } else {
            let mut transaction = WriteTransaction::new(&store);
            let mut next = models.clone();
            let mut savepoint = None;
            for _ in 0..1 + random.below(statements) {
                statement(&mut random, &mut transaction, &mut next, keys);
                match random.below(20) {
                    0 => savepoint = Some((transaction.savepoint(), next.clone())),
                    1 => {
                        if let Some((saved, models)) = &savepoint {
                            transaction.roll_back_to(saved);
                            next = models.clone();
                        }
                    }
                    _ => {}
                }
            }
            for (table, model) in TABLES.into_iter().zip(&next) {
                assert_shows(transaction.table(table).unwrap(), model);
            }
            let mut builder = TransactionBuilder::new(0);
            transaction.flush(&mut builder).unwrap();
            (Record::Rows(builder.finish()), next)
        };
        // Definitions are never only tried.
        let is_rows = matches!(record, Record::Rows(_));
        match random.below(4) {
            0 if is_rows => {
                let (pages, heads) = (pages_of(&store), store.heads().collect::<Vec<_>>());
                store.begin_trial();
                apply(&mut store, &record).unwrap();
                store.take_back_trial();
                assert!(pages == pages_of(&store), "what was taken back left traces");
                assert_eq!(heads, store.heads().collect::<Vec<_>>());
                apply(&mut store, &record).unwrap();
            }
            1 if is_rows => {
                store.begin_trial();
                apply(&mut store, &record).unwrap();
                store.keep_trial();
            }
            2 => {
                let mut fork = store.clone();
                apply(&mut fork, &record).unwrap();
                store = fork;
            }
            _ => apply(&mut store, &record).unwrap(),
        }
        models = next;
        log.push(record);
        assert_equal(&store, &models);
        older_count += store.heads().filter(|(_, head)| head[0] == 5).count();
        if random.one_in(6) {
            store = restored(&store);
            assert_equal(&store, &models);
        }
    }
    assert!(older_count > 0, "no row was ever of an older layout");
    for (view, models) in &views {
        assert_equal(view, models);
    }
    let mut replayed = empty_store(of_key);
    for record in &log {
        apply(&mut replayed, record).unwrap();
    }
    assert_same_pages(&store, &replayed);
    for table in TABLES {
        store.drop_table(table).unwrap();
    }
    assert_eq!(store.pages().page_count(), 0);
}

#[test]
fn rows_of_any_layout_are_what_a_map_holds() {
    seeds("relayout_model", 30).for_each(history);
}

/// A keyed table of so many rows, and the store it is in.
fn filled(rows: u64) -> Store {
    let mut store = empty_store(IndexKind::Hash);
    for key in 0..rows {
        let row = ["twelve bytes".into(), key.into(), Value::I32(1)];
        store.insert(KEYED, &row).unwrap();
    }
    store
}

/// Adds a column, or takes the last one away.
fn next_layout(store: &Store, added: Option<LayoutColumn>) -> Record {
    let layout = store.table(KEYED).unwrap().layout();
    let mut columns = layout.columns().to_vec();
    let mut sources: Vec<Option<u16>> = (0..columns.len() as u16).map(Some).collect();
    match added {
        Some(added) => {
            columns.push(added);
            sources.push(None);
        }
        None => {
            columns.pop();
            sources.pop();
        }
    }
    let number = LayoutNumber(layout.number().0 + 1);
    Record::Columns(KEYED, Layout::new(number, columns).unwrap(), sources)
}

/// Which version the head of the table has: 5 while it has rows of older layouts.
fn head_version(store: &Store) -> u8 {
    store.heads().next().unwrap().1[0]
}

#[test]
fn columns_come_and_go_without_a_look_at_the_rows() {
    let mut store = filled(20_000);
    let before = pages_of(&store);
    let seven = LayoutColumn {
        default: Some(7_i64.into()),
        ..LayoutColumn::required(ColumnType::I64)
    };
    let one_more = next_layout(&store, Some(seven));
    apply(&mut store, &one_more).unwrap();
    let one_less = next_layout(&store, None);
    apply(&mut store, &one_less).unwrap();
    assert!(before == pages_of(&store), "a page was written");
    assert_eq!(head_version(&store), 5);
    store.check().unwrap();
}

#[test]
fn a_table_that_is_written_to_has_one_layout_again_in_the_end() {
    let mut store = filled(500);
    let one_more = next_layout(&store, Some(LayoutColumn::nullable(ColumnType::Bool)));
    apply(&mut store, &one_more).unwrap();
    let mut changed = 0_u64;
    while head_version(&store) == 5 {
        let mut writes = WriteTransaction::new(&store);
        for _ in 0..10 {
            let row = [
                "new".into(),
                (1_000 + changed).into(),
                1.into(),
                true.into(),
            ];
            writes.insert(KEYED, &row).unwrap();
            changed += 1;
        }
        let mut builder = TransactionBuilder::new(0);
        writes.flush(&mut builder).unwrap();
        apply(&mut store, &Record::Rows(builder.finish())).unwrap();
        store.check().unwrap();
        assert!(changed <= 500, "rows stay behind");
    }
    assert_eq!(changed, 500, "as many rows move as are written");
}

/// A row that moves leaves nothing of a dropped column behind, wherever that stood.
#[test]
fn long_values_of_a_dropped_column_go_with_the_move_of_their_row() {
    let mut store = filled(0);
    let text = LayoutColumn::nullable(ColumnType::Bytes);
    let one_more = next_layout(&store, Some(text));
    apply(&mut store, &one_more).unwrap();
    for key in 0..20_u64 {
        let long = Value::Bytes(vec![7; 9_000 + 1_000 * key as usize]);
        let kept = Value::from("x".repeat(500 * key as usize));
        store
            .insert(KEYED, &[kept, key.into(), Value::I32(1), long])
            .unwrap();
    }
    let one_less = next_layout(&store, None);
    apply(&mut store, &one_less).unwrap();
    store.check().unwrap();
    store.renew_rows(KEYED).unwrap();
    assert_eq!(head_version(&store), 4);
    store.check().unwrap();
    // What stays is brought together by whoever changes something.
    let mut writes = WriteTransaction::new(&store);
    let first = store.table(KEYED).unwrap().scan().next().unwrap();
    let row = first.unwrap().row_id();
    writes.update(KEYED, row, &[(2, Value::I32(2))]).unwrap();
    let mut builder = TransactionBuilder::new(0);
    writes.flush(&mut builder).unwrap();
    apply(&mut store, &Record::Rows(builder.finish())).unwrap();
    store.check().unwrap();
    let used = store.table(KEYED).unwrap().memory_use().unwrap();
    assert!(used.long_values <= 4 * table::PAGE_BYTES as u64, "{used:?}");
}

/// Inserts one row in a transaction of its own.
fn insert(store: &mut Store, row: &[Value]) {
    let mut writes = WriteTransaction::new(store);
    writes.insert(KEYED, row).unwrap();
    let mut builder = TransactionBuilder::new(0);
    writes.flush(&mut builder).unwrap();
    apply(store, &Record::Rows(builder.finish())).unwrap();
}

/// The pages of a dropped column's long values come back in a table that rows are only added to, too.
#[test]
fn inserts_give_the_space_of_a_dropped_column_back() {
    let mut store = filled(0);
    let text = LayoutColumn::nullable(ColumnType::Bytes);
    let one_more = next_layout(&store, Some(text));
    apply(&mut store, &one_more).unwrap();
    // Of each row one long value goes and one stays, with pieces on the same pages.
    for key in 0..200_u64 {
        let (kept, long) = ("x".repeat(9_000), Value::Bytes(vec![7; 20_000]));
        let row = [kept.into(), key.into(), Value::I32(1), long];
        store.insert(KEYED, &row).unwrap();
    }
    let one_less = next_layout(&store, None);
    apply(&mut store, &one_less).unwrap();
    for key in 200..400_u64 {
        insert(&mut store, &["short".into(), key.into(), Value::I32(1)]);
    }
    store.check().unwrap();
    assert_eq!(head_version(&store), 4, "all rows have moved");
    let used = store.table(KEYED).unwrap().memory_use().unwrap();
    let kept = 200 * 9_000;
    assert!(used.long_values < 2 * kept, "{used:?}");
}

#[test]
fn a_column_with_nulls_can_not_demand_values_whatever_layout_they_are_of() {
    let mut store = filled(10);
    let one_more = next_layout(&store, Some(LayoutColumn::nullable(ColumnType::Bool)));
    apply(&mut store, &one_more).unwrap();
    let demand = |store: &Store, column: usize| {
        let layout = store.table(KEYED).unwrap().layout();
        let mut columns = layout.columns().to_vec();
        columns[column].nullable = false;
        let sources = (0..columns.len() as u16).map(Some).collect();
        let layout = Layout::new(LayoutNumber(9), columns).unwrap();
        apply(&mut store.clone(), &Record::Columns(KEYED, layout, sources))
    };
    let violation = |column| {
        Err(Error::NullViolation {
            table: KEYED,
            column,
        })
    };
    // All rows have the null of a column that came later, none has one in the first.
    assert_eq!(demand(&store, 3), violation(3));
    assert_eq!(demand(&store, 0), Ok(()));
    let row = [Value::Null, 77_u64.into(), 1.into(), true.into()];
    let place = store.insert(KEYED, &row).unwrap();
    assert_eq!(demand(&store, 0), violation(0));
    store.delete(KEYED, place).unwrap();
    assert_eq!(demand(&store, 0), Ok(()));
}

/// What stands for a row in the index of contents is what stands in its page: so no page may have a dropped column.
#[test]
fn a_table_that_loses_its_key_finds_rows_by_their_content_whatever_layout_they_had() {
    let mut store = filled(700);
    let one_more = next_layout(&store, Some(LayoutColumn::nullable(ColumnType::Bool)));
    apply(&mut store, &one_more).unwrap();
    let one_less = next_layout(&store, None);
    apply(&mut store, &one_less).unwrap();
    store.set_primary_key(KEYED, None).unwrap();
    store.check().unwrap();
    let one_more = next_layout(&store, Some(LayoutColumn::nullable(ColumnType::Bool)));
    apply(&mut store, &one_more).unwrap();
    assert_eq!(head_version(&store), 5);
    let mut writes = WriteTransaction::new(&store);
    let rows = store.table(KEYED).unwrap().scan();
    for row in rows.map(|row| row.unwrap().row_id()) {
        writes.delete(KEYED, row).unwrap();
    }
    let mut builder = TransactionBuilder::new(0);
    writes.flush(&mut builder).unwrap();
    apply(&mut store, &Record::Rows(builder.finish())).unwrap();
    assert_eq!(store.table(KEYED).unwrap().row_count(), 0);
    store.check().unwrap();
}

/// However often columns change between rows, few layouts are kept.
#[test]
fn rows_of_too_many_layouts_move_at_once() {
    let mut store = filled(3_000);
    for step in 0..30_u64 {
        let seven = LayoutColumn {
            default: Some(7_u8.into()),
            ..LayoutColumn::required(ColumnType::U8)
        };
        let one_more = next_layout(&store, Some(seven));
        apply(&mut store, &one_more).unwrap();
        for key in 0..3 {
            let mut row: Vec<Value> = vec!["new".into(), (10_000 + 3 * step + key).into()];
            row.push(1.into());
            row.resize(4 + step as usize, 8_u8.into());
            store.insert(KEYED, &row).unwrap();
        }
        store.check().unwrap();
    }
    let (_, head) = store.heads().next().unwrap();
    assert!(head.len() < 2_500, "{} bytes", head.len());
    let table = store.table(KEYED).unwrap();
    for column in 3..33 {
        let sum = table.column::<u8>(column).unwrap().sum().unwrap();
        let sevens = 3_000 + 3 * (column as u128 - 3);
        assert_eq!(sum, 7 * sevens + 8 * (3_090 - sevens), "column {column}");
    }
}
