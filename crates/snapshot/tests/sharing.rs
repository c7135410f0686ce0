//! Snapshots that share blobs with earlier ones, built by hand: what is listed and read, what a flip is found by, what goes and what
//! stays.
#![allow(clippy::unwrap_used)]

#[path = "fixture/fixture.rs"]
mod fixture;

#[path = "fixture/by_hand.rs"]
mod by_hand;

use by_hand::{Body, Pack, Reference, WITHDRAWN, body, encoded, put, section};
use disk::{Crash, Fault, SimDisk};
use fixture::{
    Section, all_modes, check_manifest, open, page, read_back, repeatable, tiny_sections, write,
};
use snapshot::{DamageKind, Error, LoadOptions, Options, SnapshotId, Snapshots};

const STATE: usize = 504;

/// A snapshot that was built by hand.
struct Built {
    pack: Pack,
    body: Body,
    sections: Vec<Section>,
    own: Own,
}

/// A blob: its number, its bytes and where they are.
type Own = (u8, Vec<u8>, Reference);

impl Built {
    fn put(&self, disk: &SimDisk) {
        put(disk, 2, &self.body, &self.pack);
    }

    /// How others name it.
    fn entry(&self) -> (u64, u64, u64) {
        let length = self.pack.bytes.len() + encoded(&self.body).len();
        (self.pack.tx, self.pack.id, length as u64)
    }
}

/// Snapshots of these transactions: each has a blob of its own, and those of the earlier ones that it names.
fn chain(shares: &[(u64, &[u64])]) -> Vec<Built> {
    let mut all: Vec<Built> = Vec::new();
    for (tx, named) in shares {
        let mut pack = Pack::new(*tx, 100 + tx);
        let digit = u8::try_from(*tx).unwrap();
        let bytes = if tx % 2 == 0 {
            vec![digit; 300]
        } else {
            page(digit)
        };
        let own = (digit, bytes.clone(), pack.blob(&bytes));
        let earlier: Vec<&Built> = all
            .iter()
            .filter(|built| named.contains(&built.pack.tx))
            .collect();
        let packs = earlier.iter().map(|built| built.entry()).collect();
        let blobs: Vec<Own> = earlier
            .iter()
            .map(|built| built.own.clone())
            .chain([own.clone()])
            .collect();
        let children: Vec<(u8, Reference)> = blobs.iter().map(|blob| (blob.0, blob.2)).collect();
        let section = section(&mut pack, &children);
        all.push(Built {
            pack,
            body: Body {
                packs,
                ..body(*tx, vec![section])
            },
            sections: vec![
                blobs
                    .into_iter()
                    .map(|blob| (blob.0.into(), blob.1))
                    .collect(),
            ],
            own,
        });
    }
    all
}

/// 2 shares with 1, 4 with 1 and 2; 3 stands alone.
fn four() -> Vec<Built> {
    chain(&[(1, &[]), (2, &[1]), (3, &[]), (4, &[1, 2])])
}

fn disk_with(built: &[Built]) -> SimDisk {
    let disk = SimDisk::new(1);
    for snapshot in built {
        snapshot.put(&disk);
    }
    disk
}

/// What is listed is sound and has its content; nothing is rejected.
fn transactions(snapshots: &Snapshots, built: &[Built]) -> Vec<u64> {
    let listing = snapshots.list().unwrap();
    assert!(listing.rejected.is_empty(), "{:?}", listing.rejected);
    for manifest in &listing.sound {
        let tx = manifest.id().tx();
        match built.iter().find(|built| built.pack.tx == tx) {
            Some(built) => check_manifest(snapshots, manifest, &built.sections),
            None => check_manifest(snapshots, manifest, &tiny_sections(tx)),
        }
    }
    listing.sound.iter().map(|m| m.id().tx()).collect()
}

/// The transactions whose files are there.
fn files(disk: &SimDisk) -> Vec<u64> {
    let files = disk.files().into_iter();
    files.map(|file| file[..20].parse().unwrap()).collect()
}

#[test]
fn shared_blobs_are_read_and_named() {
    let built = four();
    let disk = disk_with(&built);
    let snapshots = open(&disk);
    assert_eq!(transactions(&snapshots, &built), [4, 3, 2, 1]);
    let sound = snapshots.list().unwrap().sound;
    let shares: Vec<(u64, u64)> = sound
        .iter()
        .flat_map(|a| sound.iter().map(move |b| (a, b)))
        .filter(|(a, b)| a.id() > b.id() && a.shares_bytes_with(b))
        .map(|(a, b)| (a.id().tx(), b.id().tx()))
        .collect();
    assert_eq!(shares, [(4, 2), (4, 1), (2, 1)]);
    let names: Vec<String> = sound[0].pack_names().collect();
    let [one, two, _, four] = &built[..] else {
        unreachable!()
    };
    assert_eq!(names, [four, one, two].map(|built| built.pack.name()));
    let bytes = [four, one, two].map(|built| built.entry().2);
    assert_eq!(sound[0].pack_bytes(), bytes.iter().sum::<u64>());
}

