//! What stood in pages before a trial wrote them in place.
//!
//! ```text
//!   places    | page 7, 24..32 | page 7, 900..932 | page 9, 0..64 | ...
//!   bytes     | 8 bytes        | 32 bytes         | 64 bytes      | ...     taken back from the end on
//! ```

use crate::page_number::PageNumber;

/// Pieces of pages as they were, oldest first.
#[derive(Debug, Default)]
pub(crate) struct PageJournal {
    places: Vec<Place>,
    bytes: Vec<u8>,
}

#[derive(Debug)]
struct Place {
    page: PageNumber,
    byte_offset: usize,
    /// Where its bytes begin.
    start: usize,
}

impl PageJournal {
    /// Notes what stands in a page from `byte_offset` on.
    #[inline]
    pub(crate) fn note(&mut self, page: PageNumber, byte_offset: usize, before: &[u8]) {
        let start = self.bytes.len();
        self.places.push(Place {
            page,
            byte_offset,
            start,
        });
        self.bytes.extend_from_slice(before);
    }

    /// Hands out all pieces, newest first, and forgets them.
    pub(crate) fn take_back(&mut self, mut put: impl FnMut(PageNumber, usize, &[u8])) {
        let mut end = self.bytes.len();
        for place in self.places.iter().rev() {
            put(place.page, place.byte_offset, &self.bytes[place.start..end]);
            end = place.start;
        }
        self.forget();
    }

    /// Forgets all pieces, and keeps a little memory for the next ones.
    pub(crate) fn forget(&mut self) {
        self.places.clear();
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES);
        self.places.shrink_to(KEPT_BYTES / size_of::<Place>());
    }
}

/// How much memory of each kind is kept for later, in bytes.
const KEPT_BYTES: usize = 64 * 1024;
