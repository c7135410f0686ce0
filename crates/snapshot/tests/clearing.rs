//! What goes and what stays: removal, leftovers, names in use, files that change while they are known.
#![allow(clippy::unwrap_used)]

#[path = "fixture/fixture.rs"]
mod fixture;

use std::ops::ControlFlow;

use disk::{Access, SimDisk};
use fixture::{check_content, header, open, read_back, repeatable, sections, write};
use snapshot::{DamageKind, Error, Header, Options, SnapshotId, Snapshots};

const STATE: u64 = 504;
const WITHDRAWN: u8 = 255;

/// A disk with snapshots of these transactions.
fn snapshots_of(txs: &[u64]) -> (SimDisk, Snapshots) {
    let disk = SimDisk::new(1);
    let snapshots = open(&disk);
    for tx in txs {
        write(&snapshots, *tx, &sections()).unwrap();
    }
    (disk, snapshots)
}

/// The only file of a snapshot.
fn file(disk: &SimDisk, tx: u64) -> String {
    let files = disk.files().into_iter();
    let files: Vec<String> = files
        .filter(|file| file.starts_with(&format!("{tx:020}-")))
        .collect();
    let [file] = <[String; 1]>::try_from(files).unwrap();
    file
}

fn set_byte(disk: &SimDisk, file: &str, offset: u64, byte: u8) {
    let mut bytes = disk.read(file).unwrap();
    bytes[usize::try_from(offset).unwrap()] = byte;
    disk.write(file, &bytes);
}

fn transactions(snapshots: &Snapshots) -> Vec<u64> {
    let listing = snapshots.list().unwrap();
    listing.sound.iter().map(|m| m.id().tx()).collect()
}

#[test]
fn only_our_temporary_names_are_cleared() {
    let (disk, _) = snapshots_of(&[1]);
    let dir = disk.root();
    let foreign = [
        "notes.tmp",
        "1.manifest.tmp",
        "9-0123456789abcdef.pack.tmp",
        "00000000000000000009.manifest~",
    ];
    for name in foreign {
        dir.create(name).unwrap();
    }
    dir.create_dir("00000000000000000009.manifest.tmp").unwrap();
    dir.create_dir("00000000000000000008-0123456789abcdef.pack.tmp")
        .unwrap();
    dir.create("00000000000000000008.manifest.tmp").unwrap();
    dir.create("00000000000000000009-0123456789abcdef.pack.tmp")
        .unwrap();
    let before = dir.list().unwrap().len();
    let snapshots = open(&disk);
    assert_eq!(dir.list().unwrap().len(), before - 2);
    for name in foreign {
        assert!(dir.open(name, Access::Read).is_ok(), "{name}");
    }
    check_content(&snapshots, 1, &sections());
    assert!(snapshots.list().unwrap().rejected.is_empty());
}

#[test]
fn a_pack_that_is_not_withdrawn_is_never_cleared() {
    let (disk, _) = snapshots_of(&[1, 2]);
    let length = disk.read(file(&disk, 1)).unwrap().len();
    for (what, bytes) in [
        ("empty", vec![]),
        ("zeros", vec![0; length]),
        ("withdrawn under another name", {
            set_byte(&disk, &file(&disk, 2), STATE, WITHDRAWN);
            let bytes = disk.read(file(&disk, 2)).unwrap();
            set_byte(&disk, &file(&disk, 2), STATE, 0);
            bytes
        }),
    ] {
        let disk = disk.fork();
        disk.write("00000000000000000009-0123456789abcdef.pack", &bytes);
        let snapshots = open(&disk);
        assert_eq!(transactions(&snapshots), [2, 1], "{what}");
        let rejected = snapshots.list().unwrap().rejected;
        assert_eq!(rejected.len(), 1, "{what}");
        assert_eq!(rejected[0].id, SnapshotId(9));
        assert!(rejected[0].reason.is_damage());
        write(&snapshots, 3, &sections()).unwrap();
        snapshots.remove(SnapshotId(1)).unwrap();
        file(&open_again(&disk), 9);
    }
}

fn open_again(disk: &SimDisk) -> SimDisk {
    open(disk);
    disk.fork()
}

