//! How much of a snapshot is checked before the database opens, and afterwards.
#![allow(clippy::unwrap_used)]

#[path = "fixture/fixture.rs"]
mod fixture;

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use bootstrap::{
    Database, Error, Maintenance, OpenReport, Options, Origin, ReadOptions, RejectedSnapshot,
    Rejection, SnapshotLoading, TxId,
};
use disk::SimDisk;
use fixture::*;
use table::{DamageKind, Damaged, Value};

/// Snapshots of transactions 1 and 2 with some twenty pages each, the log not pruned.
fn two_snapshots() -> SimDisk {
    let disk = SimDisk::new(1);
    let (database, _) = open_with(&disk, options()).unwrap();
    for first in [0, 5000] {
        let rows = |tx: &mut schema::WriteTransaction| {
            (first..first + 5000).try_for_each(|id| insert(tx, id))
        };
        database.write(rows).unwrap();
        database.snapshot().unwrap();
    }
    database.close().unwrap();
    disk
}

fn open_loading(disk: &SimDisk, loading: SnapshotLoading) -> (Database, OpenReport) {
    let options = Options {
        loading,
        ..options()
    };
    open_with(disk, options).unwrap()
}

/// One bit in the middle of the newest snapshot's pages. Yields where the page stands.
fn damage_newest(disk: &SimDisk) -> (String, u64) {
    let path = paths_in(disk, "snapshots/", ".pack").pop().unwrap();
    let pages = disk.read(&path).unwrap().len() as u64 / (32 << 10);
    let page_at = 4096 + pages / 2 * (32 << 10);
    disk.flip_bit(&path, page_at + 700, 5);
    (path, page_at)
}

#[test]
fn a_damaged_page_is_found_before_or_after_the_database_opens() {
    use SnapshotLoading::{Checked, Copied, Mapped};
    let disk = two_snapshots();
    let whole = open_loading(&disk, Checked).0.digest().unwrap();
    let (path, page_at) = damage_newest(&disk);
    for loading in [Checked, Copied] {
        let (database, report) = open_loading(&disk, loading);
        assert_eq!(report.origin, Origin::Snapshot { tx: TxId(1) });
        assert_eq!(report.snapshots_rejected.len(), 1);
        assert_eq!(database.digest().unwrap(), whole);
        assert!(matches!(database.maintain().unwrap(), Maintenance::Idle));
    }
    let (database, report) = open_loading(&disk, Mapped);
    assert_eq!(report.origin, Origin::Snapshot { tx: TxId(2) });
    let error = database.digest().unwrap_err().to_string();
    assert!(
        error.contains(&format!("{path} at byte {page_at}")),
        "{error}"
    );
}

#[test]
fn what_was_only_mapped_is_verified_step_by_step() {
    let disk = two_snapshots();
    for is_damaged in [false, true] {
        let place = is_damaged.then(|| damage_newest(&disk));
        let (database, _) = open_loading(&disk, SnapshotLoading::Mapped);
        // What is written meanwhile is not in the way.
        put(&database, 10_000 + u64::from(is_damaged));
        let mut steps = Vec::new();
        loop {
            match database.maintain().unwrap() {
                Maintenance::Idle => break,
                step => steps.push(step),
            }
        }
        let (last, before) = steps.split_last().unwrap();
        assert!(
            before
                .iter()
                .all(|step| matches!(step, Maintenance::Verifying))
        );
        let Maintenance::Verified { damaged } = last else {
            panic!("{last:?}");
        };
        assert_eq!(damaged.len(), usize::from(is_damaged), "{damaged:?}");
        let failure = database.info().unwrap().background_failure;
        assert_eq!(failure.is_some(), is_damaged, "{failure:?}");
        if let Some((path, page_at)) = place {
            let place = format!("{path} at byte {page_at}");
            let (failure, page) = (failure.unwrap(), damaged[0].to_string());
            assert!(failure.contains(&place), "{failure}");
            assert!(page.contains(&place), "{page}");
        }
    }
}

