//! Databases written by every past format still open, with and without snapshots, and hold what they held.
//!
//! The directories under `fixtures/` are never changed. To write those of a new format, give the list below a new name and run
//! `CAIRN_WRITE_FIXTURES=1 cargo test -p cairn-tests --test formats`, which writes what is missing and nothing else.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use bootstrap::SnapshotInfo;
use cairn::{Database, Error, Options, Origin, ReadOnlyDatabase, ReadOptions, Value};
use cairn_tests::{digest, expected, fixed_options, initialise, notes, put};
use disk::{Access, Dir, EntryKind, OsDir, SimDisk};

/// A fixture, whether it has a snapshot, the digest of its content.
const FIXTURES: [(&str, bool, &str); 17] = [
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
];
/// How those are called with a hash index besides, which ask for reader 2.
const HASHED: &str = "-with-hash-index";
/// What the names of the newest format's fixtures begin with.
const NEWEST: &str = "v2.4-";
const DIGEST_HASHED: &str = "8951bfcabd12d7631e62b6adaeb9accc890f4d8a76289856ed4873d512df637b";
const DIGEST: &str = "fd6a20f6a14c1c56f9b8f0486b3daa25e0b655fab3f4b2f92d73baa05cc0b603";

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn options() -> Options {
    Options {
        segment_bytes_max: 16 * 1024,
        ..fixed_options()
    }
}

/// What every fixture holds: notes 1 to 20 without 7, whose text changed once, and a table that came later.
fn live(disk: &SimDisk, name: &str, snapshot: bool) {
    let database = Database::open_on(disk.root(), options(), initialise).unwrap();
    if name.ends_with(HASHED) {
        database
            .write(|tx| tx.create_unique_hash_index("notes", "by_hash", &["id", "text"]))
            .unwrap();
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

/// The bytes of all files below a directory, by path.
fn files_below(dir: &dyn Dir, prefix: &str) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in dir.list().unwrap() {
        let path = format!("{prefix}{}", entry.name);
        if entry.kind == EntryKind::Dir {
            files.extend(files_below(
                &*dir.open_dir(&entry.name).unwrap(),
                &format!("{path}/"),
            ));
        } else {
            let file = dir.open(&entry.name, Access::Read).unwrap();
            let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
            file.read_exact_at(0, &mut bytes).unwrap();
            files.push((path, bytes));
        }
    }
    files
}

/// A fixture on a simulated disk. Long runs of zeros are not kept in the repository: see [`pack`].
fn load(name: &str) -> SimDisk {
    let disk = SimDisk::new(1);
    let dir = OsDir::open(fixtures().join(name)).unwrap();
    for (path, bytes) in files_below(&*dir, "") {
        let Some(path) = path.strip_suffix(".hex") else {
            continue;
        };
        if let Some((parent, _)) = path.split_once('/')
            && disk.root().open_dir(parent).is_err()
        {
            disk.root().create_dir_durable(parent).unwrap();
        }
        disk.write(path, &unpack(std::str::from_utf8(&bytes).unwrap()));
    }
    disk
}

/// Lines of 32 bytes in hexadecimal; a run of lines of zeros is written as `zeros N`, N in bytes. A page that is mostly zeros takes
/// no room this way, and a difference can be read.
fn pack(bytes: &[u8]) -> String {
    let mut text = String::new();
    let mut zeros = 0;
    for line in bytes.chunks(32) {
        if line.iter().all(|byte| *byte == 0) {
            zeros += line.len();
            continue;
        }
        if zeros > 0 {
            text += &format!("zeros {zeros}\n");
            zeros = 0;
        }
        for byte in line {
            text += &format!("{byte:02x}");
        }
        text.push('\n');
    }
    if zeros > 0 {
        text += &format!("zeros {zeros}\n");
    }
    text
}

fn unpack(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in text.lines() {
        if let Some(zeros) = line.strip_prefix("zeros ") {
            bytes.resize(bytes.len() + zeros.parse::<usize>().unwrap(), 0);
            continue;
        }
        for at in (0..line.len()).step_by(2) {
            bytes.push(u8::from_str_radix(&line[at..at + 2], 16).unwrap());
        }
    }
    bytes
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
        let disk = load(name);
        // For reading, from what there is and from the log alone.
        for ignore_snapshots in [false, true] {
            let options = ReadOptions {
                ignore_snapshots,
                ..ReadOptions::default()
            };
            let database = ReadOnlyDatabase::open_on(disk.root(), &options).unwrap();
            let is_from_snapshot = matches!(database.report().origin, Origin::Snapshot { .. });
            assert_eq!(is_from_snapshot, snapshot && !ignore_snapshots, "{name}");
            assert_eq!(hex(database.view().digest().unwrap()), content, "{name}");
        }
        // For writing, which goes on.
        let database = Database::open_on(disk.root(), options(), initialise).unwrap();
        assert!(database.report().was_closed, "{name}");
        assert_eq!(hex(digest(&database)), content, "{name}");
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
        put(&database, 21);
        database.snapshot().unwrap();
        let next = digest(&database);
        database.close().unwrap();
        let database = Database::open_on(disk.root(), options(), initialise).unwrap();
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

/// As long as the format is the newest one, the same life writes the same bytes. A build that writes others has a new format, and
/// needs a new fixture beside the old ones.
#[test]
fn this_build_still_writes_the_newest_format() {
    let newest = FIXTURES
        .iter()
        .filter(|(name, ..)| name.starts_with(NEWEST));
    for &(name, snapshot, _) in newest {
        let disk = SimDisk::new(1);
        live(&disk, name, snapshot);
        let fixture = load(name);
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
