//! The number that names a page.

use serde::{Deserialize, Serialize};

/// The number of a page in the one page directory: 28 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct PageNumber(
    /// Invariant: at most [`PageNumber::MAX`].
    u32,
);

/// A number that is too large to name a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no page number: a page number has 28 bits")]
pub struct NotAPageNumber(
    /// The number.
    pub u64,
);

impl PageNumber {
    /// The first page.
    pub const MIN: PageNumber = PageNumber(0);
    /// The last number that can be named.
    pub const MAX: PageNumber = PageNumber((1 << 28) - 1);
    /// The last number that a page gets. In row ids the numbers above are those of rows that no page holds yet.
    pub const STORED_MAX: PageNumber = PageNumber((1 << 27) - 1);

    /// The page number `number`, or nothing where it has more than 28 bits.
    #[inline]
    pub const fn new(number: u32) -> Option<PageNumber> {
        if number <= Self::MAX.0 {
            Some(PageNumber(number))
        } else {
            None
        }
    }

    /// The number.
    #[inline]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for PageNumber {
    type Error = NotAPageNumber;

    fn try_from(number: u32) -> Result<Self, NotAPageNumber> {
        Self::new(number).ok_or(NotAPageNumber(number.into()))
    }
}

impl TryFrom<u64> for PageNumber {
    type Error = NotAPageNumber;

    fn try_from(number: u64) -> Result<Self, NotAPageNumber> {
        u32::try_from(number)
            .ok()
            .and_then(Self::new)
            .ok_or(NotAPageNumber(number))
    }
}

impl From<PageNumber> for u32 {
    fn from(number: PageNumber) -> u32 {
        number.0
    }
}

impl From<PageNumber> for u64 {
    fn from(number: PageNumber) -> u64 {
        number.0.into()
    }
}

impl std::fmt::Display for PageNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
