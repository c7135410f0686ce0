//! Files of a small database are cut, deleted, swapped, duplicated, zeroed and replaced by those of another database; opening it
//! must come to the verdict that the rules of recovery give. The verdicts are the tables below.
#![allow(clippy::unwrap_used)]

use cairn::Options;
use cairn_tests::{
    Effort, Harm, LogFile, Row, Sample, Seen, Shape, foreign_sample, same, verdict_with,
};
use disk::SimDisk;

/// The row says where the cut falls. Only the last record of a log that was not closed may go, and nothing is said if it is gone
/// without a trace. Reserved space is not missed.
#[rustfmt::skip]
const LENGTHS_LOG_ONLY: &[Row<'_>] = &[
    same("identity", "refused: damaged identity"),
    same("lock", "all from the log"),
    same("newest segment: Frame", "refused: damaged 00000000000000000011.log"),
    ("newest segment: LastFrame", ["refused: damaged 00000000000000000011.log", "all but the last from the log | all but the last from the log, tail cut", "all but the last from the log | all but the last from the log, tail cut"]),
    ("newest segment: Reserved", ["", "all from the log", "all from the log"]),
    same("newest segment: blocks", "refused: damaged 00000000000000000011.log"),
    same("oldest segment: Frame", "refused: damaged 00000000000000000000.log"),
    same("oldest segment: LastFrame", "refused: damaged 00000000000000000000.log"),
    same("oldest segment: blocks", "refused: damaged 00000000000000000000.log"),
];
/// As above; what lies before the newer snapshot is not read, but for the blocks in front of each segment.
#[rustfmt::skip]
const LENGTHS_WITH_SNAPSHOTS: &[Row<'_>] = &[
    same("identity", "refused: damaged identity"),
    same("lock", "all from the newer snapshot"),
    same("middle segment: Frame", "all from the newer snapshot"),
    same("middle segment: LastFrame", "all from the newer snapshot"),
    same("middle segment: blocks", "refused: damaged 00000000000000000005.log"),
    same("newer snapshot", "all from the older snapshot, newer rejected"),
    same("newest segment: Frame", "refused: damaged 00000000000000000009.log"),
    ("newest segment: LastFrame", ["refused: damaged 00000000000000000009.log", "all but the last from the newer snapshot | all but the last from the newer snapshot, tail cut", "all but the last from the newer snapshot | all but the last from the newer snapshot, tail cut"]),
    ("newest segment: Reserved", ["", "all from the newer snapshot", "all from the newer snapshot"]),
    same("newest segment: blocks", "refused: damaged 00000000000000000009.log"),
    same("older snapshot", "all from the newer snapshot, older rejected"),
    same("oldest segment: Frame", "all from the newer snapshot"),
    same("oldest segment: LastFrame", "all from the newer snapshot"),
    same("oldest segment: blocks", "refused: damaged 00000000000000000000.log"),
];

/// Where the manifest stands in a snapshot.
fn body_at(snapshot: &[u8]) -> u64 {
    u64::from_le_bytes(snapshot[56..64].try_into().unwrap())
}

fn every_length(shape: Shape, seen: &mut Seen) {
    for harm in Harm::each(shape) {
        for (name, path) in harm.files() {
            let bytes = harm.sample.read(&path);
            let length = bytes.len() as u64;
            let file = path.ends_with(".log").then(|| LogFile::new(&bytes));
            for cut in 0..length {
                let (row, stride) = match &file {
                    None if path.ends_with(".pack") => {
                        let is_tried_whole = cut < 512 || cut >= body_at(&bytes);
                        (name.clone(), if is_tried_whole { 7 } else { 20_011 })
                    }
                    None => (name.clone(), 1),
                    Some(file) if cut < file.frames[0] => (format!("{name}: blocks"), 1),
                    Some(file) => (format!("{name}: {:?}", file.region(cut)), 1),
                };
                if !cut.is_multiple_of(stride) {
                    continue;
                }
                let effort = if cut.is_multiple_of(61) {
                    Effort::Thorough
                } else {
                    Effort::Quick
                };
                harm.note(seen, &row, effort, &format!("cut to {cut} bytes"), |disk| {
                    disk.truncate(&path, cut);
                });
            }
        }
    }
}

