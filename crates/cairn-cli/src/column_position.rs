//! Where a column that was named stands in its table.

use cairn::TableDefinition;

use crate::failure::Failure;

/// The position of a column.
///
/// # Errors
/// There is none of this name; the nearest one is suggested.
pub(crate) fn column_position(table: &TableDefinition, name: &str) -> Result<usize, Failure> {
    table.position(name).ok_or_else(|| {
        let names = table.columns().iter().map(|column| column.name.as_str());
        let nearest = schema::nearest(name, names);
        Failure::from(cairn::Error::Schema(schema::Error::NoSuchColumn {
            table: table.name().to_owned(),
            name: name.to_owned(),
            nearest,
        }))
    })
}
