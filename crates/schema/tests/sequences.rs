//! Columns that count by themselves: by which numbers, from where, and to which end.
#![allow(clippy::unwrap_used)]

#[path = "support/database.rs"]
mod database;

use database::Database;
use schema::{Declaration, Error, NewSequence, NewTable};
use table::ColumnType::{self, I8, I64, I128, U8, U64, U128};
use table::Value;

fn table(column_type: ColumnType) -> NewTable {
    NewTable::new("t")
        .column("id", column_type)
        .column("x", ColumnType::Bool)
}

/// The numbers of the column, in the order of their coming.
fn numbers(database: &Database) -> Vec<String> {
    let table = database.state.table("t").unwrap();
    let rows = table
        .scan()
        .map(|row| row.unwrap().value(0).unwrap().to_string());
    rows.collect()
}

/// Inserts rows, each in a transaction of its own, until there are so many or one is refused.
fn count(database: &mut Database, rows: usize) -> Option<Error> {
    (0..rows).find_map(|_| {
        let inserted = database.write(|tx| tx.insert("t", &[("x", Value::Bool(true))]));
        inserted.err()
    })
}

#[test]
fn a_sequence_counts_as_it_is_told_to_its_end() {
    let new = NewSequence::new;
    let (least, greatest) = (i128::MIN.to_string(), i128::MAX.to_string());
    let rows: [(ColumnType, NewSequence, &[&str], bool); 12] = [
        (U64, new(), &["1", "2", "3", "4"], false),
        (U64, new().start(0), &["0", "1", "2", "3"], false),
        (
            U64,
            new().start(5).step(10),
            &["5", "15", "25", "35"],
            false,
        ),
        (I64, new().step(-1), &["-1", "-2", "-3", "-4"], false),
        (I64, new().start(3).step(-2), &["3", "1", "-1", "-3"], false),
        (U8, new().start(253), &["253", "254", "255"], true),
        (U8, new().start(250).step(4), &["250", "254"], true),
        (I8, new().step(-1).start(-127), &["-127", "-128"], true),
        (
            U8,
            new().minimum(3).maximum(5).start(4).cycle(),
            &["4", "5", "3", "4"],
            false,
        ),
        (
            I8,
            new().minimum(-1).maximum(1).step(-1).cycle(),
            &["1", "0", "-1", "1"],
            false,
        ),
        (U128, new().start(i128::MAX), &[&greatest], true),
        (I128, new().step(-1).start(i128::MIN), &[&least], true),
    ];
    for (column_type, sequence, expected, is_end) in rows {
        let mut database = Database::new();
        let table = table(column_type).sequence("id", sequence);
        database.write(|tx| tx.create_table(&table)).unwrap();
        let error = count(&mut database, 4);
        assert_eq!(numbers(&database), expected, "{sequence:?}");
        assert_eq!(
            matches!(error, Some(Error::SequenceExhausted { .. })),
            is_end,
            "{error:?}"
        );
        database.verify();
    }
}

#[test]
fn bounds_that_do_not_fit_are_a_mistake() {
    let new = NewSequence::new;
    for sequence in [
        new().step(0),
        new().start(0).minimum(1),
        new().start(300),
        new().maximum(256),
        new().minimum(-1),
        new().minimum(5).maximum(4),
        new().step(-1),
    ] {
        let mistakes = table(U8).sequence("id", sequence).check().unwrap_err();
        assert!(
            mistakes[0].to_string().contains("id"),
            "{sequence:?}: {mistakes:?}"
        );
    }
}

#[test]
fn a_column_with_rows_begins_to_count_behind_them_and_ends() {
    let rows: [(&[i64], NewSequence, Option<&str>); 6] = [
        (&[], NewSequence::new(), Some("1")),
        (&[7, 3], NewSequence::new(), Some("8")),
        (&[-7], NewSequence::new(), Some("1")),
        (&[-7, 4], NewSequence::new().step(-1), Some("-8")),
        (&[4], NewSequence::new().step(5), Some("9")),
        (&[9], NewSequence::new().maximum(9), None),
    ];
    for (there, sequence, expected) in rows {
        let mut database = Database::new();
        database.write(|tx| tx.create_table(&table(I64))).unwrap();
        for &number in there {
            let row = vec![Value::I64(number), Value::Bool(false)];
            database.write(|tx| tx.insert_row("t", row)).unwrap();
        }
        database
            .write(|tx| tx.create_sequence("t", "id", sequence))
            .unwrap();
        database.verify();
        let error = count(&mut database, 1);
        assert_eq!(error.is_none(), expected.is_some(), "{there:?} {error:?}");
        if let Some(expected) = expected {
            assert_eq!(numbers(&database).last().unwrap(), expected, "{there:?}");
        }
        let again = database.write(|tx| tx.create_sequence("t", "id", sequence));
        assert!(
            matches!(again, Err(Error::InvalidDefinition { .. })),
            "{again:?}"
        );

        database.write(|tx| tx.drop_sequence("t", "id")).unwrap();
        let error = count(&mut database, 1);
        assert!(
            matches!(error, Some(Error::MissingValue { .. })),
            "{error:?}"
        );
        let error = database
            .write(|tx| tx.drop_sequence("t", "id"))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"column "id" of table "t" has no sequence"#
        );
        database.verify();
    }
}

