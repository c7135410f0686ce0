//! What a scrub promises: all that is not whole is named, and what has a sound copy is written anew; nothing gets worse, whatever fails.
#![allow(clippy::unwrap_used)]

#[path = "fixture/fixture.rs"]
mod fixture;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use disk::{Crash, Fault, SimDisk};
use fixture::{
    Random, Section, check_content, content, disk_with, each_seed, header, open, page, read_back,
    repeatable, tiny_sections, write,
};
use snapshot::{
    Blobs, Error, Finding, Hash, LoadMode, LoadOptions, Mending, Options, Outline, ScrubReport,
    SnapshotId, Snapshots, SoundCopy, Source, Spare,
};

/// Some pages, of which two are equal, and small blobs.
fn state() -> Vec<Section> {
    let mut random = Random(3);
    let mut pages: Section = (0..6).map(|number| (number, random.bytes(32768))).collect();
    pages.push((70, page(9)));
    pages.push((71, page(9)));
    vec![pages, vec![(2, b"a head".to_vec()), (3, vec![7; 900])]]
}

/// The same state twice, in two lines that share no byte.
fn two_lines(sections: &[Section]) -> (SimDisk, Vec<Outline>) {
    let disk = SimDisk::new(1);
    let snapshots = open(&disk);
    let mut outlines = Vec::new();
    for tx in [1, 2] {
        outlines.extend(write(&snapshots, tx, sections).unwrap().outline);
    }
    (disk, outlines)
}

fn files(disk: &SimDisk) -> BTreeMap<String, Vec<u8>> {
    let paths = disk.files().into_iter();
    paths
        .map(|path| (path.clone(), disk.read(&path).unwrap()))
        .collect()
}

/// A whole scrub. `live` is what the state is now.
fn try_scrub(
    snapshots: &Snapshots,
    outlines: &[Outline],
    live: &[Section],
    repair: bool,
) -> Result<ScrubReport, Error> {
    let mut scrub = snapshots.scrub()?;
    while scrub.step()? {}
    let mut sources: Vec<_> = live
        .iter()
        .map(|section| Blobs::new(section.iter().map(|(number, blob)| (*number, blob))))
        .collect();
    let mut sections: Vec<&mut dyn Source> =
        sources.iter_mut().map(|s| s as &mut dyn Source).collect();
    let spare = Spare {
        outlines,
        sections: &mut sections,
    };
    snapshots.mend(scrub, spare, repair, &mut |_| ControlFlow::Continue(()))
}

fn scrub(disk: &SimDisk, outlines: &[Outline], live: &[Section], repair: bool) -> ScrubReport {
    try_scrub(&open(disk), outlines, live, repair).unwrap()
}

fn only(report: &ScrubReport) -> &Finding {
    assert_eq!(report.findings.len(), 1, "{report:?}");
    &report.findings[0]
}

fn ids(report: &ScrubReport) -> Vec<u64> {
    let mut ids: Vec<u64> = report.sound.iter().map(|it| it.id().tx()).collect();
    ids.sort_unstable();
    ids
}

#[test]
fn what_is_whole_is_read_and_left_as_it_is() {
    let (disk, outlines) = two_lines(&state());
    let before = files(&disk);
    let snapshots = open(&disk);
    let mut under_way = snapshots.scrub().unwrap();
    let mut last = under_way.progress();
    while under_way.step().unwrap() {
        let progress = under_way.progress();
        assert!(progress.bytes >= last.bytes && progress.blobs >= last.blobs);
        last = progress;
    }
    assert!(under_way.is_clean());
    // All but the headers and the manifests.
    let all: u64 = before.values().map(|bytes| bytes.len() as u64).sum();
    assert_eq!(under_way.progress().bytes_all, all);
    assert!(
        (all - 2048..all).contains(&under_way.progress().bytes),
        "{under_way:?}"
    );
    let report = try_scrub(&snapshots, &outlines, &state(), true).unwrap();
    assert!(report.is_sound() && report.findings.is_empty());
    assert_eq!((ids(&report), report.packs), (vec![1, 2], 2));
    // Two of the pages are equal, and stored once.
    assert_eq!(report.blobs, 2 * 9);
    assert!(files(&disk) == before);
}

