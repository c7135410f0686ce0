//! A hash index: a set of (key, row) that finds the rows of a whole key in two places of memory, and mostly in one that there are none.
//!
//! ```text
//!   hash of the key ── bucket bits ──> directory ──> bucket: a page of 511 lines
//!                  └── home line ──────────────────────> | tags | tags | ... | entries | entries | ...
//!                                                          7 tags                7 x (hash bits, row id)
//! ```
//!
//! The keys themselves are not stored: what is found are candidates, whose rows are to be compared. An index that
//! grows splits one bucket after the other (`hash_growth.rs`), and no row is read for it. The pages are drawn in
//! `hash_format.rs`.
//!
//! After an error of a changing operation the index and the pages may hold half of the change: they are a fork, and are
//! to be dropped.

use std::ops::Bound;

use serde::{Deserialize, Serialize};

use crate::btree::{BTree, BTreeRange};
use crate::damaged::{DamageKind, Damaged};
use crate::hash_bucket::Bucket;
use crate::hash_candidates::HashCandidates;
use crate::hash_format::{BUCKET_COUNT_MAX, ENTRY_COUNT_MAX, Lines, lines, spilled_key};
use crate::hash_lines;
use crate::key_hash::KeyHash;
use crate::page_error::PageError;
use crate::page_number::PageNumber;
use crate::pages::Pages;
use crate::row_id::RowId;
use crate::table_id::TableId;

/// An unordered set of (hash of a key, row id). The entries stand in pages; this is what names them.
///
/// An empty index owns no page. Of up to 112 rows of one key each takes 8 bytes of a line, and what lines are filled to
/// makes that 15.8 to 18 bytes, from 25,000 rows on; further rows of the same key stand in a tree and take about as much
/// as in an ordered index.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct HashIndex {
    /// The only bucket, or the highest directory. Invariant: nothing exactly when `bucket_count` is zero.
    pub(crate) root: Option<PageNumber>,
    /// Invariant: at most [`BUCKET_COUNT_MAX`], zero only when there is no entry.
    pub(crate) bucket_count: u32,
    /// The entries in lines. Invariant: no more than they have slots.
    pub(crate) line_entry_count: u64,
    /// The entries whose lines were full.
    pub(crate) spilled: BTree,
}

/// An index as it is stored, before it is known to be possible.
#[derive(Serialize, Deserialize)]
struct Stored {
    root: Option<PageNumber>,
    bucket_count: u32,
    line_entry_count: u64,
    spilled: BTree,
}

impl From<HashIndex> for Stored {
    fn from(index: HashIndex) -> Stored {
        Stored {
            root: index.root,
            bucket_count: index.bucket_count,
            line_entry_count: index.line_entry_count,
            spilled: index.spilled,
        }
    }
}

impl TryFrom<Stored> for HashIndex {
    type Error = &'static str;

    fn try_from(stored: Stored) -> Result<HashIndex, &'static str> {
        let is_empty = stored.line_entry_count == 0 && stored.spilled.is_empty();
        if stored.root.is_none() != (stored.bucket_count == 0)
            || is_empty != (stored.bucket_count == 0)
            || stored.bucket_count > BUCKET_COUNT_MAX
            || stored.line_entry_count > u64::from(stored.bucket_count) * ENTRY_COUNT_MAX
        {
            return Err("the root, buckets and entries of a hash index contradict each other");
        }
        Ok(HashIndex {
            root: stored.root,
            bucket_count: stored.bucket_count,
            line_entry_count: stored.line_entry_count,
            spilled: stored.spilled,
        })
    }
}

impl HashIndex {
    /// An empty index.
    pub fn new() -> HashIndex {
        HashIndex::default()
    }

    /// How many entries there are.
    pub fn entry_count(&self) -> u64 {
        self.line_entry_count
            .saturating_add(self.spilled.entry_count())
    }

