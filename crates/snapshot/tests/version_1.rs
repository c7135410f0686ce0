//! Snapshots of version 1, whose manifest is a file of its own: read, removed and swept, and not written any more.
#![allow(clippy::unwrap_used)]

#[path = "fixture/fixture.rs"]
mod fixture;

#[path = "fixture/by_hand.rs"]
mod by_hand;

use std::ops::ControlFlow;

use by_hand::{Pack, body, put, section};
use disk::{Crash, Fault, SimDisk};
use fixture::{
    Section, all_modes, check_manifest, content, header, open, read_back, repeatable,
    tiny_sections, write,
};
use snapshot::{DamageKind, Error, Options, SnapshotId, Snapshots};

const STATE: u64 = 56;

fn manifest_name(tx: u64) -> String {
    format!("{tx:020}.manifest")
}

fn pack_name(tx: u64) -> String {
    Pack::new(tx, 100 + tx).name()
}

fn sections(tx: u64) -> Vec<Section> {
    vec![vec![(0, vec![1; 100]), (7, tx.to_le_bytes().to_vec())]]
}

/// A disk with snapshots of version 1 of these transactions.
fn disk_with(txs: &[u64]) -> SimDisk {
    let disk = SimDisk::new(1);
    for tx in txs {
        let mut pack = Pack::new(*tx, 100 + tx);
        let blobs = [(0, vec![1; 100]), (7, tx.to_le_bytes().to_vec())];
        let blobs = blobs.map(|(number, bytes)| (number, pack.blob(&bytes)));
        let body = body(*tx, vec![section(&mut pack, &blobs)]);
        put(&disk, 1, &body, &pack);
    }
    disk
}

fn transactions(snapshots: &Snapshots) -> Vec<u64> {
    let listing = snapshots.list().unwrap();
    assert!(listing.rejected.is_empty(), "{:?}", listing.rejected);
    for manifest in &listing.sound {
        let tx = manifest.id().tx();
        let is_version_1 = manifest.pack_names().eq([pack_name(tx)]);
        let expected = if is_version_1 {
            sections
        } else {
            tiny_sections
        };
        check_manifest(snapshots, manifest, &expected(tx));
    }
    listing.sound.iter().map(|m| m.id().tx()).collect()
}

fn withdraw(disk: &SimDisk, tx: u64) {
    let mut bytes = disk.read(manifest_name(tx)).unwrap();
    bytes[usize::try_from(STATE).unwrap()] = 255;
    disk.write(manifest_name(tx), &bytes);
}

#[test]
fn both_versions_live_side_by_side() {
    let disk = disk_with(&[1, 3]);
    let snapshots = open(&disk);
    write(&snapshots, 2, &tiny_sections(2)).unwrap();
    assert_eq!(transactions(&snapshots), [3, 2, 1]);
    let again = write(&snapshots, 3, &tiny_sections(3)).unwrap();
    assert!(again.already_there);
    let foreign = snapshot::Header {
        chain: 1,
        ..header(3)
    };
    let go_on = &mut |_| ControlFlow::Continue(());
    let refused = snapshots.write(&foreign, &mut [], go_on);
    assert!(
        matches!(&refused, Err(Error::Occupied { file }) if file.ends_with(manifest_name(3))),
        "{refused:?}"
    );
    snapshots.remove(SnapshotId(3)).unwrap();
    assert_eq!(transactions(&open(&disk)), [2, 1]);
    assert_eq!(disk.files().len(), 3);
    snapshots.remove(SnapshotId(1)).unwrap();
    assert!(matches!(
        snapshots.remove(SnapshotId(1)),
        Err(Error::NotFound(_))
    ));
    assert!(
        !write(&snapshots, 1, &tiny_sections(1))
            .unwrap()
            .already_there
    );
    assert_eq!(transactions(&open(&disk)), [2, 1]);
    assert_eq!(disk.files().len(), 2);
}

