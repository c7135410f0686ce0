//! `backup` and `restore` as a shell sees them.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types
)]

#[path = "support/command.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod command;

use command::check;

#[test]
fn a_database_is_backed_up_brought_up_to_date_and_restored() {
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| root.path().join(name).display().to_string();
    let (db, copy, csv) = (path("db"), path("copy"), path("planes.csv"));
    std::fs::write(&csv, "tailnum,seats\nN1,55\nN2,182\n").unwrap();
    check(
        &["import", &db, "planes", &csv, "--primary-key", "tailnum"],
        0,
    );
    let said = check(&["backup", &db, &copy], 0);
    assert!(
        said.starts_with("backup through transaction 1: 0 transactions copied"),
        "{said}"
    );
    let early = check(&["digest", &db], 0);

    std::fs::write(&csv, "tailnum,seats\nN3,7\nN4,8\n").unwrap();
    check(
        &["import", &db, "planes", &csv, "--append", "--batch", "1"],
        0,
    );
    let said = check(&["backup", &db, &copy], 0);
    assert!(
        said.starts_with("backup through transaction 3: 2 transactions copied"),
        "{said}"
    );
    check(&["verify", &copy], 0);
    let late = check(&["digest", &db], 0);
    assert_eq!(check(&["digest", &copy], 0), late);
    assert_eq!(check(&["digest", &copy, "--at", "1"], 0), early);

    for (at, digest) in [("1", &early), ("3", &late)] {
        let restored = path(at);
        let said = check(&["restore", &copy, &restored, "--at", at], 0);
        assert!(
            said.starts_with(&format!("restored as of transaction {at}")),
            "{said}"
        );
        assert_eq!(&check(&["digest", &restored], 0), digest);
        let said = check(&["restore", &copy, &restored], 1);
        assert!(said.contains("is not empty"), "{said}");
    }
    let said = check(&["restore", &copy, &path("0"), "--at", "0"], 1);
    assert!(said.contains("no transaction 0 to go back to"), "{said}");

    // Another database, and one that has gone on without this one.
    check(&["import", &path("other"), "planes", &csv], 0);
    let said = check(&["backup", &db, &path("other")], 1);
    assert!(said.contains("holds something else"), "{said}");
    check(&["import", &path("1"), "planes", &csv, "--append"], 0);
    check(&["backup", &db, &path("1")], 1);
}
