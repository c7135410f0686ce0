//! Moves rows from pages of older layouts to pages of their table's own.
//!
//! ```text
//!   older   [ .  .  row  row ]  [ row  row  row ]       the lowest row of the first page goes first
//!                    |
//!   own     [ row  row ]                                with every column that the table has now
//! ```
//!
//! It happens at the end of each group: as many rows as the group had, so a group costs about what it does twice over at most, and a table that
//! is written to has one layout again in the end. One that is not may keep several for good. What moves follows from the table and the
//! group alone.

use crate::error::Error;
use crate::pages::Pages;
use crate::row_id::RowId;
use crate::scratch::Scratch;
use crate::table::Table;
use crate::value::Value;
use crate::value_ref::ValueRef;

/// Moves rows of older layouts, at most so many, the oldest first. Yields how many there were.
pub(crate) fn renew(
    table: &mut Table,
    pages: &mut Pages,
    steps_max: u64,
    scratch: &mut Scratch,
) -> Result<u64, Error> {
    for step in 0..steps_max {
        let Some(row) = table.rows.older_row(pages, 0)? else {
            return Ok(step);
        };
        renew_row(table, pages, row, scratch)?;
    }
    Ok(steps_max)
}

/// Moves all rows of the older layout at a position.
pub(crate) fn renew_all_of(
    table: &mut Table,
    pages: &mut Pages,
    position: usize,
    scratch: &mut Scratch,
) -> Result<(), Error> {
    let count = table.rows.older.len();
    while table.rows.older.len() == count
        && let Some(row) = table.rows.older_row(pages, position)?
    {
        renew_row(table, pages, row, scratch)?;
    }
    Ok(())
}

fn renew_row(
    table: &mut Table,
    pages: &mut Pages,
    row: RowId,
    scratch: &mut Scratch,
) -> Result<(), Error> {
    let found = table.read(pages, row)?;
    // What stands for a whole row in the index of contents follows from the layout it has.
    if table.primary_key.is_some() {
        table.encode_stored_keys(&found, scratch)?;
        let (rows, layout) = (&mut table.rows, &table.layout);
        if let Some(moved) = rows.renew(pages, table.id, layout, row)? {
            return table.replace_entries(pages, None, scratch, (row, moved));
        }
    }
    let values = table.read(pages, row)?.values()?;
    let values: Vec<ValueRef<'_>> = values.iter().map(Value::as_ref).collect();
    table.delete(pages, row, scratch)?;
    table.insert(pages, &values, scratch).map(drop)
}
