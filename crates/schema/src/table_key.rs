//! A table, by name or by id.

use table::TableId;

/// What a program names a table by. A name costs one look-up; a loop over rows does better with the id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableKey<'a> {
    /// By name.
    Name(&'a str),
    /// By id.
    Id(TableId),
}

impl<'a> From<&'a str> for TableKey<'a> {
    fn from(name: &'a str) -> Self {
        TableKey::Name(name)
    }
}

impl<'a> From<&'a String> for TableKey<'a> {
    fn from(name: &'a String) -> Self {
        TableKey::Name(name)
    }
}

impl From<TableId> for TableKey<'_> {
    fn from(id: TableId) -> Self {
        TableKey::Id(id)
    }
}
