//! What a snapshot promises when everything goes wrong: complete or absent, and older ones unharmed.
#![allow(clippy::unwrap_used)]

#[path = "fixture/fixture.rs"]
mod fixture;

use disk::{Call, Crash, Fault, Operation, SimDisk};
use fixture::{
    Section, all_modes, check_content, content, header, page, repeatable, tiny_sections, write,
};
use snapshot::{DamageKind, Error, LoadOptions, Options, SnapshotId, Snapshots};

/// How many outcomes of one power cut are looked at.
const POWER_CUTS_MAX: u64 = 24;

fn open(disk: &SimDisk) -> Snapshots {
    Snapshots::open(disk.root(), repeatable()).unwrap()
}

/// A disk with a durable snapshot of each of these transactions.
fn disk_with(txs: &[u64]) -> SimDisk {
    let disk = SimDisk::new(1);
    let snapshots = open(&disk);
    for tx in txs {
        write(&snapshots, *tx, &tiny_sections(*tx)).unwrap();
    }
    disk
}

/// The snapshots on the disk, all of them readable whole; nothing else may be there.
fn sound_ids(snapshots: &Snapshots) -> Vec<u64> {
    let listing = snapshots.list().unwrap();
    assert!(listing.rejected.is_empty(), "{:?}", listing.rejected);
    let ids = listing.sound.iter().map(|manifest| manifest.id().tx());
    ids.inspect(|tx| check_content(snapshots, *tx, &tiny_sections(*tx)))
        .collect()
}

/// Everything that a crash before call `number` may leave: what a kill leaves, and what power cuts may.
fn crashes_before(disk: &SimDisk, number: u64) -> Vec<SimDisk> {
    let mut before = vec![disk.state_before(number)];
    if let Some(bytes) = disk.recorded_write_bytes(number) {
        before.extend([1, bytes / 2].map(|count| disk.state_within(number, count.min(bytes))));
    }
    let power: Vec<SimDisk> = before
        .iter()
        .flat_map(|disk| disk.power_cuts(POWER_CUTS_MAX, number))
        .collect();
    for disk in &mut before {
        disk.crash(Crash::Kill);
    }
    before.extend(power);
    before
}

/// Looks at a crashed disk read-only, then opens it, and crashes that at each call, too.
fn check_crashed(disk: &SimDisk, allowed: &[&[u64]], depth: u32) {
    let options = Options {
        read_only: true,
        ..repeatable()
    };
    let seen = sound_ids(&Snapshots::open(disk.root(), options).unwrap());
    assert!(allowed.contains(&&*seen), "{seen:?}");
    disk.record();
    let first = disk.call_count();
    let snapshots = open(disk);
    let end = disk.call_count();
    assert_eq!(
        sound_ids(&snapshots),
        seen,
        "opening changes nothing that is seen"
    );
    assert_eq!(
        disk.files().len(),
        2 * seen.len(),
        "leftovers are gone: {:?}",
        disk.files()
    );
    if depth == 0 {
        return;
    }
    for number in first..end {
        if is_change(&disk.calls()[usize::try_from(number).unwrap()]) {
            for crashed in crashes_before(disk, number) {
                check_crashed(&crashed, allowed, depth - 1);
            }
        }
    }
    for crashed in disk.power_cuts(POWER_CUTS_MAX, end) {
        check_crashed(&crashed, &[&seen], 0);
    }
    // The name is free and usable again.
    write(&snapshots, 2, &tiny_sections(2)).unwrap();
    check_content(&snapshots, 2, &tiny_sections(2));
}

fn is_change(call: &Call) -> bool {
    use Operation::{Create, Remove, Rename, SyncDir, SyncFile, Write};
    matches!(
        call.operation,
        Create | Remove | Rename | SyncDir | SyncFile | Write
    )
}

fn crash_at_each_call(
    start: &SimDisk,
    work: impl Fn(&Snapshots),
    during: &[&[u64]],
    after: &[u64],
) {
    let disk = start.fork();
    let snapshots = open(&disk);
    disk.record();
    let first = disk.call_count();
    work(&snapshots);
    let end = disk.call_count();
    let mut checked = 0;
    for number in first..end {
        for crashed in crashes_before(&disk, number) {
            check_crashed(&crashed, during, 1);
            checked += 1;
        }
    }
    for crashed in crashes_before(&disk, end) {
        check_crashed(&crashed, &[after], 1);
    }
    println!("{} calls, {checked} crashes", end - first);
    assert!(checked > end - first);
}

