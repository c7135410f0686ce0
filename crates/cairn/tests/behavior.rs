//! What the facade promises: names, types, good errors, everything back after a reopen.
#![allow(clippy::unwrap_used)]

use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use cairn::{
    ColumnType, Database, Declaration, Error, NewTable, OpenError, Options, ReadOnlyDatabase,
    ReadOptions, Record, Row, TableView, TxId, Value, WriteError,
};
use disk::SimDisk;

fn planes() -> NewTable {
    NewTable::new("planes")
        .column("tailnum", ColumnType::String)
        .nullable("year", ColumnType::I32)
        .primary_key(&["tailnum"])
        .index("by_year", &["year"])
}

fn open(disk: &SimDisk) -> Database {
    let options = Options {
        background: false,
        ..Options::default()
    };
    Database::open_on(disk.root(), options, |tx| tx.create_table(&planes())).unwrap()
}

fn add(db: &Database, tailnum: &str, year: Option<i32>) {
    db.write(|tx| {
        tx.insert(
            "planes",
            &[("tailnum", tailnum.into()), ("year", year.into())],
        )
    })
    .unwrap();
}

#[derive(Debug, PartialEq)]
struct Plane {
    tailnum: String,
    year: Option<i32>,
}

impl Record for Plane {
    const TABLE: &'static str = "planes";

    fn cells(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("tailnum", self.tailnum.as_str().into()),
            ("year", self.year.into()),
        ]
    }

    fn from_row(row: &Row<'_>) -> Result<Self, Error> {
        Ok(Plane {
            tailnum: row.get("tailnum")?,
            year: row.get("year")?,
        })
    }
}

#[test]
fn a_database_comes_back_as_it_was_acknowledged() {
    let disk = SimDisk::new(1);
    let db = open(&disk);
    add(&db, "N1", Some(1999));
    add(&db, "N2", None);
    let digest = db.view().digest().unwrap();
    drop(db);
    let db = open(&disk);
    assert_eq!(db.view().digest().unwrap(), digest);
    assert_eq!(db.view().table("planes").unwrap().row_count(), 2);
    db.close().unwrap();
    let old = ReadOptions {
        at: Some(TxId(1)),
        ..ReadOptions::default()
    };
    let old = ReadOnlyDatabase::open_on(disk.root(), &old).unwrap();
    assert_eq!(old.view().table("planes").unwrap().row_count(), 1);
}

#[test]
fn a_transaction_sees_its_own_writes_and_savepoints_and_others_do_not() {
    let disk = SimDisk::new(1);
    let db = open(&disk);
    let view = db.view();
    db.write(|tx| {
        tx.insert(
            "planes",
            &[("tailnum", "N1".into()), ("year", 2001_i32.into())],
        )?;
        let saved = tx.savepoint();
        tx.update("planes", &["N1".into()], &[("year", 2002_i32.into())])?;
        let by_year = tx
            .table("planes")?
            .find("by_year", &[2002_i32.into()])?
            .count();
        assert_eq!(by_year, 1);
        tx.roll_back_to(&saved);
        let row = tx.table("planes")?.get(&["N1".into()])?.unwrap();
        assert_eq!(row.get::<i32>("year")?, 2001);
        Ok::<(), Error>(())
    })
    .unwrap();
    assert_eq!(view.table("planes").unwrap().row_count(), 0);
    assert_eq!(db.view().table("planes").unwrap().row_count(), 1);
}

#[test]
fn a_savepoint_that_outlives_its_transaction_does_nothing_twice() {
    let disk = SimDisk::new(1);
    let db = open(&disk);
    let mut kept = None;
    db.write(|tx| {
        tx.create_table(&NewTable::new("notes").column("text", ColumnType::String))?;
        tx.insert("notes", &[("text", "once".into())])?;
        kept = Some(tx.savepoint());
        Ok::<(), Error>(())
    })
    .unwrap();
    let late = catch_unwind(AssertUnwindSafe(|| {
        db.write(|tx| {
            tx.roll_back_to(kept.as_ref().unwrap());
            Ok::<(), Error>(())
        })
    }));
    assert!(late.is_err());
    assert_eq!(db.view().table("notes").unwrap().row_count(), 1);
    db.write(|tx| tx.insert("notes", &[("text", "twice".into())]))
        .unwrap();
    assert_eq!(db.view().table("notes").unwrap().row_count(), 2);
}

