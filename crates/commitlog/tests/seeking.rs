//! A reader that begins within a long segment: what it walks over, and what it says of damage before the place.
#![allow(clippy::unwrap_used)]

#[path = "support/logs.rs"]
mod logs;

use commitlog::{
    BadFrame, DamageKind, Error, Log, Options, ReadOnlyLog, ReadOnlyOptions, Result, TxId,
};
use disk::SimDisk;
use logs::LOG_ID;

/// About 1.4 MiB: a place is remembered each 64 KiB.
const RECORDS: u64 = 1400;

/// Where the header of the first frame or block begins, and the byte behind that of record 0.
const FRAMES_BYTE: u64 = 12288;
const SECOND_FRAME_BYTE: u64 = FRAMES_BYTE + 40;

fn payload(number: u64) -> Vec<u8> {
    (0..1000)
        .map(|at: u64| u8::try_from((at * at + number) % 97).unwrap())
        .collect()
}

/// A log of one sealed segment and an empty one, opened anew: nothing is remembered.
fn log_on(disk: &SimDisk, compressed: bool) -> Log {
    let log = Log::create(
        disk.root(),
        LOG_ID,
        Options::default(),
        &[(b"genesis", None)],
    )
    .unwrap();
    for number in 1..RECORDS {
        assert_eq!(log.append(&payload(number), None).unwrap(), TxId(number));
    }
    log.rotate().unwrap();
    if compressed {
        log.compress_sealed().unwrap().unwrap();
    }
    log.close().unwrap();
    Log::open(disk.root(), Options::default(), &[]).unwrap().0
}

/// Damages the header of the second frame, or of the first block. Yields the record that can not be found then.
fn damage(disk: &SimDisk, compressed: bool) -> TxId {
    let (at, first) = match compressed {
        false => (SECOND_FRAME_BYTE, 1),
        true => (FRAMES_BYTE, 0),
    };
    disk.flip_bit("00000000000000000000.log", at + 9, 1);
    TxId(first)
}

/// Reads a record and the one behind it.
fn two(reader: Result<commitlog::Reader>) -> Result<Vec<u8>> {
    let mut reader = reader?;
    let mut payloads = Vec::new();
    for _ in 0..2 {
        payloads.extend_from_slice(reader.next_record()?.unwrap().payload);
    }
    Ok(payloads)
}

fn expected(number: u64) -> Vec<u8> {
    [payload(number), payload(number + 1)].concat()
}

/// The record at which a damage is met.
fn met(said: Result<Vec<u8>>) -> TxId {
    match said.unwrap_err() {
        Error::Damaged {
            kind: DamageKind::Record { bad, .. },
            ..
        } => match bad {
            BadFrame::HeaderChecksum { expected }
            | BadFrame::Block { expected }
            | BadFrame::Chain { expected } => expected,
            other => panic!("{other}"),
        },
        other => panic!("{other}"),
    }
}

/// The damage stands for what is looked at: who does not meet it did not walk over the front of the segment.
#[test]
fn the_first_reader_walks_over_a_segment_and_those_after_it_begin_near_their_record() {
    for compressed in [false, true] {
        let disk = SimDisk::new(1);
        let log = log_on(&disk, compressed);
        let last = RECORDS - 2;
        assert_eq!(two(log.reader(TxId(last))).unwrap(), expected(last));
        damage(&disk, compressed);
        for number in (200..=last).rev() {
            let said = two(log.reader(TxId(number)));
            assert_eq!(said.unwrap(), expected(number), "{number}");
        }
    }
}

#[test]
fn damage_before_the_record_asked_for_is_met_by_who_walks_over_it_and_changes_nothing_for_others() {
    for compressed in [false, true] {
        let disk = SimDisk::new(1);
        let log = log_on(&disk, compressed);
        let last = RECORDS - 2;
        assert_eq!(two(log.reader(TxId(last))).unwrap(), expected(last));
        let first = damage(&disk, compressed);
        let fresh = ReadOnlyLog::open(disk.root(), ReadOnlyOptions::default(), &[]).unwrap();
        for _ in 0..2 {
            // Another reader meets the damage; it is no reason to forget what holds.
            assert_eq!(met(two(log.reader(first))), first);
            let through = log.reader(TxId(0)).and_then(|mut reader| {
                while reader.next_record()?.is_some() {}
                Ok(Vec::new())
            });
            assert_eq!(met(through), first);
            for number in [200, 700, last] {
                let said = two(log.reader(TxId(number)));
                assert_eq!(said.unwrap(), expected(number), "{number}");
                assert_eq!(met(two(fresh.reader(TxId(number)))), first);
            }
        }
        assert!(matches!(fresh.verify(), Err(Error::Damaged { .. })));
    }
}

/// The record asked for, and those behind it, are what was written, or damage; whatever is remembered.
#[test]
fn damage_at_the_record_asked_for_is_told_whatever_is_remembered() {
    let disk = SimDisk::new(1);
    let log = log_on(&disk, false);
    let fresh = || ReadOnlyLog::open(disk.root(), ReadOnlyOptions::default(), &[]).unwrap();
    assert_eq!(
        two(log.reader(TxId(RECORDS - 2))).unwrap(),
        expected(RECORDS - 2)
    );
    // Frames of a thousand bytes: a header of 32 and no padding.
    let file = "00000000000000000000.log";
    for number in [700u64, 1000] {
        let frame = SECOND_FRAME_BYTE + (number - 1) * 1032;
        disk.flip_bit(file, frame + 500, 3);
        for asked in [number - 1, number] {
            for said in [
                two(log.reader(TxId(asked))),
                two(fresh().reader(TxId(asked))),
            ] {
                assert_eq!(met(said), TxId(number));
            }
        }
        let behind = number + 1;
        for said in [
            two(log.reader(TxId(behind))),
            two(fresh().reader(TxId(behind))),
        ] {
            assert_eq!(said.unwrap(), expected(behind));
        }
    }
}
