//! Every call of a life fails once. What was acknowledged is there after the next life and a power cut that ends it.
#![allow(clippy::unwrap_used)]

#[path = "fixture/fixture.rs"]
mod fixture;

use std::collections::BTreeSet;

use bootstrap::{Database, Options, Origin, SnapshotInfo, SyncPolicy, TxId, WriteError};
use disk::{Call, Fault, Operation, SimDisk};
use fixture::*;

const LIVES: u64 = 3;
const COMMITS: u64 = 6;

/// What became of the notes.
#[derive(Debug, Default)]
struct Outcome {
    acknowledged: BTreeSet<u64>,
    unknown: BTreeSet<u64>,
    refused: BTreeSet<u64>,
}

fn small(sync_policy: SyncPolicy) -> Options {
    Options {
        sync_policy,
        segment_bytes_max: 14 * 1024,
        ..options()
    }
}

/// Three lives of one process on one system, so that nothing between them tells the disk to write again what failed.
/// Each commits, rotates, writes a snapshot and prunes, whatever fails.
fn live(disk: &SimDisk, sync_policy: SyncPolicy) -> Outcome {
    let mut outcome = Outcome::default();
    for life in 0..LIVES {
        let Ok((database, _)) = open_with(disk, small(sync_policy)) else {
            continue;
        };
        for commit in 0..COMMITS {
            let id = life * COMMITS + commit;
            match try_put(&database, id) {
                Ok(_) => outcome.acknowledged.insert(id),
                Err(WriteError::Unknown { .. }) => outcome.unknown.insert(id),
                Err(_) => outcome.refused.insert(id),
            };
            match commit {
                2 => drop(database.snapshot()),
                4 => drop(database.prune()),
                _ => {}
            }
            let shown: BTreeSet<u64> = notes(&database.view()).into_keys().collect();
            assert!(outcome.acknowledged.is_subset(&shown), "{outcome:?}");
        }
        if life == 1 {
            drop(database);
        } else {
            drop(database.close());
        }
    }
    outcome
}

/// What is wrong with a disk that such lives left, if anything is.
fn flaw(disk: &SimDisk, policy: SyncPolicy, outcome: &Outcome) -> Option<String> {
    let database: Database = match open_with(disk, small(policy)) {
        Ok((database, _)) => database,
        Err(error) => return Some(format!("refused: {error}")),
    };
    let found: BTreeSet<u64> = notes(&database.view()).into_keys().collect();
    if !outcome.acknowledged.is_subset(&found) {
        let lost: Vec<_> = outcome.acknowledged.difference(&found).collect();
        return Some(format!("lost {lost:?}"));
    }
    if !outcome.refused.is_disjoint(&found) {
        return Some(format!("refused ones appear: {outcome:?}, {found:?}"));
    }
    None
}

fn check(policy: SyncPolicy, fault: Fault) {
    let disk = SimDisk::new(1);
    live(&disk, policy);
    let calls = disk.call_count();
    let mut flaws = Vec::new();
    for call in 0..calls {
        let disk = SimDisk::new(call);
        disk.fail_at(call, fault);
        let outcome = live(&disk, policy);
        disk.clear_faults();
        let mut ends = vec![("kill", disk.fork())];
        if policy == SyncPolicy::EveryCommit {
            let cuts = disk.power_cuts(6, call).into_iter();
            ends.extend(cuts.map(|disk| ("power cut", disk)));
        }
        for (end, left) in ends {
            if let Some(flaw) = flaw(&left, policy, &outcome) {
                let failed = &disk.calls()[usize::try_from(call).unwrap()];
                flaws.push(format!("{fault:?} at {failed:?}, {end}: {flaw}"));
            }
        }
    }
    let flaws = flaws.join("\n");
    assert!(flaws.is_empty(), "under {policy:?}:\n{flaws}");
}

#[test]
fn an_error_at_every_call() {
    check(SyncPolicy::EveryCommit, Fault::Eio);
}

#[test]
fn a_full_disk_at_every_call() {
    check(SyncPolicy::EveryCommit, Fault::Enospc);
}