/// A transaction of the log may be the first to need a page. That the page is damaged is no fault of the log's.
#[test]
fn a_snapshot_that_a_replay_finds_damaged_is_rejected_as_any_other() {
    let loading = SnapshotLoading::Mapped;
    let disk = two_snapshots();
    let (database, _) = open(&disk);
    put_all(&database, 10_000..10_003);
    let delete = |tx: &mut schema::WriteTransaction| tx.delete("notes", &[Value::from(7_u64)]);
    database.write(delete).unwrap();
    let (whole, tx) = (database.digest().unwrap(), database.view().tx());
    database.close().unwrap();

    let path = paths_in(&disk, "snapshots/", ".pack").pop().unwrap();
    let places = (4096..disk.read(&path).unwrap().len() as u64).step_by(32 << 10);
    let (mut rejected, mut used) = (0, 0);
    let mut check = |origin, reasons: &[RejectedSnapshot], digest: Result<[u8; 32], Error>| {
        let Some(first) = reasons.first() else {
            assert_eq!(origin, Origin::Snapshot { tx: TxId(2) });
            used += 1;
            return;
        };
        let reason = first.reason.to_string();
        if matches!(first.reason, Rejection::Unfit(_)) {
            assert!(reason.contains(&format!("{path} at byte ")), "{reason}");
            rejected += 1;
        }
        assert_eq!((reasons.len(), first.tx), (1, TxId(2)));
        assert_eq!(origin, Origin::Snapshot { tx: TxId(1) });
        assert_eq!(digest.unwrap(), whole);
    };
    for at in places {
        let disk = disk.fork();
        disk.flip_bit(&path, at + 700, 5);
        let options = ReadOptions {
            loading,
            ..ReadOptions::default()
        };
        let (reader, report) = read_with(&disk, &options).unwrap();
        assert_eq!(reader.view().tx(), tx);
        check(report.origin, &report.snapshots_rejected, reader.digest());
        let (database, report) = open_loading(&disk, loading);
        assert_eq!(database.view().tx(), tx);
        let reasons = report.snapshots_rejected;
        check(report.origin, &reasons, database.digest());
        if !reasons.is_empty() {
            let next = put(&database, 20_000);
            assert_eq!(database.snapshot().unwrap().tx, next);
        }
    }
    assert!(rejected >= 6, "{rejected} by a replay");
    assert!(used >= 6, "{used} used all the same");
}

/// Each byte of what stands besides the pages: whatever of it is needed to open is found damaged, in a file and at a byte that the report names.
#[test]
fn a_rejected_snapshot_is_rejected_with_file_and_byte() {
    use SnapshotLoading::{Checked, Copied, Mapped};
    let disk = two_snapshots();
    let path = paths_in(&disk, "snapshots/", ".pack").pop().unwrap();
    let pack = disk.read(&path).unwrap();
    let mut places = (4096..pack.len()).step_by(4096);
    let small_at = places.find(|at| pack[*at..].starts_with(b"node")).unwrap();
    let mut rejected = [0; 3];
    let bytes = (small_at..pack.len()).filter(|byte| pack[*byte] != 0);
    for byte in bytes.step_by(61) {
        let disk = disk.fork();
        disk.flip_bit(&path, byte as u64, u32::try_from(byte % 8).unwrap());
        for (place, loading) in [Checked, Copied, Mapped].into_iter().enumerate() {
            let (database, report) = open_loading(&disk, loading);
            assert_eq!(database.view().tx(), TxId(2));
            for reason in report.snapshots_rejected {
                let text = reason.reason.to_string();
                assert!(
                    text.starts_with(&format!("{path} is damaged at byte")),
                    "{text}"
                );
                rejected[place] += 1;
            }
        }
    }
    assert!(rejected.iter().all(|count| *count > 30), "{rejected:?}");
}

