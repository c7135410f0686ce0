//! A write transaction: rows and definitions, changed together or not at all.

use std::borrow::Cow;
use std::sync::Arc;

use table::{
    IndexId, Marks, RowId, Store, TableId, TableRef, Transaction, TransactionBuilder, Value,
};

use crate::applied_groups::AppliedGroups;
use crate::apply::apply_groups;
use crate::catalog::Catalog;
use crate::catalog_change::CatalogChange;
use crate::counters::Counters;
use crate::error::Error;
use crate::nearest::nearest;
use crate::refusal::unique_violation;
use crate::row_values::{complete, require_position};
use crate::sequence_row;
use crate::state::{State, require_definition};
use crate::system_tables::SystemTableName;
use crate::table_definition::TableDefinition;
use crate::table_key::TableKey;

/// Changes that have not happened yet, beside a state that stays as it is: reads inside it see them, nobody else does.
/// Dropping it leaves no trace; [`WriteTransaction::finish`] gives the bytes that make them happen.
#[derive(Debug)]
pub struct WriteTransaction {
    rows: table::WriteTransaction,
    catalog: Catalog,
    counters: Counters,
    marks: Marks,
    /// What has been applied to the base of `rows` so far, if anything has. Shared with savepoints.
    groups: AppliedGroups,
}

/// A state of one [`WriteTransaction`] to come back to.
#[derive(Debug, Clone)]
pub struct Savepoint {
    /// Knows of which transaction it is.
    rows: table::Savepoint,
    catalog: Catalog,
    counters: Counters,
    marks: Marks,
    groups: AppliedGroups,
}

impl WriteTransaction {
    /// Begins on a state; O(1).
    ///
    /// # Errors
    /// [`Error::NewerFormat`] if the log asks for a newer build to write to it.
    pub fn new(state: &State) -> Result<Self, Error> {
        state.require_writable()?;
        Ok(WriteTransaction::from_parts(
            state.store(),
            state.catalog().clone(),
            state.marks(),
        ))
    }

    /// Begins on a store and its catalog.
    pub(crate) fn from_parts(store: &Store, catalog: Catalog, marks: Marks) -> Self {
        WriteTransaction {
            rows: table::WriteTransaction::new(store),
            catalog,
            counters: Counters::default(),
            marks,
            groups: AppliedGroups::default(),
        }
    }

    /// The store with the system tables as this transaction sees them, but for the next numbers of sequences. Rows that it
    /// has written are not in it.
    pub(crate) fn base(&self) -> &Store {
        self.rows.base()
    }

