//! Compressed segments: they read as the plain ones, and a crash, a failure or a flipped bit loses nothing.
#![allow(clippy::unwrap_used)]

#[path = "support/hooked_dir.rs"]
mod hooked_dir;
#[path = "support/logs.rs"]
mod logs;
#[allow(dead_code, reason = "only its numbers are used here")]
#[path = "support/seeds.rs"]
mod seeds;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use commitlog::{
    BadFrame, DamageKind, Error, FollowOptions, Log, Maintainer, Options, Proof, ProofVerdict,
    ReadOnlyLog, ReadOnlyOptions, SyncPolicy, TxId,
};
use disk::{Dir, Fault, SimDisk};
use hooked_dir::{HookedDir, Hooks};
use logs::{LOG_ID, close_beside, expected, fill, payload, read_all, small, temporary};
use seeds::Random;

const END: u64 = 20;
const FIRST: &str = "00000000000000000000.log";

fn log_on(disk: &SimDisk, options: Options) -> Log {
    let log = Log::create(disk.root(), LOG_ID, options, &[(b"genesis", Some(7))]).unwrap();
    fill(&log, END);
    log
}

fn compress_all(log: &Log) -> usize {
    let mut count = 0;
    while log.compress_sealed().unwrap().is_some() {
        count += 1;
    }
    count
}

/// Which segments are compressed, oldest first.
fn compressed(dir: &Arc<dyn Dir>) -> Vec<bool> {
    let extent = Log::inspect(dir.as_ref()).unwrap();
    extent
        .segments
        .iter()
        .map(|segment| segment.compressed)
        .collect()
}

/// A log of one sealed segment of about 400 KiB, some records of which are longer than a block, and an empty one.
fn long_log(disk: &SimDisk) -> (Log, Vec<Vec<u8>>) {
    let mut random = Random::new(5);
    let mut payloads = vec![b"genesis".to_vec()];
    for number in 1..120 {
        let length = match number % 40 {
            7 => 70_000,
            8 => 0,
            9 => 65_536 - 32,
            _ => random.below(5000),
        };
        let bits = random.below(9);
        let bytes = (0..length).map(|_| random.below(1 << bits.min(7)).to_le_bytes()[0]);
        payloads.push(bytes.collect());
    }
    let records: Vec<(&[u8], Option<i64>)> =
        payloads.iter().map(|bytes| (&bytes[..], None)).collect();
    let log = Log::create(disk.root(), LOG_ID, Options::default(), &records).unwrap();
    log.rotate().unwrap();
    (log, payloads)
}

#[test]
fn one_segment_for_each_call_and_the_newest_never() {
    let disk = SimDisk::new(1);
    let log = log_on(&disk, small());
    let before = compressed(&disk.root());
    assert!(before.len() > 8);
    for turn in 1..before.len() {
        let done = log.compress_sealed().unwrap().unwrap();
        assert!(done.bytes_before > 12288);
        let is = compressed(&disk.root());
        assert!(is[..turn].iter().all(|is| *is), "{is:?}");
        assert!(is[turn..].iter().all(|is| !*is), "{is:?}");
        assert_eq!(read_all(&log), expected(0, END));
        let (other, _) = Log::open(disk.fork().root(), small(), &[]).unwrap();
        assert_eq!(read_all(&other), expected(0, END));
    }
    assert_eq!(log.compress_sealed().unwrap(), None);
    fill(&log, END + 5);
    assert!(compress_all(&log) > 0);
    log.close().unwrap();
    assert!(matches!(log.compress_sealed(), Err(Error::Closed)));
    drop(log);
    let (log, report) = Log::open(disk.root(), small(), &[]).unwrap();
    assert!(report.was_closed);
    assert_eq!(read_all(&log), expected(0, END + 5));
    assert_eq!(log.compress_sealed().unwrap(), None);
}

