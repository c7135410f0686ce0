//! What a store promises of its tables, one claim at a time.
#![allow(clippy::unwrap_used)]

use std::ops::Bound;
use std::sync::Arc;

use table::{
    ColumnType, Error, IndexId, IndexKind, IndexRange, IndexSpec, Layout, LayoutColumn,
    LayoutNumber, Operation, PAGE_BYTES, Page, PageBytes, PageKind, PageNumber, RowId, Store,
    TableId, TableRef, Transaction, TransactionBuilder, VALUE_BYTES_MAX, Value, WriteTransaction,
};

const TABLE: TableId = TableId(7);
const INDEX: IndexId = IndexId(1);

fn store(columns: &[LayoutColumn]) -> Store {
    let mut store = Store::new([3; 32]);
    let layout = Layout::new(LayoutNumber(1), columns.to_vec()).unwrap();
    store.create_table(TABLE, layout).unwrap();
    store
}

fn unique(columns: &[u16]) -> IndexSpec {
    IndexSpec {
        id: INDEX,
        columns: columns.to_vec(),
        unique: true,
        kind: IndexKind::Ordered,
    }
}

fn values(store: &Store, row: RowId) -> Vec<Value> {
    let table = store.table(TABLE).unwrap();
    table.get(row).unwrap().values().unwrap()
}

/// A number in a width of its own, so that all texts are long and different.
fn text(number: usize, width: usize) -> Value {
    Value::from(format!("{number:0width$}"))
}

#[test]
fn an_update_in_place_lets_values_shrink_before_others_grow() {
    let string = || LayoutColumn::required(ColumnType::String);
    // Whichever column grows, before or after the one that makes room for it.
    for (short, long) in [(0, 1), (1, 0)] {
        let mut store = store(&[string(), string()]);
        let row = |number: usize, short: usize| {
            let mut row = vec![text(number, 4_000); 2];
            row[short] = text(number, 20);
            row
        };
        // The page is as full as rows like these make it.
        let places: Vec<RowId> = (0..20)
            .map(|number| store.insert(TABLE, &row(number, short)).unwrap())
            .collect();
        let first_page: Vec<RowId> = places
            .iter()
            .copied()
            .filter(|place| place.page() == places[0].page())
            .collect();
        assert!((2..20).contains(&first_page.len()));
        for (number, place) in first_page.iter().enumerate() {
            let turned = row(number, long);
            let changes = [(0, turned[0].clone()), (1, turned[1].clone())];
            let moved = store.update(TABLE, *place, &changes).unwrap();
            assert_eq!(moved, *place, "what is freed is enough");
            assert_eq!(values(&store, moved), turned);
            store.check().unwrap();
        }
    }
}

#[test]
fn nulls_are_exempt_from_uniqueness_whenever_the_index_is_made() {
    let number = LayoutColumn::nullable(ColumnType::I32);
    let columns = [
        number.clone(),
        number,
        LayoutColumn::required(ColumnType::U64),
    ];
    let (null, one) = (Value::Null, Value::I32(1));
    let exempt = [
        [null.clone(), null.clone()],
        [null.clone(), one.clone()],
        [one.clone(), null],
    ];
    for index_first in [true, false] {
        let mut store = store(&columns);
        if index_first {
            store.create_index(TABLE, unique(&[0, 1])).unwrap();
        }
        for key in exempt.iter().chain(&exempt).chain(&exempt) {
            let row = [key[0].clone(), key[1].clone(), Value::U64(5)];
            store.insert(TABLE, &row).unwrap();
        }
        let full = [one.clone(), one.clone(), Value::U64(5)];
        store.insert(TABLE, &full).unwrap();
        if !index_first {
            store.create_index(TABLE, unique(&[0, 1])).unwrap();
        }
        store.check().unwrap();
        assert_eq!(
            store.insert(TABLE, &full),
            Err(Error::UniqueViolation {
                table: TABLE,
                index: INDEX,
                key: vec![one.clone(), one.clone()],
            })
        );
    }
}