#[test]
fn nothing_goes_that_a_file_that_can_not_be_read_may_need() {
    let (disk, _) = snapshots_of(&[1, 2, 3]);
    let damaged = file(&disk, 2);
    for tx in [1, 3] {
        set_byte(&disk, &file(&disk, tx), STATE, WITHDRAWN);
    }
    for offset in [9, 100, STATE, disk.read(&damaged).unwrap().len() as u64 - 1] {
        let disk = disk.fork();
        disk.flip_bit(&damaged, offset, 0);
        let snapshots = open(&disk);
        assert!(transactions(&snapshots).is_empty());
        file(&disk, 1);
        assert_eq!(disk.files().len(), 2, "what came later is not needed");
        // New snapshots come and go; what a removal withdraws stays for as long as there is doubt.
        write(&snapshots, 1, &sections()).unwrap();
        write(&snapshots, 4, &sections()).unwrap();
        assert_eq!(transactions(&snapshots), [4, 1]);
        snapshots.remove(SnapshotId(1)).unwrap();
        snapshots.remove(SnapshotId(4)).unwrap();
        assert_eq!(disk.files().len(), 3, "{:?}", disk.files());
        disk.flip_bit(&damaged, offset, 0);
        write(&snapshots, 5, &sections()).unwrap();
        assert_eq!(transactions(&snapshots), [5, 2]);
        assert_eq!(disk.files().len(), 2, "only these are left");
        check_content(&snapshots, 2, &sections());
    }
}

#[test]
fn a_withdrawn_snapshot_does_not_exist_and_goes_at_the_next_open() {
    let (disk, _) = snapshots_of(&[1, 2]);
    set_byte(&disk, &file(&disk, 2), STATE, WITHDRAWN);
    let read_only = Options {
        read_only: true,
        ..Options::default()
    };
    let reader = Snapshots::open(disk.root(), read_only).unwrap();
    assert_eq!(transactions(&reader), [1]);
    assert!(reader.list().unwrap().rejected.is_empty());
    assert!(reader.look(SnapshotId(2)).unwrap().is_none());
    assert_eq!(disk.files().len(), 2);
    let snapshots = open(&disk);
    assert_eq!(disk.files().len(), 1);
    check_content(&snapshots, 1, &sections());
}

#[test]
fn remove_takes_the_file_of_one_snapshot() {
    let (disk, snapshots) = snapshots_of(&[1, 2]);
    disk.record();
    let before = disk.call_count();
    snapshots.remove(SnapshotId(2)).unwrap();
    let calls = disk.calls().split_off(usize::try_from(before).unwrap());
    let syncs = calls.iter().filter(|call| {
        matches!(
            call.operation,
            disk::Operation::SyncFile | disk::Operation::SyncDir
        )
    });
    assert_eq!(syncs.count(), 2);
    check_content(&snapshots, 1, &sections());
    assert_eq!(disk.files().len(), 1);
    assert!(matches!(
        snapshots.remove(SnapshotId(2)),
        Err(Error::NotFound(SnapshotId(2)))
    ));
    assert!(snapshots.look(SnapshotId(2)).unwrap().is_none());
}

#[test]
fn a_damaged_snapshot_is_replaced() {
    for offset in [70, STATE, 600_000] {
        let (disk, snapshots) = snapshots_of(&[42]);
        let name = file(&disk, 42);
        let end = disk.read(&name).unwrap().len() as u64 - 1;
        disk.flip_bit(&name, offset.min(end), 3);
        assert_eq!(snapshots.list().unwrap().rejected.len(), 1);
        assert!(!write(&snapshots, 42, &sections()).unwrap().already_there);
        check_content(&snapshots, 42, &sections());
        assert_eq!(disk.files().len(), 1, "the old one is gone");
    }
}

#[test]
fn a_pack_name_in_use_is_not_drawn_again() {
    let (disk, snapshots) = snapshots_of(&[1]);
    let first = disk.files().remove(0);
    let other = format!("{:020}{}", 2, &first[20..]);
    disk.write(&other, b"not a snapshot's any more");
    disk.delete(&first);
    write(&snapshots, 1, &sections()).unwrap();
    assert_ne!(file(&disk, 1), first);
    assert_eq!(disk.read(&other).unwrap(), b"not a snapshot's any more");
    check_content(&snapshots, 1, &sections());
}