#[test]
fn a_crash_at_any_call_of_write_leaves_all_or_nothing() {
    let work = |snapshots: &Snapshots| {
        write(snapshots, 2, &tiny_sections(2)).unwrap();
    };
    crash_at_each_call(&disk_with(&[1]), work, &[&[1], &[2, 1]], &[2, 1]);
    crash_at_each_call(&disk_with(&[]), work, &[&[], &[2]], &[2]);
}

#[test]
fn a_crash_at_any_call_of_remove_leaves_all_or_nothing() {
    let work = |snapshots: &Snapshots| snapshots.remove(SnapshotId(1)).unwrap();
    crash_at_each_call(&disk_with(&[1, 3]), work, &[&[3], &[3, 1]], &[3]);
}

#[test]
fn a_crash_while_a_damaged_snapshot_is_removed_harms_no_other() {
    let start = disk_with(&[1, 3]);
    start.flip_bit("00000000000000000001.manifest", 80, 0);
    let disk = start.fork();
    let snapshots = open(&disk);
    disk.record();
    let first = disk.call_count();
    snapshots.remove(SnapshotId(1)).unwrap();
    for number in first..=disk.call_count() {
        for crashed in crashes_before(&disk, number) {
            let snapshots = open(&crashed);
            let listing = snapshots.list().unwrap();
            assert_eq!(listing.sound.len(), 1);
            check_content(&snapshots, 3, &tiny_sections(3));
            if !listing.rejected.is_empty() {
                assert!(number < disk.call_count(), "the removal is durable");
                snapshots.remove(SnapshotId(1)).unwrap();
            }
            assert_eq!(crashed.files().len(), 2);
        }
    }
}

/// Fails each call of the write once.
#[test]
fn a_failed_call_of_write_leaves_all_or_nothing() {
    let start = disk_with(&[1]);
    let calls = {
        let disk = start.fork();
        let snapshots = open(&disk);
        let first = disk.call_count();
        write(&snapshots, 2, &tiny_sections(2)).unwrap();
        disk.call_count() - first
    };
    for fault in [Fault::Eio, Fault::Enospc, Fault::Interrupted, Fault::Short] {
        let mut failed = 0;
        for number in 0..calls {
            let disk = start.fork();
            let snapshots = open(&disk);
            disk.fail_at(disk.call_count() + number, fault);
            let result = write(&snapshots, 2, &tiny_sections(2));
            if let Err(error) = &result {
                failed += 1;
                assert!(matches!(error, Error::Io(_)), "{error:?}");
                assert_eq!(error.is_full(), fault == Fault::Enospc);
            }
            let expected: &[u64] = if result.is_ok() { &[2, 1] } else { &[1] };
            assert_eq!(sound_ids(&snapshots), expected, "{fault:?} at {number}");
            for crashed in disk.power_cuts(POWER_CUTS_MAX, number) {
                let allowed: &[&[u64]] = if result.is_ok() {
                    &[&[2, 1]]
                } else {
                    // The last sync may have failed after it did its work.
                    &[&[1], &[2, 1]]
                };
                check_crashed(&crashed, allowed, 0);
            }
            // Without a crash, too, the next write clears up and succeeds.
            write(&snapshots, 2, &tiny_sections(2)).unwrap();
            assert_eq!(sound_ids(&snapshots), [2, 1]);
            assert_eq!(disk.files().len(), 4, "{:?}", disk.files());
        }
        match fault {
            Fault::Interrupted | Fault::Short => assert_eq!(failed, 0),
            _ => assert!(failed > 10),
        }
    }
}

/// Two calls fail, the second one perhaps while the first failure is cleared up; then the disk recovers, the same
/// process writes another snapshot, and is crashed at each call of that. A pack without a manifest may come back: a
/// directory whose sync failed can lose a removal that nothing shows any more.
#[test]
fn two_failed_calls_of_write_cost_nothing() {
    let start = disk_with(&[1]);
    let allowed: &[&[u64]] = &[&[1], &[2, 1], &[3, 1], &[3, 2, 1]];
    let mut failed = 0;
    for first in 0..30 {
        for second in first + 1..first + 12 {
            let disk = start.fork();
            let snapshots = open(&disk);
            let calls = disk.call_count();
            disk.fail_at(calls + first, Fault::Eio);
            disk.fail_at(calls + second, Fault::Eio);
            if write(&snapshots, 2, &tiny_sections(2)).is_ok() {
                continue;
            }
            failed += 1;
            disk.clear_faults();
            disk.record();
            let from = disk.call_count();
            write(&snapshots, 3, &tiny_sections(3)).unwrap();
            for number in from..=disk.call_count() {
                let crashed = disk.state_before(number);
                for crashed in crashed.power_cuts(6, number + second) {
                    let seen = sound_ids(&open(&crashed));
                    assert!(allowed.contains(&&*seen), "{seen:?}");
                }
            }
        }
    }
    assert!(failed > 100);
}

