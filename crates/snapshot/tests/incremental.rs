//! Snapshots written on others: random changes, beside a plain map, and the same state written on nothing.
#![allow(clippy::unwrap_used)]

#[path = "fixture/fixture.rs"]
mod fixture;

use std::collections::BTreeMap;
use std::ops::{ControlFlow, RangeInclusive};

use disk::SimDisk;
use fixture::{Random, Section, check_content, each_seed, header, page, repeatable, write};
use snapshot::{
    Basis, Error, Outline, Progress, SnapshotId, Snapshots, Source, SourceError, Written,
};

type Content = BTreeMap<u64, Vec<u8>>;

/// Lends a map, and names what has changed in it. Counts what it is asked.
struct Changing<'a> {
    content: &'a Content,
    changed: Vec<RangeInclusive<u64>>,
    asked: u64,
}

impl<'a> Changing<'a> {
    fn new(content: &'a Content, changed: impl IntoIterator<Item = u64>) -> Self {
        Changing {
            content,
            changed: changed.into_iter().map(|number| number..=number).collect(),
            asked: 0,
        }
    }
}

impl Source for Changing<'_> {
    fn next_from(&mut self, from: u64) -> Result<Option<(u64, &[u8])>, SourceError> {
        self.asked += 1;
        let next = self.content.range(from..).next();
        Ok(next.map(|(number, blob)| (*number, blob.as_slice())))
    }

    fn changed(&mut self) -> Vec<RangeInclusive<u64>> {
        self.changed.clone()
    }
}

