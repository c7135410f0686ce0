//! The row pages of a table, one after the other.
//!
//! ```text
//!   list:   page ──> page ──> page ──> page
//!           yielded  ahead
//!                    └── its header is on the way from memory while the caller works on the page before
//! ```
//!
//! Each page names the next one in its header, so a plain walk waits for memory once a page. The walk is one page
//! ahead instead: the header of the next page is asked for when a page is yielded, and looked at when it is its turn. What the headers
//! further on say is not known yet, but mostly a table's pages come in the order of their numbers: so the header of a page with
//! a number a little higher is asked for too, on the chance that the list comes by.

use crate::damaged::DamageKind;
use crate::error::Error;
use crate::layout::Layout;
use crate::page::PageBuf;
use crate::page_number::PageNumber;
use crate::pages::Pages;
use crate::row_page::RowPageRef;
use crate::row_page_ref::fetch_header;
use crate::table::Table;

/// How far ahead the header of a page is asked for that may come. It takes as long from memory as a few pages take to be summed.
const PAGES_AHEAD: u32 = 8;

/// Iterates over the row pages of one table, in the order of its list. After an error it ends.
#[derive(Debug, Clone)]
pub struct RowPages<'a> {
    table: &'a Table,
    pages: &'a Pages,
    /// The layout that the pages of this list are read under.
    layout: &'a Layout,
    /// Which of the table's lists comes next: rows of each layout have one.
    next_list: usize,
    ahead: Option<(PageNumber, Result<&'a PageBuf, Error>)>,
    /// How many pages the list may still have; it stops a list that runs in a circle.
    pages_left: u64,
}

/// A row page of a table, and its number.
#[derive(Debug, Clone, Copy)]
pub struct NumberedPage<'a> {
    /// Together with a slot, the place of a row.
    pub number: PageNumber,
    /// The rows.
    pub rows: RowPageRef<'a>,
}

impl<'a> RowPages<'a> {
    pub(crate) fn new(table: &'a Table, pages: &'a Pages) -> Self {
        let mut walk = RowPages {
            table,
            pages,
            layout: &table.layout,
            next_list: 0,
            ahead: None,
            pages_left: 0,
        };
        walk.begin_list();
        walk
    }

    /// Goes on with the next list that has a page.
    fn begin_list(&mut self) {
        while self.ahead.is_none()
            && let Some((heap, layout)) =
                self.table.rows.heap_at(self.next_list, &self.table.layout)
        {
            self.next_list += 1;
            self.layout = layout;
            self.pages_left = heap.page_count();
            self.look_ahead(heap.first_page());
        }
    }

    /// The page that comes next, before anything of it was checked.
    pub(crate) fn ahead(&self) -> Option<&'a PageBuf> {
        let (_, bytes) = self.ahead.as_ref()?;
        bytes.as_ref().ok().copied()
    }

    fn look_ahead(&mut self, next: Option<PageNumber>) {
        self.ahead = next.map(|number| (number, self.pages.get(number).map_err(Error::from)));
        if let Some(page) = self.ahead() {
            fetch_header(page, 0);
        }
        let far = next.and_then(|number| PageNumber::new(number.get() + PAGES_AHEAD));
        if let Some(page) = far.and_then(|number| self.pages.in_memory(number)) {
            fetch_header(page, 0);
        }
    }

    fn open(&mut self, number: PageNumber, bytes: &'a PageBuf) -> Result<RowPageRef<'a>, Error> {
        let damaged = |kind: DamageKind| Error::from(kind.at(number));
        let Some(pages_left) = self.pages_left.checked_sub(1) else {
            return Err(damaged(DamageKind::Structure(
                "a table's list of pages is longer than its count",
            )));
        };
        self.pages_left = pages_left;
        let page = RowPageRef::new(bytes, self.layout).map_err(damaged)?;
        if page.owner() != self.table.id {
            return Err(damaged(DamageKind::Structure(
                "a row page belongs to another table",
            )));
        }
        match bytes.next().map_err(damaged)? {
            None => self.begin_list(),
            next => self.look_ahead(next),
        }
        Ok(page)
    }
}

impl<'a> Iterator for RowPages<'a> {
    type Item = Result<NumberedPage<'a>, Error>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (number, bytes) = self.ahead.take()?;
        let rows = bytes.and_then(|bytes| self.open(number, bytes));
        Some(rows.map(|rows| NumberedPage { number, rows }))
    }
}