#[test]
fn records_go_in_and_come_out() {
    let disk = SimDisk::new(1);
    let db = open(&disk);
    let plane = Plane {
        tailnum: "N7".into(),
        year: None,
    };
    db.write(|tx| tx.insert_record(&plane)).unwrap();
    let found: Vec<Plane> = db
        .view()
        .table("planes")
        .unwrap()
        .records()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(found, [plane]);
}

#[test]
fn errors_say_what_was_meant() {
    let disk = SimDisk::new(1);
    let db = open(&disk);
    add(&db, "N1", Some(1999));
    let view = db.view();
    let planes = view.table("planes").unwrap();
    let row = planes.get(&["N1".into()]).unwrap().unwrap();
    let check = |error: Error, expected: &str| assert_eq!(error.to_string(), expected);
    check(
        view.table("plaens").unwrap_err(),
        r#"there is no table "plaens"; did you mean "planes"?"#,
    );
    check(
        row.get::<i32>("yaer").unwrap_err(),
        r#"table "planes" has no column "yaer"; did you mean "year"?"#,
    );
    check(
        row.get::<i64>("year").unwrap_err(),
        r#"column "year" of table "planes" holds i32, it was asked for as i64"#,
    );
    check(
        planes.find("by_yer", &[]).unwrap_err(),
        r#"table "planes" has no index "by_yer"; did you mean "by_year"?"#,
    );
    check(
        planes.find("by_year", &["1999".into()]).unwrap_err(),
        r#"column "year" of table "planes" is i32, the value is string"#,
    );
    check(
        planes.get(&[]).unwrap_err(),
        r#"index "primary_key" of table "planes" has 1 columns, the key has 0 values"#,
    );
}

#[test]
fn a_refused_transaction_leaves_nothing() {
    let disk = SimDisk::new(1);
    let db = open(&disk);
    add(&db, "N1", None);
    let before = db.view().digest().unwrap();
    let refused = db.write(|tx| {
        tx.insert("planes", &[("tailnum", "N2".into())])?;
        tx.insert("planes", &[("tailnum", "N1".into())])
    });
    assert!(
        matches!(refused, Err(WriteError::RolledBack(Error::Schema(_)))),
        "{refused:?}"
    );
    assert_eq!(db.view().digest().unwrap(), before);
    assert_eq!(db.view().tx(), TxId(1));
}

#[test]
fn a_failing_initialiser_leaves_no_database() {
    let disk = SimDisk::new(1);
    let failed = Database::open_on(disk.root(), Options::default(), |_| Err("no"));
    assert!(matches!(failed, Err(OpenError::Initialiser("no"))));
    assert!(ReadOnlyDatabase::open_on(disk.root(), &ReadOptions::default()).is_err());
    open(&disk).close().unwrap();
}

#[test]
fn threads_share_a_database() {
    let disk = SimDisk::new(1);
    let db = Arc::new(open(&disk));
    let writers: Vec<_> = (0..4)
        .map(|thread| {
            let db = Arc::clone(&db);
            std::thread::spawn(move || {
                (0..25).for_each(|n| add(&db, &format!("N{thread}-{n}"), Some(n)))
            })
        })
        .collect();
    writers
        .into_iter()
        .for_each(|writer| writer.join().unwrap());
    assert_eq!(db.view().table("planes").unwrap().row_count(), 100);
    assert_eq!(db.view().tx(), TxId(100));
}

