//! What the schema layer does, one claim at a time.
#![allow(clippy::unwrap_used)]

#[path = "support/database.rs"]
mod database;

use database::{Database, ID, planes};
use schema::{Error, Mistake, NewColumn, NewTable, Object, RESERVED, State, WriteTransaction};
use table::{ColumnType, Value};

fn text(value: &str) -> Value {
    Value::from(value)
}

#[test]
fn a_genesis_declares_the_system_tables_as_rows() {
    let database = Database::new();
    let names: Vec<Value> = database
        .rows("st_table")
        .into_iter()
        .map(|row| row[1].clone())
        .collect();
    let expected = [
        "st_table",
        "st_column",
        "st_index",
        "st_constraint",
        "st_sequence",
        "st_database",
    ];
    assert_eq!(names, expected.map(text));
    assert_eq!(database.rows("st_column").len(), 35);
    assert_eq!(
        database.rows("st_database"),
        [[Value::Uuid(ID), Value::U16(1), Value::U16(1)]]
    );
    assert!(
        database
            .state
            .catalog()
            .tables()
            .all(|table| table.is_system())
    );
    database.verify();
}

#[test]
fn an_initialiser_is_part_of_the_genesis() {
    let mut genesis = WriteTransaction::genesis(ID).unwrap();
    genesis.create_table(&planes()).unwrap();
    genesis
        .insert("planes", &[("tailnum", text("N14228"))])
        .unwrap();
    let database = Database::open(vec![genesis.finish().unwrap().unwrap()]);
    let row = vec![Value::U32(1), text("N14228"), Value::Null, Value::U16(100)];
    assert_eq!(database.rows("planes"), [row]);
    database.verify();
}

#[test]
fn a_genesis_of_another_database_is_refused() {
    let genesis = WriteTransaction::genesis([8; 16])
        .unwrap()
        .finish()
        .unwrap()
        .unwrap();
    let error = State::empty(ID).check(&genesis).unwrap_err();
    assert!(
        error.to_string().contains("the database is another one"),
        "{error}"
    );
}

#[test]
fn a_table_comes_and_goes_with_all_that_belongs_to_it() {
    let mut database = Database::new();
    let before = database.state.clone();
    let id = database.write(|tx| tx.create_table(&planes())).unwrap();
    assert_eq!(id.0, RESERVED.end);
    let definition = database.state.definition("planes").unwrap();
    assert_eq!(definition.columns().len(), 4);
    assert_eq!(definition.indexes().len(), 3);
    assert_eq!(definition.constraints().len(), 2);
    assert_eq!(definition.sequences().len(), 1);
    assert_eq!(definition.primary_key().unwrap().name, "primary_key");
    database.verify();

    for year in 0..1000 {
        let cells = [
            ("tailnum", Value::from(format!("N{year}"))),
            ("year", Value::I32(year)),
        ];
        database.write(|tx| tx.insert("planes", &cells)).unwrap();
    }
    database.write(|tx| tx.drop_table("planes")).unwrap();
    assert!(database.state.find_definition("planes").unwrap().is_none());
    for name in ["st_table", "st_column", "st_index", "st_constraint"] {
        assert_eq!(database.rows(name), database::rows(&before, name), "{name}");
    }
    assert_eq!(database.state.store().tables().count(), 6);
    assert_eq!(
        database.state.store().pages().page_count(),
        before.store().pages().page_count()
    );
    database.verify();

    // Ids are never used again.
    let again = database.write(|tx| tx.create_table(&planes())).unwrap();
    assert_eq!(again.0, RESERVED.end + 1);
    let definition = database.state.definition("planes").unwrap();
    assert_eq!(definition.columns()[0].id.0, RESERVED.end + 4);
    database.verify();
}

