//! What the operating system's disk does beyond the contract that it shares with the simulated one.
#![allow(clippy::unwrap_used)]

use disk::{Access, Error, OsDir};

#[test]
fn a_file_written_is_read_back_and_mapped() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = OsDir::create(temporary.path().join("a/b")).unwrap();
    let file = dir.create("x").unwrap();
    file.write_all_at(3, b"hello").unwrap();
    file.sync().unwrap();
    dir.rename_durable("x", "y").unwrap();
    let file = dir.open("y", Access::Read).unwrap();
    assert_eq!(&*file.map(8).unwrap(), b"\0\0\0hello");
}

#[test]
fn a_second_lock_names_the_first_holder() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = OsDir::open(temporary.path()).unwrap();
    let lock = dir.lock("lock", &disk::this_process()).unwrap();
    let refused = dir.lock("lock", "me").unwrap_err();
    assert!(matches!(refused, Error::Locked { holder, .. } if holder == disk::this_process()));
    drop(lock);
    dir.lock("lock", "me").unwrap();
}
