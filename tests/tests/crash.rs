//! A crash at every disk call of a life that creates, commits, rotates, snapshots, prunes and closes, and again at every call of the
//! recovery from each of them: what was acknowledged is there, and what is there is one of the states that there were.
//!
//! Calls that change nothing leave disks that are equal, and so do many crashes; each disk is tried once.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use cairn::{
    ColumnType, Database, Error, NewColumn, NewSequence, NewTable, Transaction, TxId, Value,
};
use cairn_tests::{Sample, digest, expected, notes, open, put, try_open};
use disk::{Choice, Crash, SimDisk};

/// What the program knew at some point.
#[derive(Debug, Default)]
struct Known {
    /// How many calls had been made, and the last transaction acknowledged by then.
    acknowledged: Vec<(u64, TxId)>,
    /// The digest after each transaction.
    digests: Vec<[u8; 32]>,
}

impl Known {
    fn note(&mut self, disk: &SimDisk, database: &Database, tx: TxId) {
        self.acknowledged.push((disk.call_count(), tx));
        self.digests.push(digest(database));
    }

    /// The last transaction acknowledged before the call with this number.
    fn before(&self, call: u64) -> Option<TxId> {
        let known = self.acknowledged.iter();
        let known = known.take_while(|(made, _)| *made <= call);
        known.last().map(|(_, tx)| *tx)
    }
}

fn live(disk: &SimDisk) -> Known {
    let mut known = Known::default();
    let database = open(disk, Sample::options());
    known.note(disk, &database, TxId(0));
    for id in 1..=14 {
        let tx = put(&database, id);
        known.note(disk, &database, tx);
        match id {
            4 => drop(database.snapshot().unwrap()),
            8 | 11 => {
                database.snapshot().unwrap();
                database.prune().unwrap();
            }
            _ => {}
        }
    }
    database.close().unwrap();
    known
}

