//! The bytes that every later build must read: the seeds, the genesis, changes of definitions.
#![allow(clippy::unwrap_used)]

#[path = "support/database.rs"]
mod database;

use database::{Database, ID, planes};
use schema::{Error, NewTable, RESERVED, State, WriteTransaction};
use table::{ColumnType, Value};

/// The genesis up to the end of group 2: what is read by compiled-in layouts. Frozen for good.
const SEEDS: &[u8] = &[
    1, 0, 1, 0, 1, 0, 0, 0, // version, minimum reader 1, minimum writer 1
    // Group 1: table 1, layout 1, insert, 2 rows in 27 bytes.
    1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 27, 0, 0, 0, 0, 0, 0, 0, //
    1, 0, 0, 0, 8, b's', b't', b'_', b't', b'a', b'b', b'l', b'e', //
    2, 0, 0, 0, 9, b's', b't', b'_', b'c', b'o', b'l', b'u', b'm', b'n', //
    // Group 2: table 2, layout 1, insert, 9 rows in 210 bytes. Each: nulls, table, column, position, name, type, nullable.
    2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 210, 0, 0, 0, 0, 0, 0, 0, //
    1, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 8, b't', b'a', b'b', b'l', b'e', b'_', b'i', b'd', 9,
    0, //
    1, 1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 10, b't', b'a', b'b', b'l', b'e', b'_', b'n', b'a', b'm',
    b'e', 14, 0, //
    1, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 8, b't', b'a', b'b', b'l', b'e', b'_', b'i', b'd', 9,
    0, //
    1, 2, 0, 0, 0, 4, 0, 0, 0, 1, 0, 9, b'c', b'o', b'l', b'u', b'm', b'n', b'_', b'i', b'd', 9,
    0, //
    1, 2, 0, 0, 0, 5, 0, 0, 0, 2, 0, 8, b'p', b'o', b's', b'i', b't', b'i', b'o', b'n', 8,
    0, //
    1, 2, 0, 0, 0, 6, 0, 0, 0, 3, 0, 11, b'c', b'o', b'l', b'u', b'm', b'n', b'_', b'n', b'a',
    b'm', b'e', 14, 0, //
    1, 2, 0, 0, 0, 7, 0, 0, 0, 4, 0, 9, b't', b'y', b'p', b'e', b'_', b'c', b'o', b'd', b'e', 7,
    0, //
    1, 2, 0, 0, 0, 8, 0, 0, 0, 5, 0, 8, b'n', b'u', b'l', b'l', b'a', b'b', b'l', b'e', 1,
    0, //
    1, 2, 0, 0, 0, 9, 0, 0, 0, 6, 0, 13, b'd', b'e', b'f', b'a', b'u', b'l', b't', b'_', b'v',
    b'a', b'l', b'u', b'e', 15, 1,
];