/// Without the option nothing is compressed; with it one segment in each step, and a damaged one is reported once and passed over.
#[test]
fn maintaining_compresses_if_the_options_ask_for_it() {
    for compress_sealed in [false, true] {
        let disk = SimDisk::new(1);
        let options = Options {
            compress_sealed,
            ..small()
        };
        let log = log_on(&disk, options);
        let second = disk.files()[1].clone();
        disk.flip_bit(&second, 12288 + 34, 1);
        let now = Duration::from_secs(5);
        let (mut steps, mut told) = (0, 0);
        loop {
            match log.maintain(now) {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => {
                    assert!(matches!(error, Error::Damaged { .. }), "{error}");
                    assert_eq!(steps, 1);
                    told += 1;
                }
            }
            steps += 1;
            let done = compressed(&disk.root())
                .into_iter()
                .filter(|is| *is)
                .count();
            // The second step is the one that fails.
            assert_eq!(done, if steps < 2 { steps } else { steps - 1 });
        }
        let mut expected = vec![compress_sealed; disk.files().len()];
        let last = expected.len() - 1;
        (expected[1], expected[last]) = (false, false);
        assert_eq!(compressed(&disk.root()), expected);
        assert_eq!(steps, if compress_sealed { last } else { 0 });
        assert_eq!(told, usize::from(compress_sealed));
        fill(&log, END + 1);
    }
}

/// A thread that maintains the log goes on, and tells in the end.
#[test]
fn damage_that_a_maintainer_finds_is_told_when_it_stops() {
    let disk = SimDisk::new(1);
    let log = log_on(&disk, small());
    log.close().unwrap();
    drop(log);
    let files = disk.files();
    for damaged in [1, 3] {
        disk.flip_bit(&files[damaged], 12288 + 34, 1);
    }
    let options = Options {
        compress_sealed: true,
        ..small()
    };
    let (log, _) = Log::open(disk.root(), options, &[]).unwrap();
    let maintainer = Maintainer::start(&log).unwrap();
    // All but the damaged ones and the newest.
    while compressed(&disk.root())
        .into_iter()
        .filter(|is| *is)
        .count()
        < files.len() - 3
    {
        thread::yield_now();
    }
    fill(&log, END + 1);
    match maintainer.stop() {
        Err(Error::Damaged { file, .. }) => assert!(file.ends_with(&files[1]), "{file:?}"),
        stopped => panic!("{stopped:?}"),
    }
    fill(&log, END + 2);
    log.close().unwrap();
}

/// No space for the compressed file: that is said once, nothing is tried in vain, and it is made when there is space.
#[test]
fn compressing_goes_on_when_space_returns() {
    for by_hand in [false, true] {
        let disk = SimDisk::new(1);
        let options = Options {
            compress_sealed: true,
            ..small()
        };
        let log = log_on(&disk, options);
        disk.set_capacity(Some(disk.used_bytes()));
        let now = Duration::from_secs(5);
        let refused = log.maintain(now);
        assert!(matches!(refused, Err(Error::Full(_))), "{refused:?}");
        let calls = disk.call_count();
        assert_eq!(log.maintain(now).unwrap(), None);
        assert_eq!(disk.call_count(), calls);
        assert!(matches!(log.compress_sealed(), Err(Error::Full(_))));
        disk.set_capacity(None);
        match by_hand {
            true => assert_eq!(log.compress_sealed().unwrap().unwrap().segment, TxId(0)),
            false => log.rotate().unwrap(),
        }
        while log.maintain(now).unwrap().is_some() {}
        let is = compressed(&disk.root());
        assert!(is[..is.len() - 1].iter().all(|is| *is), "{is:?}");
    }
}

