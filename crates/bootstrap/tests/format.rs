//! The bytes and names that this crate is the owner of, written out.
#![allow(clippy::unwrap_used)]

#[path = "fixture/fixture.rs"]
mod fixture;

use disk::SimDisk;
use fixture::*;

#[test]
fn the_identity_file() {
    let disk = SimDisk::new(1);
    open(&disk);
    #[rustfmt::skip]
    let golden: [u8; 40] = [
        b'c', b'a', b'i', b'r', b'n', b' ', b'i', b'd',
        1, 0, 0, 0, 0, 0, 0, 0,
        b'a', b'n', b' ', b'e', b'x', b'a', b'm', b'p', b'l', b'e', b'\'', b's', b' ', b'i', b'd', b'.',
        0, 0, 0, 0, 0x60, 0xec, 0x72, 0x83,
    ];
    assert_eq!(disk.read("identity").unwrap(), golden);
}

#[test]
fn the_names_in_a_directory() {
    let disk = SimDisk::new(1);
    let (database, _) = open(&disk);
    assert_eq!(
        disk.files(),
        ["identity", "lock", "log/00000000000000000000.log"]
    );
    put(&database, 1);
    database.snapshot().unwrap();
    let beside: Vec<String> = disk
        .files()
        .into_iter()
        .filter(|path| !path.starts_with("snapshots/"))
        .collect();
    let expected = [
        "identity",
        "lock",
        "log/00000000000000000000.log",
        "log/00000000000000000002.log",
    ];
    assert_eq!(beside, expected);
}
