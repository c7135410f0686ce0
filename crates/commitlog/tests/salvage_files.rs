//! Salvage of files that are not what their names say: copies, some of them older than the log, files without a header, and files that are no segment.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

#[path = "support/logs.rs"]
mod logs;
#[path = "support/salvaged.rs"]
mod salvaged;

use commitlog::{Chain, Log, Options, SalvageReport, SkipReason, Start, SyncPolicy, TxId};
use disk::SimDisk;
use logs::LOG_ID;
use salvaged::{NEW_ID, Record, ids, salvaged};

const FIRST: &str = "00000000000000000000.log";
const FRAMES: usize = 12288;

/// Options for segments of about ten records with payloads of 20 bytes.
fn tens() -> Options {
    Options {
        segment_bytes_max: FRAMES as u64 + 560,
        ..Options::default()
    }
}

/// 20 bytes for each record.
fn payload(id: u64) -> Vec<u8> {
    format!("record number {id:6}").into_bytes()
}

/// Appends the records up to `end`.
fn append(log: &Log, end: u64, payload: impl Fn(u64) -> Vec<u8>) {
    for id in log.next_id().0..end {
        log.append(&payload(id), None).unwrap();
    }
}

/// A log of `end` records in one segment, that was neither synced nor closed.
fn unsynced(end: u64) -> SimDisk {
    let disk = SimDisk::new(1);
    let options = Options {
        sync_policy: SyncPolicy::Never,
        ..Options::default()
    };
    let log = Log::create(disk.root(), LOG_ID, options, &[]).unwrap();
    append(&log, end, payload);
    disk
}

/// A closed log of these records in segments of ten.
fn closed(end: u64) -> SimDisk {
    let disk = SimDisk::new(1);
    let log = Log::create(disk.root(), LOG_ID, tens(), &[]).unwrap();
    append(&log, end, payload);
    log.close().unwrap();
    disk
}

/// Where a frame with a payload of 20 bytes has its id, as number `number` of its segment.
fn id_at(number: u64) -> u64 {
    FRAMES as u64 + number * 56 + 8
}

/// Salvages; all of these records are kept, and nothing else.
fn check_kept(
    disk: &SimDisk,
    expected: &[u64],
    payload: impl Fn(u64) -> Vec<u8>,
    row: &str,
) -> SalvageReport {
    let (report, kept) = salvaged(disk);
    let expected: Vec<Record> = expected
        .iter()
        .map(|id| (*id, None, payload(*id)))
        .collect();
    assert!(kept == expected, "{row}: {report:#?}");
    report
}

fn up_to(end: u64) -> Vec<u64> {
    (0..end).collect()
}

#[test]
fn a_file_that_is_no_segment_takes_no_ids_from_those_that_are() {
    for (row, bytes) in [("empty", vec![]), ("garbage", vec![0xA5; 20_000])] {
        for name in ["00000000000000000050.log", "00000000000000000003.log"] {
            let disk = unsynced(100);
            let (log, _) = Log::open(disk.root(), Options::default(), &[]).unwrap();
            log.close().unwrap();
            disk.write(name, &bytes);
            let report = check_kept(&disk, &up_to(100), payload, row);
            assert_eq!(report.missing, [], "{row}: {report:#?}");
            assert!(report.kept.iter().all(|kept| kept.chain_proven), "{row}");
            assert!(report.skipped.iter().all(|one| *one.file == *name), "{row}");
        }
    }
}

#[test]
fn the_name_of_a_file_without_a_header_does_not_matter() {
    for name in [50, 7, 10].map(|name| format!("{name:020}.log")) {
        let disk = closed(40);
        let second = disk.files()[1].clone();
        let mut bytes = disk.read(&second).unwrap();
        bytes[20] ^= 1;
        disk.delete(&second);
        disk.write(&name, &bytes);
        let report = check_kept(&disk, &up_to(40), payload, &name);
        // The segments before and behind it prove it.
        assert!(
            report.kept.iter().all(|kept| kept.chain_proven),
            "{name}: {report:#?}"
        );
    }
}

