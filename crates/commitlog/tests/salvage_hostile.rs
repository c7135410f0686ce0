//! Salvage of what somebody wrote to mislead it, and what its report says of files that are not as they were.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

#[path = "support/hooked_dir.rs"]
mod hooked_dir;
#[path = "support/logs.rs"]
mod logs;
#[allow(dead_code, reason = "not everything of it is used here")]
#[path = "support/seeds.rs"]
mod seeds;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use commitlog::{Chain, Error, Log, LogId, Options, SalvageReport, SkipReason, TxId, salvage};
use disk::{Fault, Operation, SimDisk};
use hooked_dir::{HookedDir, Hooks};
use logs::{LOG_ID, create, fill, small};
use seeds::{Random, for_each_seed};

const NEW_ID: LogId = LogId(*b"what is left now");
const FIRST: &str = "00000000000000000000.log";
const FRAMES: usize = 12288;

/// The 32 bytes in front of a payload, their checksum good.
fn frame_header(length: usize, id: u64, chain: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[4..8].copy_from_slice(&(length as u32).to_le_bytes());
    bytes[8..16].copy_from_slice(&id.to_le_bytes());
    bytes[16..24].copy_from_slice(&i64::MIN.to_le_bytes());
    bytes[24..].copy_from_slice(&chain.to_le_bytes());
    let sum = crc32c::crc32c(&bytes[4..]);
    bytes[..4].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// A closed log of one segment with these payloads, and one bit flipped in the header of each of the records `damaged`.
fn log_of(payloads: &[Vec<u8>], damaged: &[usize]) -> SimDisk {
    let disk = SimDisk::new(1);
    let log = Log::create(disk.root(), LOG_ID, Options::default(), &[]).unwrap();
    for payload in payloads {
        log.append(payload, None).unwrap();
    }
    log.close().unwrap();
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

type Record = (u64, Option<i64>, Vec<u8>);

fn records(log: &Log) -> Vec<Record> {
    let mut reader = log.reader(log.base()).unwrap();
    let mut records = Vec::new();
    while let Some(record) = reader.next_record().unwrap() {
        records.push((record.id.0, record.time, record.payload.to_vec()));
    }
    records
}

/// Salvages. Yields the report, and the records that were kept, each with its old id.
fn salvaged(source: &SimDisk) -> (SalvageReport, Vec<Record>) {
    let destination = SimDisk::new(9);
    let options = Options::default;
    let report = salvage(
        source.root().as_ref(),
        destination.root(),
        NEW_ID,
        options(),
    )
    .unwrap();
    let (log, opened) = Log::open(destination.root(), options(), &[]).unwrap();
    assert!(opened.was_closed);
    let mut new = records(&log);
    let ids = report.kept.iter().flat_map(|kept| ids(&kept.ids));
    new.iter_mut()
        .zip(ids)
        .for_each(|(record, id)| record.0 = id);
    assert_eq!(new.len() as u64, report.records);
    (report, new)
}

fn ids(range: &Range<TxId>) -> Range<u64> {
    range.start.0..range.end.0
}

/// Damages some records and salvages: all but `lost` are kept as they were written, and nothing else.
fn check_all_but(payloads: &[Vec<u8>], damaged: &[usize], lost: usize, row: &str) {
    let (report, kept) = salvaged(&log_of(payloads, damaged));
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
    }
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
    let disk = log_of(&payloads, &[1]);
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
        let mut reasons = report.skipped.iter().map(|one| (&one.file, one.reason));
        assert!(
            reasons.all(|one| one == (&names[2], SkipReason::NotOpened)),
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

/// The frames of a plain segment.
fn frames(bytes: &[u8]) -> Vec<(u64, Range<usize>)> {
    let mut frames = Vec::new();
    let mut at = FRAMES;
    while let Some(header) = bytes.get(at..at + 32)
        && header.iter().any(|byte| *byte != 0)
    {
        let length = u32::from_le_bytes(header[4..8].try_into().unwrap());
        let id = u64::from_le_bytes(header[8..16].try_into().unwrap());
        let end = (at + 32 + length as usize).next_multiple_of(8);
        frames.push((id, at..end));
        at = end;
    }
    frames
}

/// A log whose payloads are noise, zeros, and shipments of its own older records.
fn any_log(random: &mut Random) -> (SimDisk, Vec<Record>) {
    let disk = SimDisk::new(1);
    let options = Options {
        segment_bytes_max: FRAMES as u64 + 2000,
        ..Options::default()
    };
    let log = create(&disk.root(), options);
    for time in 1..3 + random.below(40) as i64 {
        let end = log.durable_end();
        let noise = |random: &mut Random| -> Vec<u8> {
            (0..random.below(400))
                .map(|_| random.next() as u8)
                .collect()
        };
        let payload = match random.below(5) {
            0 => {
                let shipment = log.ship(TxId(random.below(end.0))..end, 600);
                shipment.unwrap().into_bytes()
            }
            1 => vec![0; random.below(400) as usize],
            _ => noise(random),
        };
        log.commit(&payload, Some(time)).unwrap();
        if random.below(12) == 0 {
            log.rotate().unwrap();
        }
        if random.below(12) == 0 {
            log.compress_sealed().unwrap();
        }
    }
    let written = records(&log);
    if random.below(2) == 0 {
        log.close().unwrap();
    }
    (disk, written)
}

/// One to three flips, zeroed sectors, cuts, lost files.
fn damage(disk: &SimDisk, random: &mut Random) {
    for _ in 0..1 + random.below(3) {
        let names = disk.files();
        let name = random.pick(&names);
        let mut bytes = disk.read(name).unwrap();
        let frames = (bytes.len().max(FRAMES + 1) - FRAMES) as u64;
        let in_frames = (FRAMES + random.below(frames) as usize).min(bytes.len() - 1);
        match random.below(7) {
            0 | 1 => bytes[in_frames] ^= 1 << random.below(8),
            2 => {
                let at = random.below(bytes.len() as u64 / 512) as usize * 512;
                bytes[at..].iter_mut().take(512).for_each(|byte| *byte = 0);
            }
            3 => bytes.truncate(in_frames.max(512)),
            4 | 5 => {
                let block = random.below(3) as usize * 4096;
                let at = block + random.below(64) as usize;
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
            _ if names.len() > 1 && random.below(4) == 0 => {
                disk.root().remove(name).unwrap();
                continue;
            }
            _ => {}
        }
        disk.write(name, &bytes);
    }
}

/// What is called proven was written; what is not kept is missing; and what is intact, as both of its neighbours, is kept, unless a copy of it claims its id and nothing proves
/// which of them it is: then the report says so.
#[test]
fn the_report_is_true_whatever_is_damaged() {
    let test = "salvage_hostile the_report_is_true_whatever_is_damaged";
    for_each_seed(test, 3000, |seed| {
        let mut random = Random::new(seed);
        let (disk, written) = any_log(&mut random);
        let before: Vec<(String, Vec<u8>)> = disk
            .files()
            .into_iter()
            .map(|name| (name.clone(), disk.read(&name).unwrap()))
            .collect();
        damage(&disk, &mut random);
        let (report, kept) = salvaged(&disk);
        let row = || format!("{report:#?}");
        let is_missing = |id: u64| report.missing.iter().any(|ids| ids.contains(&TxId(id)));
        let proven: BTreeSet<u64> = report
            .kept
            .iter()
            .filter(|kept| kept.chain_proven)
            .flat_map(|kept| ids(&kept.ids))
            .collect();
        for record in kept.iter().filter(|record| proven.contains(&record.0)) {
            assert_eq!(record, &written[record.0 as usize], "{}", row());
        }
        let kept: BTreeSet<u64> = kept.iter().map(|record| record.0).collect();
        let first = disk.files()[0][..20].parse().unwrap();
        for id in first..kept.last().map_or(first, |last| last + 1) {
            let is_kept = kept.contains(&id);
            assert!(is_kept || is_missing(id), "record {id}: {}", row());
            assert!(
                !proven.contains(&id) || !is_missing(id),
                "record {id}: {}",
                row()
            );
        }
        for (name, bytes) in before.iter().filter(|(_, bytes)| bytes[10] == 0) {
            let now = disk.read(name).unwrap_or_default();
            let frames = frames(bytes);
            let is_intact = |place: Option<&(u64, Range<usize>)>| {
                place.is_none_or(|(_, place)| now.get(place.clone()) == Some(&bytes[place.clone()]))
            };
            for (number, (id, place)) in frames.iter().enumerate() {
                let around = [
                    number.checked_sub(1).and_then(|before| frames.get(before)),
                    frames.get(number),
                    frames.get(number + 1),
                ];
                let is_contradicted = report.skipped.iter().any(|skipped| {
                    let starts = skipped.bytes.contains(&(place.start as u64));
                    starts && skipped.file == *name && skipped.reason == SkipReason::Contradicted
                });
                if around.into_iter().all(is_intact) && !is_contradicted {
                    assert!(
                        kept.contains(id),
                        "record {id} at {place:?} of {name}: {}",
                        row()
                    );
                }
            }
        }
    });
}
