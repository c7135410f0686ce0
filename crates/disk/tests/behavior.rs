//! The simulated disk loses what was not synced, piece by piece, and nothing else.
#![allow(clippy::unwrap_used)]

#[path = "support/outcomes.rs"]
mod outcomes;

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};

use disk::{Access, Choice, Crash, Dir, Error, Fault, File, SimDisk};
use outcomes::{SECTOR, disk_with, eio, letters, name_outcomes, outcomes, sectors};

// --- sectors and lengths

#[test]
fn each_unsynced_sector_is_old_or_new_on_its_own() {
    let (disk, _dir, file) = disk_with(&sectors("aaa"));
    file.write_all_at(0, &sectors("bb")).unwrap();
    assert_eq!(disk.power_states(), 4);
    assert_eq!(outcomes(&disk), ["aaa", "aba", "baa", "bba"]);
    file.sync().unwrap();
    assert_eq!(outcomes(&disk), ["bba"]);
}

#[test]
fn a_sector_may_keep_any_version_since_the_last_sync() {
    let (disk, _dir, file) = disk_with(&sectors("a"));
    for letter in ["b", "c", "d"] {
        file.write_all_at(0, &sectors(letter)).unwrap();
    }
    assert_eq!(outcomes(&disk), ["a", "b", "c", "d"]);
    // Back to what is durable: what lay between may still be there.
    file.write_all_at(0, &sectors("a")).unwrap();
    assert_eq!(outcomes(&disk), ["a", "b", "c", "d"]);
    file.sync().unwrap();
    assert_eq!(outcomes(&disk), ["a"]);
}

#[test]
fn writing_the_same_bytes_makes_nothing_uncertain() {
    let (disk, _dir, file) = disk_with(&sectors("ab"));
    file.write_all_at(0, &sectors("ab")).unwrap();
    assert_eq!(disk.power_states(), 1);
}

#[test]
fn an_unsynced_length_is_old_or_new_and_missing_sectors_read_as_zero() {
    let (disk, _dir, file) = disk_with(&sectors("a"));
    file.write_all_at(SECTOR as u64, &sectors("bc")).unwrap();
    let expected = ["a", "a..", "a.c", "ab.", "abc"];
    assert_eq!(outcomes(&disk), expected);
    file.sync().unwrap();
    assert_eq!(outcomes(&disk), ["abc"]);
}

#[test]
fn an_unsynced_cut_may_be_undone_in_part() {
    let (disk, _dir, file) = disk_with(&sectors("abc"));
    file.set_len(SECTOR as u64).unwrap();
    assert_eq!(outcomes(&disk), ["a", "a..", "a.c", "ab.", "abc"]);
    file.write_all_at(SECTOR as u64, &sectors("d")).unwrap();
    let expected = [
        "a", "a.", "a..", "a.c", "ab", "ab.", "abc", "ad", "ad.", "adc",
    ];
    assert_eq!(outcomes(&disk), expected);
    file.sync().unwrap();
    assert_eq!(outcomes(&disk), ["ad"]);
}

#[test]
fn a_cut_within_a_sector_is_old_or_new_as_a_whole() {
    let (disk, _dir, file) = disk_with(b"abcdef");
    file.set_len(2).unwrap();
    file.write_all_at(4, b"z").unwrap();
    let states = disk.power_cuts(1000, 1);
    let found: BTreeSet<Vec<u8>> = states.iter().map(|disk| disk.read("x").unwrap()).collect();
    let expected: BTreeSet<Vec<u8>> = [
        &b"ab"[..],
        b"abcde",
        b"abcdef",
        b"ab\0\0\0",
        b"ab\0\0\0\0",
        b"ab\0\0z",
        b"ab\0\0z\0",
    ]
    .into_iter()
    .map(<[u8]>::to_vec)
    .collect();
    assert_eq!(found, expected);
}

