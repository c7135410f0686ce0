//! Bytes that changed behind the crate's back: every bit, every length, files lost and exchanged.
#![allow(clippy::unwrap_used)]

#[path = "fixture/fixture.rs"]
mod fixture;

use disk::SimDisk;
use fixture::{
    Section, all_modes, check_content, content, disk_with, header, map, mapped_content, open, page,
    read_back, repeatable, tiny_sections, write,
};
use snapshot::{DamageKind, Error, LoadOptions, Manifest, Options, SnapshotId, Snapshots};

/// After some damage: what is loaded with full verification is what was written, or there is an error that is not
/// the disk's. Reading back, if `must_be_found`, never passes. Says whether loading failed.
fn check_damaged(disk: &SimDisk, sections: &[Section], must_be_found: bool, what: &str) -> bool {
    let options = Options {
        read_only: true,
        threads: 1,
        ..repeatable()
    };
    let snapshots = Snapshots::open(disk.root(), options).unwrap();
    let listing = snapshots.list().unwrap();
    for rejected in &listing.rejected {
        assert!(is_verdict(&rejected.reason), "{what}: {rejected:?}");
    }
    let Some(manifest) = listing.sound.first() else {
        assert_eq!(listing.rejected.len(), 1, "{what}");
        return true;
    };
    let read_back = read_back(&snapshots, manifest);
    assert!(
        read_back.as_ref().err().is_none_or(is_verdict),
        "{what}: {read_back:?}"
    );
    assert!(!must_be_found || read_back.is_err(), "{what}");
    let mut failed = false;
    for options in all_modes() {
        match snapshots.load(manifest, options) {
            Ok(loaded) => {
                let blobs = (0..loaded.section_count()).flat_map(|section| loaded.section(section));
                assert!(blobs.into_iter().all(|(_, blob)| blob.check().is_ok()));
                assert!(content(&loaded) == sections, "{what}: {options:?}");
            }
            Err(error) => {
                assert!(is_verdict(&error), "{what}: {error:?}");
                failed = true;
            }
        }
    }
    failed |= check_mapped(&snapshots, manifest, sections, what);
    assert!(!failed || read_back.is_err(), "{what}");
    failed
}

/// What can be reached in a map is right, and what can not is said to be damaged: as soon as it is used, and again.
fn check_mapped(
    snapshots: &Snapshots,
    manifest: &Manifest,
    sections: &[Section],
    what: &str,
) -> bool {
    let mapped = match map(snapshots, manifest) {
        Ok(mapped) => mapped.unwrap(),
        Err(error) => {
            assert!(is_verdict(&error), "{what}: {error:?}");
            return true;
        }
    };
    let (found, damage) = mapped_content(&mapped);
    assert!(damage.iter().all(is_verdict), "{what}: {damage:?}");
    let (again, _) = mapped_content(&mapped);
    assert!(found == again, "{what}");
    let mut is_whole = true;
    for (found, section) in found.iter().zip(sections) {
        is_whole &= found == section;
        assert!(found.iter().all(|blob| section.contains(blob)), "{what}");
    }
    assert_eq!(mapped.outline().is_err(), !damage.is_empty(), "{what}");
    // Nodes are verified as well as by whoever reads all of them at once.
    assert_eq!(
        mapped.outline().is_err(),
        snapshots.outline(manifest).is_err(),
        "{what}"
    );
    assert!(
        is_whole || read_back(snapshots, manifest).is_err(),
        "{what}"
    );
    !is_whole
}

fn is_verdict(error: &Error) -> bool {
    matches!(error, Error::Damaged { .. } | Error::NewerFormat { .. })
}

#[test]
fn every_flipped_bit_is_found_or_harmless() {
    let start = disk_with(&[1]);
    for file in start.files() {
        let length = start.read(&file).unwrap().len() as u64;
        let mut harmless = 0;
        for offset in 0..length {
            for bit in 0..8 {
                let disk = start.fork();
                disk.flip_bit(&file, offset, bit);
                let what = format!("bit {bit} of byte {offset} of {file}");
                if !check_damaged(&disk, &tiny_sections(1), true, &what) {
                    harmless += 1;
                }
            }
        }
        println!("{file}: {length} bytes, {harmless} bits harmless for loading");
        assert_eq!(harmless, 8 * (4096 - 512));
    }
}

