//! Changes of tables and indexes in a write transaction: each is rows of system tables, in groups that the state follows. Those of
//! columns stand in `column_changes.rs`, those of constraints in `constraint_changes.rs`.

use table::{IndexId, IndexKind, TableId, Value};

use crate::catalog_rows;
use crate::constraint_definition::ConstraintDefinition;
use crate::constraint_id::ConstraintId;
use crate::error::Error;
use crate::format::marks_of_reader;
use crate::index_definition::IndexDefinition;
use crate::limits::NAME_BYTES_MAX;
use crate::mistake::{Mistake, Object};
use crate::new_index::{NewIndex, NewIndexRole};
use crate::new_table::{FirstIds, NewTable, resolve_columns};
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
        let index = NewIndex::new(name, columns, plain(unique), IndexKind::Ordered);
        self.add_index(table, &index)
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
        let index = NewIndex::new(name, columns, plain(unique), IndexKind::Hash);
        self.add_index(table, &index)
    }

    /// Adds an index, fills it from the rows, and adds the constraint that it keeps, if any.
    pub(crate) fn add_index<'k>(
        &mut self,
        table: impl Into<TableKey<'k>>,
        wanted: &NewIndex,
    ) -> Result<IndexId, Error> {
        let table = self.writable(table)?;
        let name = vacant_name(&table, wanted);
        let mut mistakes = Vec::new();
        let ids = resolve_columns(
            table.columns(),
            Object::Index,
            &name,
            &wanted.columns,
            &mut mistakes,
        );
        let index = |id| IndexDefinition {
            id,
            name: name.clone(),
            unique: wanted.role.is_unique(),
            kind: wanted.kind,
            columns: ids.clone().unwrap_or_default(),
        };
        let constraint = |id, index| {
            wanted
                .role
                .constraint(index)
                .map(|kind| ConstraintDefinition {
                    id: ConstraintId(id),
                    name: name.clone(),
                    kind,
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
        let created = self.change_catalog_for(wanted.marks(), |change| {
            let index_id = change.take_ids(INDEX_IDS, 1)?;
            let constraint_id =
                change.take_ids(CONSTRAINT_IDS, usize::from(wanted.role.is_constraint()))?;
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

fn plain(unique: bool) -> NewIndexRole {
    match unique {
        true => NewIndexRole::PlainUnique,
        false => NewIndexRole::Plain,
    }
}

/// The name of an index. One that is made of columns gets a number behind if something else has it: it may be over other columns, which were
/// called so before, or refer to another table. The same again keeps its name, and is refused for it.
fn vacant_name(table: &TableDefinition, wanted: &NewIndex) -> String {
    let is_made = matches!(
        wanted.role,
        NewIndexRole::Unique | NewIndexRole::ForeignKey { .. }
    );
    let is_taken = |name: &str| {
        let mut constraints = table.constraints().iter();
        table.index(name).is_some() || constraints.any(|constraint| constraint.name == name)
    };
    let is_the_same = |name: &str| {
        table.index(name).is_some_and(|index| {
            let positions = table.index_positions(index.id).into_iter();
            let names = positions.map(|position| &table.columns()[position].name);
            let keeps = wanted.role.constraint(index.id);
            let mut constraints = table.constraints().iter();
            names.eq(&wanted.columns)
                && constraints.any(|constraint| keeps == Some(constraint.kind))
        })
    };
    first_name(&wanted.name, |name| {
        !is_made || !is_taken(name) || is_the_same(name)
    })
}

/// The first that will do of the name and the name with 2, 3, ... behind; a long one is cut off before its number.
pub(crate) fn first_name(name: &str, will_do: impl Fn(&str) -> bool) -> String {
    let numbered = (2u32..).map(|number| {
        let number = format!("_{number}");
        let end = name.floor_char_boundary(NAME_BYTES_MAX - number.len());
        format!("{}{number}", &name[..end])
    });
    let mut names = std::iter::once(name.to_owned()).chain(numbered);
    let first = names.find(|name| will_do(name));
    first.unwrap_or_else(|| name.to_owned())
}