#[test]
fn every_id_can_be_read_from_and_is_what_it_was() {
    let disk = SimDisk::new(1);
    let (log, payloads) = long_log(&disk);
    let chains: Vec<_> = (0..120)
        .map(|id| log.chain_after(TxId(id)).unwrap())
        .collect();
    let done = log.compress_sealed().unwrap().unwrap();
    assert!(done.bytes_after < done.bytes_before * 9 / 10, "{done:?}");
    assert_eq!(done.bytes_after, disk.read(FIRST).unwrap().len() as u64);
    let read_only = ReadOnlyLog::open(disk.root(), ReadOnlyOptions::default(), &[]).unwrap();
    for from in 0..120 {
        for mut reader in [
            log.reader(TxId(from)).unwrap(),
            read_only.reader(TxId(from)).unwrap(),
        ] {
            for id in from..120.min(from + 5) {
                let index = usize::try_from(id).unwrap();
                let record = reader.next_record().unwrap().unwrap();
                assert_eq!((record.id, record.chain), (TxId(id), chains[index]));
                assert_eq!(record.payload, payloads[index]);
            }
        }
    }
    assert_eq!(log.verify().unwrap(), 120);
    // What snapshots prove is found in compressed segments too.
    let proofs: Vec<Proof> = [(60, 60), (70, 71)]
        .map(|(through, chain)| Proof {
            through: TxId(through),
            chain: chains[chain],
        })
        .to_vec();
    drop(log);
    let (_, report) = Log::open(disk.root(), Options::default(), &proofs).unwrap();
    assert_eq!(
        report.proofs,
        [ProofVerdict::Matches, ProofVerdict::Foreign]
    );
}

#[test]
fn readers_of_any_age_go_on() {
    let disk = SimDisk::new(1);
    let log = log_on(&disk, small());
    let read_only = ReadOnlyLog::open(disk.root(), ReadOnlyOptions::default(), &[]).unwrap();
    let mut readers = Vec::new();
    for from in 0..END {
        for begun in [false, true] {
            for mut reader in [
                log.reader(TxId(from)).unwrap(),
                read_only.reader(TxId(from)).unwrap(),
            ] {
                if begun {
                    reader.next_record().unwrap().unwrap();
                }
                readers.push(reader);
            }
        }
    }
    // Those at the end are in the newest segment, which is sealed and compressed under their feet.
    log.rotate().unwrap();
    compress_all(&log);
    for reader in &mut readers {
        let mut next = reader.next_id().0;
        while let Some(record) = reader.next_owned().unwrap() {
            assert_eq!(
                (record.id.0, record.payload),
                expected(next, next + 1).remove(0)
            );
            next += 1;
        }
        assert_eq!(next, END);
    }
}

#[test]
fn compressed_segments_are_pruned_and_truncated_like_others() {
    for last in 0..END {
        let disk = SimDisk::new(last);
        let log = log_on(&disk, small());
        compress_all(&log);
        log.truncate_after(TxId(last)).unwrap();
        assert_eq!(read_all(&log), expected(0, last + 1));
        assert!(!compressed(&disk.root()).last().unwrap());
        fill(&log, END);
        compress_all(&log);
        let base = log.prune_before(TxId(last)).unwrap().base;
        assert_eq!(read_all(&log), expected(base.0, END));
        drop(log);
        let (log, _) = Log::open(disk.root(), small(), &[]).unwrap();
        assert_eq!(read_all(&log), expected(base.0, END));
    }
    let disk = SimDisk::new(1);
    let (log, payloads) = long_log(&disk);
    compress_all(&log);
    log.truncate_after(TxId(90)).unwrap();
    let read: Vec<Vec<u8>> = read_all(&log).into_iter().map(|(_, bytes)| bytes).collect();
    assert_eq!(read, payloads[..91]);
}