#[test]
fn every_length_of_the_log_and_the_identity() {
    let mut seen = Seen::default();
    every_length(Shape::LogOnly, &mut seen);
    println!("{} lengths", seen.count());
    seen.check(LENGTHS_LOG_ONLY);
}

#[test]
fn every_length_beside_snapshots() {
    let mut seen = Seen::default();
    every_length(Shape::WithSnapshots, &mut seen);
    println!("{} lengths", seen.count());
    seen.check(LENGTHS_WITH_SNAPSHOTS);
}

/// A missing identity is written again, a damaged one is not. The lock file is nothing but a place to lock. Where a row has two
/// verdicts, only zeros were zeroed, or records too.
#[rustfmt::skip]
const FILES_LOG_ONLY: &[Row<'_>] = &[
    same("identity and lock swapped", "refused: damaged identity"),
    same("identity and newest segment swapped", "refused: damaged identity"),
    same("identity and oldest segment swapped", "refused: damaged identity"),
    same("identity deleted", "all from the log, identity rewritten"),
    same("identity overwritten by another file", "refused: damaged identity"),
    same("identity with zeros behind", "refused: damaged identity"),
    same("identity zeroed at the end", "refused: damaged identity"),
    same("lock and newest segment swapped", "refused: damaged 00000000000000000011.log"),
    same("lock and oldest segment swapped", "refused: damaged 00000000000000000000.log"),
    same("lock deleted", "all from the log"),
    same("lock overwritten by another file", "all from the log"),
    same("lock with zeros behind", "all from the log"),
    same("lock zeroed at the end", "all from the log"),
    same("newest segment deleted", "refused: damaged 00000000000000000000.log"),
    same("newest segment overwritten by another file", "refused: damaged 00000000000000000011.log"),
    same("newest segment with zeros behind", "all from the log"),
    same("newest segment zeroed at the end", "all from the log | refused: damaged 00000000000000000011.log"),
    same("oldest segment and newest segment swapped", "refused: damaged 00000000000000000000.log"),
    same("oldest segment deleted", "refused: damaged 00000000000000000000.log"),
    same("oldest segment overwritten by another file", "refused: damaged 00000000000000000000.log"),
    same("oldest segment with zeros behind", "all from the log"),
    same("oldest segment zeroed at the end", "all from the log | refused: damaged 00000000000000000000.log"),
];
/// Where a row has two verdicts, some of the bytes changed were zero before, or the older snapshot, which is not read, got a file of
/// the right length. A deleted snapshot is not missed. A deleted first segment is, and all that it held is in the snapshot. One that is lost in
/// between is damage, also where a snapshot holds all that it held.
#[rustfmt::skip]
const FILES_WITH_SNAPSHOTS: &[Row<'_>] = &[
    same("identity and lock swapped", "refused: damaged identity"),
    same("identity and middle segment swapped", "refused: damaged identity"),
    same("identity and newer snapshot swapped", "refused: damaged identity"),
    same("identity and newest segment swapped", "refused: damaged identity"),
    same("identity and older snapshot swapped", "refused: damaged identity"),
    same("identity and oldest segment swapped", "refused: damaged identity"),
    same("identity deleted", "all from the newer snapshot, identity rewritten"),
    same("identity overwritten by another file", "refused: damaged identity"),
    same("identity with zeros behind", "refused: damaged identity"),
    same("identity zeroed at the end", "refused: damaged identity"),
    same("lock and middle segment swapped", "refused: damaged 00000000000000000005.log"),
    same("lock and newer snapshot swapped", "all from the older snapshot, newer rejected"),
    same("lock and newest segment swapped", "refused: damaged 00000000000000000009.log"),
    same("lock and older snapshot swapped", "all from the newer snapshot, older rejected"),
    same("lock and oldest segment swapped", "refused: damaged 00000000000000000000.log"),
    same("lock deleted", "all from the newer snapshot"),
    same("lock overwritten by another file", "all from the newer snapshot"),
    same("lock with zeros behind", "all from the newer snapshot"),
    same("lock zeroed at the end", "all from the newer snapshot"),
    same("middle segment and newer snapshot swapped", "refused: damaged 00000000000000000005.log"),
    same("middle segment and newest segment swapped", "refused: damaged 00000000000000000005.log"),
    same("middle segment and older snapshot swapped", "refused: damaged 00000000000000000005.log"),
    same("middle segment deleted", "refused: damaged 00000000000000000000.log"),
    same("middle segment overwritten by another file", "refused: damaged 00000000000000000005.log"),
    same("middle segment with zeros behind", "all from the newer snapshot"),
    same("middle segment zeroed at the end", "all from the newer snapshot"),
    same("newer snapshot deleted", "all from the older snapshot"),
    same("newer snapshot overwritten by another file", "all from the older snapshot, newer rejected"),
    same("newer snapshot with zeros behind", "all from the older snapshot, newer rejected"),
    same("newer snapshot zeroed at the end", "all from the newer snapshot | all from the older snapshot, newer rejected"),
    same("newest segment and newer snapshot swapped", "refused: damaged 00000000000000000009.log"),
    same("newest segment and older snapshot swapped", "refused: damaged 00000000000000000009.log"),
    same("newest segment deleted", "refused: damaged 00000000000000000005.log"),
    same("newest segment overwritten by another file", "refused: damaged 00000000000000000009.log"),
    same("newest segment with zeros behind", "all from the newer snapshot"),
    same("newest segment zeroed at the end", "all from the newer snapshot | refused: damaged 00000000000000000009.log"),
    same("older snapshot and newer snapshot swapped", "all from the log, newer rejected, older rejected"),
    same("older snapshot deleted", "all from the newer snapshot"),
    same("older snapshot overwritten by another file", "all from the newer snapshot, older rejected"),
    same("older snapshot with zeros behind", "all from the newer snapshot, older rejected"),
    same("older snapshot zeroed at the end", "all from the newer snapshot | all from the newer snapshot, older rejected"),
    same("oldest segment and middle segment swapped", "refused: damaged 00000000000000000000.log"),
    same("oldest segment and newer snapshot swapped", "refused: damaged 00000000000000000000.log"),
    same("oldest segment and newest segment swapped", "refused: damaged 00000000000000000000.log"),
    same("oldest segment and older snapshot swapped", "refused: damaged 00000000000000000000.log"),
    same("oldest segment deleted", "all from the newer snapshot, segments lost"),
    same("oldest segment overwritten by another file", "refused: damaged 00000000000000000000.log"),
    same("oldest segment with zeros behind", "all from the newer snapshot"),
    same("oldest segment zeroed at the end", "all from the newer snapshot"),
];