#[test]
fn a_unique_index_over_equal_rows_is_refused_and_leaves_nothing() {
    let mut store = store(&[LayoutColumn::required(ColumnType::I32)]);
    for number in [1, 2, 2, 3] {
        store.insert(TABLE, &[Value::I32(number)]).unwrap();
    }
    let page_count = store.pages().page_count();
    assert_eq!(
        store.create_index(TABLE, unique(&[0])),
        Err(Error::UniqueViolation {
            table: TABLE,
            index: INDEX,
            key: vec![Value::I32(2)],
        })
    );
    assert_eq!(store.pages().page_count(), page_count);
    store.check().unwrap();
}

#[test]
fn the_content_index_goes_when_a_primary_key_comes_and_comes_when_it_goes() {
    let mut store = store(&[LayoutColumn::required(ColumnType::U64)]);
    for number in 0..20_000_u64 {
        store.insert(TABLE, &[number.into()]).unwrap();
    }
    store.create_index(TABLE, unique(&[0])).unwrap();
    store.check().unwrap();
    let with_content = store.pages().page_count();
    store.set_primary_key(TABLE, Some(INDEX)).unwrap();
    store.check().unwrap();
    // At 13 bytes for an entry of hash and place, 20,000 of them are more than seven pages.
    let without = store.pages().page_count();
    assert!(without + 7 < with_content, "{without} of {with_content}");
    // Rows that change meanwhile are found by their content afterwards.
    let first = store.table(TABLE).unwrap().find(INDEX, &[0_u64.into()]);
    let first = first.unwrap().unwrap().row_id();
    store
        .update(TABLE, first, &[(0, 50_000_u64.into())])
        .unwrap();
    store.set_primary_key(TABLE, None).unwrap();
    store.check().unwrap();
    assert!(store.pages().page_count() > without + 7);
    let mut transaction = WriteTransaction::new(&store);
    transaction.delete(TABLE, first).unwrap();
    let mut builder = TransactionBuilder::new(0);
    transaction.flush(&mut builder).unwrap();
    let bytes = builder.finish();
    for group in Transaction::parse(&bytes).unwrap().groups() {
        store.apply_group(&group).unwrap();
    }
    let table = store.table(TABLE).unwrap();
    assert_eq!(table.row_count(), 19_999);
    assert!(table.find(INDEX, &[50_000_u64.into()]).unwrap().is_none());
    store.check().unwrap();
}

#[test]
#[should_panic(expected = "a savepoint is good in its own transaction only")]
fn a_savepoint_of_another_transaction_is_a_bug() {
    let store = store(&[LayoutColumn::required(ColumnType::U64)]);
    let mut first = WriteTransaction::new(&store);
    first.insert(TABLE, &[Value::U64(1)]).unwrap();
    let savepoint = first.savepoint();
    // It does not end with its transaction, and stays what it is.
    drop(first);
    WriteTransaction::new(&store).roll_back_to(&savepoint);
}

#[test]
fn a_statement_that_meets_a_damaged_page_changes_nothing() {
    struct Zeros;
    impl PageBytes for Zeros {
        fn page_bytes(&self) -> &[u8] {
            &[0; PAGE_BYTES]
        }
    }
    let sound = {
        let mut store = store(&[LayoutColumn::required(ColumnType::U64)]);
        store.insert(TABLE, &[Value::U64(1)]).unwrap();
        store
    };
    let place = sound.table(TABLE).unwrap().scan().next();
    let place = place.unwrap().unwrap().row_id();
    // The page of the row is not what it was.
    let pages = sound.pages().iter().map(|(number, page)| {
        let damaged = number == place.page();
        let page = if damaged {
            Page::borrowed(Arc::new(Zeros), 1)
        } else {
            page.to_page().unwrap()
        };
        (number, page)
    });
    let heads: Vec<Vec<u8>> = sound.heads().map(|(_, head)| head).collect();
    let store = Store::restore([3; 32], pages, heads.iter().map(Vec::as_slice)).unwrap();

    let mut transaction = WriteTransaction::new(&store);
    let damaged = |result: Result<(), Error>| assert!(matches!(result, Err(Error::Damaged(_))));
    damaged(transaction.delete(TABLE, place));
    damaged(
        transaction
            .update(TABLE, place, &[(0, Value::U64(2))])
            .map(drop),
    );
    let mut builder = TransactionBuilder::new(0);
    transaction.flush(&mut builder).unwrap();
    assert!(builder.is_empty());
    // What needs no damaged page goes on.
    let row = transaction.insert(TABLE, &[Value::U64(3)]).unwrap();
    let table = transaction.table(TABLE).unwrap();
    assert_eq!(table.row_count(), 2);
    assert_eq!(table.get(row).unwrap().value(0), Ok(Value::U64(3)));
}

