//! What a short look at a hash index shows.
//!
//! ```text
//!   page   | where a row is                  | none                    | none
//!   word   | geometry (24) | row id (40)     | 0: there is no such row | 1: look closely
//! ```
//!
//! Two words come back in registers. A row by itself comes back through memory, written in small pieces and read in large ones, and for that a
//! processor waits until the pieces have left it, which is not before all that the look-up waits for.

use crate::layout::Layout;
use crate::page::PageBuf;
use crate::row_geometry::RowGeometry;
use crate::row_id::RowId;
use crate::row_page_ref::RowPageRef;

/// A row, that there is none, or neither.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Glimpse<'a> {
    page: Option<&'a PageBuf>,
    word: u64,
}

const ROW_BITS: u32 = 40;
const _: () = assert!(RowId::MAX.to_u64() < 1 << ROW_BITS);

impl<'a> Glimpse<'a> {
    /// There is no such row.
    pub(crate) const NOTHING: Glimpse<'static> = Glimpse {
        page: None,
        word: 0,
    };

    /// A closer look is needed.
    pub(crate) const UNCLEAR: Glimpse<'static> = Glimpse {
        page: None,
        word: 1,
    };

    /// A row of a page that is sound.
    #[inline(always)]
    pub(crate) fn row(page: &RowPageRef<'a>, row: RowId) -> Glimpse<'a> {
        Glimpse {
            page: Some(page.page()),
            word: u64::from(page.geometry().to_bits()) << ROW_BITS | row.to_u64(),
        }
    }

    /// The row, and its page under the layout that it was looked at under.
    #[inline(always)]
    pub(crate) fn found(&self, layout: &'a Layout) -> Option<(RowPageRef<'a>, RowId)> {
        let page = self.page?;
        let geometry = RowGeometry::from_bits((self.word >> ROW_BITS) as u32);
        let page = RowPageRef::trusted(page, layout, geometry);
        Some((page, RowId::from_u64(self.word)))
    }

    /// Whether a closer look is needed, where no row was found.
    #[inline(always)]
    pub(crate) fn is_unclear(&self) -> bool {
        self.word != Self::NOTHING.word
    }
}
