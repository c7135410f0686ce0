//! How a write can end without being committed.

use commitlog::TxId;

use crate::error::Error;

/// Why a transaction was not committed. `E` is what the transaction's own code fails with.
#[derive(Debug, thiserror::Error)]
pub enum WriteError<E> {
    /// The transaction's own code failed. Nothing happened, and the transaction will never appear.
    #[error("{0}")]
    RolledBack(E),
    /// The database refused. Nothing happened, and the transaction will never appear.
    #[error(transparent)]
    Refused(Error),
    /// Writing or syncing failed. The transaction may be there after the database is opened again, or not; until then nothing
    /// more is accepted.
    #[error(
        "transaction {tx} may or may not be there after the database is opened again: {source}"
    )]
    Unknown {
        /// The number it would have.
        tx: TxId,
        /// What failed.
        source: Error,
    },
}

/// How a transaction was committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Committed {
    /// Its number; `None` if it changed nothing, so that nothing was logged.
    pub tx: Option<TxId>,
}
