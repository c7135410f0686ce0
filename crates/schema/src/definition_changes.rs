//! Changes of tables and indexes in a write transaction: each is rows of system tables, in groups that the state follows. Those of
//! columns stand in `column_changes.rs`, those of constraints in `constraint_changes.rs`.

use table::{IndexId, IndexKind, Marks, TableId, Value};

use crate::catalog_rows;
use crate::constraint_definition::{ConstraintDefinition, ConstraintKind};
use crate::constraint_id::ConstraintId;
use crate::error::Error;
use crate::format::{marks_of_reader, reader_of_kind};
use crate::index_definition::IndexDefinition;
use crate::mistake::{Mistake, Object};
use crate::new_table::{FirstIds, NewTable, resolve_columns};
use crate::state::find_definition;
use crate::system_tables::{
    COLUMN_IDS, CONSTRAINT_IDS, INDEX_IDS, SEQUENCE_IDS, SystemTableName, TABLE_IDS,
};
use crate::table_definition::{TableDefinition, TableParts};
use crate::table_key::TableKey;
use crate::write_transaction::{WriteTransaction, named_by};

/// An index to be added to a table.
pub(crate) struct WantedIndex<'a> {
    pub(crate) name: &'a str,
    pub(crate) columns: &'a [&'a str],
    pub(crate) unique: bool,
    pub(crate) kind: IndexKind,
    /// The constraint that the index of an id keeps, if it keeps one.
    pub(crate) keeps: Option<&'a dyn Fn(IndexId) -> ConstraintKind>,
    /// What builds it asks for.
    pub(crate) marks: Marks,
}

impl WriteTransaction {
    /// Makes a table.
    ///
    /// # Errors
    /// [`Error::InvalidDefinition`] with all mistakes, [`Error::TableExists`]; of its foreign keys what
    /// [`WriteTransaction::add_foreign_key`] says.
    pub fn create_table(&mut self, table: &NewTable) -> Result<TableId, Error> {
        table.require()?;
        self.require_vacant(table.name())?;
        if table.foreign_keys().is_empty() {
            return self.create_without_foreign_keys(table);
        }
        let before = self.savepoint();
        let id = self.create_without_foreign_keys(table)?;
        // They may refer to the table itself.
        for key in table.foreign_keys() {
            if let Err(error) = self.add_new_foreign_key(id, key) {
                self.roll_back_to(&before);
                return Err(error);
            }
        }
        Ok(id)
    }

    fn create_without_foreign_keys(&mut self, table: &NewTable) -> Result<TableId, Error> {
        self.change_catalog_for(marks_of_reader(table.reader()), |change| {
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
            change.insert_table(&definition)?;
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
        let index = WantedIndex {
            name,
            columns,
            unique,
            kind,
            keeps: None,
            marks: marks_of_reader(reader_of_kind(kind)),
        };
        self.add_index(table, &index)
    }

    /// Adds an index, fills it from the rows, and adds the constraint that it keeps, if any, under the same name.
    pub(crate) fn add_index<'k>(
        &mut self,
        table: impl Into<TableKey<'k>>,
        wanted: &WantedIndex<'_>,
    ) -> Result<IndexId, Error> {
        let table = self.writable(table)?;
        let columns: Vec<String> = wanted.columns.iter().map(|&name| name.to_owned()).collect();
        let mut mistakes = Vec::new();
        let ids = resolve_columns(
            table.columns(),
            Object::Index,
            wanted.name,
            &columns,
            &mut mistakes,
        );
        let index = |id| IndexDefinition {
            id,
            name: wanted.name.to_owned(),
            unique: wanted.unique,
            kind: wanted.kind,
            columns: ids.clone().unwrap_or_default(),
        };
        let constraint = |id, index| {
            wanted.keeps.map(|kind| ConstraintDefinition {
                id: ConstraintId(id),
                name: wanted.name.to_owned(),
                kind: kind(index),
            })
        };
        let extended = |index_id: u32, constraint_id: u32| {
            let index_id = IndexId(index_id);
            let mut parts = table.to_parts();
            parts.indexes.push(index(index_id));
            parts
                .constraints
                .extend(constraint(constraint_id, index_id));
            TableDefinition::new(parts)
        };
        if ids.is_some() {
            // No index or constraint of the table has this id: it is a system object's.
            mistakes.extend(extended(0, 0).err().unwrap_or_default());
        }
        if !mistakes.is_empty() {
            return Err(invalid(table.name(), mistakes));
        }
        let mut definition = None;
        let created = self.change_catalog_for(wanted.marks, |change| {
            let index_id = change.take_ids(INDEX_IDS, 1)?;
            let constraint_id =
                change.take_ids(CONSTRAINT_IDS, usize::from(wanted.keeps.is_some()))?;
            definition = extended(index_id, constraint_id).ok();
            let index_id = IndexId(index_id);
            let cells = catalog_rows::of_index(&table, &index(index_id));
            change.insert(SystemTableName::Index, cells)?;
            if let Some(constraint) = constraint(constraint_id, index_id) {
                let cells = catalog_rows::of_constraint(&table, &constraint);
                change.insert(SystemTableName::Constraint, cells)?;
            }
            Ok(index_id)
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

pub(crate) fn invalid(table: &str, mistakes: Vec<Mistake>) -> Error {
    Error::InvalidDefinition {
        table: table.to_owned(),
        mistakes,
    }
}

/// The definition that parts make, or every mistake in them as an error.
pub(crate) fn require_valid(parts: TableParts) -> Result<TableDefinition, Error> {
    let name = parts.name.clone();
    TableDefinition::new(parts).map_err(|mistakes| invalid(&name, mistakes))
}
