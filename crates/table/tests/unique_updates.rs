//! Updates of columns that a unique index covers: what is logged of them, and that whoever applies it, row by row, meets no key twice.
#![allow(clippy::unwrap_used)]

use table::{
    ColumnType, Error, IndexId, IndexKind, IndexSpec, Layout, LayoutColumn, LayoutNumber,
    Operation, Store, TableId, Transaction, TransactionBuilder, Value, WriteTransaction,
};

const TABLE: TableId = TableId(7);
const PRIMARY: IndexId = IndexId(1);

/// What a transaction does to rows of a key, a name, a part and a text. Rows are named by their keys.
#[derive(Debug, Clone, Copy)]
enum Step {
    Name(u64, Option<i64>),
    Part(u64, u8),
    Text(u64),
    Key(u64, u64),
    Delete(u64),
    Insert(u64, Option<i64>),
    Save,
    Back,
}
use Step::{Back, Delete, Insert, Key, Name, Part, Save, Text};

/// How the table of a test is made.
#[derive(Debug, Clone, Copy)]
struct Shape {
    kind: IndexKind,
    /// The unique index over the name is over the part, too, which all rows but one have in common.
    is_of_two: bool,
    /// The rows stand as they did before the last change of the layout, but for one.
    is_older: bool,
    text_bytes: usize,
}

fn shapes() -> impl Iterator<Item = Shape> {
    let kinds = [IndexKind::Ordered, IndexKind::Hash].into_iter();
    kinds.flat_map(|kind| {
        [(false, false), (false, true), (true, false), (true, true)].map(
            move |(is_of_two, is_older)| Shape {
                kind,
                is_of_two,
                is_older,
                text_bytes: 5,
            },
        )
    })
}

fn text(shape: Shape, letter: &str) -> Value {
    letter.repeat(shape.text_bytes).into()
}

fn row(shape: Shape, key: u64, name: Option<i64>) -> [Value; 4] {
    [key.into(), name.into(), 1_u8.into(), text(shape, "t")]
}

/// Rows 1 to 3, whose names are ten times their keys, 4 without a name, and 5, which has the name of row 1 and another part, if
/// names alone need not be different.
fn filled(shape: Shape) -> Store {
    let mut columns = vec![
        LayoutColumn::required(ColumnType::U64),
        LayoutColumn::nullable(ColumnType::I64),
        LayoutColumn::required(ColumnType::U8),
        LayoutColumn::required(ColumnType::String),
    ];
    if shape.is_older {
        columns.insert(0, LayoutColumn::nullable(ColumnType::Bool));
    }
    let mut store = Store::new([3; 32]);
    let layout = |number, columns| Layout::new(LayoutNumber(number), columns).unwrap();
    store.create_table(TABLE, layout(1, columns)).unwrap();
    let first = u16::from(shape.is_older);
    let mut unique = vec![first + 1];
    unique.extend(shape.is_of_two.then_some(first + 2));
    for (id, columns) in [(1, vec![first]), (2, unique)] {
        let spec = IndexSpec {
            id: IndexId(id),
            columns,
            unique: true,
            kind: shape.kind,
        };
        store.create_index(TABLE, spec).unwrap();
    }
    store.set_primary_key(TABLE, Some(PRIMARY)).unwrap();
    let mut rows = [(1, Some(10)), (2, Some(20)), (3, Some(30)), (4, None)]
        .map(|(key, name)| row(shape, key, name).to_vec())
        .to_vec();
    if shape.is_of_two {
        rows.push(row(shape, 5, Some(10)).to_vec());
        rows[4][2] = 2_u8.into();
    }
    for mut row in rows {
        if shape.is_older {
            row.insert(0, Value::Null);
        }
        store.insert(TABLE, &row).unwrap();
    }
    if shape.is_older {
        let columns = store.table(TABLE).unwrap().layout().columns()[1..].to_vec();
        let sources = [1, 2, 3, 4].map(Some);
        store
            .change_layout(TABLE, layout(2, columns), &sources)
            .unwrap();
        let mut transaction = WriteTransaction::new(&store);
        take(&mut transaction, shape, Text(2)).unwrap();
        apply(&mut store, &flushed(&transaction));
        assert!(store.has_older_layouts());
    }
    store
}

fn take(transaction: &mut WriteTransaction, shape: Shape, step: Step) -> Result<(), Error> {
    let place = |key: u64| {
        let table = transaction.table(TABLE).unwrap();
        let found = table.find(PRIMARY, &[key.into()]).unwrap();
        found.map(|row| row.row_id()).ok_or(Error::NoSuchRow {
            table: TABLE,
            values: Vec::new(),
        })
    };
    let (key, change) = match step {
        Name(key, name) => (key, (1, name.into())),
        Part(key, part) => (key, (2, part.into())),
        Text(key) => (key, (3, text(shape, "u"))),
        Key(key, new) => (key, (0, new.into())),
        Delete(key) => return transaction.delete(TABLE, place(key)?),
        Insert(key, name) => {
            return transaction.insert(TABLE, &row(shape, key, name)).map(drop);
        }
        Save | Back => panic!("one row alone is spoken of here"),
    };
    transaction.update(TABLE, place(key)?, &[change]).map(drop)
}

