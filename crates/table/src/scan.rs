//! All rows of a table, page after page, and then those that a transaction has written.

use crate::cow_sorted_range::CowSortedRange;
use crate::damaged::DamageKind;
use crate::error::Error;
use crate::overlay::PendingRow;
use crate::page_number::PageNumber;
use crate::row::Row;
use crate::row_id::RowId;
use crate::row_page::RowPageRef;
use crate::table_ref::TableRef;

/// Iterates over the rows of one table in the order of its pages. After an error it ends.
#[derive(Debug)]
pub struct Scan<'a> {
    table: TableRef<'a>,
    next_page: Option<PageNumber>,
    /// How many pages the list may still have; it stops a list that runs in a circle.
    pages_left: u64,
    current: Option<(PageNumber, RowPageRef<'a>)>,
    next_slot: u16,
    /// The rows of the overlay that are still to come. Nothing in a view, and after an error.
    pending: Option<CowSortedRange<'a, PendingRow>>,
}

impl<'a> Scan<'a> {
    pub(crate) fn new(table: TableRef<'a>) -> Self {
        Scan {
            table,
            next_page: table.table.heap.first_page(),
            pages_left: table.table.heap.page_count(),
            current: None,
            next_slot: 0,
            pending: table.overlay.map(|overlay| overlay.rows()),
        }
    }

    fn open_page(&mut self, number: PageNumber) -> Result<(), Error> {
        let damaged = |kind: DamageKind| Error::from(kind.at(number));
        let Some(pages_left) = self.pages_left.checked_sub(1) else {
            return Err(damaged(DamageKind::Structure(
                "a table's list of pages is longer than its count",
            )));
        };
        self.pages_left = pages_left;
        let bytes = self.table.pages.get(number)?;
        let page = RowPageRef::new(bytes, self.table.layout()).map_err(damaged)?;
        if page.owner() != self.table.id() {
            return Err(damaged(DamageKind::Structure(
                "a row page belongs to another table",
            )));
        }
        self.next_page = bytes.next().map_err(damaged)?;
        self.current = Some((number, page));
        self.next_slot = 0;
        Ok(())
    }

    fn next_pending(&mut self) -> Option<Row<'a>> {
        let PendingRow { row, bytes } = self.pending.as_mut()?.next()?;
        Some(Row::pending(self.table.layout(), *row, bytes))
    }
}

impl<'a> Iterator for Scan<'a> {
    type Item = Result<Row<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((number, page)) = self.current {
                if let Some(slot) = page.next_live_slot(self.next_slot) {
                    self.next_slot = slot + 1;
                    let row = RowId::new(number, slot);
                    if self
                        .table
                        .overlay
                        .is_some_and(|overlay| overlay.is_gone(row))
                    {
                        continue;
                    }
                    return Some(Ok(Row::at(self.table.pages, page, row)));
                }
                self.current = None;
            }
            let Some(number) = self.next_page.take() else {
                return self.next_pending().map(Ok);
            };
            if let Err(error) = self.open_page(number) {
                self.pending = None;
                return Some(Err(error));
            }
        }
    }
}
