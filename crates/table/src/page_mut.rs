//! A page to be written piece by piece, so that each piece can be taken back.

use std::ops::{Deref, Range};

use crate::page::PageBuf;
use crate::page_format::{PAGE_HEADER_BYTES, PageHeader};
use crate::page_journal::PageJournal;
use crate::page_number::PageNumber;

/// A page to be written: its header as a whole, the rest range by range.
#[derive(Debug)]
pub(crate) struct PageMut<'a> {
    page: &'a mut PageBuf,
    /// Where pieces are noted before they are written, if what stands there may have to come back.
    journal: Option<(&'a mut PageJournal, PageNumber)>,
}

impl<'a> PageMut<'a> {
    /// A page of which every piece is noted before it is written.
    #[inline]
    pub(crate) fn noted(
        page: &'a mut PageBuf,
        journal: &'a mut PageJournal,
        number: PageNumber,
    ) -> PageMut<'a> {
        journal.note(number, 0, &page.as_bytes()[..PAGE_HEADER_BYTES]);
        PageMut {
            page,
            journal: Some((journal, number)),
        }
    }

    /// The header, to be written.
    #[inline]
    pub(crate) fn header_mut(&mut self) -> &mut PageHeader {
        self.page
    }

    /// Some bytes behind the header, to be written.
    #[inline]
    pub(crate) fn bytes_mut(&mut self, range: Range<usize>) -> &mut [u8] {
        debug_assert!(range.start >= PAGE_HEADER_BYTES);
        let bytes = &mut self.page.as_bytes_mut()[range.clone()];
        if let Some((journal, number)) = &mut self.journal {
            journal.note(*number, range.start, bytes);
        }
        bytes
    }

    /// Moves some bytes behind the header up or down. What they leave stays as it was.
    #[inline]
    pub(crate) fn move_within(&mut self, from: Range<usize>, to: usize) {
        debug_assert!(from.start.min(to) >= PAGE_HEADER_BYTES);
        if let Some((journal, number)) = &mut self.journal {
            journal.note_move(*number, self.page, &from, to);
        }
        self.page.as_bytes_mut().copy_within(from, to);
    }
}

impl<'a> From<&'a mut PageBuf> for PageMut<'a> {
    fn from(page: &'a mut PageBuf) -> Self {
        PageMut {
            page,
            journal: None,
        }
    }
}

impl Deref for PageMut<'_> {
    type Target = PageBuf;

    #[inline]
    fn deref(&self) -> &PageBuf {
        self.page
    }
}
