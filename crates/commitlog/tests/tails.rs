//! What stands behind the last record that was acknowledged: a write that was torn at any byte, zeros, garbage, frames from elsewhere, and later records
//! without an earlier one.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

#[path = "support/logs.rs"]
mod logs;

use commitlog::{Log, Options, SyncPolicy, TxId};
use disk::{Choice, Crash, SimDisk};
use logs::LOG_ID;

const FIRST: &str = "00000000000000000000.log";
/// Where frames begin in a segment, and how long the header of one is.
const FRAMES: usize = 12288;
const HEADER: usize = 32;

fn record(id: u64) -> Vec<u8> {
    let length = [60, 5, 700, 32, 1][usize::try_from(id % 5).unwrap()];
    vec![0x80 | u8::try_from(id).unwrap(); length]
}

/// Where the payload of each record ends, and where the frame behind it begins.
fn frames(first: u64, count: u64) -> Vec<(usize, usize)> {
    let mut at = 0;
    let frame = |id| {
        let end = at + HEADER + record(id).len();
        at = end.next_multiple_of(8);
        (end, at)
    };
    (first..first + count).map(frame).collect()
}

/// A log with the records before `end`, all of them durable.
fn log_on(disk: &SimDisk, options: Options, end: u64) -> Log {
    let log = Log::create(disk.root(), LOG_ID, options, &[(&record(0), None)]).unwrap();
    append(&log, end);
    log.sync().unwrap();
    log
}

fn append(log: &Log, end: u64) {
    for id in log.next_id().0..end {
        assert_eq!(log.append(&record(id), None).unwrap(), TxId(id));
    }
}

/// Opens what a crash left, and yields where it ends and whether it was torn. The lost records are appended again byte for byte, and
/// survive the next power cut.
fn recovered(disk: &SimDisk, row: &str) -> (u64, bool) {
    let opened = Log::open(disk.root(), Options::default(), &[]);
    let (log, report) = opened.unwrap_or_else(|error| panic!("{row}: {error}"));
    let end = report.end.0;
    append(&log, end + 2);
    log.sync().unwrap();
    drop(log);
    disk.crash(Crash::Power(Choice::Old));
    let (log, again) = Log::open(disk.root(), Options::default(), &[]).unwrap();
    assert_eq!((again.end, again.torn), (TxId(end + 2), None), "{row}");
    let mut reader = log.reader(TxId(0)).unwrap();
    for id in 0..end + 2 {
        let found = reader.next_record().unwrap().unwrap();
        assert_eq!((found.id, found.payload), (TxId(id), &*record(id)), "{row}");
    }
    (end, report.torn.is_some())
}

#[test]
fn a_write_torn_at_any_byte_leaves_the_records_that_are_whole() {
    for policy in [SyncPolicy::EveryCommit, SyncPolicy::Never] {
        for count in [1, 4] {
            let options = Options {
                sync_policy: policy,
                ..Options::default()
            };
            let disk = SimDisk::new(count);
            let log = log_on(&disk, options, 5);
            // Room for all of it is there before: it is one write.
            append(&log, 6);
            log.sync().unwrap();
            disk.record();
            let payloads: Vec<Vec<u8>> = (6..6 + count).map(record).collect();
            let batch: Vec<_> = payloads.iter().map(|bytes| (&bytes[..], None)).collect();
            let call = disk.call_count();
            log.append_batch(&batch).unwrap();
            assert_eq!(disk.call_count(), call + 1);
            let bytes = disk.recorded_write_bytes(call).unwrap();
            let frames = frames(6, count);
            assert_eq!(frames.last().unwrap().1, bytes);
            for written in 0..=bytes {
                let whole = frames.iter().filter(|(end, _)| *end <= written).count();
                let behind = match whole {
                    0 => 0,
                    whole => frames[whole - 1].1,
                };
                let row = format!("{policy:?}, {written} of {bytes} bytes");
                let found = recovered(&disk.state_within(call, written), &row);
                assert_eq!(found, (6 + whole as u64, written > behind), "{row}");
            }
        }
    }
}

