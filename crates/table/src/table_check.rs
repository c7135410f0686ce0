//! Everything that must hold of one table, checked page by page and entry by entry.

use std::collections::BTreeSet;

use crate::damaged::DamageKind;
use crate::error::Error;
use crate::heap::Heap;
use crate::index::{Index, missing};
use crate::layout::Layout;
use crate::page_number::PageNumber;
use crate::pages::Pages;
use crate::room_lists::RoomLists;
use crate::row_id::RowId;
use crate::row_page::{self, RowPageRef};
use crate::scratch::Scratch;
use crate::spill_check;
use crate::spills::Spills;
use crate::table::Table;
use crate::table_id::TableId;
use crate::table_ref::TableRef;
use crate::value::Value;
use crate::value_ref::ValueRef;

/// Reads the whole table: page lists, row pages, long values, every index node, and that indexes and rows agree. Returns
/// how many pages the table takes.
pub(crate) fn check(table: &Table, pages: &Pages) -> Result<u64, Error> {
    let (heap, spills) = (&table.rows.heap, &table.rows.spills);
    check_heap(heap, &table.layout, table.id, pages)?;
    for older in &table.rows.older {
        check_heap(&older.heap, &older.own, table.id, pages)?;
    }
    check_heap(spills.heap(), Spills::layout(), table.id, pages)?;
    let row_count = table.rows.row_count();
    let mut page_count = table.rows.page_count() + table.content.page_count(pages)?;
    let (spill_pages, mut spilled) = spill_check::check(spills, table.id, pages)?;
    page_count += spill_pages;
    for index in &table.indexes {
        index.check(pages)?;
        page_count += index.page_count(pages)?;
        check_count(table, index.entry_count(), row_count)?;
    }
    table.content.check(pages)?;
    let unnamed = if table.primary_key.is_none() {
        row_count
    } else {
        0
    };
    check_count(table, table.content.entry_count(), unnamed)?;
    let mut found: u64 = 0;
    let mut scratch = Scratch::default();
    for row in TableRef::new(table, pages).scan() {
        let row = row?;
        let values = row.values()?;
        let values: Vec<ValueRef<'_>> = values.iter().map(Value::as_ref).collect();
        found += 1;
        page_count += spill_check::check_row(&row, pages, &mut spilled)?;
        for index in &table.indexes {
            check_entry(table, index, pages, &values, row.row_id())?;
        }
        if let Some(hash) = table.hash_of_stored(&row, &mut scratch)?
            && !table.content.contains(pages, &hash, row.row_id())?
        {
            return Err(missing(row.row_id()));
        }
    }
    check_count(table, found, row_count)?;
    check_count(table, spilled.len() as u64, 0)?;
    Ok(page_count)
}

/// The list of row pages: links agree both ways, each page is sound, and a page with a free slot and no room flag is
/// the only kind that may be missing from the list of pages with room.
fn check_heap(heap: &Heap, layout: &Layout, owner: TableId, pages: &Pages) -> Result<(), Error> {
    let mut seen: BTreeSet<PageNumber> = BTreeSet::new();
    let mut previous: Option<PageNumber> = None;
    let mut next = heap.first_page();
    let mut listed = 0;
    while let Some(number) = next {
        let damaged = |kind: DamageKind| Error::from(kind.at(number));
        if !seen.insert(number) {
            return Err(damaged(DamageKind::Structure(
                "a list of row pages runs in a circle",
            )));
        }
        let bytes = pages.get(number)?;
        row_page::check(bytes, layout).map_err(damaged)?;
        if bytes.previous().map_err(damaged)? != previous || bytes.owner() != owner {
            return Err(damaged(DamageKind::Structure(
                "a row page is not where its links say",
            )));
        }
        listed += u64::from(bytes.room_list().is_some());
        previous = Some(number);
        next = bytes.next().map_err(damaged)?;
    }
    count_of(heap, seen.len() as u64, heap.page_count())?;
    check_room(heap, layout, pages, listed)
}

fn check_room(heap: &Heap, layout: &Layout, pages: &Pages, listed: u64) -> Result<(), Error> {
    let mut left = listed;
    for (list, first) in heap.room().iter() {
        let (mut next, mut previous) = (first, None);
        while let Some(number) = next {
            let damaged = |kind: DamageKind| Error::from(kind.at(number));
            let bytes = pages.get(number)?;
            let page = RowPageRef::new(bytes, layout).map_err(damaged)?;
            let linked = bytes.room_list() == Some(list)
                && RoomLists::may_hold(list, &page)
                && bytes.room_previous().map_err(damaged)? == previous;
            if !linked || left == 0 {
                return Err(damaged(DamageKind::Structure(
                    "a page with room is not where its links say",
                )));
            }
            left -= 1;
            previous = Some(number);
            next = bytes.room_next().map_err(damaged)?;
        }
    }
    count_of(heap, left, 0)
}

fn check_entry(
    table: &Table,
    index: &Index,
    pages: &Pages,
    values: &[ValueRef<'_>],
    row: RowId,
) -> Result<(), Error> {
    let mut key = Vec::new();
    index.key_of_row(table.id, values, &mut key)?;
    index.check_entry(pages, &table.hash_key, &key, row)
}

/// A count that a head states must be the count that is there.
fn check_count(table: &Table, found: u64, stated: u64) -> Result<(), Error> {
    count_of(&table.rows.heap, found, stated)
}

fn count_of(heap: &Heap, found: u64, stated: u64) -> Result<(), Error> {
    if found == stated {
        return Ok(());
    }
    let page = heap.first_page().unwrap_or(PageNumber::MIN);
    Err(
        DamageKind::Structure("a table does not have as many rows, entries or pages as it states")
            .at(page)
            .into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ColumnType;
    use crate::layout::{LayoutColumn, LayoutNumber};

    #[test]
    fn a_row_that_stands_under_the_hash_of_another_one_is_found() {
        let columns = vec![LayoutColumn::required(ColumnType::U64)];
        let layout = Layout::new(LayoutNumber(1), columns).unwrap();
        let mut table = Table::new(TableId(7), [3; 32], layout);
        let (mut pages, mut scratch) = (Pages::new(), Scratch::default());
        let rows = [1, 2].map(|number| {
            let values = [ValueRef::U64(number)];
            let row = table.insert(&mut pages, &values, &mut scratch).unwrap();
            let hash = table.hash_under(&table.layout, &values, &mut scratch);
            (hash, row)
        });
        check(&table, &pages).unwrap();
        let [(hash, row), (other_hash, _)] = rows;
        let id = table.id;
        let content = &mut table.content;
        assert!(content.remove(&mut pages, id, &hash, row).unwrap());
        assert!(content.insert(&mut pages, id, &other_hash, row).unwrap());
        assert_eq!(check(&table, &pages), Err(missing(row)));
    }
}
