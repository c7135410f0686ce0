//! What an engine has to do.

use crate::row::Row;

/// A table in memory.
pub(crate) trait Engine {
    /// How it is called in the table.
    fn name(&self) -> &'static str;

    /// What it was told, for whoever wants to repeat this.
    fn settings(&self) -> &'static str;

    /// Adds rows in one transaction.
    fn insert(&mut self, rows: &mut dyn Iterator<Item = u64>);

    /// Removes the rows of these keys, which are there, in one transaction.
    fn delete(&mut self, keys: &[u64]);

    /// Finds each key and adds up [`Row::digest`] of those that are there, and how many they were.
    fn find(&self, keys: &[u64]) -> (u64, u64);

    /// The sum of all `count`s.
    fn sum(&self) -> i64;

    /// Adds up [`Row::digest`] of the first `count` rows from `from` on, in the order of keys; `None` without such an order.
    fn range(&self, from: u64, count: usize) -> Option<u64>;
}

/// Adds up the digests of rows.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Digest {
    pub(crate) sum: u64,
    pub(crate) count: u64,
}

impl Digest {
    pub(crate) fn add(&mut self, row: Row<'_>) {
        self.sum = self.sum.wrapping_add(row.digest());
        self.count += 1;
    }
}
