//! `scrub` as a shell sees it.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types
)]

#[path = "support/command.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod command;

use std::path::{Path, PathBuf};

use command::check;

fn packs(db: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(Path::new(db).join("snapshots")).unwrap();
    let mut packs: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    packs.sort();
    packs
}

fn flip(path: &Path, byte: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[byte] ^= 8;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn damage_is_named_and_rewritten_only_if_that_is_asked_for() {
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| root.path().join(name).display().to_string();
    let (db, csv) = (path("db"), path("planes.csv"));
    std::fs::write(&csv, "tailnum,seats\nN1,55\nN2,182\n").unwrap();
    check(
        &["import", &db, "planes", &csv, "--primary-key", "tailnum"],
        0,
    );
    assert!(check(&["scrub", &db], 0).contains("0 snapshots are whole"));
    check(&["snapshot", &db], 0);
    check(&["import", &db, "more", &csv], 0);
    check(&["snapshot", &db], 0);
    let whole: Vec<Vec<u8>> = packs(&db)
        .iter()
        .map(|it| std::fs::read(it).unwrap())
        .collect();
    assert!(check(&["scrub", &db], 0).contains("2 snapshots are whole; read 2 packs"));

    let bad = &packs(&db)[1];
    flip(bad, 4096 + 77);
    let said = check(&["scrub", &db], 2);
    assert!(
        said.contains(&format!("{} is damaged at byte 4096", bad.display())),
        "{said}"
    );
    let said = check(&["scrub", &db, "--json"], 2);
    assert!(said.contains("\"byte\":4096,"), "{said}");
    assert!(said.contains("\"sound\":[1]"), "{said}");
    assert_ne!(std::fs::read(bad).unwrap(), whole[1]);
    let said = check(&["scrub", &db, "--repair"], 0);
    assert!(said.contains("; rewritten from "), "{said}");
    assert!(said.contains("2 snapshots are whole"), "{said}");
    assert_eq!(std::fs::read(bad).unwrap(), whole[1]);
    check(&["verify", &db], 0);

    // A header of which nobody knows what it was: the file is of no use.
    flip(&packs(&db)[1], 20);
    assert!(check(&["scrub", &db], 2).contains("there is no sound copy"));
    let said = check(&["scrub", &db, "--repair"], 2);
    assert!(said.contains("set aside as "), "{said}");
    check(&["scrub", &db], 0);
    check(&["verify", &db], 0);
    check(&["scrub", &path("none")], 1);
}
