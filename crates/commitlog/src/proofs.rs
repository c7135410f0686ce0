//! The evidence of snapshots, compared with the log.

use disk::Dir;

use crate::error::{Error, Result};
use crate::examine::find;
use crate::frame_cursor::Position;
use crate::look::Look;
use crate::open_report::{Proof, ProofVerdict};
use crate::tx_id::TxId;

/// Proofs and what is known of each so far.
#[derive(Debug)]
pub(crate) struct Proofs(Vec<(Proof, Option<ProofVerdict>)>);

impl Proofs {
    /// Compares the proofs of records before the newest segment. Those that lie in it or behind it stay open.
    pub(crate) fn weigh_older(dir: &dyn Dir, look: &Look, proofs: &[Proof]) -> Result<Proofs> {
        let mut weighed = Vec::new();
        for proof in proofs {
            weighed.push((*proof, weigh(dir, look, proof)?));
        }
        Ok(Proofs(weighed))
    }

    /// Compares the proofs of the record before this place. Yields whether one of them matches.
    #[inline]
    pub(crate) fn matches_at(&mut self, position: Position) -> bool {
        let mut matches = false;
        for (proof, verdict) in &mut self.0 {
            if after(proof) == position.id {
                let same = proof.chain == position.chain;
                *verdict = Some(if same {
                    ProofVerdict::Matches
                } else {
                    ProofVerdict::Foreign
                });
                matches |= same;
            }
        }
        matches
    }

    /// The first record that no snapshot behind `end` holds; 0 if there is no such snapshot.
    pub(crate) fn beyond(&self, end: TxId) -> TxId {
        let all = self.0.iter().map(|(proof, _)| after(proof));
        all.filter(|after| *after > end).max().unwrap_or_default()
    }

    /// What became of each, in the order given. All lie within the log.
    pub(crate) fn verdicts(self) -> Vec<ProofVerdict> {
        let all = self.0.into_iter();
        all.map(|(_, verdict)| verdict.expect("the log was walked to its end"))
            .collect()
    }
}

fn weigh(dir: &dyn Dir, look: &Look, proof: &Proof) -> Result<Option<ProofVerdict>> {
    let id = after(proof);
    let newest = &look.newest().header;
    if id >= newest.base {
        return Ok(None);
    }
    let Some(segment) = look.kept().rev().find(|segment| segment.header.base <= id) else {
        return Ok(Some(ProofVerdict::BeforeBase));
    };
    match find(dir, segment, id) {
        Ok(position) if position.chain == proof.chain => Ok(Some(ProofVerdict::Matches)),
        Ok(_) => Ok(Some(ProofVerdict::Foreign)),
        Err(Error::Damaged { .. }) => Ok(Some(ProofVerdict::Unreadable)),
        Err(error) => Err(error),
    }
}

/// The first record that a snapshot does not hold.
fn after(proof: &Proof) -> TxId {
    TxId(proof.through.0.saturating_add(1))
}
