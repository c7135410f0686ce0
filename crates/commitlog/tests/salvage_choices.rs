//! What salvage keeps of pieces that claim the same ids, or whose neighbours do not fit them, made by hand.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::single_range_in_vec_init
)]

#[path = "support/hooked_dir.rs"]
mod hooked_dir;
#[path = "support/logs.rs"]
mod logs;
#[path = "support/salvaged.rs"]
mod salvaged;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use commitlog::{Chain, Options, SalvageReport, TxId, salvage};
use disk::SimDisk;
use hooked_dir::{HookedDir, Hooks};
use logs::log_of;
use salvaged::{NEW_ID, frame_header, ids, salvaged};

const FIRST: &str = "00000000000000000000.log";
const SECOND: &str = "00000000000000000001.log";
const FRAMES: usize = 12288;

fn frame(id: u64, chain: Chain, payload: &[u8]) -> Vec<u8> {
    let mut frame = frame_header(payload.len(), id, chain.0).to_vec();
    frame.extend(payload);
    frame.resize(frame.len().next_multiple_of(8), 0);
    frame
}

/// Frames from an id on that continue a chain, each behind the other.
fn frames(chain: u64, first: u64, payloads: &[&str]) -> Vec<Vec<u8>> {
    let mut chain = Chain(chain);
    let frame = |(id, payload): (u64, &&str)| {
        chain = chain.after(TxId(id), payload.as_bytes());
        frame(id, chain, payload.as_bytes())
    };
    (first..).zip(payloads).map(frame).collect()
}

fn chain_of(frame: &[u8]) -> Chain {
    Chain(u64::from_le_bytes(frame[24..32].try_into().unwrap()))
}

/// A segment without a header that holds these, with nothing of a record between them.
fn headless(pieces: &[Vec<u8>]) -> SimDisk {
    let disk = SimDisk::new(1);
    let mut bytes = vec![0; FRAMES];
    for piece in pieces {
        bytes.extend([0x55; 64]);
        bytes.extend(piece);
    }
    disk.write(FIRST, &bytes);
    disk
}

/// A log that was never synced.
fn unsynced(payloads: &[&[u8]]) -> SimDisk {
    let disk = SimDisk::new(1);
    drop(log_of(&disk, payloads));
    disk
}

/// Where frame number `number` begins.
fn frame_at(payloads: &[&[u8]], number: usize) -> usize {
    let lengths = payloads[..number].iter();
    let lengths = lengths.map(|payload| (32 + payload.len()).next_multiple_of(8));
    FRAMES + lengths.sum::<usize>()
}

/// Makes the first letter of a payload large.
fn flip_payload(disk: &SimDisk, frame_at: usize) {
    disk.flip_bit(FIRST, frame_at as u64 + 32, 5);
}

fn flip_header(disk: &SimDisk, frame_at: usize) {
    disk.flip_bit(FIRST, frame_at as u64 + 9, 0);
}

fn missing(report: &SalvageReport) -> Vec<Range<u64>> {
    report.missing.iter().map(ids).collect()
}

fn proven(report: &SalvageReport) -> Vec<(Range<u64>, bool)> {
    let kept = report.kept.iter();
    kept.map(|kept| (ids(&kept.ids), kept.chain_proven))
        .collect()
}

/// These are kept, and these missing.
fn check(disk: &SimDisk, expected: &[(u64, &str)], lost: &[Range<u64>]) -> SalvageReport {
    let (report, kept) = salvaged(disk);
    let kept: Vec<(u64, String)> = kept
        .into_iter()
        .map(|(id, _, payload)| (id, String::from_utf8_lossy(&payload).into_owned()))
        .collect();
    let kept: Vec<(u64, &str)> = kept.iter().map(|(id, text)| (*id, &text[..])).collect();
    assert_eq!(kept, expected, "{report:#?}");
    assert_eq!(missing(&report), lost, "{report:#?}");
    report
}

