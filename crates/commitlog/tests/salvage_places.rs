//! Where salvage takes what stands in a segment for a record: which ids are possible there, what is lost around it, and what marks say.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::single_range_in_vec_init
)]

#[path = "support/logs.rs"]
mod logs;
#[path = "support/salvaged.rs"]
mod salvaged;

use std::ops::Range;

use commitlog::{Chain, Log, Options, SalvageReport, SkipReason, Start, TxId};
use disk::SimDisk;
use logs::log_of;
use salvaged::{NEW_ID, Record, frame_header, ids, salvaged};

const FIRST: &str = "00000000000000000000.log";
const FRAMES: u64 = 12288;

/// 20 bytes for each record: frames of 56.
fn payloads(count: u64) -> Vec<Vec<u8>> {
    (0..count)
        .map(|id| format!("record number {id:6}").into_bytes())
        .collect()
}

/// A log of one segment that was neither synced nor closed.
fn unsynced(payloads: &[Vec<u8>]) -> SimDisk {
    let disk = SimDisk::new(1);
    drop(log_of(&disk, payloads));
    disk
}

/// Where frame number `number` of a segment begins.
fn frame_at(payloads: &[Vec<u8>], number: usize) -> u64 {
    let before = payloads[..number].iter();
    let lengths = before.map(|payload| (32 + payload.len() as u64).next_multiple_of(8));
    FRAMES + lengths.sum::<u64>()
}

fn flip_header(disk: &SimDisk, name: &str, frame_at: u64) {
    disk.flip_bit(name, frame_at + 9, 0);
}

fn flip_payload(disk: &SimDisk, name: &str, frame_at: u64) {
    disk.flip_bit(name, frame_at + 32 + 3, 0);
}

/// A shipment of these records of another log.
fn shipment_of_others(ids: Range<u64>) -> Vec<u8> {
    let other = SimDisk::new(2);
    let start = Start {
        base: TxId(ids.start),
        chain: Chain(5),
        epoch: 0,
    };
    let log = Log::create_at(other.root(), NEW_ID, Options::default(), start, &[]).unwrap();
    for id in ids.clone() {
        log.commit(&id.to_le_bytes(), None).unwrap();
    }
    let ids = TxId(ids.start)..TxId(ids.end);
    log.ship(ids, 1 << 20).unwrap().into_bytes()
}

/// All but these are kept, as they were written, and nothing else.
fn check_all_but(disk: &SimDisk, payloads: &[Vec<u8>], lost: &[u64], row: &str) -> SalvageReport {
    let (report, kept) = salvaged(disk);
    let expected: Vec<Record> = payloads
        .iter()
        .enumerate()
        .map(|(id, payload)| (id as u64, None, payload.clone()))
        .filter(|record| !lost.contains(&record.0))
        .collect();
    assert!(kept == expected, "{row}: {report:#?}");
    report
}

fn missing(report: &SalvageReport) -> Vec<Range<u64>> {
    report.missing.iter().map(ids).collect()
}

fn reasons(report: &SalvageReport) -> Vec<SkipReason> {
    report.skipped.iter().map(|one| one.reason).collect()
}

/// Two segments of ten; a payload, its own header lost, holds records of another log under ids that are lost, or were never there.
#[test]
fn records_in_a_payload_whose_ids_can_not_stand_there_are_not_kept() {
    for (row, holder, others) in [
        ("before the first id of the segment", 15, 2..5),
        ("behind the first id of the next one", 5, 12..15),
        ("more than there is room for before it", 15, 70..73),
    ] {
        let mut payloads = payloads(20);
        payloads[holder] = shipment_of_others(others.clone());
        let disk = SimDisk::new(1);
        let log = log_of(&disk, &[b""; 0]);
        for payload in &payloads[..10] {
            log.append(payload, None).unwrap();
        }
        log.rotate().unwrap();
        for payload in &payloads[10..] {
            log.append(payload, None).unwrap();
        }
        log.close().unwrap();
        let names = disk.files();
        assert_eq!(names.len(), 2);
        let lost: Vec<u64> = others
            .filter(|id| *id < 20)
            .chain([holder as u64])
            .collect();
        for id in &lost {
            let (name, of_file) = match *id < 10 {
                true => (&names[0], &payloads[..10]),
                false => (&names[1], &payloads[10..]),
            };
            flip_header(&disk, name, frame_at(of_file, *id as usize % 10));
        }
        check_all_but(&disk, &payloads, &lost, row);
    }
}

