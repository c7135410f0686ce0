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

/// The row of the base that a row is a change of. Invariant: none of the columns that change is one of a unique index, the table has a primary
/// key, and no value that stands in the change is the one that the base has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChangeOf {
    pub(crate) place: RowId,
    /// Where the key ends.
    pub(crate) key_bytes: usize,
}

impl PendingRow {
    /// The base row that this is a change of, and what an update says of it behind the key.
    pub(crate) fn as_change(&self) -> Option<(RowId, &[u8])> {
        let of = self.change_of?;
        Some((of.place, &self.bytes[of.key_bytes..]))
    }

    /// The base row in which the value of a column stands; `None` if it stands here.
    pub(crate) fn base_of(&self, column: usize) -> Option<RowId> {
        let (place, changes) = self.as_change()?;
        (!changes_column(changes, column)).then_some(place)
    }

    /// The value of a column that stands here.
    ///
    /// # Panics
    /// If it does not.
    pub(crate) fn value(&self, layout: &Layout, column: usize) -> ValueRef<'_> {
        let bytes = match self.as_change() {
            None => encoded_values(layout, &self.bytes).nth(column),
            Some((_, changes)) => encoded_changes(layout, changes)
                .find_map(|(changed, value)| (changed == column).then_some(value)),
        };
        let Some(bytes) = bytes.expect("there is such a column, and its value stands here") else {
            return ValueRef::Null;
        };
        let value = value_of_bytes(layout.columns()[column].column_type, bytes);
        value.expect("the row was encoded in this process")
    }
}
