//! Giving up the oldest segments, by id and by bytes.
#![allow(clippy::unwrap_used)]

#[path = "support/logs.rs"]
mod logs;

use commitlog::{Error, Log, Pruned, TxId};
use disk::{Fault, SimDisk};
use logs::{LOG_ID, expected, fill, read_all, small};

const END: u64 = 20;

fn log_on(disk: &SimDisk) -> Log {
    let log = Log::create(disk.root(), LOG_ID, small(), &[(b"genesis", Some(7))]).unwrap();
    fill(&log, END);
    log
}

/// The bases and lengths of the segments, oldest first.
fn segments(disk: &SimDisk) -> Vec<(u64, u64)> {
    let extent = Log::inspect(disk.root().as_ref()).unwrap();
    let all = extent.segments.iter();
    all.map(|segment| (segment.base.0, segment.bytes)).collect()
}

#[test]
fn the_files_take_as_little_as_was_asked_for_and_no_more_is_removed() {
    let all = {
        let disk = SimDisk::new(1);
        log_on(&disk);
        segments(&disk)
    };
    assert!(all.len() > 8);
    let total: u64 = all.iter().map(|segment| segment.1).sum();
    for bytes_max in [
        0,
        1,
        all[0].1,
        50_000,
        total - 1,
        total,
        total + 1,
        u64::MAX,
    ] {
        for keep_from in [0, all[1].0 - 1, all[1].0, all[3].0, END, u64::MAX] {
            let disk = SimDisk::new(1);
            let log = log_on(&disk);
            let Pruned {
                segments_removed,
                base,
                ..
            } = log.prune_to_bytes(bytes_max, TxId(keep_from)).unwrap();
            let left = segments(&disk);
            assert_eq!(left[..], all[segments_removed..]);
            assert_eq!((base.0, log.base()), (left[0].0, base));
            let bytes: u64 = left.iter().map(|segment| segment.1).sum();
            // One more was too many, or one fewer too few.
            if segments_removed > 0 {
                assert!(base.0 <= keep_from);
                assert!(bytes + all[segments_removed - 1].1 > bytes_max);
            }
            assert!(bytes <= bytes_max || left.len() == 1 || left[1].0 > keep_from);
            assert_eq!(read_all(&log), expected(base.0, END));
            fill(&log, END + 3);
        }
    }
}

#[test]
fn a_crash_or_a_failure_at_every_call_leaves_whole_segments() {
    let (first, end) = {
        let disk = SimDisk::new(1);
        let log = log_on(&disk);
        let first = disk.call_count();
        disk.record();
        let base = log.prune_to_bytes(40_000, TxId(END)).unwrap().base;
        assert!(base > TxId(0));
        for number in first..=disk.call_count() {
            let state = disk.state_before(number);
            for crashed in state.power_cuts(4, number).into_iter().chain([state]) {
                let (log, report) = Log::open(crashed.root(), small(), &[]).unwrap();
                assert!(report.base <= base);
                assert_eq!(report.missing, None);
                assert_eq!(read_all(&log), expected(report.base.0, END));
                drop(log);
                check_marks(&crashed);
            }
        }
        (first, disk.call_count())
    };
    for number in first..end {
        for fault in [Fault::Eio, Fault::Interrupted] {
            let disk = SimDisk::new(1);
            let log = log_on(&disk);
            disk.fail_at(number, fault);
            let pruned = log.prune_to_bytes(40_000, TxId(END));
            disk.clear_faults();
            match pruned {
                Ok(_) => fill(&log, END + 2),
                Err(error) => assert!(matches!(error, Error::Io(_)), "{error}"),
            }
            let end = log.next_id().0;
            drop(log);
            let (log, report) = Log::open(disk.root(), small(), &[]).unwrap();
            assert_eq!(read_all(&log), expected(report.base.0, end));
        }
    }
}

/// Any one mark may go bad: the log does not look as if a segment were lost.
fn check_marks(disk: &SimDisk) {
    for file in disk.files() {
        for sector in [8, 16] {
            let disk = disk.fork();
            disk.zero_sector(&file, sector);
            let missing = Log::inspect(disk.root().as_ref()).map(|extent| extent.missing);
            // Only the first segment of all has to have a mark.
            let is_genesis = file.starts_with("00000000000000000000");
            assert!(matches!(missing, Ok(None)) || is_genesis, "{missing:?}");
        }
    }
}

#[test]
fn a_closed_log_is_not_pruned() {
    let disk = SimDisk::new(1);
    let log = log_on(&disk);
    log.close().unwrap();
    let before = disk.digest();
    assert!(matches!(
        log.prune_to_bytes(0, TxId(END)),
        Err(Error::Closed)
    ));
    assert_eq!(disk.digest(), before);
}
