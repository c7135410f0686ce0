//! Rotations, cuts and prunes of which a call failed, and the recovery that makes up for them, cut off at each of its calls: its steps come in
//! the order in which the loss of a later one does no harm.
#![allow(clippy::unwrap_used)]

#[path = "support/logs.rs"]
mod logs;

use commitlog::{DamageKind, Error, Log, TxId};
use disk::{Fault, SimDisk};
use logs::{LOG_ID, expected, fill, payload, read_all, small};

/// How many outcomes of one power cut are looked at.
const POWER_CUTS_MAX: u64 = 6;

/// What is done to a log, of which any call may fail.
type Step = fn(&SimDisk, Log) -> commitlog::Result<Log>;

/// Records before this one are durable before the step; there is one more.
const DURABLE: u64 = 3;

const STEPS: [(&str, Step); 4] = [
    ("rotate", |_, log| log.rotate().map(|()| log)),
    ("rotate twice", |_, log| {
        log.rotate()?;
        log.append(&payload(DURABLE + 1), None)?;
        log.rotate()?;
        Ok(log)
    }),
    ("cut a torn tail", |disk, log| torn(disk, log)),
    ("cut a torn tail in an empty segment", |disk, log| {
        log.rotate()?;
        log.append(&payload(DURABLE + 1), None)?;
        torn(disk, log)
    }),
];

/// What is behind the proven end was not written as it was.
fn torn(disk: &SimDisk, log: Log) -> commitlog::Result<Log> {
    let end = log.durable_end();
    drop(log);
    let newest = disk.files().pop().unwrap();
    let at = disk.read(&newest).unwrap();
    let at = at.iter().rposition(|byte| *byte != 0).unwrap() as u64;
    disk.flip_bit(&newest, at, 3);
    let (log, report) = Log::open(disk.root(), small(), &[])?;
    assert_eq!(report.end, end);
    Ok(log)
}

/// A log of some segments whose last record is not durable.
fn log_on(disk: &SimDisk) -> Log {
    let log = Log::create(disk.root(), LOG_ID, small(), &[(b"genesis", None)]).unwrap();
    fill(&log, DURABLE);
    log.append(&payload(DURABLE), None).unwrap();
    log
}

/// What is left of a log when each call of the step has failed in turn, as a process finds it that opens it next.
fn failed(step: Step, mut look: impl FnMut(&str, SimDisk)) {
    for seed in 0..4 {
        for ahead in 0.. {
            let disk = SimDisk::new(seed);
            let log = log_on(&disk);
            let call = disk.call_count() + ahead;
            disk.fail_at(call, Fault::Eio);
            let done = step(&disk, log);
            disk.clear_faults();
            if disk.call_count() <= call {
                assert!(done.is_ok());
                break;
            }
            let at = &disk.calls()[usize::try_from(call).unwrap()];
            look(&format!("seed {seed}, {at:?} failed"), disk);
        }
    }
}

/// What a power cut leaves of what a kill does, and that itself.
fn ends(killed: SimDisk, seed: u64) -> Vec<SimDisk> {
    let mut ends = killed.power_cuts(POWER_CUTS_MAX, seed);
    ends.push(killed);
    ends
}

/// Opens the log, reads all, goes on for a record, and yields where it had ended.
fn content(disk: &SimDisk, row: &str) -> u64 {
    let opened = Log::open(disk.root(), small(), &[]);
    let (log, report) = opened.unwrap_or_else(|error| panic!("{row}: {error}"));
    assert_eq!(report.missing, None, "{row}");
    let end = log.next_id().0;
    assert_eq!(read_all(&log), expected(0, end), "{row}");
    fill(&log, end + 1);
    end
}

#[test]
fn a_recovery_after_a_failed_call_may_be_cut_off_anywhere() {
    for (name, step) in STEPS {
        failed(step, |row, disk| {
            let row = format!("{name}: {row}");
            disk.record();
            let first = disk.call_count();
            let (log, report) = Log::open(disk.root(), small(), &[]).unwrap();
            let end = disk.call_count();
            let next = report.end.0 + 1;
            fill(&log, next);
            for found in disk.power_cuts(POWER_CUTS_MAX, end) {
                let ended = content(&found, &row);
                assert!(next <= ended, "{row}: gone on, it ends at {ended}");
            }
            drop(log);
            for number in first..=end {
                let row = format!("{row}, recovery cut off before its call {}", number - first);
                let killed = disk.state_before(number);
                for found in &ends(killed, number) {
                    let ended = content(found, &row);
                    // What an open has shown is durable.
                    let least = if number == end { report.end.0 } else { DURABLE };
                    assert!(least <= ended, "{row}: it ends at {ended}");
                }
            }
        });
    }
}