fn whole_files(shape: Shape, seen: &mut Seen) {
    for harm in Harm::each(shape) {
        let files = harm.files();
        for (name, path) in &files {
            let bytes = harm.sample.read(path);
            harm.note(
                seen,
                &format!("{name} deleted"),
                Effort::Thorough,
                "",
                |disk| disk.delete(path),
            );
            for count in [1, 8, 64, 512, 4096] {
                let context = format!("{count} bytes");
                let row = format!("{name} zeroed at the end");
                let from = bytes.len().saturating_sub(count);
                harm.note(seen, &row, Effort::Thorough, &context, |disk| {
                    let mut bytes = bytes.clone();
                    bytes[from..].fill(0);
                    disk.write(path, &bytes);
                });
                let row = format!("{name} with zeros behind");
                harm.note(seen, &row, Effort::Thorough, &context, |disk| {
                    disk.truncate(path, (bytes.len() + count) as u64);
                });
            }
            for (other_name, other) in files.iter().filter(|(_, other)| other != path) {
                let row = format!("{name} overwritten by another file");
                harm.note(seen, &row, Effort::Thorough, other_name, |disk| {
                    disk.duplicate(other, path)
                });
                if other > path {
                    let row = format!("{name} and {other_name} swapped");
                    harm.note(seen, &row, Effort::Thorough, "", |disk| {
                        disk.swap(path, other)
                    });
                }
            }
        }
    }
}

#[test]
fn each_file_deleted_swapped_duplicated_and_zeroed_at_the_end() {
    let mut seen = Seen::default();
    whole_files(Shape::LogOnly, &mut seen);
    seen.check(FILES_LOG_ONLY);
}

