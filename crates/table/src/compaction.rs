//! Gives half-empty row pages back.
//!
//! ```text
//!  first                                   last
//!  [ row  .   .  row ]  [  .  row  .  . ]  [ row  .  row  . ]     rows would fit two thirds of the pages
//!        ^---------------------^--------------+        |
//!        +---------------------------------------------+           rows of the last page move to pages with room, until it is gone
//! ```
//!
//! It happens at the end of a group that removed or changed rows, or moved some of an older layout, and what it does follows from the table alone: whoever applies the same
//! history has the same pages. How full the table is follows from what its head counts, whatever single pages look like. A last page that is well filled itself is
//! passed over: it becomes the first. A row that fits nowhere gets a new page, planned for the rows that there are now and put first, for as long as there are no more
//! pages than when the group began: so pages that were planned for other rows go, too, be they full of slots and empty of bytes, as many as the
//! group has steps for.
//!
//! A group of n rows moves at most 2 n + 16, which is enough to keep tables from getting emptier than that where rows are deleted, and no more work
//! than the group itself was. Views keep the pages that they show.

use crate::error::Error;
use crate::heap::Heap;
use crate::layout::Layout;
use crate::pages::Pages;
use crate::row_id::RowId;
use crate::scratch::Scratch;
use crate::table::Table;

/// How many steps are taken on top of two for each row of the group, so that small groups get somewhere too.
const STEPS_MIN: u64 = 16;

/// How many pieces of spills a row may have that move with it: more than nearly all have.
const PIECES_A_ROW: u64 = 8;

/// Moves rows, and pieces of what they spilled, together for as long as the table is sparse, after a group of so many rows.
pub(crate) fn compact(
    table: &mut Table,
    pages: &mut Pages,
    group_rows: u64,
    scratch: &mut Scratch,
) -> Result<(), Error> {
    let steps_max = group_rows.saturating_mul(2).saturating_add(STEPS_MIN);
    empty_last_pages(
        table,
        heap_of_rows,
        pages,
        steps_max,
        |table, pages, row, may_add| move_row(table, pages, row, may_add, scratch),
    )?;
    let steps_max = steps_max.saturating_mul(PIECES_A_ROW);
    table.rows.spills.compact(pages, table.id, steps_max)
}

fn heap_of_rows(table: &mut Table) -> (&mut Heap, &Layout) {
    (&mut table.rows.heap, &table.layout)
}

/// Empties the last page of the heap that something has for as long as it is sparse, by a function that moves a row and says whether it did.
pub(crate) fn empty_last_pages<T>(
    of: &mut T,
    heap_of: fn(&mut T) -> (&mut Heap, &Layout),
    pages: &mut Pages,
    steps_max: u64,
    mut move_row: impl FnMut(&mut T, &mut Pages, RowId, bool) -> Result<bool, Error>,
) -> Result<(), Error> {
    let page_count_before = heap_of(of).0.page_count();
    let mut steps = 0;
    loop {
        let (heap, layout) = heap_of(of);
        if steps >= steps_max || !heap.is_sparse(layout) {
            break;
        }
        steps += 1;
        let Some(row) = heap.row_to_move(pages, layout)? else {
            continue;
        };
        // What is made has to be paid for by what goes.
        let may_add = heap.page_count() <= page_count_before;
        if !move_row(of, pages, row, may_add)? {
            break;
        }
    }
    let (heap, layout) = heap_of(of);
    match steps {
        0 => Ok(()),
        _ => heap.offer_last(pages, layout),
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
    // Of long values only those are read that a key or the content index needs.
    let found = table.read(pages, row)?;
    table.encode_stored_keys(&found, scratch)?;
    let hash = table.hash_of_stored(&found, scratch)?;
    let moved = table
        .rows
        .heap
        .relocate(pages, &table.layout, row, may_add)?;
    let Some(moved) = moved else {
        return Ok(false);
    };
    let hashes = hash.map(|hash| (hash, hash));
    table.replace_entries(pages, hashes, (scratch, scratch), (row, moved))?;
    Ok(true)
}