/// A rotation that shows as finished and is not on the medium would hide that the segment behind it is lost.
#[test]
fn a_segment_that_is_lost_after_a_failed_call_is_missed() {
    let mut rotated = 0;
    for (name, step) in STEPS {
        failed(step, |row, disk| {
            let (log, _) = Log::open(disk.root(), small(), &[]).unwrap();
            let count = disk.files().len();
            fill(&log, log.next_id().0 + 1);
            drop(log);
            if count == 1 || disk.files().len() > count {
                // There was no next segment yet, or that record began another one.
                return;
            }
            rotated += 1;
            for cut in disk.power_cuts(POWER_CUTS_MAX, 1) {
                cut.delete(disk.files().pop().unwrap());
                let opened = Log::open(cut.root(), small(), &[]);
                let missed = |kind: &DamageKind| matches!(kind, DamageKind::SegmentMissing { .. });
                assert!(
                    matches!(&opened, Err(Error::Damaged { kind, .. }) if missed(kind)),
                    "{name}: {row}: {opened:?}"
                );
            }
        });
    }
    assert!(rotated > 20, "{rotated}");
}

/// A prune of which a call failed leaves files that the next open removes: it may be cut off, and one of the marks may be of before.
#[test]
fn no_lost_mark_after_a_failed_prune_makes_the_first_segment_look_lost() {
    let mut removed = 0;
    for ahead in 0.. {
        let disk = SimDisk::new(ahead);
        let log = Log::create(disk.root(), LOG_ID, small(), &[(b"genesis", None)]).unwrap();
        fill(&log, 12);
        let call = disk.call_count() + ahead;
        disk.fail_at(call, Fault::Eio);
        let pruned = log.prune_before(TxId(9));
        disk.clear_faults();
        if disk.call_count() <= call {
            assert!(pruned.is_ok());
            break;
        }
        drop(log);
        disk.record();
        let first = disk.call_count();
        let (log, report) = Log::open(disk.root(), small(), &[]).unwrap();
        removed += report.leftovers_removed;
        drop(log);
        for number in first..=disk.call_count() {
            let killed = disk.state_before(number);
            for found in &ends(killed, number) {
                check_marks(found);
            }
        }
    }
    assert!(removed > 10, "{removed}");
}

/// Any one mark may be zero, or one that was written before.
fn check_marks(disk: &SimDisk) {
    for file in disk.files() {
        for sector in [8, 16] {
            let zeroed = disk.fork();
            zeroed.zero_sector(&file, sector);
            let reverted = (0..disk.older_versions(&file, sector)).map(|back| {
                let reverted = disk.fork();
                reverted.revert_sector(&file, sector, back);
                reverted
            });
            for found in reverted.chain([zeroed]) {
                match Log::inspect(found.root().as_ref()) {
                    Ok(extent) => assert_eq!(extent.missing, None, "{file}, {sector}"),
                    // A rotation that was undone by that leaves nothing to begin with.
                    Err(Error::Damaged { kind, .. }) => {
                        assert!(matches!(kind, DamageKind::NoMark), "{kind}");
                    }
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }
}

/// Both marks of the only segment are bad, one cut off by a kill and one by a fault, and it is made anew: the new file says where the log
/// begins, or leaves that open, before it has the name.
#[test]
fn a_segment_made_anew_without_marks_says_where_the_log_begins() {
    let disk = SimDisk::new(1);
    let log = Log::create(disk.root(), LOG_ID, small(), &[(b"genesis", None)]).unwrap();
    fill(&log, 12);
    let base = log.prune_before(TxId(11)).unwrap().base;
    log.truncate_after(base).unwrap();
    drop(log);
    let file = disk.files().pop().unwrap();
    for sector in [8, 16] {
        disk.flip_bit(&file, 512 * sector + 60, 1);
    }
    disk.record();
    let first = disk.call_count();
    let (log, report) = Log::open(disk.root(), small(), &[]).unwrap();
    assert_eq!((report.base, report.missing), (base, None));
    drop(log);
    for number in first..=disk.call_count() {
        let killed = disk.state_before(number);
        for found in &ends(killed, number) {
            let extent = Log::inspect(found.root().as_ref()).unwrap();
            assert_eq!((extent.base, extent.missing), (base, None), "{number}");
        }
    }
}
