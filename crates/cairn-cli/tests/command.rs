//! The command as a shell sees it: how it ends, and that a closed pipe ends it quietly.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::fs;
use std::io::Read;
use std::process::{Command, Output, Stdio};

fn cairn(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cairn"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// How a verb ends if nobody reads what it says, from the first byte on; its complaints too if `complaints`.
fn unheard(arguments: &[&str], complaints: bool) -> Option<i32> {
    let mut command = cairn(arguments);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let errors = if complaints {
        Stdio::from(writer.try_clone().unwrap())
    } else {
        Stdio::null()
    };
    let mut child = command.stdout(writer).stderr(errors).spawn().unwrap();
    child.wait().unwrap().code()
}

fn run(arguments: &[&str]) -> Output {
    cairn(arguments).output().unwrap()
}

#[test]
fn wrong_usage_ends_with_1_and_says_why() {
    for arguments in [
        &["dance"][..],
        &["scan"],
        &["import", "d", "t", "f.csv", "--batch", "none"],
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn help_ends_with_0_and_names_every_verb() {
    let output = run(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    let help = String::from_utf8(output.stdout).unwrap();
    for verb in [
        "demo", "import", "export", "info", "tables", "scan", "log", "snapshot", "verify", "digest",
    ] {
        assert!(help.contains(&format!("\n  {verb} ")), "{verb} in {help}");
    }
}

#[test]
fn a_closed_pipe_ends_it_quietly() {
    let mut child = cairn(&["--help"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut complaint = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut complaint)
        .unwrap();
    assert_eq!(complaint, "");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_scan_ends_quietly_with_its_reader() {
    let case = tempfile::tempdir().unwrap();
    let dir = case.path().join("db").display().to_string();
    let database = cairn::Database::open(&dir).unwrap();
    database
        .write(|tx| {
            let table = cairn::NewTable::new("numbers")
                .column("number", cairn::ColumnType::U32)
                .column("text", cairn::ColumnType::String)
                .primary_key(&["number"]);
            tx.create_table(&table)?;
            for number in 0..20_000_u32 {
                let text = "x".repeat(100).into();
                tx.insert("numbers", &[("number", number.into()), ("text", text)])?;
            }
            Ok::<(), cairn::Error>(())
        })
        .unwrap();
    database.close().unwrap();
    for more in [&[][..], &["--json"]] {
        let mut child = cairn(&[&["scan", &dir, "numbers"], more].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The pipe holds far less than the table: what is not read cannot all have been written.
        let mut begin = [0; 100];
        let mut pipe = child.stdout.take().unwrap();
        pipe.read_exact(&mut begin).unwrap();
        drop(pipe);
        let mut complaint = String::new();
        let mut errors = child.stderr.take().unwrap();
        errors.read_to_string(&mut complaint).unwrap();
        assert_eq!(complaint, "", "{more:?}");
        assert_eq!(child.wait().unwrap().code(), Some(0), "{more:?}");
    }
}

#[test]
fn an_import_is_done_whether_or_not_anybody_reads_what_it_says() {
    let case = tempfile::tempdir().unwrap();
    let path = |name: &str| case.path().join(name).display().to_string();
    fs::write(path("good.csv"), "id\n1\n2\n").unwrap();
    fs::write(path("bad.csv"), "id\n1\n1\n").unwrap();
    for complaints in [false, true] {
        let db = path(&format!("db-{complaints}"));
        let import = |table: &str, file: &str| {
            let file = path(file);
            let key = ["--primary-key", "id"];
            unheard(
                &[&["import", &db, table, &file], &key[..]].concat(),
                complaints,
            )
        };
        assert_eq!(import("good", "good.csv"), Some(0));
        assert_eq!(import("bad", "bad.csv"), Some(1));
        let exported = run(&["export", &db, "good"]);
        assert_eq!(exported.stdout, b"id\n1\n2\n");
        assert_eq!(unheard(&["snapshot", &db], complaints), Some(0));
        let info = String::from_utf8(run(&["info", &db]).stdout).unwrap();
        assert!(info.contains("snapshot     of transaction 1"), "{info}");
    }
}

#[test]
fn damage_ends_with_2_whether_or_not_anybody_reads_of_it() {
    let case = tempfile::tempdir().unwrap();
    let db = case.path().join("db").display().to_string();
    let table = cairn::NewTable::new("t").column("id", cairn::ColumnType::U32);
    let database = cairn::Database::open(&db).unwrap();
    database.write(|tx| tx.create_table(&table)).unwrap();
    database.snapshot().unwrap();
    database
        .write(|tx| tx.insert("t", &[("id", 1_u32.into())]))
        .unwrap();
    database.close().unwrap();
    let snapshots = fs::read_dir(case.path().join("db/snapshots")).unwrap();
    let [snapshot] = &snapshots.map(Result::unwrap).collect::<Vec<_>>()[..] else {
        panic!("a snapshot is one file");
    };
    let snapshot = snapshot.path();
    let sound = fs::read(&snapshot).unwrap();
    let mut damaged = sound.clone();
    damaged[60] ^= 1;
    fs::write(&snapshot, damaged).unwrap();
    for arguments in [&["verify", &db][..], &["verify", &db, "--json"]] {
        assert_eq!(run(arguments).status.code(), Some(2), "{arguments:?}");
        for complaints in [false, true] {
            assert_eq!(unheard(arguments, complaints), Some(2), "{arguments:?}");
        }
    }
    fs::write(&snapshot, sound).unwrap();
    let segment = case.path().join("db/log/00000000000000000002.log");
    let mut log = fs::read(&segment).unwrap();
    let last = log.iter().rposition(|&byte| byte != 0).unwrap();
    log[last] ^= 1;
    fs::write(&segment, log).unwrap();
    for arguments in [
        &["export", &db, "t"][..],
        &["info", &db],
        &["tables", &db],
        &["scan", &db, "t"],
        &["log", &db],
        &["snapshot", &db],
        &["verify", &db],
        &["digest", &db],
    ] {
        for complaints in [false, true] {
            assert_eq!(unheard(arguments, complaints), Some(2), "{arguments:?}");
        }
    }
}
