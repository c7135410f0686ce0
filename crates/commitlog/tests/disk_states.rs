//! What the log makes of a directory that is not as it left it.
#![allow(clippy::unwrap_used)]

#[path = "support/logs.rs"]
mod logs;

use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::Arc;

use commitlog::{
    BadFrame, Chain, DamageKind, Error, FormatPart, Log, Options, Proof, ReadOnlyLog,
    ReadOnlyOptions, Start, TxId,
};
use disk::{Access, Dir, SimDisk};
use logs::{LOG_ID, create, expected, files, fill, payload, read_all, small, temporary};

#[test]
fn other_files_are_left_alone_and_unfinished_segments_removed() {
    let (_temporary, dir) = temporary();
    let log = create(&dir, small());
    log.close().unwrap();
    let others = [
        "1.log",
        "00000000000000000007.log.bak",
        "note.tmp",
        "00000000000000000007.tmp",
        "x.log.tmp",
    ];
    for name in others {
        dir.create(name).unwrap();
    }
    dir.create("00000000000000000007.log.tmp").unwrap();
    dir.create_dir("00000000000000000008.log.tmp").unwrap();
    ReadOnlyLog::open(Arc::clone(&dir), ReadOnlyOptions::default(), &[]).unwrap();
    assert_eq!(dir.list().unwrap().len(), 8);
    let (_log, report) = Log::open(Arc::clone(&dir), small(), &[]).unwrap();
    assert_eq!(report.temporaries_removed, 1);
    let names: Vec<String> = dir
        .list()
        .unwrap()
        .into_iter()
        .map(|entry| entry.name)
        .collect();
    assert!(
        others
            .iter()
            .all(|&other| names.iter().any(|name| name == other))
    );
    assert_eq!(names.len(), 7);
}

#[test]
fn what_is_no_file_is_refused_without_hanging() {
    let (_temporary, dir) = temporary();
    drop(create(&dir, small()));
    dir.create_dir("00000000000000000001.log").unwrap();
    assert!(matches!(
        Log::open(Arc::clone(&dir), small(), &[]),
        Err(Error::Io(disk::Error::NotAFile { .. }))
    ));
}

#[test]
fn a_snapshot_beyond_the_end_is_an_error_that_says_so() {
    let (_temporary, dir) = temporary();
    let log = create(&dir, small());
    fill(&log, 3);
    log.close().unwrap();
    let proof = Proof {
        through: TxId(3),
        chain: Chain(1),
    };
    let before = files(&dir);
    let error = Log::open(Arc::clone(&dir), small(), &[proof]).unwrap_err();
    let expected = DamageKind::BehindProof {
        end: TxId(3),
        proven: TxId(4),
    };
    assert!(
        matches!(error, Error::Damaged { kind, .. } if kind == expected),
        "{error}"
    );
    assert_eq!(files(&dir), before);
}

