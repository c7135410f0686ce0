//! Changes of columns and constraints in tables that have rows.
#![allow(clippy::unwrap_used)]

#[path = "support/database.rs"]
mod database;
#[path = "support/raw.rs"]
mod raw;

use database::{Database, planes};
use raw::{Raw, RawTable};
use schema::{DEFAULT_BYTES_MAX, Error, Mistake, NewColumn, NewTable, Object, WriteTransaction};
use table::{ColumnType, Value, encode_value};

fn text(value: &str) -> Value {
    Value::from(value)
}

/// Three planes, the second without a year.
fn three_planes() -> Database {
    let mut database = Database::new();
    database
        .write(|tx| {
            tx.create_table(&planes())?;
            for (tailnum, year) in [("a", Some(1990)), ("b", None), ("c", Some(1990))] {
                tx.insert(
                    "planes",
                    &[("tailnum", text(tailnum)), ("year", Value::from(year))],
                )?;
            }
            Ok(())
        })
        .unwrap();
    database
}

/// What a change says that is refused, which leaves the transaction as it was.
fn refused<T>(
    database: &mut Database,
    change: impl FnOnce(&mut WriteTransaction) -> Result<T, Error>,
) -> Error {
    let mut transaction = WriteTransaction::new(&database.state).unwrap();
    let error = change(&mut transaction).err().unwrap();
    assert_eq!(transaction.finish().unwrap(), None, "{error}");
    error
}

#[test]
fn a_column_goes_with_its_values_and_the_others_stay() {
    let mut database = three_planes();
    let view = database.state.clone();
    database
        .write(|tx| {
            tx.insert("planes", &[("tailnum", text("d"))])?;
            tx.drop_index("planes", "by_year")?;
            tx.drop_column("planes", "year")?;
            tx.insert(
                "planes",
                &[("tailnum", text("e")), ("seats", Value::U16(3))],
            )
        })
        .unwrap();
    let row = |id, tailnum, seats| vec![Value::U32(id), text(tailnum), Value::U16(seats)];
    let expected = [
        row(1, "a", 100),
        row(2, "b", 100),
        row(3, "c", 100),
        row(4, "d", 100),
        row(5, "e", 3),
    ];
    assert_eq!(database.rows("planes"), expected);
    assert_eq!(database::rows(&view, "planes")[0].len(), 4);
    // The key and the unique constraint are about the same columns as before.
    let error = refused(&mut database, |tx| {
        tx.insert("planes", &[("tailnum", text("d"))])
    });
    assert!(matches!(error, Error::UniqueViolation { .. }), "{error}");
    database
        .write(|tx| tx.update("planes", &[Value::U32(5)], &[("tailnum", text("f"))]))
        .unwrap();
    // Builds that can not follow are kept away.
    assert_eq!(database.state.marks().minimum_reader, 3);
    database.verify();
}

