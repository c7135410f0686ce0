//! Records copied out of one log and appended to another.
#![allow(clippy::unwrap_used)]

#[path = "support/logs.rs"]
mod logs;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use commitlog::{
    BadShipment, Error, Log, LogId, Options, ReadOnlyLog, ReadOnlyOptions, Shipment, Start, TxId,
};
use disk::SimDisk;
use logs::{LOG_ID, create, expected, files, fill, read_all, small, temporary};

const HEADER: usize = 72;

fn ids(range: Range<u64>) -> Range<TxId> {
    TxId(range.start)..TxId(range.end)
}

fn contents(shipment: &Shipment) -> Vec<(u64, Vec<u8>)> {
    let records = shipment.records();
    records
        .map(|record| (record.id.0, record.payload.to_vec()))
        .collect()
}

#[test]
fn a_shipment_holds_the_frames_of_the_segments_byte_for_byte() {
    let (_temporary, dir) = temporary();
    let log = create(&dir, small());
    fill(&log, 40);
    let shipment = log.ship(ids(0..40), u64::MAX).unwrap();
    assert_eq!(shipment.range(), ids(0..40));
    assert_eq!(contents(&shipment), expected(0, 40));
    assert_eq!(shipment.chain_after(), log.chain_at_end());
    log.close().unwrap();
    let frames: Vec<u8> = files(&dir)
        .into_iter()
        .flat_map(|(_, bytes)| bytes[12288..].to_vec())
        .collect();
    assert!(shipment.as_bytes()[HEADER..] == frames);
    let again = Shipment::from_bytes(shipment.as_bytes().to_vec()).unwrap();
    assert_eq!(again, shipment);
}

#[test]
fn a_shipment_ends_where_its_bytes_do_but_holds_one_record_at_least() {
    let (_temporary, dir) = temporary();
    let log = create(&dir, Options::default());
    for _ in 0..9 {
        log.commit(&[1; 100], None).unwrap();
    }
    // A frame of 100 bytes of payload takes 136, the genesis 40.
    for (from, bytes_max, end) in [
        (0, 0, 1),
        (0, 175, 1),
        (0, 176, 2),
        (1, 135, 2),
        (1, 271, 2),
        (1, 272, 3),
        (1, u64::MAX, 10),
        (10, 0, 10),
    ] {
        let shipment = log.ship(ids(from..10), bytes_max).unwrap();
        assert_eq!(shipment.range(), ids(from..end), "{from}, {bytes_max}");
        if let Some(before) = TxId(from).previous() {
            assert_eq!(shipment.chain_before(), log.chain_after(before).unwrap());
        }
    }
}

#[test]
fn what_is_not_proven_is_not_shipped() {
    let (_temporary, dir) = temporary();
    let log = create(&dir, small());
    fill(&log, 5);
    log.append(b"not yet durable", None).unwrap();
    let options = ReadOnlyOptions {
        show_unproven: true,
        ..ReadOnlyOptions::default()
    };
    let beside = ReadOnlyLog::open(Arc::clone(&dir), options, &[]).unwrap();
    for shipped in [log.ship(ids(0..6), 1000), beside.ship(ids(3..6), u64::MAX)] {
        let beyond = |error: &Error| matches!(error, Error::BeyondEnd { end: TxId(5), .. });
        match shipped {
            // It was full before it came there.
            Ok(shipment) => assert!(shipment.range().end <= TxId(5)),
            Err(error) => assert!(beyond(&error), "{error}"),
        }
    }
    assert_eq!(
        log.ship(ids(2..5), u64::MAX).unwrap(),
        beside.ship(ids(2..5), u64::MAX).unwrap()
    );
    log.sync().unwrap();
    assert_eq!(log.ship(ids(0..6), u64::MAX).unwrap().range(), ids(0..6));
}

