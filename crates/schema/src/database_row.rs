//! The one row of `st_database`: which database this is, and which builds may read and write it.

use table::{Store, Value};

use crate::catalog::Catalog;
use crate::contradiction::ContradictionKind;
use crate::error::Error;
use crate::system_tables::SystemTableName;

/// What the database says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DatabaseRow {
    pub(crate) id: [u8; 16],
    pub(crate) minimum_reader: u16,
    pub(crate) minimum_writer: u16,
}

impl DatabaseRow {
    /// Reads the row; there must be exactly one.
    pub(crate) fn read(store: &Store, catalog: &Catalog) -> Result<Self, Error> {
        let known = catalog.require(SystemTableName::Database)?;
        let mut rows = store.table(known.id()).map_err(Error::Table)?.scan();
        let first = rows.next().transpose().map_err(Error::Table)?;
        let (Some(row), None) = (first, rows.next()) else {
            return Err(known.contradiction(Vec::new(), ContradictionKind::DatabaseId));
        };
        let number = |column| -> Result<u16, Error> {
            Ok(if let Value::U16(number) = known.cell(&row, column)? {
                number
            } else {
                0
            })
        };
        let id = if let Value::Uuid(id) = known.cell(&row, "database_id")? {
            id
        } else {
            [0; 16]
        };
        Ok(DatabaseRow {
            id,
            minimum_reader: number("minimum_reader")?,
            minimum_writer: number("minimum_writer")?,
        })
    }
}