#[test]
fn flipped_bits_of_pages_are_found() {
    let sections = vec![vec![(0, page(1)), (1, page(2))], vec![(3, vec![4; 100])]];
    let start = SimDisk::new(1);
    write(&open(&start), 1, &sections).unwrap();
    let pack = start
        .files()
        .into_iter()
        .find(|f| f.ends_with(".pack"))
        .unwrap();
    let length = start.read(&pack).unwrap().len() as u64;
    assert!(length > 4096 + 2 * 32768);
    for offset in (0..length).step_by(61) {
        let disk = start.fork();
        disk.flip_bit(&pack, offset, u32::try_from(offset % 8).unwrap());
        check_damaged(&disk, &sections, true, &format!("byte {offset}"));
    }
}

#[test]
fn every_other_length_is_found() {
    let start = disk_with(&[1]);
    for file in start.files() {
        let bytes = start.read(&file).unwrap();
        for length in 0..bytes.len() {
            let disk = start.fork();
            disk.truncate(&file, length as u64);
            let listing = open(&disk).list().unwrap();
            assert!(listing.sound.is_empty());
            if length >= 512 {
                assert!(matches!(
                    listing.rejected[0].reason,
                    Error::Damaged {
                        kind: DamageKind::Length { .. },
                        ..
                    }
                ));
            }
            let what = format!("{file} cut to {length}");
            assert!(check_damaged(&disk, &tiny_sections(1), true, &what));
        }
        for extra in [&b"\0"[..], b"x", &[0; 4096]] {
            let disk = start.fork();
            disk.write(&file, &[&bytes, extra].concat());
            assert!(check_damaged(&disk, &tiny_sections(1), true, "longer"));
        }
    }
}

#[test]
fn zeroed_sectors_are_found() {
    let start = disk_with(&[1]);
    for file in start.files() {
        let bytes = start.read(&file).unwrap();
        for (number, sector) in bytes.chunks(512).enumerate() {
            let disk = start.fork();
            disk.zero_sector(&file, number);
            let harmful = sector.iter().any(|byte| *byte != 0);
            let what = format!("sector {number} of {file}");
            let failed = check_damaged(&disk, &tiny_sections(1), harmful, &what);
            assert_eq!(failed, harmful);
        }
    }
}

fn file(disk: &SimDisk, tx: u64) -> String {
    let start = format!("{tx:020}-");
    let mut files = disk.files().into_iter();
    files.find(|file| file.starts_with(&start)).unwrap()
}

