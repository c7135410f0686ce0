//! Where a row stands: a page and a slot in it.
//!
//! ```text
//!   39                                  12 11             0
//!  | page number (28 bits)                | slot (12 bits) |
//! ```
//!
//! A row id is a place and nothing more: it is never logged, and a place may be used again.
//!
//! No page has a number above [`PageNumber::STORED_MAX`], so the ids whose first bit is set are left for rows that no page
//! holds: those that a write transaction has written and that are not applied yet. The other 39 bits count them. In a
//! view, where only stored rows are, such an id finds nothing.

use crate::page_number::PageNumber;

const SLOT_BITS: u32 = 12;
const BYTES: usize = 5;
const FIRST_PENDING: RowId = RowId((PageNumber::STORED_MAX.get() as u64 + 1) << SLOT_BITS);

/// The place of a row: 28 bits of page number, 12 bits of slot; ordered by page, then slot.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(
    /// Invariant: below 2^40.
    u64,
);

impl RowId {
    /// The first place.
    pub const MIN: RowId = RowId(0);
    /// The last place.
    pub const MAX: RowId = RowId((1 << (8 * BYTES)) - 1);
    /// The greatest slot of a page.
    pub const SLOT_MAX: u16 = (1 << SLOT_BITS) - 1;

    /// The slot `slot` of the page `page`.
    ///
    /// # Panics
    /// When `slot` is above [`RowId::SLOT_MAX`].
    pub const fn new(page: PageNumber, slot: u16) -> RowId {
        assert!(slot <= Self::SLOT_MAX, "a slot has 12 bits");
        RowId(((page.get() as u64) << SLOT_BITS) | slot as u64)
    }

    /// The page.
    #[inline]
    pub fn page(self) -> PageNumber {
        // Never cut off: so says the invariant.
        #[expect(clippy::cast_possible_truncation, reason = "28 bits are left")]
        let number = (self.0 >> SLOT_BITS) as u32 & PageNumber::MAX.get();
        PageNumber::new(number).expect("28 bits")
    }

    /// The slot in the page.
    #[inline]
    pub const fn slot(self) -> u16 {
        #[expect(clippy::cast_possible_truncation, reason = "12 bits are left")]
        {
            (self.0 & Self::SLOT_MAX as u64) as u16
        }
    }

    /// The id of the row that was written so many rows after the first of a transaction.
    ///
    /// # Panics
    /// When it has more than 39 bits.
    pub(crate) const fn pending(count: u64) -> RowId {
        assert!(
            count < FIRST_PENDING.0,
            "more rows than a transaction counts"
        );
        RowId(FIRST_PENDING.0 | count)
    }

    /// Whether it is a row that a transaction has written and no page holds yet. Such an id is good in that transaction
    /// only, and until its rows are applied.
    pub const fn is_pending(self) -> bool {
        self.0 >= FIRST_PENDING.0
    }

    /// The 40 bits as a number.
    #[inline]
    pub const fn to_u64(self) -> u64 {
        self.0
    }

    /// The row id of the low 40 bits of a number: of what [`RowId::to_u64`] gave.
    #[inline]
    pub(crate) const fn from_u64(bits: u64) -> RowId {
        RowId(bits & Self::MAX.0)
    }

    /// Five bytes, big-endian, so that their order is the order of row ids.
    pub const fn to_bytes(self) -> [u8; BYTES] {
        let [_, _, _, a, b, c, d, e] = self.0.to_be_bytes();
        [a, b, c, d, e]
    }

    /// The row id that [`RowId::to_bytes`] wrote.
    pub const fn from_bytes([a, b, c, d, e]: [u8; BYTES]) -> RowId {
        RowId(u64::from_be_bytes([0, 0, 0, a, b, c, d, e]))
    }
}

impl std::fmt::Debug for RowId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RowId({self})")
    }
}

impl std::fmt::Display for RowId {
    /// `page:slot`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.page(), self.slot())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_big_endian_and_return() {
        let page = PageNumber::new(0xABC_DEF1).unwrap();
        let row = RowId::new(page, 0x234);
        assert_eq!(row.to_bytes(), [0xAB, 0xCD, 0xEF, 0x12, 0x34]);
        assert_eq!(RowId::from_bytes(row.to_bytes()), row);
        assert_eq!((row.page(), row.slot()), (page, 0x234));
        assert_eq!(RowId::new(PageNumber::MAX, RowId::SLOT_MAX), RowId::MAX);
        assert_eq!(RowId::MAX.to_bytes(), [0xFF; 5]);
    }

    #[test]
    fn pending_rows_stand_behind_every_stored_one() {
        let last_stored = RowId::new(PageNumber::STORED_MAX, RowId::SLOT_MAX);
        assert!(!last_stored.is_pending());
        assert_eq!(last_stored.to_bytes(), [0x7F, 0xFF, 0xFF, 0xFF, 0xFF]);
        assert!(RowId::pending(0).is_pending());
        assert_eq!(RowId::pending(0).to_bytes(), [0x80, 0, 0, 0, 0]);
        assert_eq!(RowId::pending((1 << 39) - 1), RowId::MAX);
    }

    #[test]
    fn order_is_page_then_slot() {
        let (first, second) = (PageNumber::MIN, PageNumber::new(1).unwrap());
        assert!(RowId::new(first, RowId::SLOT_MAX) < RowId::new(second, 0));
        assert!(RowId::new(second, 1).to_bytes() < RowId::new(second, 2).to_bytes());
    }
}