#[test]
fn bytes_lost_by_a_power_cut_do_not_come_back_when_the_file_grows() {
    for durable in [0, 1, 511, 512, 513, 1024] {
        let (disk, _dir, file) = disk_with(&vec![b'a'; durable]);
        file.write_all_at(0, &[b'b'; 40_000]).unwrap();
        for cut in disk.power_cuts(200, 1) {
            let len = cut.read("x").unwrap().len();
            let file = cut.root().open("x", Access::ReadWrite).unwrap();
            file.set_len(50_000).unwrap();
            let bytes = cut.read("x").unwrap();
            assert!(
                bytes[len..].iter().all(|byte| *byte == 0),
                "{durable}, {len}"
            );
            assert_eq!(cut.used_bytes() % 512, 0);
            assert!(cut.used_bytes() <= len.next_multiple_of(512) as u64);
        }
    }
}

#[test]
fn reserved_space_is_not_durable_before_a_sync() {
    let (disk, _dir, file) = disk_with(&sectors("a"));
    file.allocate(0, 3 * SECTOR as u64).unwrap();
    assert_eq!(outcomes(&disk), ["a", "a.."]);
    file.sync().unwrap();
    assert_eq!(outcomes(&disk), ["a.."]);
}

#[test]
fn a_sync_covers_one_file_only() {
    let (disk, dir, file) = disk_with(&sectors("a"));
    let other = dir.create("y").unwrap();
    dir.sync().unwrap();
    file.write_all_at(0, &sectors("b")).unwrap();
    other.sync().unwrap();
    assert_eq!(outcomes(&disk), ["a", "b"]);
}

// --- names

#[test]
fn a_name_is_durable_after_the_directory_is_synced_and_not_before() {
    let disk = SimDisk::new(1);
    let dir = disk.root();
    let file = dir.create("x").unwrap();
    file.write_all_at(0, &sectors("a")).unwrap();
    file.sync().unwrap();
    assert_eq!(outcomes(&disk), ["-", "a"]);
    dir.sync().unwrap();
    assert_eq!(outcomes(&disk), ["a"]);
}

#[test]
fn each_unsynced_name_is_lost_or_kept_on_its_own() {
    let disk = SimDisk::new(1);
    let dir = disk.root();
    for name in ["1", "2"] {
        let file = dir.create(name).unwrap();
        file.write_all_at(0, &sectors(name)).unwrap();
        file.sync().unwrap();
    }
    assert_eq!(name_outcomes(&disk), ["", "1=1", "1=1 2=2", "2=2"]);
    dir.sync().unwrap();
    dir.remove("1").unwrap();
    dir.rename("2", "3").unwrap();
    let expected = ["1=1 2=2", "1=1 3=2", "2=2", "3=2"];
    assert_eq!(name_outcomes(&disk), expected);
    dir.sync().unwrap();
    assert_eq!(name_outcomes(&disk), ["3=2"]);
}

#[test]
fn a_replacing_rename_leaves_one_of_both() {
    let (disk, dir, _file) = disk_with(&sectors("a"));
    let new = dir.create("tmp").unwrap();
    new.write_all_at(0, &sectors("b")).unwrap();
    new.sync().unwrap();
    dir.rename("tmp", "x").unwrap();
    // The rename may survive where the name before it was lost.
    assert_eq!(name_outcomes(&disk), ["tmp=b x=a", "x=a", "x=b"]);
}

#[test]
fn a_rename_may_overtake_the_content() {
    let disk = SimDisk::new(1);
    let dir = disk.root();
    let new = dir.create("tmp").unwrap();
    new.write_all_at(0, &sectors("b")).unwrap();
    dir.rename_durable("tmp", "x").unwrap();
    assert_eq!(outcomes(&disk), ["", ".", "b"]);
}

#[test]
fn a_rename_to_the_same_name_changes_nothing() {
    let (disk, dir, _file) = disk_with(&sectors("a"));
    dir.rename("x", "x").unwrap();
    assert_eq!(disk.power_states(), 1);
}

#[test]
fn what_is_in_a_lost_directory_is_lost() {
    let disk = SimDisk::new(1);
    let dir = disk.root();
    let sub = dir.create_dir("sub").unwrap();
    let file = sub.create("x").unwrap();
    file.sync().unwrap();
    sub.sync().unwrap();
    assert_eq!(name_outcomes(&disk), ["", "sub/x="]);
    dir.sync().unwrap();
    assert_eq!(name_outcomes(&disk), ["sub/x="]);
}

