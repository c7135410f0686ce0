//! Reads a log to its end and weighs the evidence, without changing anything.

use std::sync::Arc;

use disk::Dir;

use crate::chain::Chain;
use crate::damage::{BadFrame, DamageKind};
use crate::error::{Error, Result};
use crate::frame_cursor::{FrameCursor, Position};
use crate::lineup::SegmentFacts;
use crate::look::{Look, open_segment, segment_path};
use crate::open_report::{Proof, ProofVerdict};
use crate::segment_bytes::SegmentBytes;
use crate::tx_id::TxId;
use crate::verdict::{Finding, Verdict, verdict};

/// What was found at the end of the log.
#[derive(Debug)]
pub(crate) struct Examined {
    /// The proven end.
    pub(crate) proven: Position,
    /// The end of the frames that count.
    pub(crate) end: Position,
    /// What stands there.
    pub(crate) bad: BadFrame,
    /// The last byte behind the end that is not zero.
    pub(crate) last_nonzero: Option<u64>,
    /// Torn or clean; damage is an error.
    pub(crate) torn: bool,
    /// The length of the newest segment.
    pub(crate) bytes: u64,
    /// What became of each proof.
    pub(crate) proofs: Vec<ProofVerdict>,
}

/// Reads the newest segment, verifies every frame of it, and decides what its end is.
///
/// Older segments are verified when they are read; that they fit together is known from their headers.
pub(crate) fn examine(dir: &dyn Dir, look: &Look, proofs: &[Proof]) -> Result<Examined> {
    let newest = look.newest();
    let base = newest.header.base;
    let file = open_segment(dir, base)?;
    let bytes = file.len()?;
    let damaged = |byte_offset, kind| Error::Damaged {
        file: segment_path(dir, base),
        byte_offset,
        kind,
    };
    let mut verdicts = weigh_older(dir, look, proofs)?;
    let mut cursor = FrameCursor::new(
        SegmentBytes::read(file, bytes),
        Position::start_of(&newest.header),
    );
    // A snapshot proves a record only if the chains are equal wherever the log still holds it.
    let marked = newest.proven();
    let mut proven = cursor.position();
    let mut checkpoints = Checkpoints::new(newest);
    let bad = loop {
        let position = cursor.position();
        if let Err(through) = checkpoints.pass(position) {
            return Err(damaged(position.byte, DamageKind::Mark { through }));
        }
        for (proof, proof_verdict) in proofs.iter().zip(&mut verdicts) {
            if Some(proof.through) != position.id.previous() {
                continue;
            }
            let matches = proof.chain == position.chain;
            *proof_verdict = Some(if matches {
                ProofVerdict::Matches
            } else {
                ProofVerdict::Foreign
            });
        }
        let proved_here = proofs.iter().zip(&verdicts).any(|(proof, proof_verdict)| {
            Some(proof.through) == position.id.previous()
                && *proof_verdict == Some(ProofVerdict::Matches)
        });
        if position.id <= marked || proved_here {
            proven = position;
        }
        if let Err(bad) = cursor.step()? {
            break bad;
        }
    };
    let end = cursor.position();
    let last_nonzero = cursor.bytes().last_nonzero(end.byte)?;
    // What the log does not hold (any more) it can not compare: such a snapshot counts.
    let beyond = proofs
        .iter()
        .zip(&verdicts)
        .filter(|(_, proof_verdict)| proof_verdict.is_none())
        .map(|(proof, _)| after(proof))
        .max();
    let proven_id = marked.max(proven.id).max(beyond.unwrap_or_default());
    let finding = Finding {
        next: end.id,
        proven: proven_id,
        successor: None,
        zeros_to_end: last_nonzero.is_none(),
    };
    let verdict = verdict(&finding);
    if verdict == Verdict::Damaged {
        let only_behind = last_nonzero.is_none() && end.id >= marked.max(proven.id);
        let kind = if only_behind {
            DamageKind::BehindProof {
                end: end.id,
                proven: proven_id,
            }
        } else {
            DamageKind::Record {
                bad,
                proven: proven_id,
            }
        };
        return Err(damaged(end.byte, kind));
    }
    let proofs = verdicts
        .into_iter()
        .map(|known| known.unwrap_or(ProofVerdict::Matches));
    Ok(Examined {
        proven,
        end,
        bad,
        last_nonzero,
        torn: verdict == Verdict::Torn,
        bytes,
        proofs: proofs.collect(),
    })
}

