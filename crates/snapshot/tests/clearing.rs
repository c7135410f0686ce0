//! What goes and what stays: removal, leftovers, names in use, files that change while they are known.
#![allow(clippy::unwrap_used)]

#[path = "fixture/fixture.rs"]
mod fixture;

use std::ops::ControlFlow;

use disk::{Access, SimDisk};
use fixture::{check_content, header, read_back, sections, write};
use snapshot::{DamageKind, Error, Header, Options, SnapshotId, Snapshots};

const MANIFEST_1: &str = "00000000000000000001.manifest";
const MANIFEST_2: &str = "00000000000000000002.manifest";

fn two_snapshots() -> (SimDisk, Snapshots) {
    let disk = SimDisk::new(1);
    let snapshots = Snapshots::open(disk.root(), Options::default()).unwrap();
    write(&snapshots, 1, &sections()).unwrap();
    write(&snapshots, 2, &sections()).unwrap();
    (disk, snapshots)
}

#[test]
fn only_our_temporary_names_are_cleared() {
    let disk = SimDisk::new(1);
    let dir = disk.root();
    let snapshots = Snapshots::open(dir.clone(), Options::default()).unwrap();
    write(&snapshots, 1, &sections()).unwrap();
    let foreign = [
        "notes.tmp",
        "1.manifest.tmp",
        "00000000000000000009-0123456789abcdef.pack",
        "00000000000000000009.manifest~",
    ];
    for name in foreign {
        dir.create(name).unwrap();
    }
    dir.create_dir("00000000000000000009.manifest.tmp").unwrap();
    dir.create("00000000000000000008.manifest.tmp").unwrap();
    dir.create("00000000000000000009-0123456789abcdef.pack.tmp")
        .unwrap();
    let before = dir.list().unwrap().len();
    let snapshots = Snapshots::open(dir.clone(), Options::default()).unwrap();
    assert_eq!(dir.list().unwrap().len(), before - 2);
    for name in foreign {
        assert!(dir.open(name, Access::Read).is_ok(), "{name}");
    }
    check_content(&snapshots, 1, &sections());
    assert!(snapshots.list().unwrap().rejected.is_empty());
}

#[test]
fn packs_that_a_published_manifest_names_are_never_cleared() {
    let (disk, _) = two_snapshots();
    disk.duplicate(MANIFEST_1, format!("{MANIFEST_1}.tmp"));
    let snapshots = Snapshots::open(disk.root(), Options::default()).unwrap();
    assert_eq!(disk.files().len(), 4);
    check_content(&snapshots, 1, &sections());
}

#[test]
fn no_pack_is_cleared_while_a_manifest_can_not_be_read() {
    let (disk, _) = two_snapshots();
    let temporary = format!("{MANIFEST_1}.tmp");
    disk.duplicate(MANIFEST_1, &temporary);
    disk.delete(MANIFEST_1);
    disk.flip_bit(MANIFEST_2, 9, 0);
    let files = disk.files();
    let snapshots = Snapshots::open(disk.root(), Options::default()).unwrap();
    assert_eq!(disk.files(), files);
    disk.flip_bit(MANIFEST_2, 9, 0);
    write(&snapshots, 3, &sections()).unwrap();
    assert_eq!(disk.files().len(), 4, "only snapshots 2 and 3 are left");
    check_content(&snapshots, 2, &sections());
}

#[test]
fn a_withdrawn_snapshot_does_not_exist_and_goes_at_the_next_open() {
    let (disk, _) = two_snapshots();
    let mut bytes = disk.read(MANIFEST_2).unwrap();
    bytes[56] = 255;
    disk.write(MANIFEST_2, &bytes);
    let read_only = Options {
        read_only: true,
        ..Options::default()
    };
    let reader = Snapshots::open(disk.root(), read_only).unwrap();
    let listing = reader.list().unwrap();
    assert_eq!(listing.sound.len(), 1);
    assert!(listing.rejected.is_empty());
    assert_eq!(disk.files().len(), 4);
    let snapshots = Snapshots::open(disk.root(), Options::default()).unwrap();
    assert_eq!(disk.files().len(), 2);
    check_content(&snapshots, 1, &sections());
}

