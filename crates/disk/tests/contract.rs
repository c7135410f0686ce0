//! What the traits promise, kept by the operating system's disk, by the simulated one and by a rehearsal alike.
#![allow(clippy::unwrap_used)]

use std::io::ErrorKind;
use std::sync::Arc;

use disk::{Access, Dir, Entry, EntryKind, Error, File, Operation, OsDir, Result, SimDisk};

/// Runs each behaviour on all disks.
macro_rules! contract {
    ($($behavior:ident),* $(,)?) => {
        mod on_the_operating_system {
            $(
                #[test]
                fn $behavior() {
                    let temporary = tempfile::tempdir().unwrap();
                    super::$behavior(disk::OsDir::open(temporary.path()).unwrap());
                }
            )*
        }

        mod in_a_rehearsal {
            $(
                #[test]
                fn $behavior() {
                    let temporary = tempfile::tempdir().unwrap();
                    let dir = disk::OsDir::open(temporary.path()).unwrap();
                    let rehearsal = disk::Rehearsal::new(dir.clone()).unwrap();
                    super::$behavior(rehearsal.root());
                    // But for the lock's own file.
                    let names = super::names(&*dir);
                    assert!(names.iter().all(|name| ["lock", "another"].contains(&name.as_str())), "{names:?}");
                }
            )*
        }

        mod on_the_simulated_disk {
            $(
                #[test]
                fn $behavior() {
                    super::$behavior(disk::SimDisk::new(1).root());
                }
            )*
        }
    };
}

contract! {
    a_new_file_is_empty_and_listed,
    bytes_written_are_read_back,
    a_gap_reads_as_zero,
    reads_stop_at_the_end,
    an_empty_write_does_nothing,
    bytes_cut_off_never_come_back,
    allocated_space_reads_as_zero_and_keeps_what_is_there,
    offsets_without_an_end_are_refused,
    a_map_shows_the_front_of_the_file,
    a_map_shows_a_part_of_the_file_and_what_is_around_it_may_change,
    a_map_longer_than_the_file_is_refused,
    a_map_outlives_handle_and_name,
    two_handles_see_one_file,
    a_handle_for_reading_changes_nothing,
    handles_follow_the_file_not_the_name,
    a_name_is_taken_once,
    a_missing_name_is_not_found,
    files_and_directories_are_not_confused,
    a_rename_replaces,
    a_refused_rename_changes_nothing,
    names_are_listed_in_byte_order,
    only_plain_names_are_accepted,
    a_durable_form_does_what_its_plain_form_does,
    directories_nest,
    a_directory_is_removed_only_if_it_is_empty,
    a_lock_excludes_and_names_its_holder,
    a_leftover_lock_file_does_not_block,
    a_directory_has_one_lock_whatever_becomes_of_its_file,
    an_error_names_call_and_path,
    threads_write_side_by_side,
}

fn content(file: &dyn File) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
    file.read_exact_at(0, &mut bytes).unwrap();
    bytes
}

fn names(dir: &dyn Dir) -> Vec<String> {
    let entries = dir.list().unwrap();
    entries.into_iter().map(|entry| entry.name).collect()
}

fn create(dir: &dyn Dir, name: &str, bytes: &[u8]) -> Arc<dyn File> {
    let file = dir.create(name).unwrap();
    file.write_all_at(0, bytes).unwrap();
    file
}

#[track_caller]
fn assert_kind<T: std::fmt::Debug>(result: Result<T>, kind: ErrorKind) {
    assert_eq!(result.unwrap_err().io_kind(), Some(kind));
}

fn a_new_file_is_empty_and_listed(dir: Arc<dyn Dir>) {
    assert_eq!(dir.list().unwrap(), []);
    let file = dir.create("a").unwrap();
    assert_eq!(file.len().unwrap(), 0);
    assert!(file.is_empty().unwrap());
    let entry = Entry {
        name: "a".to_owned(),
        kind: EntryKind::File,
    };
    assert_eq!(dir.list().unwrap(), [entry]);
    file.sync().unwrap();
    dir.sync().unwrap();
}