#[test]
fn an_error_at_every_call_without_syncs() {
    check(SyncPolicy::Never, Fault::Eio);
}

/// The name of `log/` or `snapshots/` could not be made durable: the next try does not rest on it.
#[test]
fn a_directory_whose_name_failed_to_become_durable_is_made_anew() {
    let creating = SimDisk::new(1);
    open(&creating);
    let calls = creating.calls().into_iter();
    let syncs = calls.filter(|call| {
        call.operation == disk::Operation::SyncDir && *call.path == *std::path::Path::new(".")
    });
    // That of `log/`, and that of the identity.
    for sync in syncs.map(|call| call.number) {
        let disk = SimDisk::new(1);
        disk.fail_at(sync, Fault::Eio);
        refusal(&disk, options());
        let (database, _) = open(&disk);
        put_all(&database, 0..5);
        for cut in disk.power_cuts(16, sync) {
            assert_eq!(notes(&open(&cut).0.view()), expected(0..5), "sync {sync}");
        }
    }

    let disk = SimDisk::new(1);
    let (database, _) = open_with(&disk, small_segments()).unwrap();
    put_all(&database, 0..20);
    let before = disk.call_count();
    let trial = SimDisk::new(1);
    {
        let (database, _) = open_with(&trial, small_segments()).unwrap();
        put_all(&database, 0..20);
        assert_eq!(trial.call_count(), before);
        database.snapshot().unwrap();
    }
    let calls = trial
        .calls()
        .into_iter()
        .skip(usize::try_from(before).unwrap());
    let mut syncs = calls.filter(|call| {
        call.operation == disk::Operation::SyncDir && *call.path == *std::path::Path::new(".")
    });
    disk.fail_at(syncs.next().unwrap().number, Fault::Eio);
    assert!(syncs.next().is_none());
    database.snapshot().unwrap_err();
    for round in 1..4 {
        put_all(&database, round * 20..round * 20 + 20);
        database.snapshot().unwrap();
        database.prune().unwrap();
    }
    assert!(database.info().unwrap().log.base > bootstrap::TxId(0));
    for cut in disk.power_cuts(16, 1) {
        let (database, _) = open_with(&cut, small_segments()).unwrap();
        assert_eq!(notes(&database.view()), expected(0..80));
    }
}

/// Databases whose log has to be given up for a snapshot, each with the last transaction of that.
fn to_be_restored() -> Vec<(&'static str, SimDisk, u64)> {
    let harmed = |segment: usize, byte: u64| {
        let disk = sample();
        disk.flip_bit(&segments(&disk)[segment], byte, 3);
        disk
    };
    // One segment that goes on far beyond the snapshot.
    let long = SimDisk::new(1);
    let (database, _) = open(&long);
    put_all(&database, 1..=10);
    let other = long.fork();
    open(&other).0.snapshot().unwrap();
    long.root().create_dir_durable("snapshots").unwrap();
    transplant(&other, &long, "snapshots/");
    put_all(&database, 11..=20);
    drop(database);
    let last = long.read("log/00000000000000000000.log").unwrap();
    let last = last.iter().rposition(|byte| *byte != 0).unwrap();
    long.flip_bit("log/00000000000000000000.log", last as u64, 3);
    let lost = sample();
    lost.delete(segments(&lost).pop().unwrap());
    vec![
        ("the oldest header damaged", harmed(0, 0), 15),
        ("the newest header damaged", harmed(2, 0), 15),
        ("the only segment damaged at its end", long, 10),
        ("the newest segment lost", lost, 15),
    ]
}