#[test]
fn a_copy_of_the_same_history_has_the_same_frames() {
    let (_one, from) = temporary();
    let log = create(&from, small());
    fill(&log, 40);
    let (_two, to) = temporary();
    let start = Start::genesis(LOG_ID);
    let copy = Log::create_at(Arc::clone(&to), LOG_ID, Options::default(), start, &[]).unwrap();
    while copy.next_id() < log.next_id() {
        let shipment = log.ship(copy.next_id()..log.next_id(), 500).unwrap();
        let range = copy.append_shipment(shipment.as_bytes()).unwrap();
        assert_eq!(range, shipment.range());
        assert_eq!(copy.chain_at_end(), shipment.chain_after());
    }
    copy.sync().unwrap();
    assert_eq!(read_all(&copy), expected(0, 40));
    let all = ids(0..40);
    assert_eq!(
        copy.ship(all.clone(), u64::MAX).unwrap(),
        log.ship(all, u64::MAX).unwrap()
    );
    drop(copy);
    let (copy, report) = Log::open(to, small(), &[]).unwrap();
    assert_eq!((report.end, report.torn), (TxId(40), None));
    assert_eq!(copy.chain_at_end(), log.chain_at_end());
}

#[test]
fn records_of_another_log_get_the_chain_of_this_one() {
    let (_one, from) = temporary();
    let log = create(&from, small());
    fill(&log, 20);
    let (_two, to) = temporary();
    let other = LogId(*b"another log's id");
    let copy = Log::create(Arc::clone(&to), other, small(), &[(b"its own", None)]).unwrap();
    let shipment = log.ship(ids(1..20), u64::MAX).unwrap();
    assert_eq!(
        copy.append_shipment(shipment.as_bytes()).unwrap(),
        ids(1..20)
    );
    assert_ne!(copy.chain_at_end(), log.chain_at_end());
    assert_eq!(read_all(&copy)[1..], expected(1, 20));
    let mut theirs = log.reader(TxId(1)).unwrap();
    let mut ours = copy.reader(TxId(1)).unwrap();
    while let Some(record) = theirs.next_record().unwrap() {
        assert_eq!(ours.next_record().unwrap().unwrap().time, record.time);
    }
}

#[test]
fn a_shipment_that_does_not_fit_changes_nothing() {
    let (_one, from) = temporary();
    let log = create(
        &from,
        Options {
            minimum_reader: 5,
            ..small()
        },
    );
    fill(&log, 20);
    log.raise_minimum_reader(7);
    let (_two, to) = temporary();
    let options = Options {
        payload_bytes_max: 200,
        reader: 7,
        ..small()
    };
    let create = |log_id| {
        Log::create(
            Arc::clone(&to),
            log_id,
            options.clone(),
            &[(b"elsewhere", None)],
        )
    };
    let other = create(LOG_ID).unwrap();
    let before = files(&to);
    let ship = |range| log.ship(ids(range), u64::MAX).unwrap().into_bytes();
    let mut flipped = ship(1..3);
    flipped[110] ^= 1;
    let newer = |needed: u16| {
        let mut bytes = ship(1..3);
        bytes[10..12].copy_from_slice(&needed.to_le_bytes());
        let sum = crc32c::crc32c(&bytes[..68]);
        bytes[68..72].copy_from_slice(&sum.to_le_bytes());
        bytes
    };
    let rows = [
        (
            ship(0..3),
            "the shipment begins at 0 and the log goes on at 1",
        ),
        (
            ship(2..3),
            "the shipment begins at 2 and the log goes on at 1",
        ),
        (
            ship(2..2),
            "the shipment begins at 2 and the log goes on at 1",
        ),
        (
            ship(1..3),
            "the log has another history before 1; begin again where both agree",
        ),
        (
            ship(1..1),
            "the log has another history before 1; begin again where both agree",
        ),
        (
            ship(1..9),
            "the transaction has 222 bytes and the limit is 200; split it or raise the limit",
        ),
        (
            flipped,
            "the shipment is not valid at byte 72: record 1 does not continue the chain of checksums",
        ),
        (
            newer(8),
            "the shipment is not valid at byte 0: it needs version 8 of the payload format and this program has 7",
        ),
    ];
    for (bytes, said) in rows {
        assert_eq!(other.append_shipment(&bytes).unwrap_err().to_string(), said);
        assert_eq!(other.next_id(), TxId(1));
    }
    assert_eq!(files(&to), before);
    // What it says about its payloads comes along.
    let (_three, to) = temporary();
    let options = Options {
        reader: 7,
        ..small()
    };
    let other = LogId(*b"another log's id");
    let copy = Log::create(Arc::clone(&to), other, options, &[(b"its own", None)]).unwrap();
    copy.append_shipment(&ship(1..9)).unwrap();
    copy.rotate().unwrap();
    assert_eq!(Log::inspect(to.as_ref()).unwrap().minimum_reader, 7);
    copy.close().unwrap();
    let appended = copy.append_shipment(&ship(9..10));
    assert!(matches!(appended, Err(Error::Closed)));
}