#[test]
fn a_row_of_a_transaction_has_no_place_outside_of_it() {
    let mut store = store(&[LayoutColumn::required(ColumnType::U64)]);
    let mut transaction = WriteTransaction::new(&store);
    let row = transaction.insert(TABLE, &[Value::U64(1)]).unwrap();
    assert!(row.is_pending());
    assert!(row.page() > PageNumber::STORED_MAX);
    let mut builder = TransactionBuilder::new(0);
    transaction.flush(&mut builder).unwrap();
    let bytes = builder.finish();
    for group in Transaction::parse(&bytes).unwrap().groups() {
        store.apply_group(&group).unwrap();
    }
    let missing = Error::NoSuchRow {
        table: TABLE,
        values: vec![],
    };
    assert_eq!(store.table(TABLE).unwrap().get(row).unwrap_err(), missing);
    assert_eq!(store.delete(TABLE, row), Err(missing.clone()));
    // What was flushed is in the store; the transaction goes on from there.
    transaction.rebase(store);
    let table = transaction.table(TABLE).unwrap();
    assert_eq!(table.get(row).unwrap_err(), missing);
    assert_eq!(table.row_count(), 1);
}

#[test]
fn a_savepoint_from_before_a_rebase_brings_its_base_back() {
    let number = LayoutColumn::required(ColumnType::U64);
    // Without a primary key nothing would refuse the row a second time.
    for is_keyed in [false, true] {
        let mut store = store(std::slice::from_ref(&number));
        if is_keyed {
            store.create_index(TABLE, unique(&[0])).unwrap();
            store.set_primary_key(TABLE, Some(INDEX)).unwrap();
        }
        let flush = |transaction: &WriteTransaction| {
            let mut builder = TransactionBuilder::new(0);
            transaction.flush(&mut builder).unwrap();
            builder.finish()
        };
        let applied = |transaction: &WriteTransaction, flushed: &[u8]| {
            let mut fork = transaction.base().clone();
            for group in Transaction::parse(flushed).unwrap().groups() {
                fork.apply_group(&group).unwrap();
            }
            fork
        };
        let rows = |store: &Store| -> Vec<Value> {
            let rows = store.table(TABLE).unwrap().scan();
            rows.map(|row| row.unwrap().value(0).unwrap()).collect()
        };
        let mut transaction = WriteTransaction::new(&store);
        transaction.insert(TABLE, &[Value::U64(1)]).unwrap();
        let before = transaction.savepoint();
        let first = flush(&transaction);
        let fork = applied(&transaction, &first);
        transaction.rebase(fork);
        let behind = transaction.savepoint();
        transaction.insert(TABLE, &[Value::U64(2)]).unwrap();

        transaction.roll_back_to(&before);
        assert_eq!(rows(transaction.base()), []);
        assert_eq!(transaction.table(TABLE).unwrap().row_count(), 1);
        assert_eq!(flush(&transaction), first);
        transaction.insert(TABLE, &[Value::U64(3)]).unwrap();
        let again = applied(&transaction, &flush(&transaction));
        assert_eq!(rows(&again), [1, 3].map(Value::U64));

        transaction.roll_back_to(&behind);
        assert_eq!(rows(transaction.base()), [Value::U64(1)]);
        assert_eq!(flush(&transaction), TransactionBuilder::new(0).finish());
    }
}

