//! A log from before meets a newer list of system tables: what it lacks is added, by rows in one transaction like any other.
//!
//! Ids come from the log's own sequence, so two logs that were upgraded at different times may name the same column differently; this
//! build finds it by name. What is added changes no answer for builds that do not know it: they keep it, and write rows with its default.

use std::fmt;

use table::{IndexId, TableId};

use crate::catalog_change::CatalogChange;
use crate::catalog_rows;
use crate::column_definition::ColumnDefinition;
use crate::column_id::ColumnId;
use crate::constraint_definition::ConstraintKind;
use crate::constraint_id::ConstraintId;
use crate::error::Error;
use crate::index_definition::IndexDefinition;
use crate::seed::declared;
use crate::state::find_definition;
use crate::system_tables::{SYSTEM_IDS, SYSTEM_TABLES, SystemTable, SystemTableName};
use crate::table_definition::{TableDefinition, TableParts};
use crate::write_transaction::WriteTransaction;

/// What an upgrade has added, in the order in which it came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Upgrade {
    /// Whole system tables.
    pub tables: Vec<String>,
    /// Columns of system tables that were there: table and column.
    pub columns: Vec<(String, String)>,
    /// Indexes of those: table and index.
    pub indexes: Vec<(String, String)>,
}

impl Upgrade {
    /// Whether there was nothing to add.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty() && self.columns.is_empty() && self.indexes.is_empty()
    }
}

impl fmt::Display for Upgrade {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.columns.iter().chain(&self.indexes);
        let parts = parts.map(|(table, part)| format!("{table}.{part}"));
        let added: Vec<String> = self.tables.iter().cloned().chain(parts).collect();
        formatter.write_str(&added.join(", "))
    }
}

impl WriteTransaction {
    /// Adds what this build's system tables have and the log's lack.
    ///
    /// # Errors
    /// Damage only, and ids of system objects that are all used.
    pub fn upgrade(&mut self) -> Result<Upgrade, Error> {
        self.upgrade_to(&SYSTEM_TABLES)
    }

    fn upgrade_to(&mut self, list: &[SystemTable]) -> Result<Upgrade, Error> {
        let mut upgrade = Upgrade::default();
        for wanted in list {
            match find_definition(self.base(), self.catalog(), wanted.name)?.cloned() {
                Some(there) => self.complete(&there, wanted, &mut upgrade)?,
                None => {
                    self.change_catalog(|change| add_table(change, wanted))?;
                    upgrade.tables.push(wanted.name.to_owned());
                }
            }
        }
        Ok(upgrade)
    }

    /// Adds the columns and indexes that a table lacks.
    fn complete(
        &mut self,
        there: &TableDefinition,
        wanted: &SystemTable,
        upgrade: &mut Upgrade,
    ) -> Result<(), Error> {
        let wanted = declared(wanted);
        let table = wanted.name();
        let lacks = |column: &&ColumnDefinition| there.column(&column.name).is_none();
        let columns: Vec<&ColumnDefinition> = wanted.columns().iter().filter(lacks).collect();
        if !columns.is_empty() {
            self.change_catalog(|change| add_columns(change, there, &columns))?;
        }
        let added = columns.iter().map(|column| column.name.clone());
        upgrade
            .columns
            .extend(added.map(|column| (table.to_owned(), column)));
        for index in wanted.indexes() {
            if there.index(&index.name).is_some() {
                continue;
            }
            let there = self.definition(there.id())?.clone();
            self.change_catalog(|change| add_index(change, &there, &wanted, index))?;
            upgrade.indexes.push((table.to_owned(), index.name.clone()));
        }
        Ok(())
    }
}

/// Behind the columns that the table has, of which this build may not know all.
fn add_columns(
    change: &mut CatalogChange<'_>,
    there: &TableDefinition,
    columns: &[&ColumnDefinition],
) -> Result<(), Error> {
    let ids = change.take_ids(SYSTEM_IDS, columns.len())?;
    for ((column, id), position) in columns.iter().zip(ids..).zip(there.columns().len()..) {
        let definition = ColumnDefinition {
            id: ColumnId(id),
            ..(*column).clone()
        };
        let position = u16::try_from(position).map_err(|_| Error::SequenceExhausted {
            table: there.name().to_owned(),
            column: column.name.clone(),
        })?;
        let cells = catalog_rows::of_column(there, position, &definition);
        change.insert(SystemTableName::Column, cells)?;
    }
    Ok(())
}

/// An index of the list over columns that the table has by now.
fn add_index(
    change: &mut CatalogChange<'_>,
    there: &TableDefinition,
    wanted: &TableDefinition,
    index: &IndexDefinition,
) -> Result<(), Error> {
    let id = IndexId(change.take_ids(SYSTEM_IDS, 1)?);
    let columns = wanted.index_positions(index.id).into_iter();
    let columns = columns.filter_map(|position| there.column(&wanted.columns()[position].name));
    let definition = IndexDefinition {
        id,
        columns: columns.map(|column| column.id).collect(),
        ..index.clone()
    };
    let cells = catalog_rows::of_index(there, &definition);
    change.insert(SystemTableName::Index, cells)
}