/// A restore during which these calls fail, tried until it works, in one life of the system. Yields the calls that it took,
/// and what is wrong after a power cut that follows, if anything is.
fn restore_with_faults(before: &SimDisk, tx: u64, faults: &[u64]) -> (Vec<Call>, Option<String>) {
    let disk = before.fork();
    for fault in faults {
        disk.fail_at(*fault, Fault::Eio);
    }
    let mut attempts = 0;
    let database = loop {
        attempts += 1;
        assert!(attempts < 5, "{faults:?}");
        // Half of a restore is not taken for a database; a whole one is.
        if let Ok((database, report)) = open_with(&disk, small_segments()) {
            if attempts == 1 {
                return (disk.calls(), Some(format!("opened unasked: {report}")));
            }
            break database;
        }
        if let Ok((database, _)) = open_with(&disk, restoring()) {
            break database;
        }
    };
    let calls = disk.calls();
    disk.clear_faults();
    put_all(&database, 500..505);
    drop(database);
    let is_there = expected((1..=tx).chain(500..505));
    let contents = |disk: &SimDisk| {
        let paths = paths_in(disk, "log/", "").into_iter();
        paths.map(|path| disk.read(&path).unwrap()).collect()
    };
    let old: Vec<Vec<u8>> = contents(before);
    for cut in disk.power_cuts(8, faults.iter().sum()) {
        let flaw = match open_with(&cut, small_segments()) {
            Ok((database, _)) if notes(&database.view()) == is_there => {
                let kept: Vec<Vec<u8>> = contents(&cut);
                let is_gone = !old.iter().all(|bytes| kept.contains(bytes));
                is_gone.then(|| "an old segment is gone".to_owned())
            }
            Ok((_, report)) => Some(format!("not what was acknowledged: {report}")),
            Err(error) => Some(error.to_string()),
        };
        if flaw.is_some() {
            return (calls, flaw);
        }
    }
    (calls, None)
}

/// The calls from `first` on that change names or make them durable.
fn of_names(calls: &[Call], first: u64) -> Vec<u64> {
    let names = calls.iter().filter(|call| {
        call.number >= first && matches!(call.operation, Operation::Rename | Operation::SyncDir)
    });
    names.map(|call| call.number).collect()
}

/// Whatever fails during a restore, asked for again it is as good as one that worked at once, and keeps the old segments.
#[test]
fn an_error_at_every_call_of_a_restore() {
    let mut flaws = Vec::new();
    for (what, before, tx) in to_be_restored() {
        let mut check = |faults: &[u64]| {
            let (calls, flaw) = restore_with_faults(&before, tx, faults);
            if let Some(flaw) = flaw {
                let failed = faults
                    .iter()
                    .map(|call| &calls[usize::try_from(*call).unwrap()]);
                let failed: Vec<&Call> = failed.collect();
                flaws.push(format!("{what}, {failed:?} failed: {flaw}"));
            }
            calls
        };
        let calls = check(&[]);
        for call in &calls {
            let first = check(&[call.number]);
            if !of_names(std::slice::from_ref(call), 0).is_empty() {
                // What is done about it fails, too.
                for again in of_names(&first, call.number + 1) {
                    check(&[call.number, again]);
                }
            }
        }
    }
    assert!(
        flaws.is_empty(),
        "{} flaws:\n{}",
        flaws.len(),
        flaws.join("\n")
    );
}

/// Syncs since call `first`: what of.
fn syncs(disk: &SimDisk, first: u64) -> Vec<String> {
    let calls = disk
        .calls()
        .into_iter()
        .skip(usize::try_from(first).unwrap());
    let syncs =
        calls.filter(|call| matches!(call.operation, Operation::SyncFile | Operation::SyncDir));
    syncs
        .map(|call| call.path.to_string_lossy().into_owned())
        .collect()
}

fn sound_snapshots(disk: &SimDisk) -> usize {
    let found = SnapshotInfo::read_back_all(&*disk.root()).unwrap();
    found.iter().filter(|it| it.rejected.is_none()).count()
}

/// What an open rests on it makes durable itself: the end of the log. Snapshots are not given anything up for until later.
#[test]
fn an_open_of_what_was_closed_syncs_the_marks_of_the_log_alone() {
    let disk = sample();
    let newest = segments(&disk).pop().unwrap();
    disk.record();
    let first = disk.call_count();
    let (database, report) = open_with(&disk, small_segments()).unwrap();
    assert!(report.was_closed);
    assert_eq!(syncs(&disk, first), [newest]);
    // Now they are.
    let first = disk.call_count();
    assert!(database.prune().unwrap().floor.is_some());
    let of_snapshots = syncs(&disk, first);
    for path in ["snapshots".to_owned()]
        .into_iter()
        .chain(paths_in(&disk, "snapshots/", ".pack"))
    {
        assert!(of_snapshots.contains(&path), "{path} in {of_snapshots:?}");
    }
}

