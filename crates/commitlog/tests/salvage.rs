//! Salvage: what can be read of a damaged log comes into a new one, and the report says exactly what did not.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::single_range_in_vec_init
)]

#[path = "support/logs.rs"]
mod logs;
#[allow(dead_code, reason = "not everything of it is used here")]
#[path = "support/seeds.rs"]
mod seeds;

use std::ops::Range;

use commitlog::{
    Chain, Error, Log, LogId, Options, SalvageReport, SkipReason, Start, SyncPolicy, TxId, salvage,
};
use disk::SimDisk;
use logs::{LOG_ID, fill, payload, read_all, small};
use seeds::{Random, for_each_seed};

const NEW_ID: LogId = LogId(*b"what is left now");
const END: u64 = 20;
const FIRST: &str = "00000000000000000000.log";

/// Records 0 to 19, their payloads by number.
fn written(id: u64) -> Vec<u8> {
    match id {
        0 => b"genesis".to_vec(),
        id => payload(id),
    }
}

fn log_on(options: Options, compressed: bool) -> SimDisk {
    let disk = SimDisk::new(1);
    let log = Log::create(disk.root(), LOG_ID, options, &[(b"genesis", Some(7))]).unwrap();
    fill(&log, END);
    if compressed {
        log.rotate().unwrap();
        while log.compress_sealed().unwrap().is_some() {}
    }
    drop(log);
    disk
}

/// Salvages; checks that the report is true of the new log, that every record is one that was written, and that the source is as it was.
fn salvaged(source: &SimDisk) -> SalvageReport {
    let before = source.digest();
    let destination = SimDisk::new(9);
    let report = salvage(source.root().as_ref(), destination.root(), NEW_ID, small()).unwrap();
    assert_eq!(source.digest(), before);
    let (log, opened) = Log::open(destination.root(), small(), &[]).unwrap();
    assert!(opened.was_closed);
    assert_eq!(log.log_id(), NEW_ID);
    let new = read_all(&log);
    assert_eq!(new.len() as u64, report.records);
    let mut place = 0;
    for kept in &report.kept {
        assert_eq!(kept.new_first.0, place);
        for id in kept.ids.start.0..kept.ids.end.0 {
            assert_eq!(new[place as usize], (place, written(id)), "record {id}");
            place += 1;
        }
    }
    assert_eq!(place, report.records);
    report
}

/// The ids that were kept, whether they are proven, and those that are missing.
type Ids = (Vec<(Range<u64>, bool)>, Vec<Range<u64>>);

fn ids(report: &SalvageReport) -> Ids {
    let numbers = |ids: &Range<TxId>| ids.start.0..ids.end.0;
    let mut kept: Vec<(Range<u64>, bool)> = Vec::new();
    for one in &report.kept {
        match kept.last_mut() {
            Some(last) if last.0.end == one.ids.start.0 && last.1 == one.chain_proven => {
                last.0.end = one.ids.end.0;
            }
            _ => kept.push((numbers(&one.ids), one.chain_proven)),
        }
    }
    (kept, report.missing.iter().map(numbers).collect())
}

/// Where the frames of the records of a plain segment begin.
fn frame_at(id: u64) -> u64 {
    let before = (0..id).map(|id| (32 + written(id).len() as u64).next_multiple_of(8));
    12288 + before.sum::<u64>()
}

#[test]
fn a_sound_log_is_copied_whole() {
    for options in [small(), Options::default()] {
        for compressed in [false, true] {
            let report = salvaged(&log_on(options.clone(), compressed));
            assert_eq!(report.source, Some(LOG_ID));
            assert_eq!(ids(&report), (vec![(0..END, true)], vec![]));
            assert_eq!(report.skipped, []);
        }
    }
}