fn bytes_written_are_read_back(dir: Arc<dyn Dir>) {
    let pattern: Vec<u8> = (0..3000_u32).map(|index| (index % 251) as u8).collect();
    // Offset and length around the edges of sectors and pages.
    for offset in [0, 1, 511, 512, 513, 4095, 4096, 70_000] {
        for len in [1, 511, 512, 513, 1024, 3000] {
            let file = dir.create("a").unwrap();
            let before = vec![0xee; 80_000];
            file.write_all_at(0, &before).unwrap();
            file.write_all_at(offset as u64, &pattern[..len]).unwrap();
            let mut expected = before;
            expected[offset..offset + len].copy_from_slice(&pattern[..len]);
            assert!(content(&*file) == expected, "{len} bytes at {offset}");
            file.sync().unwrap();
            assert!(
                content(&*file) == expected,
                "{len} bytes at {offset}, synced"
            );
            dir.remove("a").unwrap();
        }
    }
}

fn a_gap_reads_as_zero(dir: Arc<dyn Dir>) {
    let file = create(&*dir, "a", b"front");
    file.write_all_at(1030, b"back").unwrap();
    let mut expected = b"front".to_vec();
    expected.resize(1030, 0);
    expected.extend(b"back");
    assert_eq!(content(&*file), expected);
}

fn reads_stop_at_the_end(dir: Arc<dyn Dir>) {
    let file = create(&*dir, "a", b"0123456789");
    let mut buffer = [0xaa; 8];
    assert_eq!(file.read_at(10, &mut buffer).unwrap(), 0);
    assert_eq!(file.read_at(1 << 40, &mut buffer).unwrap(), 0);
    assert_eq!(file.read_at(3, &mut []).unwrap(), 0);
    assert_eq!(file.read_up_to(6, &mut buffer).unwrap(), 4);
    assert_eq!(&buffer, b"6789\xaa\xaa\xaa\xaa");
    assert_kind(file.read_exact_at(3, &mut buffer), ErrorKind::UnexpectedEof);
    file.read_exact_at(2, &mut buffer).unwrap();
    assert_eq!(&buffer, b"23456789");
}

fn an_empty_write_does_nothing(dir: Arc<dyn Dir>) {
    let file = create(&*dir, "a", b"abc");
    file.write_all_at(100, b"").unwrap();
    assert_eq!(file.write_at(100, b"").unwrap(), 0);
    assert_eq!(content(&*file), b"abc");
}

fn bytes_cut_off_never_come_back(dir: Arc<dyn Dir>) {
    for cut in [0, 1, 511, 512, 513, 1500, 2048, 5000] {
        let file = create(&*dir, "a", &[0x77; 5000]);
        file.set_len(cut).unwrap();
        assert_eq!(file.len().unwrap(), cut);
        file.set_len(6000).unwrap();
        let cut = usize::try_from(cut).unwrap();
        let mut expected = vec![0x77; cut];
        expected.resize(6000, 0);
        assert!(content(&*file) == expected, "cut at {cut}");
        dir.remove("a").unwrap();
    }
}

fn allocated_space_reads_as_zero_and_keeps_what_is_there(dir: Arc<dyn Dir>) {
    let file = create(&*dir, "a", b"content");
    file.allocate(0, 4).unwrap();
    assert_eq!(content(&*file), b"content");
    file.allocate(2, 3000).unwrap();
    let mut expected = b"content".to_vec();
    expected.resize(3002, 0);
    assert_eq!(content(&*file), expected);
    file.allocate(5000, 0).unwrap();
    assert_eq!(file.len().unwrap(), 3002);
    file.write_all_at(3000, b"more").unwrap();
    assert_eq!(file.len().unwrap(), 3004);
}

fn offsets_without_an_end_are_refused(dir: Arc<dyn Dir>) {
    let file = create(&*dir, "a", b"abc");
    assert!(file.write_all_at(u64::MAX, b"xy").is_err());
    assert!(file.write_all_at(u64::MAX - 1, b"x").is_err());
    assert!(file.set_len(u64::MAX).is_err());
    assert!(file.allocate(u64::MAX, 2).is_err());
    assert!(file.allocate(1, u64::MAX - 1).is_err());
    assert!(file.map(0..u64::MAX).is_err());
    assert_eq!(content(&*file), b"abc");
}

