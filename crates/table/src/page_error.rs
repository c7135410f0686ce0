//! Why pages could not be changed.

use crate::damaged::Damaged;
use crate::page_number::PageNumber;

/// All 2^27 page numbers that pages get are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("all {} page numbers are taken", u64::from(PageNumber::STORED_MAX) + 1)]
pub struct Full;

/// Why a change that may need a new page did not happen. What was being changed must be dropped: it
/// may hold half of the change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// A page on the way is damaged.
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// All page numbers are taken.
    #[error(transparent)]
    Full(#[from] Full),
}