/// A life in which definitions change with rows in the tables, some with rows in the same transaction.
fn live_changing(disk: &SimDisk) -> Known {
    let mut known = Known::default();
    let database = open(disk, Sample::options());
    known.note(disk, &database, TxId(0));
    for id in 1..=4 {
        let tx = put(&database, id);
        known.note(disk, &database, tx);
    }
    type Change = fn(&mut Transaction<'_>) -> Result<(), Error>;
    let changes: [Change; 11] = [
        |tx| {
            tx.add_column(
                "notes",
                NewColumn::new("size", ColumnType::U16).default(7u16),
            )
        },
        |tx| {
            tx.update("notes", &[Value::U64(2)], &[("size", Value::U16(9))])?;
            tx.widen_column("notes", "size", ColumnType::I64)?;
            tx.update("notes", &[Value::U64(3)], &[("size", Value::I64(-1))])
                .map(drop)
        },
        |tx| {
            let links = NewTable::new("links")
                .column("id", ColumnType::U8)
                .nullable("note", ColumnType::U64)
                .primary_key(&["id"])
                .sequence("id", NewSequence::new().step(3))
                .foreign_key(&["note"], "notes", &["id"]);
            tx.create_table(&links)?;
            tx.insert("links", &[("note", Value::U64(1))])?;
            tx.insert("links", &[]).map(drop)
        },
        |tx| {
            tx.rename_table("links", "ties")?;
            tx.rename_column("ties", "note", "end")?;
            tx.create_index("ties", "by_end", &["end"]).map(drop)
        },
        |tx| {
            tx.update("ties", &[Value::U8(4)], &[("end", Value::U64(4))])?;
            tx.set_not_null("ties", "end")
        },
        |tx| tx.drop_column("notes", "size"),
        |tx| tx.widen_column("ties", "id", ColumnType::U32),
        |tx| {
            tx.insert("ties", &[("end", Value::U64(2))])?;
            tx.drop_constraint("ties", "foreign_note")?;
            tx.drop_constraint("ties", "primary_key")
        },
        |tx| tx.add_unique("ties", &["end", "id"]),
        |tx| {
            tx.drop_sequence("ties", "id")?;
            tx.drop_constraint("ties", "unique_end_id")?;
            tx.drop_column("ties", "id")
        },
        |tx| tx.drop_table("ties"),
    ];
    for (place, change) in changes.into_iter().enumerate() {
        let (_, committed) = database.write_numbered(change).unwrap();
        known.note(disk, &database, committed.tx.unwrap());
        if [1, 4, 7].contains(&place) {
            database.snapshot().unwrap();
        }
        if place == 7 {
            database.prune().unwrap();
        }
    }
    database.close().unwrap();
    known
}

/// Opens the disk, compares what is there, and keeps every state on the way for another crash.
fn recover(disk: &SimDisk, known: &Known, acknowledged: Option<TxId>, context: &str) {
    let database = try_open(disk.root(), Sample::options());
    let database = database.unwrap_or_else(|error| panic!("{context}: {error}"));
    let tx = database.view().tx();
    assert!(
        Some(tx) >= acknowledged,
        "{context}: {tx} is left of {acknowledged:?}"
    );
    let place = usize::try_from(tx.0).unwrap();
    let digest = database.view().digest().unwrap();
    assert_eq!(
        Some(&digest),
        known.digests.get(place),
        "{context}: not a state there ever was, at {tx}"
    );
    assert_eq!(database.durable_through(), Some(tx), "{context}");
}

/// What is reported durable survives a power cut; and life goes on.
fn go_on(disk: &SimDisk, context: &str) {
    let database = open(disk, Sample::options());
    let tx = database.view().tx();
    put(&database, 1000);
    drop(database);
    disk.crash(Crash::Power(Choice::Old));
    let database = open(disk, Sample::options());
    let all = expected((1..=tx.0).chain([1000]));
    assert_eq!(notes(&database.view()), all, "{context}");
}

/// The disks that a crash before this call may leave: of a killed process, also within a write; after a power cut.
fn crashed(disk: &SimDisk, call: u64) -> Vec<(String, SimDisk)> {
    let before = disk.state_before(call);
    let mut found = Vec::new();
    for (number, cut) in before.power_cuts(4, call).into_iter().enumerate() {
        found.push((format!("power cut {number} before call {call}"), cut));
    }
    if call < disk.call_count()
        && let Some(bytes) = disk.recorded_write_bytes(call)
    {
        let within = disk.state_within(call, bytes / 2);
        found.push((format!("killed within call {call}"), within));
    }
    found.push((format!("killed before call {call}"), before));
    found
}

/// Crashes at every call of a life, and again at every call of each recovery. Yields how many calls the life had.
fn crash_everywhere(live: fn(&SimDisk) -> Known, go_on: fn(&SimDisk, &str)) -> u64 {
    let disk = SimDisk::new(1);
    disk.record();
    let known = live(&disk);
    let (mut once, mut twice) = (BTreeSet::new(), BTreeSet::new());
    for call in 0..=disk.call_count() {
        let acknowledged = known.before(call);
        for (first, crash) in crashed(&disk, call) {
            if !once.insert((acknowledged, crash.digest())) {
                continue;
            }
            let begin = crash.call_count();
            crash.record();
            recover(&crash, &known, acknowledged, &first);
            for again in begin..=crash.call_count() {
                for (second, crash) in crashed(&crash, again) {
                    if twice.insert((acknowledged, crash.digest())) {
                        let context = format!("{first}, then {second} of the recovery");
                        recover(&crash, &known, acknowledged, &context);
                    }
                }
            }
            go_on(&crash, &first);
        }
    }
    let calls = disk.call_count();
    println!(
        "{calls} calls, {} disks after one crash, {} after two",
        once.len(),
        twice.len()
    );
    calls
}

#[test]
fn a_crash_at_every_call_and_again_at_every_call_of_the_recovery() {
    let calls = crash_everywhere(live, go_on);
    assert!(calls > 300, "{calls}");
}

#[test]
fn definitions_that_change_survive_a_crash_at_every_call_as_rows_do() {
    let calls = crash_everywhere(live_changing, |_, _| {});
    assert!(calls > 200, "{calls}");
}
