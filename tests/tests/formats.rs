//! Databases written by every past format still open, with and without snapshots, and hold what they held.
//!
//! The directories under `fixtures/` are never changed. To write those of a new format, give the list below a new name and run
//! `CAIRN_WRITE_FIXTURES=1 cargo test -p cairn-tests --test formats`, which writes what is missing and nothing else.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use bootstrap::SnapshotInfo;
use cairn::{
    Database, Error, Options, Origin, ReadOnlyDatabase, ReadOptions, SnapshotLoading, Value,
};
use cairn_tests::{
    content_of, digest, expected, fixed_options, fixture, fixtures, initialise, notes, pack, put,
};
use disk::{Dir, OsDir, SimDisk};

/// A fixture, whether it has a snapshot, the digest of its content.
const FIXTURES: [(&str, bool, &str); 34] = [
    ("v1-log-only", false, DIGEST),
    ("v1-with-snapshot", true, DIGEST),
    ("v2-log-only", false, DIGEST),
    ("v2-with-snapshot", true, DIGEST),
    ("v2-with-hash-index", true, DIGEST_HASHED),
    // The same format; the log has marks as soon as the name of a segment is durable.
    ("v2.1-log-only", false, DIGEST),
    ("v2.1-with-snapshot", true, DIGEST),
    ("v2.1-with-hash-index", true, DIGEST_HASHED),
    // A snapshot is one file.
    ("v2.2-log-only", false, DIGEST),
    ("v2.2-with-snapshot", true, DIGEST),
    ("v2.2-with-hash-index", true, DIGEST_HASHED),
    // A snapshot shares with the last but one, whose file lives on as a pack; nodes stand behind the blobs of their section.
    ("v2.3-log-only", false, DIGEST),
    ("v2.3-with-snapshot", true, DIGEST),
    ("v2.3-with-hash-index", true, DIGEST_HASHED),
    // The same; the heads of tables in a snapshot keep several lists of pages with room.
    ("v2.4-log-only", false, DIGEST),
    ("v2.4-with-snapshot", true, DIGEST),
    ("v2.4-with-hash-index", true, DIGEST_HASHED),
    // Long values in chains of pages of their own.
    ("v2.4-with-long-values", true, DIGEST_LONG),
    // `st_constraint` has two more columns.
    ("v2.5-log-only", false, DIGEST_5),
    ("v2.5-with-snapshot", true, DIGEST_5),
    ("v2.5-with-hash-index", true, DIGEST_5_HASHED),
    ("v2.5-with-long-values", true, DIGEST_5_LONG),
    // Long values in pieces that share pages, and heads that know where they are.
    ("v2.6-log-only", false, DIGEST_5),
    ("v2.6-with-snapshot", true, DIGEST_5),
    ("v2.6-with-hash-index", true, DIGEST_5_HASHED),
    ("v2.6-with-long-values", true, DIGEST_5_LONG),
    // Packs of version 3.
    ("v2.6-with-compressed-pages", true, DIGEST_5),
    // Columns came and went, and the heads of tables know which of their rows stand as they were before.
    ("v2.6-with-older-layouts", true, DIGEST_5_OLDER),
    // The tags of a hash index stand apart from its entries.
    ("v2.7-with-hash-index", true, DIGEST_5_HASHED),
    // The same format; new pages of rows have heap for as many rows like the first one, and leaves share entries at the right edge.
    ("v2.8-with-snapshot", true, DIGEST_5),
    ("v2.8-with-hash-index", true, DIGEST_5_HASHED),
    ("v2.8-with-long-values", true, DIGEST_5_LONG),
    ("v2.8-with-older-layouts", true, DIGEST_5_OLDER),
    // The same format; a change of a column that a unique index covers is logged as an update.
    ("v2.9-with-hash-index", true, DIGEST_5_HASHED),
];
/// How those are called with a hash index besides, which ask for reader 2.
const HASHED: &str = "-with-hash-index";
/// How those are called with a table of long values besides.
const LONG: &str = "-with-long-values";
/// How those are called whose snapshots are compressed. What that comes to is up to the version of LZ4's implementation.
const COMPRESSED: &str = "-with-compressed-pages";
/// How those are called with a table besides whose columns have changed, and not all of its rows since.
const OLDER: &str = "-with-older-layouts";
/// From this one on the system tables have columns for foreign keys.
const WITH_FOREIGN_KEYS: &str = "v2.5-";
const DIGEST_HASHED: &str = "8951bfcabd12d7631e62b6adaeb9accc890f4d8a76289856ed4873d512df637b";
const DIGEST_LONG: &str = "aacdca8d2c1f2c94227cd2ba4e4617c5ff6c775c08d5d2e616dbaeb6d580c4b5";
const DIGEST: &str = "fd6a20f6a14c1c56f9b8f0486b3daa25e0b655fab3f4b2f92d73baa05cc0b603";

