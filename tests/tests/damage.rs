//! Every bit of a small database is flipped, and opening it must come to the verdict that the rules of recovery give.
//!
//! The verdicts are the tables below. What no table can say is checked for each flip: no panic, no state that there never was.
//! All bits that anything reads are tried; of the others, and of the blobs of snapshots, one in a number, another one for each seed:
//! `CAIRN_SEEDS=N` tries N of them.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use bootstrap::Error;
use cairn::ReadOptions;
use cairn_tests::{
    Effort, End, LogFile, Region, Row, Sample, Seed, Seen, Shape, read_only, same, seeds, verdict,
};
use table::{PAGE_BYTES, Page, PageBuf, PageBytes};

const ENDS: [End; 3] = [End::Closed, End::Killed, End::PowerCut];

/// The last frame was acknowledged before a close, is not acknowledged before the kill, and lacks its mark after the power cut.
/// Marks only prove: without one of them all frames are still there, and sound.
#[rustfmt::skip]
const LOG_ONLY: &[Row<'_>] = &[
    same("identity", "refused: damaged identity"),
    same("oldest segment: Header", "refused: damaged 00000000000000000000.log"),
    same("oldest segment: Unread", "all from the log"),
    same("oldest segment: Mark", "all from the log"),
    same("oldest segment: Frame", "refused: damaged 00000000000000000000.log"),
    same("oldest segment: LastFrame", "refused: damaged 00000000000000000000.log"),
    same("newest segment: Header", "refused: damaged 00000000000000000011.log"),
    same("newest segment: Unread", "all from the log"),
    same("newest segment: Mark", "all from the log"),
    same("newest segment: Frame", "refused: damaged 00000000000000000011.log"),
    ("newest segment: LastFrame", ["refused: damaged 00000000000000000011.log", "all but the last from the log, tail cut", "all but the last from the log, tail cut"]),
    ("newest segment: Reserved", ["", "all from the log, tail cut", "all from the log, tail cut"]),
];

/// What lies before the newer snapshot is not read when it is opened; a replay from the log alone reads it, and that is checked
/// below. Headers are always read.
#[rustfmt::skip]
const WITH_SNAPSHOTS: &[Row<'_>] = &[
    same("oldest segment: Header", "refused: damaged 00000000000000000000.log"),
    same("oldest segment: Unread", "all from the newer snapshot"),
    same("oldest segment: Mark", "all from the newer snapshot"),
    same("oldest segment: Frame", "all from the newer snapshot"),
    same("oldest segment: LastFrame", "all from the newer snapshot"),
    same("middle segment: Header", "refused: damaged 00000000000000000005.log"),
    same("middle segment: Unread", "all from the newer snapshot"),
    same("middle segment: Mark", "all from the newer snapshot"),
    same("middle segment: Frame", "all from the newer snapshot"),
    same("middle segment: LastFrame", "all from the newer snapshot"),
    same("newest segment: Header", "refused: damaged 00000000000000000009.log"),
    same("newest segment: Unread", "all from the newer snapshot"),
    same("newest segment: Mark", "all from the newer snapshot"),
    same("newest segment: Frame", "refused: damaged 00000000000000000009.log"),
    ("newest segment: LastFrame", ["refused: damaged 00000000000000000009.log", "all but the last from the newer snapshot, tail cut", "all but the last from the newer snapshot, tail cut"]),
    ("newest segment: Reserved", ["", "all from the newer snapshot, tail cut", "all from the newer snapshot, tail cut"]),
];

/// One in how many bits of a part is tried for each seed. Sealed segments are the same at each end of a life. Where there is no
/// snapshot to load, an open costs less: all reserved space is flipped there once, and a bit in most bytes that nothing reads.
fn stride(shape: Shape, region: Region, end: End, is_newest: bool) -> u64 {
    match region {
        Region::Unread if shape == Shape::LogOnly && end == End::Closed => 9,
        Region::Unread => 1009,
        Region::Reserved if shape == Shape::LogOnly && end == End::Killed => 1,
        Region::Reserved => 127,
        Region::Header => 1,
        _ if is_newest || end == End::Closed => 1,
        _ => 17,
    }
}

