//! Files that are not what they should be, row by row, in plain and in compressed logs: nothing hangs, nothing is shown that was not written,
//! and a refusal says why.
#![allow(clippy::unwrap_used)]

#[path = "support/logs.rs"]
mod logs;

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use commitlog::{
    DamageKind, Error, Log, LogId, Options, ReadOnlyLog, ReadOnlyOptions, TxId, salvage,
};
use disk::{Access, Dir, SimDisk};
use logs::{LOG_ID, expected, fill, read_all, small, temporary};

const END: u64 = 20;
/// Which of the segments is harmed, and which comes next.
const HARMED: usize = 2;

fn write_log(dir: Arc<dyn Dir>, compressed: bool) -> Log {
    let log = Log::create(dir, LOG_ID, small(), &[(b"genesis", Some(7))]).unwrap();
    fill(&log, END);
    while compressed && log.compress_sealed().unwrap().is_some() {}
    log
}

/// What the log makes of its files, in words: when it opens and when all of it is read.
fn verdict(dir: &Arc<dyn Dir>) -> String {
    let of = |error: Error| match error {
        Error::Damaged { kind, .. } => match kind {
            DamageKind::Record { bad, .. } => format!("{bad:?}")
                .split([' ', '{'])
                .next()
                .unwrap()
                .to_owned(),
            kind => format!("{kind:?}")
                .split([' ', '{'])
                .next()
                .unwrap()
                .to_owned(),
        },
        Error::Io(disk::Error::NotAFile { .. }) => "NotAFile".to_owned(),
        other => format!("{other}"),
    };
    let read_only = ReadOnlyLog::open(Arc::clone(dir), ReadOnlyOptions::default(), &[]);
    let read_only = match read_only.and_then(|log| log.verify()) {
        Ok(count) => format!("{count} records"),
        Err(error) => of(error),
    };
    let (log, torn) = match Log::open(Arc::clone(dir), small(), &[]) {
        Ok((log, report)) => (log, report.torn.is_some()),
        Err(error) => {
            let refused = of(error);
            assert_eq!(refused, read_only, "a writer and a reader disagree");
            return format!("refused: {refused}");
        }
    };
    let found = match log.verify() {
        Ok(count) => {
            assert_eq!(read_all(&log), expected(0, count));
            format!("{count} records")
        }
        Err(error) => of(error),
    };
    assert_eq!(found, read_only, "a writer and a reader disagree");
    match torn {
        true => format!("cut, {found}"),
        false => found,
    }
}

/// How a segment is harmed: the disk, the names of all segments, and the place of the one.
type Harm = fn(&SimDisk, &[String], usize);

fn change(disk: &SimDisk, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = disk.read(name).unwrap();
    change(&mut bytes);
    disk.write(name, &bytes);
}

/// Makes the checksums of the header and of both marks hold.
fn sum_up(bytes: &mut [u8]) {
    let header = crc32c::crc32c(&bytes[..60]);
    bytes[60..64].copy_from_slice(&header.to_le_bytes());
    for block in [0, 1] {
        let mark = 4096 * (usize::from(block) + 1);
        let place = crc32c::crc32c_append(header, &[block]);
        let sum = crc32c::crc32c_append(place, &bytes[mark..mark + 60]);
        bytes[mark + 60..mark + 64].copy_from_slice(&sum.to_le_bytes());
    }
}

fn other_log(names: &[String]) -> SimDisk {
    let other = SimDisk::new(7);
    let log = Log::create(
        other.root(),
        LogId([3; 16]),
        small(),
        &[(b"genesis", Some(7))],
    )
    .unwrap();
    fill(&log, END);
    assert_eq!(other.files(), names);
    other
}

