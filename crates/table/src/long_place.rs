//! Where a value stands that does not stand in its row's page.

use crate::page_number::PageNumber;
use crate::row_format::VALUE_IN_PAGE_BYTES_MAX;

/// The place of a value that is too long for its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LongPlace {
    /// In a chain of pages of its own, the first of which this is: as older builds wrote it.
    Chain(PageNumber),
    /// In a spill of the table.
    Spill {
        /// Which one: below 2^40 - 512.
        number: u64,
        /// Where it begins there: below 2^23.
        byte_offset: u32,
    },
}

impl LongPlace {
    /// Where what stands here begins: the same for all values of a spill.
    pub(crate) fn beginning(self) -> LongPlace {
        match self {
            LongPlace::Chain(_) => self,
            LongPlace::Spill { number, .. } => LongPlace::Spill {
                number,
                byte_offset: 0,
            },
        }
    }

    /// Whether a value of so many bytes shares its place with no other one.
    pub(crate) fn is_alone(self, len: u32) -> bool {
        match self {
            LongPlace::Chain(_) => true,
            LongPlace::Spill { .. } => len > VALUE_IN_PAGE_BYTES_MAX,
        }
    }
}