#[test]
fn of_two_snapshots_of_one_transaction_the_first_name_counts() {
    let (disk, snapshots) = snapshots_of(&[1, 2]);
    let own = file(&disk, 2);
    // Another life of the same log made one, too.
    let other = SimDisk::new(2);
    let options = Options {
        nonce: Some(1),
        ..repeatable()
    };
    let other_snapshots = Snapshots::open(other.root(), options).unwrap();
    write(&other_snapshots, 2, &sections()).unwrap();
    let copied = file(&other, 2);
    disk.write(&copied, &other.read(&copied).unwrap());
    let listing = snapshots.list().unwrap();
    assert_eq!(transactions(&snapshots), [2, 1]);
    let first = own.clone().min(copied.clone());
    let second = own.max(copied);
    assert_eq!(listing.sound[0].pack_names().next(), Some(first));
    assert!(listing.rejected[0].file.ends_with(&second));
    let is_duplicate = |error: &Error| matches!(error, Error::Damaged { file, kind: DamageKind::Duplicate, .. } if file.ends_with(&second));
    assert!(is_duplicate(&listing.rejected[0].reason));
    assert!(is_duplicate(&snapshots.look(SnapshotId(2)).unwrap_err()));
    assert!(write(&snapshots, 2, &sections()).unwrap().already_there);
    check_content(&open(&disk), 2, &sections());
    assert_eq!(disk.files().len(), 3);
    snapshots.remove(SnapshotId(2)).unwrap();
    assert_eq!(transactions(&snapshots), [1]);
    assert_eq!(disk.files().len(), 1);
}

#[test]
fn read_back_reads_the_manifest_again() {
    let (disk, snapshots) = snapshots_of(&[1, 2]);
    let manifest = snapshots.list().unwrap().sound.remove(0);
    let name = file(&disk, 2);
    let end = disk.read(&name).unwrap().len() as u64;
    for offset in [80, STATE, end - 40] {
        disk.flip_bit(&name, offset, 3);
        assert!(read_back(&snapshots, &manifest).unwrap_err().is_damage());
        disk.flip_bit(&name, offset, 3);
        read_back(&snapshots, &manifest).unwrap();
    }
    let is_changed = |found: Result<(), Error>| {
        matches!(
            found,
            Err(Error::Damaged {
                kind: DamageKind::Changed,
                ..
            })
        )
    };
    set_byte(&disk, &name, STATE, WITHDRAWN);
    assert!(is_changed(read_back(&snapshots, &manifest)));
    // Whoever only reads has listed it before, and verifies what it holds.
    let reading = Options {
        read_only: true,
        ..Options::default()
    };
    let reader = Snapshots::open(disk.root(), reading).unwrap();
    read_back(&reader, &manifest).unwrap();
    disk.flip_bit(&name, 32768, 3);
    assert!(read_back(&reader, &manifest).unwrap_err().is_damage());
    disk.flip_bit(&name, 32768, 3);
    // Another whole snapshot of the same transaction has come in its place.
    set_byte(&disk, &name, STATE, 0);
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
    assert!(is_changed(read_back(&snapshots, &first)));
    assert!(read_back(&snapshots, &manifest).unwrap_err().is_damage());
}

#[test]
fn a_newer_format_is_named_and_never_touched() {
    let (disk, snapshots) = snapshots_of(&[1]);
    let name = file(&disk, 1);
    let mut bytes = disk.read(&name).unwrap();
    bytes[8] = 4;
    let crc = crc32c::crc32c(&bytes[..504]);
    bytes[508..512].copy_from_slice(&crc.to_le_bytes());
    disk.write(&name, &bytes);
    let listing = snapshots.list().unwrap();
    assert!(matches!(
        listing.rejected[0].reason,
        Error::NewerFormat {
            found: 4,
            supported: 3,
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
    open(&disk);
    assert_eq!(disk.read(&name).unwrap(), bytes);
}