/// Disks with two snapshots and 20 rows, on which the last sync of the second one failed, and so did what would take it back; the process ended.
fn unsettled() -> Vec<SimDisk> {
    let start = SimDisk::new(1);
    let (database, _) = open_with(&start, small_segments()).unwrap();
    put_all(&database, 1..11);
    database.snapshot().unwrap();
    put_all(&database, 11..21);
    database.close().unwrap();
    let mut disks = Vec::new();
    for (first, second) in
        (0..80).flat_map(|first| (first + 1..first + 4).map(move |second| (first, second)))
    {
        let disk = start.fork();
        let (database, _) = open_with(&disk, small_segments()).unwrap();
        let calls = disk.call_count();
        disk.fail_at(calls + first, Fault::Eio);
        disk.fail_at(calls + second, Fault::Eio);
        let failed = database.snapshot().is_err();
        disk.clear_faults();
        drop(database);
        if failed && sound_snapshots(&disk) == 2 {
            disks.push(disk);
        }
    }
    assert!(!disks.is_empty());
    disks
}

/// The next process finds such a snapshot published, reads it back and prunes the log: a power cut then must not take it. Nor where a call of a prune before
/// fails, and something could not be read.
#[test]
fn a_snapshot_whose_last_sync_failed_is_made_durable_before_the_log_is_pruned() {
    let mut pruned = 0;
    for unsettled in unsettled() {
        for call in (0..30).map(Some).chain([None]) {
            let disk = unsettled.fork();
            let (database, _) = open_with(&disk, small_segments()).unwrap();
            let mut floor = None;
            if let Some(call) = call {
                disk.fail_at(disk.call_count() + call, Fault::Eio);
                floor = database.prune().ok().and_then(|done| done.floor);
                disk.clear_faults();
            }
            if floor.is_none() {
                floor = database.prune().unwrap().floor;
            }
            assert!(floor.is_some() || call.is_some());
            drop(database);
            if floor.is_none() {
                continue;
            }
            pruned += 1;
            for crashed in disk.power_cuts(3, 1) {
                let (database, _) = open_with(&crashed, small_segments()).unwrap();
                assert_eq!(notes(&database.view()), expected(1..21));
                assert_eq!(
                    sound_snapshots(&crashed),
                    2,
                    "call {call:?} of a prune failed"
                );
            }
        }
    }
    assert!(pruned > 30, "{pruned}");
}

/// The log is lost, and what is restored is such a snapshot: it is all that there is then. Whatever call of the restore fails, a power cut behind one that
/// succeeds takes nothing.
#[test]
fn a_snapshot_whose_last_sync_failed_is_made_durable_before_it_is_restored() {
    let mut restored = 0;
    for unsettled in unsettled() {
        delete_all(&unsettled, "log/");
        for call in (0..100).map(Some).chain([None]) {
            let disk = unsettled.fork();
            if let Some(call) = call {
                disk.fail_at(disk.call_count() + call, Fault::Eio);
            }
            let opened = open_with(&disk, restoring());
            disk.clear_faults();
            let Ok((database, report)) = opened else {
                assert!(call.is_some());
                continue;
            };
            if !matches!(report.origin, Origin::Restored { tx: TxId(20), .. }) {
                continue;
            }
            restored += 1;
            put(&database, 500);
            drop(database);
            for crashed in disk.power_cuts(3, 1) {
                let (database, _) = open_with(&crashed, small_segments()).unwrap();
                let found = notes(&database.view()).len();
                assert_eq!(found, 21, "call {call:?} of a restore failed");
            }
        }
    }
    assert!(restored > 10, "{restored}");
}