fn flushed(transaction: &WriteTransaction) -> Vec<u8> {
    let mut builder = TransactionBuilder::new(0);
    transaction.flush(&mut builder).unwrap();
    builder.finish()
}

/// An operation, and how many rows are logged with it.
type Logged = (Operation, u32);

fn apply(store: &mut Store, bytes: &[u8]) -> Vec<Logged> {
    let transaction = Transaction::parse(bytes).unwrap();
    let groups = transaction.groups().map(|group| {
        store.apply_group(&group).unwrap();
        (group.operation, group.row_count)
    });
    groups.collect()
}

fn rows_of(table: table::TableRef<'_>) -> Vec<Vec<Value>> {
    let rows = table.in_key_order(PRIMARY).unwrap();
    rows.map(|row| row.unwrap().values().unwrap()).collect()
}

/// Commits what a transaction has done to a store: the rows are those that the transaction saw, also where others replay it.
fn commit(store: &mut Store, transaction: &WriteTransaction) -> Vec<Logged> {
    let seen = rows_of(transaction.table(TABLE).unwrap());
    let groups = apply(store, &flushed(transaction));
    assert_eq!(rows_of(store.table(TABLE).unwrap()), seen);
    store.check().unwrap();
    groups
}

#[test]
fn an_update_is_logged_whole_only_if_the_row_that_has_its_key_comes_later() {
    const D: Operation = Operation::DeleteByKey;
    const U: Operation = Operation::Update;
    const I: Operation = Operation::Insert;
    let cases: [(&[Step], &[Logged]); 24] = [
        (&[Name(1, Some(11))], &[(U, 1)]),
        (&[Name(1, Some(11)), Name(1, Some(12)), Text(1)], &[(U, 1)]),
        (&[Name(1, Some(11)), Name(1, Some(10))], &[]),
        // To and from null, which any row may have.
        (&[Name(1, None), Name(4, Some(40))], &[(U, 2)]),
        (&[Name(1, None), Name(4, Some(10))], &[(U, 2)]),
        // Two that hand a name on, once in their order and once not, and that the first gets another row's name does not matter.
        (&[Name(1, Some(11)), Name(2, Some(10))], &[(U, 2)]),
        (
            &[Text(2), Name(1, Some(11)), Name(2, Some(10))],
            &[(D, 1), (U, 1), (I, 1)],
        ),
        (
            &[Name(3, Some(31)), Name(2, Some(30)), Name(1, Some(20))],
            &[(U, 3)],
        ),
        (
            &[
                Text(1),
                Text(2),
                Name(3, None),
                Name(2, Some(30)),
                Name(1, Some(20)),
            ],
            &[(D, 2), (U, 1), (I, 2)],
        ),
        // Rings of two and of three.
        (
            &[Name(1, None), Name(2, Some(10)), Name(1, Some(20))],
            &[(D, 1), (U, 1), (I, 1)],
        ),
        (
            &[
                Name(1, Some(9)),
                Name(2, Some(10)),
                Name(3, Some(20)),
                Name(1, Some(30)),
            ],
            &[(D, 1), (U, 2), (I, 1)],
        ),
        // There and back.
        (
            &[
                Name(1, None),
                Name(2, Some(10)),
                Name(2, Some(20)),
                Name(1, Some(10)),
            ],
            &[],
        ),
        // The row that had the name is deleted: before, after it let the name go, and after it got another.
        (&[Delete(2), Name(1, Some(20))], &[(D, 1), (U, 1)]),
        (
            &[Text(1), Name(2, Some(21)), Name(1, Some(20)), Delete(2)],
            &[(D, 1), (U, 1)],
        ),
        (
            &[
                Name(3, None),
                Name(2, Some(30)),
                Name(1, Some(20)),
                Delete(3),
            ],
            &[(D, 1), (U, 2)],
        ),
        // And it comes back, under its old key or another.
        (
            &[Delete(2), Name(1, Some(20)), Insert(2, Some(22))],
            &[(D, 1), (U, 1), (I, 1)],
        ),
        (
            &[Delete(2), Insert(2, Some(22)), Name(1, Some(20))],
            &[(U, 2)],
        ),
        (
            &[Delete(2), Name(1, Some(20)), Insert(2, Some(10))],
            &[(D, 1), (U, 1), (I, 1)],
        ),
        (
            &[Delete(2), Name(1, Some(20)), Insert(8, Some(10))],
            &[(D, 1), (U, 1), (I, 1)],
        ),
        (
            &[Key(2, 8), Name(8, None), Name(1, Some(20))],
            &[(D, 1), (U, 1), (I, 1)],
        ),
        (
            &[
                Text(1),
                Key(2, 8),
                Key(3, 2),
                Name(8, None),
                Name(1, Some(20)),
            ],
            &[(D, 2), (U, 1), (I, 2)],
        ),
        // What is rolled back has not been.
        (
            &[
                Save,
                Name(2, Some(21)),
                Name(1, Some(20)),
                Back,
                Name(1, Some(11)),
            ],
            &[(U, 1)],
        ),
        (
            &[
                Text(1),
                Name(2, None),
                Name(1, Some(20)),
                Save,
                Delete(2),
                Back,
            ],
            &[(D, 1), (U, 1), (I, 1)],
        ),
        (
            &[Delete(2), Name(1, Some(20)), Save, Insert(2, None), Back],
            &[(D, 1), (U, 1)],
        ),
    ];
    for shape in shapes() {
        let cases = cases.iter();
        cases.for_each(|(steps, expected)| check(shape, steps, expected));
    }
    // Keys of two columns, of which one changes.
    let cases: [(&[Step], &[Logged]); 5] = [
        (&[Part(2, 7), Name(2, Some(21))], &[(U, 1)]),
        (&[Part(2, 2), Name(2, Some(30))], &[(U, 1)]),
        (&[Part(1, 7), Part(5, 1)], &[(U, 2)]),
        (
            &[Text(5), Part(1, 7), Part(5, 1)],
            &[(D, 1), (U, 1), (I, 1)],
        ),
        (
            &[Part(1, 7), Part(5, 1), Part(1, 2)],
            &[(D, 1), (U, 1), (I, 1)],
        ),
    ];
    for shape in shapes().filter(|shape| shape.is_of_two) {
        let cases = cases.iter();
        cases.for_each(|(steps, expected)| check(shape, steps, expected));
    }
}