#[test]
fn in_a_table_deletes_come_first_then_updates_then_inserts() {
    let number = LayoutColumn::required(ColumnType::U64);
    let mut store = store(&[number.clone(), number]);
    store.create_index(TABLE, unique(&[0])).unwrap();
    store.set_primary_key(TABLE, Some(INDEX)).unwrap();
    let row = |key: u64, number: u64| [Value::U64(key), Value::U64(number)];
    let rows = [1, 2, 3, 4, 5].map(|key| store.insert(TABLE, &row(key, 0)).unwrap());
    let mut transaction = WriteTransaction::new(&store);
    transaction.insert(TABLE, &row(6, 0)).unwrap();
    for changed in [rows[0], rows[4]] {
        let changes = [(1, Value::U64(9))];
        transaction.update(TABLE, changed, &changes).unwrap();
    }
    for gone in [rows[1], rows[2], rows[3]] {
        transaction.delete(TABLE, gone).unwrap();
    }
    let mut builder = TransactionBuilder::new(0);
    transaction.flush(&mut builder).unwrap();
    let bytes = builder.finish();
    let mut found = Vec::new();
    for group in Transaction::parse(&bytes).unwrap().groups() {
        found.push((group.operation, group.row_count));
        store.apply_group(&group).unwrap();
    }
    let expected = [
        (Operation::DeleteByKey, 3),
        (Operation::Update, 2),
        (Operation::Insert, 1),
    ];
    assert_eq!(found, expected);
    let table = store.table(TABLE).unwrap();
    let rows = table.in_key_order(INDEX).unwrap();
    let rows: Vec<_> = rows.map(|row| row.unwrap().values().unwrap()).collect();
    assert_eq!(rows, [row(1, 9), row(5, 9), row(6, 0)]);
}

/// As many bytes of a key mean another value of another type: these keys found row 5 or the empty string.
#[test]
fn a_key_of_another_type_is_refused_however_it_is_asked_for() {
    let columns = [ColumnType::I64, ColumnType::String].map(LayoutColumn::required);
    let mut store = store(&columns);
    let of_number = Value::U64((1 << 63) + 5);
    let of_text = Value::U16(1);
    for (id, kind) in [(0, IndexKind::Ordered), (10, IndexKind::Hash)] {
        for (number, columns) in [vec![0], vec![1], vec![0, 1]].into_iter().enumerate() {
            let spec = IndexSpec {
                id: IndexId(id + u32::try_from(number).unwrap()),
                columns,
                unique: false,
                kind,
            };
            store.create_index(TABLE, spec).unwrap();
        }
    }
    let mut transaction = WriteTransaction::new(&store);
    transaction
        .insert(TABLE, &[5_i64.into(), "".into()])
        .unwrap();
    store.insert(TABLE, &[5_i64.into(), "".into()]).unwrap();
    let untouched = WriteTransaction::new(&store);
    let tables = [
        store.table(TABLE).unwrap(),
        untouched.table(TABLE).unwrap(),
        transaction.table(TABLE).unwrap(),
    ];
    let wrong_type = |column, expected, found| Error::WrongType {
        table: TABLE,
        column,
        expected,
        found,
    };
    let number = wrong_type(0, ColumnType::I64, ColumnType::U64);
    let text = wrong_type(1, ColumnType::String, ColumnType::U16);
    let (five, empty) = (Value::I64(5), Value::from(""));
    let keys = [
        (0, vec![of_number.clone()], &number),
        (1, vec![of_text.clone()], &text),
        (2, vec![of_number.clone(), empty.clone()], &number),
        (2, vec![five.clone(), of_text.clone()], &text),
        // A value that no short key holds.
        (
            2,
            vec![five.clone(), Value::Bytes(vec![0; 100])],
            &wrong_type(1, ColumnType::String, ColumnType::Bytes),
        ),
        (2, vec![Value::Null, of_text], &text),
    ];
    for table in tables {
        for (index, key, expected) in &keys {
            for index in [IndexId(*index), IndexId(*index + 10)] {
                assert_eq!(table.find(index, key).unwrap_err(), **expected);
                assert_eq!(table.find_all(index, key).unwrap_err(), **expected);
                assert_eq!(table.index_prefix(index, key).unwrap_err(), **expected);
                let bound: [Bound<&[Value]>; 2] = [Bound::Included(key), Bound::Excluded(key)];
                for bound in bound {
                    for (lower, upper) in [(bound, Bound::Unbounded), (Bound::Unbounded, bound)] {
                        let refused = table.index_range(index, lower, upper).unwrap_err();
                        assert_eq!(refused, **expected);
                    }
                }
            }
        }
        // One value too many, which no row has, of any type.
        for (index, key) in [
            (0, vec![five.clone(), five.clone()]),
            (1, vec![empty.clone(), of_number.clone()]),
            (2, vec![five.clone(), empty.clone(), Value::Null]),
        ] {
            for index in [IndexId(index), IndexId(index + 10)] {
                let refused = Error::TooManyValues {
                    table: TABLE,
                    index,
                    columns: key.len() - 1,
                    values: key.len(),
                };
                assert_eq!(table.find(index, &key).unwrap_err(), refused);
                assert_eq!(table.find_all(index, &key).unwrap_err(), refused);
                let from = table.index_range(index, Bound::Included(&key), Bound::Unbounded);
                assert_eq!(from.unwrap_err(), refused);
            }
        }
        // The first columns of a key.
        let prefix = table.index_prefix(IndexId(2), std::slice::from_ref(&of_number));
        assert_eq!(prefix.unwrap_err(), number);
        // What is there is found by its own types, and null by null.
        let count = |table: &TableRef<'_>, index, key: &[Value]| {
            let found = table.find(IndexId(index), key).unwrap().is_some();
            (found, table.find_all(IndexId(index), key).unwrap().count())
        };
        for (index, key) in [
            (0, vec![five.clone()]),
            (1, vec![empty.clone()]),
            (2, vec![five.clone(), empty.clone()]),
        ] {
            for index in [index, index + 10] {
                assert_eq!(count(&table, index, &key), (true, 1));
            }
        }
        assert_eq!(count(&table, 0, &[Value::Null]), (false, 0));
    }
}

