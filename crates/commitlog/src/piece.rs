//! Records in a row that continue each other, found in what is left of a log, and which of several pieces are taken.
//!
//! ```text
//! in the file     frame 4 | ######## payload: frame 5 | frame 6 ######## | frame 6 | frame 7 | frame 8    mark: the chain before 9
//! pieces          0 .. 5                5 .. 7                             6 .. 9
//!                 proven                another log's, shipped             proven by the mark: what is claimed by the other is not kept
//! ```

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
    /// The chain after the last of them, as their frames say.
    pub(crate) chain_after: Chain,
    /// Whether something else than the records themselves knows the chain before one of them, or behind them, and it is the same.
    pub(crate) is_proven: bool,
    /// Whether the payload of the first one is among what is proven then.
    pub(crate) is_first_whole: bool,
}

impl Piece {
    /// Whether the chain proves this record of the piece.
    pub(crate) fn proves(&self, id: TxId) -> bool {
        self.is_proven && (self.is_first_whole || id > self.ids.start)
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
    /// Others were taken for the same ids.
    pub(crate) contradicted: Vec<Piece>,
    /// The ids for which two pieces were found, and neither is proven: the one that was taken may be the wrong one.
    pub(crate) disputed: Vec<Range<TxId>>,
}

/// Takes everything that is proven, and of the rest what contradicts nothing that is taken. Of two that are not proven and contradict each other, the later one:
/// what is found within a payload stands before the records behind it.
pub(crate) fn choose(pieces: Vec<Piece>) -> Chosen {
    let mut chosen = Chosen::default();
    let (mut proven, rest): (Vec<Piece>, Vec<Piece>) =
        pieces.into_iter().partition(|piece| piece.is_proven);
    proven.sort_by_key(|piece| piece.ids.start);
    let mut next = TxId(0);
    for piece in proven {
        let from = piece.ids.start.max(next);
        if from < piece.ids.end {
            next = piece.ids.end;
            chosen.taken.insert(from, piece);
        } else {
            chosen.repeated.push(piece);
        }
    }
    for piece in rest.into_iter().rev() {
        let before_its_end = chosen.taken.range(..piece.ids.end).rev();
        let rivals: Vec<&Piece> = before_its_end
            .map(|(_, taken)| taken)
            .take_while(|taken| taken.ids.end > piece.ids.start)
            .collect();
        if rivals.is_empty() {
            chosen.taken.insert(piece.ids.start, piece);
        } else if rivals.iter().any(|rival| rival.ends_like(&piece)) {
            chosen.repeated.push(piece);
        } else {
            let as_little_proven = rivals.iter().filter(|rival| !rival.is_proven);
            chosen.disputed.extend(as_little_proven.map(|rival| {
                rival.ids.start.max(piece.ids.start)..rival.ids.end.min(piece.ids.end)
            }));
            chosen.contradicted.push(piece);
        }
    }
    chosen
}