fn a_map_shows_the_front_of_the_file(dir: Arc<dyn Dir>) {
    let bytes: Vec<u8> = (0..10_000_u32).map(|index| (index % 241) as u8).collect();
    let file = create(&*dir, "a", &bytes);
    for len in [0, 1, 512, 4096, 9999, 10_000] {
        let map = file.map(0..len as u64).unwrap();
        assert!(*map == bytes[..len], "{len} bytes");
        assert!(*map.clone() == bytes[..len], "{len} bytes, cloned");
    }
    let reader = dir.open("a", Access::Read).unwrap();
    assert_eq!(*reader.map(0..10_000).unwrap(), bytes);
    // Growing the file does not disturb the map of its front.
    let map = file.map(0..10_000).unwrap();
    file.write_all_at(10_000, b"more").unwrap();
    assert_eq!(*map, bytes);
}

fn a_map_shows_a_part_of_the_file_and_what_is_around_it_may_change(dir: Arc<dyn Dir>) {
    let bytes: Vec<u8> = (0..40_000_u32).map(|index| (index % 239) as u8).collect();
    for (start, end) in [
        (0, 1),
        (1, 2),
        (511, 513),
        (4096, 8192),
        (12_288, 39_999),
        (12_289, 39_990),
        (16_384, 16_384),
        (39_999, 40_000),
        (40_000, 40_000),
    ] {
        let file = create(&*dir, &format!("{start}-{end}"), &bytes);
        let shown = &bytes[usize::try_from(start).unwrap()..usize::try_from(end).unwrap()];
        let map = file.map(start..end).unwrap();
        assert!(*map == *shown, "{start} to {end}");
        let front = vec![0xff; usize::try_from(start).unwrap()];
        file.write_all_at(0, &front).unwrap();
        file.write_all_at(end, &[0xff; 5000]).unwrap();
        assert!(*map == *shown, "{start} to {end}, written around");
        file.set_len(end).unwrap();
        assert!(*map == *shown, "{start} to {end}, cut behind");
        file.allocate(end, 100).unwrap();
        assert!(*map == *shown, "{start} to {end}, grown again");
        assert_kind(file.map(start..end + 101), ErrorKind::UnexpectedEof);
    }
}

fn a_map_longer_than_the_file_is_refused(dir: Arc<dyn Dir>) {
    let file = dir.create("a").unwrap();
    assert_eq!(file.map(0..0).unwrap().len(), 0);
    assert_kind(file.map(0..1), ErrorKind::UnexpectedEof);
    file.write_all_at(0, b"abc").unwrap();
    assert_kind(file.map(0..4), ErrorKind::UnexpectedEof);
    assert_eq!(&*file.map(0..3).unwrap(), b"abc");
}

fn a_map_outlives_handle_and_name(dir: Arc<dyn Dir>) {
    let file = create(&*dir, "a", b"still here");
    let map = file.map(0..10).unwrap();
    drop(file);
    dir.remove_durable("a").unwrap();
    assert_eq!(&*map, b"still here");
}

fn two_handles_see_one_file(dir: Arc<dyn Dir>) {
    let first = create(&*dir, "a", b"one");
    let second = dir.open("a", Access::ReadWrite).unwrap();
    second.write_all_at(3, b" two").unwrap();
    assert_eq!(content(&*first), b"one two");
    first.set_len(1).unwrap();
    assert_eq!(content(&*second), b"o");
}

fn a_handle_for_reading_changes_nothing(dir: Arc<dyn Dir>) {
    drop(create(&*dir, "a", b"abc"));
    let file = dir.open("a", Access::Read).unwrap();
    for refused in [
        file.write_all_at(0, b"x"),
        file.set_len(0),
        file.allocate(0, 100),
    ] {
        assert!(refused.unwrap_err().is_read_only());
    }
    assert_eq!(content(&*file), b"abc");
    file.sync().unwrap();
}

