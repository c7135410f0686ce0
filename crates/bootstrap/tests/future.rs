//! A database that a future build made, through files: this build opens it, writes to it, snapshots and prunes it, and the
//! future build's own reader finds everything again.
#![allow(clippy::unwrap_used)]

#[path = "fixture/fixture.rs"]
mod fixture;
#[path = "../../schema/tests/support/future.rs"]
mod future;
#[path = "../../schema/tests/support/raw.rs"]
mod raw;

use std::collections::BTreeMap;

use bootstrap::{Database, Error, Options, ReadOnlyDatabase, ReadOptions, TxId};
use commitlog::{Log, LogId, ReadOnlyLog};
use disk::{Choice, Crash, SimDisk};
use fixture::*;
use future::Future;
use raw::{Raw, RawTable, seeds};
use schema::{Error as SchemaError, NewColumn};
use table::{ColumnType, Operation, TableId, Transaction, UpdateRow, Value, ValueRef};

/// The id that the future build's genesis gives the first table of a user.
const NOTES: u32 = 4096;

/// Rows by the values of their key.
type Rows = BTreeMap<Vec<Value>, Vec<Value>>;

/// What the future build knows of a log: layouts that it was built with, and rows folded over the records by a reader that shares
/// nothing with a state but the encoding of rows.
#[derive(Default)]
struct FutureReader(BTreeMap<u32, Rows>);

impl FutureReader {
    /// Every layout that occurs in the log, oldest first.
    fn layouts() -> Vec<RawTable> {
        let future = Future::new();
        let notes = |number, columns: &[(ColumnType, bool, Option<Value>)]| {
            RawTable::new(NOTES, number, columns, &[0])
        };
        let (id, text) = (
            (ColumnType::U64, false, None),
            (ColumnType::String, false, None),
        );
        let stars = (ColumnType::U8, false, Some(Value::U8(3)));
        let [seed_table, seed_column] = seeds();
        vec![
            seed_table,
            future.table,
            seed_column,
            future.column,
            future.index,
            future.constraint,
            future.sequence,
            future.database,
            future.comment,
            notes(1, &[id.clone(), text.clone()]),
            notes(2, &[id, text, stars]),
        ]
    }

    /// Reads a log from its first record to its last.
    fn read(disk: &SimDisk) -> FutureReader {
        let dir = disk.root().open_dir("log").unwrap();
        let log = ReadOnlyLog::open(dir, commitlog::ReadOnlyOptions::default(), &[]).unwrap();
        let mut records = log.reader(TxId(0)).unwrap();
        let mut reader = FutureReader::default();
        while let Some(record) = records.next_record().unwrap() {
            reader.apply(record.payload);
        }
        reader
    }

    fn apply(&mut self, payload: &[u8]) {
        let layouts = FutureReader::layouts();
        for group in Transaction::parse(payload).unwrap().groups() {
            let table = layouts
                .iter()
                .find(|table| (table.id, table.layout.number()) == (group.table, group.layout))
                .unwrap_or_else(|| {
                    panic!("{:?} {:?} is known to nobody", group.table, group.layout)
                });
            let rows = self.0.entry(group.table.0).or_default();
            // Rows from before the newest layout show its defaults.
            for row in rows.values_mut() {
                let later = table.layout.columns().iter().skip(row.len());
                row.extend(later.map(|column| column.default.clone().unwrap_or(Value::Null)));
            }
            let owned = |values: &[ValueRef<'_>]| -> Vec<Value> {
                values.iter().map(|value| value.to_value()).collect()
            };
            let (mut reader, mut values) = (group.reader(), Vec::new());
            match group.operation {
                Operation::Insert => {
                    while reader.row(&table.layout, &mut values).unwrap() {
                        let row = owned(&values);
                        assert!(rows.insert(key_of(table, &row), row).is_none());
                    }
                }
                Operation::DeleteByKey => {
                    while reader.key(&table.layout, &table.key, &mut values).unwrap() {
                        rows.remove(&owned(&values)).unwrap();
                    }
                }
                Operation::Update => {
                    let mut update = UpdateRow {
                        key: Vec::new(),
                        changes: Vec::new(),
                    };
                    while reader
                        .update(&table.layout, &table.key, &mut update)
                        .unwrap()
                    {
                        let mut row = rows.remove(&owned(&update.key)).unwrap();
                        for (position, value) in &update.changes {
                            row[*position] = value.to_value();
                        }
                        assert!(rows.insert(key_of(table, &row), row).is_none());
                    }
                }
                Operation::DeleteRow => panic!("every table here has a key"),
            }
        }
    }