#[test]
fn all_mistakes_are_told_at_once() {
    let table = NewTable::new("st_planes")
        .column("id", ColumnType::String)
        .column("id", ColumnType::I32)
        .column("", ColumnType::I32)
        .column_with(NewColumn::new("seats", ColumnType::U16).default("many"))
        .column_with(NewColumn::new("engines", ColumnType::U16).default(Value::Null))
        .nullable("year", ColumnType::I32)
        .column("ra\u{7}nk", ColumnType::I32)
        .column(&"x".repeat(129), ColumnType::I32)
        .primary_key(&["year"])
        .primary_key(&["id"])
        .index("by_yeer", &["yeer"])
        .index("by_year", &["year", "year"])
        .index("by_year", &[])
        .auto_increment("id")
        .auto_increment("year");
    let mut mistakes = table.check().unwrap_err();
    mistakes.sort();
    let mut expected = vec![
        Mistake::ReservedName {
            object: Object::Table,
            name: "st_planes".into(),
        },
        Mistake::DuplicateName {
            object: Object::Column,
            name: "id".into(),
        },
        Mistake::EmptyName {
            object: Object::Column,
        },
        Mistake::WrongDefault {
            column: "seats".into(),
            expected: ColumnType::U16,
            found: ColumnType::String,
        },
        Mistake::NullDefault {
            column: "engines".into(),
        },
        Mistake::ControlCharacter {
            object: Object::Column,
            name: "ra\u{7}nk".into(),
        },
        Mistake::NameTooLong {
            object: Object::Column,
            name: "x".repeat(129),
        },
        Mistake::TwoPrimaryKeys,
        Mistake::NullablePrimaryKey {
            column: "year".into(),
        },
        Mistake::DuplicateName {
            object: Object::Index,
            name: "primary_key".into(),
        },
        Mistake::DuplicateName {
            object: Object::Constraint,
            name: "primary_key".into(),
        },
        Mistake::UnknownColumn {
            object: Object::Index,
            name: "by_yeer".into(),
            column: "yeer".into(),
            nearest: Some("year".into()),
        },
        Mistake::DuplicateColumnInIndex {
            index: "by_year".into(),
            column: "year".into(),
        },
        Mistake::DuplicateName {
            object: Object::Index,
            name: "by_year".into(),
        },
        Mistake::NoColumnsInIndex {
            index: "by_year".into(),
        },
        Mistake::AutoIncrementNotInteger {
            column: "id".into(),
            found: ColumnType::String,
        },
        Mistake::AutoIncrementNullable {
            column: "year".into(),
        },
    ];
    expected.sort();
    assert_eq!(mistakes, expected);

    let mut database = Database::new();
    let error = database.write(|tx| tx.create_table(&table)).unwrap_err();
    assert!(
        matches!(&error, Error::InvalidDefinition { table, mistakes }
        if table == "st_planes" && mistakes.len() == expected.len())
    );
    assert_eq!(database.log.len(), 1);
}

