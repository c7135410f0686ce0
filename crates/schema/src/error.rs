//! Why the schema layer refuses.

use std::fmt;

use table::{ColumnType, Malformed, Value};

use crate::contradiction::{Contradiction, mistakes_text};
use crate::foreign_key_violation::ForeignKeyViolation;
use crate::migration::Obstacle;
use crate::mistake::{Mistake, Object, did_you_mean};

/// An error of the schema layer. What was asked for has not happened.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The table layer refused, or met damage.
    #[error(transparent)]
    Table(table::Error),
    /// Bytes of a transaction that do not follow the format.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Catalog rows that contradict each other.
    #[error(transparent)]
    Contradiction(#[from] Contradiction),
    /// The log asks for a newer build.
    #[error("the log needs a build of format {needed} or newer to {access}, this build has {build}; {}", .access.advice())]
    NewerFormat {
        /// What it asks it for.
        access: Access,
        /// The format it asks for.
        needed: u16,
        /// The format this build has.
        build: u16,
    },
    /// A definition has mistakes: all of them.
    #[error("table {table:?} breaks the rules: {}", mistakes_text(.mistakes))]
    InvalidDefinition {
        /// The table's name.
        table: String,
        /// Every mistake; never empty.
        mistakes: Vec<Mistake>,
    },
    /// No table has this name.
    #[error("there is no table {name:?}{}", did_you_mean(.nearest.as_deref()))]
    NoSuchTable {
        /// The name asked for.
        name: String,
        /// The name that may have been meant.
        nearest: Option<String>,
    },
    /// A table of this name exists already.
    #[error("there is a table {name:?} already")]
    TableExists {
        /// The name.
        name: String,
    },
    /// The table has no column of this name.
    #[error("table {table:?} has no column {name:?}{}", did_you_mean(.nearest.as_deref()))]
    NoSuchColumn {
        /// The table.
        table: String,
        /// The name asked for.
        name: String,
        /// The name that may have been meant.
        nearest: Option<String>,
    },
    /// A row names a column twice.
    #[error("the row names column {column:?} of table {table:?} twice")]
    ColumnTwice {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// The table has no index of this name.
    #[error("table {table:?} has no index {name:?}{}", did_you_mean(.nearest.as_deref()))]
    NoSuchIndex {
        /// The table.
        table: String,
        /// The name asked for.
        name: String,
        /// The name that may have been meant.
        nearest: Option<String>,
    },
    /// The table has no constraint of this name.
    #[error("table {table:?} has no constraint {name:?}{}", did_you_mean(.nearest.as_deref()))]
    NoSuchConstraint {
        /// The table.
        table: String,
        /// The name asked for.
        name: String,
        /// The name that may have been meant.
        nearest: Option<String>,
    },
    /// The table has no primary key to find a row by.
    #[error("table {table:?} has no primary key")]
    NoPrimaryKey {
        /// The table.
        table: String,
    },
    /// The index keeps a constraint and can not be dropped alone.
    #[error("index {index:?} of table {table:?} keeps constraint {constraint:?}")]
    IndexInUse {
        /// The table.
        table: String,
        /// The index.
        index: String,
        /// The constraint.
        constraint: String,
    },
    /// An index or a constraint is over the column.
    #[error("column {column:?} of table {table:?} is in {object} {name:?}: drop that first")]
    ColumnInUse {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// What is over it.
        object: Object,
        /// That one's name.
        name: String,
    },
    /// A type does not hold all values of the one that a column has.
    #[error("column {column:?} of table {table:?} is {from}, which does not widen to {to}")]
    NotWider {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// The type it has.
        from: ColumnType,
        /// The type asked for.
        to: ColumnType,
    },
    /// A column that is to hold null no longer does.
    #[error("column {column:?} of table {table:?} is null in {count} rows, the first: {}", rows_text(.columns, .first))]
    NullsInColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// How many rows there are.
        count: u64,
        /// The names of the table's columns.
        columns: Vec<String>,
        /// The first of them, as a scan meets them.
        first: Vec<Vec<Value>>,
    },
    /// Tables can not be made as declared without losing something that was not asked for.
    #[error("the tables can not be made as declared: {}", obstacles_text(.obstacles))]
    MigrationRefused {
        /// All that is in the way; never empty.
        obstacles: Vec<Obstacle>,
    },
    /// A system table can not be written like a user's.
    #[error("{table:?} is a system table: it is changed by changing definitions")]
    SystemTable {
        /// The table.
        table: String,
    },
    /// A row has too few or too many values.
    #[error("table {table:?} has {expected} columns, the row has {found} values")]
    ColumnCount {
        /// The table.
        table: String,
        /// How many columns it has.
        expected: usize,
        /// How many values the row has.
        found: usize,
    },
    /// A value is of another type than its column.
    #[error("column {column:?} of table {table:?} is {expected}, the value is {found}")]
    WrongType {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// The column's type.
        expected: ColumnType,
        /// The value's type.
        found: ColumnType,
    },
    /// A column that is not nullable would be null.
    #[error("column {column:?} of table {table:?} must not be null")]
    NullViolation {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// A row does not name a column that has no default and is not nullable.
    #[error("column {column:?} of table {table:?} has no default: a row must name it")]
    MissingValue {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// Another row has the same values in the columns of a unique index.
    #[error("table {table:?} has a row with {} already ({index:?} is unique)", columns_text(.columns, .key))]
    UniqueViolation {
        /// The table.
        table: String,
        /// The index.
        index: String,
        /// The index's columns.
        columns: Vec<String>,
        /// Their values.
        key: Vec<Value>,
    },
    /// Rows name rows of another table, or of their own, that are not there when the transaction ends.
    #[error(transparent)]
    ForeignKeyViolation(Box<ForeignKeyViolation>),
    /// A foreign key refers to a table or a unique index that is gone when the transaction ends, or to columns of other types.
    #[error("foreign key {constraint:?} of table {table:?} refers to {}: drop it, or give both the same types",
        .target.as_ref().map_or_else(|| "a table that is gone".to_owned(), |target| format!("columns of {target:?} that are not unique or of other types")))]
    ForeignKeyTarget {
        /// The table.
        table: String,
        /// The foreign key.
        constraint: String,
        /// The table that it refers to, if it is there.
        target: Option<String>,
    },
    /// A foreign key is to refer to columns that do not name rows.
    #[error("no primary key, unique constraint or unique index of table {table:?} is over ({})", .columns.join(", "))]
    NotAKey {
        /// The table.
        table: String,
        /// The columns.
        columns: Vec<String>,
    },
    /// A foreign key is to refer to columns of other types.
    #[error("the columns of table {table:?} are ({}), those of {target:?} are ({})", types_text(.types), types_text(.target_types))]
    ForeignKeyTypes {
        /// The table.
        table: String,
        /// The types of its columns.
        types: Vec<ColumnType>,
        /// The table that it is to refer to.
        target: String,
        /// The types of that one's columns.
        target_types: Vec<ColumnType>,
    },
    /// The values of an index's columns are longer than an index entry can be.
    #[error("a key of index {index:?} of table {table:?} takes {bytes} bytes, {max} are possible")]
    KeyTooLong {
        /// The table.
        table: String,
        /// The index.
        index: String,
        /// Encoded length in bytes.
        bytes: usize,
        /// The longest possible.
        max: usize,
    },
    /// A hash index was asked for the first columns of a key, for a range, or for rows in order.
    #[error(
        "index {index:?} of table {table:?} is a hash index, which knows whole keys only; make it an ordered one to ask for this"
    )]
    WholeKeyOnly {
        /// The table.
        table: String,
        /// The index.
        index: String,
    },
    /// No row has this key.
    #[error("table {table:?} has no row {}", columns_text(.columns, .key))]
    NoSuchRow {
        /// The table.
        table: String,
        /// The columns of its primary key.
        columns: Vec<String>,
        /// Their values; empty when the row was asked for by its place.
        key: Vec<Value>,
    },
    /// The column does not count by itself.
    #[error("column {column:?} of table {table:?} has no sequence")]
    NoSequence {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// A sequence has given its last number.
    #[error("column {column:?} of table {table:?} has counted to its last number")]
    SequenceExhausted {
        /// The table, or the system's own for ids.
        table: String,
        /// The column or the sequence.
        column: String,
    },
    /// What was asked for needs a column of a system table that the log has not been upgraded to have.
    #[error(
        "this needs column {column:?} of {table:?}, which the log lacks: open the database once with upgrades allowed"
    )]
    NotUpgraded {
        /// The system table.
        table: String,
        /// The column.
        column: &'static str,
    },
    /// Rows of the log ask for a change of a table that its rows can not follow.
    #[error(
        "table {table:?} has rows that can not follow its columns in a log of minimum reader {minimum_reader}"
    )]
    UnsupportedChange {
        /// The table.
        table: String,
        /// The log's minimum reader.
        minimum_reader: u16,
    },
}

