//! What a snapshot promises when nothing goes wrong on the disk.
#![allow(clippy::unwrap_used)]

#[path = "fixture/fixture.rs"]
mod fixture;

use std::ops::ControlFlow;
use std::sync::Arc;

use disk::{Access, Dir, OsDir, SimDisk};
use fixture::{Section, all_modes, check_content, header, map, open, page, sections, write};
use snapshot::{
    Blobs, DamageKind, Error, Header, LoadMode, LoadOptions, Options, Progress, SnapshotId,
    Snapshots, Source, SourceError, Verify,
};

fn directories() -> Vec<(Arc<dyn Dir>, Option<tempfile::TempDir>)> {
    let real = tempfile::tempdir().unwrap();
    let os = OsDir::open(real.path()).unwrap();
    vec![(SimDisk::new(1).root(), None), (os, Some(real))]
}

#[test]
fn what_was_written_is_read_in_every_mode() {
    for (dir, _keep) in directories() {
        let snapshots = Snapshots::open(dir, Options::default()).unwrap();
        let written = write(&snapshots, 42, &sections()).unwrap();
        assert_eq!(written.manifest.id(), SnapshotId(42));
        assert_eq!(written.manifest.header(), &header(42));
        assert_eq!(written.manifest.section_count(), 3);
        assert_eq!(written.manifest.blob_count(0), 5);
        assert_eq!(written.manifest.root_hash(2), None);
        assert_eq!(written.blobs_shared, 1);
        assert_eq!(
            written.progress,
            Progress {
                blobs: 8,
                bytes: 5 * 32768 + 32769
            }
        );
        assert_eq!(written.syncs, 3);
        let bytes = written.manifest.pack_bytes();
        assert_eq!(written.file_bytes, bytes);
        check_content(&snapshots, 42, &sections());
    }
}

#[test]
fn pages_are_aligned_in_memory() {
    for (dir, _keep) in directories() {
        let snapshots = Snapshots::open(dir, Options::default()).unwrap();
        write(&snapshots, 42, &sections()).unwrap();
        let manifest = &snapshots.list().unwrap().sound[0];
        for mode in [LoadMode::Copy, LoadMode::Map] {
            if mode == LoadMode::Map && _keep.is_none() {
                continue; // A simulated map lies where the allocator puts it.
            }
            let verify = Verify::All;
            let loaded = snapshots
                .load(manifest, LoadOptions { mode, verify })
                .unwrap();
            for (_, blob) in loaded.section(0) {
                assert!((blob.bytes().as_ptr() as usize).is_multiple_of(4096));
            }
        }
    }
}

#[test]
fn a_blob_outlives_everything_and_crosses_threads() {
    for (dir, _keep) in directories() {
        let snapshots = Snapshots::open(dir.clone(), Options::default()).unwrap();
        let written = write(&snapshots, 42, &sections()).unwrap();
        let mapped = map(&snapshots, &written.manifest).unwrap().unwrap();
        // The next process publishes what it finds once more, which must not write to what is mapped.
        Snapshots::open(dir, Options::default()).unwrap();
        snapshots.remove(SnapshotId(42)).unwrap();
        drop(snapshots);
        let blob = mapped.get(0, 1).unwrap().unwrap().clone();
        drop(mapped);
        let blob: Arc<dyn AsRef<[u8]> + Send + Sync> = Arc::new(blob);
        std::thread::spawn(move || assert_eq!((*blob).as_ref(), page(2)))
            .join()
            .unwrap();
    }
}

#[test]
fn a_snapshot_is_one_file() {
    for (dir, _keep) in directories() {
        let snapshots = Snapshots::open(dir.clone(), Options::default()).unwrap();
        let many: Section = (0..200)
            .map(|i| (i * 3, page(u8::try_from(i).unwrap())))
            .collect();
        let written = write(&snapshots, 1, std::slice::from_ref(&many)).unwrap();
        let names: Vec<String> = dir.list().unwrap().into_iter().map(|e| e.name).collect();
        assert_eq!(written.manifest.pack_names().collect::<Vec<_>>(), names);
        let [name] = <[String; 1]>::try_from(names).unwrap();
        assert!(name.starts_with("00000000000000000001-") && name.ends_with(".pack"));
        let length = dir.open(&name, Access::Read).unwrap().len().unwrap();
        assert_eq!(written.manifest.pack_bytes(), length);
        check_content(&snapshots, 1, &[many]);
    }
}