#[test]
fn every_flipped_bit_is_found_or_harmless() {
    let start = disk_with(&[1]);
    let read_only = Options {
        read_only: true,
        ..repeatable()
    };
    for (file, zeros) in [(manifest_name(1), 0), (pack_name(1), 8 * (4096 - 64))] {
        let mut harmless = 0;
        for bit in 0..8 * start.read(&file).unwrap().len() as u64 {
            let disk = start.fork();
            disk.flip_bit(&file, bit / 8, u32::try_from(bit % 8).unwrap());
            let snapshots = Snapshots::open(disk.root(), read_only.clone()).unwrap();
            let listing = snapshots.list().unwrap();
            let Some(manifest) = listing.sound.first() else {
                assert_eq!(
                    listing.rejected.len(),
                    usize::from(disk.read(&file).unwrap()[usize::try_from(STATE).unwrap()] != 255)
                );
                continue;
            };
            assert!(
                listing.rejected.is_empty(),
                "the manifest answers for its pack"
            );
            assert!(read_back(&snapshots, manifest).unwrap_err().is_damage());
            let loads = all_modes().into_iter();
            let loads = loads.map(|options| snapshots.load(manifest, options));
            let verified: Vec<_> = loads
                .filter_map(Result::ok)
                .filter(|l| l.section(0).iter().all(|(_, blob)| blob.check().is_ok()))
                .collect();
            assert!(verified.iter().all(|loaded| content(loaded) == sections(1)));
            harmless += usize::from(!verified.is_empty());
        }
        assert_eq!(harmless, zeros, "{file}");
    }
}

/// What is done to the files of snapshots 1 and 2, and which of them (newest first) can still be loaded.
#[test]
fn missing_swapped_and_cut_files_are_found() {
    type Damage = fn(&SimDisk);
    let cases: &[(&str, Damage, &[u64])] = &[
        ("nothing", |_| {}, &[2, 1]),
        ("pack missing", |d| d.delete(pack_name(2)), &[1]),
        ("manifest missing", |d| d.delete(manifest_name(2)), &[1]),
        ("packs swapped", |d| d.swap(pack_name(1), pack_name(2)), &[]),
        (
            "manifests swapped",
            |d| d.swap(manifest_name(1), manifest_name(2)),
            &[],
        ),
        (
            "pack duplicated over",
            |d| d.duplicate(pack_name(1), pack_name(2)),
            &[1],
        ),
        (
            "manifest duplicated over",
            |d| d.duplicate(manifest_name(1), manifest_name(2)),
            &[1],
        ),
        (
            "manifest under another number",
            |d| d.duplicate(manifest_name(2), manifest_name(3)),
            &[2, 1],
        ),
        ("pack empty", |d| d.write(pack_name(2), b""), &[1]),
        ("manifest empty", |d| d.write(manifest_name(2), b""), &[1]),
        ("manifest cut", |d| d.truncate(manifest_name(2), 80), &[1]),
        (
            "manifest longer",
            |d| d.truncate(manifest_name(2), 300),
            &[1],
        ),
    ];
    for (what, damage, expected) in cases {
        let disk = disk_with(&[1, 2]);
        damage(&disk);
        let files = disk.files();
        let snapshots = open(&disk);
        let listing = snapshots.list().unwrap();
        let sound = listing.sound.iter();
        let loadable: Vec<u64> = sound
            .filter(|manifest| read_back(&snapshots, manifest).is_ok())
            .map(|manifest| manifest.id().tx())
            .collect();
        assert_eq!(loadable, *expected, "{what}");
        assert_eq!(disk.files(), files, "{what}: opening removes no evidence");
    }
}

#[test]
fn what_was_withdrawn_or_never_published_goes_at_the_next_open() {
    for cut in [false, true] {
        let disk = disk_with(&[1, 2, 3]);
        disk.duplicate(manifest_name(1), manifest_name(1) + ".tmp");
        disk.delete(manifest_name(1));
        withdraw(&disk, 2);
        if cut {
            // It was never durable, so its pack has another name.
            disk.truncate(manifest_name(1) + ".tmp", 100);
            disk.duplicate(pack_name(1), pack_name(1) + ".tmp");
            disk.delete(pack_name(1));
        }
        let snapshots = open(&disk);
        assert_eq!(transactions(&snapshots), [3]);
        assert_eq!(disk.files(), [pack_name(3), manifest_name(3)]);
    }
}

#[test]
fn packs_that_a_published_manifest_names_are_never_cleared() {
    let disk = disk_with(&[1]);
    disk.duplicate(manifest_name(1), manifest_name(1) + ".tmp");
    assert_eq!(transactions(&open(&disk)), [1]);
    assert_eq!(disk.files().len(), 2);
}

#[test]
fn nothing_goes_that_a_manifest_that_can_not_be_read_may_need() {
    let disk = disk_with(&[1, 2, 3]);
    withdraw(&disk, 1);
    withdraw(&disk, 3);
    disk.flip_bit(manifest_name(2), 9, 0);
    let snapshots = open(&disk);
    assert_eq!(disk.files().len(), 4, "what came later is not needed");
    disk.flip_bit(manifest_name(2), 9, 0);
    write(&snapshots, 4, &tiny_sections(4)).unwrap();
    assert_eq!(transactions(&snapshots), [4, 2]);
    assert_eq!(disk.files().len(), 3);
}