#[test]
fn a_name_used_again_is_another_file() {
    let (disk, dir, _file) = disk_with(&sectors("a"));
    dir.remove("x").unwrap();
    let again = dir.create("x").unwrap();
    again.write_all_at(0, &sectors("b")).unwrap();
    again.sync().unwrap();
    assert_eq!(outcomes(&disk), ["-", "a", "b"]);
}

// --- lives

#[test]
fn a_kill_keeps_what_was_written_and_ends_all_handles() {
    let (disk, dir, file) = disk_with(&sectors("a"));
    file.write_all_at(0, &sectors("b")).unwrap();
    let map = file.map(0..SECTOR as u64).unwrap();
    let _lock = dir.lock("lock", "me").unwrap();
    disk.crash(Crash::Kill);
    assert_eq!(disk.lives(), 2);
    let calls = disk.call_count();
    for dead in [
        file.len().map(drop),
        file.read_at(0, &mut [0]).map(drop),
        file.write_all_at(0, b"x"),
        file.set_len(0),
        file.allocate(0, 1),
        file.sync(),
        file.map(0..0).map(drop),
        dir.list().map(drop),
        dir.open("x", Access::Read).map(drop),
        dir.create("y").map(drop),
        dir.rename("x", "y"),
        dir.remove("x"),
        dir.sync(),
        dir.create_dir("y").map(drop),
        dir.lock("lock", "me").map(drop),
    ] {
        assert_eq!(dead.unwrap_err().io_kind(), Some(ErrorKind::Other));
    }
    assert_eq!(disk.call_count(), calls);
    assert_eq!(letters(&map), "b");
    assert_eq!(letters(&disk.read("x").unwrap()), "b");
    // The operating system lives, and what was not synced still is not.
    assert_eq!(outcomes(&disk), ["a", "b"]);
    let dir = disk.root();
    let _lock = dir.lock("lock", "the next").unwrap();
    dir.open("x", Access::Read).unwrap().sync().unwrap();
    assert_eq!(outcomes(&disk), ["b"]);
}

#[test]
fn changing_bytes_that_are_mapped_is_caught() {
    // What is done to a file of 4 sectors whose second and third are mapped.
    type Change = fn(&dyn File) -> disk::Result<()>;
    let sector = SECTOR as u64;
    let rows: [(&str, bool, Change); 9] = [
        ("write before", true, |file| {
            file.write_all_at(0, &[1; SECTOR])
        }),
        ("write into the front", false, |file| {
            file.write_all_at(0, &[1; SECTOR + 1])
        }),
        ("write inside", false, |file| file.write_all_at(700, &[1])),
        ("write the same", false, |file| {
            file.write_all_at(1535, b"c")
        }),
        ("write behind", true, |file| {
            file.write_all_at(1536, &[1; 5000])
        }),
        ("cut inside", false, |file| file.set_len(1535)),
        ("cut behind", true, |file| file.set_len(1536)),
        ("extend", true, |file| file.set_len(9000)),
        ("allocate", true, |file| file.allocate(0, 9000)),
    ];
    for (what, allowed, change) in rows {
        let (_disk, _dir, file) = disk_with(&sectors("abcd"));
        let map = file.map(sector..3 * sector).unwrap();
        let copy = map.clone();
        drop(map);
        let changed = catch_unwind(AssertUnwindSafe(|| change(&*file)));
        assert_eq!(changed.is_ok(), allowed, "{what}");
        assert_eq!(letters(&copy), "bc", "{what}");
        drop(copy);
        change(&*file).unwrap();
    }
}

#[test]
fn handles_of_a_past_life_do_not_free_the_locks_of_the_next() {
    let disk = SimDisk::new(1);
    let old = disk.root().lock("lock", "old").unwrap();
    disk.crash(Crash::Kill);
    let dir = disk.root();
    let _new = dir.lock("lock", "new").unwrap();
    drop(old);
    assert!(matches!(
        dir.lock("lock", "third"),
        Err(Error::Locked { .. })
    ));
}

