//! Snapshots that store what has changed, in two lines that share no byte.
#![allow(clippy::unwrap_used)]

#[path = "fixture/fixture.rs"]
mod fixture;

use std::ops::ControlFlow;

use bootstrap::{Database, Options, Origin, SnapshotInfo, SnapshotPolicy, TxId};
use disk::{Call, Operation, SimDisk};
use fixture::*;
use schema::{NewTable, WriteTransaction};
use snapshot::{Manifest, Snapshots};
use table::{ColumnType, Value};

/// Enough for some two hundred pages.
const ROWS: u64 = 60_000;
const PAGE: u64 = 32 << 10;

/// Commits rows with the keys given, all at once.
fn load(database: &Database, ids: impl Iterator<Item = u64>) {
    let (_, committed) = database
        .write(|tx| ids.into_iter().try_for_each(|id| insert(tx, id)))
        .unwrap();
    committed.tx.unwrap();
}

fn loaded(disk: &SimDisk) -> Database {
    let (database, _) = open_with(disk, options()).unwrap();
    load(&database, 1..=ROWS);
    database
}

/// Changes one row.
fn change(database: &Database, id: u64) {
    let change = |tx: &mut WriteTransaction| {
        tx.delete("notes", &[id.into()])?;
        insert(tx, id + ROWS)
    };
    database.write(change).unwrap();
}

fn manifests(disk: &SimDisk) -> Vec<Manifest> {
    let reading = snapshot::Options {
        read_only: true,
        ..snapshot::Options::default()
    };
    let dir = disk.root().open_dir("snapshots").unwrap();
    let snapshots = Snapshots::open(dir, reading).unwrap();
    let listing = snapshots.list().unwrap();
    assert!(listing.rejected.is_empty());
    for manifest in &listing.sound {
        let read_back = snapshots.read_back(manifest, &mut |_| ControlFlow::Continue(()));
        read_back.unwrap();
    }
    listing.sound
}

fn bytes_in(disk: &SimDisk, dir: &str) -> u64 {
    let paths = paths_in(disk, dir, "");
    paths
        .iter()
        .map(|path| disk.read(path).unwrap().len() as u64)
        .sum()
}

#[test]
fn a_snapshot_stores_what_has_changed_since_the_last_but_one() {
    let disk = SimDisk::new(1);
    let mut database = loaded(&disk);
    let mut state = 0;
    for round in 1..=12 {
        change(&database, round);
        let written = database.snapshot().unwrap();
        assert!(written.page_count > 150, "{written:?}");
        if round <= 2 {
            // The first of each line.
            state = written.page_count * PAGE;
            assert!(written.file_bytes >= state, "{written:?}");
            assert!(written.content_bytes >= state, "{written:?}");
        } else {
            // Of two transactions: two rows, a leaf or two of the key, the heads of tables.
            assert!(written.file_bytes < 14 * PAGE, "round {round}: {written:?}");
            assert!(written.content_bytes < 14 * PAGE, "{written:?}");
        }
        let [new, old] = &manifests(&disk)[..] else {
            assert_eq!(round, 1);
            continue;
        };
        assert!(!new.shares_bytes_with(old));
        assert!(bytes_in(&disk, "snapshots/") < 2 * state + 40 * 14 * PAGE);
        if round % 4 == 0 {
            // A new process goes on with both lines.
            let digest = database.digest().unwrap();
            drop(database);
            let report;
            (database, report) = open_with(&disk, options()).unwrap();
            assert!(matches!(report.origin, Origin::Snapshot { .. }));
            assert_eq!(database.digest().unwrap(), digest);
        }
    }
}

/// Makes tables of twenty columns with a row each.
fn make_tables(database: &Database, count: u64) {
    let columns: Vec<String> = (0..20).map(|number| format!("column {number}")).collect();
    let make = |tx: &mut WriteTransaction| {
        (0..count).try_for_each(|number| {
            let name = format!("table {number}");
            let table = columns.iter().fold(NewTable::new(&name), |table, column| {
                table.column(column, ColumnType::U64)
            });
            tx.create_table(&table.primary_key(&[&columns[0]]))?;
            let cells = columns.iter().map(|column| (column.as_str(), 1_u64.into()));
            tx.insert(&name, &cells.collect::<Vec<_>>()).map(drop)
        })
    };
    database.write(make).unwrap();
}

