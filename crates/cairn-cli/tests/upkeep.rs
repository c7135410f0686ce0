//! `snapshots`, `prune` and `repair` as a shell sees them, on sound directories and on damaged ones.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types
)]

#[path = "support/command.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod command;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use command::check;
use tempfile::TempDir;

/// A database with the rows of `seats` in one transaction each, in a directory that is removed afterwards.
struct Planes {
    root: TempDir,
    rows: u32,
}

impl Planes {
    fn new() -> Planes {
        let root = tempfile::tempdir().unwrap();
        let mut planes = Planes { root, rows: 0 };
        planes.import(&["--primary-key", "tailnum"]);
        planes
    }

    fn dir(&self) -> PathBuf {
        self.root.path().join("db")
    }

    fn import(&mut self, options: &[&str]) {
        self.rows += 1;
        let csv = self.root.path().join("planes.csv");
        std::fs::write(&csv, format!("tailnum,seats\nN{},55\n", self.rows)).unwrap();
        let dir = self.dir();
        let line = [
            "import",
            dir.to_str().unwrap(),
            "planes",
            csv.to_str().unwrap(),
        ];
        check(&[&line, options].concat(), 0);
    }

    /// One more transaction, and a snapshot of it.
    fn snapshot(&mut self) {
        self.import(&["--append"]);
        self.run("snapshot", &[], 0);
    }

    fn run(&self, verb: &str, options: &[&str], code: i32) -> String {
        let dir = self.dir();
        check(&[&[verb, dir.to_str().unwrap()], options].concat(), code)
    }

    /// The files but the lock, and what they hold.
    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        add_files(&self.dir(), &mut files);
        files.remove(&self.dir().join("lock"));
        files
    }

    /// The files of a part, by name.
    fn names(&self, part: &str) -> Vec<String> {
        let dir = self.dir().join(part);
        let mut names: Vec<String> = std::fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// The newest file of a part.
    fn newest(&self, part: &str) -> PathBuf {
        let name = self.names(part).pop().unwrap();
        self.dir().join(part).join(name)
    }
}

fn add_files(dir: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            add_files(&path, files);
        } else {
            let bytes = std::fs::read(&path).unwrap();
            files.insert(path, bytes);
        }
    }
}

fn flip(path: &Path, offset: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[offset] ^= 0x10;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn snapshots_are_listed_with_their_verdicts() {
    let mut planes = Planes::new();
    assert_eq!(planes.run("snapshots", &[], 0), "no snapshots\n");
    for _ in 0..3 {
        planes.snapshot();
    }
    let said = planes.run("snapshots", &[], 0);
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("transaction  line  pages"), "{said}");
    // Two are kept: the third one removed the first, and shares with it.
    assert_eq!(lines.len(), 3, "{said}");
    assert!(lines[1].starts_with("4            1     "), "{said}");
    assert!(lines[2].starts_with("3            2     "), "{said}");
    assert!(
        lines[1..].iter().all(|line| line.ends_with("sound")),
        "{said}"
    );
    let said = planes.run("snapshots", &["--json"], 0);
    assert!(
        said.starts_with("{\"transaction\":4,\"database_id\":"),
        "{said}"
    );
    assert!(said.contains("\"line\":2,"), "{said}");

    // The first page of the newest, whose file holds what has changed.
    flip(&planes.newest("snapshots"), 4096 + 700);
    for log in ["log", "log is away"] {
        let said = planes.run("snapshots", &[], 2);
        let lines: Vec<&str> = said.lines().collect();
        assert!(lines[1].contains("DAMAGED: "), "{log}: {said}");
        assert!(lines[2].ends_with("sound"), "{log}: {said}");
        assert!(said.contains("1 of 2 snapshots can not be used"), "{said}");
        if log == "log" {
            std::fs::rename(planes.dir().join("log"), planes.dir().join("away")).unwrap();
        }
    }
    check(&["snapshots", planes.root.path().to_str().unwrap()], 1);
}

