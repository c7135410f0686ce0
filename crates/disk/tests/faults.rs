//! The simulated disk fails as it is told to: syncs, single calls, crashes within a call, a lack of space.
#![allow(clippy::unwrap_used)]

#[path = "support/outcomes.rs"]
mod outcomes;

use std::collections::BTreeSet;
use std::io::ErrorKind;

use disk::{Access, Choice, Crash, Dir, Fault, Moment, Operation, SimDisk};
use outcomes::{SECTOR, disk_with, eio, letters, name_outcomes, outcomes, sectors};

// --- failed syncs

#[test]
fn after_a_failed_sync_a_second_one_says_ok_and_writes_nothing() {
    let (disk, _dir, file) = disk_with(&sectors("aa"));
    file.write_all_at(0, &sectors("bbb")).unwrap();
    eio(&disk);
    file.sync().unwrap_err();
    file.sync().unwrap();
    assert_eq!(letters(&disk.read("x").unwrap()), "bbb");
    let all = [
        "aa", "aa.", "aab", "ab", "ab.", "abb", "ba", "ba.", "bab", "bb", "bb.", "bbb",
    ];
    assert_eq!(outcomes(&disk), all);
    // A kill changes nothing of it.
    disk.crash(Crash::Kill);
    let file = disk.root().open("x", Access::ReadWrite).unwrap();
    file.sync().unwrap();
    assert_eq!(outcomes(&disk), all);
    // Rewriting does, bytes and length alike.
    file.write_all_at(0, &sectors("bbb")).unwrap();
    file.sync().unwrap();
    assert_eq!(outcomes(&disk), ["bbb"]);
}

#[test]
fn rewriting_after_a_failed_sync_counts_by_sector() {
    let (disk, _dir, file) = disk_with(&sectors("aa"));
    file.write_all_at(0, &sectors("bb")).unwrap();
    eio(&disk);
    file.sync().unwrap_err();
    file.write_all_at(0, b"b").unwrap();
    file.sync().unwrap();
    assert_eq!(outcomes(&disk), ["ba", "bb"]);
}

#[test]
fn a_length_lost_by_a_failed_sync_comes_back_as_far_as_it_is_rewritten() {
    let (disk, _dir, file) = disk_with(&sectors("a"));
    file.write_all_at(SECTOR as u64, &sectors("bc")).unwrap();
    eio(&disk);
    file.sync().unwrap_err();
    file.write_all_at(SECTOR as u64, &sectors("b")).unwrap();
    file.sync().unwrap();
    assert_eq!(outcomes(&disk), ["ab", "ab.", "abc"]);
}

#[test]
fn a_cut_lost_by_a_failed_sync_is_lost_until_it_is_made_again() {
    let (disk, _dir, file) = disk_with(&sectors("abc"));
    file.set_len(SECTOR as u64).unwrap();
    eio(&disk);
    file.sync().unwrap_err();
    file.sync().unwrap();
    assert_eq!(outcomes(&disk), ["a", "a..", "a.c", "ab.", "abc"]);
    file.set_len(SECTOR as u64).unwrap();
    file.sync().unwrap();
    assert_eq!(outcomes(&disk), ["a"]);
    file.set_len(3 * SECTOR as u64).unwrap();
    file.sync().unwrap();
    assert_eq!(outcomes(&disk), ["a.."]);
}

#[test]
fn after_a_failed_directory_sync_a_second_one_writes_nothing_whoever_asks_for_it() {
    let disk = SimDisk::new(1);
    let dir = disk.root();
    dir.create("1").unwrap();
    eio(&disk);
    dir.sync().unwrap_err();
    dir.create("2").unwrap();
    dir.sync().unwrap();
    assert_eq!(name_outcomes(&disk), ["1= 2=", "2="]);
    // The system goes on when a process ends, and its cache with it.
    disk.crash(Crash::Kill);
    disk.root().sync().unwrap();
    disk.fork().root().sync().unwrap();
    assert_eq!(name_outcomes(&disk), ["1= 2=", "2="]);
    // Another file of that name is a change that the next sync has to write.
    let dir = disk.root();
    dir.create("3").unwrap();
    dir.rename("3", "1").unwrap();
    dir.sync().unwrap();
    assert_eq!(name_outcomes(&disk), ["1= 2="]);
}

