//! Logs of a future build: opened, kept, written to, and nothing of them lost.
#![allow(clippy::unwrap_used)]

#[path = "support/database.rs"]
mod database;
#[path = "support/future.rs"]
mod future;
#[path = "support/raw.rs"]
mod raw;

use database::{Database, ID, planes};
use future::Future;
use raw::{Raw, RawTable};
use schema::{Error, State, WriteTransaction};
use table::{ColumnType, Value};

fn text(value: &str) -> Value {
    Value::from(value)
}

/// The rows of a table of the future that have `value` in the column at `position`.
fn rows_where(state: &State, table: &str, position: usize, value: &Value) -> Vec<Vec<Value>> {
    database::rows(state, table)
        .into_iter()
        .filter(|row| row[position] == *value)
        .collect()
}

#[test]
fn a_future_genesis_is_opened_and_kept() {
    let database = Database::open(vec![Future::new().genesis(ID, 1)]);
    database.verify();
    let state = &database.state;
    assert_eq!(
        database.rows("st_table"),
        [
            [
                Value::U32(1),
                text("st_table"),
                text("all tables"),
                Value::U64(1)
            ],
            [
                Value::U32(2),
                text("st_column"),
                Value::Null,
                Value::U64(77)
            ],
            [
                Value::U32(7),
                text("st_database"),
                Value::Null,
                Value::U64(5)
            ],
            [
                Value::U32(12),
                text("st_constraint"),
                Value::Null,
                Value::U64(5)
            ],
            [
                Value::U32(13),
                text("st_sequence"),
                Value::Null,
                Value::U64(5)
            ],
            [
                Value::U32(30),
                text("st_comment"),
                Value::Null,
                Value::U64(5)
            ],
            [Value::U32(45), text("st_index"), Value::Null, Value::U64(5)],
        ]
    );
    assert_eq!(state.table("st_comment").unwrap().row_count(), 3);
    let comments = state.definition("st_comment").unwrap();
    assert!(comments.is_system());
    assert_eq!(comments.index("by_comment").unwrap().id.0, 305);
    // The seeds' later columns, and the values that their first rows were given.
    assert_eq!(state.definition("st_column").unwrap().columns().len(), 8);
    let of_name = rows_where(state, "st_column", 1, &Value::U32(2));
    assert_eq!(of_name[0][7], text("de"));
    assert_eq!(
        rows_where(state, "st_column", 1, &Value::U32(1))[0][7],
        text("binary")
    );
    assert_eq!(
        rows_where(state, "st_column", 1, &Value::U32(260))[0][7],
        text("en")
    );
}

#[test]
fn this_build_writes_on_with_the_defaults_that_the_log_gives() {
    let mut database = Database::open(vec![Future::new().genesis(ID, 1)]);
    let before = database.state.clone();
    let id = database.write(|tx| tx.create_table(&planes())).unwrap();
    assert_eq!(id.0, 4096);
    database
        .write(|tx| tx.insert("planes", &[("tailnum", text("N1"))]))
        .unwrap();
    database
        .write(|tx| tx.create_index("planes", "by_seats", &["seats"], false))
        .unwrap();
    database.verify();

    let id = Value::U32(4096);
    let state = &database.state;
    let table = rows_where(state, "st_table", 0, &id);
    assert_eq!(
        table,
        [[id.clone(), text("planes"), Value::Null, Value::U64(77)]]
    );
    for row in rows_where(state, "st_column", 0, &id) {
        assert_eq!(row[7], text("binary"));
    }
    for row in rows_where(state, "st_index", 1, &id) {
        assert_eq!(row[2], Value::U8(90));
    }
    for row in rows_where(state, "st_constraint", 0, &id) {
        assert_eq!(row[5], text("true"));
    }
    let sequence = rows_where(state, "st_sequence", 1, &id);
    assert_eq!(sequence[0][10], Value::I64(-1));
    assert_eq!(sequence[0][4], Value::I128(2));

    // Updates keep the cells that this build does not know: the sequences that gave the ids still have theirs.
    for row in rows_where(state, "st_sequence", 1, &Value::Null) {
        assert_eq!(row[10], Value::I64(9));
    }

    // The future build gives the table a comment and an owner; this build renames it, and adds a column to it.
    let comment = RawTable::of(state, "st_table");
    let commented = Raw::new()
        .update(
            &comment,
            std::slice::from_ref(&id),
            &[(2, text("mine")), (3, Value::U64(6))],
        )
        .finish();
    database.state.replay(&commented).unwrap();
    database.log.push(commented);
    database
        .write(|tx| {
            tx.rename_table("planes", "aircraft")?;
            tx.add_column(
                "aircraft",
                schema::NewColumn::new("x", ColumnType::U8).default(1u8),
            )
        })
        .unwrap();
    let table = rows_where(&database.state, "st_table", 0, &id);
    assert_eq!(
        table,
        [[id.clone(), text("aircraft"), text("mine"), Value::U64(6)]]
    );
    assert_eq!(database.rows("aircraft").len(), 1);
    database.verify();

    database.write(|tx| tx.drop_table("aircraft")).unwrap();
    database.verify();
    for table in [
        "st_table",
        "st_column",
        "st_index",
        "st_constraint",
        "st_comment",
        "st_database",
    ] {
        assert_eq!(
            database.rows(table),
            database::rows(&before, table),
            "{table}"
        );
    }
}

