//! What the operating system's disk does beyond the contract that it shares with the simulated one.
#![allow(clippy::unwrap_used)]

use disk::{Access, Choice, Crash, Error, Fault, Moment, OsDir, SimDisk};

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

#[test]
fn the_simulated_disk_loses_what_was_not_synced() {
    let disk = SimDisk::new(1);
    let dir = disk.root();
    let file = dir.create("x").unwrap();
    file.write_all_at(0, b"old").unwrap();
    file.sync().unwrap();
    dir.sync().unwrap();
    file.write_all_at(0, b"new").unwrap();
    assert_eq!(disk.power_states(), 2);
    for (choice, expected) in [(Choice::Old, b"old"), (Choice::New, b"new")] {
        let fork = disk.fork();
        fork.crash(Crash::Power(choice));
        assert_eq!(fork.read("x").unwrap(), expected);
    }
    disk.crash(Crash::Kill);
    assert!(file.len().is_err());
    assert_eq!(disk.read("x").unwrap(), b"new");
}

#[test]
fn a_crash_after_a_call_that_opens_a_handle_ends() {
    let disk = SimDisk::new(1);
    let dir = disk.root();
    let moment = Moment::After;
    let crash = Crash::Kill;
    disk.fail_at(0, Fault::Crash { crash, moment });
    assert!(dir.create("x").is_err());
    assert_eq!(disk.files(), ["x"]);
}