#[test]
fn a_newer_payload_version_is_refused_by_name() {
    let (_temporary, dir) = temporary();
    let options = Options {
        minimum_reader: 4,
        ..small()
    };
    let log = create(&dir, options);
    log.raise_minimum_reader(9);
    log.rotate().unwrap();
    drop(log);
    assert_eq!(Log::inspect(dir.as_ref()).unwrap().minimum_reader, 9);
    let old = Options {
        reader: 8,
        ..small()
    };
    let error = Log::open(dir, old, &[]).unwrap_err();
    assert!(
        matches!(
            error,
            Error::NewerFormat {
                part: FormatPart::Payload,
                needed: 9,
                supported: 8,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_log_is_not_created_over_another() {
    let (_temporary, dir) = temporary();
    assert!(matches!(
        Log::inspect(dir.as_ref()),
        Err(Error::NoLog { .. })
    ));
    assert!(matches!(
        Log::open(Arc::clone(&dir), small(), &[]),
        Err(Error::NoLog { .. })
    ));
    drop(create(&dir, small()));
    assert!(matches!(
        Log::create(dir, LOG_ID, small(), &[]),
        Err(Error::AlreadyExists { .. })
    ));
}

#[test]
fn links_and_pipes_in_the_place_of_segments_are_refused_without_hanging() {
    let (temporary, dir) = temporary();
    drop(create(&dir, small()));
    let name = temporary.path().join("00000000000000000001.log");
    #[expect(clippy::disallowed_methods, reason = "the test harms the directory")]
    symlink("00000000000000000000.log", &name).unwrap();
    let refused = || {
        matches!(
            Log::open(Arc::clone(&dir), small(), &[]),
            Err(Error::Io(disk::Error::NotAFile { .. }))
        )
    };
    assert!(refused());
    dir.remove("00000000000000000001.log").unwrap();
    if Command::new("mkfifo")
        .arg(&name)
        .status()
        .is_ok_and(|status| status.success())
    {
        assert!(refused());
    } else {
        println!("skipped: there is no mkfifo");
    }
}

#[test]
fn segments_that_a_truncation_left_behind_are_ignored_and_removed() {
    let old = SimDisk::new(1);
    let log = Log::create(old.root(), LOG_ID, small(), &[(b"genesis", None)]).unwrap();
    fill(&log, 20);
    let old_segments = log.verify().unwrap();
    assert_eq!(old_segments, 20);
    drop(log);
    // What a truncation to one record makes of the first segment: the same base, the next epoch.
    let new = SimDisk::new(2);
    let start = Start {
        epoch: 1,
        ..Start::genesis(LOG_ID)
    };
    let log = Log::create_at(new.root(), LOG_ID, small(), start, &[(b"genesis", None)]).unwrap();
    log.close().unwrap();
    drop(log);
    let first = "00000000000000000000.log";
    old.write(first, &new.read(first).unwrap());
    let count = old.files().len();
    assert!(count > 2);

    let read_only = ReadOnlyLog::open(old.root(), ReadOnlyOptions::default(), &[]).unwrap();
    assert_eq!(read_only.verify().unwrap(), 1);
    assert_eq!(old.files().len(), count);
    let (log, report) = Log::open(old.root(), small(), &[]).unwrap();
    assert_eq!(report.leftovers_removed, count - 1);
    assert_eq!(read_all(&log), expected(0, 1));
    fill(&log, 20);
    assert_eq!(read_all(&log), expected(0, 20));
    assert_eq!(Log::inspect(old.root().as_ref()).unwrap().epoch, 1);
}

/// A log of one record that was not closed, its file made so long by zeros.
fn log_of_length(bytes: u64) -> (tempfile::TempDir, Arc<dyn Dir>) {
    let (temporary, dir) = temporary();
    let log = create(&dir, small());
    log.sync().unwrap();
    drop(log);
    let first = dir
        .open("00000000000000000000.log", Access::ReadWrite)
        .unwrap();
    first.set_len(bytes).unwrap();
    (temporary, dir)
}

#[test]
fn an_enormous_empty_tail_is_cut_without_being_read() {
    let (_temporary, dir) = log_of_length(1 << 42);
    let (log, report) = Log::open(Arc::clone(&dir), small(), &[]).unwrap();
    assert!(report.torn.is_some());
    assert_eq!(report.end, TxId(1));
    let first = dir.open("00000000000000000000.log", Access::Read).unwrap();
    assert_eq!(first.len().unwrap(), 12288 + 40);
    fill(&log, 3);
    assert_eq!(log.verify().unwrap(), 3);
}

/// Space for the longest records is reserved as zeros before they are written: a process killed in between leaves nothing but them.
#[test]
fn space_reserved_for_a_long_record_is_no_torn_tail() {
    let (_temporary, dir) = log_of_length(200 << 20);
    let read = ReadOnlyLog::open(Arc::clone(&dir), ReadOnlyOptions::default(), &[]).unwrap();
    assert_eq!(read.unfinished_tail(), None);
    let (log, report) = Log::open(Arc::clone(&dir), small(), &[]).unwrap();
    assert_eq!((report.end, report.torn), (TxId(1), None));
    fill(&log, 3);
}

/// The highest place and epoch that a log may be made with leave room for what comes.
#[test]
fn a_log_that_begins_as_late_as_it_may_goes_on_and_opens_again() {
    let start = Start {
        base: TxId(1 << 61),
        chain: Chain(5),
        epoch: 1 << 30,
    };
    let disk = SimDisk::new(1);
    let log = Log::create_at(disk.root(), LOG_ID, small(), start, &[]).unwrap();
    for _ in 0..5 {
        log.commit(&[7; 100], None).unwrap();
    }
    log.truncate_after(TxId((1 << 61) + 2)).unwrap();
    log.rotate().unwrap();
    log.close().unwrap();
    let (_, report) = Log::open(disk.root(), small(), &[]).unwrap();
    assert_eq!(report.end, TxId((1 << 61) + 3));
    let (base, epoch) = (start.base, start.epoch);
    for start in [
        Start {
            base: TxId(base.0 + 1),
            ..start
        },
        Start {
            epoch: epoch + 1,
            ..start
        },
    ] {
        let disk = SimDisk::new(1);
        let made = std::panic::catch_unwind(|| {
            Log::create_at(disk.root(), LOG_ID, small(), start, &[]).map(drop)
        });
        assert!(made.is_err(), "{start:?}");
    }
}

#[test]
fn a_torn_tail_is_reported_and_the_log_goes_on_in_a_new_segment() {
    let disk = SimDisk::new(1);
    let log = Log::create(
        disk.root(),
        LOG_ID,
        Options::default(),
        &[(b"genesis", None)],
    )
    .unwrap();
    log.append(&[1; 100], None).unwrap();
    drop(log);
    let name = "00000000000000000000.log";
    // The mark behind the first says that the log went on after the file had its name.
    disk.zero_sector(name, 16);
    disk.flip_bit(name, 12288 + 40 + 50, 3);
    let (log, report) = Log::open(disk.root(), Options::default(), &[]).unwrap();
    let torn = report.torn.unwrap();
    assert_eq!(
        (torn.file().as_str(), torn.byte_offset, torn.bytes_cut),
        (name, 12328, 132)
    );
    assert_eq!(
        torn.reason.to_string(),
        "record 1 does not continue the chain of checksums"
    );
    // Nothing proves any more that the name is durable: the segment is made anew without its tail.
    assert_eq!((report.end, report.segment_count), (TxId(1), 1));
    assert_eq!(disk.read(name).unwrap().len(), 12328);
    log.commit(&[1; 100], None).unwrap();
    log.append(&[2; 100], None).unwrap();
    drop(log);
    disk.flip_bit(name, 12464 + 50, 3);
    let read_only = ReadOnlyLog::open(disk.root(), ReadOnlyOptions::default(), &[]).unwrap();
    let tail = read_only.unfinished_tail().unwrap();
    assert_eq!((tail.byte_offset, tail.bytes_cut), (12464, 132));
    let (log, report) = Log::open(disk.root(), Options::default(), &[]).unwrap();
    assert_eq!(report.torn, Some(tail));
    assert_eq!((report.end, report.segment_count), (TxId(2), 2));
    assert_eq!(disk.read(name).unwrap().len(), 12464);
    log.commit(&[1; 100], None).unwrap();
    drop(log);
    // Torn in an empty segment: that one is made anew.
    disk.flip_bit("00000000000000000002.log", 12288, 0);
    disk.flip_bit("00000000000000000002.log", 4096, 0);
    let (log, report) = Log::open(disk.root(), Options::default(), &[]).unwrap();
    assert_eq!((report.end, report.segment_count), (TxId(2), 2));
    log.commit(&[1; 100], None).unwrap();
    drop(log);
    let (_, report) = Log::open(disk.root(), Options::default(), &[]).unwrap();
    assert_eq!((report.end, report.torn), (TxId(3), None));
    let read_only = ReadOnlyLog::open(disk.root(), ReadOnlyOptions::default(), &[]).unwrap();
    assert_eq!(read_only.unfinished_tail(), None);
}

/// It had one before it had its name; a reader, who shows what is proved, must not take it for an empty log.
#[test]
fn a_first_segment_without_a_mark_is_damaged_for_writers_and_readers() {
    let name = "00000000000000000000.log";
    for genesis in [&[][..], &[(&b"genesis"[..], None)]] {
        let disk = SimDisk::new(1);
        let log = Log::create(disk.root(), LOG_ID, Options::default(), genesis).unwrap();
        // A power cut takes the second mark, which is not synced.
        let marked_once = disk.fork();
        marked_once.zero_sector(name, 16);
        for number in 0..3 {
            log.commit(&payload(number), None).unwrap();
        }
        let written = log.next_id().0;
        log.rotate().unwrap();
        // How many records a reader and a writer show; `None` is damage.
        let rows = [
            (&marked_once, &[8192][..], Some(genesis.len() as u64)),
            (&marked_once, &[4096], None),
            (&marked_once, &[4096, 8192], None),
            (&disk, &[4096], Some(written)),
            (&disk, &[8192], Some(written)),
            (&disk, &[4096, 8192], None),
        ];
        for (disk, blocks, shown) in rows {
            let disk = disk.fork();
            for block in blocks {
                disk.zero_sector(name, block / 512);
            }
            let before = disk.read(name);
            let reader = ReadOnlyLog::open(disk.root(), ReadOnlyOptions::default(), &[]);
            let writer = Log::open(disk.root(), Options::default(), &[]);
            let reader = reader.map(|log| log.verify().unwrap());
            let writer = writer.map(|(log, _)| log.verify().unwrap());
            for outcome in [reader, writer] {
                match (outcome, shown) {
                    (Ok(found), Some(shown)) => assert_eq!(found, shown),
                    (Err(error), None) => {
                        let said = "00000000000000000000.log is damaged at byte 4096: neither mark of the segment is valid";
                        assert!(error.to_string().ends_with(said), "{error}");
                    }
                    (outcome, _) => panic!("{blocks:?}: {outcome:?}"),
                }
            }
            if shown.is_none() {
                assert_eq!(disk.read(name), before);
            }
        }
    }
}

#[test]
fn a_changed_byte_of_padding_is_damage_for_writers_and_readers() {
    let disk = SimDisk::new(1);
    let log = Log::create(disk.root(), LOG_ID, small(), &[(b"genesis", None)]).unwrap();
    log.close().unwrap();
    // A header of 32 bytes, 7 of payload, 1 of padding.
    disk.flip_bit("00000000000000000000.log", 12288 + 39, 2);
    let reader = ReadOnlyLog::open(disk.root(), ReadOnlyOptions::default(), &[]);
    let writer = Log::open(disk.root(), small(), &[]);
    let kind = DamageKind::Record {
        bad: BadFrame::Padding { expected: TxId(0) },
        proven: TxId(1),
    };
    for error in [reader.unwrap_err(), writer.unwrap_err()] {
        assert!(
            matches!(error, Error::Damaged { byte_offset: 12288, kind: found, .. } if found == kind),
            "{error}"
        );
    }
}

/// Where the log ends that is pruned below.
const END: u64 = 12;

/// What happens to a pruned log that begins with the record given, and where it ends then.
type Way = (&'static str, fn(&SimDisk, TxId) -> TxId);

/// All that writes the marks of a log anew, which tell where it begins.
const WAYS: [Way; 6] = [
    ("nothing", |_, _| TxId(END)),
    ("closed", |disk, _| {
        opened(disk).close().unwrap();
        TxId(END)
    }),
    ("truncated", |disk, base| {
        opened(disk).truncate_after(base).unwrap().end
    }),
    ("emptied", |disk, base| {
        opened(disk)
            .truncate_after(base.previous().unwrap())
            .unwrap();
        base
    }),
    ("emptied, and torn at once", |disk, base| {
        opened(disk)
            .truncate_after(base.previous().unwrap())
            .unwrap();
        // The next open knows that the name is durable: it leaves the file in its place.
        drop(opened(disk));
        let name = disk.files().pop().unwrap();
        let mut bytes = disk.read(&name).unwrap();
        bytes.resize(12288, 0);
        bytes.extend([7; 50]);
        disk.write(&name, &bytes);
        drop(opened(disk));
        base
    }),
    ("continued and compressed", |disk, _| {
        let log = opened(disk);
        log.rotate().unwrap();
        log.compress_sealed().unwrap().unwrap();
        TxId(END)
    }),
];

fn opened(disk: &SimDisk) -> Log {
    Log::open(disk.root(), small(), &[]).unwrap().0
}

/// A prune that failed has removed a segment in memory only: it comes back when those behind it are gone, whatever the log has done since.
#[test]
fn a_removal_that_came_undone_is_ignored_and_removed_by_the_next_open() {
    let pruned = SimDisk::new(1);
    let log = Log::create(pruned.root(), LOG_ID, small(), &[(b"genesis", None)]).unwrap();
    fill(&log, END);
    let names = pruned.files();
    let count = names.len() - 1;
    assert!(count > 2);
    let old: Vec<Vec<u8>> = names
        .iter()
        .map(|name| pruned.read(name).unwrap())
        .collect();
    let base = log.prune_before(TxId(END)).unwrap().base;
    // A truncation gives something up and keeps something.
    assert!(base < TxId(END - 1));
    drop(log);
    assert_eq!(pruned.files(), names[count..]);
    for (way, go) in WAYS {
        let disk = pruned.fork();
        let end = go(&disk, base);
        let left = disk.files();
        // Every set of them.
        for set in 1..1_usize << count {
            let disk = disk.fork();
            let back = (0..count).filter(|at| set & (1 << at) != 0);
            for at in back.clone() {
                disk.write(&names[at], &old[at]);
            }
            let before = disk.digest();
            let extent = Log::inspect(disk.root().as_ref());
            let extent = extent.unwrap_or_else(|error| panic!("{way}, {set:b}: {error}"));
            assert_eq!(
                (extent.base, extent.segments.len()),
                (base, left.len()),
                "{way}, {set:b}"
            );
            let reader = ReadOnlyLog::open(disk.root(), ReadOnlyOptions::default(), &[]).unwrap();
            assert_eq!((reader.base(), reader.next_id()), (base, end), "{way}");
            assert!(
                matches!(reader.reader(TxId(0)), Err(Error::Pruned { oldest }) if oldest == base)
            );
            assert_eq!(disk.digest(), before);
            let (log, report) = Log::open(disk.root(), small(), &[]).unwrap();
            let removed = back.count();
            assert_eq!((report.base, report.leftovers_removed), (base, removed));
            assert!(!report.was_closed);
            assert_eq!(disk.files(), left, "{way}");
            assert_eq!(read_all(&log), expected(base.0, end.0), "{way}");
        }
    }
}

/// Each lost segment but the first, with the marks that a log has while it is written and when it was closed, pruned before and not.
#[test]
fn a_lost_segment_in_between_is_damage_whatever_a_snapshot_says() {
    for (close, floor) in [(false, 0), (true, 0), (false, 3), (true, 3)] {
        let disk = SimDisk::new(1);
        let log = Log::create(disk.root(), LOG_ID, small(), &[(b"genesis", None)]).unwrap();
        fill(&log, 16);
        log.prune_before(TxId(floor)).unwrap();
        let proof = Proof {
            through: TxId(15),
            chain: log.chain_at_end(),
        };
        if close {
            log.close().unwrap();
        }
        drop(log);
        let names = disk.files();
        assert!(names.len() > 5);
        for (at, name) in names.iter().enumerate().skip(1) {
            let disk = disk.fork();
            disk.delete(name);
            for proofs in [&[][..], &[proof][..]] {
                let disk = disk.fork();
                let before = disk.digest();
                let opened = Log::open(disk.root(), small(), proofs).map(|(log, _)| log.base());
                let read = ReadOnlyLog::open(disk.root(), ReadOnlyOptions::default(), proofs);
                for refused in [opened, read.map(|log| log.base())] {
                    let Err(Error::Damaged { file, kind, .. }) = refused else {
                        panic!("{name} is lost, and: {refused:?}");
                    };
                    assert!(file.ends_with(&names[at - 1]), "{file:?}");
                    assert!(matches!(kind, DamageKind::SegmentMissing { .. }), "{kind}");
                }
                assert_eq!(disk.digest(), before);
            }
        }
    }
}

/// A proof of everything before record `end`.
fn proof_before(log: &Log, end: u64) -> Proof {
    let through = TxId(end - 1);
    let chain = log.chain_after(through).unwrap();
    Proof { through, chain }
}

/// One or two lost segments at the front, with the marks that a log has while it is written and when it was closed, pruned before and not.
#[test]
fn a_lost_first_segment_is_damage_unless_a_snapshot_holds_what_it_held() {
    for (close, pruned, lost) in [
        (false, 0, 1),
        (true, 0, 1),
        (false, 3, 1),
        (true, 3, 1),
        (false, 3, 2),
        (true, 0, 2),
    ] {
        let disk = SimDisk::new(1);
        let log = Log::create(disk.root(), LOG_ID, small(), &[(b"genesis", None)]).unwrap();
        fill(&log, 16);
        let floor = log.prune_before(TxId(pruned)).unwrap().base;
        let extent = Log::inspect(disk.root().as_ref()).unwrap();
        let bases: Vec<u64> = extent.segments.iter().map(|one| one.base.0).collect();
        let (found, next) = (bases[lost], bases[lost + 1]);
        let before = proof_before(&log, found - 1);
        let until = proof_before(&log, found);
        let later = proof_before(&log, next + 1);
        let newest = proof_before(&log, 16);
        let foreign = Proof {
            chain: Chain(1),
            ..newest
        };
        if close {
            log.close().unwrap();
        }
        drop(log);
        let names = disk.files();
        for name in &names[..lost] {
            disk.delete(name);
        }
        let untouched = disk.digest();
        for proofs in [&[][..], &[before], &[foreign], &[foreign, before]] {
            let opened = Log::open(disk.root(), small(), proofs).map(drop);
            let options = ReadOnlyOptions::default();
            let read = ReadOnlyLog::open(disk.root(), options, proofs).map(drop);
            for refused in [opened, read] {
                let Err(Error::Damaged { file, kind, .. }) = refused else {
                    panic!("{refused:?}");
                };
                let expected = floor;
                let found = TxId(found);
                assert_eq!(kind, DamageKind::StartMissing { expected, found });
                assert!(file.ends_with(&names[0]), "{file:?}");
            }
            assert_eq!(disk.digest(), untouched);
        }
        let missing = Some(floor..TxId(found));
        for proofs in [
            &[until][..],
            &[later],
            &[newest],
            &[foreign, newest, before],
        ] {
            let disk = disk.fork();
            let extent = Log::inspect(disk.root().as_ref()).unwrap();
            assert_eq!(extent.missing, missing);
            let options = ReadOnlyOptions::default();
            let read = ReadOnlyLog::open(disk.root(), options, proofs).unwrap();
            assert_eq!(read.extent().missing, missing);
            assert_eq!(disk.digest(), untouched);
            // It is told until the log is pruned so far, and not forgotten by what else is done.
            for _ in 0..2 {
                let (log, report) = Log::open(disk.root(), small(), proofs).unwrap();
                assert_eq!(report.missing, missing);
                assert_eq!(read_all(&log), expected(found, log.next_id().0));
                log.truncate_after(TxId(15)).unwrap();
                fill(&log, log.next_id().0 + 3);
                log.compress_sealed().unwrap();
            }
            let (log, _) = Log::open(disk.root(), small(), proofs).unwrap();
            log.prune_before(TxId(next)).unwrap();
            drop(log);
            let (log, report) = Log::open(disk.root(), small(), &[]).unwrap();
            assert_eq!((report.missing, report.base), (None, TxId(next)));
            assert_eq!(read_all(&log), expected(next, log.next_id().0));
        }
    }
}

/// What a log may have gone through that ends with a base above 0.
fn pruned_lives() -> Vec<(&'static str, SimDisk)> {
    let life = |live: &dyn Fn(&Log)| {
        let disk = SimDisk::new(1);
        let log = Log::create(disk.root(), LOG_ID, small(), &[(b"genesis", None)]).unwrap();
        fill(&log, 16);
        log.prune_before(TxId(7)).unwrap();
        assert!(log.base() > TxId(3));
        live(&log);
        disk
    };
    let begun = |live: &dyn Fn(&Log)| {
        let disk = SimDisk::new(1);
        let start = Start {
            base: TxId(16),
            chain: Chain(5),
            epoch: 1,
        };
        live(&Log::create_at(disk.root(), LOG_ID, small(), start, &[]).unwrap());
        disk
    };
    let truncated = |end: u64| {
        life(&move |log| {
            log.truncate_after(TxId(end - 1)).unwrap();
        })
    };
    vec![
        ("pruned", life(&|_| ())),
        ("pruned and closed", life(&|log| log.close().unwrap())),
        ("pruned, and on in new segments", life(&|log| fill(log, 30))),
        (
            "pruned to the newest segment",
            life(&|log| {
                log.prune_before(TxId(16)).unwrap();
            }),
        ),
        (
            "pruned to a new segment that is empty",
            life(&|log| {
                log.rotate().unwrap();
                log.prune_before(TxId(16)).unwrap();
            }),
        ),
        (
            "pruned twice",
            life(&|log| {
                fill(log, 20);
                log.prune_before(TxId(12)).unwrap();
            }),
        ),
        (
            "pruned, then truncated in the newest segment",
            truncated(16),
        ),
        ("pruned, then truncated further", truncated(10)),
        ("pruned, then truncated to nothing", truncated(7)),
        (
            "pruned, then compressed",
            life(&|log| {
                log.rotate().unwrap();
                while log.compress_sealed().unwrap().is_some() {}
            }),
        ),
        ("begun elsewhere", begun(&|_| ())),
        (
            "begun elsewhere, and closed",
            begun(&|log| log.close().unwrap()),
        ),
        ("begun elsewhere, and on", begun(&|log| fill(log, 30))),
    ]
}

#[test]
fn no_damaged_mark_makes_a_log_look_as_if_its_first_segment_were_lost() {
    for (name, disk) in pruned_lives() {
        let base = Log::inspect(disk.root().as_ref()).unwrap().base;
        assert!(base > TxId(0));
        let names = disk.files();
        let marks = names.iter().flat_map(|name| [(name, 8), (name, 16)]);
        for (file, sector) in marks {
            // Of the disk as the log left it, and as an open left that.
            for reopened in [false, true] {
                let disk = disk.fork();
                if reopened {
                    drop(Log::open(disk.root(), small(), &[]).unwrap());
                }
                if !disk.files().contains(file) {
                    continue;
                }
                let zeroed = disk.fork();
                zeroed.zero_sector(file, sector);
                let flipped = disk.fork();
                flipped.flip_bit(file, sector as u64 * 512 + 50, 3);
                let mut bad = vec![zeroed, flipped];
                for back in 0..disk.older_versions(file, sector) {
                    bad.push(disk.fork());
                    bad[back + 2].revert_sector(file, sector, back);
                }
                for disk in bad {
                    // It stays like that.
                    for _ in 0..2 {
                        let (log, report) = Log::open(disk.root(), small(), &[]).unwrap();
                        assert_eq!((report.missing, report.base), (None, base), "{name}");
                        fill(&log, log.next_id().0 + 1);
                    }
                }
            }
        }
    }
}

/// Bad marks may have named the record that the log begins with; marks that were never written can not.
#[test]
fn where_both_marks_are_bad_nothing_is_said_to_be_missing() {
    for (name, disk) in pruned_lives() {
        let base = Log::inspect(disk.root().as_ref()).unwrap().base;
        let newest = disk.files().pop().unwrap();
        for block in [4096, 8192] {
            disk.flip_bit(&newest, block + 50, 3);
        }
        for _ in 0..2 {
            let (log, report) = Log::open(disk.root(), small(), &[]).unwrap();
            assert_eq!((report.missing, report.base), (None, base), "{name}");
            fill(&log, log.next_id().0 + 1);
        }
    }
}

#[test]
fn the_minimum_reader_is_the_highest_of_all_segments() {
    let disk = SimDisk::new(1);
    let options = Options {
        minimum_reader: 5,
        ..small()
    };
    let log = Log::create(disk.root(), LOG_ID, options, &[(b"genesis", None)]).unwrap();
    log.rotate().unwrap();
    drop(log);
    // Another writer's segment that asks for less, as a header says it.
    let name = "00000000000000000001.log";
    let mut bytes = disk.read(name).unwrap();
    bytes[12..14].copy_from_slice(&2_u16.to_le_bytes());
    let sum = crc32c::crc32c(&bytes[..60]);
    bytes[60..64].copy_from_slice(&sum.to_le_bytes());
    disk.write(name, &bytes);
    assert_eq!(
        Log::inspect(disk.root().as_ref()).unwrap().minimum_reader,
        5
    );
    let (log, _) = Log::open(disk.root(), small(), &[]).unwrap();
    fill(&log, 2);
    log.rotate().unwrap();
    let newest = disk.read("00000000000000000002.log").unwrap();
    assert_eq!(newest[12..14], 5_u16.to_le_bytes());
}
