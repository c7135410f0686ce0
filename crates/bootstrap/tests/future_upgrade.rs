//! A database that this build began and a future build has upgraded, by every kind of addition that asks nothing of this build: it
//! writes on, changes definitions, snapshots and prunes, and loses none of what it does not know.
#![allow(clippy::unwrap_used)]

#[path = "fixture/fixture.rs"]
mod fixture;
#[path = "../../schema/tests/support/raw.rs"]
mod raw;

use std::collections::BTreeMap;

use bootstrap::{Database, Options, ReadOnlyDatabase, ReadOptions, SnapshotLoading};
use commitlog::Log;
use disk::{Choice, Crash, SimDisk};
use fixture::*;
use raw::{Raw, RawTable};
use schema::{NewColumn, NewSequence, NewTable};
use table::{ColumnType, LayoutColumn, LayoutNumber, Value, encode_value};

/// The columns that the future build gives the system tables: one that may be null and one with a default each.
const TABLES: [(u32, &str); 6] = [
    (1, "st_table"),
    (2, "st_column"),
    (3, "st_index"),
    (4, "st_constraint"),
    (5, "st_sequence"),
    (6, "st_database"),
];

/// The first id that a genesis leaves for later system objects.
const FIRST_ID: u32 = 64;
const COMMENT_TABLE: u32 = 100;
const REMARK: usize = 0;

fn text(value: &str) -> Value {
    Value::from(value)
}

fn column_row(
    table: u32,
    id: u32,
    position: usize,
    name: &str,
    column_type: ColumnType,
    default: Option<Value>,
) -> Vec<Value> {
    vec![
        Value::U32(table),
        Value::U32(id),
        Value::U16(u16::try_from(position).unwrap()),
        text(name),
        Value::U8(column_type.code()),
        Value::Bool(default.is_none()),
        Value::from(default.map(|value| encode_value(value.as_ref()))),
    ]
}

/// What is added to each system table, and the type of a value of it.
fn additions(table: u32) -> [(ColumnType, Option<Value>); 2] {
    [
        (ColumnType::String, None),
        (ColumnType::U64, Some(Value::U64(u64::from(table) * 11))),
    ]
}

/// A table with the columns of the future behind those that it has.
fn grown(before: &RawTable) -> RawTable {
    let mut columns = before.layout.columns().to_vec();
    columns.extend(
        additions(before.id.0)
            .into_iter()
            .map(|(column_type, default)| LayoutColumn {
                column_type,
                nullable: default.is_none(),
                default,
            }),
    );
    let number = LayoutNumber(before.layout.number().0 + 1);
    RawTable {
        layout: table::Layout::new(number, columns).unwrap(),
        ..before.clone()
    }
}

/// `st_comment`: a key, a column of each type that may be null, and one with a default.
fn comment() -> RawTable {
    let mut columns = vec![
        (ColumnType::U32, false, None),
        (ColumnType::String, false, None),
    ];
    columns.extend(ColumnType::ALL.map(|column_type| (column_type, true, None)));
    columns.push((ColumnType::I16, false, Some(Value::I16(-5))));
    RawTable::new(COMMENT_TABLE, 1, &columns, &[0])
}

fn comment_row(object: u32, remark: &str) -> Vec<Value> {
    let mut row = vec![Value::U32(object), text(remark)];
    row.extend(ColumnType::ALL.map(|_| Value::Null));
    row[2] = Value::Bool(true);
    row.push(Value::I16(7));
    row
}

