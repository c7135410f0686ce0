//! The first transaction of a log: the rows that describe the system tables, the seeds included, and whatever the user's
//! initialiser did.

use table::{Marks, Value};

use crate::catalog_change::CatalogChange;
use crate::catalog_rows;
use crate::error::Error;
use crate::format::{FIRST_READER, FIRST_WRITER};
use crate::seed::{self, declared};
use crate::state::State;
use crate::system_tables::{SYSTEM_SEQUENCES, SystemTableName};
use crate::table_definition::TableDefinition;
use crate::write_transaction::WriteTransaction;

/// The marks of a log that this build begins; what the initialiser does may raise them.
const MARKS: Marks = Marks {
    minimum_reader: FIRST_READER,
    minimum_writer: FIRST_WRITER,
};

impl WriteTransaction {
    /// Begins the genesis of a new database: the rows of the system tables are written, and the initialiser goes on from
    /// there. Its bytes apply to [`State::empty`] of the same id.
    ///
    /// # Errors
    /// None that an id could cause; the type is that of the calls it is made of.
    pub fn genesis(database_id: [u8; 16]) -> Result<Self, Error> {
        let (store, catalog) = State::empty(database_id).into_parts();
        let mut transaction = WriteTransaction::from_parts(&store, catalog, MARKS);
        transaction.change_catalog(write_tables)?;
        transaction.change_catalog(write_indexes)?;
        transaction.change_catalog(write_constraints)?;
        transaction.change_catalog(write_sequences)?;
        transaction.change_catalog(|change| {
            change.insert(
                SystemTableName::Database,
                vec![
                    ("database_id", Value::Uuid(database_id)),
                    ("minimum_reader", Value::U16(MARKS.minimum_reader)),
                    ("minimum_writer", Value::U16(MARKS.minimum_writer)),
                ],
            )
        })?;
        Ok(transaction)
    }
}

/// Groups 1 to 4: the seeds, then the others.
fn write_tables(change: &mut CatalogChange<'_>) -> Result<(), Error> {
    let is_seed = |table: &TableDefinition| seed::is_seed(table.id());
    for seeds in [true, false] {
        for table in tables().filter(|table| is_seed(table) == seeds) {
            change.insert(SystemTableName::Table, catalog_rows::of_table(&table))?;
        }
        for table in tables().filter(|table| is_seed(table) == seeds) {
            for cells in catalog_rows::of_columns(&table) {
                change.insert(SystemTableName::Column, cells)?;
            }
        }
    }
    Ok(())
}

fn write_indexes(change: &mut CatalogChange<'_>) -> Result<(), Error> {
    for table in tables() {
        for index in table.indexes() {
            change.insert(
                SystemTableName::Index,
                catalog_rows::of_index(&table, index),
            )?;
        }
    }
    Ok(())
}

fn write_constraints(change: &mut CatalogChange<'_>) -> Result<(), Error> {
    for table in tables() {
        for constraint in table.constraints() {
            change.insert(
                SystemTableName::Constraint,
                catalog_rows::of_constraint(&table, constraint),
            )?;
        }
    }
    Ok(())
}

fn write_sequences(change: &mut CatalogChange<'_>) -> Result<(), Error> {
    for sequence in &SYSTEM_SEQUENCES {
        change.insert(
            SystemTableName::Sequence,
            catalog_rows::of_system_sequence(sequence),
        )?;
    }
    Ok(())
}

fn tables() -> impl Iterator<Item = TableDefinition> {
    SystemTableName::ALL
        .into_iter()
        .map(|name| declared(name.declaration()))
}
