//! What an index is over, without its entries.

use crate::index_id::IndexId;
use crate::index_kind::IndexKind;

/// The columns of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexSpec {
    /// Its id, unique in its table.
    pub id: IndexId,
    /// Positions of the columns, most significant first; at least one, none twice.
    pub columns: Vec<u16>,
    /// Whether no two rows may have the same values there. Rows with a null in one of the columns are exempt.
    pub unique: bool,
    /// What it can be asked.
    pub kind: IndexKind,
}