#[test]
fn damage_in_a_segment_leaves_it_as_it_is_and_the_next_one_is_taken() {
    let disk = SimDisk::new(1);
    let log = log_on(&disk, small());
    disk.flip_bit(FIRST, 12288 + 34, 1);
    let error = log.compress_sealed().unwrap_err();
    assert!(
        matches!(
            error,
            Error::Damaged {
                byte_offset: 12288,
                ..
            }
        ),
        "{error}"
    );
    let count = compress_all(&log);
    let is = compressed(&disk.root());
    assert_eq!(count, is.len() - 2);
    assert!(!is[0]);
    assert!(disk.files().iter().all(|name| name.ends_with(".log")));
    let verified = log.verify();
    assert!(matches!(
        verified,
        Err(Error::Damaged {
            byte_offset: 12288,
            ..
        })
    ));
}

#[test]
fn a_segment_in_the_place_of_a_damaged_one_that_was_given_up_is_compressed() {
    let disk = SimDisk::new(1);
    let log = log_on(&disk, small());
    let second = disk.files()[1].clone();
    let base = Log::inspect(disk.root().as_ref()).unwrap().segments[1].base;
    disk.flip_bit(&second, 12288 + 34, 1);
    log.compress_sealed().unwrap().unwrap();
    let damaged = log.compress_sealed();
    assert!(matches!(damaged, Err(Error::Damaged { .. })), "{damaged:?}");
    log.truncate_after(TxId(base.0 - 1)).unwrap();
    fill(&log, END);
    let packed = log.compress_sealed().unwrap().unwrap();
    assert_eq!(packed.segment, base);
    assert_eq!(read_all(&log), expected(0, END));
}

/// By hand, and by somebody who maintains the log.
#[test]
fn a_segment_that_has_vanished_is_told_once_and_the_next_ones_are_taken() {
    for maintained in [false, true] {
        let disk = SimDisk::new(1);
        let options = Options {
            compress_sealed: true,
            ..small()
        };
        let log = log_on(&disk, options);
        let files = disk.files();
        let vanished = &files[1];
        disk.root().remove(vanished).unwrap();
        let (mut packed, mut told) = (0, 0);
        loop {
            let more = match maintained {
                true => log.maintain(Duration::ZERO).map(|due| due.is_some()),
                false => log.compress_sealed().map(|packed| packed.is_some()),
            };
            match more {
                Ok(true) => packed += 1,
                Ok(false) => break,
                Err(Error::Io(error)) => {
                    assert!(error.is_not_found(), "{error}");
                    assert!(error.to_string().contains(vanished), "{error}");
                    told += 1;
                }
                Err(error) => panic!("{error}"),
            }
        }
        // All but that one and the newest.
        assert_eq!((packed, told), (files.len() - 2, 1), "{maintained}");
    }
}

#[test]
fn a_crash_at_every_call_leaves_the_plain_file_or_the_compressed_one() {
    let disk = SimDisk::new(1);
    let log = log_on(&disk, small());
    let first = disk.call_count();
    disk.record();
    log.compress_sealed().unwrap().unwrap();
    fill(&log, END + 1);
    let end = disk.call_count();
    let mut seen = [false; 2];
    for number in first..=end {
        let state = disk.state_before(number);
        for crashed in state.power_cuts(6, number).into_iter().chain([state]) {
            let (log, report) = Log::open(crashed.root(), small(), &[]).unwrap();
            let end = report.end.0;
            assert!(end >= END);
            assert_eq!(read_all(&log), expected(0, end));
            let is = compressed(&crashed.root());
            assert!(!is[1..].contains(&true));
            seen[usize::from(is[0])] = true;
            // It goes on, with what was left of the file under the temporary name removed.
            compress_all(&log);
            fill(&log, END + 2);
            assert_eq!(read_all(&log), expected(0, END + 2));
            assert!(crashed.files().iter().all(|name| name.ends_with(".log")));
        }
    }
    assert_eq!(seen, [true, true]);
}