fn handles_follow_the_file_not_the_name(dir: Arc<dyn Dir>) {
    let file = create(&*dir, "a", b"moved");
    dir.rename("a", "b").unwrap();
    file.write_all_at(5, b" on").unwrap();
    let renamed = dir.open("b", Access::Read).unwrap();
    assert_eq!(content(&*renamed), b"moved on");
    dir.remove("b").unwrap();
    dir.sync().unwrap();
    file.write_all_at(0, b"M").unwrap();
    assert_eq!(content(&*renamed), b"Moved on");
    assert_eq!(dir.list().unwrap(), []);
    // A replaced file lives on in its handles, too.
    let old = create(&*dir, "c", b"old");
    drop(create(&*dir, "d", b"new"));
    dir.rename_durable("d", "c").unwrap();
    assert_eq!(content(&*old), b"old");
    assert_eq!(content(&*dir.open("c", Access::Read).unwrap()), b"new");
}

fn a_name_is_taken_once(dir: Arc<dyn Dir>) {
    drop(create(&*dir, "file", b"abc"));
    dir.create_dir("dir").unwrap();
    for name in ["file", "dir"] {
        assert_kind(dir.create(name), ErrorKind::AlreadyExists);
        assert_kind(dir.create_dir(name), ErrorKind::AlreadyExists);
    }
    assert_eq!(content(&*dir.open("file", Access::Read).unwrap()), b"abc");
    dir.remove("file").unwrap();
    assert!(dir.create("file").unwrap().is_empty().unwrap());
}

fn a_missing_name_is_not_found(dir: Arc<dyn Dir>) {
    assert!(dir.open("a", Access::Read).unwrap_err().is_not_found());
    assert!(dir.open("a", Access::ReadWrite).unwrap_err().is_not_found());
    assert!(dir.open_dir("a").unwrap_err().is_not_found());
    assert!(dir.remove("a").unwrap_err().is_not_found());
    assert!(dir.rename("a", "b").unwrap_err().is_not_found());
    assert_eq!(dir.list().unwrap(), []);
}

fn files_and_directories_are_not_confused(dir: Arc<dyn Dir>) {
    drop(create(&*dir, "file", b"abc"));
    dir.create_dir("dir").unwrap();
    for refused in [
        dir.open("dir", Access::Read).map(drop),
        dir.open("dir", Access::ReadWrite).map(drop),
        dir.remove("dir"),
        dir.rename("dir", "other"),
        dir.rename("file", "dir"),
        dir.lock("dir", "me").map(drop),
    ] {
        let path = match refused {
            Err(Error::NotAFile { path }) => path,
            other => panic!("{other:?}"),
        };
        assert!(path.ends_with("dir"));
    }
    match dir.open_dir("file") {
        Err(Error::NotADirectory { path }) => assert!(path.ends_with("file")),
        other => panic!("{other:?}"),
    }
    assert_eq!(names(&*dir), ["dir", "file"]);
}

fn a_rename_replaces(dir: Arc<dyn Dir>) {
    drop(create(&*dir, "new", b"new"));
    drop(create(&*dir, "old", b"old"));
    dir.rename("new", "old").unwrap();
    assert_eq!(names(&*dir), ["old"]);
    assert_eq!(content(&*dir.open("old", Access::Read).unwrap()), b"new");
    dir.rename("old", "old").unwrap();
    assert_eq!(names(&*dir), ["old"]);
    dir.sync().unwrap();
    assert_eq!(content(&*dir.open("old", Access::Read).unwrap()), b"new");
}

fn a_refused_rename_changes_nothing(dir: Arc<dyn Dir>) {
    drop(create(&*dir, "a", b"abc"));
    assert!(dir.rename("missing", "a").is_err());
    assert!(dir.rename("a", "x/y").is_err());
    assert!(dir.rename("..", "a").is_err());
    assert_eq!(names(&*dir), ["a"]);
    assert_eq!(content(&*dir.open("a", Access::Read).unwrap()), b"abc");
}