#[test]
fn no_id_is_kept_twice_where_a_piece_agrees_with_one_and_contradicts_another() {
    let one = frames(100, 5, &["five", "six", "seven"]);
    let contradicts = frames(77, 4, &["four", "FIVE"]);
    // It leads where the first one leads, but the payload of its first record is another.
    let agrees = [frame(6, chain_of(&one[1]), b"SIX"), one[2].clone()];
    let disk = headless(&[one.concat(), contradicts.concat(), agrees.concat()]);
    let expected = [(4, "four"), (5, "FIVE"), (6, "SIX"), (7, "seven")];
    check(&disk, &expected, &[0..4, 5..7]);
}

#[test]
fn what_stands_between_two_parts_that_agree_is_kept() {
    let one = frames(100, 4, &["four", "five", "six", "seven", "eight"]);
    let disk = headless(&[one.concat(), one[..2].concat(), one[3..].concat()]);
    let expected = [
        (4, "four"),
        (5, "five"),
        (6, "six"),
        (7, "seven"),
        (8, "eight"),
    ];
    check(&disk, &expected, &[0..4]);
}

#[test]
fn pieces_that_touch_each_other_are_all_kept() {
    let one = frames(100, 4, &["four", "five"]).concat();
    let two = frames(200, 19, &["nineteen", "twenty"]).concat();
    // The second one opposes the first.
    let alone = [frame(30, Chain(7), b"thirty"), frame(31, Chain(8), b"no")].concat();
    let expected = [
        (4, "four"),
        (5, "five"),
        (19, "nineteen"),
        (20, "twenty"),
        (30, "thirty"),
    ];
    let disk = headless(&[[one, two, alone].concat()]);
    check(&disk, &expected, &[0..4, 6..19, 21..32]);
}

#[test]
fn of_two_files_that_begin_alike_and_prove_nothing_neither_is_proven() {
    let disk = unsynced(&[b"zero", b"one", b"two"]);
    let other = unsynced(&[b"zero", b"ONE", b"TWO"]);
    disk.write(SECOND, &other.read(FIRST).unwrap());
    let expected = [(0, "zero"), (1, "ONE"), (2, "TWO")];
    let report = check(&disk, &expected, &[0..3]);
    assert_eq!(proven(&report), [(0..3, false)]);
}

/// Nothing proves the records in place, for the payload of the first one is lost.
#[test]
fn what_stands_in_its_place_goes_before_what_a_later_payload_holds() {
    let holds = frames(500, 2, &["TWO", "THREE"]).concat();
    let payloads: [&[u8]; 7] = [b"zero", b"one", b"two", b"three", b"four", &holds, b"six"];
    let disk = unsynced(&payloads);
    flip_payload(&disk, FRAMES);
    flip_header(&disk, frame_at(&payloads, 5));
    let expected = [
        (1, "one"),
        (2, "two"),
        (3, "three"),
        (4, "four"),
        (6, "six"),
    ];
    let (report, kept) = salvaged(&disk);
    let kept: Vec<(u64, &[u8])> = kept.iter().map(|one| (one.0, &one.2[..])).collect();
    let expected = expected.map(|(id, text)| (id, text.as_bytes()));
    assert_eq!(kept, expected, "{report:#?}");
}

#[test]
fn in_its_place_a_record_with_a_bad_payload_disputes_none_before_it() {
    let payloads: [&[u8]; 5] = [b"zero", b"one", b"two", b"three", b"four"];
    let disk = unsynced(&payloads);
    flip_payload(&disk, FRAMES);
    flip_payload(&disk, frame_at(&payloads, 3));
    check(&disk, &[(1, "one"), (2, "two"), (4, "four")], &[0..1, 3..4]);
}

#[test]
fn what_the_payload_of_a_proven_record_holds_is_not_kept_under_lost_ids() {
    let holds = frames(500, 2, &["TWO", "THREE"]).concat();
    let payloads: [&[u8]; 6] = [b"zero", b"one", b"two", b"three", &holds, b"five"];
    let disk = SimDisk::new(1);
    log_of(&disk, &payloads).close().unwrap();
    flip_header(&disk, frame_at(&payloads, 2));
    flip_header(&disk, frame_at(&payloads, 3));
    let (report, kept) = salvaged(&disk);
    let kept: Vec<u64> = kept.iter().map(|one| one.0).collect();
    assert_eq!((kept, missing(&report)), (vec![0, 1, 4, 5], vec![2..4]));
}