/// The marks of the segment behind it say the same, but no sync has followed them.
#[test]
fn what_is_pruned_is_not_missing_once_the_oldest_segment_is_compressed() {
    let disk = SimDisk::new(1);
    let log = log_on(&disk, small());
    let base = log.prune_before(TxId(END)).unwrap().base;
    log.rotate().unwrap();
    assert_eq!(log.compress_sealed().unwrap().unwrap().segment, base);
    for cut in disk.power_cuts(32, 1) {
        let (log, report) = Log::open(cut.root(), small(), &[]).unwrap();
        assert_eq!((report.base, report.missing), (base, None));
        assert_eq!(read_all(&log), expected(base.0, END));
    }
}

#[test]
fn a_failure_of_every_call_changes_nothing_or_poisons() {
    let (first, end) = {
        let disk = SimDisk::new(1);
        let log = log_on(&disk, small());
        let first = disk.call_count();
        log.compress_sealed().unwrap().unwrap();
        (first, disk.call_count())
    };
    let mut poisoned = 0;
    for number in first..end {
        for fault in [Fault::Eio, Fault::Enospc, Fault::Short, Fault::Interrupted] {
            let disk = SimDisk::new(1);
            let log = log_on(&disk, small());
            disk.fail_at(number, fault);
            let done = log.compress_sealed();
            disk.clear_faults();
            let row = format!("{fault:?} at {number}: {done:?}");
            match (&done, fault) {
                (Ok(Some(_)), _) => {}
                (_, Fault::Short | Fault::Interrupted) => panic!("{row}"),
                (Err(Error::Full(_)), _) => assert!(log.append(&payload(END), Some(1)).is_ok()),
                (Err(Error::Io(_)), _) => {
                    if log.append(&payload(END), Some(1)).is_err() {
                        poisoned += 1;
                        assert!(matches!(log.compress_sealed(), Err(Error::Poisoned)));
                    } else {
                        assert!(compress_all(&log) > 8);
                    }
                }
                _ => panic!("{row}"),
            }
            assert!(read_all(&log).len() >= 20, "{row}");
            drop(log);
            for crashed in disk.power_cuts(4, number).into_iter().chain([disk]) {
                let (log, report) = Log::open(crashed.root(), small(), &[]).unwrap();
                assert!(report.end.0 >= END, "{row}");
                assert_eq!(read_all(&log), expected(0, report.end.0), "{row}");
            }
        }
    }
    // The rename and the sync of the directory, with two errors each.
    assert_eq!(poisoned, 4);
}

/// Every bit of a small compressed segment: what is read is what was written, or the flip is reported.
#[test]
fn every_flipped_bit_is_detected_or_harmless() {
    let disk = SimDisk::new(1);
    let log = Log::create(disk.root(), LOG_ID, small(), &[(&[b'a'; 200], Some(7))]).unwrap();
    log.commit(&[7; 50], None).unwrap();
    log.rotate().unwrap();
    log.commit(b"behind", None).unwrap();
    let all = read_all(&log);
    log.compress_sealed().unwrap().unwrap();
    log.close().unwrap();
    drop(log);
    let length = disk.read(FIRST).unwrap().len() as u64;
    assert!(length < 12288 + 48 + 120, "{length}");
    let covered = (0..64)
        .chain(4096..4160)
        .chain(8192..8256)
        .chain(12288..length);
    let (mut detected, mut harmless) = (0, 0);
    for byte in covered {
        for bit in 0..8 {
            let broken = disk.fork();
            broken.flip_bit(FIRST, byte, bit);
            let opened = Log::open(broken.root(), small(), &[]);
            let opened = opened.and_then(|(log, _)| {
                // From the front, and from the middle, which passes over what is before.
                let mut middle = log.reader(TxId(1))?;
                while let Some(record) = middle.next_record()? {
                    let index = usize::try_from(record.id.0).unwrap();
                    assert_eq!(record.payload, all[index].1);
                }
                log.verify()?;
                Ok(read_all(&log))
            });
            match opened {
                Ok(read) => {
                    harmless += 1;
                    assert!((4096..8256).contains(&byte), "byte {byte} is not covered");
                    assert_eq!(read, all);
                }
                Err(Error::Damaged {
                    file, byte_offset, ..
                }) => {
                    detected += 1;
                    assert!(file.ends_with(FIRST));
                    assert!(byte_offset <= byte);
                }
                Err(error) => panic!("byte {byte}: {error}"),
            }
        }
    }
    // Two marks say the same: one of them is enough.
    assert_eq!(harmless, 2 * 64 * 8);
    assert_eq!(detected, (64 + length - 12288) * 8);
}