    /// How many of them found no room in their lines.
    pub fn spilled_count(&self) -> u64 {
        self.spilled.entry_count()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// The rows whose keys may be the one of this hash: all that have it, and seldom one that has not. In no
    /// particular order, but always the same one for the same history.
    ///
    /// # Errors
    /// When a page on the way is damaged; so for every operation below.
    #[inline]
    pub fn candidates<'a>(
        &'a self,
        pages: &'a Pages,
        hash: KeyHash,
    ) -> Result<HashCandidates<'a>, Damaged> {
        Ok(HashCandidates::new(
            self,
            pages,
            hash,
            self.lines(pages, hash)?,
        ))
    }

    /// The lines that a key of this hash stands in, if there are any.
    #[inline(always)]
    pub(crate) fn lines<'a>(
        &self,
        pages: &'a Pages,
        hash: KeyHash,
    ) -> Result<Option<&'a Lines>, Damaged> {
        match self.root {
            None => Ok(None),
            Some(_) => hash_lines::peek(pages, self.bucket_page(pages, hash)?).map(Some),
        }
    }

    /// [`HashIndex::lines`], if there are any and nothing has to be told of them.
    #[inline(always)]
    pub(crate) fn glimpse_lines<'a>(&self, pages: &'a Pages, hash: KeyHash) -> Option<&'a Lines> {
        self.root?;
        let number = self.bucket_page(pages, hash).ok()?;
        pages.get(number).ok().map(lines)
    }

    /// The entries of a hash that stand in the tree.
    pub(crate) fn spilled_of<'a>(&'a self, pages: &'a Pages, hash: KeyHash) -> BTreeRange<'a> {
        let key = spilled_key(hash.home, hash.bucket_bits);
        let bound = Bound::Included(&key[..]);
        self.spilled.range(pages, bound, bound)
    }

    /// Whether (key of this hash, `row`) is there.
    pub fn contains(&self, pages: &Pages, hash: KeyHash, row: RowId) -> Result<bool, Damaged> {
        if self.root.is_none() {
            return Ok(false);
        }
        let lines = hash_lines::peek(pages, self.bucket_page(pages, hash)?)?;
        Ok(hash_lines::find(lines, hash, row).is_some()
            || self
                .spilled
                .contains(pages, &spilled_key(hash.home, hash.bucket_bits), row)?)
    }

    /// Adds (key of this hash, `row`), which must not be there.
    ///
    /// # Errors
    /// Also when no page number is vacant.
    pub fn insert(
        &mut self,
        pages: &mut Pages,
        owner: TableId,
        hash: KeyHash,
        row: RowId,
    ) -> Result<(), PageError> {
        if self.root.is_none() {
            self.add_bucket(pages, owner)?;
        }
        self.put(pages, owner, hash, row)?;
        self.grow_if_full(pages, owner)
    }

    /// Takes (key of this hash, `row`) away; `false`, and nothing happens, if it is not there.
    ///
    /// # Errors
    /// Also when no page number is vacant: the tree of entries without a place may grow by losing one.
    pub fn remove(
        &mut self,
        pages: &mut Pages,
        owner: TableId,
        hash: KeyHash,
        row: RowId,
    ) -> Result<bool, PageError> {
        if self.root.is_none() {
            return Ok(false);
        }
        let number = self.bucket_page(pages, hash)?;
        // Looked for before it is opened to be written: a miss must copy nothing.
        if let Some(found) = hash_lines::find(hash_lines::peek(pages, number)?, hash, row) {
            let mut bucket = hash_lines::open_mut(pages, number)?;
            hash_lines::take(&mut bucket, hash, found).map_err(|kind| kind.at(number))?;
            self.line_entry_count = self.line_entry_count.checked_sub(1).ok_or_else(|| {
                DamageKind::Structure("a hash index has more entries than it counts").at(number)
            })?;
        } else {
            let key = spilled_key(hash.home, hash.bucket_bits);
            if !self.spilled.remove(pages, owner, &key, row)? {
                return Ok(false);
            }
            if !self.has_spilled(
                pages,
                hash.home,
                Bucket::of(hash.bucket_bits, self.bucket_count),
            )? {
                let mut bucket = hash_lines::open_mut(pages, number)?;
                hash_lines::set_spilled(&mut bucket, hash.home, false);
            }
        }
        self.shrink_if_empty(pages, owner)?;
        Ok(true)
    }

    /// Puts (key of this hash, `to`) in the place of (key of this hash, `from`); `false`, and nothing happens, if that is not there.
    ///
    /// # Errors
    /// As [`HashIndex::remove`].
    pub(crate) fn replace_row(
        &mut self,
        pages: &mut Pages,
        owner: TableId,
        hash: KeyHash,
        from: RowId,
        to: RowId,
    ) -> Result<bool, PageError> {
        if self.root.is_none() {
            return Ok(false);
        }
        let number = self.bucket_page(pages, hash)?;
        if let Some(found) = hash_lines::find(hash_lines::peek(pages, number)?, hash, from) {
            let mut bucket = hash_lines::open_mut(pages, number)?;
            hash_lines::set_row(&mut bucket, hash, found, to);
            return Ok(true);
        }
        // Its place in the tree of entries without a place may be another one.
        if !self.remove(pages, owner, hash, from)? {
            return Ok(false);
        }
        self.insert(pages, owner, hash, to)?;
        Ok(true)
    }

    /// Takes all entries away and gives all pages back.
    pub fn clear(&mut self, pages: &mut Pages) -> Result<(), Damaged> {
        let mut index = std::mem::take(self);
        for place in 0..index.bucket_count {
            let number = index.page_at(pages, place)?;
            hash_lines::open(pages, number)?;
            // Each page is freed once; one that is met again is missing by then, so this ends.
            pages.free(number)?;
        }
        for number in index.directory_pages(pages)? {
            pages.free(number)?;
        }
        index.spilled.clear(pages)
    }

    /// How many pages the index takes.
    ///
    /// # Errors
    /// When an inner node of the tree of entries without a place is damaged.
    pub fn page_count(&self, pages: &Pages) -> Result<u64, Damaged> {
        Ok(u64::from(self.bucket_count)
            + self.directory_count()
            + self.spilled.page_count(pages)?)
    }

    /// The page of the bucket of a key; there must be buckets.
    #[inline(always)]
    pub(crate) fn bucket_page(&self, pages: &Pages, hash: KeyHash) -> Result<PageNumber, Damaged> {
        let bucket = Bucket::of(hash.bucket_bits, self.bucket_count);
        self.page_at(pages, bucket.place())
    }

    /// Puts an entry into its lines or, where they are full, into the tree.
    pub(crate) fn put(
        &mut self,
        pages: &mut Pages,
        owner: TableId,
        hash: KeyHash,
        row: RowId,
    ) -> Result<(), PageError> {
        let number = self.bucket_page(pages, hash)?;
        let mut bucket = hash_lines::open_mut(pages, number)?;
        if hash_lines::put(&mut bucket, hash, row) {
            self.line_entry_count += 1;
            return Ok(());
        }
        hash_lines::set_spilled(&mut bucket, hash.home, true);
        self.spill(pages, owner, hash, row)
    }

    /// Puts an entry into the tree; its home line must say so.
    pub(crate) fn spill(
        &mut self,
        pages: &mut Pages,
        owner: TableId,
        hash: KeyHash,
        row: RowId,
    ) -> Result<(), PageError> {
        let key = spilled_key(hash.home, hash.bucket_bits);
        self.spilled.insert(pages, owner, &key, row)?;
        Ok(())
    }

    /// Whether entries of this home line of a bucket stand in the tree.
    pub(crate) fn has_spilled(
        &self,
        pages: &Pages,
        home: u16,
        bucket: Bucket,
    ) -> Result<bool, Damaged> {
        let bits = bucket.bucket_bits();
        let lower = spilled_key(home, bits.start);
        let first = self
            .spilled
            .first_at_or_after(pages, Bound::Included(&lower))?;
        let last = spilled_key(home, bits.end - 1);
        Ok(first.is_some_and(|(key, _)| *key <= last[..]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of some keys there are more rows than lines hold, so that their entries stand in the tree.
    #[test]
    fn a_row_that_takes_the_place_of_another_is_found_instead_of_it() {
        let (mut index, mut pages, owner) = (HashIndex::new(), Pages::new(), TableId(7));
        let row = |number: u32| RowId::new(PageNumber::new(number).unwrap(), 3);
        let hash = |number: u32| KeyHash::new(&[1; 32], &(number / 200).to_le_bytes());
        for number in 0..3_000 {
            index
                .insert(&mut pages, owner, hash(number), row(number))
                .unwrap();
        }
        assert!(index.spilled_count() > 0);
        let spilled_count = index.spilled_count();
        for number in 0..3_000 {
            let (hash, from, to) = (hash(number), row(number), row(number + 9_000));
            assert_eq!(
                index.replace_row(&mut pages, owner, hash, from, to),
                Ok(true)
            );
            assert_eq!(
                index.replace_row(&mut pages, owner, hash, from, to),
                Ok(false)
            );
            assert_eq!(index.contains(&pages, hash, from), Ok(false));
            assert_eq!(index.contains(&pages, hash, to), Ok(true));
        }
        index.check(&pages).unwrap();
        assert_eq!(
            (index.entry_count(), index.spilled_count()),
            (3_000, spilled_count)
        );
    }
}