/// From some call of the write on, everything fails, the clearing up included.
#[test]
fn a_disk_that_is_gone_for_a_while_costs_nothing() {
    let start = disk_with(&[1]);
    let mut failed = 0;
    for number in 0..30 {
        let disk = start.fork();
        let snapshots = open(&disk);
        let first = disk.call_count() + number;
        for call in first..first + 100 {
            disk.fail_at(call, Fault::Eio);
        }
        if write(&snapshots, 2, &tiny_sections(2)).is_ok() {
            continue;
        }
        failed += 1;
        disk.clear_faults();
        for crashed in disk.power_cuts(POWER_CUTS_MAX, number) {
            check_crashed(&crashed, &[&[1], &[2, 1]], 0);
        }
        write(&snapshots, 3, &tiny_sections(3)).unwrap();
        check_content(&snapshots, 3, &tiny_sections(3));
        check_content(&snapshots, 1, &tiny_sections(1));
    }
    assert!(failed > 10);
}

/// A full disk must not keep a snapshot from being removed.
#[test]
fn removing_needs_no_space() {
    let disk = disk_with(&[1, 2]);
    disk.set_capacity(Some(disk.used_bytes()));
    let snapshots = open(&disk);
    assert!(
        write(&snapshots, 3, &tiny_sections(3))
            .unwrap_err()
            .is_full()
    );
    snapshots.remove(SnapshotId(1)).unwrap();
    write(&snapshots, 3, &tiny_sections(3)).unwrap();
    assert_eq!(sound_ids(&snapshots), [3, 2]);
}

#[test]
fn a_failed_call_of_remove_harms_no_other() {
    let start = disk_with(&[1, 3]);
    for number in 0..40 {
        let disk = start.fork();
        let snapshots = open(&disk);
        disk.fail_at(disk.call_count() + number, Fault::Eio);
        let result = snapshots.remove(SnapshotId(1));
        disk.clear_faults();
        let expected: &[&[u64]] = if result.is_ok() {
            &[&[3]]
        } else {
            &[&[3], &[3, 1]]
        };
        assert!(expected.contains(&&*sound_ids(&snapshots)));
        for crashed in disk.power_cuts(POWER_CUTS_MAX, number) {
            check_crashed(&crashed, expected, 0);
        }
        if result.is_err() && sound_ids(&snapshots).len() == 2 {
            snapshots.remove(SnapshotId(1)).unwrap();
        }
        open(&disk);
        assert_eq!(disk.files().len(), 2, "{:?}", disk.files());
    }
}