#[test]
fn one_flipped_bit_costs_at_most_one_record_of_a_plain_segment() {
    let disk = log_on(Options::default(), false);
    let length = frame_at(END);
    let mut unproven = 0;
    for byte in (0..64)
        .chain(4096..4160)
        .chain(8192..8256)
        .chain(12288..length)
    {
        let broken = disk.fork();
        broken.flip_bit(FIRST, byte, (byte % 8) as u32);
        let report = salvaged(&broken);
        let hit = (0..END).find(|id| (frame_at(*id)..frame_at(id + 1)).contains(&byte));
        let row = format!("byte {byte} of record {hit:?}: {report:?}");
        let Some(hit) = hit else {
            // The header or a mark: all records are there. Nothing proves the first one if the header is gone.
            assert_eq!(report.records, END, "{row}");
            assert_eq!(report.missing, [], "{row}");
            continue;
        };
        let in_frame = byte - frame_at(hit);
        let payload_end = 32 + written(hit).len() as u64;
        if in_frame >= payload_end {
            assert_eq!(report.records, END, "{row}");
            continue;
        }
        assert_eq!(report.records, END - 1, "{row}");
        assert_eq!(report.missing, [TxId(hit)..TxId(hit + 1)], "{row}");
        let skipped = &report.skipped[0];
        assert_eq!(
            (report.skipped.len(), &skipped.file[..]),
            (1, FIRST),
            "{row}"
        );
        // Up to the next frame; behind the last one, zeros do not count.
        let until = if hit + 1 == END {
            payload_end
        } else {
            frame_at(hit + 1) - frame_at(hit)
        };
        assert_eq!(skipped.bytes.start, frame_at(hit), "{row}");
        assert!(
            (until..until + 8).contains(&(skipped.bytes.end - frame_at(hit))),
            "{row}"
        );
        let (kept, _) = ids(&report);
        let behind = kept.iter().find(|(ids, _)| ids.start == hit + 1);
        if in_frame < 32 {
            // The chain was in the header that is lost: the next record can not be proven, those behind it can.
            assert_eq!(skipped.reason, SkipReason::NoFrame, "{row}");
            match hit + 2 {
                // Nothing is behind it.
                behind_the_end if behind_the_end > END => assert_eq!(behind, None, "{row}"),
                // Except the last one: a mark knows the chain before it.
                END => assert_eq!(behind, Some(&(END - 1..END, true)), "{row}"),
                _ => {
                    assert_eq!(behind, Some(&(hit + 1..hit + 2, false)), "{row}");
                    unproven += 1;
                }
            }
        } else {
            assert_eq!(skipped.reason, SkipReason::Payload, "{row}");
            assert!(behind.is_none_or(|(_, proven)| *proven), "{row}");
        }
    }
    assert_eq!(unproven, 32 * (END - 2));
}

#[test]
fn lost_and_doubled_segments_are_named() {
    for compressed in [false, true] {
        let disk = log_on(small(), compressed);
        let names = disk.files();
        let base = |place: usize| names[place][..20].parse::<u64>().unwrap();
        let lost = disk.fork();
        lost.root().remove(&names[2]).unwrap();
        let report = salvaged(&lost);
        let (kept, missing) = ids(&report);
        assert_eq!(kept, [(0..base(2), true), (base(3)..END, true)]);
        assert_eq!(missing, [base(2)..base(3)]);

        // A copy under another name, and two with their names swapped: the headers tell which is which.
        let doubled = disk.fork();
        doubled.write("00000000000000000777.log", &disk.read(&names[1]).unwrap());
        let report = salvaged(&doubled);
        assert_eq!(ids(&report), (vec![(0..END, true)], vec![]));
        assert_eq!(report.skipped[0].reason, SkipReason::Repeated, "{report:?}");
        let swapped = disk.fork();
        swapped.write(&names[1], &disk.read(&names[3]).unwrap());
        swapped.write(&names[3], &disk.read(&names[1]).unwrap());
        let report = salvaged(&swapped);
        assert_eq!(ids(&report), (vec![(0..END, true)], vec![]));

        // The last segment is lost: the mark of the one before it still knows where it began.
        let end_lost = disk.fork();
        end_lost.root().remove(names.last().unwrap()).unwrap();
        let report = salvaged(&end_lost);
        assert_eq!(ids(&report).0, [(0..base(names.len() - 1), true)]);

        // The first one has no header any more: its name and its blocks or frames still tell.
        let headless = disk.fork();
        for byte in 0..12288 {
            headless.flip_bit(&names[1], byte, 0);
        }
        let report = salvaged(&headless);
        let (kept, missing) = ids(&report);
        assert_eq!((report.records, missing), (END, vec![]));
        assert!(kept.len() <= 3, "{kept:?}");
        assert!(
            report
                .skipped
                .iter()
                .all(|skipped| skipped.reason == SkipReason::Header)
        );
    }
}