/// Snapshots removed one after the other, and whose files are left.
#[test]
fn a_file_stays_for_as_long_as_a_published_snapshot_names_it() {
    type Steps = &'static [(u64, &'static [u64])];
    let cases: [Steps; 5] = [
        &[(1, &[1, 2, 3, 4]), (2, &[1, 2, 3, 4]), (4, &[3])],
        &[(4, &[1, 2, 3]), (2, &[1, 3]), (1, &[3])],
        &[(1, &[1, 2, 3, 4]), (4, &[1, 2, 3]), (2, &[3])],
        &[(2, &[1, 2, 3, 4]), (4, &[1, 3]), (1, &[3])],
        &[(3, &[1, 2, 4]), (2, &[1, 2, 4]), (1, &[1, 2, 4]), (4, &[])],
    ];
    let built = four();
    for steps in cases {
        let disk = disk_with(&built);
        let mut snapshots = open(&disk);
        let mut left = vec![4, 3, 2, 1];
        for (number, (tx, expected)) in steps.iter().enumerate() {
            snapshots.remove(SnapshotId(*tx)).unwrap();
            left.retain(|other| other != tx);
            assert_eq!(files(&disk), *expected, "{steps:?}");
            assert_eq!(transactions(&snapshots, &built), left);
            assert!(snapshots.look(SnapshotId(*tx)).unwrap().is_none());
            assert!(matches!(
                snapshots.remove(SnapshotId(*tx)),
                Err(Error::NotFound(_))
            ));
            if number % 2 == 0 {
                snapshots = open(&disk);
                assert_eq!(files(&disk), *expected, "{steps:?}");
            }
        }
    }
}

#[test]
fn a_snapshot_can_be_written_beside_a_withdrawn_file_of_its_transaction() {
    let built = four();
    let disk = disk_with(&built);
    let snapshots = open(&disk);
    snapshots.remove(SnapshotId(2)).unwrap();
    assert!(
        !write(&snapshots, 2, &tiny_sections(2))
            .unwrap()
            .already_there
    );
    assert_eq!(files(&disk), [1, 2, 2, 3, 4]);
    let manifest = snapshots.look(SnapshotId(2)).unwrap().unwrap();
    check_manifest(&snapshots, &manifest, &tiny_sections(2));
    let sound = snapshots.list().unwrap().sound;
    assert_eq!(sound.len(), 4);
    assert!(!sound[0].shares_bytes_with(&manifest));
    snapshots.remove(SnapshotId(2)).unwrap();
    assert_eq!(files(&disk), [1, 2, 3, 4]);
    snapshots.remove(SnapshotId(4)).unwrap();
    assert_eq!(transactions(&snapshots, &built), [3, 1]);
    assert_eq!(files(&disk), [1, 3]);
}

#[test]
fn a_withdrawn_pack_stays_while_a_later_file_can_not_be_read() {
    let built = four();
    for (damaged, left) in [(2, &[1, 2][..]), (4, &[1, 2, 3, 4])] {
        let disk = disk_with(&built);
        for snapshot in &built {
            let state = WITHDRAWN;
            let bytes = snapshot.pack.with_body(&encoded(&snapshot.body), state);
            disk.write(snapshot.pack.name(), &bytes);
        }
        disk.flip_bit(built[damaged - 1].pack.name(), 20, 0);
        open(&disk);
        assert_eq!(files(&disk), left);
    }
}