/// The places that the marks of a segment name, to be compared while its frames are walked over.
#[derive(Debug)]
struct Checkpoints([Option<(TxId, u64, Chain)>; 2]);

impl Checkpoints {
    fn new(segment: &SegmentFacts) -> Self {
        Checkpoints(
            segment
                .marks
                .map(|mark| mark.map(|mark| (mark.through, mark.end_byte, mark.chain))),
        )
    }

    /// Fails with the mark's id if a mark contradicts this place.
    fn pass(&mut self, position: Position) -> std::result::Result<(), TxId> {
        for (through, end_byte, chain) in self.0.iter().flatten() {
            if *through == position.id && (*end_byte != position.byte || *chain != position.chain) {
                return Err(*through);
            }
        }
        Ok(())
    }
}

/// Compares the proofs of records before the newest segment. `None` for those that lie in it or behind it.
fn weigh_older(dir: &dyn Dir, look: &Look, proofs: &[Proof]) -> Result<Vec<Option<ProofVerdict>>> {
    let newest_base = look.newest().header.base;
    let base = look.kept().next().expect("a log has a segment").header.base;
    let mut verdicts = Vec::new();
    for proof in proofs {
        let known = if after(proof) < base {
            Some(ProofVerdict::BeforeBase)
        } else if after(proof) >= newest_base {
            None
        } else {
            match chain_before(dir, look, after(proof)) {
                Ok(chain) if chain == proof.chain => Some(ProofVerdict::Matches),
                Ok(_) => Some(ProofVerdict::Foreign),
                Err(Error::Damaged { .. }) => Some(ProofVerdict::Unreadable),
                Err(error) => return Err(error),
            }
        };
        verdicts.push(known);
    }
    Ok(verdicts)
}

/// The chain before record `id`, which lies in a segment that has a successor.
fn chain_before(dir: &dyn Dir, look: &Look, id: TxId) -> Result<Chain> {
    let segment = look
        .kept()
        .rev()
        .find(|segment| segment.header.base <= id)
        .expect("the caller compared with the base");
    let mut cursor = whole_segment(open_segment(dir, segment.header.base)?, segment)?;
    seek(&mut cursor, id).and_then(|found| {
        found.map_err(|bad| Error::Damaged {
            file: segment_path(dir, segment.header.base),
            byte_offset: cursor.position().byte,
            kind: DamageKind::Record { bad, proven: id },
        })
    })?;
    Ok(cursor.position().chain)
}

fn whole_segment(file: Arc<dyn disk::File>, segment: &SegmentFacts) -> Result<FrameCursor> {
    let limit = file.len()?;
    let bytes = SegmentBytes::read(file, limit);
    Ok(FrameCursor::new(bytes, Position::start_of(&segment.header)))
}

/// Moves the cursor to the frame of `id`, passing over those before it.
pub(crate) fn seek(
    cursor: &mut FrameCursor,
    id: TxId,
) -> Result<std::result::Result<(), BadFrame>> {
    while cursor.position().id < id {
        if let Err(bad) = cursor.hop()? {
            return Ok(Err(bad));
        }
    }
    Ok(Ok(()))
}

/// Reads a segment that has a successor and verifies that it ends where that begins. Yields its end.
pub(crate) fn verify_sealed(
    dir: &dyn Dir,
    segment: &SegmentFacts,
    next: &SegmentFacts,
) -> Result<Position> {
    let base = segment.header.base;
    let damaged = |byte_offset, kind| Error::Damaged {
        file: segment_path(dir, base),
        byte_offset,
        kind,
    };
    let mut cursor = whole_segment(open_segment(dir, base)?, segment)?;
    let mut checkpoints = Checkpoints::new(segment);
    loop {
        let position = cursor.position();
        if let Err(through) = checkpoints.pass(position) {
            return Err(damaged(position.byte, DamageKind::Mark { through }));
        }
        if position.id == next.header.base {
            if position.chain != next.header.chain_before {
                return Err(damaged(position.byte, DamageKind::SegmentChain));
            }
            return Ok(position);
        }
        if let Err(bad) = cursor.step()? {
            let proven = next.header.base;
            return Err(damaged(position.byte, DamageKind::Record { bad, proven }));
        }
    }
}

/// The first record that a snapshot does not hold.
fn after(proof: &Proof) -> TxId {
    TxId(proof.through.0.saturating_add(1))
}
