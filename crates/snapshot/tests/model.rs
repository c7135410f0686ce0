//! Random sections, written and read in every way, against a plain map.
#![allow(clippy::unwrap_used)]

#[path = "fixture/fixture.rs"]
mod fixture;

use std::collections::BTreeMap;

use disk::SimDisk;
use fixture::{Random, Section, check_content, each_seed, repeatable, write};
use snapshot::{Options, SnapshotId, Snapshots};

fn random_number(random: &mut Random) -> u64 {
    match random.below(6) {
        0 => random.next(),
        1 => random.below(64) << (6 * random.below(10)),
        2 => u64::MAX - random.below(100),
        3 => (1 << random.below(64)) - random.below(2),
        _ => random.below(300),
    }
}

fn random_blob(random: &mut Random) -> Vec<u8> {
    match random.below(6) {
        0 => random.bytes(32768),
        1 => {
            let length = usize::try_from(1 + random.below(32768)).unwrap();
            random.bytes(length)
        }
        2 => vec![random.below(3).to_le_bytes()[0]; 32768],
        3 => vec![random.below(3).to_le_bytes()[0]; 32767],
        _ => {
            let length = usize::try_from(1 + random.below(100)).unwrap();
            random.bytes(length)
        }
    }
}

fn random_sections(random: &mut Random) -> Vec<Section> {
    (0..random.below(4))
        .map(|_| {
            let count = [0, 1, 10, 70][usize::try_from(random.below(4)).unwrap()];
            let map: BTreeMap<u64, Vec<u8>> = (0..count)
                .map(|_| (random_number(random), random_blob(random)))
                .collect();
            map.into_iter().collect()
        })
        .collect()
}

/// Writes and removes snapshots and reopens, beside a map from transaction to sections.
#[test]
fn snapshots_are_what_the_model_says() {
    each_seed("snapshots_are_what_the_model_says", 30, |seed| {
        let mut random = Random(seed);
        let disk = SimDisk::new(seed);
        let options = |random: &mut Random| Options {
            threads: usize::try_from(random.below(4)).unwrap(),
            ..repeatable()
        };
        let mut snapshots = Snapshots::open(disk.root(), options(&mut random)).unwrap();
        let mut model: BTreeMap<u64, Vec<Section>> = BTreeMap::new();
        for _ in 0..8 {
            let tx = random.below(5);
            match random.below(6) {
                0 => {
                    let removed = snapshots.remove(SnapshotId(tx));
                    assert_eq!(removed.is_ok(), model.remove(&tx).is_some());
                }
                1 => snapshots = Snapshots::open(disk.root(), options(&mut random)).unwrap(),
                _ => {
                    let sections = random_sections(&mut random);
                    let written = write(&snapshots, tx, &sections).unwrap();
                    assert_eq!(written.already_there, model.contains_key(&tx));
                    model.entry(tx).or_insert(sections);
                }
            }
            let listing = snapshots.list().unwrap();
            assert!(listing.rejected.is_empty());
            let ids: Vec<u64> = listing.sound.iter().map(|m| m.id().tx()).collect();
            assert_eq!(ids, model.keys().rev().copied().collect::<Vec<_>>());
        }
        for (tx, sections) in &model {
            check_content(&snapshots, *tx, sections);
        }
        for manifest in snapshots.list().unwrap().sound {
            for other in snapshots.list().unwrap().sound {
                let same = manifest.id() == other.id();
                assert_eq!(manifest.shares_bytes_with(&other), same);
            }
        }
    });
}