#[test]
fn a_sequence_that_has_come_to_the_end_of_its_type_goes_on_in_a_wider_one() {
    let new = NewSequence::new;
    let rows: [(ColumnType, NewSequence, ColumnType, Option<&str>); 7] = [
        (U8, new().start(254), ColumnType::U16, Some("256")),
        (U8, new().step(100), ColumnType::U16, Some("301")),
        (
            I8,
            new().step(-1).start(-127),
            ColumnType::I16,
            Some("-129"),
        ),
        (I8, new().step(-100), ColumnType::I64, Some("-201")),
        // Bounds of its own stay.
        (U8, new().maximum(9).start(8), ColumnType::U16, None),
        (I8, new().step(-1).minimum(-2), ColumnType::I16, None),
        (
            I64,
            new().start(i64::MAX.into()),
            ColumnType::I128,
            Some("9223372036854775808"),
        ),
    ];
    for (from, sequence, to, expected) in rows {
        let mut database = Database::new();
        let narrow = table(from).sequence("id", sequence);
        database.write(|tx| tx.create_table(&narrow)).unwrap();
        let end = count(&mut database, 5);
        assert!(
            matches!(end, Some(Error::SequenceExhausted { .. })),
            "{sequence:?}"
        );
        // Declared with the wider type it is the same sequence.
        let wide = Declaration::new().table(table(to).sequence("id", sequence));
        database.write(|tx| tx.migrate(&wide)).unwrap();
        let error = count(&mut database, 1);
        assert_eq!(
            error.is_none(),
            expected.is_some(),
            "{sequence:?} {error:?}"
        );
        if let Some(expected) = expected {
            assert_eq!(numbers(&database).last().unwrap(), expected, "{sequence:?}");
        }
        database.verify();
    }
}

/// A sequence is named after its column as that is called by then, and goes on under this name when it is renamed.
#[test]
fn a_column_counts_that_is_called_as_another_one_was() {
    for name in ["id", &"ü".repeat(64)] {
        let mut database = Database::new();
        let mut wanted = NewTable::new("t")
            .column("x", ColumnType::Bool)
            .column(name, I64)
            .auto_increment(name);
        database.write(|tx| tx.create_table(&wanted)).unwrap();
        for old in ["first", "second"] {
            database
                .write(|tx| tx.rename_column("t", name, old))
                .unwrap();
            wanted = Declaration::of(database.state.catalog()).tables()[0].clone();
            wanted = wanted.column(name, I64).auto_increment(name);
            let wanted = Declaration::new().table(wanted.clone());
            let plan = database.state.plan_migration(&wanted).unwrap();
            assert_eq!(plan.obstacles(), []);
            assert_eq!(plan.steps().len(), 2);
            database.write(|tx| tx.migrate(&wanted)).unwrap();
            let again = database.state.plan_migration(&wanted).unwrap();
            assert!(again.is_empty(), "{again}");
            database.verify();
        }
        let sequences = database.state.definition("t").unwrap().sequences();
        let names: Vec<&str> = sequences.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names[0], name);
        assert!(
            names[1].ends_with("_2") && names[2].ends_with("_3"),
            "{names:?}"
        );
        assert_eq!(count(&mut database, 2), None);
        let rows = database.rows("t");
        let expected = [1, 2].map(|number| {
            let numbers = [Value::I64(number), Value::I64(number), Value::I64(number)];
            [vec![Value::Bool(true)], numbers.to_vec()].concat()
        });
        assert_eq!(rows, expected);
    }
}

#[test]
fn a_refused_row_takes_no_number_of_any_sequence() {
    let two = NewTable::new("t")
        .column("id", I64)
        .column("x", ColumnType::Bool)
        .column("few", U8)
        .auto_increment("id")
        .sequence("few", NewSequence::new().maximum(1));
    let mut database = Database::new();
    database.write(|tx| tx.create_table(&two)).unwrap();
    assert_eq!(count(&mut database, 1), None);
    let before = database.state.digest().unwrap();
    let named = [("x", Value::Bool(true)), ("few", Value::U8(1))];
    // With nothing else in the transaction, and with a row behind it that counts on.
    for (row, expected) in [(None, 1), (Some(&named), 2)] {
        let mut database = database.clone();
        database
            .write(|tx| {
                for _ in 0..3 {
                    let refused = tx.insert("t", &[("x", Value::Bool(true))]);
                    assert!(matches!(refused, Err(Error::SequenceExhausted { .. })));
                }
                row.map_or(Ok(()), |row| tx.insert("t", row).map(drop))
            })
            .unwrap();
        assert_eq!(numbers(&database).len(), expected);
        assert_eq!(*numbers(&database).last().unwrap(), expected.to_string());
        let is_same = database.state.digest().unwrap() == before;
        assert_eq!(is_same, row.is_none());
        database.verify();
    }
}
