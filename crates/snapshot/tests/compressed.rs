//! Snapshots with compressed pages: the same content under the same names, beside those without; and nothing that they say of lengths is believed.
#![allow(clippy::unwrap_used)]

#[path = "fixture/fixture.rs"]
mod fixture;

#[path = "fixture/by_hand.rs"]
mod by_hand;

use std::ops::ControlFlow;

use by_hand::{Pack, Reference, body, disk_of, section};
use disk::{Crash, Fault, SimDisk};
use fixture::{
    Random, Section, all_modes, check_content, check_manifest, content, each_seed, header, map,
    page, read_back, repeatable, sections,
};
use snapshot::{
    Basis, Blobs, DamageKind, Error, LoadMode, LoadOptions, Loaded, Options, Outline, SnapshotId,
    Snapshots, Source, Spare, Verify, Written,
};

fn open(disk: &SimDisk, compress: bool) -> Snapshots {
    let options = Options {
        compress,
        ..repeatable()
    };
    Snapshots::open(disk.root(), options).unwrap()
}

fn write(
    snapshots: &Snapshots,
    tx: u64,
    sections: &[Section],
    share: Option<&Outline>,
) -> Result<Written, Error> {
    let mut sources: Vec<_> = sections
        .iter()
        .map(|section| Blobs::new(section.iter().map(|(number, blob)| (*number, blob))))
        .collect();
    let mut sources: Vec<&mut dyn Source> =
        sources.iter_mut().map(|s| s as &mut dyn Source).collect();
    let basis = Basis { known: None, share };
    let on = &mut |_| ControlFlow::Continue(());
    snapshots.write_on(basis, &header(tx), &mut sources, on)
}

/// Pages of which some shrink and one does not, and smaller blobs.
fn state() -> Vec<Section> {
    let mut all = sections();
    all[0].push((1 << 21, Random(1).bytes(32768)));
    all
}

/// Pages that shrink to almost nothing, so that the file is small.
fn small_state() -> Vec<Section> {
    vec![
        vec![(0, page(1)), (70, page(2))],
        vec![(2, b"a head".to_vec())],
    ]
}

#[test]
fn the_content_and_its_names_are_the_same_and_the_file_is_smaller() {
    let (plain, packed) = (SimDisk::new(1), SimDisk::new(2));
    let without = write(&open(&plain, false), 1, &state(), None).unwrap();
    let snapshots = open(&packed, true);
    let with = write(&snapshots, 1, &state(), None).unwrap();
    assert!(
        with.file_bytes * 2 < without.file_bytes,
        "{} {}",
        with.file_bytes,
        without.file_bytes
    );
    for section in 0..3 {
        assert_eq!(
            with.manifest.root_hash(section),
            without.manifest.root_hash(section)
        );
    }
    for compress in [true, false] {
        check_manifest(&open(&packed, compress), &with.manifest, &state());
    }
    // What did not shrink is mapped, the rest is not.
    let mapped = |loaded: &Loaded| -> Vec<bool> {
        let pages = loaded.section(0).iter();
        pages.map(|(_, blob)| blob.is_mapped()).collect()
    };
    assert!(map(&snapshots, &with.manifest).unwrap().is_none());
    for verify in [Verify::All, Verify::Checksums] {
        let options = LoadOptions {
            mode: LoadMode::Map,
            verify,
        };
        let loaded = snapshots.load(&with.manifest, options).unwrap();
        assert_eq!(mapped(&loaded), [false, false, false, false, false, true]);
        for (_, blob) in loaded.section(0) {
            assert!(blob.check().is_ok());
            assert!(blob.is_mapped() || (blob.bytes().as_ptr() as usize).is_multiple_of(4096));
        }
    }
}

