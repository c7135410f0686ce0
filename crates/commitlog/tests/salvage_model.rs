//! Salvage of logs with a past, damaged in several ways at once, compared with what was written.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

#[path = "support/logs.rs"]
mod logs;
#[path = "support/salvaged.rs"]
mod salvaged;
#[allow(dead_code, reason = "not everything of it is used here")]
#[path = "support/seeds.rs"]
mod seeds;

use std::collections::BTreeSet;
use std::ops::Range;

use commitlog::{Options, SkipReason, SyncPolicy, TxId};
use disk::SimDisk;
use logs::create;
use salvaged::{Record, ids, records, salvaged};
use seeds::{Random, for_each_seed};

const FRAMES: usize = 12288;
const HEADER: Range<usize> = 0..64;

/// A file, and what it was before it was damaged.
#[derive(Debug, Clone)]
struct Original {
    name: String,
    bytes: Vec<u8>,
}

/// A log as it was left, and files of it as they were at some time before.
struct Past {
    disk: SimDisk,
    written: Vec<Record>,
    older: Vec<Original>,
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

fn originals(disk: &SimDisk) -> Vec<Original> {
    let names = disk.files().into_iter();
    let originals = names.map(|name| {
        let bytes = disk.read(&name).unwrap();
        Original { name, bytes }
    });
    originals.collect()
}

/// A log whose payloads are noise, zeros, and shipments of its own older records; with `gives_up`, some records are truncated away.
fn any_log(random: &mut Random, gives_up: bool) -> Past {
    let disk = SimDisk::new(1);
    let is_synced = !gives_up || random.below(3) > 0;
    let options = Options {
        segment_bytes_max: FRAMES as u64 + 2000,
        sync_policy: match is_synced {
            true => SyncPolicy::EveryCommit,
            false => SyncPolicy::Never,
        },
        ..Options::default()
    };
    let log = create(&disk.root(), options);
    let mut older = Vec::new();
    for time in 1..3 + random.below(40) as i64 {
        let end = log.durable_end();
        let noise = |random: &mut Random| -> Vec<u8> {
            (0..random.below(400))
                .map(|_| random.next() as u8)
                .collect()
        };
        let payload = match random.below(5) {
            0 if end > log.base() => {
                let from = log.base().0 + random.below(end.0 - log.base().0);
                let shipment = log.ship(TxId(from)..end, 600);
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
        if gives_up && random.below(6) == 0 {
            older.extend(originals(&disk));
        }
        if gives_up && random.below(12) == 0 {
            let kept = log.next_id().0 - log.base().0;
            let last = log.base().0 + random.below(kept);
            log.truncate_after(TxId(last)).unwrap();
        }
        if gives_up && random.below(30) == 0 {
            let kept = log.next_id().0 - log.base().0;
            log.prune_before(TxId(log.base().0 + random.below(kept)))
                .unwrap();
        }
    }
    let written = records(&log);
    if random.below(2) == 0 {
        log.close().unwrap();
    }
    Past {
        disk,
        written,
        older,
    }
}

/// One to three flips, zeroed sectors, cuts, lost files.
fn damage(disk: &SimDisk, random: &mut Random) {
    for _ in 0..1 + random.below(3) {
        let names = disk.files();
        let name = random.pick(&names);
        let mut bytes = disk.read(name).unwrap();
        if bytes.len() <= 512 {
            continue;
        }
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
                disk.delete(name);
                continue;
            }
            _ => {}
        }
        disk.write(name, &bytes);
    }
}

/// Puts one to three copies, older copies and files that are no segment beside the others or in place of one, and gives some another name.
fn mix_up(past: &Past, random: &mut Random) {
    for _ in 0..1 + random.below(3) {
        let names = past.disk.files();
        let name = random.pick(&names).clone();
        let other = format!("{:020}.log", random.below(60));
        let bytes = match random.below(6) {
            0 => vec![],
            1 => (0..FRAMES + 600).map(|_| random.next() as u8).collect(),
            2 => past.disk.read(&name).unwrap(),
            3 | 4 if !past.older.is_empty() => random.pick(&past.older).bytes.clone(),
            _ => {
                let bytes = past.disk.read(&name).unwrap();
                past.disk.delete(&name);
                bytes
            }
        };
        // Seldom in place of another one.
        if past.disk.read(&other).is_none() || random.below(4) == 0 {
            past.disk.write(&other, &bytes);
        } else {
            past.disk.write("00000000000000000777.log", &bytes);
        }
    }
}

/// The record in a frame.
fn record(id: u64, frame: &[u8]) -> Record {
    let length = u32::from_le_bytes(frame[4..8].try_into().unwrap()) as usize;
    let time = i64::from_le_bytes(frame[16..24].try_into().unwrap());
    (id, Some(time), frame[32..32 + length].to_vec())
}

/// The records of these files that are intact there, as both of their neighbours.
fn intact(originals: &[Original], disk: &SimDisk) -> Vec<(String, usize, Record)> {
    let mut intact = Vec::new();
    for Original { name, bytes } in originals.iter().filter(|one| one.bytes.get(10) == Some(&0)) {
        let now = disk.read(name).unwrap_or_default();
        let frames = frames(bytes);
        let is_intact = |place: Option<&(u64, Range<usize>)>| {
            let is_same = |place: &Range<usize>| {
                let bytes = bytes.get(place.clone());
                bytes.is_some() && now.get(place.clone()) == bytes
            };
            place.is_none_or(|(_, place)| is_same(place))
        };
        for (number, (id, place)) in frames.iter().enumerate() {
            let around = [
                number.checked_sub(1).and_then(|before| frames.get(before)),
                frames.get(number),
                frames.get(number + 1),
            ];
            if around.into_iter().all(is_intact) {
                intact.push((
                    name.clone(),
                    place.start,
                    record(*id, &bytes[place.clone()]),
                ));
            }
        }
    }
    intact
}

/// What is called proven was written; what is not kept is missing; and what is intact, as both of its neighbours, is kept, unless a copy of it claims its id and nothing proves
/// which of them it is: then the report says so.
#[test]
fn the_report_is_true_whatever_is_damaged() {
    let test = "salvage_model the_report_is_true_whatever_is_damaged";
    for_each_seed(test, 3000, |seed| {
        let mut random = Random::new(seed);
        let Past { disk, written, .. } = any_log(&mut random, false);
        let before = originals(&disk);
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
        for (name, place, (id, _, _)) in intact(&before, &disk) {
            let is_contradicted = report.skipped.iter().any(|skipped| {
                let starts = skipped.bytes.contains(&(place as u64));
                starts && *skipped.file == *name && skipped.reason == SkipReason::Contradicted
            });
            assert!(
                is_contradicted || kept.contains(&id),
                "record {id} at {place} of {name}: {}",
                row()
            );
        }
    });
}

/// The same of a log that gave up records, among whose files there are copies, older ones too, and others. What is called proven was written and not given up; and what is of the
/// log and intact somewhere, as both of its neighbours, is kept or missing. As long as one header is left from after the last truncation: without that there is no trace of it.
#[test]
fn nothing_is_lost_unsaid_or_proven_wrongly_whatever_lies_beside_the_log() {
    let test =
        "salvage_model nothing_is_lost_unsaid_or_proven_wrongly_whatever_lies_beside_the_log";
    for_each_seed(test, 3000, |seed| {
        let mut random = Random::new(seed);
        let past = any_log(&mut random, true);
        let epoch_of = |bytes: &[u8]| u32::from_le_bytes(bytes[48..52].try_into().unwrap());
        let last = originals(&past.disk);
        let epoch = last.iter().map(|one| epoch_of(&one.bytes)).max().unwrap();
        let is_last = |bytes: &[u8]| epoch_of(bytes) == epoch;
        let headers: BTreeSet<Vec<u8>> = last
            .iter()
            .filter(|one| is_last(&one.bytes))
            .map(|one| one.bytes[HEADER].to_vec())
            .collect();
        mix_up(&past, &mut random);
        let before = originals(&past.disk);
        damage(&past.disk, &mut random);
        let has_trace = |one: &Original| {
            one.bytes
                .get(HEADER)
                .is_some_and(|header| headers.contains(header))
        };
        if !originals(&past.disk).iter().any(has_trace) {
            return;
        }
        let written = &past.written;
        let (report, kept) = salvaged(&past.disk);
        let row = || format!("{report:#?}");
        let is_missing = |id: u64| report.missing.iter().any(|ids| ids.contains(&TxId(id)));
        // The chain does not cover the times.
        let is_written = |record: &&Record| {
            let place = written.binary_search_by_key(&record.0, |one| one.0);
            place.is_ok_and(|place| written[place].2 == record.2)
        };
        for ids in report
            .kept
            .iter()
            .filter(|kept| kept.chain_proven)
            .map(|kept| ids(&kept.ids))
        {
            let proven = kept.iter().filter(|record| ids.contains(&record.0));
            for record in proven {
                let is_pruned = record.0 < written[0].0;
                assert!(
                    is_pruned || is_written(&record),
                    "record {} is called proven: {}",
                    record.0,
                    row()
                );
                assert!(!is_missing(record.0), "record {}: {}", record.0, row());
            }
        }
        let kept: BTreeSet<u64> = kept
            .iter()
            .filter(is_written)
            .map(|record| record.0)
            .collect();
        for (name, place, record) in intact(&before, &past.disk) {
            let id = record.0;
            let mut leftovers = report.skipped.iter();
            if leftovers.any(|one| *one.file == *name && one.reason == SkipReason::Leftover) {
                continue;
            }
            assert!(
                !is_written(&&record) || kept.contains(&id) || is_missing(id),
                "record {id} at {place} of {name}: {}",
                row()
            );
        }
    });
}