#[test]
fn a_full_disk_may_show_at_the_sync() {
    let (disk, _dir, file) = disk_with(&sectors("a"));
    file.write_all_at(0, &sectors("b")).unwrap();
    disk.fail_at(disk.call_count(), Fault::Enospc);
    assert!(file.sync().unwrap_err().is_full());
    file.sync().unwrap();
    assert_eq!(outcomes(&disk), ["a", "b"]);
}

// --- faults

#[test]
fn the_call_asked_for_fails_and_no_other() {
    let (disk, _dir, file) = disk_with(&sectors("a"));
    let number = disk.call_count() + 1;
    disk.fail_at(number, Fault::Eio);
    assert_eq!(file.len().unwrap(), SECTOR as u64);
    assert!(file.read_at(0, &mut [0; 4]).is_err());
    assert_eq!(file.read_at(0, &mut [0; 4]).unwrap(), 4);
    let call = &disk.calls()[usize::try_from(number).unwrap()];
    assert_eq!(call.number, number);
    assert_eq!(call.operation, Operation::Read);
    assert_eq!(&*call.path, std::path::Path::new("x"));
    disk.fail_at(disk.call_count(), Fault::Eio);
    disk.clear_faults();
    file.len().unwrap();
}

#[test]
fn calls_are_counted_and_named() {
    let disk = SimDisk::new(1);
    let dir = disk.root();
    let sub = dir.create_dir_durable("sub").unwrap();
    let file = sub.create("a").unwrap();
    file.write_all_at(0, b"abc").unwrap();
    file.allocate(0, 10).unwrap();
    file.set_len(3).unwrap();
    file.sync().unwrap();
    file.map(0..3).unwrap();
    sub.rename("a", "b").unwrap();
    sub.remove("b").unwrap();
    sub.list().unwrap();
    dir.lock("lock", "me").unwrap();
    assert!(sub.open("a/b", Access::Read).is_err());
    let calls: Vec<String> = disk
        .calls()
        .iter()
        .map(|call| format!("{:?} {}", call.operation, call.path.display()))
        .collect();
    let expected = [
        "Create sub",
        "SyncDir .",
        "Create sub/a",
        "Write sub/a",
        "Allocate sub/a",
        "SetLen sub/a",
        "SyncFile sub/a",
        "Map sub/a",
        "Rename sub/a",
        "Remove sub/b",
        "List sub",
        "Lock lock",
    ];
    assert_eq!(calls, expected);
}

#[test]
fn short_and_interrupted_calls_are_taken_up_again() {
    let (disk, _dir, file) = disk_with(b"");
    let bytes: Vec<u8> = (0..=255).collect();
    for fault in [Fault::Short, Fault::Interrupted] {
        file.set_len(0).unwrap();
        disk.fail_at(disk.call_count(), fault);
        file.write_all_at(0, &bytes).unwrap();
        let mut back = vec![0; 256];
        disk.fail_at(disk.call_count(), fault);
        file.read_exact_at(0, &mut back).unwrap();
        assert_eq!(back, bytes);
    }
    disk.fail_at(disk.call_count(), Fault::Short);
    let count = file.write_at(0, &bytes).unwrap();
    assert!((1..256).contains(&count));
    disk.fail_at(disk.call_count(), Fault::Interrupted);
    let error = file.read_at(0, &mut [0; 4]).unwrap_err();
    assert_eq!(error.io_kind(), Some(ErrorKind::Interrupted));
    // Others do not know them.
    for fault in [Fault::Short, Fault::Interrupted] {
        disk.fail_at(disk.call_count(), fault);
        file.sync().unwrap();
    }
}

#[test]
fn a_failed_write_may_have_written_any_front_part() {
    let mut written = BTreeSet::new();
    for seed in 0..300 {
        let disk = SimDisk::new(seed);
        let file = disk.root().create("x").unwrap();
        disk.fail_at(disk.call_count(), Fault::Eio);
        assert!(file.write_at(0, b"abc").is_err());
        written.insert(disk.read("x").unwrap());
    }
    let expected = [&b""[..], b"a", b"ab", b"abc"].map(<[u8]>::to_vec);
    assert_eq!(written, BTreeSet::from(expected));
}

#[test]
fn a_write_without_space_has_written_nothing() {
    let (disk, _dir, file) = disk_with(&sectors("a"));
    disk.fail_at(disk.call_count(), Fault::Enospc);
    assert!(file.write_at(0, &sectors("bb")).unwrap_err().is_full());
    assert_eq!(outcomes(&disk), ["a"]);
}