#[test]
fn each_mistake_is_refused_alone() {
    let check = |table: NewTable, expected: &str| {
        let mistakes = table.check().unwrap_err();
        assert_eq!(mistakes.len(), 1, "{mistakes:?}");
        assert_eq!(mistakes[0].to_string(), expected);
    };
    let table = |name: &str| NewTable::new(name).column("a", ColumnType::I32);
    check(NewTable::new("t"), "it has no columns");
    check(table(""), "a table has an empty name");
    check(
        table("st_t"),
        r#"the name of table "st_t" begins with "st_", which is kept for the system's own"#,
    );
    check(
        table(&"n".repeat(129)),
        &format!(
            "the name of table {:?} takes 129 bytes, 128 are possible",
            "n".repeat(129)
        ),
    );
    check(
        table("t").column("a", ColumnType::I64),
        r#"two column definitions are named "a""#,
    );
    check(
        table("t").index("i", &["b"]),
        r#"index "i" names column "b", which is not there; did you mean "a"?"#,
    );
    check(table("t").index("i", &[]), r#"index "i" names no column"#);
    check(
        table("t").index("i", &["a", "a"]),
        r#"index "i" names column "a" twice"#,
    );
    check(
        table("t")
            .column_with(NewColumn::new("b", ColumnType::I32).default(1))
            .auto_increment("b"),
        r#"column "b" counts by itself and must not have a default"#,
    );
    check(
        table("t").auto_increment("key"),
        r#"sequence "key" names column "key", which is not there"#,
    );
    let mut wide = table("t");
    for column in 1..1025 {
        wide = wide.column(&format!("c{column}"), ColumnType::I8);
    }
    check(wide, "it has 1025 columns, 1024 are possible");
    let mut indexed = table("t");
    for index in 0..257 {
        indexed = indexed.index(&format!("i{index}"), &["a"]);
    }
    check(indexed, "it has 257 indexes, 256 are possible");
    let names: Vec<String> = (0..33).map(|column| format!("c{column}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let long = names.iter().fold(NewTable::new("t"), |table, name| {
        table.column(name, ColumnType::I8)
    });
    check(
        long.index("i", &names),
        r#"index "i" has 33 columns, 32 are possible"#,
    );
}

#[test]
fn the_reserved_range_is_half_open() {
    assert_eq!(RESERVED, 0..4096);
    let mut database = Database::new();
    let id = database.write(|tx| tx.create_table(&planes())).unwrap();
    assert_eq!(id.0, 4096);
    let definition = database.state.definition("planes").unwrap();
    let ids = definition.columns().iter().map(|column| column.id.0);
    assert!(ids.into_iter().eq(4096..4100));
    assert!(
        definition
            .indexes()
            .iter()
            .map(|index| index.id.0)
            .eq(4096..4099)
    );
}

#[test]
fn missing_columns_get_their_default_null_or_next_number() {
    let mut database = Database::new();
    database.write(|tx| tx.create_table(&planes())).unwrap();
    database
        .write(|tx| {
            tx.insert("planes", &[("tailnum", text("a"))])?;
            tx.insert(
                "planes",
                &[
                    ("tailnum", text("b")),
                    ("id", Value::U32(10)),
                    ("year", Value::I32(2013)),
                ],
            )?;
            tx.insert_row(
                "planes",
                vec![Value::Null, text("c"), Value::Null, Value::U16(3)],
            )?;
            tx.insert("planes", &[("tailnum", text("d")), ("id", Value::U32(5))])
        })
        .unwrap();
    database
        .write(|tx| {
            tx.insert(
                "planes",
                &[("tailnum", text("e")), ("seats", Value::U16(0))],
            )
        })
        .unwrap();
    assert_eq!(
        database.rows("planes"),
        [
            [Value::U32(1), text("a"), Value::Null, Value::U16(100)],
            [Value::U32(5), text("d"), Value::Null, Value::U16(100)],
            [Value::U32(10), text("b"), Value::I32(2013), Value::U16(100)],
            [Value::U32(11), text("c"), Value::Null, Value::U16(3)],
            [Value::U32(12), text("e"), Value::Null, Value::U16(0)],
        ]
    );
    database.verify();
}

#[test]
fn a_refused_row_takes_no_number_and_a_rolled_back_one_gives_it_back() {
    let mut database = Database::new();
    database.write(|tx| tx.create_table(&planes())).unwrap();
    database
        .write(|tx| {
            tx.insert("planes", &[("tailnum", text("a"))])?;
            tx.insert("planes", &[("tailnum", text("a"))]).unwrap_err();
            let savepoint = tx.savepoint();
            tx.insert("planes", &[("tailnum", text("b"))])?;
            tx.insert("planes", &[("tailnum", text("c"))])?;
            tx.roll_back_to(&savepoint);
            tx.insert("planes", &[("tailnum", text("d"))])
        })
        .unwrap();
    let ids: Vec<Value> = database
        .rows("planes")
        .into_iter()
        .map(|row| row[0].clone())
        .collect();
    assert_eq!(ids, [Value::U32(1), Value::U32(2)]);
    database.verify();
}

#[test]
fn an_update_moves_the_counter_as_an_insert_does() {
    let mut database = Database::new();
    let table = NewTable::new("t")
        .column("id", ColumnType::U32)
        .column_with(NewColumn::new("note", ColumnType::String).default("new"))
        .primary_key(&["id"])
        .auto_increment("id");
    database.write(|tx| tx.create_table(&table)).unwrap();
    let ids = |database: &Database| -> Vec<Value> {
        let rows = database.rows("t").into_iter();
        rows.map(|row| row[0].clone()).collect()
    };
    let renumber = |database: &mut Database, from: u32, to: u32| {
        database.write(|tx| tx.update("t", &[Value::U32(from)], &[("id", Value::U32(to))]))
    };
    database.write(|tx| tx.insert("t", &[])).unwrap();
    // Onto the very number that would be next.
    renumber(&mut database, 1, 2).unwrap();
    database.write(|tx| tx.insert("t", &[])).unwrap();
    assert_eq!(ids(&database), [2, 3].map(Value::U32));
    // Ahead, within the transaction that goes on inserting.
    database
        .write(|tx| {
            tx.update("t", &[Value::U32(3)], &[("id", Value::U32(10))])?;
            tx.insert("t", &[])
        })
        .unwrap();
    assert_eq!(ids(&database), [2, 10, 11].map(Value::U32));
    // Backwards, and in another column: the counter stays.
    renumber(&mut database, 11, 1).unwrap();
    database
        .write(|tx| tx.update("t", &[Value::U32(1)], &[("note", text("old"))]))
        .unwrap();
    database.write(|tx| tx.insert("t", &[])).unwrap();
    assert_eq!(ids(&database), [1, 2, 10, 12].map(Value::U32));
    // A refused update moves nothing, even where the transaction goes on.
    database
        .write(|tx| {
            let note = ("note", Value::Null);
            tx.update("t", &[Value::U32(1)], &[("id", Value::U32(50)), note])
                .unwrap_err();
            tx.insert("t", &[])
        })
        .unwrap();
    assert_eq!(ids(&database), [1, 2, 10, 12, 13].map(Value::U32));
    database.verify();
}

#[test]
fn a_sequence_ends_with_its_type() {
    let mut database = Database::new();
    let table = NewTable::new("t")
        .column("id", ColumnType::U8)
        .primary_key(&["id"])
        .auto_increment("id");
    database.write(|tx| tx.create_table(&table)).unwrap();
    database
        .write(|tx| tx.insert("t", &[("id", Value::U8(254))]))
        .unwrap();
    database.write(|tx| tx.insert("t", &[])).unwrap();
    let error = database.write(|tx| tx.insert("t", &[])).unwrap_err();
    assert_eq!(
        error,
        Error::SequenceExhausted {
            table: "t".into(),
            column: "id".into()
        }
    );
    database
        .write(|tx| tx.insert("t", &[("id", Value::U8(7))]))
        .unwrap();
    database.verify();
}

#[test]
fn refusals_name_what_they_are_about() {
    let mut database = Database::new();
    database.write(|tx| tx.create_table(&planes())).unwrap();
    database
        .write(|tx| tx.insert("planes", &[("tailnum", text("N1"))]))
        .unwrap();
    let log_length = database.log.len();
    let mut check = |run: &dyn Fn(&mut WriteTransaction) -> Result<(), Error>, expected: &str| {
        let error = database.write(|tx| run(tx)).unwrap_err();
        assert_eq!(error.to_string(), expected);
    };
    let insert = |cells: &[(&str, Value)]| {
        let cells: Vec<(String, Value)> = cells
            .iter()
            .map(|(name, value)| ((*name).into(), value.clone()))
            .collect();
        move |tx: &mut WriteTransaction| {
            let cells: Vec<(&str, Value)> = cells
                .iter()
                .map(|(name, value)| (name.as_str(), value.clone()))
                .collect();
            tx.insert("planes", &cells).map(|_| ())
        }
    };
    check(
        &|tx| tx.drop_table("plane"),
        r#"there is no table "plane"; did you mean "planes"?"#,
    );
    check(
        &|tx| tx.create_table(&planes()).map(|_| ()),
        r#"there is a table "planes" already"#,
    );
    check(
        &insert(&[("tailnumber", text("x"))]),
        r#"table "planes" has no column "tailnumber"; did you mean "tailnum"?"#,
    );
    check(
        &insert(&[]),
        r#"column "tailnum" of table "planes" has no default: a row must name it"#,
    );
    check(
        &insert(&[("tailnum", text("x")), ("tailnum", text("y"))]),
        r#"the row names column "tailnum" of table "planes" twice"#,
    );
    check(
        &insert(&[("tailnum", Value::I32(1))]),
        r#"column "tailnum" of table "planes" is string, the value is i32"#,
    );
    check(
        &insert(&[("tailnum", text("x")), ("seats", Value::Null)]),
        r#"column "seats" of table "planes" must not be null"#,
    );
    check(
        &insert(&[("tailnum", text("N1"))]),
        r#"table "planes" has a row with tailnum = N1 already ("unique_tailnum" is unique)"#,
    );
    check(
        &|tx| tx.insert_row("planes", vec![Value::Null]).map(|_| ()),
        r#"table "planes" has 4 columns, the row has 1 values"#,
    );
    check(
        &|tx| tx.delete("planes", &[Value::U32(9)]),
        r#"table "planes" has no row id = 9"#,
    );
    check(
        &|tx| {
            tx.insert("planes", &[("tailnum", text("x"))])?;
            let row = tx.table("planes")?.scan().next().unwrap().unwrap().row_id();
            tx.delete_row("planes", row)?;
            tx.delete_row("planes", row)
        },
        r#"table "planes" has no row at this place"#,
    );
    check(
        &insert(&[("tailnum", Value::from("x".repeat(5000)))]),
        r#"a key of index "unique_tailnum" of table "planes" takes 5003 bytes, 4096 are possible"#,
    );
    check(
        &|tx| {
            tx.update("planes", &[Value::U32(1)], &[("yeer", Value::Null)])
                .map(|_| ())
        },
        r#"table "planes" has no column "yeer"; did you mean "year"?"#,
    );
    check(
        &|tx| tx.insert("st_table", &[]).map(|_| ()),
        r#""st_table" is a system table: it is changed by changing definitions"#,
    );
    check(
        &|tx| tx.drop_table("st_column"),
        r#""st_column" is a system table: it is changed by changing definitions"#,
    );
    check(
        &|tx| tx.drop_index("planes", "primary_key"),
        r#"index "primary_key" of table "planes" keeps constraint "primary_key""#,
    );
    check(
        &|tx| tx.drop_index("planes", "by_yaer"),
        r#"table "planes" has no index "by_yaer"; did you mean "by_year"?"#,
    );
    check(
        &|tx| {
            tx.create_index("planes", "by_year", &["seats"], false)
                .map(|_| ())
        },
        r#"table "planes" breaks the rules: two index definitions are named "by_year""#,
    );
    assert_eq!(database.log.len(), log_length);
    database.verify();
}

#[test]
fn rows_are_updated_and_deleted_by_key_and_by_place() {
    let mut database = Database::new();
    database.write(|tx| tx.create_table(&planes())).unwrap();
    database
        .write(|tx| {
            for name in ["a", "b", "c", "d"] {
                tx.insert("planes", &[("tailnum", text(name))])?;
            }
            Ok(())
        })
        .unwrap();
    database
        .write(|tx| {
            tx.update(
                "planes",
                &[Value::U32(1)],
                &[("year", Value::I32(1999)), ("tailnum", text("z"))],
            )?;
            tx.delete("planes", &[Value::U32(2)])?;
            let index = tx.definition("planes")?.primary_key().unwrap().id;
            let row = tx
                .table("planes")?
                .find(index, &[Value::U32(3)])
                .unwrap()
                .unwrap()
                .row_id();
            tx.update_row("planes", row, &[("seats", Value::U16(1))])?;
            let row = tx
                .table("planes")?
                .find(index, &[Value::U32(4)])
                .unwrap()
                .unwrap()
                .row_id();
            tx.delete_row("planes", row)
        })
        .unwrap();
    assert_eq!(
        database.rows("planes"),
        [
            [Value::U32(1), text("z"), Value::I32(1999), Value::U16(100)],
            [Value::U32(3), text("c"), Value::Null, Value::U16(1)],
        ]
    );
    database.verify();
}

#[test]
fn an_index_over_rows_comes_and_goes() {
    let mut database = Database::new();
    database.write(|tx| tx.create_table(&planes())).unwrap();
    for year in [3, 1, 2, 1] {
        let cells = [
            ("tailnum", Value::from(format!("{}", database.log.len()))),
            ("year", Value::I32(year)),
        ];
        database.write(|tx| tx.insert("planes", &cells)).unwrap();
    }
    let id = database
        .write(|tx| tx.create_index("planes", "by_year_id", &["year", "id"], true))
        .unwrap();
    let table = database.state.table("planes").unwrap();
    let range = table
        .index_range(id, std::ops::Bound::Unbounded, std::ops::Bound::Unbounded)
        .unwrap();
    let years: Vec<Value> = range.map(|row| row.unwrap().value(2).unwrap()).collect();
    assert_eq!(years, [1, 1, 2, 3].map(Value::I32));
    database.verify();

    let error = database
        .write(|tx| tx.create_index("planes", "u", &["year"], true))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"table "planes" has a row with year = 1 already ("u" is unique)"#
    );
    database
        .write(|tx| tx.drop_index("planes", "by_year_id"))
        .unwrap();
    assert!(
        database
            .state
            .definition("planes")
            .unwrap()
            .index("by_year_id")
            .is_none()
    );
    database.verify();
}