#[test]
fn of_a_column_that_an_update_names_twice_the_last_value_counts() {
    let columns = [ColumnType::U64, ColumnType::String].map(LayoutColumn::required);
    // In place, and where the value gets pages of its own.
    for (length, kind) in [(20, IndexKind::Ordered), (50_000, IndexKind::Hash)] {
        let by_text = IndexSpec {
            id: IndexId(2),
            columns: vec![1],
            unique: false,
            kind,
        };
        for key in [None, Some(INDEX)] {
            let mut store = store(&columns);
            store.create_index(TABLE, unique(&[0])).unwrap();
            store.create_index(TABLE, by_text.clone()).unwrap();
            store.set_primary_key(TABLE, key).unwrap();
            let row = store.insert(TABLE, &[1_u64.into(), text(1, 100)]).unwrap();
            let changes = [
                (1, text(2, 200)),
                (0, 9_u64.into()),
                (1, text(3, length)),
                (0, 2_u64.into()),
            ];
            let mut transaction = WriteTransaction::new(&store);
            let of_transaction = transaction.update(TABLE, row, &changes).unwrap();
            let seen = transaction
                .table(TABLE)
                .unwrap()
                .get(of_transaction)
                .unwrap();
            let expected = vec![2_u64.into(), text(3, length)];
            assert_eq!(seen.values().unwrap(), expected);
            drop(transaction);
            let row = store.update(TABLE, row, &changes).unwrap();
            assert_eq!(values(&store, row), expected);
            store.check().unwrap();
            store.delete(TABLE, row).unwrap();
            store.check().unwrap();
            assert_eq!(store.pages().page_count(), 0);
        }
    }
}

#[test]
fn the_id_of_a_row_that_was_rolled_back_finds_no_other_one() {
    let store = store(&[LayoutColumn::required(ColumnType::U64)]);
    let mut transaction = WriteTransaction::new(&store);
    let kept = transaction.insert(TABLE, &[Value::U64(0)]).unwrap();
    let savepoint = transaction.savepoint();
    let mut gone = Vec::new();
    for round in 1..4 {
        for number in 0..round {
            let row = transaction.insert(TABLE, &[Value::U64(number)]).unwrap();
            assert!(!gone.contains(&row));
            gone.push(row);
        }
        transaction.roll_back_to(&savepoint);
    }
    transaction.insert(TABLE, &[Value::U64(9)]).unwrap();
    let missing = Error::NoSuchRow {
        table: TABLE,
        values: vec![],
    };
    for row in gone {
        let table = transaction.table(TABLE).unwrap();
        assert_eq!(table.get(row).unwrap_err(), missing);
        assert_eq!(transaction.delete(TABLE, row), Err(missing.clone()));
    }
    let table = transaction.table(TABLE).unwrap();
    assert_eq!(table.get(kept).unwrap().value(0), Ok(Value::U64(0)));
    assert_eq!(table.row_count(), 2);
}

