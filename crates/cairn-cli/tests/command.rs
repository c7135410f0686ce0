//! The command as a shell sees it: how it ends, and that a closed pipe ends it quietly.

#![allow(clippy::unwrap_used)]

use std::io::Read;
use std::process::{Command, Output, Stdio};

fn cairn(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cairn"));
    command.args(arguments).stdin(Stdio::null());
    command
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
