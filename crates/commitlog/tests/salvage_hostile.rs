//! Salvage of what somebody wrote to mislead it, and what its report says of files that are not as they were.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

#[path = "support/hooked_dir.rs"]
mod hooked_dir;
#[path = "support/logs.rs"]
mod logs;
#[path = "support/salvaged.rs"]
mod salvaged;

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use commitlog::{Chain, Error, Log, Options, SkipReason, TxId, salvage};
use disk::{Fault, Operation, SimDisk};
use hooked_dir::{HookedDir, Hooks};
use logs::{LOG_ID, create, fill, small};
use salvaged::{NEW_ID, Record, frame_header, salvaged};

const FIRST: &str = "00000000000000000000.log";
const FRAMES: usize = 12288;

/// A log of one segment with these payloads, closed or never synced, and one bit flipped in the header of each of the records `damaged`.
fn log_of(payloads: &[Vec<u8>], damaged: &[usize], is_closed: bool) -> SimDisk {
    let disk = SimDisk::new(1);
    let log = logs::log_of(&disk, payloads);
    if is_closed {
        log.close().unwrap();
    }
    drop(log);
    for number in damaged {
        disk.flip_bit(FIRST, frame_at(payloads, *number) as u64 + 9, 0);
    }
    disk
}

fn frame_at(payloads: &[Vec<u8>], number: usize) -> usize {
    let before = payloads[..number].iter();
    let lengths = before.map(|payload| (32 + payload.len()).next_multiple_of(8));
    FRAMES + lengths.sum::<usize>()
}

/// Damages some records and salvages: all but `lost` are kept as they were written, and nothing else.
fn check_all_but(payloads: &[Vec<u8>], damaged: &[usize], lost: usize, row: &str) {
    check_disk(&log_of(payloads, damaged, true), payloads, lost, row);
}

fn check_disk(disk: &SimDisk, payloads: &[Vec<u8>], lost: usize, row: &str) {
    let (report, kept) = salvaged(disk);
    let all = payloads.iter().enumerate();
    let expected: Vec<Record> = all
        .filter(|(number, _)| *number != lost)
        .map(|(number, payload)| (number as u64, None, payload.clone()))
        .collect();
    assert_eq!(kept.len(), expected.len(), "{row}: {report:?}");
    assert!(kept == expected, "{row}: {report:?}");
    let lost = TxId(lost as u64);
    assert_eq!(report.missing, [lost..lost.next()], "{row}");
}

fn short_payloads(count: u64) -> Vec<Vec<u8>> {
    (0..count)
        .map(|id| format!("rec {id:4}").into_bytes())
        .collect()
}

/// A payload ends with the header of a frame that claims the records behind it.
#[test]
fn a_header_in_a_payload_hides_no_record() {
    for (row, id, reaches) in [
        ("the chain before its id is known, and is another", 200, 199),
        ("its id is one of theirs", 50, 199),
        ("its id is none of theirs", 210, 199),
        ("it ends where a record does", 120, 120),
    ] {
        let mut payloads = short_payloads(200);
        payloads[1] = vec![7; 7200];
        let place = frame_at(&payloads, 1) + 32 + 7200 - 32;
        let length = frame_at(&payloads, reaches) - place - 32;
        payloads[1][7200 - 32..].copy_from_slice(&frame_header(length, id, 1234));
        check_all_but(&payloads, &[1], 1, row);
        let headless = log_of(&payloads, &[1], true);
        headless.flip_bit(FIRST, 20, 0);
        check_disk(&headless, &payloads, 1, &format!("no header, {row}"));
    }
}

/// It says the same chain as the record that ends where it ends, and nothing proves which of the two was written.
#[test]
fn a_header_in_a_payload_that_leads_where_a_record_leads_hides_no_record() {
    let mut payloads = short_payloads(200);
    payloads[1] = vec![7; 7200];
    let place = frame_at(&payloads, 1) + 32 + 7200 - 32;
    let length = frame_at(&payloads, 50) - place - 32;
    let disk = log_of(&payloads, &[1], false);
    let mut bytes = disk.read(FIRST).unwrap();
    let chain = frame_at(&payloads, 49) + 24..frame_at(&payloads, 50) - 8;
    let chain = u64::from_le_bytes(bytes[chain].try_into().unwrap());
    bytes[place..place + 32].copy_from_slice(&frame_header(length, 49, chain));
    disk.write(FIRST, &bytes);
    let (report, kept) = salvaged(&disk);
    let kept: Vec<u64> = kept.iter().map(|record| record.0).collect();
    assert!((0..200).filter(|id| *id != 1).eq(kept), "{report:#?}");
    // Which of both is record 49 is not known.
    assert_eq!(report.missing, [TxId(1)..TxId(2), TxId(49)..TxId(50)]);
}

