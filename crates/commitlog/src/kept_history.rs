//! Which records are kept: one history, of what was found.
//!
//! ```text
//! anchors                       10                              20
//! file 0, base 10                | 10 11 12 13 14 | ### | 16 .. 19 |        its front is proven by 10, its end by 20
//! a copy with 3 records less     | 10 11 12 13 14 | 15  | 16 |              continues 10, and 15 leads to what 16 continues: 15 is proven too
//! what was given up              | 10 11 12 13 ~~ | ~~  | ~~ ..             leads to another chain: contradicted
//! ```
//!
//! The chain after a record vouches for all before it. So where it is known, of what ends there exactly those parts are of the history that end with it, wherever they stand, and then
//! the chain before them is known as well: this goes from the end to the beginning. What only continues a known chain may be a copy, in a payload, of what was given up later: it is
//! proven only where it stands in its place in a segment of the history. Everything else is taken as far as it contradicts nothing that is taken, and where it does, the ids are disputed.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;

use crate::chain::Chain;
use crate::format::FRAMES_BYTE;
use crate::history_chains::HistoryChains;
use crate::piece::{Part, Piece};
use crate::pieces::{PartNumber, Pieces};
use crate::taken_bytes::TakenBytes;
use crate::tx_id::TxId;

/// Which parts are taken.
#[derive(Debug, Default)]
pub(crate) struct KeptHistory {
    /// All parts, by their ids.
    pub(crate) parts: Vec<JudgedPart>,
    /// The ids for which there is something else that is not proven either: what was taken may be wrong.
    pub(crate) disputed: Vec<Range<TxId>>,
    /// The first id of which there is no trace.
    pub(crate) last_trace: TxId,
}

/// A part, and what becomes of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JudgedPart {
    pub(crate) number: PartNumber,
    /// Of the first one of those with the same ids: how far behind it the one stands that is taken, or [`NONE`].
    taken: u32,
    pub(crate) fate: Fate,
}

const NONE: u32 = u32::MAX;
const _: () = assert!(size_of::<JudgedPart>() == 16);

/// What becomes of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Open,
    /// It is copied. Nothing proves it.
    Taken,
    /// It is copied. All of it is proven but the first record.
    TakenProvenBehindFirst,
    /// It is copied, and proven.
    TakenProven,
    /// It is left: the same records are taken.
    Repeated,
    /// It is left: others are taken.
    Contradicted,
    /// It is left: the log keeps nothing of it.
    Pruned,
}

impl Fate {
    pub(crate) fn is_taken(self) -> bool {
        matches!(
            self,
            Fate::Taken | Fate::TakenProvenBehindFirst | Fate::TakenProven
        )
    }
}

/// Chooses among these. `anchors` are the chain before some ids, as headers and marks of the history tell; pieces have joints there. Of what ends before `pruned` nothing is taken.
pub(crate) fn keep_history(
    pieces: &Pieces,
    pruned: TxId,
    anchors: &BTreeMap<TxId, Chain>,
) -> KeptHistory {
    let judge = |number: PartNumber| JudgedPart {
        number,
        taken: NONE,
        fate: match pieces.piece(number.piece).ids.end <= pruned {
            true => Fate::Pruned,
            false => Fate::Open,
        },
    };
    let mut choice = HistoryChoice {
        pieces,
        chains: HistoryChains::new(anchors),
        kept: KeptHistory::default(),
        bytes: TakenBytes::default(),
    };
    choice.kept.parts.extend(pieces.parts().map(judge));
    choice.follow_chains();
    choice.take_proven();
    choice.take_rest();
    choice.dispute_seams();
    choice.trace_opposed();
    choice.kept
}

/// The work of choosing.
struct HistoryChoice<'a> {
    pieces: &'a Pieces,
    chains: HistoryChains,
    kept: KeptHistory,
    bytes: TakenBytes,
}

