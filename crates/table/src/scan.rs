//! All rows of a table, page after page.

use crate::damaged::DamageKind;
use crate::error::Error;
use crate::page_number::PageNumber;
use crate::pages::Pages;
use crate::row::Row;
use crate::row_id::RowId;
use crate::row_page::RowPageRef;
use crate::table::Table;

/// Iterates over the rows of one table in the order of its pages. After an error it ends.
#[derive(Debug)]
pub struct Scan<'a> {
    table: &'a Table,
    pages: &'a Pages,
    next_page: Option<PageNumber>,
    /// How many pages the list may still have; it stops a list that runs in a circle.
    pages_left: u64,
    current: Option<(PageNumber, RowPageRef<'a>)>,
    next_slot: u16,
}

impl<'a> Scan<'a> {
    pub(crate) fn new(table: &'a Table, pages: &'a Pages) -> Self {
        Scan {
            table,
            pages,
            next_page: table.heap.first_page(),
            pages_left: table.heap.page_count(),
            current: None,
            next_slot: 0,
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
        let bytes = self.pages.get(number)?;
        let page = RowPageRef::new(bytes, &self.table.layout).map_err(damaged)?;
        if page.owner() != self.table.id {
            return Err(damaged(DamageKind::Structure(
                "a row page belongs to another table",
            )));
        }
        self.next_page = bytes.next().map_err(damaged)?;
        self.current = Some((number, page));
        self.next_slot = 0;
        Ok(())
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
                    return Some(Ok(Row::at(self.pages, &self.table.layout, page, row)));
                }
                self.current = None;
            }
            let number = self.next_page.take()?;
            if let Err(error) = self.open_page(number) {
                return Some(Err(error));
            }
        }
    }
}
