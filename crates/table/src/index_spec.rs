//! What an index is over, without its entries.

use serde::{Deserialize, Serialize};

use crate::index_id::IndexId;

/// The columns of an ordered index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexSpec {
    /// Its id, unique in its table.
    pub id: IndexId,
    /// Positions of the columns, most significant first; at least one, none twice.
    pub columns: Vec<u16>,
    /// Whether no two rows may have the same values there. Rows with a null in one of the columns are exempt.
    pub unique: bool,
}
