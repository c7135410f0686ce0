//! What an engine has to do.

use std::path::Path;

/// Rows of a transaction that fills.
pub(crate) const BATCH: usize = 1_000;

/// A table on a disk.
pub(crate) trait Engine {
    /// How it is called in the table.
    fn name(&self) -> &'static str;

    /// What it was told, for whoever wants to repeat this.
    fn settings(&self) -> &'static str;

    /// Makes a database of so many rows in an empty directory, and leaves it as a program does that ends well.
    fn fill(&self, dir: &Path, rows: u64);

    /// Opens it, finds the row of a key, and yields [`crate::row::Row::digest`] of it; what is still open goes away with the second value.
    fn find_first(&self, dir: &Path, key: u64) -> (u64, Box<dyn Opened>);

    /// Why it can not be copied while it is open, or written to the disk as a whole; `None` if it can.
    fn no_copy(&self) -> Option<&'static str> {
        None
    }
}

/// An open database.
pub(crate) trait Opened {
    /// Writes all of it into an empty directory, to be opened there, durably. Not called if there is no such thing.
    fn copy(&self, to: &Path);
}