#[test]
fn a_dry_run_names_what_a_prune_removes() {
    let mut planes = Planes::new();
    planes.snapshot();
    let before = planes.files();
    let said = planes.run("prune", &["--dry-run"], 0);
    assert!(
        said.starts_with("would remove 0 files, 0 bytes\n"),
        "{said}"
    );
    assert!(
        said.contains("the log is cut only behind two good snapshots that share no byte"),
        "{said}"
    );
    assert!(
        said.contains(
            "the snapshot of transaction 2: there are not two good ones that share no byte"
        ),
        "{said}"
    );
    assert_eq!(planes.files(), before);

    for round in 0..4 {
        planes.snapshot();
        planes.import(&["--append"]);
        let before = planes.files();
        let would = planes.run("prune", &["--dry-run"], 0);
        assert_eq!(planes.files(), before, "round {round}");
        let did = planes.run("prune", &[], 0);
        assert_eq!(would.replace("would remove", "removed"), did);
        let after = planes.files();
        let removed = before.keys().filter(|path| !after.contains_key(*path));
        let named = did.lines().filter(|line| {
            line.starts_with("removed log/") || line.starts_with("removed snapshots/")
        });
        assert_eq!(removed.count(), named.count(), "{did}");
        assert!(
            did.contains("the newest segment, where the log goes on"),
            "{did}"
        );
        assert!(
            did.contains("the older one of two that share no byte"),
            "{did}"
        );
        assert!(did.contains("removed log/"), "{did}");
    }
    planes.run("verify", &[], 0);
}

#[test]
fn a_damaged_snapshot_counts_for_nothing() {
    let mut planes = Planes::new();
    planes.snapshot();
    planes.snapshot();
    flip(&planes.newest("snapshots"), 4096 + 700);
    let said = planes.run("prune", &["--dry-run"], 0);
    assert!(
        said.starts_with("would remove 0 files, 0 bytes\n"),
        "{said}"
    );
    assert!(
        said.contains("the snapshot of transaction 3 is damaged: it counts for nothing"),
        "{said}"
    );
    let log = planes.newest("log");
    flip(&log, 20);
    planes.run("prune", &["--dry-run"], 2);
}

#[test]
fn a_dry_run_names_what_a_repair_does() {
    let mut planes = Planes::new();
    planes.snapshot();
    let before = planes.files();
    let said = planes.run("repair", &["--dry-run"], 0);
    assert!(said.ends_with("nothing would be written\n"), "{said}");
    assert_eq!(planes.files(), before);

    // Bytes that no sync has proven, and what an interrupted snapshot left.
    let log = planes.newest("log");
    let mut bytes = std::fs::read(&log).unwrap();
    bytes.extend([0x55; 100]);
    std::fs::write(&log, bytes).unwrap();
    let left = planes
        .dir()
        .join("snapshots/00000000000000000009-0000000000000001.pack.tmp");
    std::fs::write(&left, "half").unwrap();
    let before = planes.files();
    let would = planes.run("repair", &["--dry-run"], 0);
    assert!(
        would.contains("cut 100 torn bytes off the end of the log"),
        "{would}"
    );
    let anew =
        "would have made log/00000000000000000003.log anew, 12288 bytes in the place of 12388";
    assert!(would.contains(anew), "{would}");
    assert!(
        would.contains("would have removed snapshots/00000000000000000009-"),
        "{would}"
    );
    assert_eq!(planes.files(), before);
    let did = planes.run("repair", &[], 0);
    // But for how long it took.
    let untimed = |said: &str| {
        let lines = said.lines().filter(|line| !line.starts_with("look "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let would = would.replace("would have ", "");
    assert_eq!(untimed(&would), untimed(&did));
    assert!(!left.exists());
    let said = planes.run("repair", &["--dry-run"], 0);
    assert!(said.ends_with("nothing would be written\n"), "{said}");
    planes.run("verify", &[], 0);
}

#[test]
fn a_lost_log_is_given_up_only_if_that_is_asked_for() {
    let mut planes = Planes::new();
    planes.snapshot();
    planes.import(&["--append"]);
    // A header of a segment has its own checksum.
    flip(&planes.newest("log"), 20);
    let before = planes.files();
    for options in [&["--dry-run"][..], &[]] {
        let said = planes.run("repair", options, 2);
        assert!(
            said.contains("with --from-snapshot the database would go on"),
            "{said}"
        );
        assert_eq!(planes.files(), before);
    }
    let would = planes.run("repair", &["--from-snapshot", "--dry-run"], 0);
    assert!(would.starts_with("restored database "), "{would}");
    assert!(
        would.contains("from its snapshot of transaction 2 alone"),
        "{would}"
    );
    assert!(would.contains("would have renamed 0"), "{would}");
    assert_eq!(planes.files(), before);
    planes.run("repair", &["--from-snapshot"], 0);
    planes.run("verify", &[], 0);
    let said = planes.run("scan", &["planes"], 0);
    assert!(said.contains("N2") && !said.contains("N3"), "{said}");
    check(
        &["repair", planes.root.path().to_str().unwrap(), "--dry-run"],
        1,
    );
}