#[test]
fn snapshots_are_listed_newest_first_and_share_nothing() {
    let disk = SimDisk::new(1);
    let snapshots = Snapshots::open(disk.root(), Options::default()).unwrap();
    for tx in [5, 100, 20] {
        write(&snapshots, tx, &sections()).unwrap();
    }
    let listing = snapshots.list().unwrap();
    let ids: Vec<u64> = listing.sound.iter().map(|m| m.id().tx()).collect();
    assert_eq!(ids, [100, 20, 5]);
    assert!(listing.rejected.is_empty());
    assert!(!listing.sound[0].shares_bytes_with(&listing.sound[1]));
    assert!(listing.sound[0].shares_bytes_with(&listing.sound[0]));
}

#[test]
fn equal_sections_have_equal_roots_wherever_they_lie() {
    // The second time the sections are stored in another order, so all lies elsewhere.
    let orders = [(1, [0, 1, 2]), (2, [2, 1, 0])];
    let roots = orders.map(|(tx, order)| {
        let snapshots = Snapshots::open(SimDisk::new(1).root(), Options::default()).unwrap();
        let ordered = order.map(|section: usize| sections()[section].clone());
        let manifest = write(&snapshots, tx, &ordered).unwrap().manifest;
        order.map(|section| manifest.root_hash(section))
    });
    assert_eq!(roots[0], roots[1]);
    let changed: [fn(&mut Vec<Section>); 4] = [
        |s| s[0][0].1[0] ^= 1,
        |s| s[0][4].0 += 1,
        |s| drop(s[0].remove(3)),
        |s| s[0][3].1 = page(2),
    ];
    for change in changed {
        let mut sections = sections();
        change(&mut sections);
        let snapshots = Snapshots::open(SimDisk::new(1).root(), Options::default()).unwrap();
        let manifest = write(&snapshots, 1, &sections).unwrap().manifest;
        assert_ne!(manifest.root_hash(0), roots[0][0]);
        assert_eq!(manifest.root_hash(1), roots[0][1]);
    }
}

#[test]
fn a_snapshot_that_is_there_is_not_written_again() {
    let disk = SimDisk::new(1);
    let snapshots = Snapshots::open(disk.root(), Options::default()).unwrap();
    let first = write(&snapshots, 42, &sections()).unwrap();
    let again = write(&snapshots, 42, &[]).unwrap();
    assert!(!first.already_there);
    assert!(again.already_there);
    assert_eq!(again.manifest, first.manifest);
    let foreign = Header {
        chain: 1,
        ..header(42)
    };
    let refused = snapshots.write(&foreign, &mut [], &mut |_| ControlFlow::Continue(()));
    assert!(matches!(refused, Err(Error::Occupied { .. })));
}

/// Fails after one blob.
struct Failing;

impl Source for Failing {
    fn next_from(&mut self, from: u64) -> Result<Option<(u64, &[u8])>, SourceError> {
        match from {
            0 => Ok(Some((0, b"x"))),
            1 => Err("no more".into()),
            _ => Ok(None),
        }
    }
}

