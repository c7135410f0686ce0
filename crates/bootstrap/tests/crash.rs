//! Crash at every disk call of a life, and again at every call of the recovery: what was acknowledged is there, and what is there
//! is a prefix of what was written.
#![allow(clippy::unwrap_used)]

#[path = "fixture/fixture.rs"]
mod fixture;

use std::collections::BTreeMap;

use bootstrap::{Database, Error, OpenError, Options, ReadOptions, SyncPolicy, TxId};
use disk::{Crash, SimDisk};
use fixture::*;

/// What the program knew at some point.
#[derive(Debug, Default)]
struct Acknowledged {
    /// How many disk calls had been made, and the last transaction acknowledged by then.
    by_call: Vec<(u64, TxId)>,
    /// The content after each transaction.
    digests: BTreeMap<TxId, [u8; 32]>,
    /// From this call on, the program had asked to close.
    closing: u64,
}

impl Acknowledged {
    /// The last transaction acknowledged before the call with this number.
    fn before(&self, call: u64) -> Option<TxId> {
        let known = self.by_call.iter().take_while(|(made, _)| *made <= call);
        known.last().map(|(_, tx)| *tx)
    }

    fn note(&mut self, disk: &SimDisk, database: &Database, tx: TxId) {
        self.by_call.push((disk.call_count(), tx));
        self.digests
            .insert(tx, database.view_latest().digest().unwrap());
    }
}

/// Creates, commits, rotates, snapshots, prunes, closes.
fn live(disk: &SimDisk, options: Options) -> Acknowledged {
    let mut known = Acknowledged::default();
    let (database, _) = open_with(disk, options).unwrap();
    known.note(disk, &database, TxId(0));
    let mut id = 0;
    let mut commit = |count: u64, known: &mut Acknowledged| {
        for _ in 0..count {
            id += 1;
            let tx = put(&database, id);
            known.note(disk, &database, tx);
        }
    };
    commit(4, &mut known);
    database.snapshot().unwrap();
    commit(3, &mut known);
    database.snapshot().unwrap();
    database.prune().unwrap();
    commit(3, &mut known);
    database.snapshot().unwrap();
    database.prune().unwrap();
    commit(2, &mut known);
    known.closing = disk.call_count();
    database.close().unwrap();
    known
}

/// Opens what a crash left, checks it, goes on a little, and checks that again.
fn check(disk: &SimDisk, call: u64, known: &Acknowledged, is_durable: bool, context: &str) {
    let acknowledged = known.before(call);
    let database = match open_with(disk, options()) {
        Ok((database, _)) => database,
        Err(error) => panic!("{context}: {error}"),
    };
    let tx = database.view().tx();
    if let Some(acknowledged) = acknowledged.filter(|_| is_durable) {
        assert!(
            tx >= acknowledged,
            "{context}: {tx} is left of {acknowledged}"
        );
    }
    let digest = database.digest().unwrap();
    assert_eq!(
        Some(&digest),
        known.digests.get(&tx),
        "{context}: not a state there ever was, at {tx}"
    );
    assert_eq!(database.durable_through(), Some(tx));
    // What is reported durable survives the next power cut.
    let cut = disk.fork();
    cut.crash(Crash::Power(disk::Choice::Old));
    let (again, _) =
        open_with(&cut, options()).unwrap_or_else(|error| panic!("{context}, then cut: {error}"));
    assert_eq!(again.digest().unwrap(), digest, "{context}, then cut");
    drop(again);
    // Life goes on; a transaction that was cut never returns.
    put(&database, 1000);
    let next = database.digest().unwrap();
    database.close().unwrap();
    let (database, report) = open(disk);
    assert!(report.was_closed, "{context}");
    assert_eq!(database.digest().unwrap(), next, "{context}");
    drop(database);
    assert_eq!(read(disk).digest().unwrap(), next, "{context}");
}

fn small(sync_policy: SyncPolicy) -> Options {
    Options {
        sync_policy,
        segment_bytes_max: 14 * 1024,
        ..options()
    }
}