#[test]
#[should_panic(expected = "a savepoint is good in its own transaction only")]
fn a_savepoint_of_a_copy_is_one_of_another_transaction() {
    let store = store(&[LayoutColumn::required(ColumnType::U64)]);
    let mut transaction = WriteTransaction::new(&store);
    let mut copy = transaction.clone();
    copy.insert(TABLE, &[Value::U64(1)]).unwrap();
    transaction.roll_back_to(&copy.savepoint());
}

#[test]
fn an_index_over_columns_that_do_not_fit_is_refused() {
    let mut store = store(&[
        LayoutColumn::required(ColumnType::U64),
        LayoutColumn::nullable(ColumnType::U64),
    ]);
    let unfit = Err(Error::UnfitIndex {
        table: TABLE,
        index: INDEX,
    });
    for columns in [&[][..], &[2], &[0, 2], &[0, 0], &[0, 1, 0], &[u16::MAX]] {
        for kind in [IndexKind::Ordered, IndexKind::Hash] {
            let spec = IndexSpec {
                kind,
                ..unique(columns)
            };
            assert_eq!(store.create_index(TABLE, spec), unfit, "{columns:?}");
        }
    }
    assert_eq!(store.table(TABLE).unwrap().indexes().count(), 0);
}

#[test]
fn a_primary_key_is_unique_and_never_null() {
    for (columns, is_unique, fits) in [
        (&[0][..], true, true),
        (&[0, 2], true, true),
        (&[0], false, false),
        (&[1], true, false),
        (&[0, 1], true, false),
    ] {
        let mut store = store(&[
            LayoutColumn::required(ColumnType::U64),
            LayoutColumn::nullable(ColumnType::U64),
            LayoutColumn::required(ColumnType::U64),
        ]);
        let spec = IndexSpec {
            unique: is_unique,
            ..unique(columns)
        };
        store.create_index(TABLE, spec).unwrap();
        let unfit = Error::UnfitIndex {
            table: TABLE,
            index: INDEX,
        };
        let expected = if fits { Ok(()) } else { Err(unfit) };
        assert_eq!(store.set_primary_key(TABLE, Some(INDEX)), expected);
        let table = store.table(TABLE).unwrap();
        assert_eq!(table.primary_key().is_some(), fits, "{columns:?}");
    }
}

/// A column shown twice would share its long values, and rows with a null key are not told apart by it.
#[test]
fn a_layout_shows_a_column_once_and_keeps_the_key_from_being_null() {
    let required = LayoutColumn::required(ColumnType::U64);
    let nullable = LayoutColumn::nullable(ColumnType::U64);
    let mut store = store(&[required.clone(), required.clone()]);
    store.create_index(TABLE, unique(&[0])).unwrap();
    store.set_primary_key(TABLE, Some(INDEX)).unwrap();
    store.insert(TABLE, &[1_u64.into(), 2_u64.into()]).unwrap();
    let mut change = |columns: &[&LayoutColumn], sources: &[Option<u16>]| {
        let columns = columns.iter().map(|column| (*column).clone()).collect();
        let layout = Layout::new(LayoutNumber(2), columns).unwrap();
        store.change_layout(TABLE, layout, sources)
    };
    let unfit = Err(Error::UnfitLayout {
        table: TABLE,
        current: LayoutNumber(1),
        found: LayoutNumber(2),
    });
    let (a, b) = (Some(0), Some(1));
    assert_eq!(change(&[&required; 3], &[a, b, b]), unfit);
    assert_eq!(
        change(&[&required, &nullable, &nullable], &[a, b, b]),
        unfit
    );
    assert_eq!(change(&[&nullable, &required], &[a, b]), unfit);
    assert_eq!(change(&[&required, &nullable], &[b, a]), unfit);
    assert_eq!(change(&[&nullable, &required], &[b, a]), Ok(()));
}

