//! Why a program's request is refused or fails.

use schema::TableDefinition;
use table::ColumnType;

/// An error of the facade. Refusals change nothing; see [`crate::WriteError`] for what a failed commit means.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name, a value, a key or a constraint does not fit, or a page is damaged.
    #[error(transparent)]
    Schema(#[from] schema::Error),
    /// The database could not do it: the disk, the log, a snapshot.
    #[error(transparent)]
    Database(#[from] bootstrap::Error),
    /// A cell was asked for as a Rust type that it is not.
    #[error("column {column:?} of table {table:?} holds {}, it was asked for as {asked}", type_name(*found))]
    WrongRustType {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// What was asked for.
        asked: &'static str,
        /// What the cell holds; `None` for null.
        found: Option<ColumnType>,
    },
    /// A key has too few or too many values.
    #[error(
        "index {index:?} of table {table:?} has {expected} columns, the key has {found} values"
    )]
    WrongKey {
        /// The table.
        table: String,
        /// The index.
        index: String,
        /// How many columns it has.
        expected: usize,
        /// How many values were given.
        found: usize,
    },
}

impl Error {
    pub(crate) fn no_such_column(table: &TableDefinition, name: &str) -> Self {
        let names = table.columns().iter().map(|column| column.name.as_str());
        let nearest = schema::nearest(name, names);
        schema::Error::NoSuchColumn {
            table: table.name().to_owned(),
            name: name.to_owned(),
            nearest,
        }
        .into()
    }

    pub(crate) fn no_such_index(table: &TableDefinition, name: &str) -> Self {
        let names = table.indexes().iter().map(|index| index.name.as_str());
        let nearest = schema::nearest(name, names);
        schema::Error::NoSuchIndex {
            table: table.name().to_owned(),
            name: name.to_owned(),
            nearest,
        }
        .into()
    }
}

fn type_name(found: Option<ColumnType>) -> &'static str {
    found.map_or("null", ColumnType::name)
}
