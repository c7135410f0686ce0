//! What is known of the chain of the history that salvage keeps, and of others.

use std::collections::{BTreeMap, BTreeSet};

use crate::chain::Chain;
use crate::piece::{Part, Piece};
use crate::tx_id::TxId;

/// The chain before some ids.
#[derive(Debug)]
pub(crate) struct HistoryChains {
    known: BTreeMap<TxId, Chain>,
    /// What the first records of proven parts continue if their payloads are what was written.
    computed: BTreeSet<(TxId, Chain)>,
    /// What is not the chain before these.
    refuted: BTreeSet<(TxId, Chain)>,
}

impl HistoryChains {
    /// These are known.
    pub(crate) fn new(anchors: &BTreeMap<TxId, Chain>) -> Self {
        HistoryChains {
            known: anchors.clone(),
            computed: BTreeSet::new(),
            refuted: BTreeSet::new(),
        }
    }

    /// The highest id before which the chain is known.
    pub(crate) fn last_known(&self) -> TxId {
        let last = self.known.last_key_value();
        last.map(|(id, _)| *id).unwrap_or_default()
    }

    fn is_known(&self, id: TxId, chain: Chain) -> bool {
        self.known.get(&id) == Some(&chain)
    }

    /// Whether another chain than this is known.
    fn is_other(&self, id: TxId, chain: Chain) -> bool {
        self.known.get(&id).is_some_and(|known| *known != chain)
    }

    /// Whether it ends with the chain of the history: then all of it is what was written, but the payload of its first record perhaps.
    pub(crate) fn proves(&self, part: &Part) -> bool {
        self.is_known(part.ids.end, part.after)
    }

    /// Whether it is of another history.
    pub(crate) fn refutes(&self, part: &Part) -> bool {
        self.refuted.contains(&(part.ids.end, part.after))
    }

    /// What a part that ends with the chain of the history says of the chain before it. All parts behind it have been looked at.
    pub(crate) fn look_back(&mut self, part: &Part) {
        let end = (part.ids.end, part.after);
        if !self.known.contains_key(&end.0) && self.computed.contains(&end) {
            self.known.insert(end.0, end.1);
        }
        if !self.proves(part) {
            return;
        }
        if let Some(chain) = part.known_before() {
            self.known.insert(part.ids.start, chain);
        }
        if let Some(chain) = part.computed_before() {
            self.computed.insert((part.ids.start, chain));
        }
    }

    /// Whether the chain of the history leads to it.
    pub(crate) fn reach(&self, part: &Part) -> bool {
        let chain = part.chain_before();
        chain.is_some_and(|chain| self.is_known(part.ids.start, chain))
    }

    /// What parts of the same ids say of the chain behind them. All parts before them have been looked at.
    pub(crate) fn look_forward<'a>(
        &mut self,
        same: impl Iterator<Item = (Part, &'a Piece)> + Clone,
    ) {
        let leads = |(part, piece): &(Part, &Piece)| piece.is_placed && self.reach(part);
        let mut ends = same
            .clone()
            .filter(leads)
            .map(|(part, _)| (part.ids.end, part.after));
        if let Some(end) = ends.next()
            && ends.all(|other| other == end)
        {
            self.known.entry(end.0).or_insert(end.1);
        }
        for (part, _) in same {
            let start = part.ids.start;
            let is_off = part.known_before().is_some_and(|chain| {
                self.is_other(start, chain) || self.refuted.contains(&(start, chain))
            });
            if is_off || self.is_other(part.ids.end, part.after) {
                self.refuted.insert((part.ids.end, part.after));
            }
        }
    }
}
