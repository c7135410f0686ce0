//! Changes of definitions in a write transaction: each is rows of system tables, in groups that the state follows.

use table::{IndexId, IndexKind, TableId, Value};

use crate::catalog_rows;
use crate::column_id::ColumnId;
use crate::error::Error;
use crate::format::reader_of_kind;
use crate::index_definition::IndexDefinition;
use crate::mistake::{Mistake, Object};
use crate::new_column::NewColumn;
use crate::new_table::{FirstIds, NewTable, resolve_columns};
use crate::row_values::require_position;
use crate::state::find_definition;
use crate::system_tables::{
    COLUMN_IDS, CONSTRAINT_IDS, INDEX_IDS, SEQUENCE_IDS, SystemTableName, TABLE_IDS,
};
use crate::table_definition::{TableDefinition, TableParts};
use crate::table_key::TableKey;
use crate::write_transaction::{WriteTransaction, named_by};

impl WriteTransaction {
    /// Makes a table.
    ///
    /// # Errors
    /// [`Error::InvalidDefinition`] with all mistakes, [`Error::TableExists`].
    pub fn create_table(&mut self, table: &NewTable) -> Result<TableId, Error> {
        table.require()?;
        self.require_vacant(table.name())?;
        self.change_catalog_for(table.reader(), |change| {
            let first = FirstIds {
                table: change.take_ids(TABLE_IDS, 1)?,
                column: change.take_ids(COLUMN_IDS, table.column_count())?,
                index: change.take_ids(INDEX_IDS, table.index_count())?,
                constraint: change.take_ids(CONSTRAINT_IDS, table.constraint_count())?,
                sequence: change.take_ids(SEQUENCE_IDS, table.sequence_count())?,
            };
            let definition = table
                .resolve(first)
                .map_err(|mistakes| invalid(table.name(), mistakes))?;
            change.insert(SystemTableName::Table, catalog_rows::of_table(&definition))?;
            for cells in catalog_rows::of_columns(&definition) {
                change.insert(SystemTableName::Column, cells)?;
            }
            for index in definition.indexes() {
                change.insert(
                    SystemTableName::Index,
                    catalog_rows::of_index(&definition, index),
                )?;
            }
            for constraint in definition.constraints() {
                change.insert(
                    SystemTableName::Constraint,
                    catalog_rows::of_constraint(&definition, constraint),
                )?;
            }
            for sequence in definition.sequences() {
                change.insert(
                    SystemTableName::Sequence,
                    catalog_rows::of_sequence(&definition, sequence),
                )?;
            }
            Ok(definition.id())
        })
    }