#[test]
fn a_damaged_one_is_replaced_and_takes_its_packs_along() {
    let disk = disk_with(&[1, 2]);
    disk.flip_bit(manifest_name(2), 70, 0);
    let snapshots = open(&disk);
    assert!(
        !write(&snapshots, 2, &tiny_sections(2))
            .unwrap()
            .already_there
    );
    assert_eq!(transactions(&snapshots), [2, 1]);
    assert_eq!(disk.files().len(), 3, "{:?}", disk.files());
    disk.flip_bit(manifest_name(1), 70, 0);
    snapshots.remove(SnapshotId(1)).unwrap();
    assert_eq!(disk.files().len(), 1, "{:?}", disk.files());
}

#[test]
fn a_newer_manifest_is_named_and_never_touched() {
    let disk = disk_with(&[1]);
    let mut bytes = disk.read(manifest_name(1)).unwrap();
    bytes[8] = 2;
    let crc = crc32c::crc32c(&bytes[..56]);
    bytes[60..64].copy_from_slice(&crc.to_le_bytes());
    disk.write(manifest_name(1), &bytes);
    let snapshots = open(&disk);
    assert!(matches!(
        snapshots.list().unwrap().rejected[0].reason,
        Error::NewerFormat {
            found: 2,
            supported: 1,
            ..
        }
    ));
    assert!(matches!(
        write(&snapshots, 1, &[]),
        Err(Error::Occupied { .. })
    ));
    assert!(matches!(
        snapshots.remove(SnapshotId(1)),
        Err(Error::NewerFormat { .. })
    ));
    assert_eq!(disk.files().len(), 2);
}

/// An older program writes beside a snapshot that it does not know.
#[test]
fn of_two_snapshots_of_one_transaction_the_first_name_counts() {
    let disk = disk_with(&[1]);
    let other = SimDisk::new(2);
    write(&open(&other), 1, &tiny_sections(1)).unwrap();
    let file = other.files().remove(0);
    disk.write(&file, &other.read(&file).unwrap());
    let snapshots = open(&disk);
    let listing = snapshots.list().unwrap();
    assert!(listing.sound[0].pack_names().eq([file]));
    assert!(matches!(
        &listing.rejected[0].reason,
        Error::Damaged { file, kind: DamageKind::Duplicate, .. } if file.ends_with(manifest_name(1))
    ));
    snapshots.remove(SnapshotId(1)).unwrap();
    assert!(disk.files().is_empty(), "{:?}", disk.files());
}

#[test]
fn a_crash_or_a_failed_call_of_remove_leaves_all_or_nothing() {
    for damaged in [false, true] {
        let start = disk_with(&[1, 3]);
        if damaged {
            start.flip_bit(manifest_name(1), 80, 0);
        }
        let check = |disk: &SimDisk, must_be_gone: bool| {
            let snapshots = open(disk);
            let listing = snapshots.list().unwrap();
            let is_there = listing.sound.len() + listing.rejected.len() == 2;
            assert!(!is_there || !must_be_gone);
            assert_eq!(listing.rejected.len(), usize::from(damaged && is_there));
            if is_there {
                snapshots.remove(SnapshotId(1)).unwrap();
            }
            assert_eq!(transactions(&snapshots), [3]);
            assert_eq!(disk.files().len(), 2, "{:?}", disk.files());
        };
        let disk = start.fork();
        let snapshots = open(&disk);
        disk.record();
        let first = disk.call_count();
        snapshots.remove(SnapshotId(1)).unwrap();
        for number in first..=disk.call_count() {
            let is_over = number == disk.call_count();
            let before = disk.state_before(number);
            for crashed in before.power_cuts(24, number) {
                check(&crashed, is_over);
            }
            before.crash(Crash::Kill);
            check(&before, is_over);
        }
        for number in 0..30 {
            let disk = start.fork();
            let snapshots = open(&disk);
            disk.fail_at(disk.call_count() + number, Fault::Eio);
            let result = snapshots.remove(SnapshotId(1));
            disk.clear_faults();
            for crashed in disk.power_cuts(24, number) {
                check(&crashed, result.is_ok());
            }
            check(&disk, result.is_ok());
        }
    }
}