#[test]
fn of_two_who_ship_the_same_records_one_succeeds() {
    let (_one, from) = temporary();
    let log = create(&from, small());
    fill(&log, 40);
    let (_two, to) = temporary();
    let start = Start::genesis(LOG_ID);
    let copy = Log::create_at(to, LOG_ID, small(), start, &[]).unwrap();
    let appended = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while copy.next_id() < TxId(40) {
                    let range = copy.next_id()..TxId(40);
                    let bytes = log.ship(range, 300).unwrap().into_bytes();
                    match copy.append_shipment(&bytes) {
                        Ok(range) => {
                            appended.fetch_add(range.end.0 - range.start.0, Ordering::SeqCst);
                        }
                        Err(Error::NotNext { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
    });
    assert_eq!(appended.into_inner(), 40);
    assert_eq!(read_all(&copy), expected(0, 40));
}

#[test]
fn every_flip_and_every_cut_of_a_shipment_is_refused() {
    let (_temporary, dir) = temporary();
    let log = create(&dir, small());
    fill(&log, 5);
    for range in [0..5, 2..4, 3..3] {
        let bytes = log.ship(ids(range), u64::MAX).unwrap().into_bytes();
        for at in 0..bytes.len() {
            let mut cut = bytes.clone();
            cut.truncate(at);
            refused(cut);
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                refused(flipped);
            }
        }
        let mut longer = bytes;
        longer.push(0);
        refused(longer);
    }
}

#[track_caller]
fn refused(bytes: Vec<u8>) {
    let refused = Shipment::from_bytes(bytes);
    assert!(matches!(refused, Err(Error::BadShipment { .. })));
}

#[test]
fn what_is_wrong_with_a_shipment_is_said() {
    let (_temporary, dir) = temporary();
    let log = create(&dir, small());
    fill(&log, 5);
    let bytes = log.ship(ids(1..4), u64::MAX).unwrap().into_bytes();
    let with_header = |at: usize, value: &[u8]| {
        let mut bytes = bytes.clone();
        bytes[at..at + value.len()].copy_from_slice(value);
        let sum = crc32c::crc32c(&bytes[..68]);
        bytes[68..72].copy_from_slice(&sum.to_le_bytes());
        match Shipment::from_bytes(bytes) {
            Err(Error::BadShipment { byte_offset, kind }) => (byte_offset, kind.to_string()),
            other => panic!("{other:?}"),
        }
    };
    // Payloads of 37, 74 and 111 bytes in frames of 72, 112 and 144 bytes.
    let rows: [(usize, &[u8], u64, &str); 8] = [
        (
            8,
            &[2, 0],
            0,
            "it needs version 2 of the shipment format and this program has 1",
        ),
        (32, &[2], 72, "record 1 stands where record 2 should be"),
        (32, &[0xFF; 8], 0, "the header is not valid"),
        (40, &[2], 400, "it does not end before 3"),
        (40, &[4], 400, "it does not end before 5"),
        (40, &[0xFF; 8], 0, "the header is not valid"),
        (
            48,
            &[0; 8],
            72,
            "record 1 does not continue the chain of checksums",
        ),
        (
            56,
            &[0xFF; 8],
            72,
            "the frames have 328 bytes and not 18446744073709551615",
        ),
    ];
    for (at, value, byte_offset, said) in rows {
        assert_eq!(with_header(at, value), (byte_offset, said.to_owned()));
    }
    assert!(matches!(
        Shipment::from_bytes(Vec::new()),
        Err(Error::BadShipment {
            kind: BadShipment::Header,
            ..
        })
    ));
}

/// What needs a newer reader begins a segment that says so, whatever its records join; what is not appended asks for nothing.
#[test]
fn an_older_program_refuses_shipped_records_by_the_header() {
    let newer = Options {
        minimum_reader: 9,
        ..small()
    };
    let (_one, from) = temporary();
    let source = create(&from, newer);
    source.commit(&[5; 100_000], None).unwrap();
    let ship = |range: Range<u64>| source.ship(ids(range), 1 << 20).unwrap().into_bytes();
    let asked = |disk: &SimDisk| Log::inspect(disk.root().as_ref()).unwrap().minimum_reader;
    // Into an empty segment, and into one with a record.
    for begun in [0, 1] {
        let disk = SimDisk::new(1);
        let copy = Log::create(disk.root(), LOG_ID, small(), &[]).unwrap();
        if begun > 0 {
            copy.commit(b"genesis", Some(7)).unwrap();
        }
        disk.set_capacity(Some(disk.used_bytes() + 50_000));
        if begun > 0 {
            assert!(matches!(
                copy.append_shipment(&ship(1..2)),
                Err(Error::Full(_))
            ));
        }
        assert_eq!(
            copy.append_shipment(&ship(begun..begun)).unwrap(),
            ids(begun..begun)
        );
        disk.set_capacity(None);
        copy.rotate().unwrap();
        assert_eq!(asked(&disk), 0, "{begun}");
        assert_eq!(
            copy.append_shipment(&ship(begun..2)).unwrap(),
            ids(begun..2)
        );
        assert_eq!(asked(&disk), 9, "{begun}");
        assert_eq!(copy.chain_at_end(), source.chain_at_end());
        drop(copy);
        let older = Options {
            reader: 3,
            ..small()
        };
        let refused = Log::open(disk.root(), older, &[]);
        assert!(matches!(refused, Err(Error::NewerFormat { needed: 9, .. })));
        let (copy, _) = Log::open(disk.root(), small(), &[]).unwrap();
        assert_eq!(copy.ship(ids(0..2), 1 << 20).unwrap().minimum_reader(), 9);
    }
}

/// However much space is left: a segment asks for a newer reader only if it holds the records that need it.
#[test]
fn a_shipment_that_a_full_disk_refuses_asks_for_nothing() {
    let newer = Options {
        minimum_reader: 9,
        ..small()
    };
    let (_one, from) = temporary();
    let source = create(&from, newer);
    source.commit(&[5; 200], None).unwrap();
    let shipment = source.ship(ids(1..2), 1 << 20).unwrap().into_bytes();
    let other = LogId(*b"another log's id");
    let (mut refused, mut appended) = (0, 0);
    for left in (0..50_000).step_by(500) {
        let disk = SimDisk::new(1);
        let copy = Log::create(disk.root(), other, Options::default(), &[]).unwrap();
        // What is reserved at first, but for as much as another record takes.
        copy.commit(&[1; 16 * 1024 - 32 - 232], None).unwrap();
        disk.set_capacity(Some(disk.used_bytes() + left));
        let outcome = copy.append_shipment(&shipment);
        disk.set_capacity(None);
        let asked = Log::inspect(disk.root().as_ref()).unwrap().minimum_reader;
        match outcome {
            Ok(range) => {
                appended += 1;
                assert_eq!((range, asked), (ids(1..2), 9), "{left} bytes");
            }
            Err(Error::Full(_)) => {
                refused += 1;
                assert_eq!((copy.next_id(), asked), (TxId(1), 0), "{left} bytes");
                copy.rotate().unwrap();
                let asked = Log::inspect(disk.root().as_ref()).unwrap().minimum_reader;
                assert_eq!(asked, 0, "{left} bytes");
                assert_eq!(copy.append_shipment(&shipment).unwrap(), ids(1..2));
            }
            Err(error) => panic!("{left} bytes: {error}"),
        }
    }
    assert!(refused > 10 && appended > 10, "{refused}, {appended}");
}