    /// Every cell of every row of a database, found by the ids of the tables and not by what this build thinks of their columns.
    fn look_into(state: &schema::State) -> FutureReader {
        let mut reader = FutureReader::default();
        for table in FutureReader::layouts() {
            let Ok(rows) = state.store().table(TableId(table.id.0)) else {
                continue;
            };
            let rows = rows.scan().map(|row| row.unwrap().values().unwrap());
            let rows = rows.map(|row| (key_of(&table, &row), row)).collect();
            reader.0.insert(table.id.0, rows);
        }
        reader
    }
}

fn key_of(table: &RawTable, row: &[Value]) -> Vec<Value> {
    let columns = table.key.iter();
    columns
        .map(|position| row[usize::from(*position)].clone())
        .collect()
}

fn text(value: &str) -> Value {
    Value::from(value)
}

/// A directory in which a future build has made a database and closed it.
fn made_by_a_future_build(minimum_reader: u16, minimum_writer: u16) -> SimDisk {
    let disk = SimDisk::new(1);
    let dir = disk.root().create_dir("log").unwrap();
    disk.root().sync().unwrap();
    let genesis = Future::new().genesis(ID.0, minimum_writer);
    let options = commitlog::Options {
        minimum_reader,
        reader: minimum_reader,
        ..commitlog::Options::default()
    };
    let log = Log::create(dir, LogId(ID.0), options, &[(&genesis, None)]).unwrap();
    log.close().unwrap();
    disk
}

/// The future build writes on in a log that this build has closed.
fn written_by_the_future_build(disk: &SimDisk) {
    let future = Future::new();
    let payload = Raw::new()
        .update(
            &future.table,
            &[Value::U32(NOTES)],
            &[(2, text("mine")), (3, Value::U64(6))],
        )
        .insert(
            &future.comment,
            &[vec![
                Value::U32(NOTES),
                Value::I64(2),
                text("of the future"),
            ]],
        )
        .finish();
    let dir = disk.root().open_dir("log").unwrap();
    let (log, _) = Log::open(dir, commitlog::Options::default(), &[]).unwrap();
    log.commit(&payload, None).unwrap();
    log.close().unwrap();
}

fn open_existing(disk: &SimDisk) -> Database {
    let options = Options {
        create: false,
        ..small_segments()
    };
    Database::open(disk.root(), options, nothing).unwrap().0
}