#[test]
fn a_failed_reservation_may_have_reserved_any_front_part() {
    let mut lens = BTreeSet::new();
    for seed in 0..200 {
        let disk = SimDisk::new(seed);
        let file = disk.root().create("x").unwrap();
        disk.fail_at(disk.call_count(), Fault::Enospc);
        assert!(file.allocate(0, 3).unwrap_err().is_full());
        lens.insert(file.len().unwrap());
    }
    assert_eq!(lens, BTreeSet::from([0, 1, 2, 3]));
}

#[test]
fn a_failed_change_of_names_has_done_nothing() {
    let (disk, dir, _file) = disk_with(&sectors("a"));
    for fault in [Fault::Eio, Fault::Enospc] {
        let calls: [&dyn Fn() -> disk::Result<()>; 6] = [
            &|| dir.create("y").map(drop),
            &|| dir.create_dir("y").map(drop),
            &|| dir.rename("x", "y"),
            &|| dir.remove("x"),
            &|| dir.open("x", Access::Read).map(drop),
            &|| dir.lock("lock", "me").map(drop),
        ];
        for call in calls {
            disk.fail_at(disk.call_count(), fault);
            let error = call().unwrap_err();
            assert_eq!(error.is_full(), fault == Fault::Enospc);
        }
    }
    assert_eq!(disk.files(), ["x"]);
    assert_eq!(disk.power_states(), 1);
}

// --- crashes at a call

#[test]
fn a_crash_at_a_call_comes_before_or_after_its_effect() {
    for (moment, expected) in [
        (Moment::Before, &["aa"][..]),
        // Done, but not synced: the power cut may take it back.
        (Moment::Midway, &["aa", "ba"]),
        (Moment::After, &["aa", "ba"]),
    ] {
        let mut found = BTreeSet::new();
        for seed in 0..50 {
            let crash = Crash::Power(Choice::Seed(seed));
            let (disk, _dir, file) = disk_with(&sectors("aa"));
            disk.fail_at(disk.call_count(), Fault::Crash { crash, moment });
            assert!(file.write_at(0, &sectors("b")).is_err());
            assert!(file.len().is_err());
            assert_eq!(disk.lives(), 2);
            found.insert(letters(&disk.read("x").unwrap()));
        }
        let found: Vec<_> = found.into_iter().collect();
        assert_eq!(found, expected, "{moment:?}");
    }
}

#[test]
fn a_crash_in_a_sync_comes_before_or_after_its_effect() {
    for (moment, expected) in [
        (Moment::Before, "a"),
        (Moment::Midway, "a"),
        (Moment::After, "b"),
    ] {
        let (disk, dir, file) = disk_with(&sectors("a"));
        file.write_all_at(0, &sectors("b")).unwrap();
        let crash = Crash::Power(Choice::Old);
        disk.fail_at(disk.call_count(), Fault::Crash { crash, moment });
        assert!(file.sync().is_err());
        assert_eq!(letters(&disk.read("x").unwrap()), expected, "{moment:?}");
        assert!(dir.sync().is_err());
    }
}

#[test]
fn a_kill_in_the_middle_of_a_write_leaves_a_front_part() {
    let mut found = BTreeSet::new();
    for seed in 0..100 {
        let disk = SimDisk::new(seed);
        let file = disk.root().create("x").unwrap();
        let crash = Crash::Kill;
        let moment = Moment::Midway;
        disk.fail_at(disk.call_count(), Fault::Crash { crash, moment });
        assert!(file.write_at(0, b"abc").is_err());
        found.insert(disk.read("x").unwrap());
    }
    assert_eq!(found, BTreeSet::from([b"a".to_vec(), b"ab".to_vec()]));
}

#[test]
fn a_crash_can_come_at_every_call_of_a_run() {
    fn run(dir: &dyn Dir) -> disk::Result<()> {
        let file = dir.create("tmp")?;
        file.allocate(0, 1000)?;
        file.write_all_at(0, &[1; 700])?;
        file.sync()?;
        dir.rename_durable("tmp", "x")?;
        let sub = dir.create_dir_durable("sub")?;
        let _lock = sub.lock("lock", "me")?;
        sub.list()?;
        dir.open("x", Access::Read)?.map(0..10)?;
        dir.remove_durable("x")
    }
    let whole = SimDisk::new(1);
    run(&*whole.root()).unwrap();
    for number in 0..whole.call_count() {
        for crash in [Crash::Kill, Crash::Power(Choice::Drawn)] {
            for moment in [Moment::Before, Moment::Midway, Moment::After] {
                let disk = SimDisk::new(number);
                disk.fail_at(number, Fault::Crash { crash, moment });
                run(&*disk.root()).unwrap_err();
                assert_eq!(disk.call_count(), number + 1);
                assert_eq!(disk.lives(), 2);
                // The next life finds a disk that works.
                let dir = disk.root();
                for name in ["tmp", "x"] {
                    if let Err(error) = dir.remove(name) {
                        assert!(error.is_not_found());
                    }
                }
                dir.create("x").unwrap().sync().unwrap();
                dir.sync().unwrap();
            }
        }
    }
}

