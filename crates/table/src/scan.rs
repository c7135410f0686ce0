//! All rows of a table, page after page, and then those that a transaction has written.

use crate::cow_sorted_range::CowSortedRange;
use crate::error::Error;
use crate::pending_row::PendingRow;
use crate::row::Row;
use crate::row_id::RowId;
use crate::row_pages::{NumberedPage, RowPages};
use crate::table_ref::TableRef;

/// Iterates over the rows of one table in the order of its pages. After an error it ends.
#[derive(Debug)]
pub struct Scan<'a> {
    table: TableRef<'a>,
    pages: RowPages<'a>,
    current: Option<NumberedPage<'a>>,
    next_slot: u16,
    /// The rows of the overlay that are still to come. Nothing in a view, and after an error.
    pending: Option<CowSortedRange<'a, PendingRow>>,
}

impl<'a> Scan<'a> {
    pub(crate) fn new(table: TableRef<'a>) -> Self {
        Scan {
            table,
            pages: RowPages::new(table.table, table.pages),
            current: None,
            next_slot: 0,
            pending: table.overlay.map(|overlay| overlay.rows()),
        }
    }

    fn next_pending(&mut self) -> Option<Row<'a>> {
        let pending = self.pending.as_mut()?.next()?;
        Some(Row::pending(self.table.table, self.table.pages, pending))
    }
}

impl<'a> Iterator for Scan<'a> {
    type Item = Result<Row<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(NumberedPage { number, rows }) = self.current {
                if let Some(slot) = rows.next_live_slot(self.next_slot) {
                    self.next_slot = slot + 1;
                    let row = RowId::new(number, slot);
                    if self
                        .table
                        .overlay
                        .is_some_and(|overlay| overlay.is_gone(row))
                    {
                        continue;
                    }
                    return Some(Ok(Row::at(self.table.table, self.table.pages, rows, row)));
                }
                self.current = None;
            }
            match self.pages.next() {
                Some(Ok(page)) => {
                    self.current = Some(page);
                    self.next_slot = 0;
                }
                Some(Err(error)) => {
                    self.pending = None;
                    return Some(Err(error));
                }
                None => return self.next_pending().map(Ok),
            }
        }
    }
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::damaged::DamageKind;
    use crate::page_number::PageNumber;
    use crate::pages::Pages;
    use crate::scratch::Scratch;
    use crate::table::Table;
    use crate::{ColumnType, Layout, LayoutColumn, LayoutNumber, TableId, ValueRef};

    #[test]
    fn a_list_of_row_pages_that_runs_in_a_circle_is_damage_at_its_second_round() {
        let columns = vec![LayoutColumn::required(ColumnType::Bytes)];
        let layout = Layout::new(LayoutNumber(1), columns).unwrap();
        let mut table = Table::new(TableId(7), [3; 32], layout);
        let mut pages = Pages::new();
        let mut scratch = Scratch::default();
        for byte in 0..20 {
            let values = [ValueRef::Bytes(&[byte; 7_000])];
            table.insert(&mut pages, &values, &mut scratch).unwrap();
        }
        assert_eq!(table.rows.heap.page_count(), 5);
        let numbers: Vec<PageNumber> = TableRef::new(&table, &pages)
            .pages()
            .unwrap()
            .map(|page| page.unwrap().number)
            .collect();
        let too_long = Error::from(
            DamageKind::Structure("a table's list of pages is longer than its count")
                .at(numbers[0]),
        );
        let last = pages.write(numbers[4]).unwrap();
        { last }.header_mut().set_next(Some(numbers[0]));
        let circle = TableRef::new(&table, &pages);

        let (rows, refusal): (Vec<_>, Vec<_>) = circle.scan().take(100).partition(Result::is_ok);
        assert_eq!(rows.len(), 20);
        let refusal: Vec<Error> = refusal.into_iter().map(Result::unwrap_err).collect();
        assert_eq!(refusal, std::slice::from_ref(&too_long));

        let walk = circle.pages().unwrap().take(100);
        let (walked, refusal): (Vec<_>, Vec<_>) = walk.partition(Result::is_ok);
        assert_eq!(walked.len(), 5);
        let refusal: Vec<Error> = refusal.into_iter().map(Result::unwrap_err).collect();
        assert_eq!(refusal, [too_long]);
    }
}
