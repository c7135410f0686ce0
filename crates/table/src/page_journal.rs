//! What stood in pages before a trial wrote them in place.
//!
//! ```text
//!   pieces    | page 7, 24..32 | page 7, 900..932 | page 9, 64..70, and 64..4000 went to 70 | ...
//!   bytes     | 8 bytes        | 32 bytes         | the 6 bytes that were moved over      | ...     taken back from the end on
//! ```

use std::ops::Range;

use crate::page::PageBuf;
use crate::page_number::PageNumber;

/// How much memory of each kind is kept for later, in bytes.
const KEPT_BYTES: usize = 64 * 1024;

/// Pieces of pages as they were, oldest first.
#[derive(Debug, Default)]
pub(crate) struct PageJournal {
    pieces: Vec<Piece>,
    bytes: Vec<u8>,
}

#[derive(Debug)]
struct Piece {
    page: PageNumber,
    byte_offset: usize,
    /// Where its bytes begin.
    start: usize,
    moved: Option<Moved>,
}

impl Piece {
    fn put_back(&self, page: &mut PageBuf, before: &[u8]) {
        let page = page.as_bytes_mut();
        if let Some(Moved { from, to, length }) = self.moved {
            page.copy_within(to..to + length, from);
        }
        page[self.byte_offset..][..before.len()].copy_from_slice(before);
    }
}

/// Bytes of a page that went elsewhere in it, over those of the piece.
#[derive(Debug)]
struct Moved {
    from: usize,
    to: usize,
    length: usize,
}

impl PageJournal {
    /// Notes what stands in a page from `byte_offset` on.
    #[inline]
    pub(crate) fn note(&mut self, page: PageNumber, byte_offset: usize, before: &[u8]) {
        self.push(page, byte_offset, before, None);
    }

    /// Notes that a range of a page is going to begin at `to`.
    #[inline]
    pub(crate) fn note_move(
        &mut self,
        number: PageNumber,
        page: &PageBuf,
        from: &Range<usize>,
        to: usize,
    ) {
        let over = if to > from.start {
            from.end..to + from.len()
        } else {
            to..from.start
        };
        let moved = Moved {
            from: from.start,
            to,
            length: from.len(),
        };
        let before = &page.as_bytes()[over.clone()];
        self.push(number, over.start, before, Some(moved));
    }

    /// Puts all pieces back, newest first, and forgets them.
    pub(crate) fn take_back(
        &mut self,
        mut with_page: impl FnMut(PageNumber, &dyn Fn(&mut PageBuf)),
    ) {
        let mut end = self.bytes.len();
        for piece in self.pieces.iter().rev() {
            with_page(piece.page, &|page| {
                piece.put_back(page, &self.bytes[piece.start..end])
            });
            end = piece.start;
        }
        self.forget();
    }

    /// Forgets all pieces, and keeps a little memory for the next ones.
    pub(crate) fn forget(&mut self) {
        self.pieces.clear();
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES);
        self.pieces.shrink_to(KEPT_BYTES / size_of::<Piece>());
    }

    #[inline]
    fn push(&mut self, page: PageNumber, byte_offset: usize, before: &[u8], moved: Option<Moved>) {
        self.pieces.push(Piece {
            page,
            byte_offset,
            start: self.bytes.len(),
            moved,
        });
        self.bytes.extend_from_slice(before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page_mut::PageMut;

    #[test]
    fn what_was_written_and_moved_comes_back_in_reverse() {
        let number = PageNumber::MIN;
        let mut page = PageBuf::zeroed();
        for (at, byte) in page.as_bytes_mut().iter_mut().enumerate() {
            *byte = u8::try_from(at * 7 % 251).unwrap();
        }
        let before = PageBuf::copied_from(page.as_bytes());
        let mut journal = PageJournal::default();
        let mut written = PageMut::noted(&mut page, &mut journal, number);
        written.header_mut().set_live_count(1);
        // Up and down, near and as far as they are long, over each other.
        for (from, to) in [
            (100..200, 106),
            (106..300, 100),
            (400..410, 410),
            (405..415, 395),
            (90..500, 91),
            (700..700, 700),
        ] {
            written.bytes_mut(from.start..from.start + 3).fill(9);
            written.move_within(from, to);
            written.bytes_mut(to..to + 5).fill(8);
        }
        assert_ne!(page.as_bytes(), before.as_bytes());
        journal.take_back(|_, put_back| put_back(&mut page));
        assert_eq!(page.as_bytes(), before.as_bytes());
    }
}
