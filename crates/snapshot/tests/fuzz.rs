//! Hostile bytes, with checksums that are right: nothing panics, hangs, or takes more memory than the files pay for.
#![allow(clippy::unwrap_used)]

#[path = "fixture/fixture.rs"]
mod fixture;

#[path = "fixture/by_hand.rs"]
mod by_hand;

use std::ops::ControlFlow;

use by_hand::{Body, MANIFEST, PUBLISHED, Pack, Reference, body, disk_of, encoded, manifest_file};
use disk::SimDisk;
use fixture::{Random, all_modes, each_seed, map, mapped_content, read_back, repeatable};
use snapshot::{DamageKind, Error, Hash, LoadOptions, Options, ScrubReport, Snapshots, Spare};

const VERSIONS: [u8; 2] = [1, 2];

/// Opens the directory in every way. What is loaded must have been paid for; the verdict of the full load is
/// returned.
fn try_all(disk: &SimDisk) -> Option<Error> {
    let paid: u64 = disk
        .files()
        .iter()
        .map(|file| disk.read(file).unwrap().len() as u64)
        .sum();
    let options = Options {
        read_only: true,
        ..repeatable()
    };
    let snapshots = Snapshots::open(disk.root(), options).unwrap();
    let mut listing = snapshots.list().unwrap();
    let mended = disk.fork();
    let found = scrub(&snapshots, false);
    let done = scrub(&Snapshots::open(mended.root(), repeatable()).unwrap(), true);
    if let Some(rejected) = listing.rejected.pop() {
        assert_verdict(&rejected.reason);
        assert!(!found.is_sound());
        return Some(rejected.reason);
    }
    let manifest = &listing.sound[0];
    let is_sound = read_back(&snapshots, manifest).is_ok();
    assert_eq!(found.sound.contains(manifest), is_sound);
    assert_eq!(found.is_sound(), is_sound);
    assert!(!is_sound || done.sound.contains(manifest));
    for options in all_modes() {
        match snapshots.load(manifest, options) {
            Err(error) => assert_verdict(&error),
            Ok(loaded) => {
                let blobs = (0..loaded.section_count()).flat_map(|s| loaded.section(s));
                assert!(blobs.count() as u64 * 56 <= paid);
            }
        }
    }
    let outline = snapshots.outline(manifest);
    match map(&snapshots, manifest) {
        Err(error) => assert_verdict(&error),
        Ok(None) => {}
        Ok(Some(mapped)) => {
            let (found, damage) = mapped_content(&mapped);
            damage.iter().for_each(assert_verdict);
            assert!(found.iter().map(Vec::len).sum::<usize>() as u64 * 56 <= paid);
            // Whoever walks over all of it comes to the same.
            assert_eq!(mapped.outline().is_ok(), outline.is_ok());
            assert!(outline.is_err() || damage.is_empty());
        }
    }
    let read_back = read_back(&snapshots, manifest);
    let loaded = snapshots.load(manifest, LoadOptions::default());
    assert!(loaded.is_ok() || read_back.is_err());
    read_back.err().iter().for_each(assert_verdict);
    loaded.err()
}

fn scrub(snapshots: &Snapshots, repair: bool) -> ScrubReport {
    let mut scrub = snapshots.scrub().unwrap();
    while scrub.step().unwrap() {}
    let on = &mut |_| ControlFlow::Continue(());
    let report = snapshots.mend(scrub, Spare::default(), repair, on);
    report.unwrap()
}

fn assert_verdict(error: &Error) {
    assert!(
        matches!(error, Error::Damaged { .. } | Error::NewerFormat { .. }),
        "{error:?}"
    );
}

fn kind(error: Option<Error>) -> DamageKind {
    match error {
        Some(Error::Damaged { kind, .. }) => kind,
        other => panic!("no damage: {other:?}"),
    }
}

#[test]
fn the_builder_of_this_test_builds_what_is_accepted() {
    let mut pack = Pack::new(1, 5);
    let blob = pack.blob(b"x");
    let low = pack.node(1, &[(0, blob), (63, blob)]);
    let root = pack.node(2, &[(3, low)]);
    for version in VERSIONS {
        let disk = disk_of(version, &body(1, vec![(2, 2, Some(root))]), &pack);
        assert!(try_all(&disk).is_none());
    }
}