#[test]
fn foreign_newer_and_leftover_segments_are_left_alone() {
    let disk = log_on(small(), false);
    let names = disk.files();
    let foreign = SimDisk::new(2);
    let log = Log::create(foreign.root(), NEW_ID, small(), &[(b"other", None)]).unwrap();
    drop(log);
    disk.write("00000000000000000998.log", &foreign.read(FIRST).unwrap());
    disk.root().create_dir("00000000000000000999.log").unwrap();
    let report = salvaged(&disk);
    assert_eq!(report.records, END);
    let reasons: Vec<SkipReason> = report
        .skipped
        .iter()
        .map(|skipped| skipped.reason)
        .collect();
    assert!(
        reasons.contains(&SkipReason::Foreign { found: NEW_ID }),
        "{reasons:?}"
    );
    assert!(reasons.contains(&SkipReason::NotAFile), "{reasons:?}");

    let disk = log_on(small(), false);
    let (log, _) = Log::open(disk.root(), small(), &[]).unwrap();
    let last = names.last().unwrap();
    let old = disk.read(last).unwrap();
    log.truncate_after(TxId(3)).unwrap();
    drop(log);
    disk.write(last, &old);
    let report = salvaged(&disk);
    assert_eq!(ids(&report), (vec![(0..4, true)], vec![]));
    assert_eq!(report.skipped[0].reason, SkipReason::Leftover);
}

#[test]
fn what_is_torn_is_read_past_and_a_block_is_lost_as_a_whole() {
    // Two records behind a torn one: opening cuts all three, salvage takes what is sound.
    let disk = log_on(Options::default(), false);
    disk.flip_bit(FIRST, frame_at(17) + 40, 3);
    let report = salvaged(&disk);
    assert_eq!(
        ids(&report),
        (vec![(0..17, true), (18..END, true)], vec![17..18])
    );
    // A bit in the stored bytes of a block.
    let disk = log_on(small(), true);
    let name = &disk.files()[1];
    let base: u64 = name[..20].parse().unwrap();
    let next: u64 = disk.files()[2][..20].parse().unwrap();
    disk.flip_bit(name, 12288 + 48 + 3, 3);
    let report = salvaged(&disk);
    let length = disk.read(name).unwrap().len() as u64;
    assert_eq!(
        ids(&report),
        (vec![(0..base, true), (next..END, true)], vec![base..next])
    );
    let skipped = &report.skipped[0];
    assert_eq!(
        (skipped.bytes.clone(), skipped.reason),
        (12288..length, SkipReason::Block)
    );
}

/// Salvages; checks that every record that is kept is one that was written.
fn salvaged_around_others(disk: &SimDisk, payloads: &[Vec<u8>]) -> (SalvageReport, Ids) {
    let destination = SimDisk::new(9);
    let report = salvage(disk.root().as_ref(), destination.root(), NEW_ID, small()).unwrap();
    let (log, _) = Log::open(destination.root(), small(), &[]).unwrap();
    let new = read_all(&log);
    for kept in &report.kept {
        for (place, id) in (kept.ids.start.0..kept.ids.end.0).enumerate() {
            let found = &new[kept.new_first.0 as usize + place].1;
            assert_eq!(found, &payloads[id as usize], "record {id}: {report:#?}");
        }
    }
    let ids = ids(&report);
    (report, ids)
}

/// A payload holds the records of another log, and its own header is lost: what stands in it has ids that are possible there and continues itself.
#[test]
fn records_within_payloads_are_not_taken_for_records() {
    let other = SimDisk::new(2);
    let source = Log::create(other.root(), NEW_ID, Options::default(), &[]).unwrap();
    fill(&source, 60);
    // Up to which record the other log was shipped; whether marks know the chain at the end.
    for (shipped, closed) in [(7, true), (25, true), (60, true), (7, false), (25, false)] {
        let shipment = source.ship(TxId(5)..TxId(shipped), 1 << 20).unwrap();
        let mut payloads: Vec<Vec<u8>> = (0..30).map(|id| vec![id; 50]).collect();
        payloads[5] = shipment.into_bytes();
        let disk = SimDisk::new(1);
        let options = Options {
            sync_policy: SyncPolicy::Never,
            ..Options::default()
        };
        let log = Log::create(disk.root(), LOG_ID, options, &[]).unwrap();
        for payload in &payloads {
            log.append(payload, None).unwrap();
        }
        if closed {
            log.close().unwrap();
        }
        drop(log);
        disk.flip_bit(FIRST, 12288 + 5 * 88 + 3, 1);
        let (report, (kept, missing)) = salvaged_around_others(&disk, &payloads);
        let (proven, lost) = match closed {
            true => (vec![(0..5, true), (6..7, false), (7..30, true)], 5..6),
            // Nothing says which of the two is it: the later one is kept, and what both claim is among what is missing.
            false => (vec![(0..5, true), (6..30, false)], 5..shipped),
        };
        assert_eq!(kept, proven, "{shipped}: {report:#?}");
        assert_eq!(missing, [lost], "{shipped}");
        let reasons: Vec<SkipReason> = report.skipped.iter().map(|one| one.reason).collect();
        assert!(reasons.contains(&SkipReason::Contradicted), "{reasons:?}");
    }
}

