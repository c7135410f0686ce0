//! The verbs as a shell sees them: what they print, how they end, what they leave.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types
)]

#[path = "support/command.rs"]
mod command;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use cairn::{Database, Options, SnapshotPolicy};
use command::{check, run};
use tempfile::TempDir;

const PLANES: &str = "tailnum,year,seats,first_seen\nN1,2004,55,2013-01-01T06:00:00Z\nN2,NA,182,NA\n\"N,3\",1999,007,2013-01-02T06:00:00Z\n";

const VERBS_BESIDE_A_WRITER: usize = 20;

const UNPRUNED_RECORDS_MAX: u64 = 10_000;

const LONG_ROWS: u64 = 10_000;

struct Case {
    dir: TempDir,
}

impl Case {
    fn new() -> Case {
        Case {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    fn file(&self, name: &str, text: &str) -> String {
        fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    /// A database with the planes in it; its directory.
    fn planes() -> (Case, String) {
        let case = Case::new();
        let (db, file) = (case.path("db"), case.file("planes.csv", PLANES));
        check(
            &[
                "import",
                &db,
                "planes",
                &file,
                "--primary-key",
                "tailnum",
                "--null",
                "NA",
            ],
            0,
        );
        (case, db)
    }
}

fn newest_segment(db: &str) -> std::path::PathBuf {
    let mut segments: Vec<_> = fs::read_dir(Path::new(db).join("log"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    segments.sort();
    segments.pop().unwrap()
}

#[test]
fn what_is_imported_is_exported() {
    let (_case, db) = Case::planes();
    assert_eq!(
        check(&["export", &db, "planes", "--null", "NA"], 0),
        "tailnum,year,seats,first_seen\n\"N,3\",1999,007,2013-01-02T06:00:00Z\nN1,2004,55,2013-01-01T06:00:00Z\nN2,NA,182,NA\n"
    );
    let lines = check(&["export", &db, "planes", "--jsonl"], 0);
    assert_eq!(
        lines.lines().nth(2).unwrap(),
        r#"{"tailnum":"N2","year":null,"seats":"182","first_seen":null}"#
    );
}

#[test]
fn import_shows_types_and_why_a_column_is_text() {
    let case = Case::new();
    let file = case.file("planes.csv", PLANES);
    let shown = check(
        &["import", &case.path("db"), "planes", &file, "--null", "NA"],
        0,
    );
    let line = |name: &str| {
        shown
            .lines()
            .find(|line| line.trim_start().starts_with(name))
            .unwrap()
            .to_owned()
    };
    assert!(
        line("year").contains("i64") && line("year").contains("nullable"),
        "{shown}"
    );
    assert!(
        line("seats").contains("string") && line("seats").contains("\"007\""),
        "{shown}"
    );
    assert!(line("first_seen").contains("timestamp"), "{shown}");
    assert!(
        shown.contains("3 rows of \"planes\" are durable, in 1 transaction"),
        "{shown}"
    );
}

#[test]
fn a_bad_line_is_named_and_nothing_of_its_batch_is_kept() {
    let case = Case::new();
    let db = case.path("db");
    let file = case.file("n.csv", "id,name\n1,a\n2,b\n3,c\n3,d\n5,e\n");
    let said = check(
        &[
            "import",
            &db,
            "numbers",
            &file,
            "--primary-key",
            "id",
            "--batch",
            "2",
        ],
        1,
    );
    assert!(
        said.contains("2 rows of \"numbers\" are durable, in 1 transaction"),
        "{said}"
    );
    assert!(
        said.contains("line 5: ") && said.contains("id = 3"),
        "{said}"
    );
    assert_eq!(check(&["export", &db, "numbers"], 0), "id,name\n1,a\n2,b\n");

    let more = case.file("more.csv", "name,id\nx,7\ny,eight\n");
    let said = check(&["import", &db, "numbers", &more, "--append"], 1);
    assert!(
        said.contains("line 3") && said.contains("\"eight\""),
        "{said}"
    );
    assert!(said.contains("0 rows of \"numbers\" are durable"), "{said}");
    let more = case.file("more.csv", "name,id\nx,7\n");
    check(&["import", &db, "numbers", &more, "--append"], 0);
    assert_eq!(
        check(&["export", &db, "numbers"], 0),
        "id,name\n1,a\n2,b\n7,x\n"
    );
    assert_eq!(
        check(&["export", &db, "numbers", "--at", "1"], 0),
        "id,name\n1,a\n2,b\n"
    );
}

#[test]
fn refusals_end_with_1_and_say_what_was_meant() {
    let (case, db) = Case::planes();
    for (arguments, expected) in [
        (&["scan", &db, "plains"][..], r#"did you mean "planes"?"#),
        (
            &["scan", &db, "planes", "--where", "yaer=1"],
            r#"did you mean "year"?"#,
        ),
        (
            &["scan", &db, "planes", "--where", "year=old"],
            r#""old" is no i64"#,
        ),
        (&["scan", &db, "planes", "--at", "9"], "0 to 1"),
        (&["info", &case.path("nothing")], "nothing"),
        (&["snapshot", &case.path("nothing")], "nothing"),
        (&["import", &db, "t", &case.path("no.csv")], "no.csv"),
        (&["demo", &db], "holds a database already"),
        (
            &[
                "import",
                &db,
                "planes",
                &case.file("y.csv", "yaer\n1\n"),
                "--append",
            ],
            r#"did you mean "year"?"#,
        ),
        (&["export", &db, "planes", "--null", "x,y"], "--null"),
        (&["export", &db, "planes", "--null", "x\"y"], "--null"),
        (&["export", &db, "planes", "--null", "x\ny"], "--null"),
    ] {
        let said = check(arguments, 1);
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
    assert!(!Path::new(&case.path("nothing")).exists());
}

#[test]
fn scan_filters_and_limits() {
    let (_case, db) = Case::planes();
    let found = |conditions: &[&str]| {
        let mut arguments = vec!["scan", &db, "planes", "--json"];
        conditions
            .iter()
            .for_each(|condition| arguments.extend(["--where", condition]));
        check(&arguments, 0).lines().count()
    };
    assert_eq!(found(&[]), 3);
    assert_eq!(found(&["tailnum=N2"]), 1);
    assert_eq!(found(&["year="]), 1);
    assert_eq!(found(&["year=2004", "seats=55"]), 1);
    assert_eq!(found(&["year=2004", "tailnum=N2"]), 0);
    assert_eq!(
        check(&["scan", &db, "planes", "--limit", "2", "--json"], 0)
            .lines()
            .count(),
        2
    );
}

#[test]
fn log_names_each_transaction() {
    let (_case, db) = Case::planes();
    let text = check(&["log", &db], 0);
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.lines().nth(1).unwrap().contains("planes +3"), "{text}");
    let json = check(&["log", &db, "--from", "1", "--to", "1", "--json"], 0);
    assert!(
        json.contains(r#""planes":{"inserted":3,"updated":0,"deleted":0}"#),
        "{json}"
    );
}

#[test]
fn digest_is_the_same_from_log_and_snapshot() {
    let (_case, db) = Case::planes();
    let from_log = check(&["digest", &db], 0);
    let said = check(&["snapshot", &db], 0);
    assert!(said.contains("snapshot of transaction 1"), "{said}");
    assert_eq!(check(&["digest", &db], 0), from_log);
    assert_eq!(check(&["digest", &db, "--log-only"], 0), from_log);
    assert_ne!(check(&["digest", &db, "--at", "0"], 0), from_log);
    assert!(
        check(&["info", &db, "--json"], 0)
            .contains(r#""snapshots":[{"transaction":1,"rejected":null}]"#)
    );
    assert!(check(&["tables", &db, "--system"], 0).contains("st_column"));
}

#[test]
fn damage_ends_with_2() {
    let (_case, db) = Case::planes();
    assert!(!check(&["verify", &db], 0).contains("DAMAGED"));
    check(&["snapshot", &db], 0);
    let segment = Path::new(&db).join("log/00000000000000000000.log");
    let mut bytes = fs::read(&segment).unwrap();
    let last = bytes.iter().rposition(|&byte| byte != 0).unwrap();
    bytes[last] ^= 1;
    fs::write(&segment, &bytes).unwrap();
    let said = check(&["verify", &db], 2);
    assert!(said.contains("00000000000000000000.log"), "{said}");
    check(&["digest", &db, "--log-only"], 2);
}

#[test]
fn a_torn_tail_is_fine_and_reported() {
    let (_case, db) = Case::planes();
    let segment = newest_segment(&db);
    // As a kill leaves it: the mark that says `closed` is not there any more once a write has begun.
    Database::open(&db)
        .unwrap()
        .write(|tx| tx.delete("planes", &["N1".into()]))
        .unwrap();
    let killed = fs::read(&segment).unwrap();
    Database::open(&db).unwrap().close().unwrap();
    let closed = fs::read(&segment).unwrap();
    for mut bytes in [killed, closed] {
        let last = bytes.iter().rposition(|&byte| byte != 0).unwrap();
        let start = (last + 1).next_multiple_of(8);
        bytes.resize(bytes.len().max(start + 777), 0);
        bytes[start..start + 777].fill(0xA5);
        fs::write(&segment, &bytes).unwrap();
        for arguments in [
            &["verify", &db][..],
            &["verify", &db, "--json"],
            &["digest", &db],
            &["digest", &db, "--json"],
            &["digest", &db, "--log-only"],
            &["info", &db],
            &["info", &db, "--json"],
            &["tables", &db],
            &["log", &db],
            &["export", &db, "planes"],
            &["scan", &db, "planes"],
        ] {
            let said = check(arguments, 0);
            assert!(said.contains("777 torn bytes"), "{arguments:?}: {said}");
            assert!(!said.contains("DAMAGED"), "{arguments:?}: {said}");
        }
        let digest = String::from_utf8(run(&["digest", &db, "--json"]).stdout).unwrap();
        let note = r#""notes":["777 torn bytes at the end of the log were never acknowledged: "#;
        assert!(digest.contains(note), "{digest}");
    }
    let said = check(&["snapshot", &db], 0);
    assert!(said.contains("777 torn bytes"), "{said}");
    assert_eq!(
        check(&["scan", &db, "planes", "--json"], 0).lines().count(),
        2
    );
    assert!(!check(&["verify", &db], 0).contains("torn"));
}

#[test]
fn a_pruned_log_is_sound_and_does_not_give_a_digest_alone() {
    let (_case, db) = Case::planes();
    let database = Database::open(&db).unwrap();
    for tail in ["N1", "N2"] {
        database
            .write(|tx| tx.delete("planes", &[tail.into()]))
            .unwrap();
        database.snapshot().unwrap();
    }
    assert!(database.prune().unwrap().segments_removed > 0);
    database.close().unwrap();
    let said = check(&["digest", &db, "--log-only"], 1);
    assert!(said.contains("the log begins at 3"), "{said}");
    check(&["digest", &db], 0);
    check(&["verify", &db], 0);
}

/// Verbs that read everything, beside a writer that commits, snapshots and prunes as fast as it can, without a pause.
#[test]
fn beside_a_live_writer_nothing_is_damaged_or_refused() {
    for prune in [false, true] {
        let (_case, db) = Case::planes();
        let options = Options {
            segment_bytes_max: 14 * 1024,
            snapshots: SnapshotPolicy {
                every_records: Some(8),
                prune,
                ..SnapshotPolicy::default()
            },
            ..Options::default()
        };
        let database = Database::open_with(&db, options, |_| Ok::<(), cairn::Error>(())).unwrap();
        if prune {
            // Reading all of it takes longer than a snapshot is kept.
            let long = "L".repeat(2000);
            let filled = database.write(|tx| {
                (0..LONG_ROWS).try_for_each(|number| {
                    let tailnum = format!("{long}{number}");
                    let cells = [("tailnum", tailnum.as_str().into()), ("seats", "1".into())];
                    tx.insert("planes", &cells).map(drop)
                })
            });
            filled.unwrap();
        }
        // From now on there is one at any time.
        database.snapshot().unwrap();
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut number = 0_u64;
                // A log that is never pruned grows faster than it can be read, where a sync costs nothing.
                while !is_over.load(Ordering::Relaxed) && (prune || number < UNPRUNED_RECORDS_MAX) {
                    number += 1;
                    let cells = [
                        ("tailnum", format!("L{number}").as_str().into()),
                        ("seats", "55".into()),
                    ];
                    database.write(|tx| tx.insert("planes", &cells)).unwrap();
                }
            });
            let over = Over(&is_over);
            for _ in 0..VERBS_BESIDE_A_WRITER {
                check(&["verify", &db], 0);
                check(&["info", &db], 0);
                let said = check(&["snapshots", &db], 0);
                assert_ne!(said, "no snapshots\n");
                for _ in 0..3 {
                    check(&["log", &db], 0);
                }
            }
            drop(over);
        });
        database.close().unwrap();
    }
}

/// Ends the writer, also if an assertion fails: else the test would hang.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_segment_whose_removal_came_undone_is_ignored_and_a_lost_one_is_damage() {
    let (_case, db) = Case::planes();
    let database = Database::open(&db).unwrap();
    database.snapshot().unwrap();
    for tail in ["N1", "N2"] {
        database
            .write(|tx| tx.delete("planes", &[tail.into()]))
            .unwrap();
        database.snapshot().unwrap();
    }
    let log = Path::new(&db).join("log");
    let oldest = log.join("00000000000000000000.log");
    let bytes = fs::read(&oldest).unwrap();
    assert_eq!(database.prune().unwrap().segments_removed, 2);
    database.close().unwrap();
    fs::write(&oldest, bytes).unwrap();
    let said = check(&["info", &db], 0);
    assert!(!said.contains("00000000000000000000.log"), "{said}");
    check(&["verify", &db], 0);
    let said = check(&["snapshot", &db], 0);
    assert!(
        said.contains("1 segments that the log had given up"),
        "{said}"
    );
    assert!(!oldest.exists());

    let mut segments: Vec<_> = fs::read_dir(&log)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    segments.sort();
    fs::remove_file(&segments[1]).unwrap();
    for verb in ["info", "verify", "snapshot"] {
        let said = check(&[verb, &db], 2);
        assert!(said.contains("is missing"), "{said}");
    }
}

#[test]
fn a_locked_database_ends_with_3_and_can_still_be_read() {
    let (_case, db) = Case::planes();
    let holder = Database::open(&db).unwrap();
    let said = check(&["snapshot", &db], 3);
    assert!(said.contains(&std::process::id().to_string()), "{said}");
    assert_eq!(
        check(&["scan", &db, "planes", "--json"], 0).lines().count(),
        3
    );
    drop(holder);
    check(&["snapshot", &db], 0);
}

/// A pipe that nobody writes to is refused before it is opened: that would wait for ever.
#[test]
#[cfg(unix)]
fn a_pipe_is_refused_and_not_waited_for() {
    use std::os::unix::fs::OpenOptionsExt;
    let case = Case::new();
    let pipe = case.path("pipe.csv");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let mut child = Command::new(env!("CARGO_BIN_EXE_cairn"))
        .args(["import", &case.path("db"), "t", &pipe])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let no_wait = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap();
    while child.try_wait().unwrap().is_none() {
        // This works only while somebody has it open for reading.
        let writer = fs::OpenOptions::new()
            .write(true)
            .custom_flags(no_wait)
            .open(&pipe);
        assert!(writer.is_err(), "the pipe was opened");
        std::thread::yield_now();
    }
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("not a regular file"), "{said}");
}

#[test]
fn the_demo_shows_the_main_job() {
    let case = Case::new();
    let dir = case.path("a demo's directory");
    let output = Command::new(env!("CARGO_BIN_EXE_cairn"))
        .args(["demo", &dir])
        // So that it names itself, and not how the repository runs it.
        .env_remove("CARGO")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(
        said.contains("acknowledged flights is there, value for value"),
        "{said}"
    );
    assert!(said.contains("torn bytes off the end of the log"), "{said}");
    let (_, lines) = said.split_once("Now try:\n").unwrap();
    assert_eq!(lines.lines().count(), 3, "{said}");
    for line in lines.lines() {
        let pasted = Command::new("sh").args(["-c", line]).output().unwrap();
        assert_eq!(pasted.status.code(), Some(0), "{line}: {pasted:?}");
    }
}