#[test]
fn each_file_beside_snapshots_deleted_swapped_duplicated_and_zeroed_at_the_end() {
    let mut seen = Seen::default();
    whole_files(Shape::WithSnapshots, &mut seen);
    println!("{} disks", seen.count());
    seen.check(FILES_WITH_SNAPSHOTS);
}

/// A segment too many is damage. Snapshots of another database prove nothing. Of two foreign segments in one log the later one is named.
#[rustfmt::skip]
const STRANGE_FILES: &[Row<'_>] = &[
    same("foreign identity", "refused: foreign log"),
    same("foreign log", "refused: foreign log"),
    same("foreign middle segment", "refused: damaged 00000000000000000005.log"),
    same("foreign newest segment", "refused: damaged 00000000000000000009.log"),
    same("foreign oldest segment", "refused: damaged 00000000000000000005.log"),
    same("foreign snapshots", "all from the log, newer rejected, older rejected"),
    same("identity also as identity.tmp", "all from the newer snapshot"),
    same("identity also as notes.txt", "all from the newer snapshot"),
    same("newer snapshot also as snapshots/00000000000000000008-0000000000000001.pack", "all from the newer snapshot, newer rejected"),
    same("newer snapshot also as snapshots/00000000000000000099-0000000000000001.pack", "all from the newer snapshot, 99th rejected"),
    same("newer snapshot also as snapshots/00000000000000000099-0000000000000001.pack.tmp", "all from the newer snapshot"),
    same("newest segment also as log/00000000000000000010.log", "refused: damaged 00000000000000000010.log"),
    same("newest segment also as log/00000000000000000013.log", "refused: damaged 00000000000000000013.log"),
    same("newest segment also as log/00000000000000000013.log.tmp", "all from the newer snapshot"),
];

/// Copies under further names, and files of another database.
#[test]
fn files_that_do_not_belong() {
    let foreign = foreign_sample();
    let mut seen = Seen::default();
    for harm in Harm::each(Shape::WithSnapshots) {
        let files = harm.files();
        let path_of = |name: &str| &files.iter().find(|(known, _)| known == name).unwrap().1;
        let copies = [
            ("newest segment", "log/00000000000000000013.log"),
            ("newest segment", "log/00000000000000000010.log"),
            ("newest segment", "log/00000000000000000013.log.tmp"),
            (
                "newer snapshot",
                "snapshots/00000000000000000008-0000000000000001.pack",
            ),
            (
                "newer snapshot",
                "snapshots/00000000000000000099-0000000000000001.pack",
            ),
            (
                "newer snapshot",
                "snapshots/00000000000000000099-0000000000000001.pack.tmp",
            ),
            ("identity", "identity.tmp"),
            ("identity", "notes.txt"),
        ];
        for (name, copy) in copies {
            let row = format!("{name} also as {copy}");
            harm.note(&mut seen, &row, Effort::Thorough, "", |disk| {
                disk.duplicate(path_of(name), copy);
            });
        }
        let transplant = |disk: &SimDisk, suffix: &str| {
            for path in disk
                .files()
                .into_iter()
                .filter(|path| path.ends_with(suffix))
            {
                disk.delete(&path);
            }
            for path in foreign
                .disk
                .files()
                .into_iter()
                .filter(|path| path.ends_with(suffix))
            {
                disk.write(&path, &foreign.read(&path));
            }
        };
        for (name, path) in files.iter().filter(|(name, _)| name.ends_with("segment")) {
            harm.note(
                &mut seen,
                &format!("foreign {name}"),
                Effort::Thorough,
                "",
                |disk| {
                    disk.write(path, &foreign.read(path));
                },
            );
        }
        harm.note(&mut seen, "foreign log", Effort::Thorough, "", |disk| {
            transplant(disk, ".log")
        });
        harm.note(
            &mut seen,
            "foreign identity",
            Effort::Thorough,
            "",
            |disk| {
                disk.write("identity", &foreign.read("identity"));
            },
        );
        harm.note(
            &mut seen,
            "foreign snapshots",
            Effort::Thorough,
            "",
            |disk| {
                transplant(disk, ".pack");
            },
        );
    }
    seen.check(STRANGE_FILES);
}