/// A bit of every byte of two snapshots, the later of which shares with the earlier one.
#[test]
fn every_flip_is_found_by_those_that_it_harms() {
    let built = chain(&[(2, &[]), (4, &[2])]);
    let start = disk_with(&built);
    let [earlier, later] = &built[..] else {
        unreachable!()
    };
    let (_, _, earlier_length) = earlier.entry();
    // The blob of the earlier one that both have.
    let shared = 4096..4096 + 300;
    let mut harmless = 0;
    for (file, length) in [(earlier, earlier_length), (later, later.entry().2)] {
        for offset in 0..length {
            let disk = start.fork();
            let bit = u32::try_from(offset % 8).unwrap();
            disk.flip_bit(file.pack.name(), offset, bit);
            let read_only = Options {
                read_only: true,
                ..repeatable()
            };
            let snapshots = Snapshots::open(disk.root(), read_only).unwrap();
            let listing = snapshots.list().unwrap();
            let good = |tx: u64| {
                let found = listing.sound.iter().find(|m| m.id().tx() == tx);
                found.is_some_and(|manifest| {
                    let good = read_back(&snapshots, manifest).is_ok();
                    let loaded = snapshots.load(manifest, LoadOptions::default());
                    assert!(!good || loaded.is_ok());
                    harmless += usize::from(!good && loaded.is_ok());
                    good
                })
            };
            let mut good = good;
            let is_earlier = file.pack.tx == 2;
            assert_eq!(good(2), !is_earlier, "byte {offset}");
            let harms_later =
                !is_earlier || (offset < 512 && offset != STATE as u64) || shared.contains(&offset);
            if offset == STATE as u64 && is_earlier {
                assert!(!good(4), "a state that is none is damage");
            } else {
                assert_eq!(good(4), !harms_later, "byte {offset} of {}", file.pack.tx);
            }
        }
    }
    assert_eq!(harmless, 2 * (4096 - 512), "zeros in front of the blobs");
}

#[test]
fn each_lie_about_a_shared_pack_is_named() {
    type Lie = fn(&SimDisk, &mut Built, &mut Built);
    let cases: &[(&str, Lie, Option<DamageKind>)] = &[
        ("none", |_, _, _| {}, None),
        (
            "it is withdrawn",
            |disk, earlier, _| {
                let body = encoded(&earlier.body);
                let bytes = earlier.pack.with_body(&body, WITHDRAWN);
                disk.write(earlier.pack.name(), &bytes);
            },
            None,
        ),
        (
            "it is missing",
            |disk, earlier, _| disk.delete(earlier.pack.name()),
            Some(DamageKind::MissingPack),
        ),
        (
            "it is a sector longer",
            |disk, earlier, _| {
                let bytes = disk.read(earlier.pack.name()).unwrap();
                disk.truncate(earlier.pack.name(), bytes.len() as u64 + 512);
            },
            Some(DamageKind::Length {
                expected: 4545,
                found: 5057,
            }),
        ),
        (
            "it is of version 1",
            |disk, earlier, later| {
                disk.write(earlier.pack.name(), &earlier.pack.version_1());
                later.body.packs[0].2 = earlier.pack.bytes.len() as u64;
            },
            Some(DamageKind::WrongPack),
        ),
        (
            "it is of another log",
            |disk, earlier, _| {
                let mut bytes = disk.read(earlier.pack.name()).unwrap();
                bytes[16] ^= 1;
                let crc = crc32c::crc32c(&bytes[..504]);
                bytes[508..512].copy_from_slice(&crc.to_le_bytes());
                disk.write(earlier.pack.name(), &bytes);
            },
            Some(DamageKind::WrongPack),
        ),
        (
            "it is of the same transaction",
            |_, _, later| later.body.packs[0].0 = 4,
            Some(DamageKind::BodyContent),
        ),
        (
            "it is of a later transaction",
            |_, _, later| later.body.packs[0].0 = 5,
            Some(DamageKind::BodyContent),
        ),
        (
            "it is named twice",
            |_, _, later| later.body.packs.push(later.body.packs[0]),
            Some(DamageKind::BodyContent),
        ),
        (
            "the pack itself is named",
            |_, _, later| later.body.packs.push((3, later.pack.id, 5000)),
            Some(DamageKind::BodyContent),
        ),
        (
            "it is not named",
            |_, _, later| later.body.packs.clear(),
            Some(DamageKind::ReferenceBounds),
        ),
        (
            "all lengths overflow",
            |_, _, later| later.body.packs[0].2 = u64::MAX,
            Some(DamageKind::BodyContent),
        ),
        (
            "a blob in its manifest",
            |_, earlier, later| {
                let bytes = encoded(&earlier.body);
                let mut pack = Pack::new(4, 104);
                let mut blob = pack.blob(&bytes[..8]);
                blob.pack = earlier.pack.id;
                blob.offset = earlier.pack.bytes.len() as u64;
                pack.bytes.truncate(4096);
                later.body.sections = vec![section(&mut pack, &[(0, blob)])];
                later.pack = pack;
            },
            Some(DamageKind::ReferenceBounds),
        ),
    ];
    for (what, lie, expected) in cases {
        let built = chain(&[(2, &[]), (4, &[2])]);
        let Ok([mut earlier, mut later]) = <[Built; 2]>::try_from(built) else {
            unreachable!()
        };
        let disk = SimDisk::new(1);
        earlier.put(&disk);
        lie(&disk, &mut earlier, &mut later);
        later.put(&disk);
        let read_only = Options {
            read_only: true,
            ..repeatable()
        };
        let snapshots = Snapshots::open(disk.root(), read_only).unwrap();
        let result = snapshots.look(SnapshotId(4)).and_then(|manifest| {
            let manifest = manifest.unwrap();
            let loads = all_modes().into_iter();
            let failed = loads.filter(|mode| snapshots.load(&manifest, *mode).is_err());
            let failed = failed.count();
            let result = read_back(&snapshots, &manifest);
            assert_eq!(failed, if result.is_ok() { 0 } else { all_modes().len() });
            result
        });
        let kind = match result {
            Err(Error::Damaged { kind, .. }) => Some(kind),
            Err(error) => panic!("{what}: {error}"),
            Ok(()) => None,
        };
        assert_eq!(kind, *expected, "{what}");
    }
}

