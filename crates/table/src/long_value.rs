//! Values that are too large for a row page, in a chain of pages of their own.
//!
//! Every page knows its position in the chain, so a chain that was made to lead back into itself is found at the first
//! page that is met again, and nothing is set aside for a value before its pages were seen.

use crate::damaged::{DamageKind, Damaged};
use crate::page::PageBuf;
use crate::page_error::PageError;
use crate::page_format::{LONG_VALUE_PAGE_BYTES, PAGE_HEADER_BYTES, PageKind};
use crate::page_number::PageNumber;
use crate::pages::Pages;
use crate::table_id::TableId;

/// Writes `bytes` to new pages and returns the first one. A value of no bytes takes a page, too.
///
/// # Errors
/// When no page number is vacant.
pub(crate) fn write(
    pages: &mut Pages,
    owner: TableId,
    bytes: &[u8],
) -> Result<PageNumber, PageError> {
    let first = pages.allocate(PageKind::LongValue, owner)?;
    let mut number = first;
    let mut rest = bytes;
    for position in 0_u32.. {
        let (here, after) = rest.split_at(rest.len().min(LONG_VALUE_PAGE_BYTES));
        let next = if after.is_empty() {
            None
        } else {
            Some(pages.allocate(PageKind::LongValue, owner)?)
        };
        let page = pages.get_mut(number)?;
        page.set_chain_position(position);
        page.set_chain_bytes(u16::try_from(here.len()).expect("less than a page"));
        page.set_next(next);
        page.as_bytes_mut()[PAGE_HEADER_BYTES..][..here.len()].copy_from_slice(here);
        match next {
            Some(next) => (number, rest) = (next, after),
            None => break,
        }
    }
    Ok(first)
}

/// The value of `bytes` bytes that begins on page `first`.
///
/// # Errors
/// When the chain is damaged, or holds a value of another length.
pub(crate) fn read(pages: &Pages, first: PageNumber, bytes: u64) -> Result<Vec<u8>, Damaged> {
    let mut total = 0;
    for page in Chain::new(pages, first) {
        total += page?.1.len() as u64;
    }
    if total != bytes {
        return Err(
            DamageKind::Structure("a long value has another length than its row says").at(first),
        );
    }
    // Every byte of this was seen in a page.
    let mut value = Vec::with_capacity(usize::try_from(total).expect("it is in memory"));
    for page in Chain::new(pages, first) {
        value.extend_from_slice(page?.1);
    }
    Ok(value)
}

/// Gives the pages of a value back.
///
/// # Errors
/// When the chain is damaged.
pub(crate) fn free(pages: &mut Pages, first: PageNumber) -> Result<(), Damaged> {
    let mut numbers = Vec::new();
    for page in Chain::new(pages, first) {
        numbers.push(page?.0);
    }
    numbers
        .into_iter()
        .try_for_each(|number| pages.free(number))
}

/// Checks the chain of a value of `bytes` bytes and returns how many pages it takes.
///
/// # Errors
/// When the chain is damaged, holds a value of another length, or something beside it.
pub(crate) fn check(pages: &Pages, first: PageNumber, bytes: u64) -> Result<u64, Damaged> {
    let (mut total, mut count) = (0, 0);
    for page in Chain::new(pages, first) {
        let (number, part) = page?;
        let page = pages.get(number)?;
        if page.as_bytes()[PAGE_HEADER_BYTES + part.len()..]
            .iter()
            .any(|byte| *byte != 0)
        {
            return Err(
                DamageKind::Structure("a long value is followed by other bytes").at(number),
            );
        }
        total += part.len() as u64;
        count += 1;
    }
    if total != bytes {
        return Err(
            DamageKind::Structure("a long value has another length than its row says").at(first),
        );
    }
    Ok(count)
}

/// The pages of a value and their parts of it. Ends after an error.
struct Chain<'a> {
    pages: &'a Pages,
    next: Option<PageNumber>,
    position: u32,
}

impl<'a> Chain<'a> {
    fn new(pages: &'a Pages, first: PageNumber) -> Self {
        Chain {
            pages,
            next: Some(first),
            position: 0,
        }
    }

    fn part(&self, page: &'a PageBuf) -> Result<(&'a [u8], Option<PageNumber>), DamageKind> {
        page.expect_kind(PageKind::LongValue)?;
        if page.chain_position() != self.position {
            return Err(DamageKind::Structure(
                "a page of a long value is not the one that follows",
            ));
        }
        let next = page.next()?;
        let bytes = usize::from(page.chain_bytes());
        if bytes > LONG_VALUE_PAGE_BYTES || (next.is_some() && bytes < LONG_VALUE_PAGE_BYTES) {
            return Err(DamageKind::Structure(
                "a page of a long value holds another number of bytes",
            ));
        }
        Ok((&page.as_bytes()[PAGE_HEADER_BYTES..][..bytes], next))
    }
}

impl<'a> Iterator for Chain<'a> {
    type Item = Result<(PageNumber, &'a [u8]), Damaged>;

    fn next(&mut self) -> Option<Self::Item> {
        let number = self.next.take()?;
        let part = self
            .pages
            .get(number)
            .and_then(|page| self.part(page).map_err(|kind| kind.at(number)));
        Some(part.map(|(part, next)| {
            self.next = next;
            self.position += 1;
            (number, part)
        }))
    }
}