#[test]
fn handles_of_a_past_life_do_not_close_those_of_the_next() {
    let (disk, _dir, old) = disk_with(&sectors("a"));
    disk.crash(Crash::Kill);
    let dir = disk.root();
    let new = dir.open("x", Access::Read).unwrap();
    drop(old);
    dir.remove_durable("x").unwrap();
    assert_eq!(new.len().unwrap(), 512);
}

#[test]
fn choices_are_what_they_say() {
    let (disk, dir, file) = disk_with(&sectors("aa"));
    file.write_all_at(0, &sectors("bb")).unwrap();
    dir.create("y").unwrap();
    let after = |choice| {
        let fork = disk.fork();
        fork.crash(Crash::Power(choice));
        (letters(&fork.read("x").unwrap()), fork.files().len())
    };
    assert_eq!(after(Choice::Old), ("aa".to_owned(), 1));
    assert_eq!(after(Choice::New), ("bb".to_owned(), 2));
    assert_eq!(after(Choice::Nth(0)), after(Choice::Old));
    assert_eq!(disk.power_states(), 8);
    let all: BTreeSet<_> = (0..8).map(|number| after(Choice::Nth(number))).collect();
    assert_eq!(all.len(), 8);
    let drawn: BTreeSet<_> = (0..200).map(|seed| after(Choice::Seed(seed))).collect();
    assert_eq!(drawn, all);
    assert_eq!(after(Choice::Seed(7)), after(Choice::Seed(7)));
}

#[test]
fn a_draw_of_the_disk_depends_on_its_seed_alone() {
    let run = |seed: u64| {
        let disk = SimDisk::new(seed);
        let dir = disk.root();
        for round in 0..10_u8 {
            let name = format!("{round}");
            dir.create(&name)
                .unwrap()
                .write_all_at(0, &[round; 2000])
                .unwrap();
        }
        disk.crash(Crash::Power(Choice::Drawn));
        disk.digest()
    };
    assert_eq!(run(1), run(1));
    let different: BTreeSet<u64> = (0..20).map(run).collect();
    assert!(different.len() > 10);
}

// --- forks and digests

#[test]
fn a_fork_goes_its_own_way() {
    let (disk, dir, file) = disk_with(&sectors("aaa"));
    let _lock = dir.lock("lock", "me").unwrap();
    file.write_all_at(0, &sectors("b")).unwrap();
    let fork = disk.fork();
    assert_eq!(fork.call_count(), 0);
    let fork_dir = fork.root();
    let _lock = fork_dir.lock("lock", "the fork").unwrap();
    let fork_file = fork_dir.open("x", Access::ReadWrite).unwrap();
    fork_file
        .write_all_at(SECTOR as u64, &sectors("c"))
        .unwrap();
    fork_dir.create("y").unwrap();
    file.write_all_at(2 * SECTOR as u64, &sectors("d")).unwrap();
    assert_eq!(letters(&disk.read("x").unwrap()), "bad");
    assert_eq!(letters(&fork.read("x").unwrap()), "bca");
    assert_eq!(disk.files(), ["lock", "x"]);
    fork_file.sync().unwrap();
    assert_eq!(outcomes(&fork), ["bca"]);
    assert_eq!(outcomes(&disk), ["aaa", "aad", "baa", "bad"]);
}

#[test]
fn a_fork_is_what_a_kill_leaves() {
    let (disk, dir, file) = disk_with(&sectors("a"));
    file.write_all_at(0, &sectors("b")).unwrap();
    dir.create("y").unwrap();
    eio(&disk);
    dir.sync().unwrap_err();
    let fork = disk.fork();
    disk.crash(Crash::Kill);
    assert_eq!(fork.digest(), disk.digest());
    fork.root().sync().unwrap();
    let outcomes = ["x=a", "x=a y=", "x=b", "x=b y="];
    assert_eq!(name_outcomes(&fork), outcomes);
}