fn go_on(_: Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn write_on(
    snapshots: &Snapshots,
    tx: u64,
    basis: Basis<'_>,
    source: &mut Changing<'_>,
) -> Result<Written, Error> {
    snapshots.write_on(basis, &header(tx), &mut [source], &mut go_on)
}

fn section(content: &Content) -> Section {
    let blobs = content.iter();
    blobs
        .map(|(number, blob)| (*number, blob.clone()))
        .collect()
}

fn random_number(random: &mut Random) -> u64 {
    match random.below(8) {
        0 => random.below(64) << (6 * random.below(11)),
        1 => u64::MAX - random.below(70),
        2 => 4000 + random.below(200),
        _ => random.below(300),
    }
}

fn random_blob(random: &mut Random) -> Vec<u8> {
    match random.below(12) {
        0 => page(random.below(3).to_le_bytes()[0]),
        1 => random.bytes(32768),
        length => random.bytes(usize::try_from(length).unwrap()),
    }
}

/// A state that changes, and what was known of it when it was last written.
struct Life {
    snapshots: Snapshots,
    content: Content,
    /// The snapshots that exist, or once did, with what they hold.
    written: Vec<(Outline, Content)>,
    alive: Vec<u64>,
    tx: u64,
}

impl Life {
    fn change(&mut self, random: &mut Random) {
        for _ in 0..random.below(12) {
            let number = random_number(random);
            if random.below(3) == 0 {
                self.content.remove(&number);
            } else {
                self.content.insert(number, random_blob(random));
            }
        }
        if random.below(12) == 0 {
            let (from, below) = (random.below(400), random.below(3));
            self.content.retain(|number, _| match below {
                0 => *number < from,
                1 => *number >= from,
                _ => *number > 1 << 30,
            });
        }
    }

    fn any(&self, random: &mut Random) -> Option<&(Outline, Content)> {
        let count = self.written.len() as u64;
        let newest_first = random.below(1 + count.min(4));
        self.written
            .iter()
            .rev()
            .nth(usize::try_from(newest_first).unwrap())
    }

    fn write(&mut self, random: &mut Random) {
        self.tx += 1 + random.below(3);
        let known = self.any(random);
        let share = self.any(random).map(|(outline, _)| outline);
        let changed = |before: &Content| {
            let numbers = before.keys().chain(self.content.keys());
            let differs = numbers.filter(|number| before.get(number) != self.content.get(number));
            let mut changed: Vec<u64> = differs.copied().collect();
            // It may name more than has changed.
            changed.extend(
                self.content
                    .keys()
                    .copied()
                    .filter(|number| number % 7 == 3),
            );
            changed.sort_unstable();
            changed.dedup();
            changed
        };
        let changed = known.map_or_else(Vec::new, |(_, before)| changed(before));
        let mut source = Changing::new(&self.content, changed);
        let basis = Basis {
            known: known.map(|(outline, _)| outline),
            share,
        };
        let written = write_on(&self.snapshots, self.tx, basis, &mut source).unwrap();
        let shares = share.filter(|share| self.alive.contains(&share.manifest().header().tx));
        for (other, _) in &self.written {
            let is_shared = written.manifest.shares_bytes_with(other.manifest());
            assert!(shares.is_some() || !is_shared);
        }
        let outline = written.outline.unwrap();
        self.snapshots
            .read_back(&written.manifest, &mut go_on)
            .unwrap();
        self.snapshots.read_back_own(&outline, &mut go_on).unwrap();
        check_content(&self.snapshots, self.tx, &[section(&self.content)]);
        // Wherever it is stored, it is the same tree.
        let aside = Snapshots::open(SimDisk::new(1).root(), repeatable()).unwrap();
        let whole = write(&aside, self.tx, &[section(&self.content)]).unwrap();
        assert_eq!(written.manifest.root_hash(0), whole.manifest.root_hash(0));
        let outline = match random.below(3) {
            0 => self.snapshots.outline(&written.manifest).unwrap(),
            _ => outline,
        };
        self.written.push((outline, self.content.clone()));
        self.alive.push(self.tx);
    }

    fn check(&self) {
        let listing = self.snapshots.list().unwrap();
        assert!(listing.rejected.is_empty());
        let listed: Vec<u64> = listing
            .sound
            .iter()
            .map(|found| found.header().tx)
            .collect();
        assert!(listed.iter().eq(self.alive.iter().rev()), "{listed:?}");
        for (outline, content) in &self.written {
            let tx = outline.manifest().header().tx;
            if self.alive.contains(&tx) {
                check_content(&self.snapshots, tx, &[section(content)]);
            }
        }
    }
}

#[test]
fn a_snapshot_on_others_holds_what_one_on_nothing_holds() {
    each_seed(
        "a_snapshot_on_others_holds_what_one_on_nothing_holds",
        40,
        |seed| {
            let mut random = Random(seed);
            let disk = SimDisk::new(seed);
            let mut life = Life {
                snapshots: Snapshots::open(disk.root(), repeatable()).unwrap(),
                content: Content::new(),
                written: Vec::new(),
                alive: Vec::new(),
                tx: 0,
            };
            for _ in 0..25 {
                life.change(&mut random);
                life.write(&mut random);
                while life.alive.len() > 4 || (life.alive.len() > 1 && random.below(4) == 0) {
                    let index = usize::try_from(random.below(life.alive.len() as u64)).unwrap();
                    let tx = life.alive.remove(index);
                    life.snapshots.remove(SnapshotId(tx)).unwrap();
                }
                if random.below(5) == 0 {
                    life.snapshots = Snapshots::open(disk.root(), repeatable()).unwrap();
                }
                if random.below(4) == 0 {
                    life.check();
                }
            }
            life.check();
            for tx in std::mem::take(&mut life.alive) {
                life.snapshots.remove(SnapshotId(tx)).unwrap();
            }
            assert!(disk.files().is_empty(), "{:?}", disk.files());
        },
    );
}

fn pages(count: u64) -> Content {
    let page = |number: u64| {
        let mut page = vec![7; 32768];
        page[..8].copy_from_slice(&number.to_le_bytes());
        page
    };
    (0..count).map(|number| (number, page(number))).collect()
}

#[test]
fn one_changed_page_of_many_costs_a_path_and_three_syncs() {
    let snapshots = Snapshots::open(SimDisk::new(1).root(), repeatable()).unwrap();
    let mut content = pages(5000);
    let mut source = Changing::new(&content, []);
    let first = write_on(&snapshots, 1, Basis::default(), &mut source).unwrap();
    let first = first.outline.unwrap();
    content.insert(4100, page(9));
    let basis = Basis {
        known: Some(&first),
        share: Some(&first),
    };
    let mut source = Changing::new(&content, [4100]);
    let second = write_on(&snapshots, 2, basis, &mut source).unwrap();
    assert_eq!(second.syncs, 3);
    assert_eq!(
        second.progress,
        Progress {
            blobs: 1,
            bytes: 32768
        }
    );
    assert_eq!(second.blobs_shared, 4999);
    // The front of the file, the page, three nodes of at most 64 references, the manifest.
    let bound = 4096 + 32768 + 3 * 64 * 64 + 512;
    assert!(second.file_bytes < bound, "{}", second.file_bytes);
    // The reach of the section, and the way down to the page.
    assert!(source.asked < 20, "{}", source.asked);
    // What is equal again is not stored again.
    let second = second.outline.unwrap();
    let basis = Basis {
        known: Some(&second),
        share: Some(&second),
    };
    let mut source = Changing::new(&content, [0, 4100, 4999]);
    let third = write_on(&snapshots, 3, basis, &mut source).unwrap();
    assert_eq!((third.progress.blobs, third.blobs_shared), (3, 5000));
    assert!(third.file_bytes < 4096 + 512, "{}", third.file_bytes);
    check_content(&snapshots, 3, &[section(&content)]);
}

#[test]
fn two_lines_of_snapshots_never_share_a_byte() {
    let disk = SimDisk::new(1);
    let snapshots = Snapshots::open(disk.root(), repeatable()).unwrap();
    let mut content = pages(300);
    let mut lines: [Option<Outline>; 2] = [None, None];
    let mut known: Option<Outline> = None;
    for tx in 1..20 {
        let basis = Basis {
            known: known.as_ref(),
            share: lines[0].as_ref(),
        };
        let changed = [tx * 10 % 300, tx * 17 % 300];
        for number in changed {
            content.insert(number, page(tx.to_le_bytes()[0]));
        }
        let mut sorted = changed.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let mut source = Changing::new(&content, sorted);
        let written = write_on(&snapshots, tx, basis, &mut source).unwrap();
        // The other line has not heard of the changes before: what differs is found without being named.
        assert!(
            tx < 3 || written.progress.blobs <= 4,
            "{:?}",
            written.progress
        );
        check_content(&snapshots, tx, &[section(&content)]);
        known = written.outline;
        lines[0] = known.clone();
        lines.swap(0, 1);
        let [Some(old), Some(new)] = &lines else {
            continue;
        };
        assert!(!old.manifest().shares_bytes_with(new.manifest()));
        if tx > 2 {
            snapshots.remove(SnapshotId(tx - 2)).unwrap();
        }
    }
}

/// Rewrites everything over and over: what no snapshot needs any more is given back, if only by writing again what still is needed.
#[test]
fn the_files_stay_about_as_large_as_what_they_hold() {
    let disk = SimDisk::new(1);
    let snapshots = Snapshots::open(disk.root(), repeatable()).unwrap();
    let mut content = pages(400);
    let mut known: Option<Outline> = None;
    let mut written_bytes = 0;
    let state = 400 * 32768;
    let mut random = Random(5);
    for tx in 1..200 {
        let mut changed: Vec<u64> = (0..20).map(|_| random.below(400)).collect();
        changed.sort_unstable();
        changed.dedup();
        for number in &changed {
            content.insert(*number, random.bytes(32768));
        }
        let basis = Basis {
            known: known.as_ref(),
            share: known.as_ref(),
        };
        let mut source = Changing::new(&content, changed);
        let written = write_on(&snapshots, tx, basis, &mut source).unwrap();
        written_bytes += written.file_bytes;
        known = written.outline;
        if tx > 1 {
            snapshots.remove(SnapshotId(tx - 1)).unwrap();
        }
        let files = disk.files();
        let bytes: u64 = files
            .iter()
            .map(|name| disk.read(name).unwrap().len() as u64)
            .sum();
        // A quarter, 4 MiB, and a snapshot.
        assert!(bytes < state * 5 / 4 + (6 << 20), "{bytes} after {tx}");
        assert!(files.len() <= 33, "{} files", files.len());
    }
    // 200 changes of 20 pages are 10 states.
    assert!(
        written_bytes < 45 * state,
        "{} states",
        written_bytes / state
    );
    check_content(&snapshots, 199, &[section(&content)]);
}

/// A quarter of all pages changes from one snapshot to the next, and each shares with the last but one: what lies on the disk is bounded after each,
/// with what goes out of use with it, and not only before it.
#[test]
fn what_a_snapshot_puts_out_of_use_counts_when_it_is_written() {
    let disk = SimDisk::new(1);
    let snapshots = Snapshots::open(disk.root(), repeatable()).unwrap();
    let mut content = pages(800);
    let state = content.len() as u64 * 32768;
    let mut random = Random(7);
    let mut outlines: Vec<Outline> = Vec::new();
    let mut written_bytes = 0;
    for tx in 1..20 {
        let mut changed: Vec<u64> = (0..230).map(|_| random.below(800)).collect();
        changed.sort_unstable();
        changed.dedup();
        for number in &changed {
            content.insert(*number, random.bytes(32768));
        }
        let last_but_one = outlines.len().checked_sub(2).map(|place| &outlines[place]);
        let basis = Basis {
            known: outlines.last(),
            share: last_but_one,
        };
        let mut source = Changing::new(&content, changed);
        let written = write_on(&snapshots, tx, basis, &mut source).unwrap();
        written_bytes += written.file_bytes;
        outlines.extend(written.outline);
        if tx > 2 {
            snapshots.remove(SnapshotId(tx - 2)).unwrap();
        }
        let files = disk.files();
        let lengths = files
            .iter()
            .map(|name| disk.read(name).unwrap().len() as u64);
        let bytes: u64 = lengths.sum();
        assert!(
            bytes < 2 * (state * 5 / 4 + (5 << 20)),
            "{bytes} of {state} after {tx}"
        );
    }
    assert!(
        written_bytes < 19 * (state + (1 << 20)),
        "{written_bytes} of {state}"
    );
    check_content(&snapshots, 19, &[section(&content)]);
}

#[test]
fn a_snapshot_that_is_gone_or_foreign_is_not_shared_with() {
    let disk = SimDisk::new(1);
    let snapshots = Snapshots::open(disk.root(), repeatable()).unwrap();
    let content = pages(3);
    let mut source = Changing::new(&content, []);
    let first = write_on(&snapshots, 1, Basis::default(), &mut source).unwrap();
    let first = first.outline.unwrap();
    let basis = Basis {
        known: Some(&first),
        share: Some(&first),
    };
    let mut foreign = header(2);
    foreign.log_id = [8; 16];
    let written = snapshots.write_on(basis, &foreign, &mut [&mut source], &mut go_on);
    assert_eq!(written.unwrap().blobs_shared, 0);
    snapshots.remove(SnapshotId(1)).unwrap();
    let written = write_on(&snapshots, 3, basis, &mut source).unwrap();
    assert_eq!((written.blobs_shared, written.progress.blobs), (0, 3));
    check_content(&snapshots, 3, &[section(&content)]);
}

/// What nobody says has changed, and is another one, has gone bad: it is stored by nobody who knows better.
#[test]
fn a_blob_that_changes_unasked_is_refused() {
    let disk = SimDisk::new(1);
    let snapshots = Snapshots::open(disk.root(), repeatable()).unwrap();
    let mut content = pages(5);
    let mut source = Changing::new(&content, []);
    let first = write_on(&snapshots, 1, Basis::default(), &mut source).unwrap();
    let first = first.outline.unwrap();
    content.get_mut(&3).unwrap()[100] ^= 4;
    let basis = Basis {
        known: Some(&first),
        share: None,
    };
    let files = disk.files();
    let refused = write_on(&snapshots, 2, basis, &mut Changing::new(&content, [1]));
    let Err(Error::Changed {
        file,
        byte_offset,
        section: 0,
        number: 3,
    }) = refused
    else {
        panic!("{refused:?}");
    };
    // Where it stands as it was.
    assert_eq!(file, disk.root().path().join(&files[0]));
    assert_eq!(byte_offset, 4096 + 3 * 32768);
    assert_eq!(disk.files(), files);
    write_on(&snapshots, 2, basis, &mut Changing::new(&content, [1, 3])).unwrap();
}