#[test]
fn a_refused_change_leaves_the_transaction_as_it_was() {
    let mut database = Database::new();
    database.write(|tx| tx.create_table(&planes())).unwrap();
    database
        .write(|tx| {
            tx.insert("planes", &[("tailnum", text("a"))])?;
            let place = tx.insert("planes", &[("tailnum", text("b"))])?;
            tx.create_index("planes", "u", &["seats"], true)
                .unwrap_err();
            tx.create_table(&planes()).unwrap_err();
            // A row stands where it stood.
            assert_eq!(
                tx.table("planes")?.get(place).unwrap().value(1),
                Ok(text("b"))
            );
            tx.insert("planes", &[("tailnum", text("c"))])
        })
        .unwrap();
    assert_eq!(database.rows("planes").len(), 3);
    assert!(
        database
            .state
            .definition("planes")
            .unwrap()
            .index("u")
            .is_none()
    );
    database.verify();
}

#[test]
fn definitions_and_rows_change_in_one_transaction_or_not_at_all() {
    let mut database = Database::new();
    database.write(|tx| tx.create_table(&planes())).unwrap();
    database
        .write(|tx| tx.insert("planes", &[("tailnum", text("a"))]))
        .unwrap();
    let before = database.state.digest().unwrap();

    let mut dropped = WriteTransaction::new(&database.state).unwrap();
    dropped.drop_table("planes").unwrap();
    dropped
        .create_table(&NewTable::new("planes").column("x", ColumnType::Bool))
        .unwrap();
    drop(dropped);
    assert_eq!(database.state.digest().unwrap(), before);

    database
        .write(|tx| {
            tx.insert("planes", &[("tailnum", text("b"))])?;
            let savepoint = tx.savepoint();
            tx.drop_table("planes")?;
            tx.create_table(&NewTable::new("planes").column("x", ColumnType::Bool))?;
            tx.insert("planes", &[("x", Value::Bool(true))])?;
            tx.roll_back_to(&savepoint);
            tx.create_table(&NewTable::new("other").column("x", ColumnType::Bool))?;
            tx.insert("other", &[("x", Value::Bool(true))])?;
            tx.insert("planes", &[("tailnum", text("c"))])?;
            tx.create_index("planes", "by_seats", &["seats", "id"], false)?;
            tx.insert("planes", &[("tailnum", text("d"))])?;
            tx.delete("planes", &[Value::U32(1)])
        })
        .unwrap();
    let ids: Vec<Value> = database
        .rows("planes")
        .into_iter()
        .map(|row| row[0].clone())
        .collect();
    assert_eq!(ids, [2, 3, 4].map(Value::U32));
    assert_eq!(database.rows("other"), [[Value::Bool(true)]]);
    database.verify();
}