#[test]
fn a_full_disk_refuses_and_gives_the_space_back() {
    let start = disk_with(&[1]);
    let used = start.used_bytes();
    let large = vec![
        (0..10)
            .map(|i| (i, page(u8::try_from(i).unwrap())))
            .collect::<Section>(),
    ];
    let mut refused = 0;
    for room in (0..400_000).step_by(10_000) {
        let disk = start.fork();
        let snapshots = open(&disk);
        disk.set_capacity(Some(used + room));
        if let Err(error) = write(&snapshots, 2, &large) {
            refused += 1;
            assert!(error.is_full(), "{error:?}");
            assert_eq!(disk.used_bytes(), used);
            assert_eq!(disk.files(), start.files());
            assert_eq!(sound_ids(&snapshots), [1]);
            disk.set_capacity(None);
            write(&snapshots, 2, &large).unwrap();
        }
        check_content(&snapshots, 2, &large);
    }
    assert!((20..40).contains(&refused), "{refused}");
}

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
    let read_back = snapshots.read_back(manifest);
    assert!(
        read_back.as_ref().err().is_none_or(is_verdict),
        "{what}: {read_back:?}"
    );
    assert!(!must_be_found || read_back.is_err(), "{what}");
    let mut failed = false;
    for options in all_modes() {
        match snapshots.load(manifest, options) {
            Ok(loaded) => {
                let lazy = options.verify == snapshot::Verify::Lazy;
                let verified = (0..loaded.section_count())
                    .flat_map(|section| loaded.section(section))
                    .all(|(_, blob)| blob.verify());
                assert!(lazy || verified);
                assert!(
                    !verified || content(&loaded) == sections,
                    "{what}: {options:?}"
                );
                failed |= !verified;
            }
            Err(error) => {
                assert!(is_verdict(&error), "{what}: {error:?}");
                failed = true;
            }
        }
    }
    assert!(!failed || read_back.is_err(), "{what}");
    failed
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
        let padding = if file.ends_with(".pack") {
            8 * (4096 - 64)
        } else {
            0
        };
        assert_eq!(harmless, padding);
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
            if length >= 64 || file.ends_with(".pack") {
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

fn file(disk: &SimDisk, tx: u64, suffix: &str) -> String {
    let start = format!("{tx:020}");
    let mut files = disk.files().into_iter();
    files
        .find(|file| file.starts_with(&start) && file.ends_with(suffix))
        .unwrap()
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
        disk.read(file(&disk, 2, ".pack")).unwrap()
    };
    let name = |tx, suffix| file(&start, tx, suffix);
    let (pack_1, pack_2) = (name(1, ".pack"), name(2, ".pack"));
    let (manifest_1, manifest_2) = (name(1, ".manifest"), name(2, ".manifest"));
    type Damage<'a> = &'a dyn Fn(&SimDisk);
    let cases: &[(&str, Damage<'_>, &[u64])] = &[
        ("nothing", &|_| {}, &[2, 1]),
        ("pack missing", &|d| d.delete(&pack_2), &[1]),
        ("older pack missing", &|d| d.delete(&pack_1), &[2]),
        ("manifest missing", &|d| d.delete(&manifest_2), &[1]),
        ("packs swapped", &|d| d.swap(&pack_1, &pack_2), &[]),
        (
            "manifests swapped",
            &|d| d.swap(&manifest_1, &manifest_2),
            &[],
        ),
        (
            "pack duplicated over",
            &|d| d.duplicate(&pack_1, &pack_2),
            &[1],
        ),
        (
            "manifest duplicated over",
            &|d| d.duplicate(&manifest_1, &manifest_2),
            &[1],
        ),
        (
            "manifest under another number",
            &|d| d.duplicate(&manifest_2, "00000000000000000003.manifest"),
            &[2, 1],
        ),
        ("foreign pack", &|d| d.write(&pack_2, &foreign), &[1]),
        ("empty pack", &|d| d.write(&pack_2, b""), &[1]),
        ("empty manifest", &|d| d.write(&manifest_2, b""), &[1]),
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
                let read_back = snapshots.read_back(manifest);
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

#[cfg(unix)]
#[test]
fn links_and_directories_in_place_of_files_are_rejected() {
    use std::os::unix::fs::symlink;
    type Replace = fn(&std::path::Path);
    let replacements: [(&str, Replace); 2] = [
        ("link", |path| {
            let aside = path.with_extension("aside");
            #[expect(clippy::disallowed_methods, reason = "the test damages the directory")]
            std::fs::rename(path, &aside).unwrap();
            symlink(&aside, path).unwrap();
        }),
        ("directory", |path| {
            #[expect(clippy::disallowed_methods, reason = "the test damages the directory")]
            std::fs::remove_file(path).unwrap();
            #[expect(clippy::disallowed_methods, reason = "the test damages the directory")]
            std::fs::create_dir(path).unwrap();
        }),
    ];
    for (what, replace) in replacements {
        for suffix in [".manifest", ".pack"] {
            let real = tempfile::tempdir().unwrap();
            let dir = disk::OsDir::open(real.path()).unwrap();
            let snapshots = Snapshots::open(dir.clone(), Options::default()).unwrap();
            write(&snapshots, 1, &tiny_sections(1)).unwrap();
            write(&snapshots, 2, &tiny_sections(2)).unwrap();
            let names = dir.list().unwrap().into_iter().map(|entry| entry.name);
            let name = names
                .filter(|name| name.starts_with("00000000000000000002"))
                .find(|name| name.ends_with(suffix))
                .unwrap();
            replace(&real.path().join(&name));
            let snapshots = Snapshots::open(dir.clone(), Options::default()).unwrap();
            let listing = snapshots.list().unwrap();
            assert_eq!(listing.sound.len(), 1, "{what} {suffix}");
            check_content(&snapshots, 1, &tiny_sections(1));
            let reason = &listing.rejected[0].reason;
            assert!(
                matches!(reason, Error::Io(disk::Error::NotAFile { .. })),
                "{reason:?}"
            );
        }
    }
}