/// Whatever a database does, with the newest snapshot or with the one before: it goes on, and leaves alone what is there.
#[test]
fn a_directory_in_the_place_of_a_pack_costs_that_snapshot_alone() {
    use SnapshotLoading::{Checked, Copied, Mapped};
    let before = two_snapshots();
    let paths = paths_in(&before, "snapshots/", ".pack");
    for (path, other) in paths.iter().zip(&[TxId(2), TxId(1)]) {
        for loading in [Checked, Copied, Mapped] {
            let disk = before.fork();
            disk.delete(path);
            let snapshots = disk.root().open_dir("snapshots").unwrap();
            let name = path.strip_prefix("snapshots/").unwrap();
            snapshots.create_dir(name).unwrap();
            let (database, report) = open_loading(&disk, loading);
            assert_eq!(notes(&database.view()), expected(0..10_000));
            assert_eq!(report.origin, Origin::Snapshot { tx: *other });
            let reasons = report.snapshots_rejected.iter();
            let rejected: Vec<String> = reasons.map(|it| it.reason.to_string()).collect();
            assert_eq!(rejected, [format!("{path} is damaged at byte 0: NotAFile")]);
            put(&database, 10_000);
            database.snapshot().unwrap();
            put(&database, 10_001);
            database.snapshot().unwrap();
            assert_eq!(database.prune().unwrap().floor, Some(TxId(3)));
            database.scrub(&|_| ControlFlow::Continue(())).unwrap();
            database.close().unwrap();
            let listed = snapshots.list().unwrap();
            let found = listed.iter().find(|entry| entry.name == name).unwrap();
            assert_eq!(found.kind, disk::EntryKind::Dir);
            let (database, _) = open_loading(&disk, loading);
            assert_eq!(notes(&database.view()), expected(0..10_002));
        }
    }
}

fn long_text(id: u64) -> String {
    format!("{id} {}", "long ".repeat(1300))
}

/// Snapshots of transactions 1 and 2 with so many pages that several nodes lead to them.
fn two_large_snapshots() -> SimDisk {
    let disk = SimDisk::new(1);
    let (database, _) = open_with(&disk, options()).unwrap();
    for ids in [0..10, 10..700_u64] {
        let rows = |tx: &mut schema::WriteTransaction| {
            ids.clone().try_for_each(|id| {
                let cells = [
                    ("id", Value::from(id)),
                    ("text", Value::from(long_text(id).as_str())),
                ];
                tx.insert("notes", &cells).map(drop)
            })
        };
        database.write(rows).unwrap();
        database.snapshot().unwrap();
    }
    database.close().unwrap();
    disk
}

/// Where nodes over pages, and not over nodes, stand in a pack, and how long they are.
fn leaf_nodes(pack: &[u8]) -> Vec<(usize, usize)> {
    let starts = (0..pack.len()).step_by(8);
    let is_leaf = |at: &usize| pack[*at..].starts_with(b"node\x01");
    let leaves: Vec<usize> = starts.filter(is_leaf).collect();
    let length = |at: usize| 16 + 8 * usize::from(pack[at + 5]) + 56 * count_of(&pack[at..]);
    leaves.into_iter().map(|at| (at, length(at))).collect()
}

fn count_of(node: &[u8]) -> usize {
    let present: [u8; 8] = node[8..16].try_into().unwrap();
    u64::from_le_bytes(present).count_ones() as usize
}

fn maintain(database: &Database) -> Vec<Damaged> {
    loop {
        match database.maintain().unwrap() {
            Maintenance::Verifying => {}
            Maintenance::Verified { damaged } => return damaged,
            step => panic!("{step:?}"),
        }
    }
}

