//! Reads a log to its end and weighs the evidence, without changing anything.

use std::sync::Arc;

use disk::{Dir, File};

use crate::damage::{BadFrame, DamageKind};
use crate::error::{Error, Result};
use crate::frame_cursor::{FrameCursor, Position, Step};
use crate::landmark::Landmark;
use crate::look::{Look, open_segment, segment_bytes, segment_path};
use crate::open_report::{Proof, ProofVerdict, TornTail};
use crate::proofs::Proofs;
use crate::segment_bytes::Tail;
use crate::segment_facts::SegmentFacts;
use crate::tx_id::TxId;
use crate::verdict::{Finding, Verdict, verdict};

/// What was found at the end of the log. Damage is an error instead.
#[derive(Debug)]
pub(crate) struct Examined {
    /// The proven end.
    pub(crate) proven: Position,
    /// The end of the frames that count.
    pub(crate) end: Position,
    /// What was cut off there, in how many bytes, if the end is torn.
    pub(crate) torn: Option<(BadFrame, u64)>,
    /// What became of each proof.
    pub(crate) proofs: Vec<ProofVerdict>,
}

impl Examined {
    /// The torn tail as it is reported.
    pub(crate) fn torn_tail(&self, look: &Look) -> Option<TornTail> {
        let (reason, bytes_cut) = self.torn?;
        Some(TornTail {
            segment: look.newest().header.base,
            byte_offset: self.end.byte,
            bytes_cut,
            reason,
        })
    }
}

/// Reads the newest segment, verifies every frame of it, and decides what its end is.
///
/// Older segments are verified when they are read; that they fit together is known from their headers.
pub(crate) fn examine(dir: &dyn Dir, look: &Look, proofs: &[Proof]) -> Result<Examined> {
    let newest = look.newest();
    let file = open_segment(dir, newest.header.base)?;
    let bytes = file.len()?;
    let mut proofs = Proofs::weigh_older(dir, look, proofs)?;
    let mut cursor = whole_segment(&file, bytes, newest)?;
    let marked = newest.proven();
    let mut proven = cursor.position();
    let bad = loop {
        let position = cursor.position();
        compare_marks(dir, newest, position)?;
        if proofs.matches_at(position) || position.id <= marked {
            proven = position;
        }
        if let Err(bad) = cursor.step()? {
            break bad;
        }
    };
    let end = cursor.position();
    let tail = cursor.bytes().tail(end.byte)?;
    // The log proves this itself; what a snapshot holds beyond the end can not be compared, and counts too.
    let known = marked.max(proven.id);
    let proven_id = known.max(proofs.beyond(end.id));
    let finding = Finding {
        next: end.id,
        proven: proven_id,
        successor: None,
        zeros_to_end: tail == Tail::Zeros,
    };
    let torn = match (verdict(&finding), tail) {
        (Verdict::Clean, _) => None,
        (Verdict::Torn, Tail::Other { bytes }) => Some((bad, bytes)),
        (Verdict::Torn, Tail::Zeros) => unreachable!("zeros are clean"),
        (Verdict::Damaged, _) => {
            let kind = match tail {
                Tail::Zeros if end.id >= known => DamageKind::BehindProof {
                    end: end.id,
                    proven: proven_id,
                },
                _ => DamageKind::Record {
                    bad,
                    proven: proven_id,
                },
            };
            return Err(damaged(dir, newest, end.byte, kind));
        }
    };
    let proofs = proofs.verdicts();
    check_start(dir, look, &proofs)?;
    Ok(Examined {
        proven,
        end,
        torn,
        proofs,
    })
}

/// Fails if the first segments are lost and nothing stands in for them: a snapshot that the log continues holds all that they held.
fn check_start(dir: &dyn Dir, look: &Look, proofs: &[ProofVerdict]) -> Result<()> {
    match &look.lineup.missing {
        Some(missing) if !proofs.contains(&ProofVerdict::Matches) => Err(Error::Damaged {
            file: segment_path(dir, missing.start),
            byte_offset: 0,
            kind: DamageKind::StartMissing {
                expected: missing.start,
                found: missing.end,
            },
        }),
        _ => Ok(()),
    }
}

/// Reads a segment that has a successor and verifies that it ends where that begins. Yields its end.
pub(crate) fn verify_sealed(
    dir: &dyn Dir,
    segment: &SegmentFacts,
    next: &SegmentFacts,
) -> Result<Position> {
    let file = open_segment(dir, segment.header.base)?;
    let bytes = file.len()?;
    let mut cursor = whole_segment(&file, bytes, segment)?;
    loop {
        let position = cursor.position();
        compare_marks(dir, segment, position)?;
        if position.id == next.header.base {
            if position.chain != next.header.chain_before {
                return Err(damaged(
                    dir,
                    segment,
                    position.byte,
                    DamageKind::SegmentChain,
                ));
            }
            return Ok(position);
        }
        if let Err(bad) = cursor.step()? {
            let proven = next.header.base;
            return Err(damaged(
                dir,
                segment,
                position.byte,
                DamageKind::Record { bad, proven },
            ));
        }
    }
}

/// The place before record `id` in a segment, of which only the headers before it are verified.
pub(crate) fn find(dir: &dyn Dir, segment: &SegmentFacts, id: TxId) -> Result<Position> {
    let file = open_segment(dir, segment.header.base)?;
    let bytes = file.len()?;
    let mut cursor = whole_segment(&file, bytes, segment)?;
    match seek(&mut cursor, id, |_, _| {})? {
        Ok(()) => Ok(cursor.position()),
        Err(bad) => {
            let kind = DamageKind::Record { bad, proven: id };
            Err(damaged(dir, segment, cursor.file_byte(), kind))
        }
    }
}

/// Moves the cursor to the frame of `id`, passing over those before it. `passed` hears where each frame, or each block of them, begins and where the next one does.
pub(crate) fn seek(
    cursor: &mut FrameCursor,
    id: TxId,
    mut passed: impl FnMut(Landmark, Landmark),
) -> Result<std::result::Result<(), BadFrame>> {
    cursor.pass_blocks(id, &mut passed);
    let is_packed = cursor.bytes().is_packed();
    while cursor.position().id < id {
        let before = cursor.position();
        let hopped: Step = cursor.hop()?;
        if let Err(bad) = hopped {
            return Ok(Err(bad));
        }
        if !is_packed {
            passed(Landmark::plain(before), Landmark::plain(cursor.position()));
        }
    }
    Ok(Ok(()))
}

fn whole_segment(file: &Arc<dyn File>, bytes: u64, segment: &SegmentFacts) -> Result<FrameCursor> {
    let source = segment_bytes(file, &segment.header, bytes, segment.marked().byte)?;
    Ok(FrameCursor::new(
        source,
        Position::start_of(&segment.header),
    ))
}

/// Fails if a mark of the segment speaks of this place and contradicts it.
fn compare_marks(dir: &dyn Dir, segment: &SegmentFacts, position: Position) -> Result<()> {
    for mark in segment.marks.iter().flatten() {
        let same = mark.end_byte == position.byte && mark.chain == position.chain;
        if mark.through == position.id && !same {
            let through = mark.through;
            return Err(damaged(
                dir,
                segment,
                position.byte,
                DamageKind::Mark { through },
            ));
        }
    }
    Ok(())
}

fn damaged(dir: &dyn Dir, segment: &SegmentFacts, byte_offset: u64, kind: DamageKind) -> Error {
    Error::Damaged {
        file: segment_path(dir, segment.header.base),
        byte_offset,
        kind,
    }
}