/// A segment of another log without its header claims ids that this log has, and those behind its end.
#[test]
fn a_file_of_another_log_without_a_header_takes_no_place() {
    for (synced, is_placed) in [(true, true), (false, true), (false, false)] {
        let disk = match synced {
            true => closed(100),
            false => unsynced(100),
        };
        if !is_placed {
            disk.flip_bit(FIRST, id_at(20), 0);
        }
        let other = SimDisk::new(2);
        let start = Start {
            base: TxId(50),
            chain: Chain(7),
            epoch: 0,
        };
        let log = Log::create_at(other.root(), NEW_ID, Options::default(), start, &[]).unwrap();
        append(&log, 120, |id| payload(5000 + id));
        let name = "00000000000000000050.log";
        let mut bytes = other.read(name).unwrap();
        bytes[20] ^= 1;
        disk.write("00000000000000000051.log", &bytes);
        let (report, kept) = salvaged(&disk);
        for id in 0..100 {
            let is_kept = kept.contains(&(id, None, payload(id)));
            let is_missing = report.missing.iter().any(|ids| ids.contains(&TxId(id)));
            assert!(is_kept || is_missing, "record {id}: {report:#?}");
            assert!(is_kept || !is_placed, "record {id}: {report:#?}");
        }
    }
}

#[test]
fn a_copy_of_a_segment_costs_nothing_and_fills_its_gaps() {
    // How many records the copy has, which of the segment's and of the copy's headers are damaged.
    for (length, damaged, damaged_copy) in [
        (20, None, None),
        (20, Some(15), None),
        (30, Some(15), Some(20)),
        (30, Some(20), Some(15)),
        (30, Some(10), Some(12)),
        (20, Some(15), Some(5)),
        (20, Some(15), Some(16)),
    ] {
        for name in ["00000000000000000777.log", "00000000000000000001.log"] {
            let disk = unsynced(30);
            disk.write(name, &unsynced(length).read(FIRST).unwrap());
            for (name, damaged) in [(FIRST, damaged), (name, damaged_copy)] {
                if let Some(number) = damaged {
                    disk.flip_bit(name, id_at(number), 0);
                }
            }
            let row = format!("{length}, {damaged:?}, {damaged_copy:?}, {name}");
            let report = check_kept(&disk, &up_to(30), payload, &row);
            assert_eq!(report.missing, [], "{row}: {report:#?}");
        }
    }
}

/// All that is left of a copy without a header is the record that the segment has lost.
#[test]
fn a_record_that_leads_to_what_is_proven_behind_it_is_proven() {
    let disk = closed(30);
    let second = disk.files()[1].clone();
    let mut copy = disk.read(&second).unwrap();
    copy[20] ^= 1;
    copy[id_at(2) as usize] ^= 1;
    copy.truncate(id_at(6) as usize - 8);
    disk.write("00000000000000000777.log", &copy);
    disk.flip_bit(&second, id_at(5), 0);
    let report = check_kept(&disk, &up_to(30), payload, "one from a copy");
    assert!(
        report.kept.iter().all(|kept| kept.chain_proven),
        "{report:#?}"
    );
    assert_eq!(report.missing, []);
}

/// Records of another log stand in for a lost segment; the next one knows another chain behind them.
#[test]
fn records_that_lead_elsewhere_than_the_next_segment_says_are_not_kept() {
    let disk = closed(30);
    let second = disk.files()[1].clone();
    let other = SimDisk::new(2);
    let start = Start {
        base: TxId(10),
        chain: Chain(7),
        epoch: 0,
    };
    let log = Log::create_at(other.root(), NEW_ID, Options::default(), start, &[]).unwrap();
    append(&log, 20, |id| payload(5000 + id));
    let mut bytes = other.read(&second).unwrap();
    bytes[20] ^= 1;
    disk.write(&second, &bytes);
    let expected: Vec<u64> = (0..10).chain(20..30).collect();
    let report = check_kept(&disk, &expected, payload, "another log's");
    assert_eq!(report.missing, [TxId(10)..TxId(20)]);
    let reasons: Vec<SkipReason> = report.skipped.iter().map(|one| one.reason).collect();
    // Its first record does not continue what is known before it either.
    let expected = [
        SkipReason::Header,
        SkipReason::Payload,
        SkipReason::Contradicted,
    ];
    assert_eq!(reasons, expected);
}

/// Two copies whose first record differs, and nothing is left that knows the chain before it.
#[test]
fn of_two_copies_that_differ_where_nothing_is_proven_one_is_kept_and_missing() {
    for (lost_before, rest) in [(false, "whole"), (true, "whole"), (true, "alone")] {
        let disk = closed(30);
        let second = disk.files()[1].clone();
        if lost_before {
            disk.delete(FIRST);
        }
        let copy = "00000000000000000777.log";
        disk.duplicate(&second, copy);
        for name in [&second[..], copy] {
            disk.flip_bit(name, 20, 0);
            if rest == "alone" {
                disk.flip_bit(name, id_at(1), 0);
            }
        }
        disk.flip_bit(&second, id_at(0) + 24, 0);
        let (report, kept) = salvaged(&disk);
        let is_kept = kept.contains(&(10, None, payload(10)));
        let is_missing = report.missing.iter().any(|ids| ids.contains(&TxId(10)));
        assert!(is_kept || is_missing, "{lost_before}, {rest}: {report:#?}");
        assert!(is_kept || lost_before, "{rest}: {report:#?}");
    }
}

