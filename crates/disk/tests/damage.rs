//! What happens to a simulated medium behind the programs' backs.
#![allow(clippy::unwrap_used)]

#[path = "support/outcomes.rs"]
mod outcomes;

use disk::{Choice, Crash, SimDisk};
use outcomes::{disk_with, name_outcomes, outcomes, sectors};

#[test]
fn damage_shows_at_once_and_survives() {
    type Damage = fn(&SimDisk);
    let damages: [(Damage, &str); 9] = [
        (|disk| disk.zero_sector("x", 1), "x=a.c y=yy"),
        (|disk| disk.truncate("x", 512), "x=a y=yy"),
        (|disk| disk.truncate("x", 2048), "x=abc. y=yy"),
        (|disk| disk.delete("x"), "y=yy"),
        (|disk| disk.swap("x", "y"), "x=yy y=abc"),
        (|disk| disk.duplicate("x", "z"), "x=abc y=yy z=abc"),
        (|disk| disk.duplicate("y", "x"), "x=yy y=yy"),
        (|disk| disk.write("x", &sectors("q")), "x=q y=yy"),
        (|disk| disk.revert_sector("x", 2, 0), "x=abo y=yy"),
    ];
    for (damage, expected) in damages {
        let (disk, dir, file) = disk_with(&sectors("abn"));
        for letter in ["o", "c"] {
            file.write_all_at(1024, &sectors(letter)).unwrap();
            file.sync().unwrap();
        }
        let other = dir.create("y").unwrap();
        other.write_all_at(0, &sectors("yy")).unwrap();
        other.sync().unwrap();
        dir.sync().unwrap();
        assert_eq!(disk.older_versions("x", 2), 2);
        assert_eq!(disk.older_versions("x", 0), 0);
        let calls = disk.call_count();
        damage(&disk);
        assert_eq!(disk.call_count(), calls);
        assert_eq!(name_outcomes(&disk), [expected]);
    }
}

#[test]
fn a_bit_is_flipped_and_no_other() {
    let (disk, _dir, file) = disk_with(&[0; 1000]);
    disk.flip_bit("x", 700, 3);
    let mut expected = vec![0; 1000];
    expected[700] = 8;
    assert_eq!(disk.read("x").unwrap(), expected);
    disk.crash(Crash::Power(Choice::Old));
    assert_eq!(disk.read("x").unwrap(), expected);
    drop(file);
    disk.flip_bit("x", 700, 3);
    assert_eq!(disk.read("x").unwrap(), [0; 1000]);
}

#[test]
fn unsynced_versions_can_be_reverted_to() {
    let (disk, _dir, file) = disk_with(&sectors("a"));
    file.write_all_at(0, &sectors("b")).unwrap();
    file.write_all_at(0, &sectors("c")).unwrap();
    assert_eq!(disk.older_versions("x", 0), 2);
    for (back, expected) in [(0, "b"), (1, "a")] {
        let fork = disk.fork();
        fork.revert_sector("x", 0, back);
        assert_eq!(outcomes(&fork), [expected]);
    }
}

#[test]
fn files_can_be_put_on_a_disk_from_outside() {
    let disk = SimDisk::new(1);
    disk.root().create_dir_durable("log").unwrap();
    disk.write("log/1.log", b"abc");
    assert_eq!(disk.files(), ["log/1.log"]);
    assert_eq!(disk.read("log/1.log").unwrap(), b"abc");
    assert_eq!(disk.read("./log/1.log").unwrap(), b"abc");
    assert_eq!(disk.read("log"), None);
    assert_eq!(disk.read("log/2.log"), None);
    assert_eq!(disk.power_states(), 1);
}

#[test]
#[should_panic(expected = "y is no file on the simulated disk")]
fn damage_to_a_missing_file_is_a_mistake_of_the_test() {
    disk_with(b"").0.flip_bit("y", 0, 0);
}