/// As many tables as there are, a changed row costs its page and the head of its table.
#[test]
fn a_snapshot_looks_at_the_heads_of_tables_that_have_changed() {
    let mut looked_at = Vec::new();
    for tables in [40, 400] {
        let disk = SimDisk::new(1);
        let (database, _) = open_with(&disk, options()).unwrap();
        make_tables(&database, tables);
        let mut last = Vec::new();
        for round in 0..6_u64 {
            let name = format!("table {}", round * 7);
            let update = |tx: &mut WriteTransaction| {
                let cells = [("column 7", (round + 2).into())];
                tx.update(&name, &[1_u64.into()], &cells).map(drop)
            };
            database.write(update).unwrap();
            let written = database.snapshot().unwrap();
            last.push(written.content_bytes);
        }
        looked_at.push(last.split_off(2));
        let digest = database.digest().unwrap();
        database.close().unwrap();
        let (database, report) = open_with(&disk, options()).unwrap();
        assert_eq!(report.records_replayed, 0);
        assert_eq!(database.digest().unwrap(), digest);
    }
    // Two rows, each in a page of its own, and two heads.
    assert!(
        looked_at[0]
            .iter()
            .all(|bytes| (2 * PAGE..3 * PAGE).contains(bytes)),
        "{looked_at:?}"
    );
    assert_eq!(looked_at[0], looked_at[1]);
}

/// The calls about the directory of snapshots and its files since call `first`.
fn calls_about_snapshots(disk: &SimDisk, first: u64) -> Vec<Call> {
    let calls = disk
        .calls()
        .into_iter()
        .skip(usize::try_from(first).unwrap());
    calls
        .filter(|call| call.path.to_string_lossy().contains("snapshots"))
        .collect()
}

/// A snapshot that removes another one, and a prune, look through the directory once each, and no file is read by both the look and a second one.
#[test]
fn the_directory_is_looked_through_once_for_each_snapshot() {
    let disk = SimDisk::new(1);
    let (database, _) = open_with(&disk, small_segments()).unwrap();
    load(&database, 1..=2000);
    for round in 1..=9 {
        change(&database, round);
        database.snapshot().unwrap();
    }
    change(&database, 10);
    disk.record();
    for step in ["snapshot", "prune"] {
        let there = paths_in(&disk, "snapshots/", ".pack");
        assert!(there.len() > 3, "{there:?}");
        let first = disk.call_count();
        match step {
            "snapshot" => assert_eq!(database.snapshot().unwrap().removed.len(), 1),
            _ => assert!(database.prune().unwrap().floor.is_some()),
        }
        let calls = calls_about_snapshots(&disk, first);
        let lists = calls
            .iter()
            .filter(|call| call.operation == Operation::List);
        assert_eq!(lists.count(), 1, "{step}: {calls:?}");
        for path in there {
            let opened = calls.iter().filter(|call| {
                call.operation == Operation::Open && call.path.to_string_lossy() == path
            });
            // To look, to read back what is shared, and one to withdraw it and one to look again.
            let most = if step == "snapshot" { 4 } else { 1 };
            let opened = opened.count();
            assert!(
                (1..=most).contains(&opened),
                "{step}: {path} was opened {opened} times"
            );
        }
    }
}

/// One flipped bit in a page that snapshots share: the other line is whole, and the line begins anew.
#[test]
fn a_line_that_goes_bad_is_left_and_written_anew() {
    for bad in [0, 1] {
        let disk = SimDisk::new(1);
        let database = loaded(&disk);
        let mut last = TxId(0);
        for round in 1..=6 {
            change(&database, round);
            last = database.snapshot().unwrap().tx;
        }
        database.close().unwrap();
        let kept = manifests(&disk);
        let paths = kept[bad].pack_names();
        let first = paths
            .map(|name| format!("snapshots/{name}"))
            .max_by_key(|path| disk.read(path).unwrap().len());
        disk.flip_bit(first.unwrap(), 40 * PAGE, 3);
        let found = SnapshotInfo::read_back_all(&*disk.root()).unwrap();
        let rejected: Vec<bool> = found.iter().map(|it| it.rejected.is_some()).collect();
        assert_eq!(rejected, [bad == 0, bad == 1]);
        let (database, report) = open_with(&disk, options()).unwrap();
        let tx = TxId(kept[1 - bad].header().tx);
        assert_eq!(report.origin, Origin::Snapshot { tx });
        assert_eq!(database.view().tx(), last);
        // One of the next two would lie on the bad page: it is found, and stored anew.
        let mut whole = 0;
        for round in 7..=10 {
            change(&database, round);
            let written = database.snapshot().unwrap();
            whole += usize::from(written.file_bytes > written.page_count * PAGE);
        }
        assert_eq!(whole, 1);
        drop(database);
        let [new, old] = &manifests(&disk)[..] else {
            panic!("two are kept");
        };
        assert!(!new.shares_bytes_with(old));
    }
}

