//! The capacity that most row pages of a table have: a guess that lets a read ask for its columns before the page's header is there.
//!
//! ```text
//!   header ──> capacity ──> place of a column ──> value        one wait after the other
//!   guess  ───────────────> place of a column ──> value        both waits at once: whether the guess was right is
//!   header ──> capacity ──> as guessed?                        known before the value is used
//! ```

use std::sync::atomic::{AtomicU16, Ordering};

/// A capacity that was seen, or zero. It decides nothing but how fast a read is, so all are equal.
#[derive(Debug, Default)]
pub(crate) struct UsualCapacity(AtomicU16);

impl UsualCapacity {
    #[inline]
    pub(crate) fn get(&self) -> u16 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self, capacity: u16) {
        self.0.store(capacity, Ordering::Relaxed);
    }
}

impl Clone for UsualCapacity {
    fn clone(&self) -> UsualCapacity {
        UsualCapacity(AtomicU16::new(self.get()))
    }
}

impl PartialEq for UsualCapacity {
    fn eq(&self, _other: &UsualCapacity) -> bool {
        true
    }
}

impl Eq for UsualCapacity {}