fn names_are_listed_in_byte_order(dir: Arc<dyn Dir>) {
    for name in ["b", "ä", "a", "B", "10", "9", "a.log", "-"] {
        dir.create(name).unwrap();
    }
    dir.create_dir("aa").unwrap();
    let expected = ["-", "10", "9", "B", "a", "a.log", "aa", "b", "ä"];
    assert_eq!(names(&*dir), expected);
    let kinds = dir.list().unwrap().into_iter();
    let dirs = kinds.filter(|entry| entry.kind == EntryKind::Dir);
    assert_eq!(dirs.map(|entry| entry.name).collect::<Vec<_>>(), ["aa"]);
}

fn only_plain_names_are_accepted(dir: Arc<dyn Dir>) {
    drop(create(&*dir, "a", b"abc"));
    let too_long = "x".repeat(256);
    for name in [
        "", ".", "..", "/", "/a", "a/", "./a", "../a", "a/b", "a\\b", "a\0", &too_long,
    ] {
        for refused in [
            dir.open(name, Access::Read).map(drop),
            dir.create(name).map(drop),
            dir.create_dir(name).map(drop),
            dir.open_dir(name).map(drop),
            dir.remove(name),
            dir.rename(name, "b"),
            dir.rename("a", name),
            dir.lock(name, "me").map(drop),
        ] {
            assert_kind(refused, ErrorKind::InvalidInput);
        }
    }
    assert_eq!(names(&*dir), ["a"]);
    for name in [
        "x".repeat(255).as_str(),
        "...",
        " ",
        "a b",
        "ä",
        ".hidden",
        "-",
        "*",
    ] {
        dir.create(name).unwrap();
        dir.open(name, Access::Read).unwrap();
        dir.remove(name).unwrap();
    }
}

fn a_durable_form_does_what_its_plain_form_does(dir: Arc<dyn Dir>) {
    drop(create(&*dir, "a", b"abc"));
    dir.rename_durable("a", "b").unwrap();
    let sub = dir.create_dir_durable("sub").unwrap();
    drop(create(&*sub, "c", b""));
    sub.remove_durable("c").unwrap();
    assert_eq!(sub.list().unwrap(), []);
    assert_eq!(names(&*dir), ["b", "sub"]);
    assert_kind(dir.create_dir_durable("sub"), ErrorKind::AlreadyExists);
    assert!(dir.remove_durable("a").unwrap_err().is_not_found());
    assert!(dir.rename_durable("a", "b").unwrap_err().is_not_found());
}

fn directories_nest(dir: Arc<dyn Dir>) {
    let outer = dir.create_dir("outer").unwrap();
    let inner = outer.create_dir("inner").unwrap();
    let file = create(&*inner, "file", b"deep");
    assert!(file.path().ends_with("outer/inner/file"));
    assert!(inner.path().ends_with("outer/inner"));
    assert_eq!(names(&*dir), ["outer"]);
    let again = dir.open_dir("outer").unwrap().open_dir("inner").unwrap();
    let file = again.open("file", Access::Read).unwrap();
    assert_eq!(content(&*file), b"deep");
    inner.sync().unwrap();
}

fn a_directory_is_removed_only_if_it_is_empty(dir: Arc<dyn Dir>) {
    let inner = dir.create_dir("inner").unwrap();
    create(&*inner, "file", b"kept");
    create(&*dir, "plain", b"kept");
    let not_empty = dir.remove_dir("inner").unwrap_err();
    assert_eq!(not_empty.io_kind(), Some(ErrorKind::DirectoryNotEmpty));
    assert!(dir.remove_dir("missing").unwrap_err().is_not_found());
    let no_directory = dir.remove_dir("plain").unwrap_err();
    assert!(matches!(no_directory, Error::NotADirectory { .. }));
    assert!(dir.remove_dir("inner/deeper").is_err());
    assert_eq!(names(&*inner), ["file"]);

    inner.remove("file").unwrap();
    dir.remove_dir("inner").unwrap();
    assert_eq!(names(&*dir), ["plain"]);
    assert!(dir.open_dir("inner").unwrap_err().is_not_found());
    // A handle from before can leave nothing behind.
    assert!(inner.create("file").unwrap_err().is_not_found());
    dir.sync().unwrap();
    assert!(inner.create("file").unwrap_err().is_not_found());

    // The name is free for another directory.
    let another = dir.create_dir_durable("inner").unwrap();
    assert!(names(&*another).is_empty());
    create(&*another, "file", b"new");
    assert_eq!(names(&*dir.open_dir("inner").unwrap()), ["file"]);
}

