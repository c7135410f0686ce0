//! Which states are shown: the newest applied one, and the newest one known to be durable.
//!
//! ```text
//!   shown          waiting              applied
//!     │      ┌───┬───┬───┬───┐             │
//!     5      │ 6 │ 7 │ 8 │ 9 │  ─────────> 9       a sync through 7: shown = 7
//!            └───┴───┴───┴───┘
//! ```

use std::collections::VecDeque;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use commitlog::{SyncPolicy, TxId};

use crate::view::View;

/// The states that views are taken from.
#[derive(Debug)]
pub(crate) struct Heads {
    policy: SyncPolicy,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    applied: View,
    /// Invariant: durable, if the policy syncs every commit; else the same as `applied`.
    shown: View,
    /// Applied and not known to be durable yet, oldest first. Invariant: ids rise without gaps; the last one is
    /// `applied`; empty unless the policy syncs every commit.
    waiting: VecDeque<View>,
}

impl Heads {
    /// Starts with a state that is durable.
    pub(crate) fn new(policy: SyncPolicy, view: View) -> Self {
        Heads {
            policy,
            inner: Mutex::new(Inner {
                applied: view.clone(),
                shown: view,
                waiting: VecDeque::new(),
            }),
        }
    }

    /// The newest applied state.
    pub(crate) fn applied(&self) -> View {
        self.lock().applied.clone()
    }

    /// The newest state that [`Heads::advance`] has let be shown.
    pub(crate) fn shown(&self) -> View {
        self.lock().shown.clone()
    }

    /// Adds the state after the next transaction.
    pub(crate) fn apply(&self, view: View) {
        let mut inner = self.lock();
        assert_eq!(
            view.tx(),
            inner.applied.tx().next(),
            "transactions are numbered without gaps"
        );
        let old = if self.policy == SyncPolicy::EveryCommit {
            inner.waiting.push_back(view.clone());
            mem::replace(&mut inner.applied, view)
        } else {
            inner.shown = view.clone();
            mem::replace(&mut inner.applied, view)
        };
        drop(inner);
        // Freeing the pages that only it held takes a while: nobody waits for that.
        drop(old);
    }

    /// Moves what is shown on to the last state before `durable_end`.
    pub(crate) fn advance(&self, durable_end: TxId) {
        let mut passed = Vec::new();
        let mut inner = self.lock();
        while let Some(next) = inner.waiting.pop_front_if(|view| view.tx() < durable_end) {
            passed.push(mem::replace(&mut inner.shown, next));
        }
        drop(inner);
        drop(passed);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing in here can panic half-way but the assertion in `apply`, before anything changes.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