/// What a file that was cut, grown or changed on purpose, with checksums that hold, can do: nothing but be reported.
#[test]
fn hostile_blocks_are_refused_before_anything_is_allocated() {
    let disk = SimDisk::new(1);
    let (log, payloads) = long_log(&disk);
    log.compress_sealed().unwrap().unwrap();
    log.close().unwrap();
    drop(log);
    let good = disk.read(FIRST).unwrap();
    let block = 12288;
    let stored = u32::from_le_bytes(good[block + 36..block + 40].try_into().unwrap());
    let second = block + 48 + usize::try_from(stored).unwrap();
    let sealed = |at: usize, change: &dyn Fn(&mut [u8])| {
        let mut bytes = good.clone();
        change(&mut bytes[at..]);
        let sum = crc32c::crc32c(&bytes[at..at + 44]);
        bytes[at + 44..at + 48].copy_from_slice(&sum.to_le_bytes());
        bytes
    };
    let set = |at: usize, value: Vec<u8>| {
        move |block: &mut [u8]| block[at..at + value.len()].copy_from_slice(&value)
    };
    let mut rows: Vec<(String, Vec<u8>)> = Vec::new();
    for at in [block, second] {
        for value in [0, 1, 31, 1 << 20, 1 << 30, u32::MAX - 1, u32::MAX] {
            for place in [32, 36] {
                let row = format!("length {value} at {at}+{place}");
                rows.push((row, sealed(at, &set(place, value.to_le_bytes().to_vec()))));
            }
        }
        for value in [0, 1, 12287, 12289, 1 << 62, u64::MAX] {
            for place in [8, 16, 24] {
                let row = format!("{value} at {at}+{place}");
                rows.push((row, sealed(at, &set(place, value.to_le_bytes().to_vec()))));
            }
        }
        // The stored bytes are others, and their checksum fits: frames still prove themselves.
        let content = usize::try_from(stored).unwrap();
        let junk = vec![0xFF; content];
        rows.push((
            format!("junk at {at}"),
            sealed(at, &move |block: &mut [u8]| {
                let end = (48 + junk.len()).min(block.len());
                block[48..end].copy_from_slice(&junk[..end - 48]);
                let length =
                    usize::try_from(u32::from_le_bytes(block[36..40].try_into().unwrap())).unwrap();
                let sum = crc32c::crc32c(&block[48..48 + length]);
                block[40..44].copy_from_slice(&sum.to_le_bytes());
            }),
        ));
    }
    // Blocks in the wrong order, twice, or gone.
    let (head, rest) = good.split_at(block);
    let (one, rest) = rest.split_at(second - block);
    rows.push(("first block gone".into(), [head, rest].concat()));
    rows.push(("first block twice".into(), [head, one, one, rest].concat()));
    rows.push(("first block last".into(), [head, rest, one].concat()));
    rows.push(("no block".into(), head.to_vec()));
    for cut in [1, 47, 48, 49, 1000] {
        rows.push((
            format!("{cut} bytes cut"),
            good[..good.len() - cut].to_vec(),
        ));
    }
    for (row, bytes) in rows {
        if bytes == good {
            continue;
        }
        let broken = disk.fork();
        broken.write(FIRST, &bytes);
        let (log, _) = Log::open(broken.root(), Options::default(), &[]).unwrap();
        for from in 0..120 {
            let mut reader = log.reader(TxId(from)).unwrap();
            match reader.next_record() {
                Ok(Some(record)) => {
                    assert_eq!(record.id.0, from, "{row}");
                    assert_eq!(record.payload, payloads[usize::try_from(from).unwrap()]);
                }
                Ok(None) => panic!("{row}: {from} is missing"),
                Err(Error::Damaged { .. }) => {}
                Err(error) => panic!("{row}: {error}"),
            }
        }
        // Who reads all in order does not need the chain of a block.
        let harmless = row.ends_with(&format!("{second}+24"));
        assert_eq!(log.verify().is_ok(), harmless, "{row}");
        assert!(matches!(log.compress_sealed(), Ok(None)));
    }
}