#[test]
fn a_transaction_that_changes_nothing_has_no_bytes() {
    let mut database = Database::new();
    database.write(|tx| tx.create_table(&planes())).unwrap();
    let empty = WriteTransaction::new(&database.state).unwrap();
    assert_eq!(empty.finish().unwrap(), None);
    let mut undone = WriteTransaction::new(&database.state).unwrap();
    let savepoint = undone.savepoint();
    undone
        .insert("planes", &[("tailnum", text("a")), ("id", Value::U32(1))])
        .unwrap();
    undone.roll_back_to(&savepoint);
    assert_eq!(undone.finish().unwrap(), None);
}

#[test]
fn tables_and_columns_are_renamed_with_their_rows_in_place() {
    let mut database = Database::new();
    let id = database.write(|tx| tx.create_table(&planes())).unwrap();
    database
        .write(|tx| tx.insert("planes", &[("tailnum", text("a"))]))
        .unwrap();
    database
        .write(|tx| {
            tx.rename_table("planes", "aircraft")?;
            tx.rename_column("aircraft", "tailnum", "registration")?;
            tx.insert("aircraft", &[("registration", text("b"))])
        })
        .unwrap();
    assert_eq!(database.state.definition("aircraft").unwrap().id(), id);
    assert_eq!(database.rows("aircraft").len(), 2);
    assert!(database.state.definition("planes").is_err());
    let error = database
        .write(|tx| tx.rename_column("aircraft", "year", "seats"))
        .unwrap_err();
    assert!(matches!(error, Error::InvalidDefinition { .. }));
    let error = database
        .write(|tx| tx.rename_table("aircraft", "st_aircraft"))
        .unwrap_err();
    assert!(matches!(error, Error::InvalidDefinition { .. }));
    database.verify();
}

