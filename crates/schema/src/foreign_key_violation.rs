//! Rows that name nothing.

use table::Value;

use crate::error::rows_text;

/// Rows of a table whose foreign key names rows that are not there.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{count} rows of table {table:?} name no row of {target:?}, as {constraint:?} demands, the first: {}", rows_text(.columns, .first))]
pub struct ForeignKeyViolation {
    /// The table.
    pub table: String,
    /// The foreign key.
    pub constraint: String,
    /// The table that it refers to.
    pub target: String,
    /// The columns of the foreign key.
    pub columns: Vec<String>,
    /// How many rows name nothing. Where rows of the transaction are looked at, and not all, it is 1: the first one refuses.
    pub count: u64,
    /// The values of the first of them in these columns.
    pub first: Vec<Vec<Value>>,
}
