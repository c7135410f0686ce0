//! Which states are shown: the newest applied one, and the newest one known to be durable.
//!
//! ```text
//!   shown          waiting              applied
//!     │      ┌───┬───┬───┬───┐             │
//!     5      │ 6 │ 7 │ 8 │ 9 │  ─────────> 9       a sync through 7: shown = 7
//!            └───┴───┴───┴───┘
//! ```
//!
//! Where what is applied is shown at once nothing but that is held, so that it can be written in place, and a view is made for whoever
//! asks for one.

use std::collections::VecDeque;
use std::mem;

use commitlog::{Chain, SyncPolicy, TxId};
use schema::{CheckedLive, LiveState};

use crate::fair_lock::{FairGuard, FairLock};
use crate::view::View;

/// The states that views are taken from.
#[derive(Debug)]
pub(crate) struct Heads(FairLock<Inner>);

#[derive(Debug)]
struct Inner {
    /// The newest applied state.
    live: LiveState,
    /// The last transaction that is part of it.
    tx: TxId,
    chain: Chain,
    /// What is shown, if that is not what is applied: if the policy syncs every commit.
    durable: Option<Durable>,
}

#[derive(Debug)]
struct Durable {
    shown: View,
    /// Applied and not known to be durable yet, oldest first. Invariant: ids rise without gaps; the last one is what is applied.
    waiting: VecDeque<View>,
}

impl Inner {
    fn applied(&mut self) -> View {
        View::new(self.live.view(), self.tx, self.chain)
    }
}

impl Heads {
    /// Starts with a state that is durable.
    pub(crate) fn new(policy: SyncPolicy, view: View) -> Self {
        let durable = (policy == SyncPolicy::EveryCommit).then(|| Durable {
            shown: view.clone(),
            waiting: VecDeque::new(),
        });
        let (tx, chain) = (view.tx(), view.chain());
        Heads(FairLock::new(Inner {
            live: LiveState::new(view.into_state()),
            tx,
            chain,
            durable,
        }))
    }

    /// The newest applied state.
    pub(crate) fn applied(&self) -> View {
        self.lock().applied()
    }

    /// The last transaction that is part of it.
    pub(crate) fn applied_tx(&self) -> TxId {
        self.lock().tx
    }

    /// The newest state that [`Heads::advance`] has let be shown.
    pub(crate) fn shown(&self) -> View {
        let mut inner = self.lock();
        match &inner.durable {
            Some(durable) => durable.shown.clone(),
            None => inner.applied(),
        }
    }

    /// The last transaction that is part of it.
    pub(crate) fn shown_tx(&self) -> TxId {
        let inner = self.lock();
        inner
            .durable
            .as_ref()
            .map_or(inner.tx, |durable| durable.shown.tx())
    }

    /// Does everything with the next transaction that can refuse. Nothing of it is shown.
    pub(crate) fn check(&self, payload: &[u8]) -> Result<CheckedLive, schema::Error> {
        self.lock().live.check(payload)
    }

    /// Applies the next transaction, which was checked and is in the log.
    pub(crate) fn apply(&self, payload: &[u8], checked: CheckedLive, tx: TxId, chain: Chain) {
        let mut inner = self.lock();
        assert_eq!(
            tx,
            inner.tx.next(),
            "transactions are numbered without gaps"
        );
        let old = inner.live.apply(payload, checked);
        (inner.tx, inner.chain) = (tx, chain);
        if inner.durable.is_some() {
            let applied = inner.applied();
            let durable = inner.durable.as_mut();
            durable.expect("it is some").waiting.push_back(applied);
        }
        drop(inner);
        // Freeing the pages that only it held takes a while: nobody waits for that.
        drop(old);
    }

    /// Moves what is shown on to the last state before `durable_end`.
    pub(crate) fn advance(&self, durable_end: TxId) {
        let mut passed = Vec::new();
        let mut inner = self.lock();
        if let Some(Durable { shown, waiting }) = &mut inner.durable {
            while let Some(next) = waiting.pop_front_if(|view| view.tx() < durable_end) {
                passed.push(mem::replace(shown, next));
            }
        }
        drop(inner);
        drop(passed);
    }

    fn lock(&self) -> FairGuard<'_, Inner> {
        // What panics in here either changes nothing before, or is only tried: the next one to look takes it back.
        self.0.lock()
    }
}