#[test]
fn what_is_refused_leaves_nothing() {
    type Expected = fn(&Error) -> bool;
    let disk = SimDisk::new(1);
    let dir = disk.root();
    let snapshots = Snapshots::open(dir.clone(), Options::default()).unwrap();
    write(&snapshots, 1, &sections()).unwrap();
    let before = dir.list().unwrap();
    let refused: Vec<(Section, Expected)> = vec![
        (vec![(9, vec![])], |e| {
            matches!(
                e,
                Error::BlobLength {
                    number: 9,
                    bytes: 0,
                    ..
                }
            )
        }),
        (vec![(9, vec![0; 32769])], |e| {
            matches!(e, Error::BlobLength { bytes: 32769, .. })
        }),
    ];
    for (section, expected) in refused {
        let error = write(&snapshots, 2, &[section]).unwrap_err();
        assert!(expected(&error), "{error:?}");
        assert_eq!(dir.list().unwrap(), before);
    }
    let mut go_on = |_| ControlFlow::Continue(());
    let error = snapshots.write(&header(2), &mut [&mut Failing], &mut go_on);
    assert!(matches!(error, Err(Error::Source(_))));
    let large = Header {
        metadata: vec![0; snapshot::MANIFEST_BYTES_MAX],
        ..header(2)
    };
    let error = snapshots.write(&large, &mut [], &mut go_on);
    assert!(matches!(error, Err(Error::ManifestTooLarge { .. })));
    let mut blobs = Blobs::new([(0, "a"), (1, "b"), (2, "c")]);
    let error = snapshots.write(&header(2), &mut [&mut blobs], &mut |progress| {
        if progress.blobs == 2 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    assert!(matches!(error, Err(Error::Cancelled)));
    assert_eq!(dir.list().unwrap(), before);
    check_content(&snapshots, 1, &sections());
}

#[test]
fn reading_back_tells_how_far_it_is_and_can_be_cancelled_at_each_step() {
    let numbers = 0..600_u64;
    let blobs = numbers.map(|number| (number, number.to_le_bytes().to_vec()));
    let sections = vec![blobs.collect()];
    for (dir, _keep) in directories() {
        let snapshots = Snapshots::open(dir, Options::default()).unwrap();
        let manifest = write(&snapshots, 1, &sections).unwrap().manifest;
        let mut told = Vec::new();
        let read = snapshots.read_back(&manifest, &mut |progress| {
            told.push((progress.blobs, progress.bytes));
            ControlFlow::Continue(())
        });
        read.unwrap();
        // Eleven nodes: one for 64 blobs each, and one above them. The first of 256 pieces is no blob: padding.
        let mut expected = vec![(0, 0); 11];
        expected.extend([(255, 2040), (511, 4088), (600, 4800)]);
        assert_eq!(told, expected);
        for step in 0..told.len() {
            let mut steps = 0;
            let read = snapshots.read_back(&manifest, &mut |_| {
                steps += 1;
                if steps > step {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            });
            assert!(matches!(read, Err(Error::Cancelled)), "{step}");
        }
        check_content(&snapshots, 1, &sections);
    }
}

/// Lends a number below the one that it is asked for.
struct Falling;

impl Source for Falling {
    fn next_from(&mut self, from: u64) -> Result<Option<(u64, &[u8])>, SourceError> {
        Ok(Some((from.saturating_sub(1), b"x")))
    }
}

#[test]
fn a_source_that_lends_what_it_was_not_asked_for_is_refused() {
    let snapshots = Snapshots::open(SimDisk::new(1).root(), Options::default()).unwrap();
    let go_on = &mut |_| ControlFlow::Continue(());
    let error = snapshots.write(&header(2), &mut [&mut Falling], go_on);
    let error = error.unwrap_err();
    assert!(
        matches!(error, Error::Unordered { section: 0, from, number } if number < from),
        "{error}"
    );
}

/// So many pages, each another one.
struct Pages {
    end: u64,
    page: Vec<u8>,
}

impl Source for Pages {
    fn next_from(&mut self, number: u64) -> Result<Option<(u64, &[u8])>, SourceError> {
        if number >= self.end {
            return Ok(None);
        }
        self.page[..8].copy_from_slice(&number.to_le_bytes());
        Ok(Some((number, &self.page)))
    }
}

/// How often a snapshot of so many pages is synced.
fn syncs_of(pages: u64) -> u32 {
    let snapshots = Snapshots::open(SimDisk::new(1).root(), Options::default()).unwrap();
    let mut pages = Pages {
        end: pages,
        page: vec![1; 32768],
    };
    let written = snapshots.write(&header(1), &mut [&mut pages], &mut |_| {
        ControlFlow::Continue(())
    });
    written.unwrap().syncs
}

#[test]
fn a_pack_is_synced_every_64_mib() {
    // The file, the directory, the file; nodes and the front of the pack come on top of 32 KiB for each page.
    assert_eq!(syncs_of(1000), 3);
    assert_eq!(syncs_of(2000), 3);
    assert_eq!(syncs_of(2100), 4);
}

#[test]
fn an_empty_snapshot_is_a_header_and_a_manifest() {
    for (dir, _keep) in directories() {
        let snapshots = Snapshots::open(dir, Options::default()).unwrap();
        let written = write(&snapshots, 0, &[vec![], vec![]]).unwrap();
        assert!(written.manifest.pack_bytes() < 4096 + 100);
        check_content(&snapshots, 0, &[vec![], vec![]]);
    }
}

#[test]
fn read_only_changes_nothing() {
    let disk = SimDisk::new(1);
    let dir = disk.root();
    let snapshots = Snapshots::open(dir.clone(), Options::default()).unwrap();
    write(&snapshots, 1, &sections()).unwrap();
    let temporary = "00000000000000000009-0123456789abcdef.pack.tmp";
    dir.create(temporary).unwrap();
    let options = Options {
        read_only: true,
        ..Options::default()
    };
    let reader = Snapshots::open(dir.clone(), options).unwrap();
    check_content(&reader, 1, &sections());
    assert!(matches!(write(&reader, 2, &[]), Err(Error::ReadOnly)));
    assert!(matches!(reader.remove(SnapshotId(1)), Err(Error::ReadOnly)));
    assert!(dir.open(temporary, Access::Read).is_ok());
}

#[test]
fn a_flipped_page_is_named_by_file_and_byte() {
    let disk = SimDisk::new(1);
    let dir = disk.root();
    let snapshots = Snapshots::open(dir.clone(), Options::default()).unwrap();
    let manifest = write(&snapshots, 1, &sections()).unwrap().manifest;
    let pack = manifest.pack_names().next().unwrap();
    dir.open(&pack, Access::ReadWrite)
        .unwrap()
        .write_all_at(4096 + 32768 + 5, b"!")
        .unwrap();
    for options in all_modes() {
        let loaded = snapshots.load(&manifest, options);
        let Err(Error::Damaged {
            file,
            byte_offset,
            kind,
        }) = loaded
        else {
            panic!("not found");
        };
        assert!(file.ends_with(&pack));
        assert_eq!(byte_offset, 4096 + 32768);
        assert!(matches!(kind, DamageKind::Checksum { .. }));
    }
    let mapped = map(&snapshots, &manifest).unwrap().unwrap();
    let damaged = mapped.get(0, 1).unwrap().unwrap().check();
    let Err(Error::Damaged {
        file, byte_offset, ..
    }) = damaged
    else {
        panic!("not found");
    };
    assert!(file.ends_with(&pack));
    assert_eq!(byte_offset, 4096 + 32768);
}

/// An open and the first blobs cost a path each, however many there are.
#[test]
fn of_what_is_mapped_only_nodes_on_the_way_are_read() {
    let mut read = Vec::new();
    for count in [10_000_u64, 50_000, 250_000] {
        let snapshots = open(&SimDisk::new(1));
        let section = (0..count).map(|number| (number, vec![1])).collect();
        let manifest = write(&snapshots, 1, &[section, vec![(3, vec![2])]])
            .unwrap()
            .manifest;
        let mapped = map(&snapshots, &manifest).unwrap().unwrap();
        let mut steps = vec![mapped.nodes_read()];
        assert_eq!(mapped.last(0).unwrap(), Some(count - 1));
        steps.push(mapped.nodes_read());
        for number in [0, 1, 63, 64, 4500] {
            assert!(mapped.get(0, number).unwrap().is_some());
            steps.push(mapped.nodes_read());
        }
        assert!(mapped.get(0, count).unwrap().is_none());
        assert!(mapped.has_any(0, 128..=4200).unwrap());
        steps.push(mapped.nodes_read());
        mapped.outline().unwrap();
        assert!(mapped.nodes_read() > count / 64);
        read.push(steps);
    }
    assert_eq!(read, vec![vec![2, 4, 6, 6, 6, 7, 9, 9]; 3]);
}
