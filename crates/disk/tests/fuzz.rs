//! Any history of calls, faults, crashes and damage: the simulated disk neither panics nor breaks its own laws.
#![allow(clippy::unwrap_used)]

#[path = "support/seeds.rs"]
mod seeds;

use std::sync::Arc;

use disk::{Access, Choice, Crash, Dir, Fault, File, Lock, Moment, SimDisk};
use seeds::{Random, for_each_seed};

/// A process: what it holds open.
struct Process {
    dirs: Vec<Arc<dyn Dir>>,
    files: Vec<Arc<dyn File>>,
    locks: Vec<Lock>,
}

impl Process {
    fn start(disk: &SimDisk) -> Process {
        Process {
            dirs: vec![disk.root()],
            files: Vec::new(),
            locks: Vec::new(),
        }
    }

    /// One call, whatever comes of it.
    fn call(&mut self, [action, first, second, third]: [u8; 4]) {
        const NAMES: [&str; 5] = ["a", "b", "c", "d", "lock"];
        let name = NAMES[usize::from(first) % NAMES.len()];
        let other = NAMES[usize::from(second) % NAMES.len()];
        let dir = Arc::clone(&self.dirs[usize::from(third) % self.dirs.len()]);
        let offset = u64::from(first) * 31;
        match action % 16 {
            0 => self.files.extend(dir.create(name)),
            1 => self.files.extend(dir.open(name, Access::ReadWrite)),
            2 => self.files.extend(dir.open(name, Access::Read)),
            3 => drop(dir.rename(name, other)),
            4 => drop(dir.remove(name)),
            5 | 6 => drop(dir.sync()),
            7 if self.dirs.len() < 4 => self.dirs.extend(dir.create_dir(name)),
            8 if self.dirs.len() < 4 => self.dirs.extend(dir.open_dir(name)),
            9 => match self.locks.pop() {
                Some(lock) if second % 2 == 0 => drop(lock),
                lock => {
                    self.locks.extend(lock);
                    self.locks.extend(dir.lock(name, "fuzz"));
                }
            },
            action => {
                let Some(file) = self.files.last() else {
                    return;
                };
                let bytes = vec![third; usize::from(second) * 7];
                match action {
                    10 | 11 => drop(file.write_all_at(offset, &bytes)),
                    12 => drop(file.set_len(offset)),
                    13 => drop(file.allocate(offset, u64::from(second) * 7)),
                    14 => drop(file.sync()),
                    _ if third % 2 == 0 => drop(self.files.swap_remove(0)),
                    _ => {
                        let mut buffer = bytes;
                        drop(file.read_up_to(offset, &mut buffer));
                        drop(file.map(offset / 2..offset));
                    }
                }
            }
        }
    }
}

fn damage(disk: &SimDisk, [action, first, second, third]: [u8; 4]) {
    let files = disk.files();
    if files.is_empty() {
        return;
    }
    let file = &files[usize::from(first) % files.len()];
    let other = &files[usize::from(second) % files.len()];
    let len = disk.read(file).unwrap().len() as u64;
    let sector = usize::from(third) % 8;
    match action % 8 {
        0 if len > 0 => disk.flip_bit(file, u64::from(second) * 29 % len, u32::from(third % 8)),
        1 if (sector as u64) * 512 < len => disk.zero_sector(file, sector),
        2 if (sector as u64) * 512 < len => {
            let versions = disk.older_versions(file, sector);
            if versions > 0 {
                disk.revert_sector(file, sector, usize::from(second) % versions);
            }
        }
        3 => disk.truncate(file, u64::from(third) * 17),
        4 => disk.delete(file),
        5 => disk.swap(file, other),
        6 => disk.duplicate(file, other),
        7 => disk.write(file, &[third; 700]),
        _ => {}
    }
}

fn fault(bytes: [u8; 4]) -> Fault {
    let crash = match bytes[1] % 4 {
        0 => Crash::Kill,
        1 => Crash::Power(Choice::Drawn),
        2 => Crash::Power(Choice::Nth(u64::from(bytes[2]))),
        _ => Crash::Power(Choice::Old),
    };
    let moment = match bytes[2] % 3 {
        0 => Moment::Before,
        1 => Moment::Midway,
        _ => Moment::After,
    };
    match bytes[3] % 5 {
        0 => Fault::Eio,
        1 => Fault::Enospc,
        2 => Fault::Interrupted,
        3 => Fault::Short,
        _ => Fault::Crash { crash, moment },
    }
}

/// What holds on every disk at every time.
fn check_laws(disk: &SimDisk) {
    let fork = disk.fork();
    let killed = disk.fork();
    killed.crash(Crash::Kill);
    assert_eq!(killed.digest(), fork.digest());
    // A power cut that spares everything shows what reads showed, and leaves nothing open.
    killed.crash(Crash::Power(Choice::New));
    assert_eq!(killed.power_states(), 1);
    assert_eq!(killed.files(), disk.files());
    for file in disk.files() {
        assert_eq!(killed.read(&file), disk.read(&file));
    }
    let cut = disk.fork();
    cut.crash(Crash::Power(Choice::Drawn));
    assert_eq!(cut.power_states(), 1);
    let digest = cut.digest();
    cut.crash(Crash::Power(Choice::Drawn));
    assert_eq!(cut.digest(), digest);
    // The states are all there: a disk drawn is one of those counted.
    if disk.power_states() <= 64 {
        let all = disk.power_cuts(64, 1);
        assert!(all.iter().any(|disk| disk.digest() == digest));
    }
}

/// Runs what the bytes say, four for each step.
fn fuzz_simulated_disk(data: &[u8]) {
    let disk = SimDisk::new(data.len() as u64);
    let mut process = Process::start(&disk);
    let mut life = disk.lives();
    for (number, step) in data.chunks_exact(5).enumerate() {
        let bytes = [step[1], step[2], step[3], step[4]];
        match step[0] {
            0..=7 => disk.fail_at(disk.call_count() + u64::from(step[1] % 4), fault(bytes)),
            8..=11 => damage(&disk, bytes),
            12 => disk.crash(Crash::Kill),
            13 => disk.crash(Crash::Power(Choice::Drawn)),
            14 => disk.set_capacity(Some(u64::from(step[1]) * 100)),
            15 => disk.set_capacity(None),
            _ => process.call(bytes),
        }
        if disk.lives() != life {
            life = disk.lives();
            // The handles of the past are dropped while the next process is at work.
            let past = std::mem::replace(&mut process, Process::start(&disk));
            process.call(bytes);
            drop(past);
        }
        if number % 8 == 7 {
            check_laws(&disk);
        }
    }
    check_laws(&disk);
}

#[test]
fn any_history_keeps_the_laws() {
    for_each_seed("any_history_keeps_the_laws", 300, |seed| {
        let mut random = Random::new(seed);
        let steps = 40 + random.index(200);
        let data: Vec<u8> = (0..5 * steps)
            .map(|_| u8::try_from(random.below(256)).unwrap())
            .collect();
        fuzz_simulated_disk(&data);
    });
}