#[test]
fn only_a_file_that_holds_a_compressed_page_has_the_new_version() {
    let page_of_noise = vec![vec![(0, Random(2).bytes(32768))], vec![(1, vec![0; 32767])]];
    for (compress, sections, version) in [
        (false, state(), 2),
        (true, state(), 3),
        (true, page_of_noise, 2),
    ] {
        let (disk, plain) = (SimDisk::new(1), SimDisk::new(1));
        write(&open(&disk, compress), 1, &sections, None).unwrap();
        let bytes = disk.read(&disk.files()[0]).unwrap();
        assert_eq!(bytes[8], version);
        if version == 2 && !compress {
            write(&open(&plain, false), 1, &sections, None).unwrap();
            assert!(plain.read(&plain.files()[0]).unwrap() == bytes);
        }
    }
}

/// Each snapshot is written on the last but one, with and without in turn.
#[test]
fn lines_of_both_kinds_share_pages_and_let_go_of_them() {
    let mut random = Random(7);
    let disk = SimDisk::new(1);
    let mut state = state();
    let mut written: Vec<(Outline, Vec<Section>)> = Vec::new();
    for tx in 1..=12 {
        let snapshots = open(&disk, tx % 3 != 0);
        let changed = usize::try_from(random.below(5)).unwrap();
        state[0][changed].1[9] = random.bytes(1)[0];
        let share = written.len().checked_sub(2).map(|at| &written[at].0);
        let done = write(&snapshots, tx, &state, share).unwrap();
        if share.is_some() {
            assert!(done.blobs_shared >= 4, "{done:?}");
        }
        read_back(&snapshots, &done.manifest).unwrap();
        let outline = done.outline.unwrap();
        let on = &mut |_| ControlFlow::Continue(());
        snapshots.read_back_own(&outline, on).unwrap();
        written.push((outline, state.clone()));
        if tx > 2 {
            snapshots.remove(SnapshotId(tx - 2)).unwrap();
        }
        for (outline, state) in &written[written.len().saturating_sub(2)..] {
            check_manifest(&snapshots, outline.manifest(), state);
        }
    }
}

/// One flipped bit in each byte: whoever reads finds it, and a scrub puts it right.
#[test]
fn each_flipped_bit_is_found_and_put_right() {
    let disk = SimDisk::new(1);
    let snapshots = open(&disk, true);
    let outlines: Vec<Outline> = [1, 2]
        .iter()
        .filter_map(|tx| {
            write(&snapshots, *tx, &small_state(), None)
                .unwrap()
                .outline
        })
        .collect();
    drop(snapshots);
    let path = disk.files().remove(0);
    let whole = disk.read(&path).unwrap();
    assert!(whole.len() < 8000);
    let manifest = outlines[0].manifest();
    for byte in 0..whole.len() as u64 {
        let bad = disk.fork();
        bad.flip_bit(&path, byte, u32::try_from(byte % 8).unwrap());
        let snapshots = open(&bad, true);
        assert!(
            read_back(&snapshots, manifest).unwrap_err().is_damage(),
            "{byte}"
        );
        for options in all_modes() {
            if let Ok(loaded) = snapshots.load(manifest, options) {
                assert!(content(&loaded) == small_state(), "{byte} {options:?}");
            }
        }
        for spare in [&outlines[..], &[]] {
            let mut scrub = snapshots.scrub().unwrap();
            while scrub.step().unwrap() {}
            let spare = Spare {
                outlines: spare,
                ..Spare::default()
            };
            let on = &mut |_| ControlFlow::Continue(());
            let report = snapshots.mend(scrub, spare, true, on).unwrap();
            assert!(report.is_sound(), "{byte}: {report:?}");
            assert!(bad.read(&path).unwrap() == whole);
        }
    }
}