/// Neither is such a frame of ours, nor may the id behind it be asked for.
#[test]
fn a_frame_with_the_last_id_of_all_is_none() {
    let payloads = payloads(5);
    let disk = unsynced(&payloads);
    disk.flip_bit(FIRST, 20, 0);
    let mut bytes = disk.read(FIRST).unwrap();
    let at = FRAMES as usize;
    bytes[at..at + 32].copy_from_slice(&frame_header(20, u64::MAX, 7));
    disk.write(FIRST, &bytes);
    check_all_but(&disk, &payloads, &[0], "the last id");
}

/// The record before it is lost, and nothing knows the chain: the zeros behind it, or the end of the file, say that its header is no part of a payload.
#[test]
fn the_last_record_is_kept_though_nothing_stands_beside_it() {
    for (row, behind) in [
        ("the space that was reserved", None),
        ("the end of the file", Some(&[][..])),
        ("a few zeros", Some(&[0; 8])),
        ("the front of a torn frame", Some(&[0xEE; 20])),
    ] {
        let payloads = payloads(20);
        let disk = unsynced(&payloads);
        flip_header(&disk, FIRST, frame_at(&payloads, 18));
        if let Some(behind) = behind {
            let mut bytes = disk.read(FIRST).unwrap();
            bytes.truncate(frame_at(&payloads, 20) as usize);
            bytes.extend_from_slice(behind);
            disk.write(FIRST, &bytes);
        }
        let report = check_all_but(&disk, &payloads, &[18], row);
        assert_eq!(missing(&report), [18..19], "{row}");
    }
}

#[test]
fn a_record_that_the_file_ends_in_is_no_record() {
    let payloads = payloads(20);
    let disk = unsynced(&payloads);
    let torn = frame_at(&payloads, 19);
    let mut bytes = disk.read(FIRST).unwrap();
    bytes.truncate(torn as usize + 40);
    disk.write(FIRST, &bytes);
    let report = check_all_but(&disk, &payloads, &[19], "cut");
    assert_eq!(missing(&report), []);
    let skipped = &report.skipped[0];
    assert_eq!(report.skipped.len(), 1);
    assert_eq!(skipped.bytes, torn..torn + 40);
    assert_eq!(skipped.reason, SkipReason::NoFrame);
}

/// Its header is left, so the log had it.
#[test]
fn a_last_record_whose_payload_is_damaged_is_missing() {
    for (row, count, is_headless, lost_before, expected_missing) in [
        ("behind others", 20, false, None, vec![19..20]),
        ("the only one", 1, false, None, vec![0..1]),
        // The header of the last one contradicts the record before it, which nothing proves.
        (
            "behind a damaged place",
            20,
            false,
            Some(10),
            vec![10..11, 18..20],
        ),
        (
            "behind others, the segment's header lost",
            20,
            true,
            None,
            vec![18..20],
        ),
    ] {
        let payloads = payloads(count);
        let disk = unsynced(&payloads);
        let last = count - 1;
        flip_payload(&disk, FIRST, frame_at(&payloads, last as usize));
        let mut expected = Vec::new();
        if is_headless {
            disk.flip_bit(FIRST, 20, 0);
            expected.push(SkipReason::Header);
        }
        let mut lost = vec![last];
        if let Some(id) = lost_before {
            flip_header(&disk, FIRST, frame_at(&payloads, id as usize));
            lost.push(id);
            expected.push(SkipReason::NoFrame);
        }
        lost.sort_unstable();
        expected.push(SkipReason::Payload);
        let report = check_all_but(&disk, &payloads, &lost, row);
        assert_eq!(missing(&report), expected_missing, "{row}");
        assert_eq!(reasons(&report), expected, "{row}");
    }
}

