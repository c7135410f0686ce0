//! Catalog rows that can not be meant: each is refused by name, none is guessed at, nothing panics.
#![allow(clippy::unwrap_used)]

#[path = "support/database.rs"]
mod database;
#[path = "support/raw.rs"]
mod raw;

use database::{Database, ID, planes};
use raw::{Raw, RawTable, seeds};
use schema::{Error, NewTable, State};
use table::{ColumnType, LayoutNumber, Value};

const PLANES: Value = Value::U32(4096);

fn text(value: &str) -> Value {
    Value::from(value)
}

fn bytes(value: &[u8]) -> Value {
    Value::Bytes(value.to_vec())
}

/// A row of `st_column`.
fn column(table: u32, id: u32, position: u16, name: &str, code: u8, default: Value) -> Vec<Value> {
    vec![
        Value::U32(table),
        Value::U32(id),
        Value::U16(position),
        text(name),
        Value::U8(code),
        Value::Bool(true),
        default,
    ]
}

#[test]
fn contradictory_rows_are_refused_by_name() {
    let mut database = Database::new();
    database.write(|tx| tx.create_table(&planes())).unwrap();
    let pair = NewTable::new("pair")
        .column("a", ColumnType::I8)
        .column("b", ColumnType::I8)
        .index("by_b", &["b"]);
    database.write(|tx| tx.create_table(&pair)).unwrap();
    database
        .write(|tx| tx.insert("planes", &[("tailnum", text("N1"))]))
        .unwrap();
    let table = |name| RawTable::of(&database.state, name);
    let (tables, columns, indexes) = (table("st_table"), table("st_column"), table("st_index"));
    let (constraints, sequences, databases) = (
        table("st_constraint"),
        table("st_sequence"),
        table("st_database"),
    );
    let null = Value::Null;
    let raw = Raw::new;
    let new_table = |id: u32, name: &str| vec![Value::U32(id), text(name)];
    let index = |id: u32, name: &str, kind: u8, ids: &[u8]| {
        vec![
            PLANES,
            Value::U32(id),
            text(name),
            Value::U8(kind),
            Value::Bool(false),
            bytes(ids),
        ]
    };
    let constraint = |id: u32, kind: u8, index: Value| {
        let of_no_target = [Value::Null, Value::Null];
        let row = vec![PLANES, Value::U32(id), text("c"), Value::U8(kind), index];
        row.into_iter().chain(of_no_target).collect::<Vec<Value>>()
    };
    // Over the index `by_year`.
    let foreign_key = |id: u32, target: u32, target_index: u32| {
        let mut row = constraint(id, 3, Value::U32(4098));
        row[5] = Value::U32(target);
        row[6] = Value::U32(target_index);
        row
    };
    let sequence = |id: u32, table: Value, column: Value, name: &str, numbers: [i128; 5]| {
        let [next, start, step, minimum, maximum] = numbers.map(Value::I128);
        vec![
            Value::U32(id),
            table,
            column,
            text(name),
            next,
            start,
            step,
            minimum,
            maximum,
            Value::Bool(false),
        ]
    };
    let fine = [1, 1, 1, 1, 9];
    let cases: Vec<(&str, Raw)> = vec![
        (
            "row (9000) of st_table contradicts the catalog: the table has no columns",
            raw().insert(&tables, &[new_table(9000, "t")]),
        ),
        (
            "row (9000, 9001) of st_column contradicts the catalog: it belongs to a table that is not there",
            raw().insert(&columns, &[column(9000, 9001, 0, "x", 3, null.clone())]),
        ),
        (
            r#"table "st_table" has a row with table_id = 4096 already ("primary_key" is unique)"#,
            raw().insert(&tables, &[new_table(4096, "t")]),
        ),
        (
            r#"table "st_table" has a row with table_name = planes already ("by_name" is unique)"#,
            raw().insert(&tables, &[new_table(9000, "planes")]),
        ),
        (
            r#"row (9000) of st_table contradicts the catalog: the table breaks the rules: the name of table "st_t" begins with "st_", which is kept for the system's own"#,
            raw()
                .insert(&tables, &[new_table(9000, "st_t")])
                .insert(&columns, &[column(9000, 9001, 0, "x", 3, null.clone())]),
        ),
        (
            r#"row (4095) of st_table contradicts the catalog: the table breaks the rules: the name of system table "t" does not begin with "st_""#,
            raw()
                .insert(&tables, &[new_table(4095, "t")])
                .insert(&columns, &[column(4095, 9001, 0, "x", 3, null.clone())]),
        ),
        (
            "row (4096, 9001) of st_column contradicts the catalog: position 4 is expected, position 5 stands there",
            raw().insert(&columns, &[column(4096, 9001, 5, "x", 3, null.clone())]),
        ),
        (
            "row (4096, 9001) of st_column contradicts the catalog: position 4 is expected, position 3 stands there",
            raw().insert(&columns, &[column(4096, 9001, 3, "x", 3, null.clone())]),
        ),
        (
            "row (4096, 9001) of st_column contradicts the catalog: type code 18 is unknown",
            raw().insert(&columns, &[column(4096, 9001, 4, "x", 18, null.clone())]),
        ),
        (
            "row (4096, 9001) of st_column contradicts the catalog: its default does not decode",
            raw().insert(&columns, &[column(4096, 9001, 4, "x", 3, bytes(&[3, 1]))]),
        ),
        (
            "row (4096, 9001) of st_column contradicts the catalog: its default does not decode",
            raw().insert(&columns, &[column(4096, 9001, 4, "x", 3, bytes(&[0]))]),
        ),
        (
            r#"row (4096) of st_table contradicts the catalog: the table breaks the rules: column "x" is i16, its default is bool"#,
            raw().insert(&columns, &[column(4096, 9001, 4, "x", 3, bytes(&[1, 1]))]),
        ),
        (
            r#"row (4096) of st_table contradicts the catalog: the table breaks the rules: two column definitions are named "year""#,
            raw().insert(&columns, &[column(4096, 9001, 4, "year", 3, null.clone())]),
        ),
        (
            r#"table "planes" has rows that can not follow its columns in a log of minimum reader 1"#,
            raw().update(&columns, &[PLANES, Value::U32(4098)], &[(4, Value::U8(2))]),
        ),
        (
            r#"table "planes" has rows that can not follow its columns in a log of minimum reader 1"#,
            raw().delete(&columns, &[vec![PLANES, Value::U32(4099)]]),
        ),
        // Null no longer, though a row is, and wider, though the type is not.
        (
            r#"column "year" of table "planes" must not be null"#,
            Raw::with_marks(3, 1).update(
                &columns,
                &[PLANES, Value::U32(4098)],
                &[(5, Value::Bool(false))],
            ),
        ),
        (
            r#"table "planes" has rows that can not follow its columns in a log of minimum reader 3"#,
            Raw::with_marks(3, 1).update(
                &columns,
                &[PLANES, Value::U32(4098)],
                &[(4, Value::U8(2))],
            ),
        ),
        (
            "row (4097, 4099) of st_index contradicts the catalog: it names column 4101, which its table does not have",
            raw().delete(&columns, &[vec![Value::U32(4097), Value::U32(4101)]]),
        ),
        (
            "row (4096, 4099) of st_column contradicts the catalog: position 2 is expected, position 3 stands there",
            raw().delete(&columns, &[vec![PLANES, Value::U32(4098)]]),
        ),
        (
            "row (4096, 9001) of st_index contradicts the catalog: index kind 9 is unknown",
            raw().insert(&indexes, &[index(9001, "i", 9, &4096u32.to_le_bytes())]),
        ),
        // A hash index, and no mark that keeps away builds that do not know it.
        (
            "row (4096, 9001) of st_index contradicts the catalog: index kind 2 is unknown",
            raw().insert(&indexes, &[index(9001, "i", 2, &4096u32.to_le_bytes())]),
        ),
        (
            "row (4096, 9001) of st_index contradicts the catalog: its list of columns does not decode",
            raw().insert(&indexes, &[index(9001, "i", 1, &[0, 16, 0])]),
        ),
        (
            r#"row (4096) of st_table contradicts the catalog: the table breaks the rules: index "i" names no column"#,
            raw().insert(&indexes, &[index(9001, "i", 1, &[])]),
        ),
        (
            "row (4096, 9001) of st_index contradicts the catalog: it names column 1, which its table does not have",
            raw().insert(&indexes, &[index(9001, "i", 1, &1u32.to_le_bytes())]),
        ),
        (
            r#"row (4096) of st_table contradicts the catalog: the table breaks the rules: two index definitions are named "by_year""#,
            raw().insert(
                &indexes,
                &[index(9001, "by_year", 1, &4096u32.to_le_bytes())],
            ),
        ),
        (
            "row (4096) of st_table contradicts the catalog: an index keeps its columns for life",
            raw().update(
                &indexes,
                &[PLANES, Value::U32(4098)],
                &[(5, bytes(&4096u32.to_le_bytes()))],
            ),
        ),
        (
            "row (4096, 4096) of st_constraint contradicts the catalog: it names index 4096, which its table does not have",
            raw().delete(&indexes, &[vec![PLANES, Value::U32(4096)]]),
        ),
        (
            "row (4096, 9001) of st_constraint contradicts the catalog: constraint kind 7 is unknown",
            raw().insert(&constraints, &[constraint(9001, 7, Value::U32(4096))]),
        ),
        (
            "row (4096, 9001) of st_constraint contradicts the catalog: it names nothing to work on",
            raw().insert(&constraints, &[constraint(9001, 2, null.clone())]),
        ),
        (
            "row (4096, 9001) of st_constraint contradicts the catalog: it names nothing to work on",
            raw().insert(&constraints, &[constraint(9001, 3, Value::U32(4098))]),
        ),
        (
            // A foreign key to the table itself, and no mark that keeps away builds that do not look at it.
            "row (4096, 9001) of st_constraint contradicts the catalog: constraint kind 3 is unknown",
            raw().insert(&constraints, &[foreign_key(9001, 4096, 4096)]),
        ),
        (
            r#"foreign key "c" of table "planes" refers to a table that is gone: drop it, or give both the same types"#,
            Raw::with_marks(1, 2).insert(&constraints, &[foreign_key(9001, 9000, 4096)]),
        ),
        (
            r#"foreign key "c" of table "planes" refers to columns of "planes" that are not unique or of other types: drop it, or give both the same types"#,
            Raw::with_marks(1, 2).insert(&constraints, &[foreign_key(9001, 4096, 4098)]),
        ),
        (
            r#"foreign key "c" of table "planes" refers to columns of "planes" that are not unique or of other types: drop it, or give both the same types"#,
            Raw::with_marks(1, 2).insert(&constraints, &[foreign_key(9001, 4096, 4096)]),
        ),
        (
            "row (4096) of st_table contradicts the catalog: the table breaks the rules: it has more than one primary key",
            raw().insert(&constraints, &[constraint(9001, 1, Value::U32(4096))]),
        ),
        (
            r#"row (4096) of st_table contradicts the catalog: the table breaks the rules: constraint "c" rests on index "by_year", which is not unique"#,
            raw().insert(&constraints, &[constraint(9001, 2, Value::U32(4098))]),
        ),
        (
            "row (4096, 9001) of st_sequence contradicts the catalog: it names column 1, which its table does not have",
            raw().insert(
                &sequences,
                &[sequence(9001, PLANES, Value::U32(1), "s", fine)],
            ),
        ),
        (
            "row (4096, 9001) of st_sequence contradicts the catalog: it names nothing to work on",
            raw().insert(
                &sequences,
                &[sequence(9001, PLANES, null.clone(), "s", fine)],
            ),
        ),
        (
            r#"row (4096) of st_table contradicts the catalog: the table breaks the rules: column "tailnum" counts by itself and must be of an integer type, not string"#,
            raw().insert(
                &sequences,
                &[sequence(9001, PLANES, Value::U32(4097), "s", fine)],
            ),
        ),
        (
            "row (9001) of st_sequence contradicts the catalog: its numbers contradict each other",
            raw().insert(
                &sequences,
                &[sequence(
                    9001,
                    null.clone(),
                    null.clone(),
                    "s",
                    [10, 1, 1, 1, 9],
                )],
            ),
        ),
        (
            "row (9001) of st_sequence contradicts the catalog: its numbers contradict each other",
            raw().insert(
                &sequences,
                &[sequence(
                    9001,
                    null.clone(),
                    null.clone(),
                    "s",
                    [1, 1, 0, 1, 9],
                )],
            ),
        ),
        (
            "row (4096) of st_sequence contradicts the catalog: its numbers contradict each other",
            raw().update(&sequences, &[PLANES], &[(4, Value::I128(-5))]),
        ),
        (
            "row (9001) of st_sequence contradicts the catalog: another sequence has this name",
            raw().insert(
                &sequences,
                &[sequence(
                    9001,
                    null.clone(),
                    null.clone(),
                    "st_table_id",
                    fine,
                )],
            ),
        ),
        (
            "row () of st_database contradicts the catalog: the database is another one, or not declared exactly once",
            raw().insert(
                &databases,
                &[vec![Value::Uuid([1; 16]), Value::U16(1), Value::U16(1)]],
            ),
        ),
        (
            "row () of st_database contradicts the catalog: the database is another one, or not declared exactly once",
            raw().delete(&databases, &[vec![Value::Uuid(ID)]]),
        ),
        (
            "row (4096, 4096) of st_column contradicts the catalog: it belongs to a table that is not there",
            raw().delete(&tables, &[vec![PLANES]]),
        ),
        (
            "row (1) of st_table contradicts the catalog: a seed table differs from what is frozen",
            raw().delete(&tables, &[vec![Value::U32(1)]]),
        ),
        (
            "row (2) of st_table contradicts the catalog: a seed table differs from what is frozen",
            raw().update(
                &columns,
                &[Value::U32(2), Value::U32(7)],
                &[(3, text("code"))],
            ),
        ),
        (
            "row (1) of st_table contradicts the catalog: a seed table differs from what is frozen",
            raw().delete(&indexes, &[vec![Value::U32(1), Value::U32(2)]]),
        ),
        (
            "row (1) of st_table contradicts the catalog: a seed table differs from what is frozen",
            raw().delete(&constraints, &[vec![Value::U32(1), Value::U32(1)]]),
        ),
        (
            "row (3, st_index) of st_table contradicts the catalog: the system table is gone",
            raw().delete(&tables, &[vec![Value::U32(3)]]),
        ),
        (
            "row (3) of st_table contradicts the catalog: the system table is gone",
            raw().update(&tables, &[Value::U32(3)], &[(1, text("st_indices"))]),
        ),
        (
            "row (3, 12) of st_column contradicts the catalog: the system table lacks its column index_name, a string",
            raw().update(
                &columns,
                &[Value::U32(3), Value::U32(12)],
                &[(3, text("title"))],
            ),
        ),
    ];
    let before = database.state.digest().unwrap();
    for (expected, transaction) in cases {
        let error = database.state.check(&transaction.finish()).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    assert_eq!(database.state.digest().unwrap(), before);
}

/// What is read from a column of a system table stays read from it, those too that an upgrade has added: else a state would go on, and the one
/// that a snapshot of it holds would be another.
#[test]
fn a_column_of_a_system_table_is_the_same_one_for_good() {
    let mut database = Database::new();
    database.write(|tx| tx.create_table(&planes())).unwrap();
    let seats = NewTable::new("seats")
        .column("plane", ColumnType::U32)
        .foreign_key(&["plane"], "planes", &["id"]);
    database.write(|tx| tx.create_table(&seats)).unwrap();
    database
        .write(|tx| tx.drop_not_null("planes", "seats"))
        .unwrap();
    let marks = database.state.marks();
    let columns = RawTable::of(&database.state, "st_column");
    let of_system = |row: &Vec<Value>| matches!(row[0], Value::U32(table) if table < 4096);
    let rows: Vec<Vec<Value>> = database.rows("st_column");
    let rows: Vec<Vec<Value>> = rows.into_iter().filter(of_system).collect();
    assert_eq!(rows.len(), 35);
    let check = |raw: Raw, expected: &str| {
        let checked = database.state.check(&raw.finish()).map(drop);
        let error = checked.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    let raw = || Raw::with_marks(marks.minimum_reader, marks.minimum_writer);
    for row in &rows {
        let key = [row[0].clone(), row[1].clone()];
        let is_seed = matches!(row[0], Value::U32(1 | 2));
        let expected = match is_seed {
            true => "a seed table differs from what is frozen".to_owned(),
            false => format!(
                "row ({}, {}) of st_column contradicts the catalog: the system table lacks its column {},",
                row[0], row[1], row[3]
            ),
        };
        check(
            raw().update(&columns, &key, &[(3, text("other"))]),
            &expected,
        );
        // Away, and those behind it close up.
        let behind = rows
            .iter()
            .filter(|other| other[0] == row[0] && other[2] > row[2]);
        let mut gone = raw().delete(&columns, &[key.to_vec()]);
        for other in behind {
            let Value::U16(position) = other[2] else {
                panic!("a position")
            };
            let moved = [(2, Value::U16(position - 1))];
            gone = gone.update(&columns, &[other[0].clone(), other[1].clone()], &moved);
        }
        // Those of an index are refused for its sake.
        let is_later = matches!(row[1], Value::U32(34 | 35));
        check(
            gone,
            if is_later {
                &expected
            } else {
                "contradicts the catalog"
            },
        );
        // Two of one type change names, which leaves a column of each name.
        for other in &rows {
            if other[0] != row[0] || other[4..6] != row[4..6] || other[1] <= row[1] {
                continue;
            }
            let other_key = [other[0].clone(), other[1].clone()];
            let names = [[(3, other[3].clone())], [(3, row[3].clone())]];
            let swapped = raw().update_all(
                &columns,
                &[(&key, &names[0][..]), (&other_key, &names[1][..])],
            );
            check(
                swapped,
                if is_seed {
                    &expected
                } else {
                    "the system table lacks its column"
                },
            );
        }
    }
    // To another table.
    check(
        raw().update(
            &columns,
            &[Value::U32(4), Value::U32(35)],
            &[(0, Value::U32(6)), (2, Value::U16(3))],
        ),
        "the system table lacks its column target_index_id, a u32",
    );

    // To another place: it is found there by name.
    let elsewhere = raw().update_all(
        &columns,
        &[
            (&[Value::U32(4), Value::U32(34)], &[(2, Value::U16(6))]),
            (&[Value::U32(4), Value::U32(35)], &[(2, Value::U16(5))]),
        ],
    );
    let elsewhere = elsewhere.finish();
    database.state.replay(&elsewhere).unwrap();
    database.log.push(elsewhere);
    database.verify();
}

#[test]
fn a_group_names_the_layout_in_force() {
    let mut database = Database::new();
    database.write(|tx| tx.create_table(&planes())).unwrap();
    for name in ["planes", "st_table", "st_sequence"] {
        let table = RawTable::of(&database.state, name);
        let layout = table::Layout::new(LayoutNumber(2), table.layout.columns().to_vec()).unwrap();
        let other = RawTable { layout, ..table };
        let key = vec![Value::U32(4096)];
        let error = database
            .state
            .check(&Raw::new().delete(&other, &[key]).finish())
            .unwrap_err();
        assert!(
            matches!(error, Error::Table(table::Error::WrongLayout { .. })),
            "{name}: {error}"
        );
    }
    // Rows written before a column was added name the old layout: after it they are damage.
    let before = RawTable::of(&database.state, "planes");
    let column = schema::NewColumn::new("x", table::ColumnType::I8).nullable();
    database
        .write(|tx| tx.add_column("planes", column))
        .unwrap();
    let row = vec![Value::U32(1), text("a"), Value::Null, Value::U16(1)];
    assert!(
        database
            .state
            .check(&Raw::new().insert(&before, &[row]).finish())
            .is_err()
    );
}

#[test]
fn what_is_no_genesis_is_refused() {
    let [table, column] = seeds();
    let genesis = Database::new().log.remove(0);
    let empty = State::empty(ID);
    let names = || {
        vec![
            vec![Value::U32(1), text("st_table")],
            vec![Value::U32(2), text("st_column")],
        ]
    };
    let of_table = |code: u8| {
        vec![
            vec![
                Value::U32(1),
                Value::U32(1),
                Value::U16(0),
                text("table_id"),
                Value::U8(code),
                Value::Bool(false),
                Value::Null,
            ],
            vec![
                Value::U32(1),
                Value::U32(2),
                Value::U16(1),
                text("table_name"),
                Value::U8(14),
                Value::Bool(false),
                Value::Null,
            ],
        ]
    };
    for (expected, transaction) in [
        ("a genesis begins with", Raw::new().finish()),
        (
            "a genesis begins with",
            Raw::new().insert(&column, &of_table(9)).finish(),
        ),
        (
            "a genesis begins with",
            Raw::new().insert(&table, &names()).finish(),
        ),
        (
            "a genesis begins with",
            Raw::new()
                .insert(&table, &names())
                .insert(&table, &[vec![Value::U32(3), text("st_x")]])
                .finish(),
        ),
        (
            "a genesis begins with",
            Raw::new()
                .insert(&table, &names())
                .insert(&column, &of_table(9))
                .finish(),
        ),
        (
            "differs from what is frozen",
            Raw::new()
                .insert(&table, &names())
                .insert(&column, &of_table(10))
                .finish(),
        ),
    ] {
        let error = empty.check(&transaction).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    // Two of them.
    let mut state = State::empty(ID);
    state.replay(&genesis).unwrap();
    assert!(state.check(&genesis).is_err());
    // Half of one: every prefix that ends with a whole group.
    let mut whole = 0;
    for end in 0..genesis.len() {
        if table::Transaction::parse(&genesis[..end]).is_ok() {
            whole += 1;
            assert!(empty.check(&genesis[..end]).is_err(), "cut at {end}");
        }
    }
    assert_eq!(whole, 8);
}

#[test]
fn a_store_whose_pages_and_rows_differ_is_no_state() {
    let mut database = Database::new();
    database.write(|tx| tx.create_table(&planes())).unwrap();
    let planes = database.state.definition("planes").unwrap().id();
    let sound = database.state.store().clone();
    assert!(State::from_store(ID, sound.clone()).is_ok());
    let error = State::from_store([1; 16], sound.clone()).unwrap_err();
    assert!(
        error.to_string().contains("the database is another one"),
        "{error}"
    );

    let differ = |change: &dyn Fn(&mut table::Store)| {
        let mut store = sound.clone();
        change(&mut store);
        State::from_store(ID, store).unwrap_err().to_string()
    };
    let pages = "row (4096) of st_table contradicts the catalog: the table's pages and its definition differ";
    assert_eq!(differ(&|store| store.drop_table(planes).unwrap()), pages);
    assert_eq!(
        differ(&|store| store.drop_index(planes, table::IndexId(4098)).unwrap()),
        pages
    );
    assert_eq!(
        differ(&|store| store.set_primary_key(planes, None).unwrap()),
        pages
    );
    let extra = differ(&|store| {
        let layout = store.table(planes).unwrap().layout().clone();
        store.create_table(table::TableId(5000), layout).unwrap();
    });
    assert_eq!(extra, pages.replace("4096", "5000"));
    let row = |store: &table::Store, name: &str, key: &[Value]| {
        let table = store
            .table(database.state.definition(name).unwrap().id())
            .unwrap();
        (
            table.id(),
            table
                .find(table.primary_key().unwrap().id, key)
                .unwrap()
                .unwrap()
                .row_id(),
        )
    };
    let orphans = differ(&|store| {
        let (table, row) = row(store, "st_table", &[PLANES]);
        store.delete(table, row).unwrap();
        store.drop_table(planes).unwrap();
    });
    assert_eq!(
        orphans,
        "row (4096, 4096) of st_column contradicts the catalog: it belongs to a table that is not there"
    );
    for name in ["st_table", "st_column", "st_index", "st_database"] {
        let id = database.state.definition(name).unwrap().id();
        let narrow = differ(&|store| {
            let columns = store.table(id).unwrap().layout().columns()[..1].to_vec();
            store.drop_table(id).unwrap();
            let layout = table::Layout::new(LayoutNumber(1), columns).unwrap();
            store.create_table(id, layout).unwrap();
            store
                .insert(id, &[if id.0 == 6 { Value::Uuid(ID) } else { PLANES }])
                .unwrap();
        });
        let expected = if id.0 <= 2 {
            "a seed table differs"
        } else {
            "pages and its definition differ"
        };
        assert!(narrow.contains(expected), "{narrow}");
        assert!(!differ(&|store| store.drop_table(id).unwrap()).is_empty());
    }
    let gone = differ(&|store| {
        let (table, row) = row(store, "st_table", &[Value::U32(4)]);
        store.delete(table, row).unwrap();
    });
    assert_eq!(
        gone,
        "row (st_constraint) of st_table contradicts the catalog: the system table is gone"
    );
}

#[test]
fn more_columns_than_positions_can_count_are_refused() {
    let mut database = Database::new();
    database.write(|tx| tx.create_table(&planes())).unwrap();
    let columns = RawTable::of(&database.state, "st_column");
    let rows: Vec<Vec<Value>> = (4..=u16::MAX)
        .map(|place| {
            column(
                4096,
                9000 + u32::from(place),
                place,
                &format!("c{place}"),
                3,
                Value::Null,
            )
        })
        .collect();
    let error = database
        .state
        .check(&Raw::new().insert(&columns, &rows).finish())
        .unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("it has 65536 columns, 1024 are possible"),
        "{error}"
    );
}

#[test]
fn a_database_runs_out_of_ids_and_not_of_breath() {
    let mut database = Database::new();
    let sequences = RawTable::of(&database.state, "st_sequence");
    let mut raw = Raw::new();
    for id in 2..=6 {
        raw = raw.update(
            &sequences,
            &[Value::U32(id)],
            &[(4, Value::I128(i128::from(u32::MAX) - 3))],
        );
    }
    let checked = database.state.check(&raw.finish()).unwrap();
    database.state.apply(checked);
    database.write(|tx| tx.create_table(&planes())).unwrap();
    let column_ids = database
        .state
        .definition("planes")
        .unwrap()
        .columns()
        .last()
        .unwrap()
        .id;
    assert_eq!(column_ids.0, u32::MAX);
    let small = NewTable::new("small").column("x", ColumnType::I8);
    let error = database.write(|tx| tx.create_table(&small)).unwrap_err();
    assert_eq!(
        error,
        Error::SequenceExhausted {
            table: "st_sequence".into(),
            column: "st_column_id".into()
        }
    );
}