#[test]
fn a_column_that_something_is_over_stays() {
    let mut database = three_planes();
    let rows = [
        ("tailnum", Object::Constraint, "unique_tailnum"),
        ("year", Object::Index, "by_year"),
        ("id", Object::Constraint, "primary_key"),
    ];
    for (column, object, name) in rows {
        let error = refused(&mut database, |tx| tx.drop_column("planes", column));
        let expected = Error::ColumnInUse {
            table: "planes".into(),
            column: column.into(),
            object,
            name: name.into(),
        };
        assert_eq!(error, expected);
    }
    database
        .write(|tx| tx.create_table(&NewTable::new("one").column("x", ColumnType::I8)))
        .unwrap();
    let error = refused(&mut database, |tx| tx.drop_column("one", "x"));
    let Error::InvalidDefinition { mistakes, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(mistakes, [Mistake::NoColumns]);
    assert_eq!(database.state.marks().minimum_reader, 1);
}

#[test]
fn a_sequence_goes_with_its_column() {
    let mut database = three_planes();
    database
        .write(|tx| {
            tx.drop_constraint("planes", "primary_key")?;
            tx.drop_column("planes", "id")
        })
        .unwrap();
    let definition = database.state.definition("planes").unwrap();
    assert!(definition.sequences().is_empty());
    database
        .write(|tx| tx.insert("planes", &[("tailnum", text("d"))]))
        .unwrap();
    assert_eq!(database.rows("planes").len(), 4);
    database.verify();
}

#[test]
fn a_wider_column_shows_the_same_values_through_its_indexes() {
    let mut database = three_planes();
    let view = database.state.clone();
    database
        .write(|tx| {
            tx.widen_column("planes", "year", ColumnType::I64)?;
            tx.widen_column("planes", "seats", ColumnType::I128)?;
            tx.insert(
                "planes",
                &[("tailnum", text("d")), ("year", Value::I64(1 << 40))],
            )
        })
        .unwrap();
    let row = |id, tailnum, year: Option<i64>| {
        vec![
            Value::U32(id),
            text(tailnum),
            Value::from(year),
            Value::I128(100),
        ]
    };
    let expected = [
        row(1, "a", Some(1990)),
        row(2, "b", None),
        row(3, "c", Some(1990)),
        row(4, "d", Some(1 << 40)),
    ];
    assert_eq!(database.rows("planes"), expected);
    let definition = database.state.definition("planes").unwrap();
    let by_year = definition.index("by_year").unwrap().id;
    let table = database.state.table("planes").unwrap();
    let found = table.find_all(by_year, &[Value::I64(1990)]).unwrap();
    assert_eq!(found.count(), 2);
    assert_eq!(database::rows(&view, "planes")[0][2], Value::I32(1990));

    for wrong in [
        ColumnType::I32,
        ColumnType::U128,
        ColumnType::F64,
        ColumnType::String,
    ] {
        let error = refused(&mut database, |tx| tx.widen_column("planes", "year", wrong));
        let expected = Error::NotWider {
            table: "planes".into(),
            column: "year".into(),
            from: ColumnType::I64,
            to: wrong,
        };
        assert_eq!(error, expected);
    }
    assert_eq!(
        refused(&mut database, |tx| tx.widen_column(
            "planes",
            "year",
            ColumnType::Bool
        ))
        .to_string(),
        r#"column "year" of table "planes" is i64, which does not widen to bool"#
    );
    database.verify();
}

#[test]
fn a_column_that_has_counted_to_its_end_counts_on_in_a_wider_type() {
    let mut database = Database::new();
    let table = NewTable::new("t")
        .column("id", ColumnType::U8)
        .column("x", ColumnType::Bool)
        .primary_key(&["id"])
        .auto_increment("id");
    database.write(|tx| tx.create_table(&table)).unwrap();
    let insert = |tx: &mut WriteTransaction| tx.insert("t", &[("x", Value::Bool(true))]);
    database
        .write(|tx| tx.insert("t", &[("id", Value::U8(255)), ("x", Value::Bool(false))]))
        .unwrap();
    let error = refused(&mut database, insert);
    assert!(matches!(error, Error::SequenceExhausted { .. }), "{error}");
    database
        .write(|tx| {
            tx.widen_column("t", "id", ColumnType::U16)?;
            insert(tx)
        })
        .unwrap();
    let expected = [
        [Value::U16(255), Value::Bool(false)],
        [Value::U16(256), Value::Bool(true)],
    ];
    assert_eq!(database.rows("t"), expected);
    database.verify();
}

#[test]
fn null_comes_and_goes_as_the_rows_allow() {
    let mut database = three_planes();
    let error = refused(&mut database, |tx| tx.set_not_null("planes", "year"));
    assert_eq!(
        error.to_string(),
        r#"column "year" of table "planes" is null in 1 rows, the first: (id = 2, tailnum = b, year = null, seats = 100)"#
    );
    database
        .write(|tx| {
            tx.update("planes", &[Value::U32(2)], &[("year", Value::I32(2001))])?;
            tx.set_not_null("planes", "year")
        })
        .unwrap();
    let null = [("tailnum", text("d")), ("year", Value::Null)];
    let error = refused(&mut database, |tx| tx.insert("planes", &null));
    assert!(matches!(error, Error::NullViolation { .. }), "{error}");
    database
        .write(|tx| {
            tx.drop_not_null("planes", "year")?;
            tx.insert("planes", &null)
        })
        .unwrap();
    assert_eq!(database.rows("planes").len(), 4);
    let error = refused(&mut database, |tx| tx.drop_not_null("planes", "id"));
    assert!(matches!(error, Error::InvalidDefinition { .. }), "{error}");
    database.verify();
}

#[test]
fn a_default_is_for_rows_to_come() {
    let mut database = three_planes();
    database
        .write(|tx| {
            tx.set_default("planes", "seats", Some(Value::U16(7)))?;
            tx.insert("planes", &[("tailnum", text("d"))])?;
            tx.set_default("planes", "seats", None)
        })
        .unwrap();
    let seats: Vec<Value> = database
        .rows("planes")
        .iter()
        .map(|row| row[3].clone())
        .collect();
    assert_eq!(seats, [100, 100, 100, 7].map(Value::U16));
    let error = refused(&mut database, |tx| {
        tx.insert("planes", &[("tailnum", text("e"))])
    });
    assert!(matches!(error, Error::MissingValue { .. }), "{error}");
    let error = refused(&mut database, |tx| {
        tx.set_default("planes", "seats", Some(Value::from("many")))
    });
    assert!(matches!(error, Error::InvalidDefinition { .. }), "{error}");
    // Every build can follow.
    assert_eq!(database.state.marks().minimum_reader, 1);
    database.verify();
}

/// Each layout that a table has rows of keeps them, and so does each snapshot.
#[test]
fn programs_give_short_defaults_and_what_a_log_declares_stays() {
    let mut database = three_planes();
    let of = |bytes: usize| text(&"x".repeat(bytes));
    let note = |bytes| NewColumn::new("note", ColumnType::String).default(of(bytes));
    let too_long = DEFAULT_BYTES_MAX + 1;
    let table = NewTable::new("notes").column_with(note(too_long));
    let mistakes = vec![Mistake::DefaultTooLong {
        column: "note".to_owned(),
        bytes: too_long,
    }];
    assert_eq!(table.check().as_ref(), Err(&mistakes));
    let errors = [
        refused(&mut database, |tx| tx.create_table(&table)),
        refused(&mut database, |tx| tx.add_column("planes", note(too_long))),
        refused(&mut database, |tx| {
            tx.set_default("planes", "tailnum", Some(of(too_long)))
        }),
    ];
    for (error, (table, column)) in
        errors
            .iter()
            .zip([("notes", "note"), ("planes", "note"), ("planes", "tailnum")])
    {
        assert_eq!(
            error.to_string(),
            format!(
                r#"table "{table}" breaks the rules: the default of column "{column}" takes 8001 bytes, 8000 are possible; write longer values with the rows"#
            )
        );
    }
    database
        .write(|tx| {
            tx.create_table(&NewTable::new("notes").column_with(note(DEFAULT_BYTES_MAX)))?;
            tx.add_column("planes", note(DEFAULT_BYTES_MAX))
        })
        .unwrap();
    // A build from before the limit has put a longer one into the log.
    let columns = RawTable::of(&database.state, "st_column");
    let planes = database.state.definition("planes").unwrap();
    let (table, column) = (planes.id().0, planes.columns()[4].id.0);
    let default = Value::Bytes(encode_value(of(too_long).as_ref()));
    let key = [Value::U32(table), Value::U32(column)];
    let record = Raw::new().update(&columns, &key, &[(6, default)]).finish();
    let mut log = database.log.clone();
    log.push(record);
    let mut database = Database::open(log);
    database
        .write(|tx| {
            tx.rename_column("planes", "note", "remark")?;
            tx.set_default("planes", "remark", Some(of(too_long)))?;
            tx.insert("planes", &[("tailnum", text("d"))])
        })
        .unwrap();
    let notes: Vec<Value> = database
        .rows("planes")
        .iter()
        .map(|row| row[4].clone())
        .collect();
    let [short, long] = [DEFAULT_BYTES_MAX, too_long].map(of);
    assert!(notes == [short.clone(), short.clone(), short, long]);
    database.verify();
}

#[test]
fn keys_and_unique_constraints_come_and_go_with_the_rows_in_place() {
    let mut database = three_planes();
    database
        .write(|tx| {
            tx.drop_constraint("planes", "primary_key")?;
            tx.insert("planes", &[("tailnum", text("d"))])?;
            tx.drop_constraint("planes", "unique_tailnum")?;
            tx.add_primary_key("planes", &["tailnum"])?;
            tx.add_unique("planes", &["id", "seats"])
        })
        .unwrap();
    database
        .write(|tx| tx.update("planes", &[text("d")], &[("seats", Value::U16(1))]))
        .unwrap();
    let definition = database.state.definition("planes").unwrap();
    let names: Vec<&str> = definition
        .constraints()
        .iter()
        .map(|constraint| constraint.name.as_str())
        .collect();
    assert_eq!(names, ["primary_key", "unique_id_seats"]);
    let indexes: Vec<&str> = definition
        .indexes()
        .iter()
        .map(|index| index.name.as_str())
        .collect();
    assert_eq!(indexes, ["by_year", "primary_key", "unique_id_seats"]);
    assert_eq!(database.state.marks().minimum_reader, 1);
    database.verify();

    let error = refused(&mut database, |tx| tx.add_unique("planes", &["year"]));
    assert_eq!(
        error.to_string(),
        r#"table "planes" has a row with year = 1990 already ("unique_year" is unique)"#
    );
    let error = refused(&mut database, |tx| tx.add_primary_key("planes", &["id"]));
    assert!(matches!(error, Error::InvalidDefinition { .. }), "{error}");
    let error = refused(&mut database, |tx| {
        tx.drop_constraint("planes", "unique_id_seat")
    });
    assert_eq!(
        error.to_string(),
        r#"table "planes" has no constraint "unique_id_seat"; did you mean "unique_id_seats"?"#
    );
    let error = refused(&mut database, |tx| tx.drop_index("planes", "primary_key"));
    assert!(matches!(error, Error::IndexInUse { .. }), "{error}");
}

#[test]
fn several_changes_of_a_table_are_rolled_back_whole() {
    let database = three_planes();
    let before = database.state.digest().unwrap();
    let mut transaction = WriteTransaction::new(&database.state).unwrap();
    transaction
        .insert("planes", &[("tailnum", text("d"))])
        .unwrap();
    let savepoint = transaction.savepoint();
    transaction
        .widen_column("planes", "seats", ColumnType::U64)
        .unwrap();
    transaction.drop_index("planes", "by_year").unwrap();
    transaction.drop_column("planes", "year").unwrap();
    transaction
        .drop_constraint("planes", "unique_tailnum")
        .unwrap();
    transaction
        .rename_column("planes", "tailnum", "tail")
        .unwrap();
    transaction.roll_back_to(&savepoint);
    let bytes = transaction.finish().unwrap().unwrap();
    let checked = database.state.check(&bytes).unwrap();
    assert_eq!(checked.state().marks().minimum_reader, 1);
    assert_eq!(database::rows(checked.state(), "planes").len(), 4);
    assert_eq!(database.state.digest().unwrap(), before);
}
