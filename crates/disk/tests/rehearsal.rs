//! What a rehearsal says would happen, and that it does not.
#![allow(clippy::unwrap_used)]

use disk::{Access, Change, ChangeKind, Dir, Rehearsal, SimDisk};

fn changes(disk: &SimDisk, act: impl FnOnce(&dyn Dir) -> disk::Result<()>) -> Vec<Change> {
    let rehearsal = Rehearsal::new(disk.root()).unwrap();
    act(&*rehearsal.root()).unwrap();
    rehearsal.changes().unwrap()
}

/// Files `one`, of 10,000 bytes, and `dir/two`, of 5.
fn two_files() -> SimDisk {
    let disk = SimDisk::new(1);
    let root = disk.root();
    let one = root.create("one").unwrap();
    one.write_all_at(0, &[7; 10_000]).unwrap();
    let dir = root.create_dir("dir").unwrap();
    let two = dir.create("two").unwrap();
    two.write_all_at(0, b"12345").unwrap();
    disk
}

fn change(path: &str, kind: ChangeKind) -> Change {
    let path = path.into();
    Change { path, kind }
}

fn written(path: &str, bytes: u64, len_before: u64, len_after: u64) -> Change {
    let kind = ChangeKind::Written {
        bytes,
        len_before,
        len_after,
    };
    change(path, kind)
}

#[test]
fn what_would_be_different_is_told_and_nothing_is() {
    type Act = fn(&dyn Dir) -> disk::Result<()>;
    let rows: [(Act, Vec<Change>); 11] = [
        (|_| Ok(()), vec![]),
        // The same bytes again, across a border of blocks.
        (
            |dir| {
                dir.open("one", Access::ReadWrite)?
                    .write_all_at(4090, &[7; 20])
            },
            vec![],
        ),
        (
            |dir| {
                dir.open("one", Access::ReadWrite)?
                    .write_all_at(4090, &[8; 20])
            },
            vec![written("one", 20, 10_000, 10_000)],
        ),
        (
            |dir| dir.open("one", Access::ReadWrite)?.set_len(4100),
            vec![written("one", 0, 10_000, 4100)],
        ),
        // What was cut off is zero when it is there again.
        (
            |dir| {
                let one = dir.open("one", Access::ReadWrite)?;
                one.set_len(9_000)?;
                one.set_len(10_000)?;
                one.write_all_at(9_999, &[0])
            },
            vec![written("one", 1_000, 10_000, 10_000)],
        ),
        (
            |dir| {
                dir.open("one", Access::ReadWrite)?
                    .write_all_at(9_999, &[7, 7, 7])
            },
            vec![written("one", 0, 10_000, 10_002)],
        ),
        (
            |dir| dir.remove("one"),
            vec![change("one", ChangeKind::Removed { bytes: 10_000 })],
        ),
        (
            |dir| dir.open_dir("dir")?.rename("two", "three"),
            vec![change(
                "dir/three",
                ChangeKind::Renamed { from: "two".into() },
            )],
        ),
        (
            |dir| {
                dir.create("new")?.write_all_at(5, b"x")?;
                dir.rename("new", "one")
            },
            vec![change(
                "one",
                ChangeKind::Created {
                    bytes: 6,
                    replaces: Some(10_000),
                },
            )],
        ),
        (
            |dir| dir.create_dir("more")?.create("x").map(drop),
            vec![
                change(
                    "more",
                    ChangeKind::Created {
                        bytes: 0,
                        replaces: None,
                    },
                ),
                change(
                    "more/x",
                    ChangeKind::Created {
                        bytes: 0,
                        replaces: None,
                    },
                ),
            ],
        ),
        (
            |dir| {
                dir.open_dir("dir")?.remove("two")?;
                dir.remove_dir("dir")
            },
            vec![change("dir", ChangeKind::Removed { bytes: 0 })],
        ),
    ];
    for (number, (act, expected)) in rows.into_iter().enumerate() {
        let disk = two_files();
        assert_eq!(changes(&disk, act), expected, "row {number}");
        assert_eq!(disk.read("one").as_deref(), Some(&[7; 10_000][..]));
        assert_eq!(disk.read("dir/two").as_deref(), Some(&b"12345"[..]));
        assert_eq!(disk.files(), ["dir/two", "one"], "row {number}");
    }
}

/// Reads, maps and lengths against a plain vector.
#[test]
fn a_file_reads_as_it_was_written() {
    let disk = two_files();
    let rehearsal = Rehearsal::new(disk.root()).unwrap();
    let file = rehearsal.root().open("one", Access::ReadWrite).unwrap();
    let mut model = vec![7; 10_000];
    let steps: [(usize, &[u8], Option<usize>); 7] = [
        (4095, &[1, 2], None),
        (12_000, &[3; 5000], None),
        (0, &[], Some(9_000)),
        (8_999, &[4], None),
        (0, &[], Some(20_000)),
        (19_999, &[5; 9_000], None),
        (100, &[6; 13_000], None),
    ];
    for (at, bytes, len) in steps {
        if let Some(len) = len {
            file.set_len(len as u64).unwrap();
            model.resize(len, 0);
        } else {
            file.write_all_at(at as u64, bytes).unwrap();
            model.resize(model.len().max(at + bytes.len()), 0);
            model[at..at + bytes.len()].copy_from_slice(bytes);
        }
        assert_eq!(file.len().unwrap(), model.len() as u64);
        for range in [0..model.len(), 4090..4100, 8_190..9_500.min(model.len())] {
            let mut read = vec![9; range.len()];
            file.read_exact_at(range.start as u64, &mut read).unwrap();
            assert!(read == model[range.clone()], "{range:?}");
            let map = file.map(range.start as u64..range.end as u64).unwrap();
            assert!(map[..] == model[range.clone()], "{range:?}");
        }
    }
}