/// Bytes as lines of hexadecimal digits, 32 bytes each.
fn hex(bytes: &[u8]) -> String {
    let lines = bytes.chunks(32).map(|line| {
        line.iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
            + "\n"
    });
    lines.collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<char> = hex.chars().filter(char::is_ascii_hexdigit).collect();
    let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

#[track_caller]
fn check(bytes: &[u8], golden: &str, name: &str) {
    let found = hex(bytes);
    assert!(
        found == golden,
        "{name} has changed: every log that exists has the old bytes; found\n{found}"
    );
}

#[test]
fn the_genesis_begins_with_the_frozen_seeds() {
    let genesis = Database::new().log.remove(0);
    assert_eq!(genesis[..SEEDS.len()], *SEEDS);
}

#[test]
fn transactions_have_their_golden_bytes() {
    let mut database = Database::new();
    check(
        &database.log[0],
        include_str!("golden/genesis.hex"),
        "the genesis",
    );
    database.write(|tx| tx.create_table(&planes())).unwrap();
    check(
        &database.log[1],
        include_str!("golden/create_table.hex"),
        "create table",
    );
    database
        .write(|tx| tx.insert("planes", &[("tailnum", Value::from("N14228"))]))
        .unwrap();
    check(
        &database.log[2],
        include_str!("golden/insert.hex"),
        "insert",
    );
    database
        .write(|tx| tx.create_index("planes", "by_seats", &["seats", "id"], true))
        .unwrap();
    check(
        &database.log[3],
        include_str!("golden/create_index.hex"),
        "create index",
    );
    database
        .write(|tx| tx.drop_index("planes", "by_seats"))
        .unwrap();
    check(
        &database.log[4],
        include_str!("golden/drop_index.hex"),
        "drop index",
    );
    database
        .write(|tx| {
            tx.rename_table("planes", "aircraft")?;
            tx.rename_column("aircraft", "year", "built")?;
            tx.add_column(
                "aircraft",
                schema::NewColumn::new("engines", table::ColumnType::U8).default(2u8),
            )
        })
        .unwrap();
    check(
        &database.log[5],
        include_str!("golden/alter_table.hex"),
        "alter table",
    );
    let digest = database.state.digest().unwrap();
    check(&digest, include_str!("golden/digest.hex"), "the digest");
    database.write(|tx| tx.drop_table("aircraft")).unwrap();
    check(
        &database.log[6],
        include_str!("golden/drop_table.hex"),
        "drop table",
    );
}

#[test]
fn the_golden_log_still_makes_the_golden_state() {
    let unhex = |text: &str| -> Vec<u8> {
        let digits: Vec<char> = text
            .chars()
            .filter(|digit| !digit.is_whitespace())
            .collect();
        let byte =
            |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap();
        digits.chunks(2).map(byte).collect()
    };
    let log = [
        include_str!("golden/genesis.hex"),
        include_str!("golden/create_table.hex"),
        include_str!("golden/insert.hex"),
        include_str!("golden/create_index.hex"),
        include_str!("golden/drop_index.hex"),
        include_str!("golden/alter_table.hex"),
    ];
    let database = Database::open(log.into_iter().map(unhex).collect());
    database.verify();
    assert_eq!(
        database.state.digest().unwrap().to_vec(),
        unhex(include_str!("golden/digest.hex"))
    );
    let row = [
        Value::U32(1),
        Value::from("N14228"),
        Value::Null,
        Value::U16(100),
        Value::U8(2),
    ];
    assert_eq!(database.rows("aircraft"), [row]);
}

#[test]
fn ids_of_system_objects_stay_inside_of_the_reserved_range_at_both_ends() {
    let database = Database::new();
    for table in database.state.catalog().tables() {
        assert!(RESERVED.contains(&table.id().0));
        assert!(
            table
                .columns()
                .iter()
                .all(|column| RESERVED.contains(&column.id.0))
        );
        assert!(
            table
                .indexes()
                .iter()
                .all(|index| RESERVED.contains(&index.id.0))
        );
        assert!(
            table
                .constraints()
                .iter()
                .all(|constraint| RESERVED.contains(&constraint.id.0))
        );
    }
    let sequences = database.rows("st_sequence");
    let bounds = |name: &str| {
        let row = sequences
            .iter()
            .find(|row| row[3] == Value::from(name))
            .unwrap();
        [row[4].clone(), row[7].clone(), row[8].clone()]
    };
    assert_eq!(
        bounds("st_system_id"),
        [Value::I128(64), Value::I128(64), Value::I128(4095)]
    );
    let user = [
        Value::I128(4096),
        Value::I128(4096),
        Value::I128(u32::MAX.into()),
    ];
    for name in [
        "st_table_id",
        "st_column_id",
        "st_index_id",
        "st_constraint_id",
        "st_sequence_id",
    ] {
        assert_eq!(bounds(name), user, "{name}");
    }
}

#[test]
fn the_same_genesis_under_another_id_differs_in_the_id_alone() {
    let genesis = |id| {
        WriteTransaction::genesis(id)
            .unwrap()
            .finish()
            .unwrap()
            .unwrap()
    };
    let (one, other) = (genesis(ID), genesis([9; 16]));
    let differing: Vec<usize> = (0..one.len())
        .filter(|&byte| one[byte] != other[byte])
        .collect();
    assert_eq!(differing, (2093..2109).collect::<Vec<usize>>());
    assert_ne!(State::hash_key(ID), State::hash_key([9; 16]));
}

/// What builds wrote whose system tables had no columns for foreign keys.
#[test]
fn a_log_from_before_foreign_keys_is_read_and_upgraded_once() {
    let log = [
        include_str!("golden/before_foreign_keys/genesis.hex"),
        include_str!("golden/before_foreign_keys/create_table.hex"),
        include_str!("golden/before_foreign_keys/insert.hex"),
    ];
    let mut database = Database::open(log.map(bytes).to_vec());
    database.verify();
    // All that was possible is, and what is new says why it is not.
    database
        .write(|tx| tx.add_unique("planes", &["year", "seats"]))
        .unwrap();
    let child = NewTable::new("flights").column("plane", ColumnType::U32);
    database.write(|tx| tx.create_table(&child)).unwrap();
    let add =
        |tx: &mut WriteTransaction| tx.add_foreign_key("flights", &["plane"], "planes", &["id"]);
    let error = database.write(add).unwrap_err();
    let expected = Error::NotUpgraded {
        table: "st_constraint".into(),
        column: "target_table_id",
    };
    assert_eq!(error, expected);
    let rows = database.rows("st_constraint");

    let upgrade = database.write(|tx| tx.upgrade()).unwrap();
    assert_eq!(
        upgrade.to_string(),
        "st_constraint.target_table_id, st_constraint.target_index_id"
    );
    database.verify();
    let definition = database.state.definition("st_constraint").unwrap();
    let columns = definition.columns().iter().skip(5);
    let columns: Vec<(u32, &str)> = columns
        .map(|column| (column.id.0, column.name.as_str()))
        .collect();
    assert_eq!(columns, [(64, "target_table_id"), (65, "target_index_id")]);
    for (row, before) in database.rows("st_constraint").iter().zip(&rows) {
        assert_eq!(row[..5], before[..]);
        assert_eq!(row[5..], [Value::Null, Value::Null]);
    }
    let transactions = database.log.len();
    assert!(database.write(|tx| tx.upgrade()).unwrap().is_empty());
    assert_eq!(database.log.len(), transactions);
    database.write(add).unwrap();
    assert_eq!(database.state.marks().minimum_writer, 2);
    database.verify();
}