#[test]
fn an_added_column_shows_its_default_in_old_rows() {
    let mut database = Database::new();
    database.write(|tx| tx.create_table(&planes())).unwrap();
    database
        .write(|tx| tx.insert("planes", &[("tailnum", text("a"))]))
        .unwrap();
    let error = database
        .write(|tx| tx.add_column("planes", NewColumn::new("engines", ColumnType::U8)))
        .unwrap_err();
    assert!(matches!(error, Error::MissingValue { .. }), "{error}");
    database
        .write(|tx| {
            tx.add_column(
                "planes",
                NewColumn::new("engines", ColumnType::U8).default(2u8),
            )?;
            tx.add_column(
                "planes",
                NewColumn::new("maker", ColumnType::String).nullable(),
            )?;
            tx.insert(
                "planes",
                &[("tailnum", text("b")), ("maker", text("EMBRAER"))],
            )
        })
        .unwrap();
    assert_eq!(
        database.rows("planes"),
        [
            [
                Value::U32(1),
                text("a"),
                Value::Null,
                Value::U16(100),
                Value::U8(2),
                Value::Null
            ],
            [
                Value::U32(2),
                text("b"),
                Value::Null,
                Value::U16(100),
                Value::U8(2),
                text("EMBRAER")
            ],
        ]
    );
    database.verify();
}