#[test]
fn equal_disks_have_equal_digests_and_others_do_not() {
    type Step = fn(&SimDisk, &dyn Dir, &dyn File);
    let steps: [Step; 12] = [
        |_, _, _| {},
        |_, _, file| file.write_all_at(0, b"b").unwrap(),
        |_, _, file| file.write_all_at(1, b"b").unwrap(),
        |_, _, file| {
            file.write_all_at(0, b"b").unwrap();
            file.sync().unwrap();
        },
        |_, _, file| file.set_len(1000).unwrap(),
        |_, dir, _| drop(dir.create("y").unwrap()),
        |_, dir, _| {
            dir.create("y").unwrap();
            dir.sync().unwrap();
        },
        |_, dir, _| drop(dir.create_dir("y").unwrap()),
        |_, dir, _| dir.rename("x", "y").unwrap(),
        |_, dir, _| dir.remove("x").unwrap(),
        |disk, _, file| {
            file.write_all_at(0, b"b").unwrap();
            eio(disk);
            file.sync().unwrap_err();
        },
        |disk, dir, _| {
            dir.create("y").unwrap();
            eio(disk);
            dir.sync().unwrap_err();
        },
    ];
    let run = |step: &Step| {
        let (disk, dir, file) = disk_with(&sectors("a"));
        step(&disk, &*dir, &*file);
        disk.digest()
    };
    let digests: BTreeSet<u64> = steps.iter().map(run).collect();
    assert_eq!(digests.len(), steps.len());
    for step in &steps {
        assert_eq!(run(step), run(step));
    }
    // How it came about does not matter.
    let (left, _, file) = disk_with(&sectors("a"));
    file.write_all_at(0, b"bb").unwrap();
    file.sync().unwrap();
    let (right, _, file) = disk_with(&sectors("c"));
    file.write_all_at(0, &sectors("a")).unwrap();
    file.sync().unwrap();
    file.write_all_at(1, b"b").unwrap();
    file.sync().unwrap();
    file.write_all_at(0, b"b").unwrap();
    file.sync().unwrap();
    assert_eq!(left.digest(), right.digest());
}

// --- housekeeping

#[test]
fn a_removed_file_gives_its_space_back_and_lives_in_its_handles() {
    let (disk, dir, file) = disk_with(&sectors("abc"));
    dir.remove("x").unwrap();
    assert_eq!(disk.used_bytes(), 0);
    assert_eq!(outcomes(&disk), ["-", "abc"]);
    dir.sync().unwrap();
    file.write_all_at(0, &sectors("b")).unwrap();
    let mut bytes = [0; SECTOR];
    file.read_exact_at(0, &mut bytes).unwrap();
    assert_eq!(letters(&bytes), "b");
    // What nobody can find again does not multiply the states.
    assert_eq!(disk.power_states(), 1);
}

#[test]
fn a_sparse_file_costs_nothing() {
    let (disk, _dir, file) = disk_with(b"");
    file.set_len(1 << 35).unwrap();
    file.write_all_at((1 << 35) - 1, b"x").unwrap();
    assert_eq!(disk.used_bytes(), 512);
    assert_eq!(file.len().unwrap(), 1 << 35);
    file.set_len(0).unwrap();
    assert_eq!(disk.used_bytes(), 0);
}

/// The only way to be sure of a directory whose name could not be synced: the same sync again proves nothing.
#[test]
fn a_directory_made_anew_outlives_a_sync_that_failed() {
    for is_made_anew in [false, true] {
        let disk = SimDisk::new(1);
        let root = disk.root();
        root.create_dir("dir").unwrap();
        disk.fail_at(disk.call_count(), Fault::Eio);
        root.sync().unwrap_err();
        if is_made_anew {
            root.remove_dir("dir").unwrap();
            root.create_dir("dir").unwrap();
        }
        root.sync().unwrap();
        let dir = root.open_dir("dir").unwrap();
        let file = dir.create("file").unwrap();
        file.sync().unwrap();
        dir.sync().unwrap();
        let survives = |disk: &SimDisk| disk.read("dir/file").is_some();
        assert_eq!(disk.power_cuts(64, 1).iter().all(survives), is_made_anew);
    }
}