/// The opt-in gives up transactions 9 to 12, and only where the log can not be used. The older snapshot has no log to go on with then.
#[rustfmt::skip]
const RESTORES: &[Row<'_>] = &[
    same("log and identity lost", "refused: log lost, restorable"),
    same("log and identity lost, restored", "only through 8 restored from the newer snapshot, identity rewritten, older rejected"),
    same("log lost", "refused: log lost, restorable"),
    same("log lost, restored", "only through 8 restored from the newer snapshot, older rejected"),
    same("middle segment lost", "refused: damaged 00000000000000000000.log"),
    same("middle segment lost, restored", "only through 8 restored from the newer snapshot, older rejected"),
    same("newest segment lost", "refused: damaged 00000000000000000005.log"),
    same("newest segment lost, restored", "only through 8 restored from the newer snapshot, older rejected"),
    same("oldest segment lost", "all from the newer snapshot, segments lost"),
    same("oldest segment lost, restored", "all from the newer snapshot, segments lost"),
];

/// What is lost is named; only when asked, the newest snapshot takes the place of the log.
#[test]
fn a_lost_log_is_restored_from_a_snapshot_only_when_asked() {
    let restoring = Options {
        restore_from_snapshots: true,
        ..Sample::options()
    };
    let mut seen = Seen::default();
    for harm in Harm::each(Shape::WithSnapshots) {
        let segments = harm.sample.segments();
        let lost: [(&str, Vec<&str>); 5] = [
            ("log", segments.iter().map(String::as_str).collect()),
            (
                "log and identity",
                segments
                    .iter()
                    .map(String::as_str)
                    .chain(["identity"])
                    .collect(),
            ),
            ("newest segment", vec![&segments[2]]),
            ("middle segment", vec![&segments[1]]),
            ("oldest segment", vec![&segments[0]]),
        ];
        for (name, paths) in lost {
            for (way, options) in [("", Sample::options()), (", restored", restoring.clone())] {
                let disk = harm.sample.disk.fork();
                for path in &paths {
                    disk.delete(path);
                }
                let row = format!("{name} lost{way}");
                let context = format!("{row}, {:?}", harm.sample.end);
                let verdict =
                    verdict_with(&harm.sample, &disk, options, Effort::Thorough, &context);
                seen.note(&row, harm.column, verdict, &context);
            }
        }
    }
    seen.check(RESTORES);
}

#[rustfmt::skip]
const LONG_FRAMES: &[Row<'_>] = &[
    same("a proved record", "refused: damaged 00000000000000000011.log"),
    same("behind the last record", "all from the log, tail cut"),
    ("the last record", ["refused: damaged 00000000000000000011.log", "all but the last from the log, tail cut", "all but the last from the log, tail cut"]),
];

/// A length is not believed because its checksum is good.
#[test]
fn a_frame_that_claims_four_gigabytes() {
    for shape in [Shape::LogOnly] {
        let mut seen = Seen::default();
        for harm in Harm::each(shape) {
            let path = harm.sample.segments().pop().unwrap();
            let bytes = harm.sample.read(&path);
            let file = LogFile::new(&bytes);
            let last = *file.frames.last().unwrap();
            let places = [
                ("a proved record", file.frames[0]),
                ("the last record", last),
                ("behind the last record", file.end),
            ];
            for (name, at) in places {
                for length in [u32::MAX, 1 << 31, 1 << 30, (1 << 30) - 1, 1 << 20] {
                    let header = LogFile::frame_header(&bytes, last, length);
                    harm.note(
                        &mut seen,
                        name,
                        Effort::Thorough,
                        &format!("{length} bytes"),
                        |disk| {
                            let mut bytes = bytes.clone();
                            let at = usize::try_from(at).unwrap();
                            bytes.resize(bytes.len().max(at + header.len()), 0);
                            bytes[at..at + header.len()].copy_from_slice(&header);
                            disk.write(&path, &bytes);
                        },
                    );
                }
            }
        }
        seen.check(LONG_FRAMES);
    }
}