#[test]
fn a_kill_at_every_call_loses_nothing_that_was_acknowledged() {
    for sync_policy in [SyncPolicy::EveryCommit, SyncPolicy::Never] {
        let disk = SimDisk::new(1);
        disk.record();
        let known = live(&disk, small(sync_policy));
        let calls = disk.call_count();
        assert!(calls > 200, "{calls}");
        for call in 0..=calls {
            let context = format!("{sync_policy:?}, killed before call {call} of {calls}");
            check(&disk.state_before(call), call, &known, true, &context);
            if let Some(bytes) = disk.recorded_write_bytes(call).filter(|_| call < calls) {
                let context = format!("{sync_policy:?}, killed within write {call} of {calls}");
                check(
                    &disk.state_within(call, bytes / 2),
                    call,
                    &known,
                    true,
                    &context,
                );
            }
        }
    }
}

#[test]
fn a_power_cut_at_every_call_loses_nothing_that_was_durable() {
    for sync_policy in [SyncPolicy::EveryCommit, SyncPolicy::Never] {
        let disk = SimDisk::new(1);
        disk.record();
        let known = live(&disk, small(sync_policy));
        let calls = disk.call_count();
        for call in 0..=calls {
            let cuts = disk.state_before(call).power_cuts(5, call);
            for (number, cut) in cuts.into_iter().enumerate() {
                let context =
                    format!("{sync_policy:?}, power cut {number} before call {call} of {calls}");
                let is_durable = sync_policy == SyncPolicy::EveryCommit;
                check(&cut, call, &known, is_durable, &context);
            }
        }
    }
}

#[test]
fn a_crash_at_every_call_of_a_recovery_changes_nothing() {
    let disk = SimDisk::new(1);
    disk.record();
    let known = live(&disk, small(SyncPolicy::EveryCommit));
    let calls = disk.call_count();
    // Every 23rd crash point of the life, at every call of what follows.
    for call in (0..=calls).step_by(23) {
        let crashed = disk.state_before(call);
        crashed.crash(Crash::Power(disk::Choice::Seed(call)));
        let first = crashed.call_count();
        crashed.record();
        drop(open_with(&crashed, options()).unwrap());
        for recovery_call in first..=crashed.call_count() {
            let context = format!(
                "cut before call {call}, again before call {recovery_call} of the recovery"
            );
            let twice = crashed.state_before(recovery_call);
            twice.crash(Crash::Power(disk::Choice::Seed(recovery_call)));
            check(&twice, call, &known, true, &context);
        }
    }
}

/// Any error is fine but a wrong answer is not: every call of a life fails once.
#[test]
fn a_failing_call_never_leads_to_a_wrong_answer() {
    let count = {
        let disk = SimDisk::new(1);
        live(&disk, small(SyncPolicy::EveryCommit));
        disk.call_count()
    };
    for fault in [
        disk::Fault::Eio,
        disk::Fault::Enospc,
        disk::Fault::Interrupted,
        disk::Fault::Short,
    ] {
        for call in 0..count {
            let context = format!("{fault:?} at call {call}");
            let disk = SimDisk::new(call);
            disk.fail_at(call, fault);
            let mut known = Acknowledged::default();
            let mut unknown = None;
            try_to_live(&disk, &mut known, &mut unknown);
            disk.clear_faults();
            disk.crash(Crash::Power(disk::Choice::Seed(call)));
            let (database, _) = match open_with(&disk, options()) {
                Ok(opened) => opened,
                Err(error) => panic!("{context}: {error}"),
            };
            let tx = database.view().tx();
            let acknowledged = known.before(u64::MAX);
            assert!(
                Some(tx) >= acknowledged,
                "{context}: {tx} is left of {acknowledged:?}"
            );
            if Some(tx) > acknowledged && tx > TxId(0) {
                assert_eq!(Some(tx), unknown, "{context}: {tx} was refused");
            }
            let rows = notes(&database.view());
            assert_eq!(rows, expected(1..=tx.0), "{context}");
        }
    }
}

