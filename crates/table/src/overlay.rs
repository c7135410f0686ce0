//! What a write transaction has done to one table so far, beside the table.
//!
//! ```text
//!   base:     rows in pages, entries in indexes           never touched
//!   overlay:  gone      places of base rows that were deleted, or that stand below as they are now
//!             rows      by row id, encoded as a transaction's groups hold them
//!             indexes   for each index of the base: (key, row id) of those rows, in order
//! ```
//!
//! Who reads the table as the transaction sees it takes the base without what is gone, and these rows besides: see
//! [`TableRef`](crate::TableRef). A copy costs the number of indexes, whatever was written, and that is what a savepoint
//! keeps.

use std::cmp::Ordering;
use std::ops::Bound;
use std::sync::Arc;

use crate::cow_sorted::CowSorted;
use crate::cow_sorted_range::CowSortedRange;
use crate::key_bytes::KeyBytes;
use crate::row_id::RowId;

/// The rows that are gone from a table, and those that are new. A changed row is both.
#[derive(Debug, Clone)]
pub(crate) struct Overlay {
    /// Invariant: places of rows of the base.
    gone: CowSorted<RowId>,
    /// Invariant: pending row ids.
    rows: CowSorted<PendingRow>,
    /// Invariant: one for each index of the base, in its order; each has an entry for each row.
    indexes: Vec<CowSorted<Entry>>,
}

/// A row that no page holds yet.
#[derive(Debug, Clone)]
pub(crate) struct PendingRow {
    pub(crate) row: RowId,
    /// As [`crate::encode_row`] writes it.
    pub(crate) bytes: Arc<[u8]>,
}

/// A key and the row that has it.
pub(crate) type Entry = (KeyBytes, RowId);

/// The keys of a row, one for each index.
pub(crate) type Keys = Vec<KeyBytes>;

impl Overlay {
    /// Nothing done yet to a table of so many indexes.
    pub(crate) fn new(index_count: usize) -> Self {
        Overlay {
            gone: CowSorted::new(),
            rows: CowSorted::new(),
            indexes: vec![CowSorted::new(); index_count],
        }
    }

    /// The places of base rows that are gone, ascending.
    pub(crate) fn gone(&self) -> impl Iterator<Item = RowId> {
        self.gone.iter().copied()
    }

    /// How many base rows are gone.
    pub(crate) fn gone_count(&self) -> usize {
        self.gone.len()
    }

    /// Whether the base row at a place is gone.
    pub(crate) fn is_gone(&self, row: RowId) -> bool {
        self.gone.get(|place| place.cmp(&row)).is_some()
    }

    /// The row of an id, encoded.
    pub(crate) fn row(&self, row: RowId) -> Option<&[u8]> {
        let found = self.rows.get(|pending| pending.row.cmp(&row));
        found.map(|pending| &*pending.bytes)
    }

    /// The rows, in the order in which they were first written.
    pub(crate) fn rows(&self) -> CowSortedRange<'_, PendingRow> {
        self.rows.iter()
    }

    /// How many rows there are.
    pub(crate) fn pending_count(&self) -> usize {
        self.rows.len()
    }

    /// How many rows a table has under this overlay.
    pub(crate) fn row_count(&self, of_base: u64) -> u64 {
        of_base.saturating_sub(self.gone.len() as u64) + self.rows.len() as u64
    }

    /// The entries of an index between two bounds on the key, in order.
    pub(crate) fn entries(
        &self,
        index: usize,
        lower: Bound<&[u8]>,
        upper: Bound<&[u8]>,
    ) -> CowSortedRange<'_, Entry> {
        let is_before = |(key, _): &Entry| match lower {
            Bound::Included(lower) => **key < *lower,
            Bound::Excluded(lower) => **key <= *lower,
            Bound::Unbounded => false,
        };
        let is_behind = |(key, _): &Entry| match upper {
            Bound::Included(upper) => **key > *upper,
            Bound::Excluded(upper) => **key >= *upper,
            Bound::Unbounded => false,
        };
        self.indexes[index].range(is_before, is_behind)
    }

    /// The first row with exactly this key in an index.
    pub(crate) fn first_with_key(&self, index: usize, key: &[u8]) -> Option<RowId> {
        let first = self.indexes[index].first_from(|(other, _)| **other < *key);
        let first = first.filter(|(other, _)| **other == *key);
        first.map(|(_, row)| *row)
    }

    /// Adds a row under an id that no row has had.
    pub(crate) fn insert(&mut self, row: RowId, bytes: Arc<[u8]>, keys: Keys) {
        let order = |there: &PendingRow, new: &PendingRow| there.row.cmp(&new.row);
        self.rows.insert(PendingRow { row, bytes }, order);
        for (index, key) in self.indexes.iter_mut().zip(keys) {
            insert_entry(index, (key, row));
        }
    }

    /// Gives a row other values; `false`, and nothing happens, if it is not here.
    pub(crate) fn update(&mut self, row: RowId, bytes: Arc<[u8]>, old: &Keys, new: Keys) -> bool {
        let Some(pending) = self.rows.get_mut(|pending| pending.row.cmp(&row)) else {
            return false;
        };
        pending.bytes = bytes;
        for ((index, old), new) in self.indexes.iter_mut().zip(old).zip(new) {
            if **old != *new {
                remove_entry(index, old, row);
                insert_entry(index, (new, row));
            }
        }
        true
    }

    /// Takes a row away; `false`, and nothing happens, if it is not here.
    pub(crate) fn remove(&mut self, row: RowId, keys: &Keys) -> bool {
        if self.rows.remove(|pending| pending.row.cmp(&row)).is_none() {
            return false;
        }
        for (index, key) in self.indexes.iter_mut().zip(keys) {
            remove_entry(index, key, row);
        }
        true
    }

    /// Hides a row of the base.
    pub(crate) fn hide(&mut self, row: RowId) {
        self.gone.insert(row, RowId::cmp);
    }
}

fn compare(entry: &Entry, key: &[u8], row: RowId) -> Ordering {
    (*entry.0).cmp(key).then(entry.1.cmp(&row))
}

fn insert_entry(index: &mut CowSorted<Entry>, entry: Entry) {
    index.insert(entry, |there, (key, row)| compare(there, key, *row));
}

fn remove_entry(index: &mut CowSorted<Entry>, key: &[u8], row: RowId) {
    let removed = index.remove(|entry| compare(entry, key, row));
    debug_assert!(removed.is_some(), "each row has an entry in each index");
}