/// The same with blocks in a damaged block, which is stored as it is because nothing makes it shorter.
#[test]
fn blocks_within_payloads_are_not_taken_for_blocks() {
    let mut random = Random::new(3);
    let mut noise =
        |length: usize| -> Vec<u8> { (0..length).map(|_| random.next() as u8).collect() };
    let other = SimDisk::new(2);
    let start = Start {
        base: TxId(6),
        chain: Chain(5),
        epoch: 0,
    };
    let source = Log::create_at(other.root(), NEW_ID, Options::default(), start, &[]).unwrap();
    for _ in 0..4 {
        source.commit(&noise(3000), None).unwrap();
    }
    source.rotate().unwrap();
    source.compress_sealed().unwrap().unwrap();
    let blocks = other.read("00000000000000000006.log").unwrap()[12288..].to_vec();
    let mut payloads: Vec<Vec<u8>> = (0..12).map(|_| noise(30_000)).collect();
    payloads[5] = blocks;
    payloads[5].extend(noise(15_000));
    let disk = SimDisk::new(1);
    let log = Log::create(disk.root(), LOG_ID, Options::default(), &[]).unwrap();
    for payload in &payloads {
        log.commit(payload, None).unwrap();
    }
    log.rotate().unwrap();
    log.compress_sealed().unwrap().unwrap();
    drop(log);
    // Two records in each block: 4 and 5 are in the third.
    let third = 12288 + 2 * (48 + 2 * 30_032);
    disk.flip_bit(FIRST, third + 20, 1);
    let (report, (kept, missing)) = salvaged_around_others(&disk, &payloads);
    assert_eq!(kept, [(0..4, true), (6..12, true)], "{report:#?}");
    assert_eq!(missing, [4..6]);
}

#[test]
fn only_a_directory_without_a_log_is_written_to() {
    let disk = log_on(small(), false);
    let before = disk.digest();
    assert!(matches!(
        salvage(disk.root().as_ref(), disk.root(), NEW_ID, small()),
        Err(Error::AlreadyExists { .. })
    ));
    assert_eq!(disk.digest(), before);
    let empty = SimDisk::new(2);
    assert!(matches!(
        salvage(
            empty.root().as_ref(),
            SimDisk::new(3).root(),
            NEW_ID,
            small()
        ),
        Err(Error::NoLog { .. })
    ));
}

/// Whatever bytes are there: no panic, no hang, and what is called proven was written.
#[test]
fn any_damage_is_survived() {
    for_each_seed("salvage any_damage_is_survived", 60, |seed| {
        let mut random = Random::new(seed);
        let compressed = random.below(2) == 0;
        let options = [small(), Options::default()][random.below(2) as usize].clone();
        let disk = log_on(options, compressed);
        for _ in 0..1 + random.below(12) {
            let names = disk.files();
            let name = random.pick(&names).clone();
            let mut bytes = disk.read(&name).unwrap();
            if bytes.is_empty() {
                continue;
            }
            let at = random.below(bytes.len() as u64) as usize;
            let end = (at + random.below(300) as usize).min(bytes.len());
            match random.below(6) {
                0 => bytes.truncate(at),
                1 => bytes[at..end].fill(0),
                2 => bytes[at..end]
                    .iter_mut()
                    .for_each(|byte| *byte = random.next() as u8),
                3 => drop(bytes.drain(at..end)),
                4 => {
                    let part = bytes[at..end].to_vec();
                    bytes.extend_from_slice(&part);
                }
                _ => bytes[at] ^= 1 << random.below(8),
            }
            disk.write(&name, &bytes);
        }
        let destination = SimDisk::new(9);
        let report = salvage(disk.root().as_ref(), destination.root(), NEW_ID, small()).unwrap();
        let (log, _) = Log::open(destination.root(), small(), &[]).unwrap();
        let new = read_all(&log);
        for kept in report.kept.iter().filter(|kept| kept.chain_proven) {
            for (place, id) in (kept.ids.start.0..kept.ids.end.0).enumerate() {
                let found = &new[kept.new_first.0 as usize + place].1;
                assert_eq!(found, &written(id), "record {id}");
            }
        }
    });
}