/// The transaction of the upgrade. Every row that is there gets a remark of its own.
fn upgrade(state: &schema::State) -> Vec<u8> {
    let now: Vec<RawTable> = TABLES
        .iter()
        .map(|(_, name)| RawTable::of(state, name))
        .collect();
    let then: Vec<RawTable> = now.iter().map(grown).collect();
    let mut ids = FIRST_ID..;
    let mut rows = Vec::new();
    for table in &now {
        for (place, (column_type, default)) in additions(table.id.0).into_iter().enumerate() {
            let (id, name) = (ids.next().unwrap(), ["remark", "weight"][place]);
            let position = table.layout.column_count() + place;
            rows.push(column_row(
                table.id.0,
                id,
                position,
                name,
                column_type,
                default,
            ));
        }
    }
    let with = |row: &[Value]| [row, &[text("by the future"), Value::U64(9)]].concat();
    let comment = comment();
    let columns = (0..)
        .zip(comment.layout.columns())
        .map(|(position, column)| {
            let default = column.default.clone();
            let mut row = column_row(
                COMMENT_TABLE,
                200 + u32::try_from(position).unwrap(),
                position,
                &format!("c{position}"),
                column.column_type,
                default,
            );
            row[5] = Value::Bool(column.nullable);
            with(&row)
        });
    let index = |table: u32, id: u32, name: &str, unique: bool, columns: &[u32]| {
        let ids = columns.iter().flat_map(|id| id.to_le_bytes()).collect();
        with(&[
            Value::U32(table),
            Value::U32(id),
            text(name),
            Value::U8(1),
            Value::Bool(unique),
            Value::Bytes(ids),
        ])
    };
    let mut payload = Raw::new()
        .insert(&now[1], &rows)
        .insert(
            &then[0],
            &[with(&[Value::U32(COMMENT_TABLE), text("st_comment")])],
        )
        .insert(&then[1], &columns.collect::<Vec<_>>())
        .insert(
            &then[2],
            &[
                index(COMMENT_TABLE, 300, "primary_key", true, &[200]),
                index(COMMENT_TABLE, 301, "by_words", false, &[201, 200]),
                // Over what this build knows, by what it does not.
                index(1, 302, "by_weight", false, &[FIRST_ID + 1]),
            ],
        )
        .insert(
            &then[3],
            &[with(&[
                Value::U32(COMMENT_TABLE),
                Value::U32(400),
                text("primary_key"),
                Value::U8(1),
                Value::U32(300),
                Value::Null,
                Value::Null,
            ])],
        )
        .update(&then[4], &[Value::U32(1)], &[(4, Value::I128(500))])
        .insert(
            &comment,
            &[comment_row(1, "the tables"), comment_row(4096, "the notes")],
        );
    for table in &then {
        let old = state.store().table(table.id).unwrap();
        let keys: Vec<Vec<Value>> = old
            .scan()
            .map(|row| key_of(table, &row.unwrap().values().unwrap()))
            .collect();
        let remark = table.layout.column_count() - 2 + REMARK;
        for key in keys {
            let words = format!("{} {key:?}", table.id.0);
            payload = payload.update(table, &key, &[(remark, text(&words))]);
        }
    }
    payload.finish()
}

fn key_of(table: &RawTable, row: &[Value]) -> Vec<Value> {
    let columns = table.key.iter();
    columns
        .map(|column| row[usize::from(*column)].clone())
        .collect()
}

/// What the future build wrote: the last two cells of each row of the system tables that both know, and the comments.
type Foreign = BTreeMap<(u32, Vec<Value>), Vec<Value>>;

fn foreign(state: &schema::State) -> Foreign {
    let mut found = Foreign::new();
    for (_, name) in TABLES {
        let table = RawTable::of(state, name);
        for row in state.store().table(table.id).unwrap().scan() {
            let row = row.unwrap().values().unwrap();
            let cells = row[row.len() - 2..].to_vec();
            found.insert((table.id.0, key_of(&table, &row)), cells);
        }
    }
    let comments = comment();
    for row in state.store().table(comments.id).unwrap().scan() {
        let row = row.unwrap().values().unwrap();
        found.insert((COMMENT_TABLE, key_of(&comments, &row)), row);
    }
    found
}

/// Appends a transaction of the future build to a log that is closed.
fn append(disk: &SimDisk, payload: &[u8]) {
    let dir = disk.root().open_dir("log").unwrap();
    let (log, _) = Log::open(dir, commitlog::Options::default(), &[]).unwrap();
    log.commit(payload, None).unwrap();
    log.close().unwrap();
}

fn reopen(disk: &SimDisk, mode: SnapshotLoading) -> Database {
    let options = Options {
        loading: mode,
        ..small_segments()
    };
    let (database, report) = Database::open(disk.root(), options, nothing).unwrap();
    assert!(report.upgrade.is_none(), "{:?}", report.upgrade);
    database
}