/// The only record of another log's segment, its payload damaged and the segment's header lost, claims the id behind the end.
#[test]
fn a_damaged_record_of_another_log_is_not_missing() {
    let disk = SimDisk::new(1);
    let log = log_of(&disk, &[b""; 0]);
    for payload in payloads(20) {
        log.append(&payload, None).unwrap();
    }
    log.close().unwrap();
    let other = SimDisk::new(2);
    let start = Start {
        base: TxId(20),
        chain: Chain(5),
        epoch: 0,
    };
    let log = Log::create_at(other.root(), NEW_ID, Options::default(), start, &[]).unwrap();
    log.commit(b"another log's record", None).unwrap();
    drop(log);
    let name = other.files()[0].clone();
    disk.write(&name, &other.read(&name).unwrap());
    disk.flip_bit(&name, 20, 0);
    flip_payload(&disk, &name, FRAMES);
    let report = check_all_but(&disk, &payloads(20), &[], "another log's");
    assert_eq!(missing(&report), []);
}

/// A log that was not closed, synced once, behind the record of this id.
fn synced_behind(payloads: &[Vec<u8>], last: usize) -> SimDisk {
    let disk = SimDisk::new(1);
    let log = log_of(&disk, &[b""; 0]);
    for (id, payload) in payloads.iter().enumerate() {
        log.append(payload, None).unwrap();
        if id == last {
            log.sync().unwrap();
        }
    }
    disk
}

/// A power cut lost what was not synced, and the record before the last sync is damaged: the mark says where the next one begins.
#[test]
fn what_stands_behind_a_mark_is_proven_though_the_record_before_it_is_lost() {
    let payloads = payloads(15);
    let disk = synced_behind(&payloads, 9);
    flip_header(&disk, FIRST, frame_at(&payloads, 9));
    let report = check_all_but(&disk, &payloads, &[9], "a mark");
    assert!(
        report.kept.iter().all(|kept| kept.chain_proven),
        "{report:#?}"
    );
}

/// Of a record that continues the one before it the header is left, so it is known where its payload ends: nothing of ours begins in it.
#[test]
fn a_damaged_payload_behind_a_sound_header_is_not_searched() {
    let mut payloads = payloads(10);
    payloads[5] = [vec![7; 800], shipment_of_others(12..15)].concat();
    let disk = unsynced(&payloads);
    flip_payload(&disk, FIRST, frame_at(&payloads, 5));
    let report = check_all_but(&disk, &payloads, &[5], "a shipment");
    assert_eq!(missing(&report), [5..6]);
    assert_eq!(reasons(&report), [SkipReason::Payload]);
}

/// The payload of a record whose own header is lost ends with a header under its id. What comes next does not continue that; a mark says that it is sound.
#[test]
fn a_mark_vouches_for_a_record_that_a_header_in_a_payload_contradicts() {
    let mut payloads = payloads(15);
    payloads[9].truncate(16);
    payloads[9].extend_from_slice(&[7; 8]);
    payloads[9].extend_from_slice(&frame_header(0, 9, 1234));
    let disk = synced_behind(&payloads, 9);
    flip_header(&disk, FIRST, frame_at(&payloads, 9));
    let report = check_all_but(&disk, &payloads, &[9], "a mark");
    assert_eq!(missing(&report), [9..10]);
}

/// Behind it another record is damaged, so no neighbour vouches for it; its place does.
#[test]
fn the_first_record_of_a_segment_without_a_header_is_kept() {
    let payloads = payloads(3);
    let disk = unsynced(&payloads);
    disk.flip_bit(FIRST, 20, 0);
    flip_header(&disk, FIRST, frame_at(&payloads, 1));
    let report = check_all_but(&disk, &payloads, &[1], "alone");
    assert_eq!(missing(&report), [1..2]);
}
