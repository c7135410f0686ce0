//! Hash indexes with hostile bytes: every operation ends, with an answer or with damage.
//!
//! A failure prints its seed; `CAIRN_SEED=<seed> cargo test -p table --test hash_fuzz` replays it alone.
#![allow(clippy::unwrap_used)]

#[path = "support/allocated.rs"]
mod allocated;
#[path = "support/seeds.rs"]
mod seeds;

use allocated::within;
use seeds::seeds;
use table::{HashIndex, KeyHash, PAGE_BYTES, Page, PageNumber, Pages, RowId, TableId};

const OWNER: TableId = TableId(4097);
const ROWS: u32 = 6_000;

/// What the index takes, copied and filled twice over, and more.
const BYTES_MAX: usize = 2 << 20;

fn hash(number: u32) -> KeyHash {
    // Every fourth row has one key, so that lines overflow into the tree.
    let key = if number.is_multiple_of(4) { 0 } else { number };
    KeyHash::new(&[5; 32], &key.to_be_bytes())
}

fn row(number: u32) -> RowId {
    RowId::new(
        PageNumber::new(number / 64).unwrap(),
        u16::try_from(number % 64).unwrap(),
    )
}

/// Three buckets, a directory and a tree.
fn index() -> (Pages, HashIndex) {
    let (mut pages, mut index) = (Pages::new(), HashIndex::new());
    for number in 0..ROWS {
        index
            .insert(&mut pages, OWNER, hash(number), row(number))
            .unwrap();
    }
    index.check(&pages).unwrap();
    assert!(index.spilled_count() > 1_000);
    (pages, index)
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
            match how % 7 {
                0 => bytes[place % 64] = self.byte()?,
                1 => bytes[64 + place % 16] = self.byte()?,
                // The tags of a line, and what passed it.
                2 => bytes[64 * (1 + place % 511) + 7] = self.byte()?,
                3 => bytes[64 * (1 + place % 511) + place / 511 % 8] = self.byte()?,
                4 => bytes[place % PAGE_BYTES] = self.byte()?,
                5 => {
                    // A whole page that stands in two places.
                    let other = numbers[self.number()? % numbers.len()];
                    let copy = pages.page(other).unwrap();
                    pages.restore(number, Page::owned(copy));
                }
                _ => {
                    let end = (place % PAGE_BYTES).max(8);
                    for byte in &mut bytes[8..end] {
                        *byte = self.byte()?;
                    }
                }
            }
        }
    }
}

/// Runs every operation on an index whose pages were changed as `data` says.
fn fuzz_hash_index(data: &[u8]) {
    let (mut pages, index) = index();
    let page_count = pages.page_count();
    let _ = Changes { data }.apply(&mut pages);
    let _ = index.check(&pages);
    let _ = index.page_count(&pages);
    let limit = 16 * 7 + usize::try_from(index.spilled_count()).unwrap() + 1;
    for number in 0..400 {
        let _ = index.contains(&pages, hash(number), row(number));
        if let Ok(candidates) = index.candidates(&pages, hash(number)) {
            assert!(candidates.count() <= limit);
        }
    }
    // An error may leave half of a change: what comes after it must hold out, too.
    let (mut changed, mut changed_pages) = (index.clone(), pages.clone());
    for number in 0..2 * ROWS {
        let _ = changed.insert(&mut changed_pages, OWNER, hash(number), row(number));
    }
    // Each split takes a page and perhaps one of the directory; the tree two for each insertion at most.
    assert!(changed_pages.page_count() <= page_count + 24 + u64::from(2 * ROWS));
    let _ = changed.check(&changed_pages);
    let (mut changed, mut changed_pages) = (index.clone(), pages.clone());
    for number in 0..ROWS {
        let _ = changed.remove(&mut changed_pages, OWNER, hash(number), row(number));
    }
    let _ = changed.check(&changed_pages);
    let _ = index.clone().clear(&mut pages);
}

#[test]
fn hostile_pages_neither_panic_nor_hang() {
    for seed in seeds("hash_fuzz", 200) {
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
        within(BYTES_MAX, || fuzz_hash_index(&data));
    }
}

/// Where the tags of a bucket begin, and where its entries do.
const TAGS: usize = 64;
const ENTRIES: usize = 4152;

/// No bit of a directory can flip unseen, nor one of a bucket but for those that rows answer for: the row ids and hashes
/// of entries. The owner is not the index's to know.
#[test]
fn every_flipped_bit_that_no_row_answers_for_is_found() {
    let (pages, index) = index();
    let kind = |number: PageNumber| pages.get(number).unwrap().as_bytes()[0];
    let numbers: Vec<PageNumber> = pages.iter().map(|(number, _)| number).collect();
    let bucket = *numbers.iter().find(|number| kind(**number) == 8).unwrap();
    let directory = *numbers.iter().find(|number| kind(**number) == 6).unwrap();
    let mut tried = 0;
    for number in [bucket, directory] {
        let bytes = pages.get(number).unwrap().as_bytes();
        for bit in (0..PAGE_BYTES * 8).filter(|bit| *bit < 256 * 8 || bit % 31 == 0) {
            let byte = bit / 8;
            // Of a tag the top bit says that the slot is in use; of an entry, bits 40 to 43 are the displacement.
            let of_row = match byte {
                0..TAGS => false,
                TAGS..ENTRIES => byte % 8 < 7 && bytes[byte] != 0 && bit % 8 < 7,
                _ => {
                    let slot = (byte - ENTRIES) / 8;
                    let is_in_use = bytes[TAGS + slot / 7 * 8 + slot % 7] != 0;
                    is_in_use && !(byte % 8 == 5 && bit % 8 < 4)
                }
            };
            if (number == bucket && of_row) || (4..8).contains(&byte) {
                continue;
            }
            let mut pages = pages.clone();
            pages.get_mut(number).unwrap().as_bytes_mut()[byte] ^= 1 << (bit % 8);
            assert!(index.check(&pages).is_err(), "page {number} bit {bit}");
            tried += 1;
        }
    }
    assert!(tried > 9_000, "{tried}");
}
