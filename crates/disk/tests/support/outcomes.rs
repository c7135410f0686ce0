//! Small files written as one letter for each sector, and all that a power cut may make of them.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::BTreeSet;
use std::sync::Arc;

use disk::{Dir, Fault, File, SimDisk};

/// The unit that a power cut leaves old or new, in bytes.
pub(crate) const SECTOR: usize = 512;

/// A disk with one durable file `x` of these bytes, and a handle on it.
pub(crate) fn disk_with(bytes: &[u8]) -> (SimDisk, Arc<dyn Dir>, Arc<dyn File>) {
    let disk = SimDisk::new(1);
    let dir = disk.root();
    let file = dir.create("x").unwrap();
    file.write_all_at(0, bytes).unwrap();
    file.sync().unwrap();
    dir.sync().unwrap();
    (disk, dir, file)
}

/// A sector full of each letter.
pub(crate) fn sectors(letters: &str) -> Vec<u8> {
    letters
        .bytes()
        .flat_map(|letter| [letter; SECTOR])
        .collect()
}

/// The first byte of each sector, `.` for zero: `sectors` undone.
pub(crate) fn letters(bytes: &[u8]) -> String {
    let sectors = bytes.chunks(SECTOR);
    let letters = sectors.map(|sector| {
        assert!(
            sector.iter().all(|byte| *byte == sector[0]),
            "a sector is torn within"
        );
        if sector[0] == 0 {
            '.'
        } else {
            char::from(sector[0])
        }
    });
    letters.collect()
}

/// What `x` may read as after a power cut now, `-` if it is missing.
pub(crate) fn outcomes(disk: &SimDisk) -> Vec<String> {
    let states = disk.power_cuts(10_000, 1);
    let found = states.iter().map(|disk| match disk.read("x") {
        Some(bytes) => letters(&bytes),
        None => "-".to_owned(),
    });
    let found: BTreeSet<String> = found.collect();
    found.into_iter().collect()
}

/// All sets of names that a power cut now may leave, with the first letter of each file.
pub(crate) fn name_outcomes(disk: &SimDisk) -> Vec<String> {
    let states = disk.power_cuts(10_000, 1);
    let found = states.iter().map(|disk| {
        let files = disk.files().into_iter();
        let files = files.map(|name| format!("{name}={}", letters(&disk.read(&name).unwrap())));
        files.collect::<Vec<_>>().join(" ")
    });
    let found: BTreeSet<String> = found.collect();
    found.into_iter().collect()
}

/// Makes the next call fail.
pub(crate) fn eio(disk: &SimDisk) {
    disk.fail_at(disk.call_count(), Fault::Eio);
}