#[test]
fn names_spared_while_a_manifest_can_not_be_read_are_free_to_write() {
    for withdrawn in [false, true] {
        let (disk, _) = two_snapshots();
        if withdrawn {
            let mut bytes = disk.read(MANIFEST_1).unwrap();
            bytes[56] = 255;
            disk.write(MANIFEST_1, &bytes);
        } else {
            disk.duplicate(MANIFEST_1, format!("{MANIFEST_1}.tmp"));
            disk.delete(MANIFEST_1);
        }
        disk.flip_bit(MANIFEST_2, 9, 0);
        let snapshots = Snapshots::open(disk.root(), Options::default()).unwrap();
        assert_eq!(disk.files().len(), 4);
        assert!(!write(&snapshots, 1, &sections()).unwrap().already_there);
        assert_eq!(disk.files().len(), 4, "the old pack is gone");
        check_content(&snapshots, 1, &sections());
    }
}

#[test]
fn remove_takes_the_files_of_one_snapshot() {
    let disk = SimDisk::new(1);
    let dir = disk.root();
    let snapshots = Snapshots::open(dir.clone(), Options::default()).unwrap();
    write(&snapshots, 1, &sections()).unwrap();
    write(&snapshots, 2, &sections()).unwrap();
    snapshots.remove(SnapshotId(2)).unwrap();
    check_content(&snapshots, 1, &sections());
    assert_eq!(dir.list().unwrap().len(), 2);
    assert!(matches!(
        snapshots.remove(SnapshotId(2)),
        Err(Error::NotFound(SnapshotId(2)))
    ));
}

#[test]
fn a_damaged_manifest_is_replaced() {
    let disk = SimDisk::new(1);
    let dir = disk.root();
    let snapshots = Snapshots::open(dir.clone(), Options::default()).unwrap();
    write(&snapshots, 42, &sections()).unwrap();
    let name = "00000000000000000042.manifest";
    let file = dir.open(name, Access::ReadWrite).unwrap();
    file.write_all_at(70, b"!").unwrap();
    assert_eq!(snapshots.list().unwrap().rejected.len(), 1);
    assert!(!write(&snapshots, 42, &sections()).unwrap().already_there);
    check_content(&snapshots, 42, &sections());
    let names = dir.list().unwrap();
    assert_eq!(names.len(), 2, "the old pack is gone: {names:?}");
}

#[test]
fn a_pack_name_in_use_is_not_drawn_again() {
    let disk = SimDisk::new(1);
    let options = Options {
        nonce: Some(0),
        ..Options::default()
    };
    let snapshots = Snapshots::open(disk.root(), options).unwrap();
    write(&snapshots, 1, &sections()).unwrap();
    let first = disk.files();
    disk.write(&first[0], b"not a snapshot's any more");
    disk.delete(&first[1]);
    write(&snapshots, 1, &sections()).unwrap();
    assert_eq!(disk.read(&first[0]).unwrap(), b"not a snapshot's any more");
    check_content(&snapshots, 1, &sections());
}

#[test]
fn read_back_reads_the_manifest_again() {
    let (disk, snapshots) = two_snapshots();
    let manifest = snapshots.list().unwrap().sound.remove(0);
    disk.flip_bit(MANIFEST_2, 100, 3);
    assert!(read_back(&snapshots, &manifest).unwrap_err().is_damage());
    disk.flip_bit(MANIFEST_2, 100, 3);
    read_back(&snapshots, &manifest).unwrap();
    // Another whole snapshot of the same transaction has come in its place.
    snapshots.remove(SnapshotId(2)).unwrap();
    let go_on = &mut |_| ControlFlow::Continue(());
    let first = snapshots
        .write(&header(2), &mut [], go_on)
        .unwrap()
        .manifest;
    snapshots.remove(SnapshotId(2)).unwrap();
    let other = Header {
        metadata: b"KEPT UNREAD".to_vec(),
        ..header(2)
    };
    snapshots.write(&other, &mut [], go_on).unwrap();
    assert!(matches!(
        read_back(&snapshots, &first),
        Err(Error::Damaged {
            kind: DamageKind::Changed,
            ..
        })
    ));
    assert!(read_back(&snapshots, &manifest).unwrap_err().is_damage());
}

#[test]
fn a_newer_format_is_named_and_never_touched() {
    let disk = SimDisk::new(1);
    let dir = disk.root();
    let snapshots = Snapshots::open(dir.clone(), Options::default()).unwrap();
    write(&snapshots, 1, &sections()).unwrap();
    let file = dir
        .open("00000000000000000001.manifest", Access::ReadWrite)
        .unwrap();
    let mut bytes = [0; 64];
    file.read_exact_at(0, &mut bytes).unwrap();
    bytes[8] = 2;
    let crc = crc32c::crc32c(&bytes[..56]);
    bytes[60..].copy_from_slice(&crc.to_le_bytes());
    file.write_all_at(0, &bytes).unwrap();
    let listing = snapshots.list().unwrap();
    assert!(matches!(
        listing.rejected[0].reason,
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
}