/// Of those from version 2.5 on, whose system tables hold more.
const DIGEST_5: &str = "efc9cf74d6c3268477e30f59b32075df33f9f99011316569941a60f1bf52c74f";
const DIGEST_5_HASHED: &str = "e0e27fa8fb9efb3b3114ed2974d4be91add7c68edf26409b906626bbf887c920";
const DIGEST_5_LONG: &str = "f01f385a7bf0de909d8a62b9136036a523804926df3b5a99c5bae9b503fec613";
const DIGEST_5_OLDER: &str = "e473ece6c30ac664d058f78d7a15c02afac5eb2bf42da1a6b5202dfd2c350c6c";

fn options() -> Options {
    Options {
        segment_bytes_max: 16 * 1024,
        ..fixed_options()
    }
}

/// What every fixture holds: notes 1 to 20 without 7, whose text changed once, and a table that came later.
fn live(disk: &SimDisk, name: &str, snapshot: bool) {
    let mut options = options();
    options.snapshots.compress = name.ends_with(COMPRESSED);
    let database = Database::open_on(disk.root(), options, initialise).unwrap();
    if name.ends_with(HASHED) {
        database
            .write(|tx| tx.create_unique_hash_index("notes", "by_hash", &["id", "text"]))
            .unwrap();
    }
    if name.ends_with(LONG) {
        put_long(&database);
    }
    if name.ends_with(OLDER) {
        put_older(&database);
    }
    for id in 1..=20 {
        put(&database, id);
        if snapshot && [10, 15].contains(&id) {
            database.snapshot().unwrap();
        }
    }
    database
        .write(|tx| tx.delete("notes", &[Value::from(7u64)]))
        .unwrap();
    if snapshot {
        database.snapshot().unwrap();
    }
    if name.ends_with(LONG) {
        change_long(&database);
    }
    if name.ends_with(OLDER) {
        change_older(&database);
    }
    let table = cairn::NewTable::new("later")
        .nullable("flag", cairn::ColumnType::Bool)
        .column("number", cairn::ColumnType::F64);
    database
        .write(|tx| {
            tx.create_table(&table)?;
            tx.insert_row("later", vec![Value::Null, Value::F64(1.5)])?;
            tx.insert_row("later", vec![Value::Bool(true), Value::F64(-0.0)])?;
            tx.update("notes", &[Value::from(8u64)], &[("text", "changed".into())])?;
            Ok::<(), Error>(())
        })
        .unwrap();
    database.close().unwrap();
}

/// A text of so many bytes, nearly all of them zeros: see [`pack`].
fn long_text(id: u64, bytes: usize) -> Value {
    let mark = format!("text {id}");
    Value::from(mark.clone() + &"\0".repeat(bytes - 2 * mark.len()) + &mark)
}

/// Rows with long values: key, and the bytes of their two texts.
const LONG_ROWS: [(u64, usize, usize); 6] = [
    (1, 8_001, 100),
    (2, 40_000, 7_000),
    (3, 5_000, 5_001),
    (4, 100, 70_000),
    (5, 9_000, 33_000),
    (6, 7_999, 40),
];

fn put_long(database: &Database) {
    let table = cairn::NewTable::new("texts")
        .column("id", cairn::ColumnType::U64)
        .column("text", cairn::ColumnType::String)
        .nullable("more", cairn::ColumnType::String)
        .primary_key(&["id"]);
    database.write(|tx| tx.create_table(&table)).unwrap();
    for (id, text, more) in LONG_ROWS {
        let row = vec![Value::from(id), long_text(id, text), long_text(id, more)];
        database.write(|tx| tx.insert_row("texts", row)).unwrap();
    }
}

