//! The exclusive lock that keeps a second process out.

use std::any::Any;
use std::fmt;

/// A held lock. Dropping it frees it.
pub struct Lock(
    #[expect(dead_code, reason = "held only to be dropped")] Box<dyn Any + Send + Sync>,
);

impl Lock {
    /// Wraps whatever frees the lock when dropped.
    pub fn new(guard: impl Any + Send + Sync) -> Self {
        Lock(Box::new(guard))
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Lock")
    }
}
