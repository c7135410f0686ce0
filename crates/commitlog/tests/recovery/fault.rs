//! One fault of the medium, behind the log's back.

use disk::SimDisk;

use crate::seeds::Random;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MediumFault {
    Flip {
        file: String,
        byte: u64,
        bit: u32,
    },
    Zero {
        file: String,
        sector: usize,
    },
    Revert {
        file: String,
        sector: usize,
        back: usize,
    },
    Cut {
        file: String,
        len: u64,
    },
    Extend {
        file: String,
        len: u64,
    },
    Delete {
        file: String,
    },
    Swap {
        left: String,
        right: String,
    },
    Duplicate {
        from: String,
        to: String,
    },
    Garbage {
        file: String,
        byte: u64,
    },
}

const SECTOR: u64 = 512;
const FRAMES: u64 = 12288;

impl MediumFault {
    pub(crate) fn apply(&self, disk: &SimDisk) {
        match self {
            MediumFault::Flip { file, byte, bit } => disk.flip_bit(file, *byte, *bit),
            MediumFault::Zero { file, sector } => disk.zero_sector(file, *sector),
            MediumFault::Revert { file, sector, back } => disk.revert_sector(file, *sector, *back),
            MediumFault::Cut { file, len } | MediumFault::Extend { file, len } => {
                disk.truncate(file, *len)
            }
            MediumFault::Delete { file } => disk.delete(file),
            MediumFault::Swap { left, right } => disk.swap(left, right),
            MediumFault::Duplicate { from, to } => disk.duplicate(from, to),
            MediumFault::Garbage { file, byte } => {
                let mut bytes = disk.read(file).unwrap();
                let from = usize::try_from(*byte).unwrap();
                let mut random = Random::new(*byte);
                bytes.truncate(from);
                bytes.extend((0..700).map(|_| random.next() as u8));
                disk.write(file, &bytes);
            }
        }
    }

    /// Whether the fault took the first segment away, which looks like pruning.
    pub(crate) fn removed_the_oldest(&self, disk: &SimDisk) -> bool {
        match self {
            MediumFault::Delete { file } => segments(disk).iter().all(|other| file < other),
            _ => false,
        }
    }

    /// One of each kind, at random places that hold something.
    pub(crate) fn sample(disk: &SimDisk, random: &mut Random) -> Vec<MediumFault> {
        let files = segments(disk);
        if files.is_empty() {
            return Vec::new();
        }
        let file = random.pick(&files).clone();
        let bytes = disk.read(&file).unwrap();
        let used = used_sectors(&bytes);
        let sector = *random.pick(&used);
        let byte = *random.pick(&used) as u64 * SECTOR + random.below(SECTOR);
        let byte = byte.min(bytes.len() as u64 - 1);
        let end = bytes.iter().rposition(|&byte| byte != 0).unwrap_or(0) as u64 + 1;
        let flip = |byte| MediumFault::Flip {
            file: file.clone(),
            byte,
            bit: (byte % 8) as u32,
        };
        let mut faults = vec![
            flip(byte),
            flip(random.below(64)),
            flip(4096 * (1 + random.below(2)) + random.below(64)),
            MediumFault::Zero {
                file: file.clone(),
                sector,
            },
            MediumFault::Cut {
                file: file.clone(),
                len: random.below(end + 1),
            },
            MediumFault::Cut {
                file: file.clone(),
                len: FRAMES + random.below((end.max(FRAMES) - FRAMES) + 1),
            },
            MediumFault::Extend {
                file: file.clone(),
                len: bytes.len() as u64 + random.below(2000),
            },
            MediumFault::Delete { file: file.clone() },
            MediumFault::Duplicate {
                from: file.clone(),
                to: "00000000000000000077.log".into(),
            },
            MediumFault::Garbage {
                file: file.clone(),
                byte: end.max(FRAMES),
            },
        ];
        if end > FRAMES {
            // The last sector of the frames is where batches end.
            faults.push(flip(end - 1 - random.below(SECTOR.min(end - FRAMES))));
            faults.push(flip(FRAMES + random.below(end - FRAMES)));
            faults.push(MediumFault::Zero {
                file: file.clone(),
                sector: usize::try_from((end - 1) / SECTOR).unwrap(),
            });
        }
        for sector in used {
            let versions = disk.older_versions(&file, sector);
            if versions > 0 && random.below(2) == 0 {
                faults.push(MediumFault::Revert {
                    file: file.clone(),
                    sector,
                    back: usize::try_from(random.below(versions as u64)).unwrap(),
                });
            }
        }
        if files.len() > 1 {
            let other = files.iter().find(|other| **other != file).unwrap().clone();
            faults.push(MediumFault::Duplicate {
                from: file.clone(),
                to: other.clone(),
            });
            faults.push(MediumFault::Swap {
                left: file,
                right: other,
            });
        }
        faults
    }

    /// Every bit, sector, length, file and pair of files.
    pub(crate) fn all(disk: &SimDisk) -> Vec<MediumFault> {
        let files = segments(disk);
        let mut faults = Vec::new();
        for file in &files {
            let bytes = disk.read(file).unwrap();
            let end = bytes.iter().rposition(|&byte| byte != 0).unwrap_or(0) as u64 + 1;
            let places = (0..64)
                .chain(4096..4160)
                .chain(8192..8256)
                .chain(FRAMES..end);
            for byte in places {
                for bit in 0..8 {
                    let file = file.clone();
                    faults.push(MediumFault::Flip { file, byte, bit });
                }
            }
            for sector in used_sectors(&bytes) {
                let file = file.clone();
                for back in 0..disk.older_versions(&file, sector) {
                    let file = file.clone();
                    faults.push(MediumFault::Revert { file, sector, back });
                }
                faults.push(MediumFault::Zero { file, sector });
            }
            let lens = [0, 1, 63, 64, 4095, 4096, 8192, 12287].into_iter();
            for len in lens.chain(FRAMES..bytes.len().min(16384) as u64) {
                let file = file.clone();
                faults.push(MediumFault::Cut { file, len });
            }
            faults.push(MediumFault::Delete { file: file.clone() });
            faults.push(MediumFault::Duplicate {
                from: file.clone(),
                to: "00000000000000000077.log".into(),
            });
            for other in files.iter().filter(|other| *other != file) {
                faults.push(MediumFault::Duplicate {
                    from: file.clone(),
                    to: other.clone(),
                });
                faults.push(MediumFault::Swap {
                    left: file.clone(),
                    right: other.clone(),
                });
            }
        }
        faults
    }
}

fn segments(disk: &SimDisk) -> Vec<String> {
    let names = disk.files().into_iter();
    names.filter(|name| name.ends_with(".log")).collect()
}

fn used_sectors(bytes: &[u8]) -> Vec<usize> {
    let sectors = bytes.chunks(512).enumerate();
    let used = sectors.filter(|(_, sector)| sector.iter().any(|&byte| byte != 0));
    used.map(|(number, _)| number).collect()
}
