//! The rows that a hash index finds for a key.

use crate::btree::BTreeRange;
use crate::damaged::Damaged;
use crate::hash_format::Lines;
use crate::hash_index::HashIndex;
use crate::hash_lines::{self, Matches};
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
    lines: Option<(&'a Lines, Matches<'a>)>,
    spilled: Option<Box<BTreeRange<'a>>>,
}

impl<'a> HashCandidates<'a> {
    #[inline]
    pub(crate) fn new(
        index: &'a HashIndex,
        pages: &'a Pages,
        hash: KeyHash,
        lines: Option<&'a Lines>,
    ) -> Self {
        HashCandidates {
            index,
            pages,
            hash,
            lines: lines.map(|lines| (lines, hash_lines::matches(lines, hash))),
            spilled: None,
        }
    }
}

impl Iterator for HashCandidates<'_> {
    type Item = Result<RowId, Damaged>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if let Some((lines, matches)) = &mut self.lines {
            if let Some(row) = matches.next() {
                return Some(Ok(row));
            }
            if hash_lines::home(lines, self.hash).tags.has_spilled() {
                let spilled = self.index.spilled_of(self.pages, self.hash);
                self.spilled = Some(Box::new(spilled));
            }
            self.lines = None;
        }
        let entry = self.spilled.as_mut()?.next()?;
        Some(entry.map(|(_, row)| row))
    }
}

impl std::iter::FusedIterator for HashCandidates<'_> {}
