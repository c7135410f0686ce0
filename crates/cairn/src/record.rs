//! Rust types as rows of a table.

use table::Value;

use crate::error::Error;
use crate::row::Row;

/// A Rust type whose values are rows of one table.
///
/// ```
/// use cairn::{Error, Record, Row, Value};
///
/// struct Airline {
///     carrier: String,
///     name: String,
/// }
///
/// impl Record for Airline {
///     const TABLE: &'static str = "airlines";
///
///     fn cells(&self) -> Vec<(&'static str, Value)> {
///         vec![("carrier", self.carrier.as_str().into()), ("name", self.name.as_str().into())]
///     }
///
///     fn from_row(row: &Row<'_>) -> Result<Self, Error> {
///         Ok(Airline { carrier: row.get("carrier")?, name: row.get("name")? })
///     }
/// }
/// ```
pub trait Record: Sized {
    /// The table that the rows are of.
    const TABLE: &'static str;

    /// The columns that the type knows, and their values. A column that is left out gets its default.
    fn cells(&self) -> Vec<(&'static str, Value)>;

    /// The value that a row holds.
    ///
    /// # Errors
    /// What [`Row::get`] says.
    fn from_row(row: &Row<'_>) -> Result<Self, Error>;
}
