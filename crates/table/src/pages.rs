//! The page directory: all pages by number.
//!
//! ```text
//!   Pages ── CowRadix ──> page 0, page 1, (vacant), page 3, ...
//! ```
//!
//! A copy is O(1) and holds every page as it was: a view, or a fork to try something on. A new page takes the
//! lowest vacant number, so page numbers follow from the history of operations and no free list is stored.

use crate::cow_radix::CowRadix;
use crate::damaged::{DamageKind, Damaged};
use crate::page::{Page, PageBuf};
use crate::page_format::PageKind;
use crate::page_number::PageNumber;
use crate::table_id::TableId;

/// All pages by number. Copied in O(1); a page is copied when it is first written while shared.
#[derive(Clone, Debug, Default)]
pub struct Pages {
    /// Invariant: every key is a page number.
    directory: CowRadix<Page>,
}

/// All 2^27 page numbers that pages get are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("all {} page numbers are taken", u64::from(PageNumber::STORED_MAX) + 1)]
pub struct Full;

impl Pages {
    /// No pages.
    pub fn new() -> Pages {
        Pages::default()
    }

    /// How many pages there are.
    pub fn page_count(&self) -> u64 {
        self.directory.len()
    }

    /// An empty page of `kind` for `owner`, under the lowest vacant number.
    ///
    /// # Errors
    /// When no number is vacant.
    pub fn allocate(&mut self, kind: PageKind, owner: TableId) -> Result<PageNumber, Full> {
        let number = PageNumber::try_from(self.directory.lowest_vacant()).map_err(|_| Full)?;
        if number > PageNumber::STORED_MAX {
            return Err(Full);
        }
        self.directory.insert(number.into(), empty(kind, owner));
        Ok(number)
    }

    /// Gives a page up; its number is vacant then.
    ///
    /// # Errors
    /// `Missing`, when there is no such page.
    pub fn free(&mut self, number: PageNumber) -> Result<(), Damaged> {
        match self.directory.remove(number.into()) {
            Some(_) => Ok(()),
            None => Err(DamageKind::Missing.at(number)),
        }
    }

    /// The bytes of a page.
    ///
    /// # Errors
    /// `Missing`; `Checksum` and `Length` of a borrowed page.
    #[inline]
    pub fn get(&self, number: PageNumber) -> Result<&PageBuf, Damaged> {
        match self.directory.get(number.into()) {
            Some(page) => page.bytes().map_err(|kind| kind.at(number)),
            None => Err(DamageKind::Missing.at(number)),
        }
    }

    /// The bytes of a page, to be written; copied first where a view holds them or where they are borrowed.
    ///
    /// # Errors
    /// As [`Pages::get`].
    #[inline]
    pub fn get_mut(&mut self, number: PageNumber) -> Result<&mut PageBuf, Damaged> {
        match self.directory.get_mut(number.into()) {
            Some(page) => page.bytes_mut().map_err(|kind| kind.at(number)),
            None => Err(DamageKind::Missing.at(number)),
        }
    }

    /// The page itself, which stays as it is whatever is written here later.
    ///
    /// # Errors
    /// `Missing`.
    pub fn page(&self, number: PageNumber) -> Result<Page, Damaged> {
        self.directory
            .get(number.into())
            .cloned()
            .ok_or(DamageKind::Missing.at(number))
    }

    /// Puts an empty page of `kind` in the place of the page `number`, to be written anew.
    pub(crate) fn renew(
        &mut self,
        number: PageNumber,
        kind: PageKind,
        owner: TableId,
    ) -> Result<&mut PageBuf, Damaged> {
        let page = self
            .directory
            .get_mut(number.into())
            .ok_or(DamageKind::Missing.at(number))?;
        *page = empty(kind, owner);
        page.bytes_mut().map_err(|kind| kind.at(number))
    }

    /// Puts a page that was stored before under its number, in place of what is there.
    pub fn restore(&mut self, number: PageNumber, page: Page) {
        self.directory.insert(number.into(), page);
    }

    /// All pages by number, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (PageNumber, &Page)> {
        self.directory
            .iter()
            .map(|(key, page)| (page_number(key), page))
    }

    /// The pages that are not the same as in `older`, ascending, and nothing in the place of those that
    /// are gone. Costs what changed, where one was copied from the other. A page that was written and is
    /// equal again counts as changed.
    pub fn changed_since<'a>(
        &'a self,
        older: &'a Pages,
    ) -> impl Iterator<Item = (PageNumber, Option<&'a Page>)> {
        self.directory
            .changed_since(&older.directory, Page::same)
            .map(|(key, page)| (page_number(key), page))
    }
}

