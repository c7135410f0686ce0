//! A state of the database that no later commit changes.

use commitlog::{Chain, TxId};
use schema::State;

/// The state after one transaction. Taking and cloning it costs O(1); it lives as long as it is held, and holds nobody up.
#[derive(Debug, Clone)]
pub struct View {
    state: State,
    tx: TxId,
    chain: Chain,
}

impl View {
    pub(crate) fn new(state: State, tx: TxId, chain: Chain) -> Self {
        View { state, tx, chain }
    }

    pub(crate) fn into_state(self) -> State {
        self.state
    }

    /// The tables and their definitions.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The last transaction that is part of it.
    pub fn tx(&self) -> TxId {
        self.tx
    }

    /// The chain after that transaction: equal values mean equal histories.
    pub fn chain(&self) -> Chain {
        self.chain
    }

    /// A hash of the content: of each table's definition and rows, and of nothing else.
    ///
    /// # Errors
    /// [`crate::Error::Schema`] if a page is damaged.
    pub fn digest(&self) -> crate::Result<[u8; 32]> {
        Ok(self.state.digest()?)
    }
}
