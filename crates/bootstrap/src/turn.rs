//! Whose turn it is to run a transaction.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use crate::fair_lock::{FairGuard, FairLock};

/// One thread at a time has the turn; others wait, none of them for ever. A transaction that panicked has left nothing behind.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    running: FairLock<()>,
    /// Set by the thread that has the turn, so that one that reads its own id here would wait for itself.
    holder: Mutex<Option<ThreadId>>,
}

/// The turn, until it is dropped.
#[derive(Debug)]
pub(crate) struct Held<'a> {
    turn: &'a Turn,
    _running: FairGuard<'a, ()>,
}

impl Turn {
    /// Waits for the turn; nothing if the calling thread has it already, and would wait for ever.
    pub(crate) fn take(&self) -> Option<Held<'_>> {
        let this = thread::current().id();
        if *self.holder() == Some(this) {
            return None;
        }
        let running = self.running.lock();
        *self.holder() = Some(this);
        Some(Held {
            turn: self,
            _running: running,
        })
    }

    fn holder(&self) -> MutexGuard<'_, Option<ThreadId>> {
        self.holder.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // Before the turn is free: the next holder's name must not be taken away.
        *self.turn.holder() = None;
    }
}