    /// Drops a table with its rows, indexes, constraints and sequences.
    ///
    /// # Errors
    /// [`Error::NoSuchTable`], [`Error::SystemTable`].
    pub fn drop_table<'k>(&mut self, table: impl Into<TableKey<'k>>) -> Result<(), Error> {
        let table = self.writable(table)?;
        let of_table = [("table_id", Value::U32(table.id().0))];
        self.change_catalog(|change| {
            // The name goes first, and its pages with it: no index is taken apart before the table is gone.
            for name in [
                SystemTableName::Table,
                SystemTableName::Column,
                SystemTableName::Index,
                SystemTableName::Constraint,
                SystemTableName::Sequence,
            ] {
                change.delete(name, &of_table)?;
            }
            Ok(())
        })
    }

    /// Gives a table another name.
    ///
    /// # Errors
    /// [`Error::NoSuchTable`], [`Error::TableExists`], [`Error::InvalidDefinition`].
    pub fn rename_table<'k>(
        &mut self,
        table: impl Into<TableKey<'k>>,
        name: &str,
    ) -> Result<(), Error> {
        let table = self.writable(table)?;
        let parts = TableParts {
            name: name.to_owned(),
            ..table.to_parts()
        };
        require_valid(parts)?;
        if table.name() != name {
            self.require_vacant(name)?;
        }
        let of_table = [("table_id", Value::U32(table.id().0))];
        self.change_catalog(|change| {
            change.update(
                SystemTableName::Table,
                &of_table,
                &[("table_name", Value::from(name))],
            )
        })
    }

    /// Appends a column to a table. Rows that are there show its default, or null.
    ///
    /// # Errors
    /// [`Error::InvalidDefinition`] with all mistakes; [`Error::MissingValue`] if the table has rows and the column is
    /// neither nullable nor has a default.
    pub fn add_column<'k>(
        &mut self,
        table: impl Into<TableKey<'k>>,
        column: NewColumn,
    ) -> Result<ColumnId, Error> {
        let table = self.writable(table)?;
        let extended = |id: u32| {
            let mut parts = table.to_parts();
            parts.columns.push(column.with_id(ColumnId(id)));
            parts
        };
        // No column of the table has this id: it is a system column's.
        let definition = require_valid(extended(0))?;
        let added = definition
            .columns()
            .last()
            .and_then(|added| added.missing_value());
        let has_rows = self.table(table.id())?.row_count() > 0;
        if added.is_none() && has_rows {
            return Err(Error::MissingValue {
                table: table.name().to_owned(),
                column: column.name,
            });
        }
        self.change_catalog(|change| {
            let id = change.take_ids(COLUMN_IDS, 1)?;
            let definition = require_valid(extended(id))?;
            if let Some(cells) = catalog_rows::of_columns(&definition).last() {
                change.insert(SystemTableName::Column, cells)?;
            }
            Ok(ColumnId(id))
        })
    }

    /// Gives a column another name.
    ///
    /// # Errors
    /// [`Error::NoSuchColumn`], [`Error::InvalidDefinition`].
    pub fn rename_column<'k>(
        &mut self,
        table: impl Into<TableKey<'k>>,
        column: &str,
        name: &str,
    ) -> Result<(), Error> {
        let table = self.writable(table)?;
        let mut parts = table.to_parts();
        let position = require_position(&table, column)?;
        parts.columns[position].name = name.to_owned();
        require_valid(parts)?;
        let of_column = [
            ("table_id", Value::U32(table.id().0)),
            ("column_id", Value::U32(table.columns()[position].id.0)),
        ];
        self.change_catalog(|change| {
            change.update(
                SystemTableName::Column,
                &of_column,
                &[("column_name", Value::from(name))],
            )
        })
    }

    /// Adds an ordered index and fills it from the rows.
    ///
    /// # Errors
    /// [`Error::InvalidDefinition`] with all mistakes, [`Error::UniqueViolation`] if it is unique and the rows are not.
    pub fn create_index<'k>(
        &mut self,
        table: impl Into<TableKey<'k>>,
        name: &str,
        columns: &[&str],
        unique: bool,
    ) -> Result<IndexId, Error> {
        self.create_index_of(table, name, columns, unique, IndexKind::Ordered)
    }

    /// Adds a hash index and fills it from the rows. Builds of format 1 can not open the database from then on.
    ///
    /// # Errors
    /// As [`WriteTransaction::create_index`].
    pub fn create_hash_index<'k>(
        &mut self,
        table: impl Into<TableKey<'k>>,
        name: &str,
        columns: &[&str],
        unique: bool,
    ) -> Result<IndexId, Error> {
        self.create_index_of(table, name, columns, unique, IndexKind::Hash)
    }

    fn create_index_of<'k>(
        &mut self,
        table: impl Into<TableKey<'k>>,
        name: &str,
        columns: &[&str],
        unique: bool,
        kind: IndexKind,
    ) -> Result<IndexId, Error> {
        let table = self.writable(table)?;
        let wanted: Vec<String> = columns.iter().map(|&column| column.to_owned()).collect();
        let mut mistakes = Vec::new();
        let ids = resolve_columns(table.columns(), Object::Index, name, &wanted, &mut mistakes);
        let index = |id| IndexDefinition {
            id: IndexId(id),
            name: name.to_owned(),
            unique,
            kind,
            columns: ids.clone().unwrap_or_default(),
        };
        let extended = |id: u32| {
            let mut parts = table.to_parts();
            parts.indexes.push(index(id));
            TableDefinition::new(parts)
        };
        if ids.is_some() {
            mistakes.extend(extended(0).err().unwrap_or_default());
        }
        if !mistakes.is_empty() {
            return Err(invalid(table.name(), mistakes));
        }
        let mut definition = None;
        let created = self.change_catalog_for(reader_of_kind(kind), |change| {
            let id = change.take_ids(INDEX_IDS, 1)?;
            definition = extended(id).ok();
            change.insert(
                SystemTableName::Index,
                catalog_rows::of_index(&table, &index(id)),
            )?;
            Ok(IndexId(id))
        });
        created.map_err(|error| match &definition {
            Some(definition) => named_by(error, definition),
            None => error,
        })
    }

    /// Drops an index.
    ///
    /// # Errors
    /// [`Error::NoSuchIndex`], which knows the nearest name; [`Error::IndexInUse`] if a constraint rests on it.
    pub fn drop_index<'k>(
        &mut self,
        table: impl Into<TableKey<'k>>,
        name: &str,
    ) -> Result<(), Error> {
        let table = self.writable(table)?;
        let index = WriteTransaction::require_index(&table, name)?;
        if let Some(constraint) = table
            .constraints()
            .iter()
            .find(|constraint| constraint.kind.index() == Some(index))
        {
            return Err(Error::IndexInUse {
                table: table.name().to_owned(),
                index: name.to_owned(),
                constraint: constraint.name.clone(),
            });
        }
        let of_index = [
            ("table_id", Value::U32(table.id().0)),
            ("index_id", Value::U32(index.0)),
        ];
        self.change_catalog(|change| change.delete(SystemTableName::Index, &of_index))
    }

    fn require_vacant(&self, name: &str) -> Result<(), Error> {
        if find_definition(self.base(), self.catalog(), name)?.is_some() {
            return Err(Error::TableExists {
                name: name.to_owned(),
            });
        }
        Ok(())
    }
}

fn invalid(table: &str, mistakes: Vec<Mistake>) -> Error {
    Error::InvalidDefinition {
        table: table.to_owned(),
        mistakes,
    }
}

fn require_valid(parts: TableParts) -> Result<TableDefinition, Error> {
    let name = parts.name.clone();
    TableDefinition::new(parts).map_err(|mistakes| invalid(&name, mistakes))
}