/// As [`live`], but an error ends the commits (if the outcome is unknown) or is passed over (if it was refused).
fn try_to_live(disk: &SimDisk, known: &mut Acknowledged, unknown: &mut Option<TxId>) {
    let database = match open_with(disk, small(SyncPolicy::EveryCommit)) {
        Ok((database, _)) => database,
        Err(OpenError::Database(_)) => return,
        Err(error) => panic!("{error}"),
    };
    known.by_call.push((0, TxId(0)));
    for step in 0..15 {
        match step {
            4 | 8 | 12 => drop(database.snapshot()),
            9 | 13 => drop(database.prune()),
            _ => {
                let id = database.view_latest().tx().0 + 1;
                match try_put(&database, id) {
                    Ok(tx) => known.by_call.push((0, tx)),
                    Err(bootstrap::WriteError::Unknown { tx, .. }) => {
                        *unknown = Some(tx);
                        assert!(matches!(
                            try_put(&database, id),
                            Err(bootstrap::WriteError::Refused(Error::Poisoned))
                        ));
                    }
                    Err(bootstrap::WriteError::Refused(_)) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }
    drop(database.close());
}

/// Readers beside a writer that is stopped at every call: never an error but that nothing is there yet, never a row too much.
#[test]
fn a_reader_beside_a_writer_at_every_call_sees_a_state_there_was() {
    let disk = SimDisk::new(1);
    disk.record();
    let known = live(&disk, small(SyncPolicy::EveryCommit));
    for call in 0..=disk.call_count() {
        let now = disk.state_before(call);
        let before = files(&now);
        match read_with(&now, &ReadOptions::default()) {
            Ok((database, _)) => {
                let tx = database.view().tx();
                assert!(Some(tx) >= known.before(call), "call {call}");
                assert_eq!(
                    Some(&database.digest().unwrap()),
                    known.digests.get(&tx),
                    "call {call}"
                );
            }
            Err(Error::NoDatabase { .. }) => assert_eq!(known.before(call), None, "call {call}"),
            Err(error) => panic!("call {call}: {error}"),
        }
        assert_eq!(files(&now), before, "call {call}");
    }
}

/// A crash at every call of a restore leaves something that the same restore, asked for again, gets right, and no old segment is lost.
#[test]
fn a_restore_that_is_cut_off_is_done_again() {
    let disk = SimDisk::new(1);
    live(&disk, small(SyncPolicy::EveryCommit));
    let newest = segments(&disk).pop().unwrap();
    disk.flip_bit(&newest, 12_288 + 40, 2);
    let restoring = || Options {
        restore_from_snapshots: true,
        ..options()
    };
    let contents = |disk: &SimDisk| -> Vec<Vec<u8>> {
        let paths = paths_in(disk, "log/", "").into_iter();
        paths.map(|path| disk.read(&path).unwrap()).collect()
    };
    let old = contents(&disk);
    assert!(old.len() > 1);
    let first = disk.call_count();
    disk.record();
    let (database, report) = open_with(&disk, restoring()).unwrap();
    assert!(matches!(report.origin, bootstrap::Origin::Restored { .. }));
    let (tx, digest) = (database.view().tx(), database.digest().unwrap());
    for call in first..=disk.call_count() {
        for (number, cut) in disk
            .state_before(call)
            .power_cuts(4, call)
            .into_iter()
            .enumerate()
        {
            let context = format!("power cut {number} before call {call}");
            let (database, _) = match open_with(&cut, restoring()) {
                Ok(opened) => opened,
                Err(error) => panic!("{context}: {error}"),
            };
            assert_eq!(
                (database.view().tx(), database.digest().unwrap()),
                (tx, digest),
                "{context}"
            );
            put(&database, 1000);
            database.close().unwrap();
            let kept = contents(&cut);
            assert!(old.iter().all(|bytes| kept.contains(bytes)), "{context}");
            assert_eq!(open(&cut).0.view().tx(), tx.next(), "{context}");
        }
    }
}