/// A header in a payload claims the records up to one that is lost as well, and the id of that.
#[test]
fn a_header_in_a_payload_does_not_take_the_place_of_a_lost_record() {
    let mut payloads = short_payloads(200);
    payloads[1] = vec![7; 7200];
    let place = frame_at(&payloads, 1) + 32 + 7200 - 32;
    let length = frame_at(&payloads, 120) - place - 32;
    payloads[1][7200 - 32..].copy_from_slice(&frame_header(length, 119, 1234));
    let (report, kept) = salvaged(&log_of(&payloads, &[1, 119], true));
    let kept: Vec<u64> = kept.iter().map(|record| record.0).collect();
    // What that header says contradicts record 120, which nothing else vouches for.
    let expected = (0..200).filter(|id| ![1, 119, 120].contains(id));
    assert!(expected.eq(kept), "{report:#?}");
    assert_eq!(report.missing, [TxId(1)..TxId(2), TxId(119)..TxId(121)]);
}

/// The same, and a later payload holds a frame that continues it.
#[test]
fn two_frames_in_two_payloads_hide_no_record_between_them() {
    for id in [50, 210] {
        let mut payloads = short_payloads(200);
        payloads[1] = vec![7; 7200];
        let continues = Chain(1234).mix(TxId(id + 1), 8, crc32c::crc32c(&[9; 8]));
        payloads[150] = [&frame_header(8, id + 1, continues.0)[..], &[9; 8]].concat();
        let place = frame_at(&payloads, 1) + 32 + 7200 - 32;
        let length = frame_at(&payloads, 150) + 32 - place - 32;
        payloads[1][7200 - 32..].copy_from_slice(&frame_header(length, id, 1234));
        check_all_but(&payloads, &[1], 1, &format!("id {id}"));
    }
}

/// A payload full of headers that each claim all that is behind it. Going through what each of them claims would take minutes.
#[test]
fn many_headers_in_a_payload_cost_no_more_than_their_bytes() {
    let bytes = 3 << 20;
    for (row, step, known) in [
        ("nothing is known of their ids", 32, false),
        ("the chain before their ids is known", 64, true),
        ("each stands behind another", 64, false),
    ] {
        let mut payloads = short_payloads(200);
        payloads[1] = vec![0x55; bytes];
        let end = frame_at(&payloads, 200);
        let first = frame_at(&payloads, 1) + 32;
        for place in (20 * 64..bytes - 64).step_by(step) {
            let rest = |place: usize| match known {
                true => end - first - place - 32,
                false => bytes - place - 32,
            };
            let id = if known { 200 } else { 2 + place as u64 % 190 };
            let pair = [
                frame_header(0, id, 5),
                frame_header(rest(place + 32), id + 1, 6),
            ];
            let header = match row {
                "each stands behind another" => pair.as_flattened(),
                _ => &frame_header(rest(place), id, 7),
            };
            payloads[1][place..place + header.len()].copy_from_slice(header);
        }
        check_all_but(&payloads, &[1], 1, row);
    }
}

/// The records that a shipment within a payload holds say nothing of which ids stand behind it.
#[test]
fn a_copy_of_older_records_in_a_payload_hides_no_record() {
    let disk = SimDisk::new(2);
    let log = Log::create(disk.root(), LOG_ID, Options::default(), &[]).unwrap();
    let mut payloads = short_payloads(100);
    for payload in &payloads[..20] {
        log.commit(payload, None).unwrap();
    }
    let shipment = log.ship(TxId(0)..TxId(20), 1 << 20).unwrap();
    payloads[20] = shipment.into_bytes();
    // What is lost of record 0 is in the copy.
    check_all_but(&payloads, &[0, 20], 20, "a copy");
}

#[test]
fn of_a_sound_header_and_the_payload_behind_it_that_contradict_each_other_the_header_is_kept() {
    let payloads = short_payloads(6);
    let disk = log_of(&payloads, &[1], true);
    disk.flip_bit(FIRST, frame_at(&payloads, 3) as u64 + 32, 0);
    let (report, kept) = salvaged(&disk);
    let expected: Vec<Record> = [0, 2, 4, 5]
        .map(|id| (id as u64, None, payloads[id].clone()))
        .to_vec();
    assert_eq!(kept, expected, "{report:?}");
    // One of both is not what was written, so 2 is among the missing too, though it is kept.
    assert_eq!(report.missing, [TxId(1)..TxId(4)]);
    let proven: Vec<bool> = report.kept.iter().map(|kept| kept.chain_proven).collect();
    assert_eq!(proven, [true, false, true]);
    let at = |number| frame_at(&payloads, number) as u64;
    let skipped: Vec<(Range<u64>, SkipReason)> = report
        .skipped
        .iter()
        .map(|skipped| (skipped.bytes.clone(), skipped.reason))
        .collect();
    assert_eq!(
        skipped,
        [
            (at(1)..at(2), SkipReason::NoFrame),
            (at(3)..at(4), SkipReason::Payload)
        ]
    );
}

