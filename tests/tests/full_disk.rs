//! A full disk refuses commits with nothing written, reads go on, and when space returns commits go on; on a read-only medium
//! reading works and writes nothing.
//!
//! On the simulated disk, and where mounting is allowed on a real file system of 4 MiB.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use cairn::{Database, Options, ReadOnlyDatabase, ReadOptions, WriteError};
use cairn_tests::{
    digest, expected, fixed_options, initialise, notes, open, put, try_open, try_put,
};
use disk::{Access, Dir, EntryKind, OsDir, SimDisk};

fn options() -> Options {
    Options {
        segment_bytes_max: 64 * 1024,
        ..fixed_options()
    }
}

/// Commits notes from `id` on until one is refused. Yields the number of that one.
fn fill(database: &Database, mut id: u64) -> u64 {
    loop {
        match try_put(database, id) {
            Ok(_) => id += 1,
            Err(WriteError::Refused(error)) => {
                assert!(
                    matches!(error, bootstrap::Error::Log(commitlog::Error::Full(_))),
                    "{error:?}"
                );
                return id;
            }
            Err(error) => panic!("a full disk must refuse before anything is written: {error:?}"),
        }
        assert!(id < 1_000_000, "the disk never gets full");
    }
}

#[test]
fn a_full_simulated_disk_at_every_size() {
    let disk = SimDisk::new(1);
    let database = open(&disk, options());
    put(&database, 1);
    database.close().unwrap();
    for room in (0..80 * 1024).step_by(1536) {
        let disk = disk.fork();
        disk.set_capacity(Some(disk.used_bytes() + room));
        let database = open(&disk, options());
        let refused = fill(&database, 2);
        let content = digest(&database);
        let durable = database.durable_through();
        // Reads go on, and so does being refused.
        assert_eq!(
            notes(&database.view()),
            expected(1..refused),
            "{room} bytes of room"
        );
        assert_eq!(fill(&database, refused), refused);
        assert_eq!(digest(&database), content);
        assert_eq!(database.durable_through(), durable);
        assert!(
            database.snapshot().is_err(),
            "a snapshot does not fit either"
        );
        // What a kill would leave has no trace of the refused ones.
        let killed = disk.fork();
        let reopened = open(&killed, options());
        assert_eq!(
            notes(&reopened.view()),
            expected(1..refused),
            "{room} bytes of room"
        );
        drop(reopened);
        // Space returns.
        disk.set_capacity(None);
        put(&database, refused);
        database.snapshot().unwrap();
        put(&database, refused + 1);
        database.close().unwrap();
        let database = open(&disk, options());
        assert_eq!(
            notes(&database.view()),
            expected(1..=refused + 1),
            "{room} bytes of room"
        );
    }
}

#[test]
fn a_database_that_does_not_fit_is_not_made() {
    for room in (0..32 * 1024).step_by(512) {
        let disk = SimDisk::new(1);
        disk.set_capacity(Some(room));
        match try_open(disk.root(), options()) {
            Ok(database) => assert_eq!(notes(&database.view()), expected([])),
            Err(error) => {
                assert_eq!(error.class(), bootstrap::ErrorClass::World, "{error:?}");
                disk.set_capacity(None);
                let database = open(&disk, options());
                put(&database, 1);
                assert_eq!(
                    notes(&database.view()),
                    expected([1]),
                    "{room} bytes of room"
                );
            }
        }
    }
}

/// A mount that goes away when it is dropped.
struct Mount(std::path::PathBuf);

impl Mount {
    /// `None`, said loudly, where mounting is not allowed.
    fn new(arguments: &[&str], at: &Path) -> Option<Mount> {
        let mut command = Command::new("mount");
        let output = command.args(arguments).arg(at).output();
        match output {
            Ok(output) if output.status.success() => Some(Mount(at.to_path_buf())),
            refused => {
                eprintln!(
                    "SKIPPED: mounting is refused here, so this is not tested on a real file system: {refused:?}"
                );
                None
            }
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(&self.0).status());
    }
}

#[test]
fn a_full_real_disk() {
    let temporary = tempfile::tempdir().unwrap();
    let Some(_mount) = Mount::new(&["-t", "tmpfs", "-o", "size=4m", "tmpfs"], temporary.path())
    else {
        return;
    };
    let root = OsDir::open(temporary.path()).unwrap();
    // Something else takes most of the space, and gives it back.
    let ballast = root.create("ballast").unwrap();
    ballast.write_all_at(0, &vec![1; 2 << 20]).unwrap();
    let dir = root.create_dir("database").unwrap();
    let database = try_open(Arc::clone(&dir), options()).unwrap();
    let refused = fill(&database, 1);
    assert!(refused > 100, "only {refused} fitted");
    assert_eq!(notes(&database.view()), expected(1..refused));
    assert_eq!(fill(&database, refused), refused);
    let beside = ReadOnlyDatabase::open_on(Arc::clone(&dir), &ReadOptions::default()).unwrap();
    assert_eq!(beside.view().digest().unwrap(), digest(&database));
    ballast.set_len(0).unwrap();
    for id in refused..refused + 500 {
        put(&database, id);
    }
    database.close().unwrap();
    let database = try_open(dir, options()).unwrap();
    assert_eq!(notes(&database.view()), expected(1..refused + 500));
}

#[test]
fn a_read_only_medium() {
    let temporary = tempfile::tempdir().unwrap();
    let root = OsDir::open(temporary.path()).unwrap();
    root.create_dir("mounted").unwrap();
    let original = temporary.path().join("original");
    let database = Database::open_with(&original, options(), initialise).unwrap();
    for id in 1..100 {
        put(&database, id);
        if id == 50 {
            database.snapshot().unwrap();
        }
    }
    let content = digest(&database);
    // Not closed: a writable open would have to write.
    drop(database);
    let mounted = temporary.path().join("mounted");
    let from = original.to_str().unwrap();
    let Some(_mount) = Mount::new(&["--bind", "-o", "ro", from], &mounted) else {
        return;
    };
    let before = files(&*OsDir::open(&original).unwrap());
    for ignore_snapshots in [false, true] {
        let options = ReadOptions {
            ignore_snapshots,
            ..ReadOptions::default()
        };
        let database = ReadOnlyDatabase::open_with(&mounted, &options).unwrap();
        assert_eq!(database.view().digest().unwrap(), content);
        assert_eq!(notes(&database.view()), expected(1..100));
    }
    let options = Options {
        create: false,
        ..options()
    };
    let refused = Database::open_with(&mounted, options, initialise).unwrap_err();
    assert!(refused.to_string().contains("ead-only"), "{refused}");
    assert!(
        before == files(&*OsDir::open(&original).unwrap()),
        "something was written"
    );
}

/// All files below a directory, with their bytes.
fn files(dir: &dyn Dir) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in dir.list().unwrap() {
        let path = dir.path().join(&entry.name).display().to_string();
        if entry.kind == EntryKind::Dir {
            files.push((path, Vec::new()));
            files.extend(self::files(&*dir.open_dir(&entry.name).unwrap()));
        } else {
            let file = dir.open(&entry.name, Access::Read).unwrap();
            let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
            file.read_exact_at(0, &mut bytes).unwrap();
            files.push((path, bytes));
        }
    }
    files
}