#[test]
fn hash_indexes_find_whole_keys_live_and_from_log_and_snapshot() {
    let disk = SimDisk::new(5);
    let db = open(&disk);
    let parts = NewTable::new("parts")
        .column("number", ColumnType::U64)
        .column("plane", ColumnType::String)
        .hash_primary_key(&["number"])
        .hash_index("by_plane", &["plane"]);
    db.write(|tx| {
        tx.create_table(&parts)?;
        for number in 0..5_000_u64 {
            let plane = format!("N{}", number % 100);
            tx.insert(
                "parts",
                &[("number", number.into()), ("plane", plane.into())],
            )?;
        }
        tx.create_unique_hash_index("planes", "by_tailnum_and_year", &["tailnum", "year"])
    })
    .unwrap();
    add(&db, "N14228", Some(1999));
    let check = |db: &Database| {
        let view = db.view();
        let parts = view.table("parts").unwrap();
        for number in [0_u64, 77, 4_999] {
            let part = parts.get(&[number.into()]).unwrap().unwrap();
            assert_eq!(
                part.get::<String>("plane").unwrap(),
                format!("N{}", number % 100)
            );
        }
        assert!(parts.get(&[5_000_u64.into()]).unwrap().is_none());
        assert_eq!(
            parts.find_all("by_plane", &["N7".into()]).unwrap().count(),
            50
        );
        assert_eq!(
            parts
                .find_all("by_plane", &["N100".into()])
                .unwrap()
                .count(),
            0
        );
        let numbers = parts
            .in_order()
            .unwrap()
            .map(|row| row.unwrap().get::<u64>("number").unwrap());
        assert!(numbers.eq(0..5_000));
        let planes = view.table("planes").unwrap();
        let key = ["N14228".into(), Value::I32(1999)];
        assert_eq!(
            planes
                .find_all("by_tailnum_and_year", &key)
                .unwrap()
                .count(),
            1
        );
    };
    check(&db);
    let view = db.view();
    let table = view.table("parts").unwrap();
    assert_eq!(
        table
            .find("by_plane", &["N7".into()])
            .map(drop)
            .unwrap_err()
            .to_string(),
        r#"index "by_plane" of table "parts" is a hash index, which knows whole keys only; make it an ordered one to ask for this"#
    );
    let digest = view.digest().unwrap();
    db.close().unwrap();
    let db = open(&disk);
    check(&db);
    db.snapshot().unwrap();
    db.close().unwrap();
    let db = open(&disk);
    check(&db);
    assert_eq!(db.view().digest().unwrap(), digest);
    db.write(|tx| tx.delete("parts", &[77_u64.into()])).unwrap();
    let view = db.view();
    assert!(
        view.table("parts")
            .unwrap()
            .get(&[77_u64.into()])
            .unwrap()
            .is_none()
    );
}

