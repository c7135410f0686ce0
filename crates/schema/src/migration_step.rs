//! One step of a migration.

use std::fmt;

use table::{ColumnType, Value};

use crate::error::Error;
use crate::new_column::NewColumn;
use crate::new_foreign_key::NewForeignKey;
use crate::new_index::NewIndex;
use crate::new_sequence::NewSequence;
use crate::new_table::NewTable;
use crate::write_transaction::WriteTransaction;

/// One change of one table, named as it is called by then. Its `Display` is a line for people.
#[derive(Debug, Clone, PartialEq)]
pub struct MigrationStep {
    pub(crate) table: String,
    pub(crate) change: Change,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    RenameTable {
        to: String,
    },
    RenameColumn {
        from: String,
        to: String,
    },
    DropTable,
    DropConstraint(String),
    DropIndex(String),
    DropSequence(String),
    DropColumn(String),
    AddColumn(NewColumn),
    Widen {
        column: String,
        from: ColumnType,
        to: ColumnType,
    },
    SetNotNull(String),
    DropNotNull(String),
    SetDefault {
        column: String,
        default: Option<Value>,
    },
    CreateSequence {
        column: String,
        sequence: NewSequence,
    },
    CreateIndex(NewIndex),
    /// Without foreign keys.
    CreateTable(NewTable),
    AddForeignKey(NewForeignKey),
}

impl MigrationStep {
    /// The table that it changes.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// Whether rows, values or the place of a sequence go with it.
    pub fn loses(&self) -> bool {
        matches!(
            self.change,
            Change::DropTable | Change::DropColumn(_) | Change::DropSequence(_)
        )
    }

    pub(crate) fn run(&self, transaction: &mut WriteTransaction) -> Result<(), Error> {
        let table = self.table.as_str();
        match &self.change {
            Change::RenameTable { to } => transaction.rename_table(table, to),
            Change::RenameColumn { from, to } => transaction.rename_column(table, from, to),
            Change::DropTable => transaction.drop_table(table),
            Change::DropConstraint(name) => transaction.drop_constraint(table, name),
            Change::DropIndex(name) => transaction.drop_index(table, name),
            Change::DropSequence(column) => transaction.drop_sequence(table, column),
            Change::DropColumn(column) => transaction.drop_column(table, column),
            Change::AddColumn(column) => transaction.add_column(table, column.clone()).map(drop),
            Change::Widen { column, to, .. } => transaction.widen_column(table, column, *to),
            Change::SetNotNull(column) => transaction.set_not_null(table, column),
            Change::DropNotNull(column) => transaction.drop_not_null(table, column),
            Change::SetDefault { column, default } => {
                transaction.set_default(table, column, default.clone())
            }
            Change::CreateSequence { column, sequence } => {
                transaction.create_sequence(table, column, *sequence)
            }
            Change::CreateIndex(index) => transaction.add_index(table, index).map(drop),
            Change::CreateTable(new) => transaction.create_table(new).map(drop),
            Change::AddForeignKey(key) => {
                let id = transaction.definition(table)?.id();
                transaction.add_new_foreign_key(id, key)
            }
        }
    }
}

impl fmt::Display for MigrationStep {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = &self.table;
        match &self.change {
            Change::RenameTable { to } => write!(formatter, "rename table {table} to {to}"),
            Change::RenameColumn { from, to } => {
                write!(formatter, "rename column {from} of {table} to {to}")
            }
            Change::DropTable => write!(formatter, "drop table {table} with its rows"),
            Change::DropConstraint(name) => write!(formatter, "drop constraint {name} of {table}"),
            Change::DropIndex(name) => write!(formatter, "drop index {name} of {table}"),
            Change::DropSequence(column) => {
                write!(formatter, "drop the sequence of column {column} of {table}")
            }
            Change::DropColumn(column) => {
                write!(formatter, "drop column {column} of {table} with its values")
            }
            Change::AddColumn(column) => {
                write!(
                    formatter,
                    "add column {} {} to {table}",
                    column.name, column.column_type
                )?;
                match (&column.default, column.nullable) {
                    (Some(default), _) => write!(formatter, ", {default} in rows that are there"),
                    (None, true) => write!(formatter, ", null in rows that are there"),
                    (None, false) => Ok(()),
                }
            }
            Change::Widen { column, from, to } => {
                write!(
                    formatter,
                    "widen column {column} of {table} from {from} to {to}"
                )
            }
            Change::SetNotNull(column) => {
                write!(
                    formatter,
                    "demand that column {column} of {table} is not null"
                )
            }
            Change::DropNotNull(column) => {
                write!(formatter, "let column {column} of {table} be null")
            }
            Change::SetDefault { column, default } => match default {
                Some(default) => {
                    write!(formatter, "default column {column} of {table} to {default}")
                }
                None => write!(formatter, "drop the default of column {column} of {table}"),
            },
            Change::CreateSequence { column, .. } => {
                write!(formatter, "let column {column} of {table} count by itself")
            }
            Change::CreateIndex(index) => {
                let what = index.role.text();
                let (name, columns) = (&index.name, index.columns.join(", "));
                write!(formatter, "add {what} {name} ({columns}) to {table}")
            }
            Change::CreateTable(new) => {
                write!(
                    formatter,
                    "create table {table} of {} columns",
                    new.columns.len()
                )
            }
            Change::AddForeignKey(key) => {
                let (columns, targets) = (key.columns.join(", "), key.target_columns.join(", "));
                let target = &key.target;
                write!(
                    formatter,
                    "add foreign key ({columns}) to {table}, to {target} ({targets})"
                )
            }
        }
    }
}