/// Closes the log when the first block is to be written, and gives that time to end.
#[derive(Debug, Default)]
struct ClosesInTheMiddle {
    log: OnceLock<(SimDisk, Arc<Log>)>,
    closing: Mutex<Option<thread::JoinHandle<u64>>>,
    /// What is written of blocks once it is closed.
    writes: AtomicUsize,
}

impl Hooks for ClosesInTheMiddle {
    fn before_write(&self, offset: u64) {
        let mut closing = self.closing.lock().unwrap();
        if closing.is_some() && offset > 12288 {
            self.writes.fetch_add(1, Ordering::SeqCst);
        }
        let (12288, Some((disk, log)), None) = (offset, self.log.get(), closing.as_ref()) else {
            return;
        };
        *closing = Some(close_beside(log, disk));
    }
}

/// Another process may open the log then, and make a segment anew under the same temporary name. It has not long to wait: the segment has several blocks.
#[test]
fn a_log_is_closed_only_when_nobody_packs_a_segment_of_it_any_more() {
    let disk = SimDisk::new(1);
    long_log(&disk).0.close().unwrap();
    let hooks = Arc::<ClosesInTheMiddle>::default();
    let root = HookedDir::around(disk.root(), Arc::clone(&hooks) as Arc<dyn Hooks>);
    let (log, _) = Log::open(root, small(), &[]).unwrap();
    let before = disk.files();
    let log = Arc::new(log);
    hooks.log.set((disk.clone(), Arc::clone(&log))).unwrap();
    assert!(matches!(log.compress_sealed(), Err(Error::Closed)));
    let closing = hooks.closing.lock().unwrap().take().unwrap();
    assert_eq!(closing.join().unwrap(), disk.call_count());
    // What its header says stands in the first block.
    assert_eq!(hooks.writes.load(Ordering::SeqCst), 1);
    assert_eq!(disk.files(), before);
    let (log, report) = Log::open(disk.root(), small(), &[]).unwrap();
    assert!(report.was_closed);
    assert!(compress_all(&log) > 0);
}

/// Prunes the segment that is compressed when its first block is to be written.
#[derive(Debug, Default)]
struct PrunesInTheMiddle(Mutex<Option<Arc<Log>>>);

impl Hooks for PrunesInTheMiddle {
    fn before_write(&self, offset: u64) {
        if offset == 12288
            && let Some(log) = self.0.lock().unwrap().take()
        {
            log.prune_before(TxId(5)).unwrap();
        }
    }
}

#[test]
fn a_prune_of_what_is_compressed_leaves_no_segment_behind_it_plain() {
    let disk = SimDisk::new(1);
    log_on(&disk, small()).close().unwrap();
    let hooks = Arc::<PrunesInTheMiddle>::default();
    let root = HookedDir::around(disk.root(), Arc::clone(&hooks) as Arc<dyn Hooks>);
    let options = Options {
        compress_sealed: true,
        ..small()
    };
    let log = Arc::new(Log::open(root, options, &[]).unwrap().0);
    *hooks.0.lock().unwrap() = Some(Arc::clone(&log));
    while log.maintain(Duration::ZERO).unwrap().is_some() {}
    let mut is = compressed(&disk.root());
    assert_eq!(is.pop(), Some(false));
    assert!(!is.is_empty() && !is.contains(&false), "{is:?}");
}