/// A page that is compressed in one file and plain in the other is put right from either.
#[test]
fn a_page_is_put_right_from_a_file_of_the_other_kind() {
    let disk = SimDisk::new(1);
    write(&open(&disk, false), 1, &state(), None).unwrap();
    write(&open(&disk, true), 2, &state(), None).unwrap();
    let paths = disk.files();
    let whole: Vec<Vec<u8>> = paths.iter().map(|path| disk.read(path).unwrap()).collect();
    for (path, whole) in paths.iter().zip(&whole) {
        disk.flip_bit(path, 4096 + 20, 3);
        let snapshots = open(&disk, true);
        let mut scrub = snapshots.scrub().unwrap();
        while scrub.step().unwrap() {}
        let on = &mut |_| ControlFlow::Continue(());
        let report = snapshots.mend(scrub, Spare::default(), true, on).unwrap();
        assert_eq!(
            (report.findings.len(), report.is_sound()),
            (1, true),
            "{report:?}"
        );
        assert!(disk.read(path).unwrap() == *whole);
    }
}

#[test]
fn a_crash_or_a_failure_at_any_call_leaves_all_or_nothing() {
    let disk = SimDisk::new(1);
    write(&open(&disk, true), 1, &small_state(), None).unwrap();
    let check = |disk: &SimDisk, must: bool| {
        let snapshots = open(disk, false);
        let listing = snapshots.list().unwrap();
        assert!(listing.rejected.is_empty());
        assert!(!must || listing.sound.len() == 2);
        for manifest in listing.sound {
            check_content(&snapshots, manifest.id().tx(), &small_state());
        }
    };
    let whole = disk.fork();
    let snapshots = open(&whole, true);
    whole.record();
    let first = whole.call_count();
    write(&snapshots, 2, &small_state(), None).unwrap();
    let end = whole.call_count();
    for number in first..=end {
        let crashed = whole.state_before(number);
        for cut in crashed.power_cuts(8, number) {
            check(&cut, number == end);
        }
        crashed.crash(Crash::Kill);
        check(&crashed, number == end);
    }
    for fault in [Fault::Eio, Fault::Enospc] {
        for number in 0..end - first {
            let disk = disk.fork();
            let snapshots = open(&disk, true);
            let used = disk.used_bytes();
            disk.fail_at(disk.call_count() + number, fault);
            let result = write(&snapshots, 2, &small_state(), None);
            disk.clear_faults();
            check(&disk, result.is_ok());
            if fault == Fault::Enospc && result.is_err() {
                assert_eq!(disk.used_bytes(), used);
            }
        }
    }
}

fn kinds(disk: &SimDisk) -> Vec<DamageKind> {
    let snapshots = open(disk, false);
    let mut listing = snapshots.list().unwrap();
    if let Some(rejected) = listing.rejected.pop() {
        let Error::Damaged { kind, .. } = rejected.reason else {
            panic!("{:?}", rejected.reason);
        };
        return vec![kind];
    }
    let manifest = &listing.sound[0];
    let mut results = vec![read_back(&snapshots, manifest)];
    results.extend(
        all_modes()
            .into_iter()
            .map(|options| snapshots.load(manifest, options).map(drop)),
    );
    let mut scrub = snapshots.scrub().unwrap();
    while scrub.step().unwrap() {}
    let on = &mut |_| ControlFlow::Continue(());
    let report = snapshots.mend(scrub, Spare::default(), true, on).unwrap();
    assert_eq!(report.is_sound(), results[0].is_ok());
    let kinds = results.into_iter().filter_map(|result| match result {
        Ok(()) => None,
        Err(Error::Damaged { kind, .. }) => Some(kind),
        Err(error) => panic!("{error}"),
    });
    kinds.collect()
}

/// A pack of version 3 with one page, about which a lie may be told.
fn with_page(packed: &[u8], page: &[u8], lie: impl Fn(&mut Reference, &mut Pack)) -> SimDisk {
    let mut pack = Pack::new(1, 5);
    pack.version = 3;
    let mut reference = pack.packed(packed, page);
    lie(&mut reference, &mut pack);
    let section = section(&mut pack, &[(0, reference)]);
    disk_of(2, &body(1, vec![section]), &pack)
}