/// What a build does with a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reads it.
    Read,
    /// Adds to it.
    Write,
}

impl Access {
    fn advice(self) -> &'static str {
        match self {
            Access::Read => "use a newer build",
            Access::Write => "open it read-only or use a newer build",
        }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Access::Read => "read it",
            Access::Write => "write to it",
        })
    }
}

fn obstacles_text(obstacles: &[Obstacle]) -> String {
    let texts: Vec<String> = obstacles.iter().map(Obstacle::to_string).collect();
    texts.join("; ")
}

fn types_text(types: &[ColumnType]) -> String {
    let names: Vec<&str> = types.iter().map(|column_type| column_type.name()).collect();
    names.join(", ")
}

/// Rows for people, each as its columns and values.
pub(crate) fn rows_text(columns: &[String], rows: &[Vec<Value>]) -> String {
    let rows: Vec<String> = rows
        .iter()
        .map(|row| format!("({})", columns_text(columns, row)))
        .collect();
    rows.join(", ")
}

fn columns_text(columns: &[String], key: &[Value]) -> String {
    if key.is_empty() {
        return "at this place".to_owned();
    }
    let texts: Vec<String> = columns
        .iter()
        .zip(key)
        .map(|(column, value)| format!("{column} = {value}"))
        .collect();
    texts.join(", ")
}