/// What comes after the snapshots: a text is cut, one grows, one goes.
fn change_long(database: &Database) {
    let change = |id: u64, column: &str, value: Value| {
        let key = [Value::from(id)];
        database
            .write(|tx| tx.update("texts", &key, &[(column, value)]))
            .unwrap();
    };
    change(1, "text", long_text(1, 500));
    change(6, "more", long_text(6, 12_000));
    change(2, "more", Value::Null);
    database
        .write(|tx| tx.delete("texts", &[Value::from(4u64)]))
        .unwrap();
}

/// Whether the table of long values holds what it was left with.
fn check_long(view: &cairn::View, name: &str) {
    let rows: [(u64, usize, Option<usize>); 5] = [
        (1, 500, Some(100)),
        (2, 40_000, None),
        (3, 5_000, Some(5_001)),
        (5, 9_000, Some(33_000)),
        (6, 7_999, Some(12_000)),
    ];
    let table = view.table("texts").unwrap();
    assert_eq!(table.row_count(), 5, "{name}");
    for (id, text, more) in rows {
        let row = table.get(&[Value::from(id)]).unwrap().unwrap();
        let more = more.map_or(Value::Null, |bytes| long_text(id, bytes));
        let values = row.values().unwrap();
        assert!(values[1..] == [long_text(id, text), more], "{name}: {id}");
    }
}

/// Rows of three layouts: (id, size, name), (id, name?, weight) and (id, name?, weight, note?).
fn put_older(database: &Database) {
    let table = cairn::NewTable::new("parts")
        .column("id", cairn::ColumnType::U64)
        .column("size", cairn::ColumnType::I32)
        .column("name", cairn::ColumnType::String)
        .primary_key(&["id"]);
    let weight = cairn::NewColumn::new("weight", cairn::ColumnType::I64).default(7i64);
    let note = cairn::NewColumn::new("note", cairn::ColumnType::String).nullable();
    let part = |id: u64| Value::from(format!("part number {id}"));
    database
        .write(|tx| {
            tx.create_table(&table)?;
            tx.create_index("parts", "by_name", &["name"])?;
            for id in 0..40_u64 {
                tx.insert_row("parts", vec![id.into(), Value::I32(-1), part(id)])?;
            }
            Ok::<(), Error>(())
        })
        .unwrap();
    database
        .write(|tx| {
            tx.add_column("parts", weight)?;
            tx.drop_column("parts", "size")?;
            tx.drop_not_null("parts", "name")?;
            for id in 40..45_u64 {
                tx.insert_row("parts", vec![id.into(), Value::Null, Value::I64(8)])?;
            }
            tx.add_column("parts", note)?;
            tx.set_default("parts", "weight", Some(Value::I64(9)))
        })
        .unwrap();
}

/// What comes after the snapshots: an old row changes, one goes, one comes.
fn change_older(database: &Database) {
    database
        .write(|tx| {
            tx.update("parts", &[39u64.into()], &[("note", "changed".into())])?;
            tx.delete("parts", &[38u64.into()])?;
            tx.insert("parts", &[("id", 100u64.into())])
        })
        .unwrap();
}

/// Whether the table holds what it was left with, and goes on to.
fn check_older(database: &Database, name: &str) {
    let expected = |id: u64| {
        let part = Value::from(format!("part number {id}"));
        let (part, weight, note) = match id {
            0..39 => (part, 7, Value::Null),
            39 => (part, 7, "changed".into()),
            40..45 => (Value::Null, 8, Value::Null),
            _ => (Value::Null, 9, Value::Null),
        };
        vec![id.into(), part, Value::I64(weight), note]
    };
    let ids = || (0..45).filter(|id| *id != 38).chain([100]);
    let check = || {
        let view = database.view();
        let table = view.table("parts").unwrap();
        let rows = table.scan().map(|row| row.unwrap().values().unwrap());
        let mut rows: Vec<Vec<Value>> = rows.collect();
        rows.sort();
        assert_eq!(rows, ids().map(expected).collect::<Vec<_>>(), "{name}");
        for id in ids() {
            let row = table.get(&[id.into()]).unwrap().unwrap();
            assert_eq!(row.values().unwrap(), expected(id), "{name}");
        }
        let key = [Value::from("part number 17")];
        assert_eq!(table.find_all("by_name", &key).unwrap().count(), 1);
    };
    check();
    // Written on until no row is of an older layout, and as it was before.
    for id in ids() {
        database
            .write(|tx| {
                tx.delete("parts", &[id.into()])?;
                tx.insert_row("parts", expected(id))
            })
            .unwrap();
    }
    check();
}