#[test]
fn each_lie_about_a_compressed_page_is_refused_and_named() {
    let zeros = lz4_flex::block::compress(&[0; 32768]);
    let honest = with_page(&zeros, &[0; 32768], |_, _| {});
    assert!(kinds(&honest).is_empty());
    type Lie = fn(&mut Reference, &mut Pack);
    let shape = DamageKind::ReferenceShape;
    let lies: [(&str, Lie, DamageKind); 8] = [
        (
            "in a file of the version without",
            |_, pack| pack.version = 2,
            DamageKind::Encoding { found: 1 },
        ),
        (
            "an encoding of the future",
            |it, _| it.encoding = 2,
            DamageKind::Encoding { found: 2 },
        ),
        ("four gigabytes", |it, _| it.length = u32::MAX, shape),
        ("longer than a page", |it, _| it.length = 32769, shape),
        ("shorter than a page", |it, _| it.length = 32767, shape),
        (
            "not shorter than a page",
            |it, _| it.stored_length = 32768,
            shape,
        ),
        ("stored as nothing", |it, _| it.stored_length = 0, shape),
        (
            "stored beyond the file",
            |it, _| it.stored_length = 30_000,
            DamageKind::ReferenceBounds,
        ),
    ];
    for (name, lie, expected) in lies {
        let kinds = kinds(&with_page(&zeros, &[0; 32768], lie));
        assert!(
            !kinds.is_empty() && kinds.iter().all(|kind| *kind == expected),
            "{name}: {kinds:?}"
        );
    }
    // Blocks whose checksum and name are right, and that are no page.
    let blocks: [&[u8]; 5] = [
        &lz4_flex::block::compress(&[0; 32767]),
        &lz4_flex::block::compress(&[0; 32769]),
        &lz4_flex::block::compress(&vec![0; 16 << 20])[..20_000],
        &[0xff; 30_000],
        &[0x1f, 0, 0xff, 0xff],
    ];
    for block in blocks {
        let kinds = kinds(&with_page(block, &[0; 32768], |_, _| {}));
        // Whatever is asked for: there is no reading it without unpacking it.
        assert_eq!(kinds.len(), 5, "{kinds:?}");
        assert!(
            kinds.iter().all(|kind| *kind == DamageKind::Unpacking),
            "{kinds:?}"
        );
    }
    // A whole page, and not the one that is named.
    let other = lz4_flex::block::compress(&[1; 32768]);
    let kinds = kinds(&with_page(&other, &[0; 32768], |_, _| {}));
    assert!(
        kinds
            .iter()
            .all(|kind| matches!(kind, DamageKind::ContentHash { .. }))
    );
    assert!(kinds.len() >= 3);
}

/// A node is never compressed.
#[test]
fn a_compressed_node_is_refused() {
    let mut pack = Pack::new(1, 5);
    pack.version = 3;
    let blob = pack.blob(b"x");
    let (count, height, root) = section(&mut pack, &[(0, blob)]);
    let mut root: Reference = root.unwrap();
    root.encoding = 1;
    let disk = disk_of(2, &body(1, vec![(count, height, Some(root))]), &pack);
    assert_eq!(kinds(&disk), [DamageKind::Encoding { found: 1 }]);
}

#[test]
fn whatever_the_bytes_are_nothing_panics_or_grows() {
    each_seed("--test compressed whatever_the_bytes_are", 400, |seed| {
        let mut random = Random(seed);
        let length = usize::try_from(1 + random.below(32767)).unwrap();
        let mut block = match random.below(2) {
            0 => random.bytes(length),
            _ => lz4_flex::block::compress(&state()[0][1].1),
        };
        for _ in 0..random.below(4) {
            let at = usize::try_from(random.below(block.len() as u64)).unwrap();
            block[at] = random.bytes(1)[0];
        }
        block.truncate(32767);
        let kinds = kinds(&with_page(&block, &page(2), |_, _| {}));
        assert!(kinds.iter().all(|kind| {
            matches!(kind, DamageKind::Unpacking | DamageKind::ContentHash { .. })
        }));
    });
}