/// Each level refers 64 times to the one node below: 64^11 blobs in a few kilobytes.
#[test]
fn a_tree_that_explodes_is_cut_short() {
    let mut pack = Pack::new(1, 5);
    let blob = pack.blob(b"x");
    let all = |child| -> Vec<(u8, Reference)> { (0..64).map(|digit| (digit, child)).collect() };
    let mut node = pack.node(1, &all(blob));
    for height in 2..=10 {
        node = pack.node(height, &all(node));
    }
    let root = pack.node(11, &all(node)[..16]);
    for version in VERSIONS {
        let disk = disk_of(version, &body(1, vec![(u64::MAX, 11, Some(root))]), &pack);
        assert_eq!(kind(try_all(&disk)), DamageKind::TreeTooLarge);
    }
}

#[test]
fn numbers_beyond_64_bits_are_refused() {
    let mut pack = Pack::new(1, 5);
    let mut node = pack.blob(b"x");
    for height in 1..=10 {
        node = pack.node(height, &[(0, node)]);
    }
    for (digit, accepted) in [(15, true), (16, false), (63, false)] {
        let root = pack.node(11, &[(digit, node)]);
        for version in VERSIONS {
            let disk = disk_of(version, &body(1, vec![(1, 11, Some(root))]), &pack);
            assert_eq!(try_all(&disk).is_none(), accepted, "{digit}");
        }
    }
}

#[test]
fn each_lie_is_named() {
    type Lie = fn(&mut Body, &mut Pack);
    let cases: &[(&str, Lie, DamageKind)] = &[
        (
            "count too large",
            |body, _| body.sections[0].0 = 1 << 60,
            DamageKind::Count {
                expected: 1 << 60,
                found: 1,
            },
        ),
        (
            "height too great",
            |body, _| body.sections[0].1 = 12,
            DamageKind::BodyContent,
        ),
        (
            "height not the node's",
            |body, _| body.sections[0].1 = 2,
            DamageKind::Node,
        ),
        (
            "root without blobs",
            |body, _| body.sections[0].0 = 0,
            DamageKind::BodyContent,
        ),
        (
            "tall root over digit 0 only",
            |body, pack| {
                let root = pack.node(2, &[(0, body.sections[0].2.unwrap())]);
                body.sections[0] = (1, 2, Some(root));
            },
            DamageKind::Node,
        ),
        (
            "root of 4 GiB",
            |body, _| {
                let root = body.sections[0].2.as_mut().unwrap();
                root.length = u32::MAX;
                root.stored_length = u32::MAX;
            },
            DamageKind::ReferenceShape,
        ),
        (
            "root at the end of the address space",
            |body, _| body.sections[0].2.as_mut().unwrap().offset = u64::MAX - 4,
            DamageKind::ReferenceBounds,
        ),
        (
            "root in the header",
            |body, _| body.sections[0].2.as_mut().unwrap().offset = 64,
            DamageKind::ReferenceBounds,
        ),
        (
            "root in another pack",
            |body, _| body.sections[0].2.as_mut().unwrap().pack = 6,
            DamageKind::ReferenceBounds,
        ),
        (
            "unknown encoding",
            |body, _| body.sections[0].2.as_mut().unwrap().encoding = 9,
            DamageKind::Encoding { found: 9 },
        ),
        (
            "a pack twice",
            |body, pack| body.packs.push((1, pack.id, 4096)),
            DamageKind::BodyContent,
        ),
        (
            "another snapshot's body",
            |body, _| body.tx = 2,
            DamageKind::BodyContent,
        ),
        (
            "a page that is not aligned",
            |body, pack| {
                let mut page = pack.blob(&[0; 32768]);
                pack.bytes.push(0);
                page.offset += 1;
                let root = pack.node(1, &[(0, page)]);
                body.sections[0] = (1, 1, Some(root));
            },
            DamageKind::ReferenceShape,
        ),
        (
            "blobs that overlap",
            |body, pack| {
                let blob = pack.blob(&[1; 100]);
                let mut other = blob;
                other.offset += 1;
                other.length -= 1;
                other.stored_length -= 1;
                other.hash = *blake3::hash(&[1; 99]).as_bytes();
                other.crc32c = crc32c::crc32c(&[1; 99]);
                let root = pack.node(1, &[(0, blob), (1, other)]);
                body.sections[0] = (2, 1, Some(root));
            },
            DamageKind::Overlap,
        ),
        (
            "a root with another hash",
            |body, _| body.sections[0].2.as_mut().unwrap().hash = [3; 32],
            DamageKind::ContentHash {
                expected: Hash([3; 32]),
            },
        ),
        (
            "a blob with another hash",
            |body, pack| {
                let mut blob = pack.blob(b"y");
                blob.hash = [4; 32];
                body.sections[0] = (1, 1, Some(pack.node(1, &[(0, blob)])));
            },
            DamageKind::ContentHash {
                expected: Hash([4; 32]),
            },
        ),
        (
            "a node that two sections share",
            |body, _| body.sections.push(body.sections[0]),
            DamageKind::Overlap,
        ),
    ];
    for (what, lie, expected) in cases {
        for version in VERSIONS {
            let (mut body, mut pack) = honest();
            lie(&mut body, &mut pack);
            let found = kind(try_all(&disk_of(version, &body, &pack)));
            assert_eq!(found, *expected, "{what}, version {version}");
        }
    }
}

