//! Refusals of the table layer told by name instead of by number.

use table::{IndexId, TableId, Value};

use crate::catalog::Catalog;
use crate::error::Error;
use crate::table_definition::TableDefinition;

impl Error {
    /// The same refusal with the names that the catalog knows; what it does not know stays as it is.
    pub(crate) fn of_table(error: table::Error, catalog: &Catalog) -> Error {
        let definition = |id: TableId| catalog.table(id).map(|definition| &**definition);
        named(&error, definition).unwrap_or(Error::Table(error))
    }

    /// A refusal of the table layer in the names of the table's definition; what that does not know stays as it is.
    pub fn of_definition(error: table::Error, definition: &TableDefinition) -> Error {
        let definition = |id: TableId| (id == definition.id()).then_some(definition);
        named(&error, definition).unwrap_or(Error::Table(error))
    }
}

fn named<'d>(
    error: &table::Error,
    definition: impl Fn(TableId) -> Option<&'d TableDefinition>,
) -> Option<Error> {
    let column = |table: &TableDefinition, position: usize| {
        table
            .columns()
            .get(position)
            .map(|column| column.name.clone())
    };
    Some(match error {
        table::Error::UniqueViolation { table, index, key } => {
            let table = definition(*table)?;
            unique_violation(table, *index, key)?
        }
        table::Error::NoSuchRow { table, values } => {
            let table = definition(*table)?;
            let columns = match table.primary_key() {
                Some(key) => names(table, key.id)?,
                None => table
                    .columns()
                    .iter()
                    .map(|column| column.name.clone())
                    .collect(),
            };
            Error::NoSuchRow {
                table: table.name().to_owned(),
                columns,
                key: values.clone(),
            }
        }
        table::Error::WrongType {
            table,
            column: position,
            expected,
            found,
        } => {
            let table = definition(*table)?;
            Error::WrongType {
                table: table.name().to_owned(),
                column: column(table, *position)?,
                expected: *expected,
                found: *found,
            }
        }
        table::Error::NullViolation {
            table,
            column: position,
        } => {
            let table = definition(*table)?;
            Error::NullViolation {
                table: table.name().to_owned(),
                column: column(table, *position)?,
            }
        }
        table::Error::KeyTooLong {
            table,
            index,
            bytes,
            max,
        } => {
            let table = definition(*table)?;
            Error::KeyTooLong {
                table: table.name().to_owned(),
                index: table.index_of(*index)?.name.clone(),
                bytes: *bytes,
                max: *max,
            }
        }
        table::Error::WholeKeyOnly { table, index } => {
            let table = definition(*table)?;
            Error::WholeKeyOnly {
                table: table.name().to_owned(),
                index: table.index_of(*index)?.name.clone(),
            }
        }
        table::Error::ColumnCount {
            table,
            expected,
            found,
        } => Error::ColumnCount {
            table: definition(*table)?.name().to_owned(),
            expected: *expected,
            found: *found,
        },
        _ => return None,
    })
}

/// The refusal of a row, or of an index over rows, in the words of a definition that has the index.
pub(crate) fn unique_violation(
    table: &TableDefinition,
    index: IndexId,
    key: &[Value],
) -> Option<Error> {
    Some(Error::UniqueViolation {
        table: table.name().to_owned(),
        index: table.index_of(index)?.name.clone(),
        columns: names(table, index)?,
        key: key.to_vec(),
    })
}

fn names(table: &TableDefinition, index: IndexId) -> Option<Vec<String>> {
    let columns = table.index_of(index)?.columns.iter();
    columns
        .map(|id| Some(table.columns()[table.position_of(*id)?].name.clone()))
        .collect()
}