/// What is done to the files of snapshots 1 and 2, and which of them (newest first) can still be loaded.
#[test]
fn missing_swapped_and_foreign_files_are_found() {
    let start = disk_with(&[1, 2]);
    let foreign = {
        let disk = SimDisk::new(2);
        let snapshots = open(&disk);
        let header = snapshot::Header {
            log_id: [8; 16],
            ..header(2)
        };
        let mut blobs = snapshot::Blobs::new([(0, "foreign")]);
        let go_on = &mut |_| std::ops::ControlFlow::Continue(());
        snapshots.write(&header, &mut [&mut blobs], go_on).unwrap();
        disk.read(file(&disk, 2)).unwrap()
    };
    let (pack_1, pack_2) = (file(&start, 1), file(&start, 2));
    type Damage<'a> = &'a dyn Fn(&SimDisk);
    let elsewhere = |tx: u64| format!("{tx:020}{}", &pack_2[20..]);
    let cases: &[(&str, Damage<'_>, &[u64])] = &[
        ("nothing", &|_| {}, &[2, 1]),
        ("missing", &|d| d.delete(&pack_2), &[1]),
        ("older missing", &|d| d.delete(&pack_1), &[2]),
        ("swapped", &|d| d.swap(&pack_1, &pack_2), &[]),
        ("duplicated over", &|d| d.duplicate(&pack_1, &pack_2), &[1]),
        (
            "under another number",
            &|d| d.duplicate(&pack_2, elsewhere(3)),
            &[2, 1],
        ),
        (
            "under another id",
            &|d| d.duplicate(&pack_2, format!("{:020}-{:016x}.pack", 2, 1)),
            &[2, 1],
        ),
        ("foreign", &|d| d.write(&pack_2, &foreign), &[1]),
        ("empty", &|d| d.write(&pack_2, b""), &[1]),
        ("a header alone", &|d| d.truncate(&pack_2, 512), &[1]),
    ];
    for (what, damage, expected) in cases {
        let disk = start.fork();
        damage(&disk);
        let files = disk.files();
        let snapshots = open(&disk);
        let listing = snapshots.list().unwrap();
        let loadable: Vec<u64> = listing
            .sound
            .iter()
            .filter(|manifest| {
                let loaded = snapshots.load(manifest, LoadOptions::default());
                let read_back = read_back(&snapshots, manifest);
                assert_eq!(loaded.is_ok(), read_back.is_ok());
                assert!(loaded.as_ref().err().is_none_or(is_verdict), "{loaded:?}");
                loaded.is_ok_and(|l| content(&l) == tiny_sections(manifest.id().tx()))
            })
            .map(|manifest| manifest.id().tx())
            .collect();
        assert_eq!(loadable, *expected, "{what}");
        assert_eq!(disk.files(), files, "{what}: opening removes no evidence");
        // Whatever it was, a newer snapshot can be written and is used.
        write(&snapshots, 9, &tiny_sections(9)).unwrap();
        assert_eq!(snapshots.list().unwrap().sound[0].id().tx(), 9);
        check_content(&snapshots, 9, &tiny_sections(9));
    }
}

/// Something else under the name of a pack is a verdict about that snapshot, as a pack that is not there: others are used, and it stays where it is.
#[cfg(unix)]
#[test]
#[expect(clippy::disallowed_methods, reason = "the test damages the directory")]
fn what_is_no_file_in_place_of_one_is_rejected_and_left_alone() {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;
    type Replace = fn(&Path);
    let replacements: [(&str, Replace); 4] = [
        ("link", |path| {
            let aside = path.with_extension("aside");
            fs::rename(path, &aside).unwrap();
            symlink(&aside, path).unwrap();
        }),
        ("link to nowhere", |path| {
            fs::remove_file(path).unwrap();
            symlink("nowhere", path).unwrap();
        }),
        ("directory", |path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        }),
        ("pipe", |path| {
            fs::remove_file(path).unwrap();
            let made = std::process::Command::new("mkfifo").arg(path).status();
            assert!(made.unwrap().success());
        }),
    ];
    for (what, replace) in replacements {
        let real = tempfile::tempdir().unwrap();
        let dir = disk::OsDir::open(real.path()).unwrap();
        let snapshots = Snapshots::open(dir.clone(), Options::default()).unwrap();
        write(&snapshots, 1, &tiny_sections(1)).unwrap();
        write(&snapshots, 2, &tiny_sections(2)).unwrap();
        let newest = snapshots.list().unwrap().sound.remove(0);
        let name = newest.pack_names().next().unwrap();
        let path = real.path().join(&name);
        replace(&path);
        let is_named = |error: &Error| {
            let kind = DamageKind::NotAFile;
            matches!(error, Error::Damaged { file, byte_offset: 0, kind: found } if *file == path && *found == kind)
        };
        // Listed before it was replaced, too.
        let refused = [
            snapshots.load(&newest, LoadOptions::default()).map(drop),
            map(&snapshots, &newest).map(drop),
            read_back(&snapshots, &newest).map(drop),
            snapshots.outline(&newest).map(drop),
        ];
        for refused in refused {
            assert!(refused.as_ref().is_err_and(is_named), "{what}: {refused:?}");
        }
        let snapshots = Snapshots::open(dir.clone(), Options::default()).unwrap();
        let listing = snapshots.list().unwrap();
        assert_eq!(listing.sound.len(), 1, "{what}");
        assert!(is_named(&listing.rejected[0].reason), "{what}: {listing:?}");
        check_content(&snapshots, 1, &tiny_sections(1));
        assert!(snapshots.set_aside().unwrap().is_empty(), "{what}");
        // The same snapshot again, and others, go beside it.
        for tx in [2, 3] {
            assert!(
                !write(&snapshots, tx, &tiny_sections(tx))
                    .unwrap()
                    .already_there
            );
            check_content(&snapshots, tx, &tiny_sections(tx));
        }
        snapshots.remove(SnapshotId(1)).unwrap();
        let sound: Vec<u64> = snapshots
            .list()
            .unwrap()
            .sound
            .iter()
            .map(|it| it.id().tx())
            .collect();
        assert_eq!(sound, [3, 2], "{what}");
        // What is sound of a transaction can go, and what is beside it is not in the way.
        snapshots.remove(SnapshotId(2)).unwrap();
        let listing = snapshots.list().unwrap();
        assert_eq!(listing.sound.len(), 1, "{what}: {listing:?}");
        assert!(!fs::symlink_metadata(&path).unwrap().is_file(), "{what}");
    }
}