#[test]
fn a_compressed_segment_that_does_not_say_that_it_is_continued_is_damaged() {
    let disk = SimDisk::new(1);
    let log = log_on(&disk, small());
    compress_all(&log);
    log.close().unwrap();
    drop(log);
    for block in [4096, 8192] {
        disk.flip_bit(FIRST, block + 20, 0);
    }
    for read_only in [false, true] {
        let error = match read_only {
            true => ReadOnlyLog::open(disk.root(), ReadOnlyOptions::default(), &[]).map(drop),
            false => Log::open(disk.root(), small(), &[]).map(drop),
        }
        .unwrap_err();
        assert!(
            matches!(
                error,
                Error::Damaged {
                    kind: DamageKind::NoMark,
                    ..
                }
            ),
            "{error}"
        );
    }
}

#[test]
fn a_lost_block_is_reported_where_it_stands_in_the_file() {
    let (_temporary, dir) = temporary();
    let log = Log::create(
        Arc::clone(&dir),
        LOG_ID,
        Options::default(),
        &[(&[3; 60_000], None)],
    )
    .unwrap();
    log.commit(&[4; 60_000], None).unwrap();
    log.rotate().unwrap();
    let done = log.compress_sealed().unwrap().unwrap();
    assert!(done.bytes_after < 13_500, "{done:?}");
    let file = dir.open(FIRST, disk::Access::ReadWrite).unwrap();
    file.write_all_at(done.bytes_after - 1, &[0xFF]).unwrap();
    let mut reader = log.reader(TxId(0)).unwrap();
    reader.next_record().unwrap().unwrap();
    let Err(Error::Damaged {
        byte_offset, kind, ..
    }) = reader.next_record()
    else {
        panic!("the flip was not noticed");
    };
    assert!(byte_offset > 12288 && byte_offset < done.bytes_after);
    let bad = BadFrame::Block { expected: TxId(1) };
    assert_eq!(
        kind,
        DamageKind::Record {
            bad,
            proven: TxId(2)
        }
    );
}

/// When a segment is compressed in the background, appends a record and waits until somebody makes it durable.
#[derive(Debug, Default)]
struct WaitsInTheMiddle {
    log: Mutex<Option<Arc<Log>>>,
    is_durable: OnceLock<bool>,
}

impl Hooks for WaitsInTheMiddle {
    fn before_write(&self, offset: u64) {
        let maintains = thread::current()
            .name()
            .is_some_and(|name| name.starts_with("commitlog"));
        if !maintains || offset < 12288 {
            return;
        }
        let log = self.log.lock().unwrap().take();
        if let Some(log) = log {
            let id = log.append(b"while a block is written", None).unwrap();
            let mut follower = log.follow(id, FollowOptions::default()).unwrap();
            // Longer than anything takes.
            let found = follower.next_record(Some(Duration::from_secs(60)));
            self.is_durable.set(found.unwrap().is_some()).unwrap();
        }
    }
}

#[test]
fn a_maintainer_syncs_at_the_interval_while_it_compresses() {
    let disk = SimDisk::new(1);
    let hooks = Arc::<WaitsInTheMiddle>::default();
    let root = HookedDir::around(disk.root(), Arc::clone(&hooks) as Arc<dyn Hooks>);
    let options = Options {
        sync_policy: SyncPolicy::Interval(Duration::ZERO),
        compress_sealed: true,
        ..Options::default()
    };
    let log = Log::create(root, LOG_ID, options, &[(b"genesis", None)]).unwrap();
    log.rotate().unwrap();
    let log = Arc::new(log);
    *hooks.log.lock().unwrap() = Some(Arc::clone(&log));
    let maintainer = Maintainer::start(&log).unwrap();
    assert!(hooks.is_durable.wait());
    maintainer.stop().unwrap();
    log.close().unwrap();
}