#[test]
fn a_table_without_a_key_is_a_multiset() {
    let mut database = Database::new();
    database
        .write(|tx| tx.create_table(&NewTable::new("t").column("x", ColumnType::I32)))
        .unwrap();
    database
        .write(|tx| {
            for _ in 0..3 {
                tx.insert("t", &[("x", Value::I32(1))])?;
            }
            tx.insert("t", &[("x", Value::I32(2))])
        })
        .unwrap();
    database
        .write(|tx| {
            let row = tx.table("t")?.scan().next().unwrap().unwrap().row_id();
            tx.delete_row("t", row)
        })
        .unwrap();
    assert_eq!(
        database.rows("t"),
        [[Value::I32(1)], [Value::I32(1)], [Value::I32(2)]]
    );
    let error = database
        .write(|tx| tx.delete("t", &[Value::I32(1)]))
        .unwrap_err();
    assert_eq!(error, Error::NoPrimaryKey { table: "t".into() });
    database.verify();
}

#[test]
fn a_view_does_not_move() {
    let mut database = Database::new();
    database.write(|tx| tx.create_table(&planes())).unwrap();
    let view = database.state.clone();
    let digest = view.digest().unwrap();
    database
        .write(|tx| tx.insert("planes", &[("tailnum", text("a"))]))
        .unwrap();
    database.write(|tx| tx.drop_table("planes")).unwrap();
    assert_eq!(view.digest().unwrap(), digest);
    assert_eq!(view.table("planes").unwrap().row_count(), 0);
    assert_ne!(database.state.digest().unwrap(), digest);
}