fn a_lock_excludes_and_names_its_holder(dir: Arc<dyn Dir>) {
    let lock = dir.lock("lock", "process 7 (first)").unwrap();
    for _ in 0..2 {
        match dir.lock("lock", "process 8 (second)") {
            Err(Error::Locked { path, holder }) => {
                assert!(path.ends_with("lock"));
                assert_eq!(holder, "process 7 (first)");
            }
            other => panic!("{other:?}"),
        }
    }
    drop(lock);
    let lock = dir.lock("lock", "process 8 (second)").unwrap();
    match dir.lock("lock", "process 9 (third)") {
        Err(Error::Locked { holder, .. }) => assert_eq!(holder, "process 8 (second)"),
        other => panic!("{other:?}"),
    }
    drop(lock);
}

fn a_leftover_lock_file_does_not_block(dir: Arc<dyn Dir>) {
    for leftover in [&b""[..], b"process 7 (dead)\n", &[0xff; 1000]] {
        drop(create(&*dir, "lock", leftover));
        let lock = dir.lock("lock", "me").unwrap();
        match dir.lock("lock", "you") {
            Err(Error::Locked { holder, .. }) => assert_eq!(holder, "me"),
            other => panic!("{other:?}"),
        }
        drop(lock);
        dir.remove("lock").unwrap();
    }
}

fn a_directory_has_one_lock_whatever_becomes_of_its_file(dir: Arc<dyn Dir>) {
    let is_locked = |name: &str| matches!(dir.lock(name, "you"), Err(Error::Locked { .. }));
    let lock = dir.lock("lock", "me").unwrap();
    assert!(is_locked("another"));
    dir.remove("lock").unwrap();
    assert!(is_locked("lock"));
    create(&*dir, "lock", b"somebody else\n");
    assert!(is_locked("lock"));
    let inner = dir.create_dir("dir").unwrap();
    drop(inner.lock("lock", "me").unwrap());
    drop(lock);
    drop(dir.lock("lock", "you").unwrap());
}

fn an_error_names_call_and_path(dir: Arc<dyn Dir>) {
    match dir.open("missing", Access::Read) {
        Err(Error::Io {
            operation: Operation::Open,
            path,
            ..
        }) => assert!(path.ends_with("missing")),
        other => panic!("{other:?}"),
    }
    let text = dir.remove("missing").unwrap_err().to_string();
    assert!(text.starts_with("Remove failed on "), "{text}");
    assert!(text.contains("missing: "), "{text}");
}

fn threads_write_side_by_side(dir: Arc<dyn Dir>) {
    const BLOCK: usize = 700;
    let file = dir.create("a").unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            let file = &file;
            scope.spawn(move || {
                for block in 0..20 {
                    let offset = (block * 4 + usize::from(thread)) * BLOCK;
                    let bytes = [thread + 1; BLOCK];
                    file.write_all_at(offset as u64, &bytes).unwrap();
                    file.sync().unwrap();
                }
            });
        }
    });
    let bytes = content(&*file);
    assert_eq!(bytes.len(), 80 * BLOCK);
    for (block, thread) in bytes.chunks(BLOCK).zip([1, 2, 3, 4].iter().cycle()) {
        assert!(block.iter().all(|byte| byte == thread));
    }
}

#[test]
fn both_disks_are_what_the_layers_take() {
    fn takes(_: Arc<dyn Dir>) {}
    let temporary = tempfile::tempdir().unwrap();
    takes(OsDir::open(temporary.path()).unwrap());
    takes(SimDisk::new(1).root());
}
