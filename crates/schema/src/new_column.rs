//! A column to be made.

use table::{ColumnType, Value};

/// A column of a [`NewTable`](crate::NewTable), or one to be added to a table.
#[derive(Debug, Clone, PartialEq)]
pub struct NewColumn {
    pub(crate) name: String,
    pub(crate) column_type: ColumnType,
    pub(crate) nullable: bool,
    pub(crate) default: Option<Value>,
}

impl NewColumn {
    /// A column that is never null and has no default.
    pub fn new(name: &str, column_type: ColumnType) -> Self {
        NewColumn {
            name: name.to_owned(),
            column_type,
            nullable: false,
            default: None,
        }
    }

    /// It may hold null.
    #[must_use]
    pub fn nullable(mut self) -> Self {
        self.nullable = true;
        self
    }

    /// What a row gets that does not name the column; at most [`DEFAULT_BYTES_MAX`](crate::DEFAULT_BYTES_MAX) bytes.
    #[must_use]
    pub fn default(mut self, value: impl Into<Value>) -> Self {
        self.default = Some(value.into());
        self
    }
}