/// Reads each note by its key: how many are right, and how many can not be found. Those that were written again are known by their numbers.
fn read_all(database: &Database, written: &BTreeSet<u64>) -> (usize, usize) {
    let view = database.view();
    let notes = view.state().table("notes").unwrap();
    let key = notes.primary_key().unwrap().id;
    let (mut right, mut damaged) = (0, 0);
    for id in 0..700 {
        let row = notes.find(key, &[Value::from(id)]);
        match row.and_then(|row| row.unwrap().value(1)) {
            Ok(text) if written.contains(&id) => {
                assert_eq!(text, Value::from("new"));
                right += 1;
            }
            Ok(text) => {
                assert_eq!(text, Value::from(long_text(id).as_str()));
                right += 1;
            }
            Err(table::Error::Damaged(Damaged { kind, .. })) => {
                let kind = kind.to_string();
                assert!(kind.contains(".pack is damaged at byte"), "{kind}");
                damaged += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    (right, damaged)
}

/// A bit in a node that nobody needs to open the database: whoever needs it finds it damaged, all else is right, and who looks for damage finds it.
#[test]
fn a_damaged_node_is_found_when_it_is_used_and_in_the_background() {
    use SnapshotLoading::{Checked, Mapped};
    let disk = two_large_snapshots();
    let path = paths_in(&disk, "snapshots/", ".pack").pop().unwrap();
    let pack = disk.read(&path).unwrap();
    let nodes = leaf_nodes(&pack);
    assert_eq!(
        nodes
            .iter()
            .filter(|(_, length)| *length == 16 + 8 + 64 * 56)
            .count(),
        2
    );
    // The second of three over the pages: the first is needed for the catalog, the last to see how many there are.
    let (at, length) = nodes[1];
    for byte in (0..length).step_by(97) {
        let disk = disk.fork();
        let bit = u32::try_from(byte % 8).unwrap();
        disk.flip_bit(&path, (at + byte) as u64, bit);
        let (database, report) = open_loading(&disk, Mapped);
        assert_eq!(report.origin, Origin::Snapshot { tx: TxId(2) }, "{byte}");
        let (right, damaged) = read_all(&database, &BTreeSet::new());
        assert!(right > 100 && damaged > 100, "{byte}: {right} {damaged}");
        let is_written = |id: &u64| {
            let cells = [("text", Value::from("new"))];
            let written = database.write(|tx| tx.update("notes", &[Value::from(*id)], &cells));
            written.is_ok()
        };
        let written: BTreeSet<u64> = (0..700).filter(is_written).collect();
        assert!(written.len() > 100, "{byte}: {written:?}");
        assert_eq!(read_all(&database, &written), (right, damaged));
        let found = maintain(&database);
        let [page] = &found[..] else {
            panic!("{found:?}");
        };
        assert!(matches!(page.kind, DamageKind::Unlisted(_)), "{page}");
        let place = format!("{} is damaged at byte {at}", path);
        assert!(page.to_string().contains(&place), "{page}");
        let failure = database.info().unwrap().background_failure.unwrap();
        assert!(
            failure.contains(path.rsplit('/').next().unwrap()),
            "{failure}"
        );
        let scrubbed = database
            .scrub(&|_| std::ops::ControlFlow::Continue(()))
            .unwrap();
        assert_eq!(scrubbed.findings.len(), 1, "{byte}: {scrubbed:?}");
        drop(database);
        let (database, report) = open_loading(&disk, Checked);
        assert_eq!(report.origin, Origin::Snapshot { tx: TxId(1) }, "{byte}");
        assert_eq!(
            database.view().state().table("notes").unwrap().row_count(),
            700
        );
    }
}

/// What has not changed since the snapshot that was mapped is not looked at for the next one: a page that is damaged there is not in the way.
#[test]
fn a_snapshot_of_a_mapped_state_looks_at_what_has_changed_alone() {
    let disk = SimDisk::new(1);
    let (database, _) = open_with(&disk, options()).unwrap();
    let rows = |tx: &mut schema::WriteTransaction| (0..20_000).try_for_each(|id| insert(tx, id));
    database.write(rows).unwrap();
    for id in 20_000..20_002 {
        database.snapshot().unwrap();
        put(&database, id);
    }
    database.close().unwrap();
    damage_newest(&disk);
    let (database, _) = open_loading(&disk, SnapshotLoading::Mapped);
    put(&database, 20_002);
    let written = database.snapshot().unwrap();
    assert!(written.file_bytes < 300_000, "{written:?}");
    assert_eq!(maintain(&database).len(), 1);
}

/// What the next snapshot needs to know of the one that was mapped is read when it is written: it stores what has changed, as ever.
#[test]
fn a_snapshot_of_a_mapped_state_stores_what_has_changed() {
    use SnapshotLoading::{Checked, Mapped};
    let disk = two_large_snapshots();
    let mut files = Vec::new();
    for loading in [Checked, Mapped] {
        let disk = disk.fork();
        let (database, _) = open_loading(&disk, loading);
        let mut bytes = Vec::new();
        for id in 1000..1004 {
            put(&database, id);
            bytes.push(database.snapshot().unwrap().file_bytes);
        }
        assert!(bytes[2] < 400_000, "{bytes:?}");
        let digest = database.digest().unwrap();
        database.close().unwrap();
        assert_eq!(open_loading(&disk, Checked).0.digest().unwrap(), digest);
        files.push(
            paths_in(&disk, "snapshots/", ".pack")
                .into_iter()
                .map(|path| disk.read(&path).unwrap())
                .collect::<Vec<_>>(),
        );
    }
    assert!(files[0] == files[1], "the same history, the same files");
}