/// What a crash may leave when `work` is cut off before or after any of its calls.
fn crash_at_each_call(disk: &SimDisk, first: u64, check: impl Fn(&SimDisk)) {
    for number in first..=disk.call_count() {
        let before = disk.state_before(number);
        before.power_cuts(12, number).iter().for_each(&check);
        before.crash(Crash::Kill);
        check(&before);
    }
}

#[test]
fn a_crash_while_what_is_shared_is_removed_leaves_each_snapshot_whole_or_absent() {
    let built = four();
    for order in [[1, 2, 4], [4, 2, 1], [2, 4, 1]] {
        let start = disk_with(&built);
        let snapshots = open(&start);
        for (number, tx) in order.into_iter().enumerate() {
            start.record();
            let first = start.call_count();
            snapshots.remove(SnapshotId(tx)).unwrap();
            let gone = &order[..number];
            crash_at_each_call(&start, first, |disk| {
                let seen = transactions(&open(disk), &built);
                assert!(gone.iter().all(|gone| !seen.contains(gone)), "{seen:?}");
                let kept = order[number + 1..].iter().chain(&[3]);
                assert!(kept.clone().all(|kept| seen.contains(kept)), "{seen:?}");
                // No more than what those that are left need.
                let needed = |tx: &u64| {
                    let named = |named: u64| match named {
                        4 => vec![1, 2, 4],
                        2 => vec![1, 2],
                        other => vec![other],
                    };
                    seen.iter().any(|seen| named(*seen).contains(tx))
                };
                let expected: Vec<u64> = (1..=4).filter(needed).collect();
                assert_eq!(files(disk), expected);
            });
        }
    }
}

/// The sync that withdraws a snapshot fails. It is no longer there, until the next power cut: then it must have all that it needs.
#[test]
fn a_snapshot_whose_removal_failed_comes_back_whole_or_not_at_all() {
    let built = four();
    let mut came_back = 0;
    for (removed_before, is_same_process) in [
        (&[][..], true),
        (&[1], true),
        (&[2, 1], true),
        (&[2, 1], false),
    ] {
        for number in 0.. {
            let disk = disk_with(&built);
            let mut snapshots = open(&disk);
            for tx in removed_before {
                snapshots.remove(SnapshotId(*tx)).unwrap();
            }
            disk.record();
            let first = disk.call_count();
            disk.fail_at(first + number, Fault::Eio);
            let result = snapshots.remove(SnapshotId(4));
            if disk.call_count() <= first + number {
                break;
            }
            disk.clear_faults();
            let seems_gone = snapshots.look(SnapshotId(4)).unwrap().is_none();
            if result.is_err() && seems_gone {
                let crashed = disk.power_cuts(24, number).into_iter();
                let seen = crashed.map(|crashed| transactions(&open(&crashed), &built));
                came_back += seen.filter(|seen| seen.contains(&4)).count();
            }
            if !is_same_process {
                snapshots = open(&disk);
            }
            write(&snapshots, 5, &tiny_sections(5)).unwrap();
            snapshots.remove(SnapshotId(3)).unwrap();
            crash_at_each_call(&disk, first, |disk| {
                transactions(&open(disk), &built);
            });
        }
    }
    assert!(came_back > 0);
}

/// Sharing and withdrawn packs are nothing that a flip in the state of a file could pass for.
#[test]
fn a_state_that_is_none_is_damage() {
    let built = four();
    for state in [1, 254, 127] {
        let disk = disk_with(&built);
        let earlier = &built[0];
        let bytes = earlier.pack.with_body(&encoded(&earlier.body), state);
        disk.write(earlier.pack.name(), &bytes);
        let listing = open(&disk).list().unwrap();
        assert_eq!(listing.sound.len(), 3);
        assert!(matches!(
            listing.rejected[0].reason,
            Error::Damaged {
                byte_offset: 504,
                kind: DamageKind::State,
                ..
            }
        ));
        assert_eq!(files(&disk), [1, 2, 3, 4]);
    }
}
