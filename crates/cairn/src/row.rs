//! One row, its cells by name.

use schema::TableDefinition;
use table::{RowId, Value};

use crate::error::Error;
use crate::from_value::FromValue;

/// A row of a view. Borrows the view.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    definition: &'a TableDefinition,
    row: table::Row<'a>,
}

impl<'a> Row<'a> {
    pub(crate) fn new(definition: &'a TableDefinition, row: table::Row<'a>) -> Self {
        Row { definition, row }
    }

    /// A cell as a Rust type: `row.get::<i32>("year")?`, `row.get::<Option<String>>("tailnum")?`.
    ///
    /// # Errors
    /// [`Error::Schema`] with the nearest name if there is no such column, [`Error::WrongRustType`], damage.
    pub fn get<T: FromValue>(&self, column: &str) -> Result<T, Error> {
        let position = self.position(column)?;
        let value = self.value_at(position)?;
        let found = value.column_type();
        T::from_value(value).ok_or_else(|| Error::WrongRustType {
            table: self.definition.name().to_owned(),
            column: column.to_owned(),
            asked: T::NAME,
            found,
        })
    }

    /// A cell as it is.
    ///
    /// # Errors
    /// As [`Row::get`], but for the type.
    pub fn value(&self, column: &str) -> Result<Value, Error> {
        self.value_at(self.position(column)?)
    }

    /// All cells, in the order of the table's columns.
    ///
    /// # Errors
    /// Damage.
    pub fn values(&self) -> Result<Vec<Value>, Error> {
        Ok(self.row.values().map_err(schema::Error::Table)?)
    }

    /// Where the row stands in this view; a name for it only there.
    pub fn row_id(&self) -> RowId {
        self.row.row_id()
    }

    /// The definition of its table.
    pub fn definition(&self) -> &'a TableDefinition {
        self.definition
    }

    fn value_at(&self, position: usize) -> Result<Value, Error> {
        Ok(self.row.value(position).map_err(schema::Error::Table)?)
    }

    fn position(&self, column: &str) -> Result<usize, Error> {
        self.definition
            .position(column)
            .ok_or_else(|| Error::no_such_column(self.definition, column))
    }
}
