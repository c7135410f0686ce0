//! One index of a table, as the catalog declares it.

use table::{IndexId, IndexKind};

use crate::column_id::ColumnId;

/// An index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexDefinition {
    /// Its id.
    pub id: IndexId,
    /// Its name, unique in the table.
    pub name: String,
    /// Whether no two rows may have the same values in its columns (rows with a null there are exempt).
    pub unique: bool,
    /// What it can be asked: ranges and rows in order too, or whole keys only.
    pub kind: IndexKind,
    /// Its columns, most significant first.
    pub columns: Vec<ColumnId>,
}