/// As many bytes of a key mean another value of another type: these keys found row 5 and the empty string.
#[test]
fn a_key_of_another_type_finds_and_changes_no_row() {
    let disk = SimDisk::new(1);
    let options = Options {
        background: false,
        ..Options::default()
    };
    let db = Database::open_on(disk.root(), options, |tx| {
        for (name, key) in [("numbers", ColumnType::I64), ("texts", ColumnType::String)] {
            let table = NewTable::new(name)
                .column("key", key)
                .column("value", ColumnType::I64);
            let table = match key {
                ColumnType::I64 => table.primary_key(&["key"]),
                _ => table.hash_primary_key(&["key"]),
            };
            tx.create_table(&table)?;
        }
        tx.insert("numbers", &[("key", 5_i64.into()), ("value", 1_i64.into())])?;
        tx.insert("texts", &[("key", "".into()), ("value", 1_i64.into())])?;
        Ok::<(), Error>(())
    })
    .unwrap();
    let digest = db.view().digest().unwrap();
    for (table, key, refusal) in [
        (
            "numbers",
            [Value::U64((1 << 63) + 5)],
            "column \"key\" of table \"numbers\" is i64, the value is u64",
        ),
        (
            "texts",
            [Value::U16(1)],
            "column \"key\" of table \"texts\" is string, the value is u16",
        ),
    ] {
        let told = |error: Error| assert_eq!(error.to_string(), refusal);
        let asked = |view: TableView<'_>| {
            told(view.get(&key).unwrap_err());
            told(view.find_all("primary_key", &key).unwrap_err());
            told(view.find("primary_key", &key).unwrap_err());
            for bound in [Bound::Included(&key[..]), Bound::Excluded(&key[..])] {
                let range = view.range("primary_key", bound, Bound::Unbounded);
                told(range.unwrap_err());
                let range = view.range("primary_key", Bound::Unbounded, bound);
                told(range.unwrap_err());
            }
        };
        asked(db.view().table(table).unwrap());
        let written = db.write(|tx| {
            tx.update(
                table,
                &[if table == "texts" {
                    "".into()
                } else {
                    5_i64.into()
                }],
                &[("value", 1_i64.into())],
            )?;
            asked(tx.table(table)?);
            told(tx.delete(table, &key).unwrap_err());
            told(
                tx.update(table, &key, &[("value", 7_i64.into())])
                    .unwrap_err(),
            );
            Ok::<(), Error>(())
        });
        written.unwrap();
    }
    assert_eq!(db.view().digest().unwrap(), digest);
}

#[test]
fn a_program_declares_its_tables_and_gets_them_or_is_told_why_not() {
    let directory = tempfile::tempdir().unwrap();
    let open = |wanted: &Declaration| {
        Database::open_declared(directory.path(), Options::default(), wanted)
    };
    let planes = |more: fn(NewTable) -> NewTable| {
        let table = NewTable::new("planes").column("tailnum", ColumnType::String);
        Declaration::new().table(more(table).primary_key(&["tailnum"]))
    };
    let mistaken = planes(|table| table.column("tailnum", ColumnType::I8));
    assert!(matches!(
        open(&mistaken),
        Err(OpenError::Initialiser(Error::Schema(_)))
    ));
    assert!(ReadOnlyDatabase::open(directory.path()).is_err());

    let first = planes(|table| table.column("seats", ColumnType::U8));
    let (database, migration) = open(&first).unwrap();
    assert_eq!(migration.to_string(), "create table planes of 2 columns");
    assert_eq!(database.view().tx(), TxId(0));
    database
        .write(|tx| tx.insert_row("planes", vec!["N1".into(), Value::U8(200)]))
        .unwrap();
    drop(database);

    let next = planes(|table| {
        table
            .column("seats", ColumnType::U16)
            .nullable("year", ColumnType::I32)
    });
    let before = ReadOnlyDatabase::open(directory.path()).unwrap();
    let plan = before.view().plan_migration(&next).unwrap();
    assert_eq!(
        plan.to_string(),
        "widen column seats of planes from u8 to u16\nadd column year i32 to planes, null in rows that are there"
    );
    let (database, migration) = open(&next).unwrap();
    assert_eq!(migration, plan);
    let row = database
        .view()
        .table("planes")
        .unwrap()
        .get(&["N1".into()])
        .unwrap()
        .unwrap()
        .values()
        .unwrap();
    assert_eq!(row, ["N1".into(), Value::U16(200), Value::Null]);
    let tx = database.view().tx();
    drop(database);

    let (database, migration) = open(&next).unwrap();
    assert!(migration.is_empty());
    assert_eq!(database.view().tx(), tx);
    drop(database);
    let Err(OpenError::Initialiser(error)) = open(&first) else {
        panic!("a column was to be lost");
    };
    assert_eq!(
        error.to_string(),
        "the tables can not be made as declared: column \"year\" of table \"planes\" is not declared: declare it, rename it, or ask for it to be \
         dropped with its values; column \"seats\" of table \"planes\" is u16, which does not widen to the declared u8"
    );
}