#[test]
fn a_sealed_segment_that_is_another_file() {
    // The harm, the verdict on a plain segment, the one on a compressed one.
    let rows: &[(&str, Harm, &str, &str)] = &[
        ("nothing", |_, _, _| {}, "20 records", "20 records"),
        (
            "empty",
            |disk, names, at| disk.write(&names[at], &[]),
            "refused: Header",
            "refused: Header",
        ),
        (
            "cut within the header",
            |disk, names, at| change(disk, &names[at], |bytes| bytes.truncate(63)),
            "refused: Header",
            "refused: Header",
        ),
        (
            "cut behind the header",
            |disk, names, at| change(disk, &names[at], |bytes| bytes.truncate(64)),
            "refused: TooShort",
            "refused: TooShort",
        ),
        (
            "cut behind the marks",
            |disk, names, at| change(disk, &names[at], |bytes| bytes.truncate(12288)),
            "EndOfFile",
            "EndOfFile",
        ),
        (
            "the last byte cut",
            |disk, names, at| change(disk, &names[at], |bytes| bytes.truncate(bytes.len() - 1)),
            "Incomplete",
            "Block",
        ),
        (
            "all zeros",
            |disk, names, at| change(disk, &names[at], |bytes| bytes.fill(0)),
            "refused: Header",
            "refused: Header",
        ),
        (
            "records zeroed",
            |disk, names, at| change(disk, &names[at], |bytes| bytes[12288..].fill(0)),
            "Zeros",
            "Block",
        ),
        (
            "marks zeroed",
            |disk, names, at| change(disk, &names[at], |bytes| bytes[4096..12288].fill(0)),
            "20 records",
            "refused: NoMark",
        ),
        (
            "zeros behind the end",
            |disk, names, at| change(disk, &names[at], |bytes| bytes.extend([0; 9000])),
            "20 records",
            "20 records",
        ),
        (
            "garbage behind the end",
            |disk, names, at| change(disk, &names[at], |bytes| bytes.extend([0xA5; 9000])),
            "20 records",
            "20 records",
        ),
        (
            "its own end again",
            |disk, names, at| {
                change(disk, &names[at], |bytes| {
                    let end = bytes[12288..].to_vec();
                    bytes.extend(end);
                });
            },
            "20 records",
            "20 records",
        ),
        (
            "missing",
            |disk, names, at| disk.root().remove(&names[at]).unwrap(),
            "refused: SegmentMissing",
            "refused: SegmentMissing",
        ),
        (
            "renamed",
            |disk, names, at| {
                disk.root()
                    .rename(&names[at], "00000000000000000777.log")
                    .unwrap()
            },
            "refused: Misnamed",
            "refused: Misnamed",
        ),
        (
            "doubled",
            |disk, names, at| {
                disk.write("00000000000000000777.log", &disk.read(&names[at]).unwrap())
            },
            "refused: Misnamed",
            "refused: Misnamed",
        ),
        (
            "swapped with the next one",
            |disk, names, at| {
                let (one, next) = (
                    disk.read(&names[at]).unwrap(),
                    disk.read(&names[at + 1]).unwrap(),
                );
                disk.write(&names[at], &next);
                disk.write(&names[at + 1], &one);
            },
            "refused: Misnamed",
            "refused: Misnamed",
        ),
        (
            "of another log",
            |disk, names, at| disk.write(&names[at], &other_log(names).read(&names[at]).unwrap()),
            "refused: Foreign",
            "refused: Foreign",
        ),
        (
            "with the records of the next one",
            |disk, names, at| {
                let next = disk.read(&names[at + 1]).unwrap();
                change(disk, &names[at], |bytes| {
                    bytes.truncate(12288);
                    bytes.extend(&next[12288..]);
                });
            },
            "UnexpectedId",
            "Block",
        ),
        (
            "with the records of another log",
            |disk, names, at| {
                let other = other_log(names).read(&names[at]).unwrap();
                change(disk, &names[at], |bytes| {
                    bytes.truncate(12288);
                    bytes.extend(&other[12288..]);
                });
            },
            "Chain",
            "Block",
        ),
        (
            "a body of an unknown kind",
            |disk, names, at| {
                change(disk, &names[at], |bytes| {
                    bytes[10] = 2;
                    let sum = crc32c::crc32c(&bytes[..60]);
                    bytes[60..64].copy_from_slice(&sum.to_le_bytes());
                });
            },
            "refused: 00000000000000000005.log needs version 2 of the segment body and this program has 1; use a newer program",
            "refused: 00000000000000000005.log needs version 2 of the segment body and this program has 1; use a newer program",
        ),
        (
            "a body of the other kind",
            |disk, names, at| {
                change(disk, &names[at], |bytes| {
                    bytes[10] ^= 1;
                    sum_up(bytes);
                });
            },
            "Block",
            "HeaderChecksum",
        ),
        (
            "a header with more than there is in one",
            |disk, names, at| {
                change(disk, &names[at], |bytes| {
                    bytes[14] = 1;
                    sum_up(bytes);
                });
            },
            "refused: Header",
            "refused: Header",
        ),
        (
            "a mark after which no more can be counted",
            |disk, names, at| {
                change(disk, &names[at], |bytes| {
                    bytes[4096 + 8..4096 + 16].copy_from_slice(&(1_u64 << 62).to_le_bytes());
                    sum_up(bytes);
                });
            },
            "refused: Header",
            "refused: Header",
        ),
    ];
    let mut wrong = Vec::new();
    for compressed in [false, true] {
        let disk = SimDisk::new(1);
        write_log(disk.root(), compressed).close().unwrap();
        let names = disk.files();
        for (harm, apply, plain, packed) in rows {
            let expected = if compressed { packed } else { plain };
            let harmed = disk.fork();
            apply(&harmed, &names, HARMED);
            let before = harmed.digest();
            let root = harmed.root();
            let found = verdict(&root).replace("./", "");
            if found != *expected {
                wrong.push(format!("{harm}, compressed {compressed}: {found}"));
            }
            if found.starts_with("refused") {
                assert_eq!(
                    harmed.digest(),
                    before,
                    "{harm}: a refused open changed something"
                );
            }
            // Salvage takes what is there, whatever it is.
            let destination = SimDisk::new(3);
            salvage(root.as_ref(), destination.root(), LOG_ID, small()).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What is under the name of a segment instead.
#[expect(clippy::disallowed_methods, reason = "the test harms the directory")]
fn instead(path: &Path, kind: &str) -> bool {
    let made = match kind {
        "a link to another segment" => symlink("00000000000000000000.log", path),
        "a link to nothing" => symlink("nowhere", path),
        "a link to itself" => symlink(path.file_name().unwrap(), path),
        "a link to an endless file" => symlink("/dev/zero", path),
        "a directory" => {
            return Command::new("mkdir")
                .arg(path)
                .status()
                .is_ok_and(|status| status.success());
        }
        "a pipe" => {
            return Command::new("mkfifo")
                .arg(path)
                .status()
                .is_ok_and(|status| status.success());
        }
        other => panic!("{other}"),
    };
    made.is_ok()
}

const KINDS: [&str; 6] = [
    "a link to another segment",
    "a link to nothing",
    "a link to itself",
    "a link to an endless file",
    "a directory",
    "a pipe",
];

#[test]
fn a_name_of_a_segment_that_is_no_file() {
    for compressed in [false, true] {
        for kind in KINDS {
            // The first, one in the middle, the newest, and one behind it.
            for place in [0, HARMED, usize::MAX, usize::MAX - 1] {
                let (temporary, dir) = temporary();
                write_log(Arc::clone(&dir), compressed).close().unwrap();
                let names: Vec<String> = dir
                    .list()
                    .unwrap()
                    .into_iter()
                    .map(|entry| entry.name)
                    .collect();
                let name = match place {
                    usize::MAX => "00000000000000000777.log",
                    place => &names[place.min(names.len() - 1)],
                };
                if names.iter().any(|known| known == name) {
                    dir.remove(name).unwrap();
                }
                if !instead(&temporary.path().join(name), kind) {
                    println!("skipped: {kind} can not be made here");
                    continue;
                }
                let row = format!("{kind} as {name}, compressed {compressed}");
                assert_eq!(verdict(&dir), "refused: NotAFile", "{row}");
                assert!(Log::inspect(dir.as_ref()).is_err(), "{row}");
                let created = Log::create(Arc::clone(&dir), LOG_ID, small(), &[]);
                assert!(matches!(created, Err(Error::AlreadyExists { .. })), "{row}");
                let destination = SimDisk::new(3);
                let report = salvage(dir.as_ref(), destination.root(), LOG_ID, small()).unwrap();
                let skipped = report.skipped.iter().any(|skipped| *skipped.file == *name);
                assert!(skipped, "{row}: {report:?}");
            }
        }
    }
}

#[test]
fn a_temporary_name_that_is_no_file_is_left_alone() {
    for kind in KINDS {
        let (temporary, dir) = temporary();
        write_log(Arc::clone(&dir), false).close().unwrap();
        let name = "00000000000000000777.log.tmp";
        if instead(&temporary.path().join(name), kind) {
            let (log, report) = Log::open(Arc::clone(&dir), small(), &[]).unwrap();
            assert_eq!(report.temporaries_removed, 0, "{kind}");
            assert_eq!(read_all(&log), expected(0, END));
            let kept = dir
                .list()
                .unwrap()
                .into_iter()
                .any(|entry| entry.name == name);
            assert!(kept, "{kind}");
        }
    }
}

/// What has the temporary name of the next segment can not be removed: nothing that counts has happened, and the log goes on where it is.
#[test]
fn a_directory_in_the_way_of_the_next_segment_refuses_it() {
    let (temporary, dir) = temporary();
    let first = [(&b"genesis"[..], Some(7))];
    let log = Log::create(Arc::clone(&dir), LOG_ID, Options::default(), &first).unwrap();
    let name = "00000000000000000001.log.tmp";
    if !instead(&temporary.path().join(name), "a directory") {
        return;
    }
    assert!(matches!(log.rotate(), Err(Error::Io(_))));
    fill(&log, 2);
    log.rotate().unwrap();
    fill(&log, 3);
    log.close().unwrap();
    let (log, _) = Log::open(dir, small(), &[]).unwrap();
    assert_eq!(read_all(&log), expected(0, 3));
}

/// Somebody puts something else under the names of a log that is open: every call ends, with an error or without.
#[test]
fn what_happens_to_the_files_of_an_open_log_hangs_nobody() {
    for kind in KINDS {
        for compressed in [false, true] {
            let (temporary, dir) = temporary();
            let log = write_log(Arc::clone(&dir), compressed);
            let names: Vec<String> = dir
                .list()
                .unwrap()
                .into_iter()
                .map(|entry| entry.name)
                .collect();
            let name = &names[HARMED];
            let base: u64 = name[..20].parse().unwrap();
            dir.remove(name).unwrap();
            if !instead(&temporary.path().join(name), kind) {
                continue;
            }
            let not_a_file = |error: Error| {
                assert!(
                    matches!(error, Error::Io(disk::Error::NotAFile { .. })),
                    "{kind}: {error}"
                );
            };
            not_a_file(
                log.reader(TxId(base))
                    .unwrap()
                    .next_record()
                    .map(drop)
                    .unwrap_err(),
            );
            if !compressed {
                log.compress_sealed().unwrap();
                log.compress_sealed().unwrap();
                not_a_file(log.compress_sealed().unwrap_err());
            }
            not_a_file(log.truncate_after(TxId(base - 1)).unwrap_err());
            not_a_file(log.prune_to_bytes(0, TxId(END)).unwrap_err());
            fill(&log, END + 3);
            let mut reader = log.reader(TxId(END)).unwrap();
            assert_eq!(reader.next_owned().unwrap().unwrap().id, TxId(END));
            log.close().unwrap();
        }
    }
}

/// As long as the file system allows, and empty behind the end.
#[test]
fn an_enormous_sealed_segment_is_read_no_further_than_its_records() {
    for compressed in [false, true] {
        let (_temporary, dir) = temporary();
        write_log(Arc::clone(&dir), compressed).close().unwrap();
        let name = dir.list().unwrap()[HARMED].name.clone();
        let file = dir.open(&name, Access::ReadWrite).unwrap();
        file.set_len(1 << 42).unwrap();
        assert_eq!(verdict(&dir), "20 records");
        let destination = SimDisk::new(3);
        let report = salvage(dir.as_ref(), destination.root(), LOG_ID, Options::default()).unwrap();
        assert_eq!(report.records, END);
        assert_eq!(report.skipped, []);
    }
}
