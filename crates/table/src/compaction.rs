//! Gives half-empty row pages back.
//!
//! ```text
//!  first                                   last
//!  [ row  .   .  row ]  [  .  row  .  . ]  [ row  .  row  . ]     rows fill less than half of the slots
//!        ^---------------------^--------------+        |
//!        +---------------------------------------------+           rows of the last page move to pages with room, until it is gone
//! ```
//!
//! It happens at the end of a group that removed or changed rows, and what it does follows from the table alone: whoever applies the same
//! history has the same pages. A group of n rows moves at most 2 n + 16, which is enough to keep tables from getting emptier than half, and no more work
//! than the group itself was. Views keep the pages that they show.

use crate::error::Error;
use crate::index::missing;
use crate::pages::Pages;
use crate::scratch::Scratch;
use crate::table::Table;
use crate::value::Value;
use crate::value_ref::ValueRef;

/// How many rows are moved on top of two for each row of the group, so that small groups get somewhere too.
const MOVES_MIN: u64 = 16;

/// Moves rows out of the last page for as long as the table is sparse, after a group of so many rows.
pub(crate) fn compact(
    table: &mut Table,
    pages: &mut Pages,
    group_rows: u64,
    scratch: &mut Scratch,
) -> Result<(), Error> {
    let moves_max = group_rows.saturating_mul(2).saturating_add(MOVES_MIN);
    let mut moves = 0;
    while moves < moves_max && move_one(table, pages, scratch)? {
        moves += 1;
    }
    if moves > 0 {
        table.heap.offer_last(pages, &table.layout)?;
    }
    Ok(())
}

/// Moves one row out of the last page; `false` if the table is not sparse or no page has room for it.
fn move_one(table: &mut Table, pages: &mut Pages, scratch: &mut Scratch) -> Result<bool, Error> {
    let Some(row) = table.heap.row_to_move(pages, &table.layout)? else {
        return Ok(false);
    };
    let values = table.read(pages, row)?.values()?;
    let values: Vec<ValueRef<'_>> = values.iter().map(Value::as_ref).collect();
    let moved = table.heap.relocate(pages, &table.layout, row, &values)?;
    let Some(moved) = moved else {
        return Ok(false);
    };
    table.encode_keys(&values, scratch)?;
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
