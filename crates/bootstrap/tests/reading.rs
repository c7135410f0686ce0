//! Reading only: beside a live writer, without a lock, without a write.
#![allow(clippy::unwrap_used)]

#[path = "fixture/fixture.rs"]
mod fixture;
#[path = "fixture/watched.rs"]
mod watched;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bootstrap::{Error, ErrorClass, ReadOnlyDatabase, ReadOptions, SnapshotInfo, TxId};
use disk::{Operation, SimDisk};
use fixture::*;
use watched::watched;

#[test]
fn reading_writes_nothing_and_takes_no_lock() {
    let disk = SimDisk::new(1);
    let (database, _) = open_with(&disk, small_segments()).unwrap();
    put_all(&database, 1..=10);
    database.snapshot().unwrap();
    put_all(&database, 11..=15);
    // Beside a live writer.
    let first = usize::try_from(disk.call_count()).unwrap();
    let reader = read(&disk);
    assert_eq!(notes(&reader.view()), expected(1..=15));
    let mut records = reader.records(TxId(0)).unwrap();
    let mut count = 0;
    while records.next_record().unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, 16);
    reader.info().unwrap();
    reader.digest().unwrap();
    for call in &disk.calls()[first..] {
        let reads = matches!(
            call.operation,
            Operation::List | Operation::Open | Operation::Len | Operation::Read | Operation::Map
        );
        assert!(reads, "{call:?}");
    }
    put_all(&database, 16..=40);
    assert_eq!(
        notes(&reader.view()),
        expected(1..=15),
        "what was opened does not move"
    );
    assert_eq!(notes(&read(&disk).view()), expected(1..=40));
}

#[test]
fn a_reader_survives_a_writer_that_prunes() {
    let disk = sample();
    let (database, _) = open_with(&disk, small_segments()).unwrap();
    let reader = read(&disk);
    let mut records = reader.records(TxId(0)).unwrap();
    database.prune().unwrap();
    assert_eq!(notes(&reader.view()), expected(1..=20));
    let gone = records.next_record();
    assert!(
        matches!(
            gone,
            Ok(Some(_)) | Err(Error::Log(commitlog::Error::Pruned { .. }))
        ),
        "{gone:?}"
    );
    assert_eq!(notes(&read(&disk).view()), expected(1..=20));
}

#[test]
fn unproven_records_are_shown_only_on_request() {
    let disk = SimDisk::new(1);
    let (database, _) = open_with(&disk, never_syncing()).unwrap();
    put_all(&database, 1..=3);
    assert_eq!(read(&disk).view().tx(), TxId(0));
    let unproven = ReadOptions {
        unproven: true,
        ..ReadOptions::default()
    };
    assert_eq!(
        notes(&read_with(&disk, &unproven).unwrap().0.view()),
        expected(1..=3)
    );
    // A torn tail is "not yet" to a reader.
    let segment = &segments(&disk)[0];
    let bytes = disk.read(segment).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() as u64;
    disk.flip_bit(segment, end, 0);
    assert_eq!(
        notes(&read_with(&disk, &unproven).unwrap().0.view()),
        expected(1..=2)
    );
}

#[test]
fn the_report_of_a_reader_claims_no_repair() {
    let disk = SimDisk::new(1);
    let (database, _) = open(&disk);
    put_all(&database, 0..3);
    let (_, report) = read_with(&disk, &ReadOptions::default()).unwrap();
    assert!(report.is_read_only && !report.was_closed);
    let text = report.to_string();
    assert!(text.contains("the log is not closed"), "{text}");
    assert!(!text.contains("made durable"), "{text}");
    drop(database);
    let (_, report) = open(&disk);
    assert!(!report.is_read_only && !report.was_closed);
    assert!(report.to_string().contains("its end was made durable"));
}

