//! What is wrong with a definition: one value per mistake, so that all can be told at once.

use std::fmt;

use table::ColumnType;

use crate::limits::{
    COLUMNS_MAX, DEFAULT_BYTES_MAX, INDEX_COLUMNS_MAX, INDEXES_MAX, NAME_BYTES_MAX, SYSTEM_PREFIX,
};

/// What a name names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Object {
    /// A table.
    Table,
    /// A column.
    Column,
    /// An index.
    Index,
    /// A constraint.
    Constraint,
    /// A sequence.
    Sequence,
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Object::Table => "table",
            Object::Column => "column",
            Object::Index => "index",
            Object::Constraint => "constraint",
            Object::Sequence => "sequence",
        })
    }
}

/// One mistake in a definition of a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Mistake {
    /// A name has no characters.
    #[error("a {object} has an empty name")]
    EmptyName {
        /// What it would name.
        object: Object,
    },
    /// A name is longer than `NAME_BYTES_MAX`.
    #[error("the name of {object} {name:?} takes {} bytes, {NAME_BYTES_MAX} are possible", name.len())]
    NameTooLong {
        /// What it would name.
        object: Object,
        /// The name.
        name: String,
    },
    /// A name holds a control character.
    #[error("the name of {object} {name:?} holds a control character")]
    ControlCharacter {
        /// What it would name.
        object: Object,
        /// The name.
        name: String,
    },
    /// A name that is not a system object's begins like one.
    #[error(
        "the name of {object} {name:?} begins with {SYSTEM_PREFIX:?}, which is kept for the system's own"
    )]
    ReservedName {
        /// What it would name.
        object: Object,
        /// The name.
        name: String,
    },
    /// A system object's name does not begin like one.
    #[error("the name of system {object} {name:?} does not begin with {SYSTEM_PREFIX:?}")]
    SystemNameWithoutPrefix {
        /// What it names.
        object: Object,
        /// The name.
        name: String,
    },
    /// Two objects of a table have the same name.
    #[error("two {object} definitions are named {name:?}")]
    DuplicateName {
        /// What it would name.
        object: Object,
        /// The name.
        name: String,
    },
    /// The table has no columns.
    #[error("it has no columns")]
    NoColumns,
    /// The table has more columns than a table can have.
    #[error("it has {count} columns, {COLUMNS_MAX} are possible")]
    TooManyColumns {
        /// How many.
        count: usize,
    },
    /// The table has more indexes than a table can have.
    #[error("it has {count} indexes, {INDEXES_MAX} are possible")]
    TooManyIndexes {
        /// How many.
        count: usize,
    },
    /// An index, a key or a sequence names a column that the table does not have.
    #[error("{object} {name:?} names column {column:?}, which is not there{}", did_you_mean(nearest.as_deref()))]
    UnknownColumn {
        /// What names the column.
        object: Object,
        /// Its name.
        name: String,
        /// The column that is not there.
        column: String,
        /// The column that may have been meant.
        nearest: Option<String>,
    },
    /// An index or a key names no column.
    #[error("index {index:?} names no column")]
    NoColumnsInIndex {
        /// The index.
        index: String,
    },
    /// An index names a column twice.
    #[error("index {index:?} names column {column:?} twice")]
    DuplicateColumnInIndex {
        /// The index.
        index: String,
        /// The column.
        column: String,
    },
    /// An index has more columns than an index can have.
    #[error("index {index:?} has {count} columns, {INDEX_COLUMNS_MAX} are possible")]
    TooManyColumnsInIndex {
        /// The index.
        index: String,
        /// How many.
        count: usize,
    },
    /// The table has two primary keys.
    #[error("it has more than one primary key")]
    TwoPrimaryKeys,
    /// A column of the primary key may be null.
    #[error("column {column:?} is part of the primary key and must not be nullable")]
    NullablePrimaryKey {
        /// The column.
        column: String,
    },
    /// A primary key or unique constraint rests on an index that is not unique.
    #[error("constraint {constraint:?} rests on index {index:?}, which is not unique")]
    ConstraintOnPlainIndex {
        /// The constraint.
        constraint: String,
        /// The index.
        index: String,
    },
    /// A default is of another type than its column.
    #[error("column {column:?} is {}, its default is {}", expected.name(), found.name())]
    WrongDefault {
        /// The column.
        column: String,
        /// The column's type.
        expected: ColumnType,
        /// The default's type.
        found: ColumnType,
    },
    /// A column that is not nullable has null as its default.
    #[error("column {column:?} is not nullable, its default is null")]
    NullDefault {
        /// The column.
        column: String,
    },
    /// A default is longer than `DEFAULT_BYTES_MAX`.
    #[error(
        "the default of column {column:?} takes {bytes} bytes, {DEFAULT_BYTES_MAX} are possible; write longer values with the rows"
    )]
    DefaultTooLong {
        /// The column.
        column: String,
        /// How long it is.
        bytes: usize,
    },
    /// A column that counts by itself is not of an integer type.
    #[error("column {column:?} counts by itself and must be of an integer type, not {}", found.name())]
    AutoIncrementNotInteger {
        /// The column.
        column: String,
        /// Its type.
        found: ColumnType,
    },
    /// A column that counts by itself may be null.
    #[error("column {column:?} counts by itself and must not be nullable")]
    AutoIncrementNullable {
        /// The column.
        column: String,
    },
    /// A column that counts by itself has a default.
    #[error("column {column:?} counts by itself and must not have a default")]
    AutoIncrementDefault {
        /// The column.
        column: String,
    },
    /// Two sequences fill one column.
    #[error("column {column:?} counts by itself twice")]
    AutoIncrementTwice {
        /// The column.
        column: String,
    },
    /// A sequence's step is zero, its bounds are crossed or beyond its column's type, or its start lies outside of them.
    #[error("the numbers of sequence {sequence:?} contradict each other or the type of its column")]
    SequenceBounds {
        /// The sequence.
        sequence: String,
    },
    /// One row of the table would not fit a page even with its long values elsewhere.
    #[error("a row is too wide for a page")]
    RowTooWide,
}

/// The end of a message about a name that is not there.
pub(crate) fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean {name:?}?"))
}
