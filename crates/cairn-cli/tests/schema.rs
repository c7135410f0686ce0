//! `cairn schema` and `cairn schema diff`.
#![allow(clippy::unwrap_used)]

#[path = "support/command.rs"]
mod command;

use cairn::{ColumnType, Database, Error, NewColumn, NewSequence, NewTable};
use command::check;

fn airlines() -> NewTable {
    NewTable::new("airlines")
        .column("carrier", ColumnType::String)
        .primary_key(&["carrier"])
}

fn planes() -> NewTable {
    NewTable::new("planes")
        .column("id", ColumnType::U32)
        .nullable("airline", ColumnType::String)
        .column_with(NewColumn::new("seats", ColumnType::U16).default(100u16))
        .hash_primary_key(&["id"])
        .sequence("id", NewSequence::new().step(5))
        .unique(&["airline", "seats"])
        .unique_index("by_seats", &["seats", "id"])
        .index("by_airline", &["airline"])
        .foreign_key(&["airline"], "airlines", &["carrier"])
}

/// A database with these tables.
fn database(tables: &[NewTable]) -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::open(directory.path()).unwrap();
    for table in tables {
        database.write(|tx| tx.create_table(table)).unwrap();
    }
    database.close().unwrap();
    let path = directory.path().to_str().unwrap().to_owned();
    (directory, path)
}

#[test]
fn the_definitions_are_printed_also_as_they_were() {
    let (_directory, path) = database(&[airlines(), planes()]);
    let airlines = "table airlines\n  carrier string\n  primary key primary_key (carrier)\n";
    let planes = "table planes\n  id u32, counts by itself\n  airline string, or null\n  seats u16, default 100\n  \
        primary key primary_key (id), hashed\n  unique constraint unique_airline_seats (airline, seats)\n  \
        unique index by_seats (seats, id)\n  index by_airline (airline)\n  \
        foreign key foreign_airline (airline) to airlines (carrier)\n";
    assert_eq!(check(&["schema", &path], 0), airlines.to_owned() + planes);
    assert_eq!(check(&["schema", &path, "--at", "1"], 0), airlines);
    check(&["schema"], 1);
    check(&["schema", "diff", &path], 1);
}

#[test]
fn the_steps_to_another_database_are_printed_and_not_taken() {
    let (_directory, full) = database(&[airlines(), planes()]);
    let (_other, part) = database(&[airlines()]);
    assert_eq!(
        check(&["schema", "diff", &full, &full], 0),
        "nothing to do\n"
    );
    // A table that is not declared stays.
    assert_eq!(
        check(&["schema", "diff", &full, &part], 0),
        "nothing to do\n"
    );
    let steps = "create table planes of 3 columns\nadd foreign key (airline) to planes, to airlines (carrier)\n";
    for _ in 0..2 {
        assert_eq!(check(&["schema", "diff", &part, &full], 0), steps);
    }

    let database = Database::open(&full).unwrap();
    database
        .write(|tx| {
            tx.drop_index("planes", "by_airline")?;
            tx.widen_column("planes", "seats", ColumnType::U64)?;
            Ok::<(), Error>(())
        })
        .unwrap();
    database.close().unwrap();
    let (_third, before) = self::database(&[airlines(), planes()]);
    assert_eq!(
        check(&["schema", "diff", &before, &full], 0),
        "drop index by_airline of planes\nwiden column seats of planes from u16 to u64\n"
    );
    let refused = check(&["schema", "diff", &full, &before], 1);
    assert!(
        refused.starts_with(
            "add index by_airline (airline) to planes\n\
             impossible: column \"seats\" of table \"planes\" is u64, which does not widen to the declared u16\n"
        ),
        "{refused}"
    );
    assert!(
        refused.contains("1 differences can not be levelled"),
        "{refused}"
    );
}
