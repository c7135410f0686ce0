//! Which database this is.

use std::fmt;

use commitlog::LogId;

/// The random 16 bytes that name one database. Its log, every segment of it and every snapshot carry them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DatabaseId(pub [u8; 16]);

impl DatabaseId {
    /// The id under which the log of this database goes: the same bytes.
    pub(crate) fn log_id(self) -> LogId {
        LogId(self.0)
    }
}

impl From<LogId> for DatabaseId {
    fn from(id: LogId) -> Self {
        DatabaseId(id.0)
    }
}

impl fmt::Display for DatabaseId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&LogId(self.0), formatter)
    }
}

impl fmt::Debug for DatabaseId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "DatabaseId({self})")
    }
}
