//! The values of a row from what a program names of it.

use table::Value;

use crate::error::Error;
use crate::nearest::nearest;
use crate::table_definition::TableDefinition;

/// The whole row: the named cells, and for each other column what its definition gives. Columns that a sequence fills
/// are left null here; their transaction fills them.
pub(crate) fn complete<N: AsRef<str>>(
    table: &TableDefinition,
    cells: impl IntoIterator<Item = (N, Value)>,
) -> Result<Vec<Value>, Error> {
    let mut row: Vec<Option<Value>> = vec![None; table.columns().len()];
    for (name, value) in cells {
        let position = require_position(table, name.as_ref())?;
        if row[position].replace(value).is_some() {
            return Err(Error::ColumnTwice {
                table: table.name().to_owned(),
                column: name.as_ref().to_owned(),
            });
        }
    }
    let mut values = Vec::with_capacity(row.len());
    for (value, column) in row.into_iter().zip(table.columns()) {
        let is_filled = || {
            table
                .sequences()
                .iter()
                .any(|sequence| sequence.column == column.id)
        };
        values.push(match value.or_else(|| column.missing_value()) {
            Some(value) => value,
            None if is_filled() => Value::Null,
            None => {
                return Err(Error::MissingValue {
                    table: table.name().to_owned(),
                    column: column.name.clone(),
                });
            }
        });
    }
    Ok(values)
}

/// The position of a column, or an error that knows what may have been meant.
pub(crate) fn require_position(table: &TableDefinition, name: &str) -> Result<usize, Error> {
    table.position(name).ok_or_else(|| Error::NoSuchColumn {
        table: table.name().to_owned(),
        name: name.to_owned(),
        nearest: nearest(
            name,
            table.columns().iter().map(|column| column.name.as_str()),
        ),
    })
}