#[test]
fn a_seed_table_may_grow_later_too() {
    let mut database = Database::new();
    database.write(|tx| tx.create_table(&planes())).unwrap();
    let column = RawTable::of(&database.state, "st_column");
    let added = |id: u32, table: u32, position: u16, name: &str, value: Option<Value>| {
        vec![
            Value::U32(table),
            Value::U32(id),
            Value::U16(position),
            text(name),
            Value::U8(ColumnType::U32.code()),
            Value::Bool(value.is_none()),
            Value::from(value.map(|value| table::encode_value(value.as_ref()))),
        ]
    };
    // An upgrade, as the next build may log it: a column for each seed, and one for st_database.
    let upgrade = Raw::new()
        .insert(
            &column,
            &[
                added(64, 1, 2, "owner", Some(Value::U32(3))),
                added(65, 2, 7, "collation", None),
                added(66, 6, 3, "page_bytes", Some(Value::U32(32768))),
            ],
        )
        .finish();
    let checked = database.state.check(&upgrade).unwrap();
    database.state.apply(checked);
    database.log.push(upgrade);
    database.verify();
    assert!(
        database
            .rows("st_table")
            .iter()
            .all(|row| row[2] == Value::U32(3))
    );
    assert_eq!(database.rows("st_database")[0][3], Value::U32(32768));
    assert_eq!(
        database
            .state
            .table("st_table")
            .unwrap()
            .layout()
            .number()
            .0,
        2
    );

    database
        .write(|tx| tx.create_table(&schema::NewTable::new("t").column("x", ColumnType::I8)))
        .unwrap();
    assert!(
        database
            .rows("st_table")
            .iter()
            .all(|row| row[2] == Value::U32(3))
    );
    database.verify();
}

#[test]
fn a_log_that_needs_a_newer_reader_or_writer_says_so() {
    let mut database = Database::open(vec![Future::new().genesis(ID, 3)]);
    database.verify();
    let error = WriteTransaction::new(&database.state).unwrap_err();
    assert_eq!(
        error,
        Error::NewerFormat {
            access: schema::Access::Write,
            needed: 3,
            build: 2
        }
    );
    assert_eq!(
        error.to_string(),
        "the log needs a build of format 3 or newer to write to it, this build has 2; \
         open it read-only or use a newer build"
    );

    // The mark goes up in the transaction that first needs it. Whatever follows its header is not looked at.
    for bytes in [
        Raw::with_marks(6, 3).finish(),
        [9, 0, 6, 0, 3, 0, 0, 0, 255].to_vec(),
    ] {
        let bytes = match table::Marks::peek(&bytes) {
            Ok(marks) if marks.minimum_reader == 6 => bytes,
            _ => continue,
        };
        let error = database.state.check(&bytes).unwrap_err();
        assert_eq!(
            error,
            Error::NewerFormat {
                access: schema::Access::Read,
                needed: 6,
                build: 5
            }
        );
        assert_eq!(
            error.to_string(),
            "the log needs a build of format 6 or newer to read it, this build has 5; use a newer build"
        );
    }

    // A writer's mark that goes up stands in the database's row too, or it is damage.
    let known = RawTable::of(&database.state, "st_database");
    let raise = |marks: (u16, u16), row: u16| {
        Raw::with_marks(marks.0, marks.1)
            .update(&known, &[Value::Uuid(ID)], &[(2, Value::U16(row))])
            .finish()
    };
    assert!(database.state.check(&raise((1, 4), 5)).is_err());
    assert!(database.state.check(&raise((1, 1), 1)).is_err());
    assert!(
        database
            .state
            .check(&Raw::with_marks(1, 4).finish())
            .is_err()
    );
    database.state.replay(&raise((1, 4), 4)).unwrap();
    assert_eq!(database.state.marks().minimum_writer, 4);
}

#[test]
fn a_constraint_of_an_unknown_kind_is_kept_where_the_mark_for_writers_says_so() {
    for (minimum_writer, is_fine) in [(1, false), (2, false), (3, true)] {
        let mut database = Database::open(vec![Future::new().genesis(ID, minimum_writer)]);
        let constraints = RawTable::of(&database.state, "st_constraint");
        let row = vec![
            Value::U32(30),
            Value::U32(40),
            text("check"),
            Value::U8(9),
            Value::Null,
            text("line > 0"),
        ];
        let transaction = Raw::with_marks(1, minimum_writer)
            .insert(&constraints, std::slice::from_ref(&row))
            .finish();
        match database.state.check(&transaction) {
            Err(error) => assert_eq!(
                error.to_string(),
                "row (30, 40) of st_constraint contradicts the catalog: constraint kind 9 is unknown"
            ),
            Ok(checked) => database.state.apply(checked),
        }
        assert_eq!(database.rows("st_constraint").contains(&row), is_fine);
        if is_fine {
            database.log.push(transaction);
            database.verify();
            let definition = database.state.definition("st_comment").unwrap();
            assert_eq!(
                definition.constraints()[1].kind,
                schema::ConstraintKind::Unknown { code: 9 }
            );
        }
    }
}