/// One flipped bit in each byte of both files: with what a process remembers, every one is put right.
#[test]
fn each_flipped_bit_is_named_and_put_right() {
    let sections = tiny_sections(5);
    let (disk, outlines) = two_lines(&sections);
    let before = files(&disk);
    for (path, bytes) in &before {
        for byte in 0..bytes.len() as u64 {
            let bad = disk.fork();
            bad.flip_bit(path, byte, u32::try_from(byte % 8).unwrap());
            let reading = Options {
                read_only: true,
                ..repeatable()
            };
            let snapshots = Snapshots::open(bad.root(), reading).unwrap();
            let report = try_scrub(&snapshots, &outlines, &sections, false).unwrap();
            let finding = only(&report);
            assert!(finding.file.ends_with(path), "{byte}: {finding:?}");
            assert!(
                matches!(finding.mending, Mending::Possible { .. }),
                "{finding:?}"
            );
            assert!(finding.reason.is_damage());
            assert!(report.is_damaged() && !report.is_sound());
            assert_eq!(report.sound.len(), 1);
            assert!(finding.byte_offset <= byte, "{byte}: {finding:?}");
            let report = scrub(&bad, &outlines, &sections, true);
            assert!(report.is_sound(), "{byte}: {report:?}");
            only(&report);
            assert_eq!(ids(&report), [1, 2]);
            assert!(files(&bad) == before, "{path} at {byte}");
        }
    }
}