fn check(shape: Shape, steps: &[Step], expected: &[Logged]) {
    let mut store = filled(shape);
    let mut transaction = WriteTransaction::new(&store);
    let mut savepoint = transaction.savepoint();
    for step in steps {
        match step {
            Save => savepoint = transaction.savepoint(),
            Back => transaction.roll_back_to(&savepoint),
            step => take(&mut transaction, shape, *step).unwrap(),
        }
    }
    let groups = commit(&mut store, &transaction);
    assert_eq!(groups, expected, "{shape:?} {steps:?}");
}

#[test]
fn whatever_three_statements_do_to_three_rows_can_be_applied() {
    let names = [None, Some(10), Some(20), Some(30), Some(40)];
    let of_key = |key: u64| {
        let named = names.map(|name| Name(key, name));
        let inserted = names[1..4].iter().map(move |name| Insert(key, *name));
        named.into_iter().chain(inserted).chain([Delete(key)])
    };
    let steps: Vec<Step> = (1..=3).flat_map(of_key).collect();
    for shape in shapes().filter(|shape| !shape.is_of_two) {
        let store = filled(shape);
        for first in &steps {
            let mut one = WriteTransaction::new(&store);
            if take(&mut one, shape, *first).is_err() {
                continue;
            }
            for second in &steps {
                let mut two = one.clone();
                if take(&mut two, shape, *second).is_err() {
                    continue;
                }
                for third in &steps {
                    let mut three = two.clone();
                    if take(&mut three, shape, *third).is_ok() {
                        commit(&mut store.clone(), &three);
                    }
                }
            }
        }
    }
}

#[test]
fn a_new_unique_value_costs_what_it_is_however_long_the_rest_of_the_row() {
    for shape in shapes() {
        let shape = Shape {
            text_bytes: 100_000,
            ..shape
        };
        let mut store = filled(shape);
        let mut transaction = WriteTransaction::new(&store);
        for step in [
            Name(2, Some(22)),
            Name(1, Some(20)),
            Delete(3),
            Name(4, Some(30)),
        ] {
            take(&mut transaction, shape, step).unwrap();
        }
        let bytes = flushed(&transaction).len();
        assert!(bytes < 150, "{bytes} bytes");
        let moment = store.pages().moment();
        commit(&mut store, &transaction);
        // A page of rows or two, two leaves, and what the deleted row leaves.
        let changed: Vec<_> = store.pages().changed_after(&moment).unwrap().collect();
        let has_changed = |number: u32| changed.iter().any(|numbers| numbers.contains(&number));
        let pages = store.pages().iter();
        let changed = pages
            .filter(|(number, _)| has_changed(number.get()))
            .count();
        assert!(changed < 10, "{changed} pages");
    }
}
