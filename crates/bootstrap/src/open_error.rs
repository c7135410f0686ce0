//! Why a database could not be opened, or created.

use crate::error::Error;

/// Why [`crate::Database::open`] failed. `E` is what the initialiser fails with.
#[derive(Debug, thiserror::Error)]
pub enum OpenError<E> {
    /// The initialiser of a new database failed; no database was made.
    #[error("the initialiser of the new database failed: {0}")]
    Initialiser(E),
    /// Anything else.
    #[error(transparent)]
    Database(Error),
}

impl<E, X: Into<Error>> From<X> for OpenError<E> {
    fn from(error: X) -> Self {
        OpenError::Database(error.into())
    }
}
