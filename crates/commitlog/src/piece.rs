//! Records in a row that continue each other, found in what is left of a log, and which of several pieces are taken.
//!
//! ```text
//! in the file     frame 4 | ######## payload: frame 5 | frame 6 ######## | frame 6 | frame 7 | frame 8    mark: the chain before 9
//! pieces          0 .. 5                5 .. 7                             6 .. 9
//!                 proven                another log's, shipped             proven by the mark: what is claimed by the other is not kept
//! ```

use std::cmp::Reverse;
use std::collections::BTreeMap;
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
    /// The chain before the first of them, if something else than its own frame knows it: then its payload is what was written, or as little as the others'.
    pub(crate) chain_before: Option<Chain>,
    /// The chain after the last of them, as their frames say.
    pub(crate) chain_after: Chain,
    /// Whether something else than the records themselves knows the chain before one of them, or behind them, and it is the same.
    pub(crate) is_proven: bool,
    /// Whether something else knows another chain.
    pub(crate) is_refuted: bool,
    /// Whether nothing is lost in the segment before it, so that a record does begin there.
    pub(crate) is_placed: bool,
    /// Whether a frame with the next id stands behind it that does not continue it.
    pub(crate) is_opposed: bool,
    /// The record before it, of which only the header holds.
    pub(crate) behind: Option<Range<u64>>,
}

impl Piece {
    /// Whether the chain proves this record of the piece.
    pub(crate) fn proves(&self, id: TxId) -> bool {
        self.is_proven && (self.chain_before.is_some() || id > self.ids.start)
    }

    /// Whether it is a single record of which only the header is known to hold.
    pub(crate) fn is_alone(&self) -> bool {
        self.chain_before.is_none() && self.ids.end == self.ids.start.next()
    }

    /// Whether both end with the same record of the same history.
    fn ends_like(&self, other: &Piece) -> bool {
        self.ids.end == other.ids.end && self.chain_after == other.chain_after
    }
}

/// Which pieces are taken.
#[derive(Debug, Default)]
pub(crate) struct Chosen {
    /// By the first record that is taken. They share none.
    pub(crate) taken: BTreeMap<TxId, Piece>,
    /// Their records are taken already.
    pub(crate) repeated: Vec<Piece>,
    /// Others were taken for the same ids or bytes.
    pub(crate) contradicted: Vec<Piece>,
    /// The ids for which there is something else that is not proven either: what was taken may be wrong.
    pub(crate) disputed: Vec<Range<TxId>>,
}

/// Takes everything that is proven, and of the rest what contradicts nothing that is taken. Of two that are not proven and contradict each other, the one that
/// stands where nothing before it is lost; else the later one: what is found within a payload stands before the records behind it. For the same reason the one that begins first, if one lies within the other. A header that
/// stands alone comes last: the bytes that it claims may be others' records.
pub(crate) fn choose(pieces: Vec<Piece>) -> Chosen {
    let mut chosen = Chosen::default();
    let mut bytes = TakenBytes::default();
    let (mut proven, mut rest): (Vec<Piece>, Vec<Piece>) =
        pieces.into_iter().partition(|piece| piece.is_proven);
    proven.sort_by_key(|piece| piece.ids.start);
    let mut next = TxId(0);
    for piece in proven {
        let from = piece.ids.start.max(next);
        if from < piece.ids.end {
            next = piece.ids.end;
            bytes.add(&piece);
            chosen.taken.insert(from, piece);
        } else {
            chosen.repeated.push(piece);
        }
    }
    rest.sort_by_key(|piece| {
        let place = (Reverse(piece.bytes.end), piece.bytes.start);
        let is_weak = (!piece.is_placed, piece.is_alone());
        (is_weak, Reverse(piece.file), place)
    });
    for piece in rest {
        let before_its_end = chosen.taken.range(..piece.ids.end).rev();
        let rivals: Vec<&Piece> = before_its_end
            .map(|(_, taken)| taken)
            .take_while(|taken| taken.ids.end > piece.ids.start)
            .collect();
        if rivals.iter().any(|rival| rival.ends_like(&piece)) {
            chosen.repeated.push(piece);
        } else if rivals.is_empty() && !bytes.overlap(&piece) {
            if piece.is_opposed && !piece.is_placed {
                chosen
                    .disputed
                    .extend(piece.ids.end.previous().map(|last| last..piece.ids.end));
            }
            bytes.add(&piece);
            chosen.taken.insert(piece.ids.start, piece);
        } else {
            let as_little_proven = rivals
                .iter()
                .filter(|rival| !rival.is_proven && !rival.is_placed);
            chosen.disputed.extend(as_little_proven.map(|rival| {
                rival.ids.start.max(piece.ids.start)..rival.ids.end.min(piece.ids.end)
            }));
            chosen.contradicted.push(piece);
        }
    }
    chosen
}

/// The bytes of all that is taken: by file and start, where they end. They do not touch each other.
#[derive(Default)]
struct TakenBytes(BTreeMap<(usize, u64), u64>);

impl TakenBytes {
    fn overlap(&self, piece: &Piece) -> bool {
        let mut before_its_end = self.0.range((piece.file, 0)..(piece.file, piece.bytes.end));
        before_its_end
            .next_back()
            .is_some_and(|(_, end)| *end > piece.bytes.start)
    }

    fn add(&mut self, piece: &Piece) {
        let (mut start, mut end) = (piece.bytes.start, piece.bytes.end);
        while let Some((&(file, before), &until)) = self
            .0
            .range((piece.file, 0)..=(piece.file, end))
            .next_back()
            && until >= start
        {
            self.0.remove(&(file, before));
            (start, end) = (start.min(before), end.max(until));
        }
        self.0.insert((piece.file, start), end);
    }
}
