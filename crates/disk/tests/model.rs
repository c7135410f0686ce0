//! Random histories on both disks against a plain model: a map from names to vectors of bytes; and random crashes
//! of the simulated one against a model that remembers all that may come back.
#![allow(clippy::unwrap_used)]

#[path = "support/seeds.rs"]
mod seeds;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use disk::{Access, Choice, Crash, Dir, File, OsDir, SimDisk};
use seeds::{Random, for_each_seed};

const NAMES: [&str; 4] = ["a", "b", "c", "d"];
const LEN_MAX: u64 = 3000;

/// Files as they should be: a name leads to a file by number, so that handles outlive names.
#[derive(Default)]
struct Model {
    names: BTreeMap<&'static str, usize>,
    files: Vec<Vec<u8>>,
}

impl Model {
    fn write(&mut self, file: usize, offset: usize, bytes: &[u8]) {
        let content = &mut self.files[file];
        if !bytes.is_empty() {
            content.resize(content.len().max(offset + bytes.len()), 0);
            content[offset..offset + bytes.len()].copy_from_slice(bytes);
        }
    }

    fn random_step(&mut self, dir: &dyn Dir, open: &mut Vec<Handle>, random: &mut Random) {
        let name = NAMES[random.index(NAMES.len())];
        let other = NAMES[random.index(NAMES.len())];
        let known = self.names.get(name).copied();
        let offset = random.below(LEN_MAX);
        let len = random.below(LEN_MAX / 2);
        let byte = u8::try_from(random.below(256)).unwrap();
        match random.below(12) {
            0 | 1 => match (dir.create(name), known) {
                (Ok(file), None) => {
                    self.names.insert(name, self.files.len());
                    open.push(Handle {
                        file,
                        number: self.files.len(),
                    });
                    self.files.push(Vec::new());
                }
                (result, known) => assert_eq!(result.is_err(), known.is_some()),
            },
            2 => match (dir.open(name, Access::ReadWrite), known) {
                (Ok(file), Some(number)) => open.push(Handle { file, number }),
                (result, known) => assert_eq!(result.is_err(), known.is_none()),
            },
            3 => {
                assert_eq!(dir.rename(name, other).is_ok(), known.is_some());
                if let Some(number) = known {
                    self.names.remove(name);
                    self.names.insert(other, number);
                }
            }
            4 => {
                assert_eq!(dir.remove(name).is_ok(), known.is_some());
                self.names.remove(name);
            }
            5 => dir.sync().unwrap(),
            6 => drop((!open.is_empty()).then(|| open.swap_remove(random.index(open.len())))),
            action => {
                let Some(handle) = open.last() else { return };
                match action {
                    7..=9 => {
                        let bytes = vec![byte; usize::try_from(len).unwrap()];
                        handle.file.write_all_at(offset, &bytes).unwrap();
                        self.write(handle.number, usize::try_from(offset).unwrap(), &bytes);
                    }
                    10 => {
                        handle.file.set_len(len).unwrap();
                        let len = usize::try_from(len).unwrap();
                        self.files[handle.number].resize(len, 0);
                    }
                    _ => {
                        handle.file.allocate(offset, len).unwrap();
                        let end = usize::try_from(offset + len).unwrap();
                        let content = &mut self.files[handle.number];
                        if len > 0 {
                            content.resize(content.len().max(end), 0);
                        }
                    }
                }
            }
        }
    }

    fn check(&self, dir: &dyn Dir, open: &[Handle]) {
        let entries = dir.list().unwrap();
        let listed: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(listed, self.names.keys().copied().collect::<Vec<_>>());
        for (name, number) in &self.names {
            let file = dir.open(name, Access::Read).unwrap();
            assert!(content(&*file) == self.files[*number], "{name}");
        }
        for handle in open {
            assert!(content(&*handle.file) == self.files[handle.number]);
            let map = handle.file.map(0..handle.file.len().unwrap()).unwrap();
            assert!(*map == self.files[handle.number]);
        }
    }
}

struct Handle {
    file: Arc<dyn File>,
    number: usize,
}

fn content(file: &dyn File) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
    file.read_exact_at(0, &mut bytes).unwrap();
    bytes
}

fn random_history(dir: &dyn Dir, seed: u64) {
    let mut random = Random::new(seed);
    let mut model = Model::default();
    let mut open = Vec::new();
    for step in 0..60 {
        model.random_step(dir, &mut open, &mut random);
        if step % 6 == 5 {
            model.check(dir, &open);
        }
    }
}

#[test]
fn the_operating_system_agrees_with_the_model() {
    for_each_seed("the_operating_system_agrees_with_the_model", 40, |seed| {
        let temporary = tempfile::tempdir().unwrap();
        random_history(&*OsDir::open(temporary.path()).unwrap(), seed);
    });
}

#[test]
fn the_simulated_disk_agrees_with_the_model() {
    for_each_seed("the_simulated_disk_agrees_with_the_model", 300, |seed| {
        random_history(&*SimDisk::new(seed).root(), seed);
    });
}

/// All that one file may read as after a power cut, kept in the plainest way: by byte, the values that may come
/// back; and the lengths.
struct Suspect {
    now: Vec<u8>,
    values: Vec<BTreeSet<u8>>,
    lens: BTreeSet<usize>,
}

impl Suspect {
    fn new() -> Self {
        Suspect {
            now: Vec::new(),
            values: vec![BTreeSet::from([0]); usize::try_from(2 * LEN_MAX).unwrap()],
            lens: BTreeSet::from([0]),
        }
    }

    fn note(&mut self) {
        self.lens.insert(self.now.len());
        for (index, values) in self.values.iter_mut().enumerate() {
            values.insert(self.now.get(index).copied().unwrap_or(0));
        }
    }

    fn settle(&mut self) {
        self.lens.clear();
        self.values.iter_mut().for_each(BTreeSet::clear);
        self.note();
    }

    fn may_read(&self, bytes: &[u8]) -> bool {
        let values = bytes.iter().zip(&self.values);
        self.lens.contains(&bytes.len()) && values.into_iter().all(|(byte, may)| may.contains(byte))
    }
}

#[test]
fn a_power_cut_leaves_only_what_was_once_there() {
    for_each_seed("a_power_cut_leaves_only_what_was_once_there", 300, |seed| {
        let mut random = Random::new(seed);
        let disk = SimDisk::new(seed);
        let dir = disk.root();
        let file = dir.create("x").unwrap();
        dir.sync().unwrap();
        let mut suspect = Suspect::new();
        for _ in 0..20 {
            let offset = random.index(1500);
            let len = random.index(1500);
            match random.below(6) {
                0 => {
                    file.sync().unwrap();
                    suspect.settle();
                }
                1 => {
                    file.set_len(len as u64).unwrap();
                    suspect.now.resize(len, 0);
                }
                _ => {
                    let bytes = vec![u8::try_from(random.below(256)).unwrap(); len];
                    file.write_all_at(offset as u64, &bytes).unwrap();
                    if len > 0 {
                        let end = suspect.now.len().max(offset + len);
                        suspect.now.resize(end, 0);
                        suspect.now[offset..offset + len].copy_from_slice(&bytes);
                    }
                }
            }
            suspect.note();
            for cut in disk.power_cuts(30, seed) {
                let bytes = cut.read("x").unwrap();
                assert!(suspect.may_read(&bytes));
                assert_eq!(cut.power_states(), 1);
            }
            let new = disk.fork();
            new.crash(Crash::Power(Choice::New));
            assert!(new.read("x").unwrap() == suspect.now);
        }
    });
}
