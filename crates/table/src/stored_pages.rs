//! Pages that stay where they were stored until somebody asks for them.

use std::fmt;
use std::ops::RangeInclusive;

use crate::damaged::DamageKind;
use crate::page::Page;
use crate::page_number::PageNumber;

/// Pages by number that are found one by one, where they were stored: what [`Store::map`](crate::Store::map) begins with. Nothing of them is read before it is
/// asked for, and each answer stays the same for good, damage included.
pub trait StoredPages: fmt::Debug + Send + Sync {
    /// How many there are.
    fn page_count(&self) -> u64;

    /// The highest number that has a page. Known beforehand.
    fn last(&self) -> Option<PageNumber>;

    /// The page of a number, if it has one.
    ///
    /// # Errors
    /// What says where it is stored is damaged.
    fn get(&self, number: PageNumber) -> Result<Option<&Page>, DamageKind>;

    /// The first page from a number on.
    ///
    /// # Errors
    /// The first numbers of which can not be said which of them have a page; none before them has one.
    fn next_from(&self, from: PageNumber) -> Result<Option<(PageNumber, &Page)>, UnknownPages>;

    /// Whether any of these numbers has a page.
    ///
    /// # Errors
    /// What would say so is damaged.
    fn has_any(&self, numbers: RangeInclusive<PageNumber>) -> Result<bool, DamageKind>;
}

/// Numbers of which can not be said which of them have a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownPages {
    /// The numbers.
    pub numbers: RangeInclusive<PageNumber>,
    /// What is wrong with what would say so.
    pub kind: DamageKind,
}
