//! One column of a table, as the catalog declares it.

use table::{ColumnType, Value};

use crate::column_id::ColumnId;

/// A column. Its position is its place in [`TableDefinition::columns`](crate::TableDefinition::columns).
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnDefinition {
    /// Its id.
    pub id: ColumnId,
    /// Its name, unique in the table.
    pub name: String,
    /// The type of its values.
    pub column_type: ColumnType,
    /// Whether it may hold null.
    pub nullable: bool,
    /// What a row gets that does not name the column; `None` is null in a nullable column, and no default in another.
    pub default: Option<Value>,
}

impl ColumnDefinition {
    /// What a row gets that does not name the column; `None` if it must be named.
    pub fn missing_value(&self) -> Option<Value> {
        match &self.default {
            Some(value) => Some(value.clone()),
            None if self.nullable => Some(Value::Null),
            None => None,
        }
    }
}