fn write_missing() {
    for (name, snapshot, _) in FIXTURES {
        let root = OsDir::create(fixtures()).unwrap();
        if root.open_dir(name).is_ok() {
            continue;
        }
        let disk = SimDisk::new(1);
        live(&disk, name, snapshot);
        for path in disk.files().into_iter().filter(|path| path != "lock") {
            let mut dir: std::sync::Arc<dyn Dir> = OsDir::create(fixtures().join(name)).unwrap();
            let mut file = path.as_str();
            if let Some((parent, rest)) = path.split_once('/') {
                dir = OsDir::create(fixtures().join(name).join(parent)).unwrap();
                file = rest;
            }
            let text = pack(&disk.read(&path).unwrap());
            let file = dir.create(&format!("{file}.hex")).unwrap();
            file.write_all_at(0, text.as_bytes()).unwrap();
        }
    }
}

fn hex(digest: [u8; 32]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_past_format_opens_and_holds_what_it_held() {
    if std::env::var_os("CAIRN_WRITE_FIXTURES").is_some() {
        write_missing();
    }
    for (name, snapshot, content) in FIXTURES {
        let disk = fixture(name);
        // For reading, from what there is and from the log alone.
        for (ignore_snapshots, loading) in [
            (true, SnapshotLoading::Checked),
            (false, SnapshotLoading::Checked),
            (false, SnapshotLoading::Mapped),
            (false, SnapshotLoading::Copied),
        ] {
            let options = ReadOptions {
                ignore_snapshots,
                loading,
                ..ReadOptions::default()
            };
            let database = ReadOnlyDatabase::open_on(disk.root(), &options).unwrap();
            let is_from_snapshot = matches!(database.report().origin, Origin::Snapshot { .. });
            assert_eq!(is_from_snapshot, snapshot && !ignore_snapshots, "{name}");
            assert_eq!(hex(database.view().digest().unwrap()), content, "{name}");
        }
        // For writing, without an upgrade, which changes no byte, and with one, which happens once.
        let before = content_of(&disk);
        let as_it_is = Options {
            upgrade: false,
            ..options()
        };
        let database = Database::open_on(disk.root(), as_it_is, initialise).unwrap();
        assert!(database.report().was_closed, "{name}");
        assert!(database.report().upgrade.is_none(), "{name}");
        assert_eq!(hex(digest(&database)), content, "{name}");
        database.close().unwrap();
        assert!(content_of(&disk) == before, "{name}");
        let database = Database::open_on(disk.root(), options(), initialise).unwrap();
        match &database.report().upgrade {
            None => assert!(name >= WITH_FOREIGN_KEYS, "{name}"),
            Some(Ok(added)) => {
                assert_eq!(
                    added.to_string(),
                    "st_constraint.target_table_id, st_constraint.target_index_id",
                    "{name}"
                );
                assert!(name < WITH_FOREIGN_KEYS, "{name}");
            }
            Some(Err(error)) => panic!("{name}: {error}"),
        }
        let mut all = expected((1..=20).filter(|id| *id != 7));
        all.insert(8, "changed".to_owned());
        assert_eq!(notes(&database.view()), all, "{name}");
        if name.ends_with(HASHED) {
            let view = database.view();
            let table = view.table("notes").unwrap();
            for (id, text) in &all {
                let key = [Value::from(*id), Value::from(text.as_str())];
                assert_eq!(table.find_all("by_hash", &key).unwrap().count(), 1);
            }
        }
        if name.ends_with(LONG) {
            check_long(&database.view(), name);
            // Written on, and as it was before.
            for id in [2, 3] {
                let key = [Value::from(id)];
                for flag in [Value::Null, long_text(id, 7_900)] {
                    database
                        .write(|tx| tx.update("texts", &key, &[("more", flag)]))
                        .unwrap();
                }
            }
            let key = [Value::from(5u64)];
            database.write(|tx| tx.delete("texts", &key)).unwrap();
        }
        if name.ends_with(OLDER) {
            check_older(&database, name);
        }
        put(&database, 21);
        database.snapshot().unwrap();
        let next = digest(&database);
        database.close().unwrap();
        let database = Database::open_on(disk.root(), options(), initialise).unwrap();
        assert!(database.report().upgrade.is_none(), "{name}");
        assert_eq!(digest(&database), next, "{name}");
        // Old and new snapshots are read back side by side; in the end the old ones are let go, with all that belonged to them
        // and that nothing new shares.
        let found = SnapshotInfo::read_back_all(&*disk.root()).unwrap();
        assert!(found.iter().all(|found| found.rejected.is_none()));
        assert_eq!(found.len(), 1 + usize::from(snapshot), "{name}");
        let first = found[0].tx;
        put(&database, 22);
        database.snapshot().unwrap();
        let found = SnapshotInfo::read_back_all(&*disk.root()).unwrap();
        assert!(found.iter().all(|found| found.rejected.is_none()));
        assert_eq!(found.len(), 2, "{name}");
        assert_eq!(found[1].tx, first, "{name}");
        let files = disk.files().into_iter();
        let files: Vec<String> = files
            .filter(|path| path.starts_with("snapshots/"))
            .collect();
        // Version 1 of packs is not shared with.
        let is_shared_with = snapshot && name >= "v2.2";
        assert!(
            files.len() >= 2 + usize::from(is_shared_with),
            "{name}: {files:?}"
        );
        assert!(
            files.len() <= 2 + 2 * usize::from(is_shared_with),
            "{name}: {files:?}"
        );
        assert!(
            files.iter().all(|path| path.ends_with(".pack")),
            "{files:?}"
        );
    }
}

/// A build that does not know of rows of older layouts would take them for damage: it is told before it looks, and opens from the log.
#[test]
fn snapshots_ask_for_a_reader_that_knows_what_is_in_them() {
    for (name, snapshot, _) in FIXTURES {
        if !snapshot {
            continue;
        }
        let dir = fixture(name).root().open_dir("snapshots").unwrap();
        let options = snapshot::Options {
            read_only: true,
            ..snapshot::Options::default()
        };
        let listing = snapshot::Snapshots::open(dir, options).unwrap().list();
        let found = listing.unwrap().sound.into_iter();
        let found: Vec<u16> = found
            .map(|manifest| manifest.header().minimum_reader)
            .collect();
        let expected = match name {
            "v2.7-with-hash-index" | "v2.8-with-hash-index" | "v2.9-with-hash-index" => 5,
            _ if name.ends_with(HASHED) => 2,
            _ if name.ends_with(OLDER) => 4,
            _ => 1,
        };
        assert!(!found.is_empty());
        assert!(found.iter().all(|it| *it == expected), "{name}: {found:?}");
    }
}

/// As long as a format is the newest one of what it holds, the same life writes the same bytes. A build that writes others has a new format, and
/// needs a new fixture beside the old ones.
#[test]
fn this_build_still_writes_the_newest_format() {
    let newest: BTreeMap<&str, (&str, bool)> = FIXTURES
        .iter()
        .filter(|(name, ..)| !name.ends_with(COMPRESSED))
        .map(|&(name, snapshot, _)| (&name[name.find('-').unwrap()..], (name, snapshot)))
        .collect();
    for (name, snapshot) in newest.into_values() {
        let disk = SimDisk::new(1);
        live(&disk, name, snapshot);
        let fixture = fixture(name);
        let paths = |disk: &SimDisk| -> Vec<String> {
            disk.files()
                .into_iter()
                .filter(|path| path != "lock")
                .collect()
        };
        assert_eq!(paths(&disk), paths(&fixture), "{name}");
        for path in paths(&disk) {
            assert!(
                disk.read(&path) == fixture.read(&path),
                "{name}: {path} has other bytes"
            );
        }
    }
}