/// A snapshot of one blob.
fn honest() -> (Body, Pack) {
    let mut pack = Pack::new(1, 5);
    let blob = pack.blob(b"x");
    let root = pack.node(1, &[(3, blob)]);
    (body(1, vec![(1, 1, Some(root))]), pack)
}

/// In version 1 the header of a pack is read with the pack; in version 2 it is that of the snapshot.
#[test]
fn each_lie_of_a_header_is_named() {
    type Lie = fn(&mut Body, &mut Pack);
    let cases: &[(&str, Lie, [Option<DamageKind>; 2])] = &[
        (
            "another log",
            |body, _| body.log_id = [8; 16],
            [Some(DamageKind::WrongPack), Some(DamageKind::BodyContent)],
        ),
        (
            "another history",
            |body, _| body.chain += 1,
            [Some(DamageKind::WrongPack), Some(DamageKind::BodyContent)],
        ),
        (
            "another id",
            |_, pack| pack.header.0 = 6,
            [Some(DamageKind::WrongPack); 2],
        ),
        (
            "another transaction",
            |_, pack| pack.header.1 = 2,
            [Some(DamageKind::WrongPack); 2],
        ),
        (
            "a reserved field",
            |_, pack| pack.header.2 = 1,
            [Some(DamageKind::Reserved); 2],
        ),
        (
            "a manifest in the header",
            |_, pack| pack.body_place = Some((64, 100)),
            [None, Some(DamageKind::BodyContent)],
        ),
        (
            "a manifest longer than the file",
            |_, pack| pack.body_place = Some((4096, 1 << 20)),
            [
                None,
                Some(DamageKind::Length {
                    expected: 4096 + (1 << 20),
                    found: 4246,
                }),
            ],
        ),
        (
            "a manifest of 4 GiB",
            |_, pack| pack.body_place = Some((4096, u32::MAX)),
            [
                None,
                Some(DamageKind::Length {
                    expected: 4095 + (1 << 32),
                    found: 4246,
                }),
            ],
        ),
        (
            "a manifest at the end of the address space",
            |_, pack| pack.body_place = Some((u64::MAX, 1)),
            [None, Some(DamageKind::BodyContent)],
        ),
        (
            "a manifest that begins earlier",
            |body, pack| {
                let length = u32::try_from(encoded(body).len()).unwrap();
                pack.body_place = Some((pack.bytes.len() as u64 - 1, length + 1));
            },
            [None, Some(DamageKind::BodyHash)],
        ),
        (
            "a manifest of no bytes",
            |body, pack| {
                let end = pack.bytes.len() + encoded(body).len();
                pack.body_place = Some((end as u64, 0));
            },
            [None, Some(DamageKind::BodyHash)],
        ),
    ];
    for (what, lie, expected) in cases {
        for (version, expected) in VERSIONS.into_iter().zip(expected) {
            let (mut body, mut pack) = honest();
            lie(&mut body, &mut pack);
            let found = try_all(&disk_of(version, &body, &pack));
            assert_eq!(
                found.map(|error| kind(Some(error))),
                *expected,
                "{what}, version {version}"
            );
        }
    }
}

/// Any bytes as a pack, and as a manifest of version 1.
fn fuzz_file(data: &[u8]) {
    for name in [MANIFEST, &Pack::new(1, 5).name()] {
        let disk = SimDisk::new(1);
        disk.write(name, data);
        try_all(&disk);
    }
}

/// Any bytes as the body of a manifest, under a right header.
fn fuzz_manifest_body(data: &[u8]) {
    fuzz_file(&manifest_file(data));
    fuzz_file(&Pack::new(1, 5).with_body(data, PUBLISHED));
}