/// A whole table of the list, under ids of the log.
fn add_table(change: &mut CatalogChange<'_>, wanted: &SystemTable) -> Result<(), Error> {
    let wanted = declared(wanted);
    let mut take = |count: usize| change.take_ids(SYSTEM_IDS, count);
    let id = TableId(take(1)?);
    let mut parts = TableParts {
        id,
        ..wanted.to_parts()
    };
    let first = take(parts.columns.len())?;
    for (column, id) in parts.columns.iter_mut().zip(first..) {
        column.id = ColumnId(id);
    }
    let renamed = parts.columns.clone();
    for index in &mut parts.indexes {
        let positions = wanted.index_positions(index.id);
        let old = index.id;
        index.id = IndexId(take(1)?);
        index.columns = positions
            .iter()
            .map(|&position| renamed[position].id)
            .collect();
        for constraint in &mut parts.constraints {
            if constraint.kind == (ConstraintKind::PrimaryKey { index: old }) {
                constraint.id = ConstraintId(take(1)?);
                constraint.kind = ConstraintKind::PrimaryKey { index: index.id };
            }
        }
    }
    let definition = TableDefinition::new(parts).map_err(|mistakes| Error::InvalidDefinition {
        table: wanted.name().to_owned(),
        mistakes,
    })?;
    change.insert_table(&definition)
}

#[cfg(test)]
mod tests {
    use table::{ColumnType, Value};

    use super::*;
    use crate::state::State;
    use crate::system_tables::{SystemColumn, SystemIndex, SystemIndexKind, column};

    const ID: [u8; 16] = [7; 16];

    /// A list of a later build: columns with a default and without for a seed and for another table, an index over one of them, and a
    /// table with a key.
    fn later() -> [SystemTable; 3] {
        let columns: &'static [SystemColumn] = Box::leak(Box::new([
            column(1, "table_id", ColumnType::U32),
            column(2, "table_name", ColumnType::String),
            SystemColumn {
                default: Some(Value::U32(5)),
                ..column(40, "owner", ColumnType::U32)
            },
        ]));
        let sequence_columns: &'static [SystemColumn] = Box::leak(Box::new([SystemColumn {
            nullable: true,
            ..column(41, "cached", ColumnType::I128)
        }]));
        let comments: &'static [SystemColumn] = Box::leak(Box::new([
            column(42, "object_id", ColumnType::U32),
            column(43, "comment", ColumnType::String),
        ]));
        let index = |id, name, kind, columns| SystemIndex {
            id,
            name,
            kind,
            columns,
        };
        let by_owner: &'static [SystemIndex] = Box::leak(Box::new([index(
            40,
            "by_owner",
            SystemIndexKind::Plain,
            &["owner"],
        )]));
        let key = SystemIndexKind::PrimaryKey { constraint: 40 };
        let comment_key: &'static [SystemIndex] =
            Box::leak(Box::new([index(41, "primary_key", key, &["object_id"])]));
        let table = |id, name, columns, indexes| SystemTable {
            id,
            name,
            columns,
            indexes,
        };
        [
            table(1, "st_table", columns, by_owner),
            table(5, "st_sequence", sequence_columns, &[]),
            table(50, "st_comment", comments, comment_key),
        ]
    }

    #[test]
    fn a_log_gets_what_a_later_list_has_once_and_keeps_it() {
        let genesis = WriteTransaction::genesis(ID).unwrap().finish().unwrap();
        let mut state = State::empty(ID);
        state.replay(&genesis.unwrap()).unwrap();
        let before = state.marks();
        let mut transaction = WriteTransaction::new(&state).unwrap();
        let upgrade = transaction.upgrade_to(&later()).unwrap();
        assert_eq!(
            upgrade.to_string(),
            "st_comment, st_table.owner, st_sequence.cached, st_table.by_owner"
        );
        state
            .replay(&transaction.finish().unwrap().unwrap())
            .unwrap();
        assert_eq!(state.marks(), before, "every build can go on");

        let mut again = WriteTransaction::new(&state).unwrap();
        assert!(again.upgrade_to(&later()).unwrap().is_empty());
        assert_eq!(again.finish().unwrap(), None);

        let comment = state.definition("st_comment").unwrap();
        assert!(comment.is_system() && comment.id().0 >= 64);
        assert_eq!(comment.primary_key().unwrap().columns.len(), 1);
        let table = state.definition("st_table").unwrap();
        let by_owner = table.index("by_owner").unwrap().id;
        let rows = state.table("st_table").unwrap();
        let found = rows.find_all(by_owner, &[Value::U32(5)]).unwrap();
        assert_eq!(found.count(), 7);
        // This build reads it, from a snapshot too, and writes on.
        let restored = State::from_store(ID, state.store().clone()).unwrap();
        assert!(restored.catalog() == state.catalog());
        let mut transaction = WriteTransaction::new(&restored).unwrap();
        let new = crate::NewTable::new("t").column("x", ColumnType::I8);
        transaction.create_table(&new).unwrap();
        state
            .replay(&transaction.finish().unwrap().unwrap())
            .unwrap();
    }
}
