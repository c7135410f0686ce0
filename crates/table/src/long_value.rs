//! Pages with nothing but bytes of one long value: whole ones of a spill, and chains of them, which older builds wrote.
//!
//! Every page knows its position in its value, so a chain that was made to lead back into itself is
//! found at the first page that is met again, and nothing is set aside for a value before its pages were
//! seen.

use crate::damaged::{DamageKind, Damaged};
use crate::page::PageBuf;
use crate::page_error::PageError;
use crate::page_format::{LONG_VALUE_PAGE_BYTES, PAGE_HEADER_BYTES, PageKind};
use crate::page_number::PageNumber;
use crate::pages::Pages;
use crate::table_id::TableId;

/// Writes `bytes`, which fill a page, to a new one, as those at a position in a spill.
///
/// # Errors
/// When no page number is vacant.
///
/// # Panics
/// If they do not fill a page.
pub(crate) fn write_whole(
    pages: &mut Pages,
    owner: TableId,
    position: u32,
    bytes: &[u8],
) -> Result<PageNumber, PageError> {
    let number = pages.allocate(PageKind::LongValue, owner)?;
    let page = pages.get_mut(number)?;
    page.set_chain_position(position);
    page.set_chain_bytes(u16_of(bytes.len()));
    page.as_bytes_mut()[PAGE_HEADER_BYTES..].copy_from_slice(bytes);
    Ok(number)
}

/// The bytes of a page that is those at a position in a spill.
///
/// # Errors
/// When it is another page.
pub(crate) fn whole(page: &PageBuf, position: u32) -> Result<&[u8], DamageKind> {
    page.expect_kind(PageKind::LongValue)?;
    let is_whole = page.chain_position() == position
        && usize::from(page.chain_bytes()) == LONG_VALUE_PAGE_BYTES
        && page.next()?.is_none();
    if !is_whole {
        return Err(DamageKind::Structure(
            "a page of a long value is not the one that follows",
        ));
    }
    Ok(&page.as_bytes()[PAGE_HEADER_BYTES..])
}

/// Writes `bytes` to a new chain of pages and returns the first one, as older builds did. A value of no bytes takes a page, too.
///
/// # Errors
/// When no page number is vacant.
#[cfg(test)]
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
        page.set_chain_bytes(u16_of(here.len()));
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

fn u16_of(bytes: usize) -> u16 {
    u16::try_from(bytes).expect("less than a page")
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

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: TableId = TableId(9);
    const ROOM: usize = LONG_VALUE_PAGE_BYTES;

    fn value(length: usize) -> Vec<u8> {
        (0..length)
            .map(|i| u8::try_from(i * 31 % 253).unwrap())
            .collect()
    }

    #[test]
    fn every_length_returns_and_is_freed() {
        for length in [
            0,
            1,
            ROOM - 1,
            ROOM,
            ROOM + 1,
            2 * ROOM,
            2 * ROOM + 7,
            40 * ROOM,
        ] {
            let mut pages = Pages::new();
            let before = pages.allocate(PageKind::Row, OWNER).unwrap();
            let value = value(length);
            let first = write(&mut pages, OWNER, &value).unwrap();
            let page_count = length.div_ceil(ROOM).max(1) as u64;
            assert_eq!(check(&pages, first, length as u64).unwrap(), page_count);
            assert_eq!(pages.page_count(), 1 + page_count);
            assert_eq!(read(&pages, first, length as u64).unwrap(), value);
            for other in [length as u64 + 1, u64::MAX] {
                assert!(
                    read(&pages, first, other).is_err(),
                    "a value of another length"
                );
            }
            free(&mut pages, first).unwrap();
            assert_eq!(pages.page_count(), 1);
            pages.get(before).unwrap();
        }
    }

    #[test]
    fn the_bytes_of_a_page_are_these() {
        let mut pages = Pages::new();
        let first = write(&mut pages, TableId(0x0102_0304), &value(ROOM + 3)).unwrap();
        let page = pages.get(first).unwrap().as_bytes();
        let header = [
            4, 1, 0, 0, 4, 3, 2, 1, // kind, version, level, flags, owner
            2, 0, 0, 0, 0, 0, 0, 0, // next page is 1, none before
            0, 0, 0, 0, 0, 0, 0, 0, //
            0, 0, 0, 0, 0, 0, 0, 0, //
            0, 0, 0, 0, 0xC0, 0x7F, 0, 0, // position 0, 32704 bytes
            0, 0, 0, 0, 0, 0, 0, 0, //
            0, 0, 0, 0, 0, 0, 0, 0, //
            0, 0, 0, 0, 0, 0, 0, 0, //
        ];
        assert_eq!(page[..64], header);
        assert_eq!(page[64..68], [0, 31, 62, 93]);
        let page = pages.get(PageNumber::new(1).unwrap()).unwrap().as_bytes();
        assert_eq!(page[8..12], [0, 0, 0, 0]);
        assert_eq!(page[32..40], [1, 0, 0, 0, 3, 0, 0, 0]);
        assert_eq!(page[64..70], [53, 84, 115, 0, 0, 0]);
    }

    #[test]
    fn a_chain_that_leads_back_is_damage() {
        let mut pages = Pages::new();
        let first = write(&mut pages, OWNER, &value(3 * ROOM)).unwrap();
        let second = pages.get(first).unwrap().next().unwrap().unwrap();
        let third = pages.get(second).unwrap().next().unwrap().unwrap();
        for target in [first, second, third] {
            let mut pages = pages.clone();
            pages.get_mut(third).unwrap().set_next(Some(target));
            let damaged = read(&pages, first, 3 * ROOM as u64).unwrap_err();
            assert_eq!(damaged.page, target);
            assert!(free(&mut pages, first).is_err());
        }
        let missing = PageNumber::new(77).unwrap();
        pages.get_mut(third).unwrap().set_next(Some(missing));
        assert_eq!(
            read(&pages, first, 1).unwrap_err(),
            DamageKind::Missing.at(missing)
        );
    }

    #[test]
    fn every_flipped_bit_of_the_header_that_is_used_is_found() {
        let mut pages = Pages::new();
        let first = write(&mut pages, OWNER, &value(ROOM + 5)).unwrap();
        let second = pages.get(first).unwrap().next().unwrap().unwrap();
        let length = ROOM as u64 + 5;
        for number in [first, second] {
            for byte in [0, 1, 8, 9, 10, 11, 32, 33, 34, 35, 36, 37] {
                for bit in 0..8 {
                    let mut pages = pages.clone();
                    pages.get_mut(number).unwrap().as_bytes_mut()[byte] ^= 1 << bit;
                    assert!(
                        check(&pages, first, length).is_err(),
                        "page {number} byte {byte} bit {bit}"
                    );
                }
            }
        }
    }
}