fn name_of(sample: &Sample, segment: usize) -> &'static str {
    match (segment, sample.segments().len() - 1 - segment) {
        (0, _) => "oldest segment",
        (_, 0) => "newest segment",
        _ => "middle segment",
    }
}

fn flip_log(shape: Shape, seed: &Seed, seen: &mut Seen) {
    for (column, end) in ENDS.into_iter().enumerate() {
        let sample = Sample::new(shape, end);
        for (number, path) in sample.segments().iter().enumerate() {
            let file = LogFile::new(&sample.read(path));
            for bit in 0..file.bytes * 8 {
                let region = file.region(bit / 8);
                let name = name_of(&sample, number);
                let stride = stride(shape, region, end, name == "newest segment");
                if bit % stride != seed.value % stride {
                    continue;
                }
                let row = format!("{name}: {region:?}");
                flip(&sample, path, bit, &row, column, seen);
            }
        }
    }
}

fn flip(sample: &Sample, path: &str, bit: u64, row: &str, column: usize, seen: &mut Seen) {
    let disk = sample.disk.fork();
    disk.flip_bit(path, bit / 8, u32::try_from(bit % 8).unwrap());
    let context = format!("{:?}, {:?}, {path}, bit {bit}", sample.shape, sample.end);
    let effort = if bit.is_multiple_of(61) {
        Effort::Thorough
    } else {
        Effort::Quick
    };
    let verdict = verdict(sample, &disk, effort, &context);
    seen.note(row, column, verdict, &context);
}

#[test]
fn every_bit_of_the_log_and_the_identity() {
    for seed in seeds("damage", 1) {
        let mut seen = Seen::default();
        flip_log(Shape::LogOnly, &seed, &mut seen);
        for (column, end) in ENDS.into_iter().enumerate() {
            let sample = Sample::new(Shape::LogOnly, end);
            for bit in 0..sample.read("identity").len() as u64 * 8 {
                flip(&sample, "identity", bit, "identity", column, &mut seen);
            }
        }
        println!("{} bits", seen.count());
        seen.check(LOG_ONLY);
    }
}

#[test]
fn every_bit_of_the_log_beside_snapshots() {
    for seed in seeds("damage", 1) {
        let mut seen = Seen::default();
        flip_log(Shape::WithSnapshots, &seed, &mut seen);
        println!("{} bits", seen.count());
        seen.check(WITH_SNAPSHOTS);
    }
}

/// The older snapshot is read only if the newer one is no good, but for its header and its manifest. What stands between the header and the
/// first blob is never read.
#[rustfmt::skip]
const SNAPSHOTS: &[Row<'_>] = &[
    same("older snapshot: header", "all from the newer snapshot, older rejected"),
    same("older snapshot: behind the header", "all from the newer snapshot"),
    same("older snapshot: blobs", "all from the newer snapshot"),
    same("older snapshot: manifest", "all from the newer snapshot, older rejected"),
    same("newer snapshot: header", "all from the older snapshot, newer rejected"),
    same("newer snapshot: behind the header", "all from the newer snapshot"),
    same("newer snapshot: blobs", "all from the older snapshot, newer rejected"),
    same("newer snapshot: manifest", "all from the older snapshot, newer rejected"),
];

/// One in how many bytes of the blobs is tried for each seed.
const BLOBS_STRIDE: u64 = 4001;