#[test]
fn what_a_future_build_added_survives_all_that_this_build_does() {
    let disk = SimDisk::new(1);
    let (database, _) = open_with(&disk, small_segments()).unwrap();
    put_all(&database, 1..=20);
    database.write(|tx| tx.create_table(&scores())).unwrap();
    database.snapshot().unwrap();
    let payload = upgrade(database.view().state());
    database.close().unwrap();
    append(&disk, &payload);

    let database = reopen(&disk, SnapshotLoading::default());
    let mut before = foreign(database.view().state());
    assert_eq!(before.len(), 2 + rows_of_system_tables(&database));
    let dropped = dropped_column(&database);
    assert!(before.remove(&dropped).is_some());
    database
        .write(|tx| {
            tx.rename_table("notes", "texts")?;
            tx.rename_column("texts", "text", "words")?;
            tx.add_column(
                "texts",
                NewColumn::new("stars", ColumnType::U8).default(3_u8),
            )?;
            tx.create_index("texts", "by_stars", &["stars"], false)?;
            tx.widen_column("texts", "stars", ColumnType::U32)?;
            tx.rename_table("texts", "notes")?;
            tx.drop_column("scores", "dropped")?;
            tx.widen_column("scores", "points", ColumnType::I64)?;
            tx.drop_not_null("scores", "name")?;
            tx.set_not_null("scores", "round")?;
            tx.set_default("scores", "round", Some(Value::U8(1)))?;
            tx.rename_column("notes", "words", "text")
        })
        .unwrap();
    database.snapshot().unwrap();
    let tags = NewTable::new("tags")
        .column("id", ColumnType::U64)
        .column("note", ColumnType::U64)
        .primary_key(&["id"]);
    database
        .write(|tx| {
            tx.create_table(&tags)?;
            tx.add_unique("tags", &["id", "note"])?;
            tx.create_sequence("tags", "id", NewSequence::new().step(2))?;
            tx.add_foreign_key("tags", &["note"], "notes", &["id"])
        })
        .unwrap();
    let tags = database.view().state().table("tags").unwrap().id().0;
    put_all(&database, 21..=60);
    database.snapshot().unwrap();
    put_all(&database, 61..=70);
    assert!(database.prune().unwrap().segments_removed > 0);
    drop(database);
    disk.crash(Crash::Power(Choice::Old));

    for mode in [
        SnapshotLoading::Checked,
        SnapshotLoading::Mapped,
        SnapshotLoading::Copied,
    ] {
        let database = reopen(&disk.fork(), mode);
        check(&foreign(database.view().state()), &before, &[]);
    }
    let read_only = ReadOnlyDatabase::open(disk.root(), &ReadOptions::default())
        .unwrap()
        .0;
    check(&foreign(read_only.view().state()), &before, &[]);
    drop(read_only);

    // The future build comments on the new table; this build drops it, and the comment is void: kept, and about nothing, since no
    // other table gets the id.
    let database = reopen(&disk, SnapshotLoading::default());
    let mut known = foreign(database.view().state());
    database.close().unwrap();
    append(
        &disk,
        &Raw::with_marks(3, 2)
            .insert(&comment(), &[comment_row(tags, "the tags")])
            .finish(),
    );
    known.insert(
        (COMMENT_TABLE, vec![Value::U32(tags)]),
        comment_row(tags, "the tags"),
    );
    let database = reopen(&disk, SnapshotLoading::default());
    assert_eq!(foreign(database.view().state()), known);
    database.write(|tx| tx.drop_table("tags")).unwrap();
    let other = NewTable::new("tags").column("id", ColumnType::U64);
    let (other, _) = database.write(|tx| tx.create_table(&other)).unwrap();
    assert!(other.0 > tags);
    database.snapshot().unwrap();
    database.close().unwrap();
    let database = reopen(&disk, SnapshotLoading::default());
    check(&foreign(database.view().state()), &before, &[tags]);
    database.close().unwrap();

    // Its next upgrade removes what is void.
    let delete = Raw::with_marks(3, 2).delete(&comment(), &[vec![Value::U32(tags)]]);
    append(&disk, &delete.finish());
    let database = reopen(&disk, SnapshotLoading::default());
    check(&foreign(database.view().state()), &before, &[]);
    assert_eq!(
        database.view().state().table("notes").unwrap().row_count(),
        70
    );
}

/// A table that is changed in every way that rows of the catalog can be.
fn scores() -> NewTable {
    NewTable::new("scores")
        .column("name", ColumnType::String)
        .column("dropped", ColumnType::Uuid)
        .column("points", ColumnType::I16)
        .nullable("round", ColumnType::U8)
}

fn dropped_column(database: &Database) -> (u32, Vec<Value>) {
    let view = database.view();
    let definition = view.state().definition("scores").unwrap();
    let column = definition.column("dropped").unwrap().id.0;
    (2, vec![Value::U32(definition.id().0), Value::U32(column)])
}

fn rows_of_system_tables(database: &Database) -> usize {
    let count = |(_, name): &(u32, &str)| database.view().state().table(name).unwrap().row_count();
    usize::try_from(TABLES.iter().map(count).sum::<u64>()).unwrap()
}

/// What was there is as it was; rows that this build has made since have the defaults; and of `void` tables there are comments.
#[track_caller]
fn check(found: &Foreign, before: &Foreign, void: &[u32]) {
    for (row, cells) in before {
        assert_eq!(found.get(row), Some(cells), "{row:?}");
    }
    let since = found.iter().filter(|(row, _)| !before.contains_key(row));
    let mut comments = Vec::new();
    for ((table, key), cells) in since {
        if *table == COMMENT_TABLE {
            comments.push(key[0].clone());
        } else {
            let defaults = [Value::Null, Value::U64(u64::from(*table) * 11)];
            assert_eq!(*cells, defaults, "{table} {key:?}");
        }
    }
    let void: Vec<Value> = void.iter().map(|table| Value::U32(*table)).collect();
    assert_eq!(comments, void);
}
