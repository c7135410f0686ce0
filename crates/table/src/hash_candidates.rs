//! The rows that a hash index finds for a key.

use std::ops::Bound;

use crate::btree::BTreeRange;
use crate::damaged::Damaged;
use crate::hash_format::{
    DISPLACEMENT_MAX, Lines, entry_head, first_slot, position_at, position_of, spilled_key,
};
use crate::hash_index::HashIndex;
use crate::key_hash::KeyHash;
use crate::pages::Pages;
use crate::row_id::RowId;

/// Rows whose keys may be the one that was asked for: first those in lines, then those in the tree.
///
/// After an error there is nothing more.
#[derive(Clone, Debug)]
pub struct HashCandidates<'a> {
    index: &'a HashIndex,
    pages: &'a Pages,
    hash: KeyHash,
    /// Nothing, when the lines are done with.
    lines: Option<&'a Lines>,
    displacement: usize,
    /// What is left of the slots of the current line whose tags fit.
    slots: u64,
    spilled: Option<Box<BTreeRange<'a>>>,
}

impl<'a> HashCandidates<'a> {
    #[inline]
    pub(crate) fn of(
        index: &'a HashIndex,
        pages: &'a Pages,
        hash: KeyHash,
        lines: &'a Lines,
    ) -> Self {
        HashCandidates {
            slots: lines[position_of(hash.home)].slots_like(hash.bucket_bits),
            lines: Some(lines),
            ..Self::none(index, pages, hash)
        }
    }

    #[inline]
    pub(crate) fn none(index: &'a HashIndex, pages: &'a Pages, hash: KeyHash) -> Self {
        HashCandidates {
            index,
            pages,
            hash,
            lines: None,
            displacement: 0,
            slots: 0,
            spilled: None,
        }
    }

    /// The next row in the lines.
    #[inline]
    fn next_in_lines(&mut self) -> Option<RowId> {
        let lines = self.lines?;
        loop {
            let line = &lines[self.line_position()];
            while self.slots != 0 {
                let slot = first_slot(self.slots);
                self.slots &= self.slots - 1;
                let head = entry_head(self.hash.bucket_bits, self.displacement);
                if let Some(row) = line.row_with_head(slot, head) {
                    return Some(row);
                }
            }
            if line.passed() == 0 || self.displacement == DISPLACEMENT_MAX {
                break;
            }
            self.displacement += 1;
            let next = &lines[self.line_position()];
            self.slots = next.slots_like(self.hash.bucket_bits);
        }
        self.lines = None;
        if lines[position_of(self.hash.home)].has_spilled() {
            self.begin_spilled();
        }
        None
    }

    #[inline]
    fn line_position(&self) -> usize {
        position_at(self.hash.home, self.hash.bucket_bits, self.displacement)
    }

    #[cold]
    fn begin_spilled(&mut self) {
        let key = spilled_key(self.hash.home, self.hash.bucket_bits);
        let bound = Bound::Included(&key[..]);
        self.spilled = Some(Box::new(self.index.spilled.range(self.pages, bound, bound)));
    }
}

impl Iterator for HashCandidates<'_> {
    type Item = Result<RowId, Damaged>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if let Some(row) = self.next_in_lines() {
            return Some(Ok(row));
        }
        let entry = self.spilled.as_mut()?.next()?;
        Some(entry.map(|(_, row)| row))
    }
}

impl std::iter::FusedIterator for HashCandidates<'_> {}