/// `damage_packs.rs` tries every byte of a snapshot that stands alone; here there is another one beside it.
#[test]
fn every_bit_of_manifests_and_some_bytes_of_blobs() {
    for seed in seeds("damage", 1) {
        let mut seen = Seen::default();
        for (column, end) in ENDS.into_iter().enumerate() {
            let sample = Sample::new(Shape::WithSnapshots, end);
            let files = sample.disk.files().into_iter();
            let files: Vec<String> = files
                .filter(|path| path.starts_with("snapshots/"))
                .collect();
            assert_eq!(files.len(), 2);
            for (path, age) in files.iter().zip(["older", "newer"]) {
                let bytes = sample.read(path);
                let body_at = u64::from_le_bytes(bytes[56..64].try_into().unwrap());
                let mut flip = |bit, part: &str| {
                    let row = format!("{age} snapshot: {part}");
                    flip(&sample, path, bit, &row, column, &mut seen);
                };
                for byte in 0..bytes.len() as u64 {
                    let (part, stride) = match byte {
                        0..512 => ("header", 1),
                        512..4096 => ("behind the header", 509),
                        _ if byte < body_at => ("blobs", BLOBS_STRIDE),
                        _ => ("manifest", 1),
                    };
                    let is_used = matches!(byte, 0..96 | 504..512) || byte >= body_at;
                    if is_used {
                        (0..8).for_each(|bit| flip(byte * 8 + bit, part));
                    } else if byte % stride == (seed.value + 100 * column as u64) % stride {
                        flip(byte * 8 + (byte + seed.value) % 8, part);
                    }
                }
            }
        }
        println!("{} bits", seen.count());
        seen.check(SNAPSHOTS);
    }
}

/// What a snapshot hides is not lost to the eye: from the log alone, each flip in a record is found and named.
#[test]
fn every_flip_before_a_snapshot_is_found_by_a_replay_from_the_log_alone() {
    let sample = Sample::new(Shape::WithSnapshots, End::Closed);
    let options = ReadOptions {
        ignore_snapshots: true,
        ..ReadOptions::default()
    };
    for seed in seeds("damage", 1) {
        for path in sample.segments() {
            let file = LogFile::new(&sample.read(&path));
            for bit in (file.frames[0] * 8 + seed.value % 7..file.end * 8).step_by(7) {
                let disk = sample.disk.fork();
                disk.flip_bit(&path, bit / 8, u32::try_from(bit % 8).unwrap());
                let error = read_only(disk.root(), &options).expect_err("a flip was not found");
                let Error::Log(commitlog::Error::Damaged { file, .. }) = &error else {
                    panic!("{path}, bit {bit}: {error:?}");
                };
                assert!(file.ends_with(&path), "{path}, bit {bit}: {error:?}");
            }
        }
    }
}

struct MappedPage(Box<PageBuf>);

impl PageBytes for MappedPage {
    fn page_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Every bit of a page that is full of rows.
#[test]
fn every_bit_of_a_page_is_covered_by_its_checksum() {
    let sample = Sample::new(Shape::LogOnly, End::Closed);
    let database = cairn_tests::open(&sample.disk, Sample::options());
    let view = database.view();
    let pages = view.inner().state().store().pages().iter();
    let (_, page) = pages
        .max_by_key(|(_, page)| {
            let bytes = page.bytes().unwrap().as_bytes();
            bytes.iter().filter(|byte| **byte != 0).count()
        })
        .unwrap();
    let sound = page.bytes().unwrap();
    let checksum = sound.checksum();
    assert!(
        Page::borrowed(
            Arc::new(MappedPage(PageBuf::copied_from(sound.as_bytes()))),
            checksum
        )
        .bytes()
        .is_ok()
    );
    let mut bytes = PageBuf::copied_from(sound.as_bytes());
    for bit in 0..PAGE_BYTES * 8 {
        bytes.as_bytes_mut()[bit / 8] ^= 1 << (bit % 8);
        let copy = PageBuf::copied_from(bytes.as_bytes());
        let page = Page::borrowed(Arc::new(MappedPage(copy)), checksum);
        assert!(page.bytes().is_err(), "bit {bit}");
        bytes.as_bytes_mut()[bit / 8] ^= 1 << (bit % 8);
    }
}