#[test]
fn one_recorded_run_gives_every_crash_point() {
    fn run(dir: &dyn Dir) -> disk::Result<()> {
        let file = dir.create("x")?;
        file.write_all_at(0, &[1; 1500])?;
        file.sync()?;
        file.write_all_at(100, &[2; 1000])?;
        dir.rename_durable("x", "y")?;
        dir.remove_durable("y")
    }
    let whole = SimDisk::new(1);
    whole.record();
    run(&*whole.root()).unwrap();
    for number in 0..whole.call_count() {
        let again = SimDisk::new(1);
        let crash = Crash::Kill;
        let moment = Moment::Before;
        again.fail_at(number, Fault::Crash { crash, moment });
        run(&*again.root()).unwrap_err();
        assert_eq!(
            whole.state_before(number).digest(),
            again.digest(),
            "call {number}"
        );
    }
    assert_eq!(
        whole.state_before(whole.call_count()).digest(),
        whole.digest()
    );
    assert_eq!(whole.recorded_write_bytes(0), None);
    assert_eq!(whole.recorded_write_bytes(3), Some(1000));
    let bytes = whole.state_within(3, 7).read("x").unwrap();
    assert_eq!(&bytes[98..109], &[1, 1, 2, 2, 2, 2, 2, 2, 2, 1, 1]);
    assert_eq!(
        whole.state_within(3, 1000).digest(),
        whole.state_before(4).digest()
    );
}

// --- full disks

#[test]
fn a_full_disk_takes_what_fits_and_goes_on_when_there_is_space() {
    let (disk, dir, file) = disk_with(&sectors("ab"));
    assert_eq!(disk.used_bytes(), 1024);
    disk.set_capacity(Some(4 * SECTOR as u64));
    assert_eq!(
        file.write_at(2 * SECTOR as u64, &sectors("cdef")).unwrap(),
        1024
    );
    assert!(
        file.write_at(4 * SECTOR as u64, b"e")
            .unwrap_err()
            .is_full()
    );
    assert!(
        file.write_all_at(3 * SECTOR as u64, &sectors("dd"))
            .unwrap_err()
            .is_full()
    );
    // What has space may be overwritten, and names take none.
    file.write_all_at(0, &sectors("z")).unwrap();
    let other = dir.create("y").unwrap();
    assert!(other.write_all_at(0, b"y").unwrap_err().is_full());
    assert!(file.allocate(0, 5 * SECTOR as u64).unwrap_err().is_full());
    assert_eq!(letters(&disk.read("x").unwrap()), "zbcd");
    disk.set_capacity(Some(5 * SECTOR as u64));
    other.write_all_at(0, b"y").unwrap();
    assert!(
        file.write_all_at(4 * SECTOR as u64, b"e")
            .unwrap_err()
            .is_full()
    );
    dir.remove("y").unwrap();
    file.write_all_at(4 * SECTOR as u64, &sectors("e")).unwrap();
    assert_eq!(letters(&disk.read("x").unwrap()), "zbcde");
}

#[test]
fn reserved_space_is_there_when_the_disk_is_full() {
    let (disk, dir, file) = disk_with(b"");
    disk.set_capacity(Some(4 * SECTOR as u64));
    file.allocate(0, 3 * SECTOR as u64).unwrap();
    let ballast = dir.create("y").unwrap();
    assert!(
        ballast
            .write_all_at(0, &sectors("yy"))
            .unwrap_err()
            .is_full()
    );
    file.write_all_at(0, &sectors("abc")).unwrap();
    // A hole is not reserved.
    file.set_len(0).unwrap();
    ballast.write_all_at(0, &sectors("yyy")).unwrap();
    file.set_len(3 * SECTOR as u64).unwrap();
    assert!(file.write_all_at(0, &sectors("abc")).unwrap_err().is_full());
}