/// With nothing in memory: a blob comes from the other file, a node and a manifest from nowhere.
#[test]
fn a_blob_is_put_right_from_the_other_line_alone() {
    let (disk, _) = two_lines(&state());
    let before = files(&disk);
    let mut random = Random(1);
    let (mut from_file, mut lost) = (0, 0);
    for (path, bytes) in &before {
        for _ in 0..60 {
            let byte = random.below(bytes.len() as u64);
            let bad = disk.fork();
            bad.flip_bit(path, byte, 3);
            let damaged = files(&bad);
            let report = scrub(&bad, &[], &[], true);
            match &only(&report).mending {
                Mending::Done { .. } => {
                    assert!(files(&bad) == before);
                    from_file += 1;
                }
                Mending::Impossible => {
                    assert!(files(&bad) == damaged);
                    lost += 1;
                }
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(from_file > 90, "{from_file}");
    assert!(lost > 0);
}

#[test]
fn a_copy_is_whatever_has_the_hash_and_nothing_else() {
    let (disk, outlines) = two_lines(&state());
    let before = files(&disk);
    let names: Vec<&String> = before.keys().collect();
    // The same page in both, at the same place.
    for name in &names {
        disk.flip_bit(name, 4096 + 40_000, 3);
    }
    let mut other = state();
    let number = before[names[0]][4096..].chunks(32768).nth(1).map(|bytes| {
        state()[0]
            .iter()
            .position(|(_, page)| page == bytes)
            .unwrap()
    });
    other[0][number.unwrap()].1[5] ^= 1;
    let report = scrub(&disk.fork(), &outlines, &other, true);
    assert_eq!(report.findings.len(), 2);
    for finding in &report.findings {
        assert!(matches!(finding.mending, Mending::Impossible));
    }
    assert!(report.sound.is_empty());
    let report = scrub(&disk, &outlines, &state(), true);
    for finding in &report.findings {
        let from_memory = Mending::Done {
            from: SoundCopy::Memory,
        };
        assert_eq!(format!("{:?}", finding.mending), format!("{from_memory:?}"));
    }
    assert!(files(&disk) == before);
    // A line that has gone bad in many places is put right from the other.
    for number in 0..6 {
        disk.flip_bit(names[1], 4096 + number * 32768, 0);
    }
    let report = scrub(&disk, &[], &[], true);
    assert_eq!(report.findings.len(), 6);
    for finding in &report.findings {
        let Mending::Done {
            from: SoundCopy::File(file),
        } = &finding.mending
        else {
            panic!("{finding:?}");
        };
        assert!(file.ends_with(names[0]));
    }
    assert!(files(&disk) == before);
}

#[test]
fn a_file_that_is_cut_longer_or_gone_is_made_whole_again() {
    let (disk, outlines) = two_lines(&state());
    let before = files(&disk);
    let path = before.keys().next().unwrap();
    let length = before[path].len() as u64;
    let mut random = Random(9);
    let lengths = [
        0,
        1,
        511,
        512,
        4096,
        length - 1,
        length + 1,
        length + 70_000,
    ];
    let drawn: Vec<u64> = (0..20).map(|_| random.below(length)).collect();
    for cut in lengths.into_iter().chain(drawn) {
        let bad = disk.fork();
        bad.truncate(path, cut);
        if cut < length {
            let damaged = files(&bad);
            let report = scrub(&bad, &[], &[], true);
            assert!(!report.is_sound());
            assert!(files(&bad) == damaged, "what was in it is not known");
        }
        let report = scrub(&bad, &outlines, &[], true);
        assert!(report.is_sound(), "{cut}: {report:?}");
        assert_eq!(ids(&report), [1, 2]);
        assert!(files(&bad) == before);
    }
    let bad = disk.fork();
    bad.delete(path);
    assert!(
        scrub(&bad, &[], &[], true).is_sound(),
        "nobody knows that it was there"
    );
    let report = scrub(&bad, &outlines, &[], true);
    assert!(report.is_sound(), "{report:?}");
    only(&report);
    assert!(files(&bad) == before);
}

/// The snapshots share a pack whose own snapshot is gone.
#[test]
fn a_pack_that_is_shared_is_put_right_for_all() {
    let disk = SimDisk::new(1);
    let snapshots = open(&disk);
    let sections = state();
    let mut base = write(&snapshots, 1, &sections).unwrap().outline.unwrap();
    write(&snapshots, 2, &sections).unwrap();
    for tx in [3, 4] {
        let mut sources: Vec<_> = sections.iter().map(|s| Blobs::new(s.clone())).collect();
        let mut sources: Vec<&mut dyn Source> =
            sources.iter_mut().map(|s| s as &mut dyn Source).collect();
        let basis = snapshot::Basis {
            known: None,
            share: Some(&base),
        };
        let on = &mut |_| ControlFlow::Continue(());
        let written = snapshots
            .write_on(basis, &header(tx), &mut sources, on)
            .unwrap();
        base = written.outline.unwrap();
    }
    snapshots.remove(SnapshotId(1)).unwrap();
    let before = files(&disk);
    let path = before.keys().next().unwrap();
    disk.flip_bit(path, 4096 + 5, 3);
    let report = try_scrub(&snapshots, &[], &[], true).unwrap();
    let finding = only(&report);
    assert!(finding.file.ends_with(path));
    let resting: Vec<u64> = finding.snapshots.iter().map(|id| id.tx()).collect();
    assert_eq!(resting, [3, 4]);
    assert_eq!(ids(&report), [2, 3, 4]);
    assert!(files(&disk) == before);
}

#[test]
fn who_has_the_damaged_file_mapped_goes_on() {
    let (disk, outlines) = two_lines(&state());
    let snapshots = open(&disk);
    let mapped = LoadOptions {
        mode: LoadMode::Map,
        ..LoadOptions::default()
    };
    let manifest = outlines[0].manifest();
    let loaded = snapshots.load(manifest, mapped).unwrap();
    let path = disk.files().remove(0);
    disk.flip_bit(&path, 4096 + 5, 3);
    assert!(
        try_scrub(&snapshots, &outlines, &[], true)
            .unwrap()
            .is_sound()
    );
    disk.delete(&path);
    let blobs = loaded.section(0).iter();
    let whole = blobs.filter(|(_, blob)| Hash::of(blob.bytes()) == blob.hash());
    assert_eq!(whole.count(), 8);
    drop(content(&loaded));
}

/// The power fails, or the process is killed, at each call.
#[test]
fn a_crash_at_any_call_leaves_each_file_as_it_was_or_whole() {
    let sections = tiny_sections(5);
    let (disk, outlines) = two_lines(&sections);
    let before = files(&disk);
    for path in before.keys() {
        disk.flip_bit(path, 4096 + 3, 3);
    }
    let damaged = files(&disk);
    disk.record();
    let snapshots = open(&disk);
    let first = disk.call_count();
    let report = try_scrub(&snapshots, &outlines, &sections, true).unwrap();
    assert!(report.is_sound());
    let end = disk.call_count();
    let (mut old, mut new) = (0, 0);
    for number in first..=end {
        let crashed = disk.state_before(number);
        let mut crashes = crashed.power_cuts(24, number);
        crashes.push(crashed);
        crashes.last().unwrap().crash(Crash::Kill);
        for crashed in crashes {
            drop(open(&crashed));
            let found = files(&crashed);
            assert_eq!(
                found.len(),
                2,
                "nothing else is left: {:?}",
                crashed.files()
            );
            for (path, bytes) in &found {
                assert!(*bytes == before[path] || *bytes == damaged[path]);
                old += u64::from(*bytes == damaged[path]);
                new += u64::from(*bytes == before[path]);
                assert!(
                    number < end || *bytes == before[path],
                    "what is mended is durable"
                );
            }
            assert!(scrub(&crashed, &outlines, &sections, true).is_sound());
            assert!(files(&crashed) == before);
        }
    }
    assert!(old > 10 && new > 10, "{old} {new}");
}

/// Each call fails once. What is said to be mended is, durably; what is said to be as it was is that, too.
#[test]
fn a_failed_call_is_no_verdict_and_no_harm() {
    let sections = tiny_sections(5);
    let (disk, outlines) = two_lines(&sections);
    let before = files(&disk);
    let path = before.keys().next().unwrap();
    disk.flip_bit(path, 4096 + 3, 3);
    let damaged = files(&disk);
    let (mut failed, mut unsure, mut refused) = (0, 0, 0);
    for fault in [Fault::Eio, Fault::Enospc] {
        for number in 0.. {
            let disk = disk.fork();
            let snapshots = open(&disk);
            let first = disk.call_count();
            disk.fail_at(first + number, fault);
            let result = try_scrub(&snapshots, &outlines, &sections, true);
            let has_happened = disk.call_count() > first + number;
            disk.clear_faults();
            let (is_mended, is_unsure) = match &result {
                Ok(report) => {
                    let unsure = report
                        .findings
                        .iter()
                        .any(|it| matches!(it.mending, Mending::Unsure { .. }));
                    let failing = report
                        .findings
                        .iter()
                        .any(|it| matches!(it.mending, Mending::Failed { .. }));
                    failed += u64::from(failing);
                    // Reading it back afterwards may have failed.
                    let mut done = report.findings.iter().map(Finding::is_mended);
                    (done.any(|it| it) || report.is_sound(), unsure)
                }
                Err(error) => {
                    assert!(matches!(error, Error::Io(_)), "{error}");
                    refused += 1;
                    (false, false)
                }
            };
            unsure += u64::from(is_unsure);
            if is_mended {
                assert!(files(&disk) == before);
            } else if !is_unsure {
                assert!(files(&disk)[path] == damaged[path], "{fault:?} at {number}");
            }
            for crashed in disk.power_cuts(24, number) {
                let found = files(&crashed);
                assert!(found[path] == before[path] || !is_mended && found[path] == damaged[path]);
            }
            assert!(scrub(&disk, &outlines, &sections, true).is_sound());
            assert!(files(&disk) == before);
            if !has_happened {
                break;
            }
        }
    }
    assert!(
        failed > 5 && unsure > 0 && refused > 3,
        "{failed} {unsure} {refused}"
    );
}

/// A full disk: the file stays as it was, and the space of the copy comes back.
#[test]
fn a_full_disk_changes_nothing() {
    let (disk, outlines) = two_lines(&state());
    let before = files(&disk);
    let path = before.keys().next().unwrap();
    disk.flip_bit(path, 4096 + 3, 3);
    let damaged = files(&disk);
    let used = disk.used_bytes();
    for room in [0, 4096, 100_000, 200_000] {
        disk.set_capacity(Some(used + room));
        let report = scrub(&disk, &outlines, &[], true);
        let Mending::Failed { error } = &only(&report).mending else {
            panic!("{report:?}");
        };
        assert!(error.is_full());
        assert_eq!(ids(&report), [2]);
        assert!(files(&disk) == damaged);
        assert_eq!(disk.used_bytes(), used);
    }
    disk.set_capacity(None);
    assert!(scrub(&disk, &outlines, &[], true).is_sound());
    assert!(files(&disk) == before);
}

#[test]
fn it_can_be_given_up_at_any_moment() {
    let (disk, outlines) = two_lines(&state());
    let before = files(&disk);
    let path = before.keys().next().unwrap();
    disk.flip_bit(path, 4096 + 3, 3);
    let damaged = files(&disk);
    let mut given_up = 0;
    for calls in 0.. {
        let disk = disk.fork();
        let snapshots = open(&disk);
        let mut under_way = snapshots.scrub().unwrap();
        while under_way.step().unwrap() {}
        let spare = Spare {
            outlines: &outlines,
            ..Spare::default()
        };
        let mut left = calls;
        let result = snapshots.mend(under_way, spare, true, &mut |_| {
            if left == 0 {
                return ControlFlow::Break(());
            }
            left -= 1;
            ControlFlow::Continue(())
        });
        match result {
            Ok(report) => {
                assert!(report.is_sound());
                break;
            }
            Err(Error::Cancelled) => given_up += 1,
            Err(error) => panic!("{error}"),
        }
        let found = files(&disk);
        assert!(found == damaged || found == before);
    }
    assert!(given_up > 20, "{given_up}");
}

#[test]
fn snapshots_come_and_go_meanwhile() {
    let disk = disk_with(&[1, 2, 3]);
    let snapshots = open(&disk);
    let mut under_way = snapshots.scrub().unwrap();
    under_way.step().unwrap();
    write(&snapshots, 4, &tiny_sections(4)).unwrap();
    snapshots.remove(SnapshotId(1)).unwrap();
    snapshots.remove(SnapshotId(3)).unwrap();
    while under_way.step().unwrap() {}
    let on = &mut |_| ControlFlow::Continue(());
    let report = snapshots
        .mend(under_way, Spare::default(), true, on)
        .unwrap();
    assert!(
        report.is_sound() && report.findings.is_empty(),
        "{report:?}"
    );
    assert!(ids(&report).contains(&2));
}

/// A file of a later transaction that can not be read keeps the packs before it; set aside it does not.
#[test]
fn what_nobody_can_read_is_set_aside() {
    let disk = disk_with(&[1, 2, 3]);
    let names = disk.files();
    disk.flip_bit(&names[2], 20, 3);
    let snapshots = open(&disk);
    snapshots.remove(SnapshotId(1)).unwrap();
    assert_eq!(disk.files(), names, "the file of 3 may need that of 1");
    let report = try_scrub(&snapshots, &[], &[], true).unwrap();
    assert!(matches!(only(&report).mending, Mending::Impossible));
    let bytes = disk.read(&names[2]).unwrap();
    let aside = snapshots.set_aside().unwrap();
    assert_eq!(aside.len(), 1);
    assert_eq!(
        disk.files(),
        [names[1].clone(), format!("{}.damaged", names[2])]
    );
    assert_eq!(disk.read(format!("{}.damaged", names[2])).unwrap(), bytes);
    check_content(&snapshots, 2, &tiny_sections(2));
    assert!(snapshots.set_aside().unwrap().is_empty());
    write(&snapshots, 3, &tiny_sections(3)).unwrap();
    assert_eq!(snapshots.list().unwrap().sound.len(), 2);
}

/// A pack that a snapshot lies in is never set aside, whatever is wrong with it.
#[test]
fn what_a_snapshot_names_is_not_set_aside() {
    let disk = SimDisk::new(1);
    let snapshots = open(&disk);
    let sections = tiny_sections(1);
    let base = write(&snapshots, 1, &sections).unwrap().outline.unwrap();
    let mut sources: Vec<_> = sections.iter().map(|s| Blobs::new(s.clone())).collect();
    let mut sources: Vec<&mut dyn Source> =
        sources.iter_mut().map(|s| s as &mut dyn Source).collect();
    let basis = snapshot::Basis {
        known: None,
        share: Some(&base),
    };
    let on = &mut |_| ControlFlow::Continue(());
    snapshots
        .write_on(basis, &header(2), &mut sources, on)
        .unwrap();
    let names = disk.files();
    disk.flip_bit(&names[0], 20, 3);
    assert!(snapshots.set_aside().unwrap().is_empty());
    assert_eq!(disk.files(), names);
}

/// Many flips, deletions and cuts in both lines: whatever is called sound is, and what was sound is not touched.
#[test]
fn after_any_damage_what_is_called_sound_is() {
    each_seed("--test scrub after_any_damage", 60, |seed| {
        let mut random = Random(seed);
        let (disk, outlines) = two_lines(&state());
        let names = disk.files();
        for _ in 0..=random.below(12) {
            let name = &names[usize::try_from(random.below(2)).unwrap()];
            let Some(bytes) = disk.read(name) else {
                continue;
            };
            let length = bytes.len() as u64;
            match random.below(20) {
                0 => disk.delete(name),
                1 => disk.truncate(name, random.below(length + 9)),
                2 => disk.zero_sector(name, usize::try_from(random.below(length / 512)).unwrap()),
                _ if length > 0 => disk.flip_bit(name, random.below(length), 1),
                _ => {}
            }
        }
        let known = &outlines[usize::try_from(random.below(3)).unwrap().min(1)..];
        let live = if random.below(2) == 0 {
            state()
        } else {
            Vec::new()
        };
        let snapshots = open(&disk);
        let sound_before = |snapshots: &Snapshots| -> Vec<u64> {
            let listing = snapshots.list().unwrap();
            let sound = listing.sound.iter();
            let whole = sound.filter(|manifest| read_back(snapshots, manifest).is_ok());
            whole.map(|manifest| manifest.id().tx()).collect()
        };
        let was = sound_before(&snapshots);
        let report = try_scrub(&snapshots, known, &live, true).unwrap();
        let is = sound_before(&snapshots);
        assert!(was.iter().all(|id| is.contains(id)), "{was:?} {is:?}");
        let mut said = ids(&report);
        said.reverse();
        assert_eq!(said, is, "{report:?}");
        for id in is {
            check_content(&snapshots, id, &state());
        }
    });
}