#[test]
fn a_reader_reports_a_torn_tail_that_a_writer_then_cuts() {
    let disk = SimDisk::new(1);
    let (database, _) = open(&disk);
    put_all(&database, 0..3);
    drop(database);
    let newest = segments(&disk).pop().unwrap();
    let mut bytes = disk.read(&newest).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 64;
    bytes.resize(bytes.len().max(end + 8), 0);
    bytes[end] = 7;
    disk.write(&newest, &bytes);
    let (_, report) = read_with(&disk, &ReadOptions::default()).unwrap();
    let torn = report.torn.unwrap();
    assert!(report.to_string().contains("left out"), "{report}");
    let (_, report) = open(&disk);
    assert_eq!(report.torn, Some(torn));
    assert!(report.to_string().contains("cut "), "{report}");
}

/// Reads everything that can be read. Yields how often a snapshot was read back, or why one was rejected.
fn read_all(dir: &Arc<dyn disk::Dir>) -> Result<usize, Error> {
    let (database, _) = ReadOnlyDatabase::open(Arc::clone(dir), &ReadOptions::default())?;
    database.verify()?;
    let mut snapshots = database.info()?.snapshots;
    let listed = snapshots.len();
    snapshots.extend(SnapshotInfo::read_back_all(&**dir)?);
    let read_back = snapshots.len() - listed;
    match snapshots.into_iter().find_map(|snapshot| snapshot.rejected) {
        Some(reason) => Err(reason.into()),
        None => Ok(read_back),
    }
}

/// A writer that, right before one call of the reader, replaces all snapshots and prunes the log; and does so again later.
#[test]
fn a_writer_that_prunes_beside_who_verifies_makes_no_damage() {
    let sound = sample();
    for call in 0.. {
        let disk = sound.fork();
        let (database, _) = open_with(&disk, small_segments()).unwrap();
        let made = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&made);
        let watch = move |_| {
            let now = counted.fetch_add(1, Ordering::Relaxed);
            if now != call && now != call + 7 {
                return;
            }
            for _ in 0..2 {
                let last = database.view().tx().0;
                put_all(&database, last + 1..=last + 5);
                database.snapshot().unwrap();
            }
            let pruned = database.prune().unwrap();
            assert!(pruned.segments_removed > 0);
        };
        let dir = watched(disk.root(), Arc::new(watch));
        let read_back = read_all(&dir).unwrap_or_else(|error| panic!("call {call}: {error}"));
        if made.load(Ordering::Relaxed) <= call {
            assert_eq!(read_back, 2, "the writer has done nothing");
            assert!(call > 100, "{call} calls");
            break;
        }
    }
}

#[test]
fn damage_that_stays_is_found_in_each_snapshot() {
    // In the header, in front of the blobs, and among them.
    for (tx, byte) in [(10, 100), (10, 600), (10, 5000), (15, 100), (15, 600)] {
        let disk = sample();
        let files = paths_in(&disk, "snapshots/", ".pack");
        let name = format!("{tx:020}");
        let file = files.iter().find(|path| path.contains(&name)).unwrap();
        disk.flip_bit(file, byte, 3);
        let found = SnapshotInfo::read_back_all(&*disk.root()).unwrap();
        let bad: Vec<(TxId, bool)> = found
            .iter()
            .map(|snapshot| (snapshot.tx, snapshot.rejected.is_some()))
            .collect();
        assert_eq!(bad, [(TxId(15), tx == 15), (TxId(10), tx == 10)], "{file}");
    }
}

#[test]
fn a_pruned_log_read_alone_is_a_refusal_and_no_damage() {
    let disk = pruned();
    let alone = ReadOptions {
        ignore_snapshots: true,
        ..ReadOptions::default()
    };
    let error = read_with(&disk, &alone).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Refused);
    assert_eq!(
        error.to_string(),
        "the log begins at 11; what was before is pruned"
    );
    // Without any snapshot the same state is a loss.
    for path in paths_in(&disk, "snapshots/", "") {
        disk.delete(&path);
    }
    let error = read_with(&disk, &ReadOptions::default()).unwrap_err();
    assert!(matches!(error, Error::NoStart { .. }), "{error}");
}
