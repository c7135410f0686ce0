//! Hostile bytes: nothing that a directory can hold makes opening panic, hang, or show what never was.
#![allow(clippy::unwrap_used)]

#[path = "fixture/fixture.rs"]
mod fixture;
#[path = "fixture/seeds.rs"]
mod seeds;

use std::collections::BTreeMap;

use bootstrap::{Options, ReadOptions, SnapshotLoading, TxId};
use disk::SimDisk;
use fixture::*;
use seeds::for_each_seed;

/// A closed database with two snapshots, and the digest of each of its states.
fn sample() -> (SimDisk, BTreeMap<TxId, [u8; 32]>) {
    let disk = SimDisk::new(1);
    let (database, _) = open_with(&disk, small_segments()).unwrap();
    let mut digests = BTreeMap::from([(TxId(0), database.digest().unwrap())]);
    for id in 1..=12 {
        let tx = put(&database, id);
        digests.insert(tx, database.digest().unwrap());
        if id == 5 || id == 9 {
            database.snapshot().unwrap();
        }
    }
    database.close().unwrap();
    (disk, digests)
}

/// Takes from the front of the data.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    fn below(&mut self, count: u64) -> u64 {
        let number = u64::from_le_bytes([
            self.byte(),
            self.byte(),
            self.byte(),
            self.byte(),
            0,
            0,
            0,
            0,
        ]);
        number % count.max(1)
    }
}

/// Damages the files as the data says, and opens what is left in every way.
pub fn fuzz_open(data: &[u8], disk: &SimDisk, digests: &BTreeMap<TxId, [u8; 32]>) {
    let mut data = Bytes(data);
    let disk = disk.fork();
    for _ in 0..=data.byte() % 4 {
        let paths: Vec<String> = disk
            .files()
            .into_iter()
            .filter(|path| path != "lock")
            .collect();
        if paths.is_empty() {
            break;
        }
        let path = &paths[usize::try_from(data.below(paths.len() as u64)).unwrap()];
        let other = &paths[usize::try_from(data.below(paths.len() as u64)).unwrap()];
        let len = disk.read(path).unwrap().len() as u64;
        match data.byte() % 8 {
            0 | 1 if len > 0 => disk.flip_bit(path, data.below(len), u32::from(data.byte() % 8)),
            // Near the front, where the headers are.
            2 if len > 0 => {
                disk.flip_bit(path, data.below(len.min(64)), u32::from(data.byte() % 8))
            }
            3 => disk.truncate(path, data.below(len + 1)),
            4 => disk.delete(path),
            5 => disk.swap(path, other),
            6 => disk.duplicate(path, other),
            7 => {
                let mut bytes = disk.read(path).unwrap();
                let from = usize::try_from(data.below(len + 1)).unwrap();
                for byte in bytes.iter_mut().skip(from).take(16) {
                    *byte = data.byte();
                }
                disk.write(path, &bytes);
            }
            _ => {}
        }
    }
    let was = |tx: TxId, digest: [u8; 32]| {
        assert_eq!(
            digests.get(&tx),
            Some(&digest),
            "not a state there ever was, at {tx}"
        );
    };
    for loading in [SnapshotLoading::Checked, SnapshotLoading::Mapped] {
        let reading = ReadOptions {
            loading,
            ..ReadOptions::default()
        };
        if let Ok((database, report)) = read_with(&disk, &reading) {
            // A page that is not checked before may turn out to be damaged: an error, too.
            if let Ok(digest) = database.digest() {
                was(report.tx, digest);
            }
        }
    }
    for restore_from_snapshots in [false, true] {
        let options = Options {
            restore_from_snapshots,
            create: false,
            ..options()
        };
        if let Ok((database, report)) = open_with(&disk, options) {
            was(report.tx, database.digest().unwrap());
            put(&database, 77);
            database.snapshot().unwrap();
            database.prune().unwrap();
            database.close().unwrap();
            break;
        }
    }
}

#[test]
fn no_damage_makes_opening_panic_or_lie() {
    let (disk, digests) = sample();
    for_each_seed("fuzz", 600, |seed| {
        let mut data = [0_u8; 256];
        let mut state = seed;
        for byte in &mut data {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            *byte = state.to_le_bytes()[6];
        }
        fuzz_open(&data, &disk, &digests);
    });
}