#[test]
fn the_digest_leaves_out_the_database_and_nothing_else() {
    let make = |id: [u8; 16], tailnum: &str| {
        let mut genesis = WriteTransaction::genesis(id).unwrap();
        genesis.create_table(&planes()).unwrap();
        genesis
            .create_table(&NewTable::new("t").column("x", ColumnType::I32))
            .unwrap();
        genesis
            .insert("planes", &[("tailnum", text(tailnum))])
            .unwrap();
        genesis.insert("t", &[("x", Value::I32(1))]).unwrap();
        let mut state = State::empty(id);
        state.replay(&genesis.finish().unwrap().unwrap()).unwrap();
        state
    };
    let digest = make(ID, "a").digest().unwrap();
    assert_eq!(make([9; 16], "a").digest().unwrap(), digest);
    assert_ne!(make(ID, "b").digest().unwrap(), digest);
    let mut changed = Database {
        state: make(ID, "a"),
        log: Vec::new(),
    };
    changed.write(|tx| tx.rename_column("t", "x", "y")).unwrap();
    assert_ne!(changed.state.digest().unwrap(), digest);
}

#[test]
fn the_digest_does_not_see_the_order_of_arrival() {
    let make = |rows: [i32; 4]| {
        let mut database = Database::new();
        let columns = |name| NewTable::new(name).column("x", ColumnType::I32);
        database
            .write(|tx| tx.create_table(&columns("bag")))
            .unwrap();
        database
            .write(|tx| tx.create_table(&columns("keyed").primary_key(&["x"])))
            .unwrap();
        for row in rows {
            database
                .write(|tx| tx.insert("bag", &[("x", Value::I32(row))]))
                .unwrap();
            database
                .write(|tx| tx.insert("keyed", &[("x", Value::I32(row))]))
                .unwrap();
        }
        database.state.digest().unwrap()
    };
    assert_eq!(make([1, 2, 3, 4]), make([4, 2, 1, 3]));
    assert_ne!(make([1, 2, 3, 4]), make([1, 2, 3, 5]));
}