#[test]
fn what_stands_behind_the_end_is_nothing_or_torn() {
    let disk = SimDisk::new(1);
    log_on(&disk, Options::default(), 9).close().unwrap();
    let longer = disk.read(FIRST).unwrap();
    let all = &longer[FRAMES..];
    let ends: Vec<usize> = frames(0, 9).into_iter().map(|(_, next)| next).collect();
    let frame = |id: usize| &all[if id == 0 { 0 } else { ends[id - 1] }..ends[id]];
    // The next record of another log.
    let other = SimDisk::new(2);
    let log = Log::create(
        other.root(),
        commitlog::LogId([9; 16]),
        Options::default(),
        &[],
    )
    .unwrap();
    append(&log, 5);
    log.close().unwrap();
    let foreign = other.read(FIRST).unwrap()[FRAMES..][ends[3]..ends[4]].to_vec();
    let mut flipped = frame(4).to_vec();
    flipped[HEADER] ^= 4;
    // What comes behind the records 0 to 3, where the log ends then, and whether it was torn.
    let rows: Vec<(&str, Vec<u8>, u64, bool)> = vec![
        ("nothing", vec![], 4, false),
        ("a zero", vec![0], 4, false),
        ("zeros", vec![0; 100_000], 4, false),
        ("a byte", vec![1], 4, true),
        (
            "zeros and a byte",
            [vec![0; 5000], vec![1]].concat(),
            4,
            true,
        ),
        (
            "garbage",
            (0..700_u32).map(|at| (at * at % 251) as u8).collect(),
            4,
            true,
        ),
        ("ones", vec![0xFF; 4096], 4, true),
        ("the next record", frame(4).to_vec(), 5, false),
        ("the next record twice", frame(4).repeat(2), 5, true),
        (
            "the next record and garbage",
            [frame(4), &[7; 90]].concat(),
            5,
            true,
        ),
        ("the next record, flipped", flipped, 4, true),
        ("the next record of another log", foreign, 4, true),
        (
            "the header of the next record",
            frame(4)[..HEADER].to_vec(),
            4,
            true,
        ),
        ("the last record again", frame(3).to_vec(), 4, true),
        ("the last two again", [frame(2), frame(3)].concat(), 4, true),
        ("all again", all[..ends[3]].to_vec(), 4, true),
        ("the first record", frame(0).to_vec(), 4, true),
        ("a later record", frame(5).to_vec(), 4, true),
        (
            "the later ones, behind a gap",
            [vec![0; frame(4).len()], all[ends[4]..].to_vec()].concat(),
            4,
            true,
        ),
        (
            "the next ones with a gap",
            [frame(4), frame(6)].concat(),
            5,
            true,
        ),
        ("all that come", all[ends[3]..].to_vec(), 9, false),
    ];
    for (name, tail, end, torn) in rows {
        for closed in [false, true] {
            let disk = SimDisk::new(3);
            let log = log_on(&disk, Options::default(), 4);
            if closed {
                log.close().unwrap();
            }
            drop(log);
            let mut bytes = disk.read(FIRST).unwrap();
            bytes.truncate(FRAMES + ends[3]);
            bytes.extend_from_slice(&tail);
            disk.write(FIRST, &bytes);
            let row = format!("{name}, closed: {closed}");
            assert_eq!(recovered(&disk, &row), (end, torn), "{row}");
        }
    }
}

/// Every set of sectors that a power cut may leave of records which nobody has synced.
#[test]
fn a_later_record_without_an_earlier_one_never_comes_back() {
    let disk = SimDisk::new(1);
    let log = log_on(&disk, Options::default(), 2);
    append(&log, 9);
    drop(log);
    let after = disk.read(FIRST).unwrap();
    let start = FRAMES + frames(0, 2)[1].1;
    let frames = frames(2, 7);
    let mut seen = [0; 8];
    let mut outlived = 0;
    let cuts = disk.power_cuts(4096, 1);
    for (number, cut) in cuts.iter().enumerate() {
        let bytes = cut.read(FIRST).unwrap();
        let is_there = |from: usize, to: usize| {
            let all = bytes.get(start + from..start + to);
            all == after.get(start + from..start + to)
        };
        let starts = [0].into_iter().chain(frames.iter().map(|(_, next)| *next));
        let there: Vec<bool> = starts
            .zip(&frames)
            .map(|(from, (to, _))| is_there(from, *to))
            .collect();
        let whole = there.iter().take_while(|there| **there).count();
        outlived += usize::from(there[whole..].contains(&true));
        seen[whole] += 1;
        let (end, _) = recovered(cut, &format!("cut {number}"));
        assert_eq!(end, 2 + whole as u64);
    }
    assert!(outlived > 0, "{seen:?}");
}