impl HistoryChoice<'_> {
    /// Learns the chains, first from the end to the beginning, and then from there to the end.
    fn follow_chains(&mut self) {
        let pieces = self.pieces;
        self.kept.parts.sort_unstable_by_key(|judged| {
            let part = pieces.part(judged.number);
            let is_weak = part.known_before().is_none();
            (Reverse(part.ids.end), is_weak, judged.number)
        });
        for judged in self.kept.parts.iter().filter(|one| one.fate == Fate::Open) {
            self.chains.look_back(&pieces.part(judged.number));
        }
        self.kept.parts.sort_unstable_by_key(|judged| {
            let ids = pieces.part(judged.number).ids;
            (ids.start, ids.end, judged.number)
        });
        let ids = |judged: &JudgedPart| pieces.part(judged.number).ids;
        let mut end = TxId(0);
        for same in self
            .kept
            .parts
            .chunk_by_mut(|one, other| ids(one) == ids(other))
        {
            let ids = ids(&same[0]);
            if ids.start < end {
                // The disk does not read the same twice, so there is no joint where there should be one.
                same.iter_mut()
                    .for_each(|one| one.fate = Fate::Contradicted);
                continue;
            }
            let open = same.iter().filter(|one| one.fate == Fate::Open);
            if open.clone().next().is_some() {
                end = ids.end;
            }
            let parts = open.map(|one| (pieces.part(one.number), pieces.piece(one.number.piece)));
            self.chains.look_forward(parts);
        }
        self.kept.last_trace = self.chains.last_known();
    }

    fn take_proven(&mut self) {
        let mut at = 0;
        while at < self.kept.parts.len() {
            let ids = self.part(at).ids;
            let same = self.kept.parts[at..].iter();
            let behind = at
                + same
                    .take_while(|one| self.pieces.part(one.number).ids == ids)
                    .count();
            let is_proven = |at: &usize| self.is_open(*at) && self.chains.proves(&self.part(*at));
            let is_whole = |at: &usize| self.chains.reach(&self.part(*at));
            let best = (at..behind)
                .filter(is_proven)
                .min_by_key(|at| !is_whole(at));
            if let Some(best) = best {
                let fate = match is_whole(&best) {
                    true => Fate::TakenProven,
                    false => Fate::TakenProvenBehindFirst,
                };
                self.take(best, fate);
                for other in at..behind {
                    if self.is_open(other) && self.chains.proves(&self.part(other)) {
                        self.repeat(other);
                    }
                }
            }
            at = behind;
        }
        let taken = self.kept.parts.iter().filter(|one| one.fate.is_taken());
        let mut bytes: Vec<(usize, Range<u64>)> = Vec::new();
        bytes.extend(taken.map(|one| {
            let file = self.pieces.file(one.number.piece);
            (file, self.pieces.part(one.number).bytes)
        }));
        bytes.sort_unstable_by_key(|(file, bytes)| Reverse((*file, bytes.end)));
        for (file, bytes) in bytes {
            self.bytes.add(file, bytes);
        }
    }

    /// Takes what contradicts nothing that is taken. Of two that contradict each other, the one that stands where nothing before it is lost; else the later one: what is found within a
    /// payload stands before the records behind it. For the same reason the one that begins first, if one lies within the other. A header that stands alone comes last: the
    /// bytes that it claims may be others' records.
    fn take_rest(&mut self) {
        let mut rest: Vec<usize> = Vec::new();
        rest.extend((0..self.kept.parts.len()).filter(|at| self.is_open(*at)));
        rest.sort_unstable_by_key(|at| {
            let (piece, number) = (self.piece(*at), self.kept.parts[*at].number);
            let is_weak = (!piece.is_placed, piece.is_alone());
            let place = (Reverse(piece.bytes.end), piece.bytes.start);
            let file = self.pieces.file(number.piece);
            (is_weak, Reverse(file), place, number)
        });
        let piece = |parts: &[JudgedPart], at: usize| parts[at].number.piece;
        let mut rest = &rest[..];
        while let Some(first) = rest.first() {
            let of = piece(&self.kept.parts, *first);
            let others = rest
                .iter()
                .position(|at| piece(&self.kept.parts, *at) != of);
            let (of_one, behind) = rest.split_at(others.unwrap_or(rest.len()));
            self.take_piece(of_one);
            rest = behind;
        }
    }

    /// Takes what is left of a piece, or some of it.
    fn take_piece(&mut self, parts: &[usize]) {
        let agreed = parts.iter().rposition(|at| self.holds(*at));
        let (before, behind) = parts.split_at(agreed.map_or(0, |last| last + 1));
        // From the last one on: so the bytes that are taken come in order.
        for at in before.iter().rev() {
            match self.holds(*at) || !self.is_free(*at) {
                true => self.repeat(*at),
                false => self.take(*at, Fate::Taken),
            }
        }
        // Where it parted from what is taken is not known: at any of these.
        let is_sound = |at: &usize| !self.chains.refutes(&self.part(*at)) && self.is_free(*at);
        if behind.iter().all(is_sound) {
            if let Some(last) = behind.last()
                && self.piece(*last).is_opposed
                && !self.piece(*last).is_placed
            {
                let disputed = last_of(&self.part(*last).ids);
                self.kept.disputed.extend(disputed);
            }
            for at in behind.iter().rev() {
                self.take(*at, Fate::Taken);
            }
            return;
        }
        for at in behind {
            let part = self.part(*at);
            // At the front of a file no payload is around it.
            if part.bytes.start == FRAMES_BYTE {
                self.dispute_first(*at);
            }
            if !self.chains.refutes(&part) {
                // What is proven refutes all others.
                if self.rival(*at).is_some() {
                    self.kept.disputed.push(part.ids.clone());
                }
                self.kept.last_trace = self.kept.last_trace.max(part.ids.end);
            }
            self.kept.parts[*at].fate = Fate::Contradicted;
        }
    }

    /// Leaves a part of which the same records were taken.
    fn repeat(&mut self, at: usize) {
        self.dispute_first(at);
        self.kept.parts[at].fate = Fate::Repeated;
    }

    /// The first record of what was taken may be another one than that of this part, if nothing proves which of them was written.
    fn dispute_first(&mut self, at: usize) {
        let Some(rival) = self.rival(at) else {
            return;
        };
        let (part, taken) = (self.part(at), self.part(rival));
        if taken.chain_before() != part.chain_before()
            && self.kept.parts[rival].fate != Fate::TakenProven
        {
            self.kept.disputed.push(first_of(&part.ids));
        }
    }

    /// Whether the same records were taken.
    fn holds(&self, at: usize) -> bool {
        let rival = self.rival(at);
        rival.is_some_and(|rival| self.part(rival).after == self.part(at).after)
    }

    /// Whether neither its ids nor its bytes were taken.
    fn is_free(&self, at: usize) -> bool {
        self.rival(at).is_none() && !self.bytes.overlap(self.file(at), &self.part(at).bytes)
    }

    /// Where the record behind a place does not continue the one before it, one of both is not what was written.
    fn dispute_seams(&mut self) {
        let mut disputed = Vec::new();
        let taken = || self.kept.parts.iter().filter(|one| one.fate.is_taken());
        for (one, next) in taken().zip(taken().skip(1)) {
            let (part, next_part) = (self.pieces.part(one.number), self.pieces.part(next.number));
            let before = next_part.chain_before();
            if part.ids.end != next_part.ids.start || before.is_none_or(|chain| chain == part.after)
            {
                continue;
            }
            if one.fate == Fate::Taken {
                disputed.extend(last_of(&part.ids));
            }
            if next.fate != Fate::TakenProven {
                disputed.push(first_of(&next_part.ids));
            }
        }
        self.kept.disputed.extend(disputed);
    }

    /// Behind what is taken a record stood, of which the header is left.
    fn trace_opposed(&mut self) {
        let taken = self.kept.parts.iter().filter(|one| one.fate.is_taken());
        for number in taken.map(|one| one.number) {
            let (part, piece) = (self.pieces.part(number), self.pieces.piece(number.piece));
            if piece.is_opposed && piece.ids.end == part.ids.end {
                self.kept.last_trace = self.kept.last_trace.max(part.ids.end.next());
            }
        }
    }

    fn take(&mut self, at: usize, fate: Fate) {
        let part = self.part(at);
        self.kept.last_trace = self.kept.last_trace.max(part.ids.end);
        if fate == Fate::Taken {
            self.bytes.add(self.file(at), part.bytes);
        }
        let front = self.front(at);
        self.kept.parts[at].fate = fate;
        self.kept.parts[front].taken = u32::try_from(at - front).unwrap_or(NONE);
    }

    /// What was taken for its ids.
    fn rival(&self, at: usize) -> Option<usize> {
        let front = self.front(at);
        let taken = self.kept.parts[front].taken;
        (taken != NONE).then(|| front + taken as usize)
    }

    /// The first of those with the same ids.
    fn front(&self, at: usize) -> usize {
        let ids = |part: &Part| (part.ids.start, part.ids.end);
        let of = ids(&self.part(at));
        let parts = &self.kept.parts;
        parts.partition_point(|one| ids(&self.pieces.part(one.number)) < of)
    }

    fn is_open(&self, at: usize) -> bool {
        self.kept.parts[at].fate == Fate::Open
    }

    fn part(&self, at: usize) -> Part {
        self.pieces.part(self.kept.parts[at].number)
    }

    fn piece(&self, at: usize) -> &Piece {
        self.pieces.piece(self.kept.parts[at].number.piece)
    }

    fn file(&self, at: usize) -> usize {
        self.pieces.file(self.kept.parts[at].number.piece)
    }
}

fn first_of(ids: &Range<TxId>) -> Range<TxId> {
    ids.start..ids.start.next()
}

fn last_of(ids: &Range<TxId>) -> Option<Range<TxId>> {
    Some(ids.end.previous()?..ids.end)
}
