//! What a write transaction has done to one table so far, beside the table.
//!
//! ```text
//!   base:     rows in pages, entries in indexes           never touched
//!   overlay:  gone      places of base rows that were deleted, or that stand below as they are now
//!             rows      by row id, as a transaction's groups hold them: whole, or what changes of a base row
//!             entries   for each index of the base: (key, row id) of those rows, in order
//! ```
//!
//! Who reads the table as the transaction sees it takes the base without what is gone, and these rows besides: see
//! [`TableRef`](crate::TableRef). A copy takes O(1), and that is what a savepoint keeps.

use std::cmp::Ordering;
use std::ops::Bound;

use crate::cow_sorted::CowSorted;
use crate::cow_sorted_range::CowSortedRange;
use crate::key_bytes::KeyBytes;
use crate::pending_row::PendingRow;
use crate::row_id::RowId;

/// The rows that are gone from a table, and those that are new. A changed row is both.
#[derive(Debug, Clone)]
pub(crate) struct Overlay {
    /// Invariant: rows of the base.
    gone: CowSorted<Gone>,
    /// Invariant: pending row ids.
    rows: CowSorted<PendingRow>,
    /// Invariant: for each index of the base one for each row.
    entries: CowSorted<Entry>,
}

/// A row of the base that is gone.
#[derive(Debug, Clone)]
struct Gone {
    place: RowId,
    /// Invariant: a row here is a change of it.
    is_changed: bool,
}

/// A key and the row that has it. In order of all three.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The position of the index among those of the base.
    index: usize,
    pub(crate) key: KeyBytes,
    pub(crate) row: RowId,
}

/// The keys of a row, one for each index.
pub(crate) type Keys = Vec<KeyBytes>;

impl Overlay {
    /// Nothing done yet.
    pub(crate) fn new() -> Self {
        Overlay {
            gone: CowSorted::new(),
            rows: CowSorted::new(),
            entries: CowSorted::new(),
        }
    }

    /// The places of base rows that are gone and have not only changed, ascending.
    pub(crate) fn gone(&self) -> impl Iterator<Item = RowId> {
        let gone = self.gone.iter().filter(|gone| !gone.is_changed);
        gone.map(|gone| gone.place)
    }

    /// Whether no base row is gone, or has changed.
    pub(crate) fn only_adds(&self) -> bool {
        self.gone.len() == 0
    }

    /// Whether the base row at a place is gone.
    pub(crate) fn is_gone(&self, row: RowId) -> bool {
        self.gone.get(|gone| gone.place.cmp(&row)).is_some()
    }

    /// The row of an id.
    pub(crate) fn row(&self, row: RowId) -> Option<&PendingRow> {
        self.rows.get(|pending| pending.row.cmp(&row))
    }

