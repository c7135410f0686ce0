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

/// Records in a row that continue each other.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    /// In which of the files.
    pub(crate) file: usize,
    /// Where their frames or blocks stand.
    pub(crate) bytes: Range<u64>,
    pub(crate) ids: Range<TxId>,
    pub(crate) before: Before,
    /// How long the payload of the first record is, if that is a frame of its own.
    pub(crate) first_length: u32,
    /// The chain after the last of them, as their frames say.
    pub(crate) chain_after: Chain,
    /// In order, all within the ids.
    pub(crate) joints: Vec<Joint>,
    /// Whether nothing is lost in the segment before it, so that a record does begin there.
    pub(crate) is_placed: bool,
    /// Whether the chain at one of its ids is known, and the same.
    pub(crate) is_anchored: bool,
    /// Whether a frame with the next id stands behind it that does not continue it.
    pub(crate) is_opposed: bool,
    /// The record before it, of which only the header holds.
    pub(crate) behind: Option<Range<u64>>,
}

/// The chain before a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// Of the first record only the header is known to hold.
    Unknown,
    /// If the payload of the first record is what was written, it is this.
    Computed(Chain),
    /// Something else says the same as the first record.
    Known(Chain),
}

/// A place between two records of a piece.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Joint {
    /// The id of the record behind it.
    pub(crate) id: TxId,
    pub(crate) chain: Chain,
    /// Where the frame or block with the record before it ends.
    pub(crate) end: u64,
    /// Where the frame or block with the record behind it begins: before that, if both stand in one block.
    pub(crate) start: u64,
}

/// A part of a piece, from joint to joint.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) file: usize,
    /// The number of the piece.
    pub(crate) piece: usize,
    pub(crate) ids: Range<TxId>,
    /// Where the frames or blocks with its records stand.
    pub(crate) bytes: Range<u64>,
    /// Those that hold records of no other part.
    pub(crate) own_bytes: Range<u64>,
    pub(crate) before: Before,
    pub(crate) after: Chain,
}

impl Piece {
    /// Whether it is a single record of which only the header is known to hold.
    pub(crate) fn is_alone(&self) -> bool {
        !matches!(self.before, Before::Known(_)) && self.ids.end == self.ids.start.next()
    }

    /// Its parts, in order.
    pub(crate) fn parts(&self, piece: usize) -> impl Iterator<Item = Part> {
        let last = Joint {
            id: self.ids.end,
            chain: self.chain_after,
            end: self.bytes.end,
            start: self.bytes.end,
        };
        let (mut id, mut before) = (self.ids.start, self.before);
        let (mut end, mut start) = (self.bytes.start, self.bytes.start);
        let ends = self.joints.iter().copied().chain([last]);
        ends.map(move |joint| {
            let part = Part {
                file: self.file,
                piece,
                ids: id..joint.id,
                bytes: start..joint.end,
                own_bytes: end..joint.start,
                before,
                after: joint.chain,
            };
            (id, before) = (joint.id, Before::Known(joint.chain));
            (end, start) = (joint.end, joint.start);
            part
        })
    }
}

impl Before {
    /// The chain, however it is known.
    pub(crate) fn chain(self) -> Option<Chain> {
        match self {
            Before::Unknown => None,
            Before::Computed(chain) | Before::Known(chain) => Some(chain),
        }
    }

    /// The chain, if it is known for certain that the first record continues it.
    pub(crate) fn known(self) -> Option<Chain> {
        match self {
            Before::Unknown | Before::Computed(_) => None,
            Before::Known(chain) => Some(chain),
        }
    }
}