#[test]
fn a_copy_from_before_a_truncation_does_not_replace_records() {
    let disk = SimDisk::new(1);
    let log = Log::create(disk.root(), LOG_ID, tens(), &[]).unwrap();
    append(&log, 18, payload);
    let second = disk.files()[1].clone();
    let old = disk.read(&second).unwrap();
    log.truncate_after(TxId(13)).unwrap();
    let later = |id| payload(if id < 14 { id } else { 1000 + id });
    append(&log, 25, later);
    log.close().unwrap();
    for name in [777, 5, 10, 11].map(|name| format!("{name:020}.log")) {
        // The truncated segment is there, has no header, is lost.
        for (row, is_headless, is_lost) in [
            ("there", false, false),
            ("headless", true, false),
            ("lost", false, true),
        ] {
            let copy = disk.fork();
            if is_headless {
                copy.flip_bit(&second, 20, 0);
            }
            if is_lost || name == second {
                copy.delete(&second);
            }
            copy.write(&name, &old);
            let (report, kept) = salvaged(&copy);
            let row = format!("{name}, {row}: {report:#?}");
            for one in &report.kept {
                for id in ids(&one.ids) {
                    let is_written = kept.contains(&(id, None, later(id)));
                    let is_missing = report.missing.iter().any(|ids| ids.contains(&TxId(id)));
                    assert!(is_written || !one.chain_proven, "record {id}, {row}");
                    assert!(
                        is_written || is_missing || is_lost || name == second,
                        "record {id}, {row}"
                    );
                }
            }
            if !is_lost && name != second {
                assert_eq!(kept.len(), 25, "{row}");
                assert_eq!(report.missing, [], "{row}");
            }
        }
    }
}

/// A record holds records of before a truncation, and its own header is lost.
#[test]
fn a_shipment_of_given_up_records_in_a_payload_is_not_proven() {
    let disk = SimDisk::new(1);
    let options = Options {
        sync_policy: SyncPolicy::Never,
        ..Options::default()
    };
    let log = Log::create(disk.root(), LOG_ID, options, &[]).unwrap();
    append(&log, 20, payload);
    log.sync().unwrap();
    let shipment = log.ship(TxId(10)..TxId(20), u64::MAX).unwrap().into_bytes();
    log.truncate_after(TxId(13)).unwrap();
    let later = |id| match id {
        14 => shipment.clone(),
        id if id < 14 => payload(id),
        id => payload(1000 + id),
    };
    append(&log, 25, later);
    disk.flip_bit(FIRST, id_at(14), 0);
    let (report, kept) = salvaged(&disk);
    let proven = report.kept.iter().filter(|kept| kept.chain_proven);
    let proven: Vec<u64> = proven.flat_map(|kept| ids(&kept.ids)).collect();
    assert_eq!(proven, up_to(14), "{report:#?}");
    let expected: Vec<Record> = (0..25)
        .filter(|id| *id != 14)
        .map(|id| (id, None, later(id)))
        .collect();
    assert!(
        kept.iter().filter(|record| record.0 != 14).eq(&expected),
        "{report:#?}"
    );
    // Nothing says that the later ones are the right ones.
    assert_eq!(report.missing, [TxId(14)..TxId(20)]);
}

/// A pruned segment comes back in a power cut.
#[test]
fn what_was_pruned_is_neither_kept_nor_missing() {
    for is_headless in [false, true] {
        let disk = SimDisk::new(1);
        let log = Log::create(disk.root(), LOG_ID, tens(), &[]).unwrap();
        append(&log, 40, payload);
        let first = disk.read(FIRST).unwrap();
        log.prune_before(TxId(20)).unwrap();
        log.close().unwrap();
        disk.write(FIRST, &first);
        let extent = Log::inspect(disk.root().as_ref()).unwrap();
        assert_eq!((extent.base, extent.missing), (TxId(20), None));
        if is_headless {
            disk.flip_bit(FIRST, 20, 0);
        }
        let expected: Vec<u64> = (20..40).collect();
        let report = check_kept(&disk, &expected, payload, "came back");
        assert_eq!(report.missing, [], "{report:#?}");
        let last = report.skipped.last().unwrap();
        assert_eq!((&last.file[..], last.reason), (FIRST, SkipReason::Leftover));
    }
}
