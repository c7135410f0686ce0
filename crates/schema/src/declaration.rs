//! The tables that a program wants, and what it allows to be lost on the way there.

use std::collections::BTreeSet;

use crate::catalog::Catalog;
use crate::new_table::NewTable;

/// What a program wants its tables to be: compared with what is there, it gives a [`Migration`](crate::Migration).
///
/// Tables that are not declared stay as they are. Of a declared table everything is meant: an index or a constraint that is not
/// declared is dropped, which loses nothing. What would lose rows, values or the place of a sequence happens only where it is asked
/// for by name here. That may stay in a program for good: once it is done, it asks for nothing.
///
/// ```
/// use schema::{Declaration, NewTable};
/// use table::ColumnType;
///
/// let wanted = Declaration::new()
///     .table(
///         NewTable::new("planes")
///             .column("tailnum", ColumnType::String)
///             .nullable("built", ColumnType::I32)
///             .primary_key(&["tailnum"]),
///     )
///     .renamed_column("planes", "year", "built")
///     .dropped_table("scratch");
/// # let _ = wanted;
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Declaration {
    pub(crate) tables: Vec<NewTable>,
    /// From, to.
    pub(crate) renamed_tables: Vec<(String, String)>,
    /// Table, from, to.
    pub(crate) renamed_columns: Vec<(String, String, String)>,
    pub(crate) dropped_tables: BTreeSet<String>,
    pub(crate) dropped_columns: BTreeSet<(String, String)>,
    pub(crate) restarted: BTreeSet<(String, String)>,
}

impl Declaration {
    /// No tables.
    pub fn new() -> Self {
        Declaration::default()
    }

    /// The tables of users that a catalog has.
    pub fn of(catalog: &Catalog) -> Self {
        let tables = catalog.tables().filter(|table| !table.is_system());
        Declaration {
            tables: tables.map(|table| NewTable::of(table, catalog)).collect(),
            ..Declaration::default()
        }
    }

    /// The tables that are wanted.
    pub fn tables(&self) -> &[NewTable] {
        &self.tables
    }

    /// Wants a table.
    #[must_use]
    pub fn table(mut self, table: NewTable) -> Self {
        self.tables.push(table);
        self
    }

    /// The table `to` is the one that was called `from`. It may stay for good: once it is done, or `to` is not declared any more, it asks for
    /// nothing. Where it can not be told whether it was done, the migration is refused.
    #[must_use]
    pub fn renamed_table(mut self, from: &str, to: &str) -> Self {
        self.renamed_tables.push((from.to_owned(), to.to_owned()));
        self
    }

    /// The column `to` of a table, by its name now, is the one that was called `from`.
    #[must_use]
    pub fn renamed_column(mut self, table: &str, from: &str, to: &str) -> Self {
        let renamed = (table.to_owned(), from.to_owned(), to.to_owned());
        self.renamed_columns.push(renamed);
        self
    }

    /// Lets a table go with its rows, if it is there and not declared.
    #[must_use]
    pub fn dropped_table(mut self, table: &str) -> Self {
        self.dropped_tables.insert(table.to_owned());
        self
    }

    /// Lets a column go with its values, if it is there and not declared.
    #[must_use]
    pub fn dropped_column(mut self, table: &str, column: &str) -> Self {
        let dropped = (table.to_owned(), column.to_owned());
        self.dropped_columns.insert(dropped);
        self
    }

    /// Lets the sequence of a column go, or begin anew behind the numbers that rows have: numbers of rows that are gone may come again.
    #[must_use]
    pub fn restarted_sequence(mut self, table: &str, column: &str) -> Self {
        let restarted = (table.to_owned(), column.to_owned());
        self.restarted.insert(restarted);
        self
    }
}
