//! A row that a transaction has written and no page holds yet.
//!
//! ```text
//!   whole                 | all values |                       as an insert holds them
//!   a change of a row     | key | which columns | values |     as an update holds them; the other values are read where the row stands
//! ```

use std::sync::Arc;

use crate::layout::Layout;
use crate::row_codec::{changes_column, encoded_changes, encoded_values};
use crate::row_id::RowId;
use crate::value_codec::value_of_bytes;
use crate::value_ref::ValueRef;

/// What a transaction holds of a row.
#[derive(Debug, Clone)]
pub(crate) struct PendingRow {
    pub(crate) row: RowId,
    pub(crate) change_of: Option<ChangeOf>,
    pub(crate) bytes: Arc<[u8]>,
}

/// The row of the base that a row is a change of. Invariant: the table has a primary key, none of whose columns changes, and no value that
/// stands in the change is the one that the base has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChangeOf {
    pub(crate) place: RowId,
    /// Where the key ends.
    pub(crate) key_bytes: usize,
}

/// A change of a row of the base.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change<'a> {
    pub(crate) place: RowId,
    pub(crate) key: &'a [u8],
    /// What an update says behind the key.
    pub(crate) changes: &'a [u8],
}

impl PendingRow {
    /// The change, if this is one.
    pub(crate) fn as_change(&self) -> Option<Change<'_>> {
        let ChangeOf { place, key_bytes } = self.change_of?;
        let (key, changes) = self.bytes.split_at(key_bytes);
        Some(Change {
            place,
            key,
            changes,
        })
    }

    /// The base row in which the value of a column stands; `None` if it stands here.
    pub(crate) fn base_of(&self, column: usize) -> Option<RowId> {
        let change = self.as_change()?;
        (!changes_column(change.changes, column)).then_some(change.place)
    }

    /// The value of a column that stands here.
    ///
    /// # Panics
    /// If it does not.
    pub(crate) fn value(&self, layout: &Layout, column: usize) -> ValueRef<'_> {
        let bytes = match self.as_change() {
            None => encoded_values(layout, &self.bytes).nth(column),
            Some(change) => encoded_changes(layout, change.changes)
                .find_map(|(changed, value)| (changed == column).then_some(value)),
        };
        let Some(bytes) = bytes.expect("there is such a column, and its value stands here") else {
            return ValueRef::Null;
        };
        let value = value_of_bytes(layout.columns()[column].column_type, bytes);
        value.expect("the row was encoded in this process")
    }
}