#[test]
fn a_file_that_can_not_be_opened_is_named_as_that() {
    let disk = SimDisk::new(1);
    let log = create(&disk.root(), small());
    fill(&log, 20);
    log.close().unwrap();
    let names = disk.files();
    let base = |place: usize| TxId(names[place][..20].parse().unwrap());
    let whole = disk.fork();
    let before = whole.call_count();
    salvaged(&whole);
    let calls = whole.calls();
    let opens: Vec<u64> = (before..calls.len() as u64)
        .filter(|number| {
            let call = &calls[*number as usize];
            call.operation == Operation::Open && call.path.ends_with(&names[2])
        })
        .collect();
    // To see what it is, to search it, to copy from it.
    assert_eq!(opens.len(), 3);
    for number in opens {
        let disk = disk.fork();
        disk.fail_at(number, Fault::Eio);
        let (report, _) = salvaged(&disk);
        let mut reasons = report.skipped.iter().map(|one| (&*one.file, one.reason));
        assert!(
            reasons.all(|one| one == (&names[2][..], SkipReason::NotOpened)),
            "{report:?}"
        );
        assert_eq!(report.skipped.len(), 1);
        assert_eq!(report.missing, [base(2)..base(3)]);
    }
}

#[test]
fn a_lost_first_segment_is_missing_and_a_pruned_one_is_not() {
    let disk = SimDisk::new(1);
    let log = create(&disk.root(), small());
    fill(&log, 20);
    let pruned = disk.fork();
    log.close().unwrap();
    let second = disk.files()[1].clone();
    let base = TxId(second[..20].parse().unwrap());
    disk.root().remove(FIRST).unwrap();
    let lost = TxId(0)..base;
    assert_eq!(salvaged(&disk).0.missing, [lost]);
    let (log, _) = Log::open(pruned.root(), small(), &[]).unwrap();
    log.prune_before(base).unwrap();
    log.close().unwrap();
    assert_eq!(pruned.files()[0], second);
    assert_eq!(salvaged(&pruned).0.missing, []);
}

#[test]
fn the_new_log_asks_for_the_reader_that_the_old_one_asked_for() {
    for (needed, asked, expected) in [(5, 0, 5), (5, 7, 7), (0, 0, 0)] {
        let disk = SimDisk::new(1);
        let options = |minimum_reader| Options {
            minimum_reader,
            reader: 4,
            ..Options::default()
        };
        drop(Log::create(disk.root(), LOG_ID, options(needed), &[(b"g", None)]).unwrap());
        let to = SimDisk::new(2);
        salvage(disk.root().as_ref(), to.root(), NEW_ID, options(asked)).unwrap();
        match Log::open(to.root(), options(0), &[]) {
            Ok(_) => assert_eq!(expected, 0),
            Err(Error::NewerFormat { needed, .. }) => assert_eq!(needed, expected),
            Err(error) => panic!("{error}"),
        }
    }
}

/// How many handles there were at most when something was read. Each file has one of this, the directory and the test too.
#[derive(Debug)]
struct MostHandles {
    this: Weak<MostHandles>,
    most: AtomicUsize,
}

impl Hooks for MostHandles {
    fn before_read(&self, _bytes: usize, _file_bytes: u64) {
        let handles = self.this.strong_count();
        self.most.fetch_max(handles, Ordering::Relaxed);
    }
}

#[test]
fn one_file_is_open_at_a_time() {
    let disk = SimDisk::new(1);
    let log = create(&disk.root(), small());
    fill(&log, 20);
    log.close().unwrap();
    assert!(disk.files().len() > 4);
    let handles = Arc::new_cyclic(|this| MostHandles {
        this: Weak::clone(this),
        most: AtomicUsize::new(0),
    });
    let hooks: Arc<dyn Hooks> = handles.clone();
    let source = HookedDir::around(disk.root(), hooks);
    let report = salvage(&*source, SimDisk::new(2).root(), NEW_ID, small()).unwrap();
    assert_eq!(report.records, 20);
    assert_eq!(handles.most.load(Ordering::Relaxed) - 2, 1);
}