    /// The rows, in the order in which they were first written.
    pub(crate) fn rows(&self) -> CowSortedRange<'_, PendingRow> {
        self.rows.iter()
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
        let is_before = |entry: &Entry| match lower {
            _ if entry.index != index => entry.index < index,
            Bound::Included(lower) => *entry.key < *lower,
            Bound::Excluded(lower) => *entry.key <= *lower,
            Bound::Unbounded => false,
        };
        let is_behind = |entry: &Entry| match upper {
            _ if entry.index != index => entry.index > index,
            Bound::Included(upper) => *entry.key > *upper,
            Bound::Excluded(upper) => *entry.key >= *upper,
            Bound::Unbounded => false,
        };
        self.entries.range(is_before, is_behind)
    }

    /// The first row with exactly this key in an index.
    pub(crate) fn first_with_key(&self, index: usize, key: &[u8]) -> Option<RowId> {
        let is_before = |entry: &Entry| (entry.index, &*entry.key) < (index, key);
        let first = self.entries.first_from(is_before);
        let first = first.filter(|entry| entry.index == index && *entry.key == *key);
        first.map(|entry| entry.row)
    }

    /// Adds a row under an id that no row has had. A base row that it is a change of is gone then.
    pub(crate) fn insert(&mut self, new: PendingRow, keys: Keys) {
        let row = new.row;
        self.hide_changed(&new);
        let order = |there: &PendingRow, new: &PendingRow| there.row.cmp(&new.row);
        self.rows.insert(new, order);
        for (index, key) in keys.into_iter().enumerate() {
            self.insert_entry(Entry { index, key, row });
        }
    }

    /// Puts a row in the place of the one of the same id; `false`, and nothing happens, if that is not here.
    pub(crate) fn update(&mut self, new: PendingRow, old_keys: &Keys, new_keys: Keys) -> bool {
        let row = new.row;
        let Some(pending) = self.rows.get_mut(|pending| pending.row.cmp(&row)) else {
            return false;
        };
        let old = std::mem::replace(pending, new.clone());
        self.let_go(&old);
        self.hide_changed(&new);
        for (index, (old, key)) in old_keys.iter().zip(new_keys).enumerate() {
            if **old != *key {
                self.remove_entry(index, old, row);
                self.insert_entry(Entry { index, key, row });
            }
        }
        true
    }

    /// Takes a row away; `false`, and nothing happens, if it is not here. A base row that it was a change of stays gone.
    pub(crate) fn remove(&mut self, row: RowId, keys: &Keys) -> bool {
        let Some(old) = self.rows.remove(|pending| pending.row.cmp(&row)) else {
            return false;
        };
        self.let_go(&old);
        for (index, key) in keys.iter().enumerate() {
            self.remove_entry(index, key, row);
        }
        true
    }

    /// Hides a row of the base.
    pub(crate) fn hide(&mut self, place: RowId) {
        self.put_gone(place, false);
    }

    fn hide_changed(&mut self, new: &PendingRow) {
        if let Some(of) = new.change_of {
            self.put_gone(of.place, true);
        }
    }

    /// Remembers that the row that was a change of a base row is none any more.
    fn let_go(&mut self, old: &PendingRow) {
        if let Some(of) = old.change_of {
            self.put_gone(of.place, false);
        }
    }

    fn put_gone(&mut self, place: RowId, is_changed: bool) {
        match self.gone.get_mut(|gone| gone.place.cmp(&place)) {
            Some(gone) => gone.is_changed = is_changed,
            None => {
                let order = |there: &Gone, new: &Gone| there.place.cmp(&new.place);
                self.gone.insert(Gone { place, is_changed }, order);
            }
        }
    }

    fn insert_entry(&mut self, entry: Entry) {
        self.entries.insert(entry, |there, new| {
            compare(there, new.index, &new.key, new.row)
        });
    }

    fn remove_entry(&mut self, index: usize, key: &[u8], row: RowId) {
        let removed = self.entries.remove(|entry| compare(entry, index, key, row));
        debug_assert!(removed.is_some(), "each row has an entry in each index");
    }
}

fn compare(entry: &Entry, index: usize, key: &[u8], row: RowId) -> Ordering {
    (entry.index, &*entry.key, entry.row).cmp(&(index, key, row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_one_index_is_none_of_the_next() {
        let mut overlay = Overlay::new();
        // Behind all keys of the first index comes "d", the first of the second.
        let rows = [[&b"a"[..], b"d"], [b"c", b"e"]];
        for (count, keys) in (0..).zip(rows) {
            let row = PendingRow {
                row: RowId::pending(count),
                change_of: None,
                bytes: [0].into(),
            };
            overlay.insert(row, keys.map(KeyBytes::from).to_vec());
        }
        for (index, key, expected) in [
            (0, b"a", Some(0)),
            (0, b"c", Some(1)),
            (0, b"d", None),
            (1, b"a", None),
            (1, b"d", Some(0)),
            (1, b"e", Some(1)),
        ] {
            let found = overlay.first_with_key(index, key);
            assert_eq!(found, expected.map(RowId::pending), "{index} {key:?}");
        }
        for index in 0..2 {
            let entries = overlay.entries(index, Bound::Unbounded, Bound::Unbounded);
            let keys: Vec<&[u8]> = entries.map(|entry| &*entry.key).collect();
            assert_eq!(keys, rows.map(|keys| keys[index]));
        }
    }
}
