//! Records that continue each other, found in what is left of a segment, and the parts of them that can be compared with those of others.
//!
//! ```text
//! piece of one file     | 3 | 4 | 5 | 6 | 7 | 8 |          parts   3..5  5..8  8..9
//! piece of another              | 5 | 6 | 7 |                            5..8
//! a mark: the chain before 8                                                ^
//! ```
//!
//! A piece has joints at all ids at which one of the others begins or ends or something else knows the chain. So two parts have the same ids, or none in common,
//! and the chain at their ends tells whether their records are the same.

use std::ops::Range;

use crate::chain::Chain;
use crate::tx_id::TxId;

/// Records in a row that continue each other. Two records of 32 bytes each may be one, so there may be many.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    /// Where their frames or blocks stand.
    pub(crate) bytes: Range<u64>,
    pub(crate) ids: Range<TxId>,
    /// The chain before the first of them, as far as `certainty` says.
    pub(crate) chain_before: Chain,
    /// The chain after the last of them, as their frames say.
    pub(crate) chain_after: Chain,
    /// The number of its first joint in the file.
    pub(crate) first_joint: u32,
    pub(crate) certainty: Certainty,
    /// Whether nothing is lost in the segment before it, so that a record does begin there.
    pub(crate) is_placed: bool,
    /// Whether a frame with the next id stands behind it that does not continue it.
    pub(crate) is_opposed: bool,
}

// Salvage promises how much memory it takes.
const _: () = assert!(size_of::<Piece>() == 56);
const _: () = assert!(size_of::<Joint>() == 24);

/// How much is known of the chain before a piece or a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Certainty {
    /// Nothing: of the first record only the header is known to hold.
    None,
    /// If the payload of the first record is what was written, it is this.
    Computed,
    /// Something else says the same as the first record.
    Known,
}

/// A place between two records of a piece.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Joint {
    /// The id of the record behind it.
    pub(crate) id: TxId,
    pub(crate) chain: Chain,
    /// Where the frame or block with the record behind it begins. The record before it may stand in the same block.
    pub(crate) byte: u64,
}

/// A part of a piece, from joint to joint.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) ids: Range<TxId>,
    /// From where its first record stands to where that of the next part does.
    pub(crate) bytes: Range<u64>,
    before: Chain,
    certainty: Certainty,
    pub(crate) after: Chain,
}

impl Piece {
    /// Whether it is a single record of which only the header is known to hold.
    pub(crate) fn is_alone(&self) -> bool {
        self.certainty != Certainty::Known && self.ids.end == self.ids.start.next()
    }

    /// The part before the first of these joints, or from joint `number - 1` on.
    pub(crate) fn part(&self, joints: &[Joint], number: usize) -> Part {
        let (id, byte, before, certainty) = match number.checked_sub(1) {
            None => {
                let (id, byte) = (self.ids.start, self.bytes.start);
                (id, byte, self.chain_before, self.certainty)
            }
            Some(before) => {
                let joint = joints[before];
                (joint.id, joint.byte, joint.chain, Certainty::Known)
            }
        };
        let (next, end, after) = match joints.get(number) {
            None => (self.ids.end, self.bytes.end, self.chain_after),
            Some(joint) => (joint.id, joint.byte, joint.chain),
        };
        Part {
            ids: id..next,
            bytes: byte..end,
            before,
            certainty,
            after,
        }
    }
}

impl Part {
    /// The chain before it, if the first record or something else tells it.
    pub(crate) fn chain_before(&self) -> Option<Chain> {
        (self.certainty != Certainty::None).then_some(self.before)
    }

    /// The chain before it, if it is known for certain that the first record continues it.
    pub(crate) fn known_before(&self) -> Option<Chain> {
        (self.certainty == Certainty::Known).then_some(self.before)
    }

    /// The chain before it, if it follows from the payload of the first record.
    pub(crate) fn computed_before(&self) -> Option<Chain> {
        (self.certainty == Certainty::Computed).then_some(self.before)
    }
}