/// Bytes that go bad under a process that has read them back: they are found, and stored anew, before many more snapshots lie on them.
#[test]
fn what_goes_bad_after_it_was_read_back_is_found_before_long() {
    // In the header of the first file of a line, and in a page there.
    for (byte, rounds) in [(20, 2), (40 * PAGE, 40)] {
        let disk = SimDisk::new(1);
        let database = loaded(&disk);
        for round in 1..=4 {
            change(&database, round);
            database.snapshot().unwrap();
        }
        let first = paths_in(&disk, "snapshots/", ".pack").remove(0);
        disk.flip_bit(&first, byte, 3);
        let mut whole = 0;
        for round in 5..5 + rounds {
            change(&database, round);
            let written = database.snapshot().unwrap();
            whole += usize::from(written.file_bytes > written.page_count * PAGE);
        }
        assert_eq!(whole, 1, "byte {byte}");
        let found = SnapshotInfo::read_back_all(&*disk.root()).unwrap();
        assert!(
            found[..2].iter().all(|it| it.rejected.is_none()),
            "{found:?}"
        );
    }
}

/// Page numbers that no page has any more, and that the page table does not even reach.
#[test]
fn pages_that_are_gone_are_gone_in_each_line() {
    let disk = SimDisk::new(1);
    let (mut database, _) = open_with(&disk, options()).unwrap();
    load(&database, 1..=20_000);
    let more = |tx: &mut WriteTransaction| {
        let more = NewTable::new("more")
            .column("id", ColumnType::U64)
            .column("text", ColumnType::String)
            .primary_key(&["id"]);
        tx.create_table(&more)?;
        (0..50_000_u64).try_for_each(|id| {
            let text = Value::from(text_of(id).as_str());
            tx.insert("more", &[("id", id.into()), ("text", text)])
                .map(drop)
        })
    };
    database.write(more).unwrap();
    let highest = |database: &Database| {
        let view = database.view();
        let numbers = view.state().store().pages().iter();
        numbers.map(|(number, _)| number.get()).max().unwrap()
    };
    for round in 1..=2 {
        change(&database, round);
        database.snapshot().unwrap();
    }
    assert!(highest(&database) > 255);
    for round in 3..=6 {
        if round == 3 {
            let clear = |tx: &mut WriteTransaction| {
                (0..50_000_u64).try_for_each(|id| tx.delete("more", &[id.into()]).map(drop))
            };
            database.write(clear).unwrap();
            // One node of the page table reaches it, and more than one of the tree of hashes.
            assert!(
                (64..=255).contains(&highest(&database)),
                "{}",
                highest(&database)
            );
        }
        change(&database, round);
        let written = database.snapshot().unwrap();
        let pages = database.view().state().store().pages().page_count();
        assert_eq!(written.page_count, pages);
        assert_eq!(manifests(&disk)[0].blob_count(0), pages);
        let digest = database.digest().unwrap();
        drop(database);
        database = open_with(&disk, options()).unwrap().0;
        assert_eq!(database.digest().unwrap(), digest);
    }
}

/// What the disk is used for, under a steady load: two copies of the state and what is not needed in them yet, and the log since the older one.
#[test]
fn the_disk_is_bounded_under_a_steady_load() {
    let disk = SimDisk::new(1);
    let policy = SnapshotPolicy {
        every_records: Some(50),
        prune: true,
        ..SnapshotPolicy::by_hand()
    };
    let steady = Options {
        snapshots: policy,
        segment_bytes_max: 256 << 10,
        ..options()
    };
    let (database, _) = open_with(&disk, steady).unwrap();
    let rows = 20_000;
    load(&database, 1..=rows);
    let mut state = 0;
    for round in 0..1500 {
        let id = round % rows + 1;
        let rewrite = |tx: &mut WriteTransaction| {
            tx.delete("notes", &[(id + round / rows * rows).into()])?;
            insert(tx, id + (round / rows + 1) * rows)
        };
        database.write(rewrite).unwrap();
        while !matches!(database.maintain().unwrap(), bootstrap::Maintenance::Idle) {}
        if round == 200 {
            let pages = database.view().state().store().pages().page_count();
            state = pages * PAGE;
        }
        if state > 0 {
            let snapshots = bytes_in(&disk, "snapshots/");
            // A quarter and 4 MiB of each line may be unused.
            assert!(
                snapshots < state * 5 / 2 + (9 << 20),
                "{snapshots} of {state} in round {round}"
            );
            let log = bytes_in(&disk, "log/");
            assert!(log < 4 * (256 << 10) + (64 << 10), "{log} in round {round}");
        }
    }
}