    /// The definitions as this transaction sees them.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The definition of a table as this transaction sees it.
    ///
    /// # Errors
    /// [`Error::NoSuchTable`], which knows the nearest name.
    pub fn definition<'k>(
        &self,
        table: impl Into<TableKey<'k>>,
    ) -> Result<&Arc<TableDefinition>, Error> {
        match table.into() {
            TableKey::Name(name) => require_definition(self.base(), &self.catalog, name),
            TableKey::Id(table) => self
                .catalog
                .table(table)
                .ok_or(Error::Table(table::Error::NoSuchTable { table })),
        }
    }

    /// The rows of a table as this transaction sees them. Where a row stands that the transaction has written is good until
    /// it changes a definition.
    ///
    /// # Errors
    /// [`Error::NoSuchTable`], which knows the nearest name.
    pub fn table<'k>(&self, table: impl Into<TableKey<'k>>) -> Result<TableRef<'_>, Error> {
        let id = self.definition(table)?.id();
        self.rows.table(id).map_err(Error::Table)
    }

    /// Adds a row given by the names of its columns. A column that is not named gets its default, null, or its next number.
    ///
    /// # Errors
    /// A refusal that names table and column; nothing is left of the row.
    pub fn insert<'k>(
        &mut self,
        table: impl Into<TableKey<'k>>,
        cells: &[(&str, Value)],
    ) -> Result<RowId, Error> {
        let table = self.writable(table)?;
        let row = complete(&table, cells.iter().cloned())?;
        self.insert_complete(&table, row)
    }

    /// Adds a row given by all its values, in the order of the columns. A null in a column that counts by itself becomes
    /// its next number.
    ///
    /// # Errors
    /// As [`WriteTransaction::insert`].
    pub fn insert_row<'k>(
        &mut self,
        table: impl Into<TableKey<'k>>,
        values: Vec<Value>,
    ) -> Result<RowId, Error> {
        let table = self.writable(table)?;
        if values.len() != table.columns().len() {
            return Err(Error::ColumnCount {
                table: table.name().to_owned(),
                expected: table.columns().len(),
                found: values.len(),
            });
        }
        self.insert_complete(&table, values)
    }

    /// Changes cells of the row with this primary key; returns where the row stands now.
    ///
    /// # Errors
    /// [`Error::NoSuchRow`], [`Error::NoPrimaryKey`], or a refusal that names table and column.
    pub fn update<'k>(
        &mut self,
        table: impl Into<TableKey<'k>>,
        key: &[Value],
        cells: &[(&str, Value)],
    ) -> Result<RowId, Error> {
        let table = self.writable(table)?;
        let row = self.find(&table, key)?;
        self.update_found(&table, row, cells)
    }

    /// Changes cells of the row at a place of this transaction's view; returns where the row stands now.
    ///
    /// # Errors
    /// A refusal that names table and column.
    pub fn update_row<'k>(
        &mut self,
        table: impl Into<TableKey<'k>>,
        row: RowId,
        cells: &[(&str, Value)],
    ) -> Result<RowId, Error> {
        let table = self.writable(table)?;
        self.update_found(&table, row, cells)
    }

    /// Removes the row with this primary key.
    ///
    /// # Errors
    /// [`Error::NoSuchRow`], [`Error::NoPrimaryKey`].
    pub fn delete<'k>(
        &mut self,
        table: impl Into<TableKey<'k>>,
        key: &[Value],
    ) -> Result<(), Error> {
        let table = self.writable(table)?;
        let row = self.find(&table, key)?;
        self.rows
            .delete(table.id(), row)
            .map_err(|error| Error::of_table(error, &self.catalog))
    }

    /// Removes the row at a place of this transaction's view.
    ///
    /// # Errors
    /// The table layer's `NoSuchRow`.
    pub fn delete_row<'k>(
        &mut self,
        table: impl Into<TableKey<'k>>,
        row: RowId,
    ) -> Result<(), Error> {
        let table = self.writable(table)?;
        self.rows
            .delete(table.id(), row)
            .map_err(|error| Error::of_table(error, &self.catalog))
    }

    /// Remembers this state; O(1).
    pub fn savepoint(&self) -> Savepoint {
        Savepoint {
            rows: self.rows.savepoint(),
            catalog: self.catalog.clone(),
            counters: self.counters.clone(),
            marks: self.marks,
            groups: self.groups.clone(),
        }
    }

    /// Goes back to a remembered state of this transaction. It stays good for going back again.
    ///
    /// # Panics
    /// If the savepoint is one of another transaction: what that one did would be done again.
    pub fn roll_back_to(&mut self, savepoint: &Savepoint) {
        self.rows.roll_back_to(&savepoint.rows);
        self.catalog.clone_from(&savepoint.catalog);
        self.counters.clone_from(&savepoint.counters);
        self.marks = savepoint.marks;
        self.groups.clone_from(&savepoint.groups);
    }

    /// The bytes of the transaction: its net effect, to be checked against and applied to the state it began on; `None` if
    /// nothing has changed. Nothing of that state is held any more.
    ///
    /// # Errors
    /// Damage only.
    pub fn finish(self) -> Result<Option<Vec<u8>>, Error> {
        let mut groups = TransactionBuilder::with_marks(self.marks);
        self.groups.append_to(&mut groups)?;
        self.flush(&mut groups)?;
        Ok((!groups.is_empty()).then(|| groups.finish()))
    }

    /// [`WriteTransaction::change_catalog`] for what only builds of these formats read and write: the log's marks are raised to them.
    pub(crate) fn change_catalog_for<T>(
        &mut self,
        needed: Marks,
        write: impl FnOnce(&mut CatalogChange<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let before = self.marks;
        let raised = Marks {
            minimum_reader: before.minimum_reader.max(needed.minimum_reader),
            minimum_writer: before.minimum_writer.max(needed.minimum_writer),
        };
        if raised == before {
            return self.change_catalog(write);
        }
        self.marks = raised;
        let result = self.change_catalog(|change| {
            let cells = [
                ("minimum_reader", Value::U16(raised.minimum_reader)),
                ("minimum_writer", Value::U16(raised.minimum_writer)),
            ];
            let result = write(change)?;
            change.update(SystemTableName::Database, &[], &cells)?;
            Ok(result)
        });
        if result.is_err() {
            self.marks = before;
        }
        result
    }

    /// Changes definitions: what is pending is applied to a fork, then the change's groups are, by the function that replays
    /// them, and the transaction goes on from there. If anything refuses, the transaction is as it was.
    pub(crate) fn change_catalog<T>(
        &mut self,
        write: impl FnOnce(&mut CatalogChange<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let (mut store, mut catalog) = (self.base().clone(), self.catalog.clone());
        let groups = TransactionBuilder::with_marks(self.marks);
        let mut pending = groups.clone();
        self.flush(&mut pending)?;
        // Nothing at all would be taken for an empty genesis where that is just beginning.
        let pending = (!pending.is_empty()).then(|| pending.finish());
        if let Some(pending) = &pending {
            apply_groups(&mut store, &mut catalog, &Transaction::parse(pending)?)?;
        }

        let mut change = CatalogChange::new(&store, &catalog, groups);
        let result = write(&mut change)?;
        let changed = change.finish()?;
        apply_groups(&mut store, &mut catalog, &Transaction::parse(&changed)?)?;

        pending
            .into_iter()
            .for_each(|pending| self.groups.push(pending));
        self.groups.push(changed);
        self.rows.rebase(store);
        self.counters = Counters::default();
        self.catalog = catalog;
        Ok(result)
    }

    /// The definition of a table that is not one of the system's own.
    pub(crate) fn writable<'k>(
        &self,
        table: impl Into<TableKey<'k>>,
    ) -> Result<Arc<TableDefinition>, Error> {
        let table = self.definition(table)?;
        if table.is_system() {
            return Err(Error::SystemTable {
                table: table.name().to_owned(),
            });
        }
        Ok(Arc::clone(table))
    }

    /// The index of a name, or an error that knows what may have been meant.
    pub(crate) fn require_index(table: &TableDefinition, name: &str) -> Result<IndexId, Error> {
        table
            .index(name)
            .map(|index| index.id)
            .ok_or_else(|| Error::NoSuchIndex {
                table: table.name().to_owned(),
                name: name.to_owned(),
                nearest: nearest(
                    name,
                    table.indexes().iter().map(|index| index.name.as_str()),
                ),
            })
    }

    fn insert_complete(
        &mut self,
        table: &TableDefinition,
        mut row: Vec<Value>,
    ) -> Result<RowId, Error> {
        if table.sequences().is_empty() {
            return self.insert_values(table.id(), &row);
        }
        let before = self.counters.clone();
        let filled = self
            .counters
            .fill(self.rows.base(), &self.catalog, table, &mut row);
        let inserted = filled.and_then(|()| self.insert_values(table.id(), &row));
        if inserted.is_err() {
            // Of several sequences the first may have given a number before another had none.
            self.counters = before;
        }
        inserted
    }

    fn insert_values(&mut self, table: TableId, row: &[Value]) -> Result<RowId, Error> {
        self.rows
            .insert(table, row)
            .map_err(|error| Error::of_table(error, &self.catalog))
    }

    fn update_found(
        &mut self,
        table: &TableDefinition,
        row: RowId,
        cells: &[(&str, Value)],
    ) -> Result<RowId, Error> {
        let mut changes: Vec<(usize, Value)> = Vec::with_capacity(cells.len());
        for (name, value) in cells {
            let position = require_position(table, name)?;
            if changes.iter().any(|(other, _)| *other == position) {
                return Err(Error::ColumnTwice {
                    table: table.name().to_owned(),
                    column: (*name).to_owned(),
                });
            }
            changes.push((position, value.clone()));
        }
        changes.sort_by_key(|(position, _)| *position);
        let updated = self
            .rows
            .update(table.id(), row, &changes)
            .map_err(|error| Error::of_table(error, &self.catalog))?;
        self.counters
            .pass_changes(self.rows.base(), &self.catalog, table, &changes)?;
        Ok(updated)
    }

    fn find(&self, table: &TableDefinition, key: &[Value]) -> Result<RowId, Error> {
        let index = table.primary_key();
        let index = index.ok_or_else(|| Error::NoPrimaryKey {
            table: table.name().to_owned(),
        })?;
        if key.len() != index.columns.len() {
            let (expected, found) = (index.columns.len(), key.len());
            return Err(Error::ColumnCount {
                table: table.name().to_owned(),
                expected,
                found,
            });
        }
        let rows = self.rows.table(table.id()).map_err(Error::Table)?;
        let row = rows
            .find(index.id, key)
            .map_err(|error| Error::of_definition(error, table))?;
        row.map(|row| row.row_id()).ok_or_else(|| {
            let error = table::Error::NoSuchRow {
                table: table.id(),
                values: key.to_vec(),
            };
            Error::of_table(error, &self.catalog)
        })
    }

    /// Appends the groups of what is pending: the rows, and where the counters stand.
    fn flush(&self, groups: &mut TransactionBuilder) -> Result<(), Error> {
        let mut rows = Cow::Borrowed(&self.rows);
        for (id, next) in self.counters.moved() {
            let known = self.catalog.require(SystemTableName::Sequence)?;
            if let Some(row) = sequence_row::find(self.base(), &self.catalog, id)? {
                let change = [(known.position("next_value"), next)];
                let updated = rows.to_mut().update(known.id(), row.row_id(), &change);
                updated.map_err(Error::Table)?;
            }
        }
        rows.flush(groups).map_err(Error::Table)
    }
}

/// A refused index in the words of the definition that would have had it.
pub(crate) fn named_by(error: Error, definition: &TableDefinition) -> Error {
    if let Error::Table(table::Error::UniqueViolation { index, key, .. }) = &error
        && let Some(named) = unique_violation(definition, *index, key)
    {
        return named;
    }
    error
}