/// Any bytes as a root node of any height, under right checksums.
fn fuzz_node(data: &[u8]) {
    let Some((height, node)) = data.split_first() else {
        return;
    };
    let mut pack = Pack::new(1, 5);
    pack.blob(&[1; 2000]);
    let root = pack.blob(&node[..node.len().min(5000)]);
    if root.length > 0 {
        let sections = vec![(1, 1 + height % 11, Some(root))];
        for version in VERSIONS {
            try_all(&disk_of(version, &body(1, sections.clone()), &pack));
        }
    }
}

#[test]
fn hostile_bytes_are_refused() {
    each_seed("hostile_bytes_are_refused", 300, |seed| {
        let mut random = Random(seed);
        let bound = 1 << random.below(14);
        let length = usize::try_from(random.below(bound)).unwrap();
        let mut data = random.bytes(length);
        fuzz_file(&data);
        fuzz_manifest_body(&data);
        fuzz_node(&data);
        let front = b"\0node\x01\x01\0\0";
        if data.len() > 24 {
            data[..9].copy_from_slice(front);
            fuzz_node(&data);
        }
    });
}

/// Trees with right hashes whose references go anywhere, and bodies with a few bytes changed.
#[test]
fn hostile_trees_are_refused_or_read() {
    each_seed("hostile_trees_are_refused_or_read", 300, |seed| {
        let mut random = Random(seed);
        let mut pack = Pack::new(1, 5);
        let mut stored: Vec<(u8, Reference)> = vec![(0, pack.blob(b"x"))];
        for _ in 0..random.below(30) {
            if random.below(3) == 0 {
                let length = [1, 100, 32768][usize::try_from(random.below(3)).unwrap()];
                let fill = random.below(4).to_le_bytes()[0];
                stored.push((0, pack.blob(&vec![fill; length])));
                continue;
            }
            let (below, _) = stored[usize::try_from(random.below(stored.len() as u64)).unwrap()];
            let mut digits: Vec<u8> = (0..1 + random.below(64))
                .map(|_| random.below(64).to_le_bytes()[0])
                .collect();
            digits.sort_unstable();
            digits.dedup();
            let children: Vec<(u8, Reference)> = digits
                .into_iter()
                .map(|digit| {
                    let fitting = stored.iter().filter(|(height, _)| *height == below);
                    let fitting: Vec<_> = fitting.collect();
                    let pick = usize::try_from(random.below(fitting.len() as u64)).unwrap();
                    (digit, distorted(fitting[pick].1, &mut random))
                })
                .collect();
            stored.push((below + 1, pack.node(below + 1, &children)));
        }
        let sections = (0..1 + random.below(3))
            .map(|_| {
                let pick = usize::try_from(random.below(stored.len() as u64)).unwrap();
                (random.below(70), stored[pick].0, Some(stored[pick].1))
            })
            .collect();
        let mut body = body(1, sections);
        for version in VERSIONS {
            try_all(&disk_of(version, &body, &pack));
        }
        // The right count for the first section, if there is one.
        body.sections.truncate(1);
        let errors = VERSIONS.map(|version| try_all(&disk_of(version, &body, &pack)));
        for error in errors {
            if let Some(Error::Damaged {
                kind: DamageKind::Count { found, .. },
                ..
            }) = error
            {
                body.sections[0].0 = found;
            }
        }
        for version in VERSIONS {
            try_all(&disk_of(version, &body, &pack));
        }
        let mut bytes = encoded(&body);
        for _ in 0..20 {
            let at = usize::try_from(random.below(bytes.len() as u64)).unwrap();
            bytes[at] = random.next().to_le_bytes()[0];
            let disk = disk_of(1, &body, &pack);
            disk.write(MANIFEST, &manifest_file(&bytes));
            try_all(&disk);
            let disk = SimDisk::new(1);
            disk.write(pack.name(), &pack.with_body(&bytes, PUBLISHED));
            try_all(&disk);
        }
    });
}

/// Now and then a reference that lies.
fn distorted(mut reference: Reference, random: &mut Random) -> Reference {
    if random.below(40) != 0 {
        return reference;
    }
    match random.below(6) {
        0 => reference.offset = random.next(),
        1 => reference.offset += random.below(5000),
        2 => reference.length = u32::try_from(random.below(1 << 32)).unwrap(),
        3 => reference.stored_length ^= 1,
        4 => reference.crc32c ^= 1,
        _ => reference.hash[0] ^= 1,
    }
    reference
}