fn empty(kind: PageKind, owner: TableId) -> Page {
    let mut page = Page::zeroed();
    page.bytes_mut()
        .expect("an owned page is never damaged")
        .begin(kind, owner);
    page
}

fn page_number(key: u64) -> PageNumber {
    PageNumber::try_from(key).expect("every key of the directory is a page number")
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: TableId = TableId(7);

    fn numbers(pages: &Pages) -> Vec<u32> {
        pages.iter().map(|(number, _)| number.get()).collect()
    }

    #[test]
    fn a_new_page_takes_the_lowest_vacant_number() {
        let mut pages = Pages::new();
        let all: Vec<_> = (0..200)
            .map(|_| pages.allocate(PageKind::Row, OWNER).unwrap())
            .collect();
        assert_eq!(numbers(&pages), (0..200).collect::<Vec<_>>());
        pages.free(all[150]).unwrap();
        pages.free(all[3]).unwrap();
        assert_eq!(pages.free(all[3]), Err(DamageKind::Missing.at(all[3])));
        assert_eq!(pages.page_count(), 198);
        for expected in [3, 150, 200] {
            assert_eq!(
                pages.allocate(PageKind::LongValue, OWNER).unwrap().get(),
                expected
            );
        }
    }

    #[test]
    fn no_page_is_added_when_all_numbers_are_taken() {
        // 8 * 64^4 = 2^27 pages that are one in memory.
        let directory = CowRadix::filled(empty(PageKind::Row, OWNER), 5, 8);
        let mut pages = Pages { directory };
        assert_eq!(pages.page_count(), 1 << 27);
        assert_eq!(pages.allocate(PageKind::Row, OWNER), Err(Full));
        assert_eq!(Full.to_string(), "all 134217728 page numbers are taken");
        assert!(pages.get(PageNumber::STORED_MAX).is_ok());

        let given_up = PageNumber::new(0x07BC_DEF0).unwrap();
        pages.free(given_up).unwrap();
        assert_eq!(pages.allocate(PageKind::Row, OWNER), Ok(given_up));
        assert_eq!(pages.allocate(PageKind::Row, OWNER), Err(Full));
    }

    #[test]
    fn a_copy_keeps_every_page_as_it_was() {
        let mut pages = Pages::new();
        let first = pages.allocate(PageKind::Row, OWNER).unwrap();
        let second = pages.allocate(PageKind::Row, OWNER).unwrap();
        let view = pages.clone();
        pages.get_mut(first).unwrap().as_bytes_mut()[100] = 9;
        pages.free(second).unwrap();
        let third = pages.allocate(PageKind::IndexLeaf, TableId(8)).unwrap();
        assert_eq!(third, second);

        assert_eq!(view.get(first).unwrap().as_bytes()[100], 0);
        assert_eq!(view.get(second).unwrap().kind(), Some(PageKind::Row));
        assert_eq!(pages.get(third).unwrap().kind(), Some(PageKind::IndexLeaf));
        assert_eq!(pages.get(third).unwrap().owner(), TableId(8));
    }

    #[test]
    fn changes_are_the_pages_written_added_and_gone() {
        let mut pages = Pages::new();
        let all: Vec<_> = (0..5000)
            .map(|_| pages.allocate(PageKind::Row, OWNER).unwrap())
            .collect();
        let older = pages.clone();
        assert_eq!(pages.changed_since(&older).count(), 0);
        pages.get_mut(all[4000]).unwrap();
        pages.free(all[70]).unwrap();
        pages.free(all[4999]).unwrap();
        pages.allocate(PageKind::Row, OWNER).unwrap();
        let changed: Vec<_> = pages
            .changed_since(&older)
            .map(|(n, page)| (n.get(), page.is_some()))
            .collect();
        assert_eq!(changed, [(70, true), (4000, true), (4999, false)]);
        let back: Vec<_> = older
            .changed_since(&pages)
            .map(|(n, page)| (n.get(), page.is_some()))
            .collect();
        assert_eq!(back, [(70, true), (4000, true), (4999, true)]);
    }

    #[test]
    fn a_missing_page_is_damage_that_names_it() {
        let pages = Pages::new();
        let number = PageNumber::new(12).unwrap();
        assert_eq!(
            pages.get(number).unwrap_err(),
            DamageKind::Missing.at(number)
        );
        assert_eq!(
            pages.get(number).unwrap_err().to_string(),
            "page 12 is damaged: it does not exist"
        );
    }
}
