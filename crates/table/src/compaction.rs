//! Gives half-empty row pages back.
//!
//! ```text
//!  first                                   last
//!  [ row  .   .  row ]  [  .  row  .  . ]  [ row  .  row  . ]     rows would fit two thirds of the pages
//!        ^---------------------^--------------+        |
//!        +---------------------------------------------+           rows of the last page move to pages with room, until it is gone
//! ```
//!
//! It happens at the end of a group that removed or changed rows, and what it does follows from the table alone: whoever applies the same
//! history has the same pages. How full the table is follows from what its head counts, whatever single pages look like. A last page that is well filled itself is
//! passed over: it becomes the first. A row that fits nowhere gets a new page, planned for the rows that there are now and put first, one in a group: so
//! pages that were planned for other rows go in the end too.
//!
//! A group of n rows moves at most 2 n + 16, which is enough to keep tables from getting emptier than that, and no more work
//! than the group itself was. Views keep the pages that they show.

use crate::error::Error;
use crate::index::missing;
use crate::pages::Pages;
use crate::row_id::RowId;
use crate::scratch::Scratch;
use crate::table::Table;
use crate::value::Value;
use crate::value_ref::ValueRef;

/// How many steps are taken on top of two for each row of the group, so that small groups get somewhere too.
const STEPS_MIN: u64 = 16;

/// Empties the last page for as long as the table is sparse, after a group of so many rows.
pub(crate) fn compact(
    table: &mut Table,
    pages: &mut Pages,
    group_rows: u64,
    scratch: &mut Scratch,
) -> Result<(), Error> {
    let steps_max = group_rows.saturating_mul(2).saturating_add(STEPS_MIN);
    let mut steps = 0;
    let mut may_add = true;
    while steps < steps_max && table.heap.is_sparse(&table.layout) {
        steps += 1;
        let Some(row) = table.heap.row_to_move(pages, &table.layout)? else {
            continue;
        };
        let page_count = table.heap.page_count();
        if !move_row(table, pages, row, may_add, scratch)? {
            break;
        }
        may_add &= table.heap.page_count() <= page_count;
    }
    match steps {
        0 => Ok(()),
        _ => table.heap.offer_last(pages, &table.layout),
    }
}

/// Moves a row to another page; `false` if it has to stay.
fn move_row(
    table: &mut Table,
    pages: &mut Pages,
    row: RowId,
    may_add: bool,
    scratch: &mut Scratch,
) -> Result<bool, Error> {
    let values = table.read(pages, row)?.values()?;
    let values: Vec<ValueRef<'_>> = values.iter().map(Value::as_ref).collect();
    table.encode_keys(&values, scratch)?;
    let moved = table
        .heap
        .relocate(pages, &table.layout, row, &values, may_add)?;
    let Some(moved) = moved else {
        return Ok(false);
    };
    let hash = table.hash_of_content(&values, scratch);
    let (owner, hash_key) = (table.id, &table.hash_key);
    for (position, index) in table.indexes.iter_mut().enumerate() {
        let key = scratch.key(position);
        index.replace_row(pages, owner, hash_key, key, (row, moved))?;
    }
    if let Some(hash) = hash
        && !table.content.replace_row(pages, owner, &hash, row, moved)?
    {
        return Err(missing(row));
    }
    Ok(true)
}
