//! Why the table layer refuses: the caller's mistake, the transaction's bytes, or a damaged page.

use crate::column_type::ColumnType;
use crate::damaged::Damaged;
use crate::group::Operation;
use crate::index_id::IndexId;
use crate::layout::LayoutNumber;
use crate::malformed::Malformed;
use crate::page_error::{Full, PageError};
use crate::table_id::TableId;
use crate::value::Value;

/// An error of the table layer. After any of them the operation that was asked for has not happened, unless it says otherwise; after
/// [`Error::Damaged`] the store it was asked of may hold half of it and must be dropped (see [`crate::Store`]).
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A page can not be believed.
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// The bytes of a transaction do not follow its format.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// No table has this id.
    #[error("there is no table {table}")]
    NoSuchTable {
        /// The id asked for.
        table: TableId,
    },
    /// A table of this id exists already.
    #[error("table {table} exists already")]
    TableExists {
        /// The id asked for.
        table: TableId,
    },
    /// The table has no index of this id.
    #[error("table {table} has no index {index}")]
    NoSuchIndex {
        /// The table.
        table: TableId,
        /// The id asked for.
        index: IndexId,
    },
    /// The table has an index of this id already.
    #[error("table {table} has an index {index} already")]
    IndexExists {
        /// The table.
        table: TableId,
        /// The id asked for.
        index: IndexId,
    },
    /// The index is the primary key of its table and can not be dropped as an index.
    #[error("index {index} is the primary key of table {table}; drop the key first")]
    IndexIsPrimaryKey {
        /// The table.
        table: TableId,
        /// The index.
        index: IndexId,
    },
    /// The sum of a column is beyond what its type holds.
    #[error("the sum of column {column} of table {table} has more than 128 bits")]
    SumOverflow {
        /// The table.
        table: TableId,
        /// The column's position.
        column: usize,
    },
    /// A key or a bound has more values than the index has columns.
    #[error("index {index} of table {table} has {columns} columns, the key has {values} values")]
    TooManyValues {
        /// The table.
        table: TableId,
        /// The index.
        index: IndexId,
        /// How many columns it has.
        columns: usize,
        /// How many values there are.
        values: usize,
    },
    /// The columns named for an index or a key do not fit: none, one twice, one that is not there, or, for a primary
    /// key, an index that is not unique or a column that may be null.
    #[error("the columns of index {index} do not fit table {table}")]
    UnfitIndex {
        /// The table.
        table: TableId,
        /// The index.
        index: IndexId,
    },
    /// The new layout does not continue the old one.
    #[error("layout {found} does not continue layout {current} of table {table}")]
    UnfitLayout {
        /// The table.
        table: TableId,
        /// The layout in force.
        current: LayoutNumber,
        /// The layout asked for.
        found: LayoutNumber,
    },
    /// A group was written under another layout than the one in force.
    #[error("a group names layout {found} of table {table}, but layout {current} is in force")]
    WrongLayout {
        /// The table.
        table: TableId,
        /// The layout in force.
        current: LayoutNumber,
        /// The layout that the group names.
        found: LayoutNumber,
    },
    /// A group names rows in a way its table does not: by key without a primary key, or whole although there is one.
    #[error("operation {operation:?} does not fit table {table}")]
    WrongOperation {
        /// The table.
        table: TableId,
        /// The operation.
        operation: Operation,
    },
    /// Another row has the same values in the columns of a unique index.
    #[error(
        "table {table} has a row with the key {} in unique index {index} already",
        list(key)
    )]
    UniqueViolation {
        /// The table.
        table: TableId,
        /// The index.
        index: IndexId,
        /// The values of the index's columns.
        key: Vec<Value>,
    },
    /// A row named for a delete or an update is not there.
    #[error("table {table} has no such row: {}", list(values))]
    NoSuchRow {
        /// The table.
        table: TableId,
        /// Its key, or all its values where the table has no key; empty when it was asked for by row id.
        values: Vec<Value>,
    },
    /// A row has too few or too many values.
    #[error("table {table} has {expected} columns, the row has {found} values")]
    ColumnCount {
        /// The table.
        table: TableId,
        /// How many columns the table has.
        expected: usize,
        /// How many values the row has.
        found: usize,
    },
    /// A value is of another type than its column.
    #[error("column {column} of table {table} is {}, the value is {}", expected.name(), found.name())]
    WrongType {
        /// The table.
        table: TableId,
        /// The column's position.
        column: usize,
        /// The column's type.
        expected: ColumnType,
        /// The value's type.
        found: ColumnType,
    },
    /// A column that is not nullable would be null.
    #[error("column {column} of table {table} must not be null")]
    NullViolation {
        /// The table.
        table: TableId,
        /// The column's position.
        column: usize,
    },
    /// A hash index was asked for less than a whole key: for the first columns, for a range, or for rows in order.
    #[error(
        "index {index} of table {table} is a hash index, which knows whole keys only; make it an ordered one to ask for this"
    )]
    WholeKeyOnly {
        /// The table.
        table: TableId,
        /// The index.
        index: IndexId,
    },
    /// The values of an index's columns are longer than an entry of an ordered index can be.
    #[error("a key of index {index} of table {table} takes {bytes} bytes, {max} are possible")]
    KeyTooLong {
        /// The table.
        table: TableId,
        /// The index.
        index: IndexId,
        /// Encoded length in bytes.
        bytes: usize,
        /// The longest possible.
        max: usize,
    },
    /// All page numbers are in use.
    #[error("the database has no page numbers left")]
    OutOfPages,
    /// A value, or a group of rows, is longer than the format can say.
    #[error("a value of {bytes} bytes is too long")]
    ValueTooLong {
        /// Its length in bytes.
        bytes: usize,
    },
}

fn list(values: &[Value]) -> String {
    let texts: Vec<String> = values.iter().map(Value::to_string).collect();
    format!("({})", texts.join(", "))
}

impl From<Full> for Error {
    fn from(Full: Full) -> Self {
        Error::OutOfPages
    }
}

impl From<PageError> for Error {
    fn from(error: PageError) -> Self {
        match error {
            PageError::Damaged(damaged) => damaged.into(),
            PageError::Full(full) => full.into(),
        }
    }
}
