//! The way from the tables that are there to those that are declared.

use std::fmt;

use table::{ColumnType, TableId, TableRef};

use crate::catalog::Catalog;
use crate::declaration::Declaration;
use crate::error::Error;
use crate::migration_plan;
use crate::migration_step::MigrationStep;
use crate::new_table::NewTable;
use crate::state::State;
use crate::write_transaction::WriteTransaction;

/// What is to be done so that the tables are as declared, and what is in the way. A program can show it first: its `Display` has a line
/// for each step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Migration {
    pub(crate) steps: Vec<MigrationStep>,
    pub(crate) obstacles: Vec<Obstacle>,
}

/// Why a migration can not go all the way: a difference that no step levels without losing something that was not asked for.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Obstacle {
    /// A column that is there is not declared.
    #[error(
        "column {column:?} of table {table:?} is not declared: declare it, rename it, or ask for it to be dropped with its values"
    )]
    UndeclaredColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// A table can not be renamed as asked, or it can not be told whether it was.
    #[error(
        "table {from:?} can not be renamed to {to:?}: both are there, or {from:?} is declared too, or the renames run in a circle"
    )]
    TableRename {
        /// The name it has.
        from: String,
        /// The name asked for.
        to: String,
    },
    /// A column can not be renamed as asked, or it can not be told whether it was.
    #[error(
        "column {from:?} of table {table:?} can not be renamed to {to:?}: both are there, or {from:?} is declared too, or the renames run in a circle"
    )]
    ColumnRename {
        /// The table.
        table: String,
        /// The name it has.
        from: String,
        /// The name asked for.
        to: String,
    },
    /// A column is declared with a type that does not hold its values.
    #[error(
        "column {column:?} of table {table:?} is {from}, which does not widen to the declared {to}"
    )]
    NotWider {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// The type it has.
        from: ColumnType,
        /// The declared one.
        to: ColumnType,
    },
    /// A column counts by itself in another way than declared.
    #[error(
        "column {column:?} of table {table:?} counts by itself in another way than declared: ask for its sequence to be restarted"
    )]
    OtherSequence {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// A column is declared that rows that are there have nothing for.
    #[error(
        "table {table:?} has rows, and the declared column {column:?} has no default and may not be null"
    )]
    NoValue {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
}

impl Migration {
    /// The steps, in their order.
    pub fn steps(&self) -> &[MigrationStep] {
        &self.steps
    }

    /// What is in the way; while something is, nothing is done.
    pub fn obstacles(&self) -> &[Obstacle] {
        &self.obstacles
    }

    /// Whether the tables are as declared.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.obstacles.is_empty()
    }
}

impl fmt::Display for Migration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return formatter.write_str("nothing to do");
        }
        let lines = self.steps.iter().map(MigrationStep::to_string);
        let obstacles = self
            .obstacles
            .iter()
            .map(|obstacle| format!("impossible: {obstacle}"));
        let lines: Vec<String> = lines.chain(obstacles).collect();
        formatter.write_str(&lines.join("\n"))
    }
}

impl State {
    /// Compares the tables with those declared.
    ///
    /// # Errors
    /// [`Error::InvalidDefinition`] with all mistakes of a declared table; damage.
    pub fn plan_migration(&self, wanted: &Declaration) -> Result<Migration, Error> {
        plan(self.catalog(), |table| self.rows(table), wanted)
    }
}

impl WriteTransaction {
    /// Compares the tables as this transaction sees them with those declared. Changes nothing.
    ///
    /// # Errors
    /// [`Error::InvalidDefinition`] with all mistakes of a declared table; damage.
    pub fn plan_migration(&self, wanted: &Declaration) -> Result<Migration, Error> {
        plan(self.catalog(), |table| self.table(table), wanted)
    }

    /// Makes the tables as declared, in this transaction; yields what it did. If anything refuses, the transaction is as it was.
    ///
    /// # Errors
    /// [`Error::MigrationRefused`] with all that is in the way; what a step says that the rows do not allow.
    pub fn migrate(&mut self, wanted: &Declaration) -> Result<Migration, Error> {
        let migration = self.plan_migration(wanted)?;
        if !migration.obstacles.is_empty() {
            return Err(Error::MigrationRefused {
                obstacles: migration.obstacles,
            });
        }
        let before = self.savepoint();
        for step in &migration.steps {
            if let Err(error) = step.run(self) {
                self.roll_back_to(&before);
                return Err(error);
            }
        }
        Ok(migration)
    }
}

fn plan<'a>(
    catalog: &Catalog,
    rows: impl Fn(TableId) -> Result<TableRef<'a>, Error>,
    wanted: &Declaration,
) -> Result<Migration, Error> {
    for table in &wanted.tables {
        table.require()?;
    }
    let mut now = Vec::new();
    for definition in catalog.tables().filter(|table| !table.is_system()) {
        let has_rows = rows(definition.id())?.row_count() > 0;
        now.push((NewTable::of(definition, catalog), has_rows));
    }
    Ok(migration_plan::plan(now, wanted))
}