#[test]
fn nothing_of_a_future_build_is_lost_through_commits_snapshots_and_prunes() {
    let disk = made_by_a_future_build(1, 1);
    let genesis = FutureReader::read(&disk);
    let database = open_existing(&disk);
    database.write(initialise).unwrap();
    put_all(&database, 1..=40);
    database.close().unwrap();
    written_by_the_future_build(&disk);

    let database = open_existing(&disk);
    database
        .write(|tx| {
            tx.add_column(
                "notes",
                NewColumn::new("stars", ColumnType::U8).default(3_u8),
            )?;
            tx.create_index("notes", "by_text", &["text"], false)?;
            tx.update("notes", &[Value::U64(7)], &[("stars", Value::U8(5))])?;
            tx.delete("notes", &[Value::U64(8)])
        })
        .unwrap();
    database.snapshot().unwrap();
    put_all(&database, 41..=80);
    database.snapshot().unwrap();
    put_all(&database, 81..=90);
    let whole = FutureReader::read(&disk.fork());
    let pruned = database.prune().unwrap();
    assert!(pruned.segments_removed > 0, "{pruned:?}");
    put(&database, 91);
    let digest = database.digest().unwrap();
    drop(database);
    disk.crash(Crash::Power(Choice::Old));

    let database = open_existing(&disk);
    assert_eq!(database.digest().unwrap(), digest);
    let found = FutureReader::look_into(database.view().state());
    database.close().unwrap();
    let read_only = ReadOnlyDatabase::open(disk.root(), &ReadOptions::default())
        .unwrap()
        .0;
    assert_eq!(FutureReader::look_into(read_only.view().state()).0, found.0);

    // What the future build's reader had folded from the whole log is in what this build kept of it, cell by cell.
    let mut expected = whole.0;
    let last = vec![Value::U64(91), text(&text_of(91)), Value::U8(3)];
    expected
        .get_mut(&NOTES)
        .unwrap()
        .insert(vec![Value::U64(91)], last);
    assert_eq!(found.0, expected);

    // And that is what was written. The future build's own rows are as it wrote them, but for the numbers that this build drew.
    let next_value = 4;
    for (table, rows) in &genesis.0 {
        for (key, row) in rows {
            let (mut row, mut now) = (row.clone(), found.0[table][key].clone());
            if *table == 13 {
                (row[next_value], now[next_value]) = (Value::Null, Value::Null);
            }
            assert_eq!(now, row, "table {table}");
        }
    }
    let comment = |object: u32, line: i64, comment: Value| {
        (
            vec![Value::U32(object), Value::I64(line)],
            vec![Value::U32(object), Value::I64(line), comment],
        )
    };
    let comments = [
        comment(1, 0, text("the tables")),
        comment(NOTES, 0, text("aircraft")),
        comment(NOTES, 1, Value::Null),
        comment(NOTES, 2, text("of the future")),
    ];
    assert_eq!(found.0[&30], Rows::from(comments));
    let described = [
        Value::U32(NOTES),
        text("notes"),
        text("mine"),
        Value::U64(6),
    ];
    assert_eq!(found.0[&1][&vec![Value::U32(NOTES)]], described);
    let notes = &found.0[&NOTES];
    assert_eq!(notes.len(), 90);
    assert_eq!(notes[&vec![Value::U64(7)]][2], Value::U8(5));
    assert_eq!(notes[&vec![Value::U64(9)]][2], Value::U8(3));
}

#[test]
fn the_marks_of_a_future_build_are_kept_to_through_files() {
    // To be written by newer builds only: read, and not a byte is changed.
    let disk = made_by_a_future_build(1, 3);
    let before = files(&disk);
    let options = || Options {
        create: false,
        ..options()
    };
    let refused = Database::open(disk.root(), options(), nothing).map(drop);
    assert!(
        matches!(
            refused,
            Err(bootstrap::OpenError::Database(Error::Schema(
                SchemaError::NewerFormat { .. }
            )))
        ),
        "{refused:?}"
    );
    assert_eq!(files(&disk), before);
    let read_only = ReadOnlyDatabase::open(disk.root(), &ReadOptions::default())
        .unwrap()
        .0;
    let genesis = FutureReader::read(&disk);
    assert_eq!(
        FutureReader::look_into(read_only.view().state()).0,
        genesis.0
    );

    // To be read by newer builds only: refused, both ways.
    let disk = made_by_a_future_build(schema::READER_VERSION + 1, 3);
    let before = files(&disk);
    let refused = Database::open(disk.root(), options(), nothing).map(drop);
    assert!(refused.is_err());
    assert!(ReadOnlyDatabase::open(disk.root(), &ReadOptions::default()).is_err());
    assert_eq!(files(&disk), before);
}
