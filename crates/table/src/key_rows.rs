//! The rows of one key of an index.

use std::ops::Bound;

use crate::cow_sorted_range::CowSortedRange;
use crate::error::Error;
use crate::hash_candidates::HashCandidates;
use crate::index::Index;
use crate::index_range::IndexRange;
use crate::overlay::Entry;
use crate::row::Row;
use crate::row_id::RowId;
use crate::search_key::SearchKey;
use crate::table_ref::TableRef;

/// The rows with exactly one key of an index, each read as it is asked for: of an ordered index in the order of their
/// places, of a hash index in no order to rely on. After an error there is nothing more.
#[derive(Debug)]
pub struct KeyRows<'a>(Rows<'a>);

#[derive(Debug)]
enum Rows<'a> {
    Ordered(Box<IndexRange<'a>>),
    Hash(HashRows<'a>),
}

#[derive(Debug)]
struct HashRows<'a> {
    table: TableRef<'a>,
    index: &'a Index,
    key: Vec<u8>,
    candidates: Option<HashCandidates<'a>>,
    /// What a transaction has written; they come last.
    pending: Option<CowSortedRange<'a, Entry>>,
}

impl<'a> KeyRows<'a> {
    pub(crate) fn ordered(range: IndexRange<'a>) -> Self {
        KeyRows(Rows::Ordered(Box::new(range)))
    }

    pub(crate) fn hash(
        table: TableRef<'a>,
        position: usize,
        index: &'a Index,
        candidates: HashCandidates<'a>,
        key: Vec<u8>,
    ) -> Self {
        let pending = table.overlay.map(|overlay| {
            let key = Bound::Included(&key[..]);
            overlay.entries(position, key, key)
        });
        KeyRows(Rows::Hash(HashRows {
            table,
            index,
            key,
            candidates: Some(candidates),
            pending,
        }))
    }
}

impl<'a> Iterator for KeyRows<'a> {
    type Item = Result<Row<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Rows::Ordered(range) => range.next(),
            Rows::Hash(rows) => {
                let next = rows.next().transpose();
                if let Some(Err(_)) = next {
                    rows.candidates = None;
                    rows.pending = None;
                }
                next
            }
        }
    }
}

impl<'a> HashRows<'a> {
    fn next(&mut self) -> Result<Option<Row<'a>>, Error> {
        while let Some(row) = self.candidates.as_mut().and_then(Iterator::next) {
            let row = row?;
            if self.is_gone(row) {
                continue;
            }
            let row = self.table.indexed(row)?;
            if SearchKey::new(&self.key).is_of(&row, &self.index.spec.columns)? {
                return Ok(Some(row));
            }
        }
        self.candidates = None;
        let Some(entry) = self.pending.as_mut().and_then(Iterator::next) else {
            return Ok(None);
        };
        self.table.get(entry.row).map(Some)
    }

    fn is_gone(&self, row: RowId) -> bool {
        self.table
            .overlay
            .is_some_and(|overlay| overlay.is_gone(row))
    }
}
