//! The thread from end to end on a real disk: create, commit, SIGKILL, reopen.
//!
//! The processes that are killed are this test binary, run again for one test; see [`child`].
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;

use bootstrap::{ErrorClass, Origin};
use cairn::{
    ColumnType, Database, Error, NewTable, OpenError, Options, ReadOnlyDatabase, SnapshotPolicy,
    Transaction, Value, View,
};
use cairn_tests::ChildProcess;

/// How many rows a transaction inserts: never a part of them may be seen.
const ROWS: u64 = 3;

fn initialise(tx: &mut Transaction<'_>) -> Result<(), Error> {
    let rows = NewTable::new("rows")
        .column("group", ColumnType::U64)
        .column("number", ColumnType::U64)
        .column("text", ColumnType::String)
        .primary_key(&["group", "number"]);
    tx.create_table(&rows)
}

fn options() -> Options {
    Options {
        segment_bytes_max: 32 * 1024,
        snapshots: SnapshotPolicy {
            every_records: Some(40),
            prune: true,
            ..SnapshotPolicy::default()
        },
        ..Options::default()
    }
}

#[track_caller]
fn open(dir: &Path) -> Database {
    Database::open_with(dir, options(), initialise).unwrap()
}

/// Groups of rows: all of them whole, and numbered without a gap. Yields how many there are.
#[track_caller]
fn groups(view: &View) -> u64 {
    let mut groups: BTreeMap<u64, u64> = BTreeMap::new();
    for row in view.table("rows").unwrap().scan() {
        let row = row.unwrap();
        let (group, number): (u64, u64) = (row.get("group").unwrap(), row.get("number").unwrap());
        assert_eq!(row.get::<String>("text").unwrap(), text(group, number));
        *groups.entry(group).or_default() += 1;
    }
    for (expected, (group, rows)) in groups.iter().enumerate() {
        assert_eq!(*group, expected as u64, "a transaction is missing");
        assert_eq!(*rows, ROWS, "half a transaction");
    }
    groups.len() as u64
}

fn text(group: u64, number: u64) -> String {
    format!(
        "row {number} of {group} {}",
        "x".repeat(usize::try_from(group % 60).unwrap())
    )
}

/// Not a test of its own: what the killed processes do.
#[test]
fn child() {
    let Some((dir, way)) = ChildProcess::orders() else {
        return;
    };
    if way == "initialise" {
        let stuck = |tx: &mut Transaction<'_>| -> Result<(), Error> {
            initialise(tx)?;
            ChildProcess::say("initialising", 0);
            loop {
                std::thread::park();
            }
        };
        drop(Database::open_with(&dir, options(), stuck));
    }
    let database = open(&dir);
    let from = groups(&database.view());
    ChildProcess::say("opened", from);
    if way == "idle" {
        loop {
            std::thread::park();
        }
    }
    for group in from.. {
        let written = database.write(|tx| {
            for number in 0..ROWS {
                let row = vec![
                    group.into(),
                    number.into(),
                    text(group, number).as_str().into(),
                ];
                tx.insert_row("rows", row)?;
            }
            Ok::<(), Error>(())
        });
        written.unwrap();
        ChildProcess::say("acknowledged", group);
    }
}

#[test]
fn what_was_acknowledged_survives_one_kill_after_the_other() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path().join("database");
    let mut known = 0;
    let mut from_snapshots = 0;
    for round in 0..8 {
        let mut child = ChildProcess::start("child", &dir, "commit");
        assert_eq!(child.hear().unwrap().0, "opened");
        let enough = known + 7 + 23 * round;
        while known < enough {
            let (what, group) = child.hear().unwrap();
            assert_eq!(what, "acknowledged");
            known = group + 1;
        }
        child.kill();
        // What it had still said before it died was acknowledged too.
        while let Some((_, group)) = child.hear() {
            known = group + 1;
        }
        let database = open(&dir);
        let found = groups(&database.view());
        assert!(found >= known, "round {round}: {found} of {known} are left");
        assert!(
            found <= known + 1,
            "round {round}: {found} for {known}, one was on its way"
        );
        assert!(!database.report().was_closed);
        from_snapshots += u64::from(matches!(database.report().origin, Origin::Snapshot { .. }));
        assert_eq!(groups(&ReadOnlyDatabase::open(&dir).unwrap().view()), found);
        known = found;
        // Some rounds end with a close, some with a drop.
        if round % 2 == 0 {
            database.close().unwrap();
        }
    }
    assert!(
        from_snapshots > 0,
        "the policy makes snapshots while commits go on"
    );
}

#[test]
fn a_second_process_is_refused_and_told_who_holds_the_database() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path();
    let mut child = ChildProcess::start("child", dir, "idle");
    assert_eq!(child.hear().unwrap().0, "opened");
    let refused = Database::open_with(dir, options(), initialise).unwrap_err();
    let OpenError::Database(error) = refused else {
        panic!("the initialiser must not run: {refused}");
    };
    assert_eq!(error.class(), ErrorClass::Locked);
    let message = error.to_string();
    let words = message.split(|letter: char| !letter.is_ascii_digit());
    let pid = child.id().to_string();
    assert!(
        words.into_iter().any(|word| word == pid),
        "{message} does not name {pid}"
    );
    // Reading goes on beside it.
    assert_eq!(groups(&ReadOnlyDatabase::open(dir).unwrap().view()), 0);
    // The lock file that is left behind blocks nobody.
    child.kill();
    let names = disk::OsDir::open(dir).unwrap();
    let names = disk::Dir::list(&*names).unwrap();
    assert!(names.iter().any(|entry| entry.name == "lock"));
    open(dir).close().unwrap();
}

#[test]
fn an_initialiser_that_fails_or_is_killed_leaves_nothing_that_a_later_open_trips_over() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path().join("database");
    let no_database = |dir: &Path| {
        let options = Options {
            create: false,
            ..options()
        };
        match Database::open_with(dir, options, initialise) {
            Err(OpenError::Database(bootstrap::Error::NoDatabase { .. })) => {}
            other => panic!("{other:?}"),
        }
    };
    // It fails after it has written a lot.
    let failing = |tx: &mut Transaction<'_>| {
        initialise(tx)?;
        for number in 0..1000 {
            tx.insert_row("rows", vec![0u64.into(), Value::from(number), "x".into()])?;
        }
        tx.insert_row("no such table", Vec::new()).map(drop)
    };
    let error = Database::open_with(&dir, options(), failing).unwrap_err();
    assert!(matches!(error, OpenError::Initialiser(_)), "{error}");
    no_database(&dir);
    // It panics.
    let panicking = |_: &mut Transaction<'_>| -> Result<(), Error> { panic!("on purpose") };
    let caught = std::panic::catch_unwind(|| Database::open_with(&dir, options(), panicking));
    assert!(caught.is_err());
    no_database(&dir);
    // It is killed.
    let mut child = ChildProcess::start("child", &dir, "initialise");
    assert_eq!(child.hear().unwrap().0, "initialising");
    child.kill();
    no_database(&dir);
    // And then it succeeds.
    let database = open(&dir);
    assert_eq!(database.report().origin, Origin::Created);
    assert_eq!(groups(&database.view()), 0);
    database.close().unwrap();
    assert_eq!(open(&dir).report().origin, Origin::Genesis);
}