#[test]
fn two_heads_of_one_table_are_refused() {
    let mut store = store(&[LayoutColumn::required(ColumnType::U64)]);
    store.insert(TABLE, &[1_u64.into()]).unwrap();
    let heads: Vec<Vec<u8>> = store.heads().map(|(_, head)| head).collect();
    let pages = || {
        let pages = store.pages().iter();
        pages.map(|(number, page)| (number, page.to_page().unwrap()))
    };
    let twice = [&heads[0][..]; 2];
    Store::restore([3; 32], pages(), [twice[0]]).unwrap();
    let refused = Store::restore([3; 32], pages(), twice).unwrap_err();
    assert_eq!(refused, Error::TableExists { table: TABLE });
}

/// Zeros that are only ever counted take no memory.
#[test]
fn a_value_of_two_gib_is_refused_before_it_is_read() {
    let mut store = store(&[LayoutColumn::required(ColumnType::Bytes)]);
    let row = store.insert(TABLE, &[Value::Bytes(vec![])]).unwrap();
    let mut transaction = WriteTransaction::new(&store);
    let long = || Value::Bytes(vec![0; VALUE_BYTES_MAX + 1]);
    let too_long = Error::ValueTooLong { bytes: 1 << 31 };
    assert_eq!(transaction.insert(TABLE, &[long()]), Err(too_long.clone()));
    let changes = [(0, long())];
    assert_eq!(
        transaction.update(TABLE, row, &changes),
        Err(too_long.clone())
    );
    drop(transaction);
    assert_eq!(store.insert(TABLE, &[long()]), Err(too_long.clone()));
    assert_eq!(store.update(TABLE, row, &changes), Err(too_long));
}

#[test]
fn a_range_ends_at_a_damaged_node_also_in_a_transaction() {
    struct Zeros;
    impl PageBytes for Zeros {
        fn page_bytes(&self) -> &[u8] {
            &[0; PAGE_BYTES]
        }
    }
    let mut store = store(&[LayoutColumn::required(ColumnType::U64)]);
    store.create_index(TABLE, unique(&[0])).unwrap();
    for number in 0..4_000_u64 {
        store.insert(TABLE, &[(2 * number).into()]).unwrap();
    }
    let heads: Vec<Vec<u8>> = store.heads().map(|(_, head)| head).collect();
    let leaves = store.pages().iter().filter(|(_, page)| {
        let page = page.bytes().unwrap();
        page.kind() == Some(PageKind::IndexLeaf) && page.owner() == TABLE
    });
    let leaves: Vec<PageNumber> = leaves.map(|(number, _)| number).collect();
    let mut damaged_count = 0;
    for leaf in leaves {
        let pages = store.pages().iter().map(|(number, page)| {
            let page = match number == leaf {
                true => Page::borrowed(Arc::new(Zeros), 1),
                false => page.to_page().unwrap(),
            };
            (number, page)
        });
        let store = Store::restore([3; 32], pages, heads.iter().map(Vec::as_slice)).unwrap();
        let mut transaction = WriteTransaction::new(&store);
        for number in [3_u64, 3_777, 9_999] {
            // Where its key would stand is not always known.
            let _ = transaction.insert(TABLE, &[number.into()]);
        }
        for table in [
            store.table(TABLE).unwrap(),
            transaction.table(TABLE).unwrap(),
        ] {
            for is_backward in [false, true] {
                let all = table.index_range(INDEX, Bound::Unbounded, Bound::Unbounded);
                let mut range = all.unwrap();
                let next = |range: &mut IndexRange<'_>| match is_backward {
                    false => range.next().map(|row| row.is_ok()),
                    true => range.next_back().map(|row| row.is_ok()),
                };
                while next(&mut range) == Some(true) {}
                let seen = (0..3).map(|_| next(&mut range));
                assert_eq!(seen.collect::<Vec<_>>(), [None; 3]);
                assert!(range.next().is_none() && range.next_back().is_none());
            }
            let mut range = table.index_prefix(INDEX, &[]).unwrap();
            damaged_count += usize::from(range.any(|row| row.is_err()));
        }
    }
    assert!(damaged_count > 0);
}
