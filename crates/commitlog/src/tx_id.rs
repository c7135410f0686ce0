//! The number of a record, and so of a transaction.

use std::fmt;

/// The number of one record: gapless, from 0 (or from the base that the log was created with).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TxId(pub u64);

impl TxId {
    /// The number after this one.
    ///
    /// Panics after the last of 2^64 numbers, which no log reaches.
    #[must_use]
    pub fn next(self) -> TxId {
        TxId(
            self.0
                .checked_add(1)
                .expect("a log ends before 2^64 records"),
        )
    }

    /// The number before this one, `None` before 0.
    pub fn previous(self) -> Option<TxId> {
        self.0.checked_sub(1).map(TxId)
    }
}

impl fmt::Display for TxId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)
    }
}
