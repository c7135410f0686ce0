//! What a write transaction has applied to its base so far: each part once, shared with the savepoints that know of it.

use std::sync::Arc;

use table::{Transaction, TransactionBuilder};

use crate::error::Error;

/// Transactions, one behind the other. Adding one and `Clone` take O(1), however many there are.
#[derive(Debug, Clone, Default)]
pub(crate) struct AppliedGroups {
    last: Option<Arc<Part>>,
}

#[derive(Debug)]
struct Part {
    before: Option<Arc<Part>>,
    transaction: Vec<u8>,
}

impl AppliedGroups {
    /// Adds what was applied next.
    pub(crate) fn push(&mut self, transaction: Vec<u8>) {
        let before = self.last.take();
        self.last = Some(Arc::new(Part {
            before,
            transaction,
        }));
    }

    /// Writes all groups, in the order in which they were applied.
    pub(crate) fn append_to(&self, builder: &mut TransactionBuilder) -> Result<(), Error> {
        let parts = std::iter::successors(self.last.as_deref(), |part| part.before.as_deref());
        let parts: Vec<&Part> = parts.collect();
        for part in parts.into_iter().rev() {
            builder.append(&Transaction::parse(&part.transaction)?);
        }
        Ok(())
    }
}

/// One part after the other: thousands would not fit a stack.
impl Drop for Part {
    fn drop(&mut self) {
        let mut next = self.before.take();
        while let Some(mut part) = next.and_then(Arc::into_inner) {
            next = part.before.take();
        }
    }
}
