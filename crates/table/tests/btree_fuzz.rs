//! Index nodes with hostile bytes: every operation ends, with an answer or with damage.
//!
//! A failure prints its seed; `CAIRN_SEED=<seed> cargo test -p table --test btree_fuzz` replays it alone.
#![allow(clippy::unwrap_used)]

#[path = "support/allocated.rs"]
mod allocated;
#[path = "support/seeds.rs"]
mod seeds;

use std::ops::Bound;

use allocated::within;
use seeds::seeds;
use table::{BTree, PAGE_BYTES, Page, PageNumber, Pages, RowId, TableId};

const OWNER: TableId = TableId(4097);

/// What the tree takes, copied and written to, and more.
const BYTES_MAX: usize = 16 << 20;

fn key(number: u64, long: bool) -> Vec<u8> {
    let mut key = (number * 3).to_be_bytes()[4..].to_vec();
    if long {
        key.resize(4 + usize::try_from(number * 977 % 4_000).unwrap(), 5);
    }
    key
}

/// A tree of three levels, with long keys, or of two, with short ones.
fn tree(long: bool) -> (Pages, BTree) {
    let (mut pages, mut tree) = (Pages::new(), BTree::new());
    for number in 0..if long { 200 } else { 4_000 } {
        let number = number * 37 % 4_001;
        tree.insert(&mut pages, OWNER, &key(number, long), RowId::MIN)
            .unwrap();
    }
    if long {
        // Keys that differ at their end only make the separators long and the tree high.
        for number in 0..120_u16 {
            let mut key = vec![200; 4_094];
            key.extend(number.to_be_bytes());
            tree.insert(&mut pages, OWNER, &key, RowId::MIN).unwrap();
        }
    }
    tree.check(&pages).unwrap();
    assert_eq!(tree.height(), if long { 3 } else { 2 });
    (pages, tree)
}

/// What the data says: changes to the bytes of pages, mostly where they steer.
struct Changes<'a> {
    data: &'a [u8],
}

impl Changes<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.data.split_first()?;
        self.data = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<usize> {
        Some(usize::from(self.byte()?) << 8 | usize::from(self.byte()?))
    }

    fn apply(&mut self, pages: &mut Pages) -> Option<()> {
        let numbers: Vec<PageNumber> = pages.iter().map(|(number, _)| number).collect();
        loop {
            let number = numbers[self.number()? % numbers.len()];
            let how = self.byte()?;
            let place = self.number()?;
            let bytes = pages.get_mut(number).unwrap().as_bytes_mut();
            match how % 8 {
                0 => bytes[place % 64] = self.byte()?,
                1 => bytes[24 + place % 16] = self.byte()?,
                2 => bytes[64 + place % 600] = self.byte()?,
                3 => bytes[place % PAGE_BYTES] = self.byte()?,
                4 => {
                    // An entry that takes the place of another.
                    let (from, to) = (64 + place % 60 * 6, 64 + self.number()? % 60 * 6);
                    bytes.copy_within(from..from + 6, to);
                }
                5 => {
                    // A child, or a whole page, that stands in two places.
                    let other = numbers[self.number()? % numbers.len()];
                    let copy = pages.page(other).unwrap();
                    pages.restore(number, Page::owned(copy));
                }
                6 => {
                    let start = 30_000 + place % 2_700;
                    bytes[start..start + 16].fill(self.byte()?);
                }
                _ => {
                    let end = (place % PAGE_BYTES).max(40);
                    for byte in &mut bytes[40..end] {
                        *byte = self.byte()?;
                    }
                }
            }
        }
    }
}

/// Runs every operation on a tree whose pages were changed as `data` says.
fn fuzz_btree(data: &[u8]) {
    let Some((&first, rest)) = data.split_first() else {
        return;
    };
    let long = first % 2 == 0;
    let (mut pages, tree) = tree(long);
    let _ = Changes { data: rest }.apply(&mut pages);

    let _ = tree.check(&pages);
    let _ = tree.page_count(&pages);
    let probes = [0, 1, 50, 199, 1_000, 3_999, 1 << 30].map(|number| key(number, long));
    let limit = usize::try_from(tree.entry_count()).unwrap() + 1;
    for probe in &probes {
        let _ = tree.contains(&pages, probe, RowId::MIN);
        let _ = tree.first_with_key(&pages, probe);
        let ranges = [
            (Bound::Unbounded, Bound::Included(probe.as_slice())),
            (Bound::Excluded(probe.as_slice()), Bound::Unbounded),
        ];
        for (lower, upper) in ranges {
            assert!(tree.range(&pages, lower, upper).count() <= limit);
            assert!(tree.range(&pages, lower, upper).rev().count() <= limit);
            let mut range = tree.range(&pages, lower, upper);
            let mut taken = 0;
            while range.next().is_some() | range.next_back().is_some() {
                taken += 1;
            }
            assert!(taken <= limit);
        }
    }
    // An error may leave half of a change: what comes after it must hold out, too.
    let (mut changed, mut changed_pages) = (tree.clone(), pages.clone());
    for number in 0..60 {
        let key = key(number * 67, long);
        let _ = changed.insert(&mut changed_pages, OWNER, &key, RowId::MAX);
        let _ = changed.remove(&mut changed_pages, OWNER, &key, RowId::MIN);
    }
    let (mut changed, mut changed_pages) = (tree.clone(), pages.clone());
    for number in 0..4_001 {
        let _ = changed.remove(&mut changed_pages, OWNER, &key(number, long), RowId::MIN);
    }
    let _ = tree.clone().clear(&mut pages);
}

#[test]
fn hostile_nodes_neither_panic_nor_hang() {
    for seed in seeds("btree_fuzz", 600) {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            (z ^ (z >> 31)).to_le_bytes()
        };
        let words = [3, 10, 60, 9_000][usize::try_from(seed % 4).unwrap()];
        let data: Vec<u8> = (0..words).flat_map(|_| next()).collect();
        within(BYTES_MAX, || fuzz_btree(&data));
    }
}

/// All that steers a search is covered by the check: no bit of it can flip unseen.
#[test]
fn every_flipped_bit_outside_the_heap_is_found() {
    for long in [false, true] {
        let (pages, tree) = tree(long);
        let numbers: Vec<PageNumber> = pages.iter().map(|(number, _)| number).collect();
        for number in [numbers[0], numbers[1], numbers[2], *numbers.last().unwrap()] {
            let bytes = *pages.get(number).unwrap().as_bytes();
            let heap_start = usize::from(u16::from_le_bytes([bytes[28], bytes[29]]));
            // The owner (4..8) is not the tree's to know; all bytes of the header, then every 31st bit.
            let header = (0..4 * 8).chain(8 * 8..64 * 8);
            for bit in header.chain((64 * 8..heap_start * 8).step_by(31)) {
                let mut pages = pages.clone();
                pages.get_mut(number).unwrap().as_bytes_mut()[bit / 8] ^= 1 << (bit % 8);
                assert!(tree.check(&pages).is_err(), "page {number} bit {bit}");
            }
        }
    }
}