#[test]
fn of_neighbours_that_do_not_fit_what_is_not_proven_is_disputed() {
    let payloads: [&[u8]; 4] = [b"zero", b"one", b"two", b"three"];
    // Behind what is proven stands something else.
    let disk = unsynced(&payloads[..2]);
    let mut bytes = disk.read(FIRST).unwrap();
    let end = frame_at(&payloads, 2);
    bytes.truncate(end);
    bytes.extend([0x55; 64]);
    bytes.extend(frames(9, 2, &["TWO", "THREE"]).concat());
    disk.write(FIRST, &bytes);
    let expected = [(0, "zero"), (1, "one"), (2, "TWO"), (3, "THREE")];
    let report = check(&disk, &expected, &[2..3]);
    assert_eq!(proven(&report), [(0..2, true), (2..4, false)]);
    // Both are proven, and the payload of the second one's first record is another.
    let disk = SimDisk::new(1);
    log_of(&disk, &payloads).close().unwrap();
    let bytes = disk.read(FIRST).unwrap();
    let (front, behind) = bytes.split_at(end);
    disk.write(FIRST, &[front, &[0x55; 64], behind].concat());
    flip_payload(&disk, end + 64);
    let expected = [(0, "zero"), (1, "one"), (2, "Two"), (3, "three")];
    let report = check(&disk, &expected, &[2..3]);
    assert_eq!(proven(&report), [(0..2, true), (2..3, false), (3..4, true)]);
}

/// Whatever follows what is refuted is refuted, though nothing is known of its ids.
#[test]
fn what_continues_another_history_disputes_nothing() {
    let payloads: [&[u8]; 3] = [b"zero", b"one", b"two"];
    let disk = SimDisk::new(1);
    let unfinished = log_of(&disk, &payloads);
    unfinished.sync().unwrap();
    drop(unfinished);
    let mut bytes = disk.read(FIRST).unwrap();
    bytes.truncate(frame_at(&payloads, 3));
    for piece in [
        frames(9, 1, &["ONE", "TWO", "THREE", "FOUR", "FIVE"]),
        frames(8, 4, &["four", "five"]),
    ] {
        bytes.extend([0x55; 64]);
        bytes.extend(piece.concat());
    }
    disk.write(FIRST, &bytes);
    let expected = [
        (0, "zero"),
        (1, "one"),
        (2, "two"),
        (4, "four"),
        (5, "five"),
    ];
    check(&disk, &expected, &[3..4]);
}

/// Damages a record when the log is searched for the second time.
#[derive(Debug)]
struct Rots {
    disk: SimDisk,
    opens: AtomicUsize,
    byte: usize,
}

impl Hooks for Rots {
    fn before_open(&self) {
        // Two files are looked at, and searched; then the first one is searched again.
        if self.opens.fetch_add(1, Ordering::SeqCst) == 4 {
            flip_header(&self.disk, self.byte);
        }
    }
}

#[test]
fn no_id_is_kept_twice_if_the_disk_does_not_read_the_same_twice() {
    let one = frames(
        100,
        1,
        &["one", "two", "three", "four", "five", "six", "seven"],
    );
    let disk = headless(&[one.concat()]);
    let copy = headless(&[one[2..6].concat()]);
    disk.write(SECOND, &copy.read(FIRST).unwrap());
    let byte = FRAMES + 64 + one[..4].concat().len();
    let opens = AtomicUsize::new(0);
    let hooks = Rots {
        disk: disk.clone(),
        opens,
        byte,
    };
    let source = HookedDir::around(disk.root(), Arc::new(hooks));
    let report = salvage(&*source, SimDisk::new(2).root(), NEW_ID, Options::default()).unwrap();
    let kept: Vec<u64> = report.kept.iter().flat_map(|kept| ids(&kept.ids)).collect();
    assert!(kept.is_sorted_by(|one, next| one < next), "{report:#?}");
    assert!(kept.len() >= 4, "{report:#?}");
}
