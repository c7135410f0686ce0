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
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::chain::Chain;
use crate::format::FRAMES_BYTE;
use crate::piece::{Before, Part, Piece};
use crate::salvage_report::SkipReason;
use crate::tx_id::TxId;

/// Which parts are taken.
#[derive(Debug, Default)]
pub(crate) struct KeptHistory {
    /// By the first record. They share none.
    pub(crate) taken: BTreeMap<TxId, Taken>,
    pub(crate) left: Vec<(Part, SkipReason)>,
    /// The ids for which there is something else that is not proven either: what was taken may be wrong.
    pub(crate) disputed: Vec<Range<TxId>>,
    /// The first id of which there is no trace.
    pub(crate) last_trace: TxId,
}

/// A part that is taken.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) part: Part,
    /// The records from here on are proven.
    pub(crate) proven_from: Option<TxId>,
}

/// Chooses among these. `anchors` are the chain before some ids, as headers and marks of the history tell; pieces have joints there.
pub(crate) fn keep_history(pieces: &[Piece], anchors: &BTreeMap<TxId, Chain>) -> KeptHistory {
    let mut parts: Vec<Part> = pieces
        .iter()
        .enumerate()
        .flat_map(|(number, piece)| piece.parts(number))
        .collect();
    let mut chains = Chains {
        known: anchors.clone(),
        ..Chains::default()
    };
    parts.sort_by_key(|part| (Reverse(part.ids.end), part.before.known().is_none()));
    for part in &parts {
        chains.look_back(part);
    }
    parts.sort_by_key(|part| (part.ids.start, part.ids.end));
    for same in parts.chunk_by(|one, other| one.ids == other.ids) {
        chains.look_forward(same, pieces);
    }
    let (proven, rest): (Vec<Part>, Vec<Part>) =
        parts.into_iter().partition(|part| chains.proves(part));
    let mut kept = KeptHistory::default();
    let last = chains.known.last_key_value();
    kept.last_trace = last.map(|(id, _)| *id).unwrap_or_default();
    let mut bytes = TakenBytes::default();
    kept.take_proven(proven, &chains, pieces, &mut bytes);
    kept.take_rest(rest, &chains, pieces, &mut bytes);
    kept.dispute_seams();
    kept.trace_opposed(pieces);
    kept
}

/// What is known of the chain of the history, and of others.
#[derive(Debug, Default)]
struct Chains {
    known: BTreeMap<TxId, Chain>,
    /// What the first records of proven parts continue if their payloads are what was written.
    computed: BTreeSet<(TxId, Chain)>,
    /// What is not the chain before these.
    refuted: BTreeSet<(TxId, Chain)>,
}

impl Chains {
    fn is_known(&self, id: TxId, chain: Chain) -> bool {
        self.known.get(&id) == Some(&chain)
    }

    /// Whether another chain than this is known.
    fn is_other(&self, id: TxId, chain: Chain) -> bool {
        self.known.get(&id).is_some_and(|known| *known != chain)
    }

    fn proves(&self, part: &Part) -> bool {
        self.is_known(part.ids.end, part.after)
    }

    fn refutes(&self, part: &Part) -> bool {
        self.is_other(part.ids.end, part.after)
            || self.refuted.contains(&(part.ids.end, part.after))
    }

    /// What a part that ends with the chain of the history says of the chain before it. All parts behind it have been looked at.
    fn look_back(&mut self, part: &Part) {
        let end = (part.ids.end, part.after);
        if !self.known.contains_key(&end.0) && self.computed.contains(&end) {
            self.known.insert(end.0, end.1);
        }
        if !self.proves(part) {
            return;
        }
        match part.before {
            Before::Known(chain) => drop(self.known.insert(part.ids.start, chain)),
            Before::Computed(chain) => drop(self.computed.insert((part.ids.start, chain))),
            Before::Unknown => {}
        }
    }

    /// What parts of the same ids say of the chain behind them. All parts before them have been looked at.
    fn look_forward(&mut self, same: &[Part], pieces: &[Piece]) {
        let continues = |part: &&Part| {
            let chain = part.before.chain();
            chain.is_some_and(|chain| self.is_known(part.ids.start, chain))
        };
        let in_place = same.iter().filter(|part| pieces[part.piece].is_placed);
        let mut ends = in_place.filter(continues).map(|part| part.after);
        if let Some(end) = ends.next()
            && ends.all(|other| other == end)
        {
            self.known.entry(same[0].ids.end).or_insert(end);
        }
        for part in same {
            let chain = part.before.known();
            let is_off = chain.is_some_and(|chain| {
                let start = part.ids.start;
                self.is_other(start, chain) || self.refuted.contains(&(start, chain))
            });
            if !self.proves(part) && (is_off || self.is_other(part.ids.end, part.after)) {
                self.refuted.insert((part.ids.end, part.after));
            }
        }
    }
}

impl KeptHistory {
    fn take_proven(
        &mut self,
        mut proven: Vec<Part>,
        chains: &Chains,
        pieces: &[Piece],
        bytes: &mut TakenBytes,
    ) {
        let continues = |part: &Part| {
            let chain = part.before.chain();
            chain.is_some_and(|chain| chains.is_known(part.ids.start, chain))
        };
        proven.sort_by_key(|part| {
            let is_weak = (!continues(part), !pieces[part.piece].is_placed);
            (part.ids.start, is_weak, part.piece)
        });
        for part in proven {
            if self.rivals(&part.ids).next().is_some() {
                self.repeat(part);
                continue;
            }
            let is_whole = continues(&part) || part.before.known().is_some();
            let from = match is_whole {
                true => part.ids.start,
                false => part.ids.start.next(),
            };
            self.take(part, Some(from), bytes);
        }
    }

    /// Takes what contradicts nothing that is taken. Of two that contradict each other, the one that stands where nothing before it is lost; else the later one: what is found within a
    /// payload stands before the records behind it. For the same reason the one that begins first, if one lies within the other. A header that stands alone comes last: the
    /// bytes that it claims may be others' records.
    fn take_rest(
        &mut self,
        mut rest: Vec<Part>,
        chains: &Chains,
        pieces: &[Piece],
        bytes: &mut TakenBytes,
    ) {
        rest.sort_by_key(|part| {
            let piece = &pieces[part.piece];
            let place = (Reverse(piece.bytes.end), piece.bytes.start);
            let is_weak = (!piece.is_placed, piece.is_alone());
            (
                is_weak,
                Reverse(piece.file),
                place,
                part.piece,
                part.ids.start,
            )
        });
        for of_one in rest.chunk_by(|one, other| one.piece == other.piece) {
            let agreed = of_one.iter().rposition(|part| self.holds(part));
            let (before, behind) = of_one.split_at(agreed.map_or(0, |last| last + 1));
            for part in before {
                match self.holds(part) || !self.is_free(part, bytes) {
                    true => self.repeat(part.clone()),
                    false => self.take(part.clone(), None, bytes),
                }
            }
            // Where it parted from what is taken is not known: at any of these.
            let is_sound = |part: &Part| !chains.refutes(part) && self.is_free(part, bytes);
            if behind.iter().all(is_sound) {
                let piece = &pieces[of_one[0].piece];
                if let Some(last) = behind.last()
                    && piece.is_opposed
                    && !piece.is_placed
                {
                    self.disputed.extend(last_of(&last.ids));
                }
                for part in behind {
                    self.take(part.clone(), None, bytes);
                }
                continue;
            }
            for part in behind {
                // At the front of a file no payload is around it.
                if part.bytes.start == FRAMES_BYTE {
                    self.dispute_first(part);
                }
                if !chains.refutes(part) {
                    self.dispute_rivals(&part.ids);
                    self.last_trace = self.last_trace.max(part.ids.end);
                }
                self.left.push((part.clone(), SkipReason::Contradicted));
            }
        }
    }

    /// Leaves a part of which the same records were taken.
    fn repeat(&mut self, part: Part) {
        self.dispute_first(&part);
        self.left.push((part, SkipReason::Repeated));
    }

    /// The first record of what was taken may be another one than that of this part, if nothing proves which of them was written.
    fn dispute_first(&mut self, part: &Part) {
        let first = part.ids.start..part.ids.start.next();
        let taken = self.taken.get(&first.start);
        if taken.is_some_and(|taken| {
            taken.part.before.chain() != part.before.chain()
                && taken.proven_from.is_none_or(|from| from > first.start)
        }) {
            self.disputed.push(first);
        }
    }

    /// Whether the same records were taken.
    fn holds(&self, part: &Part) -> bool {
        let mut rivals = self.rivals(&part.ids).map(|taken| &taken.part);
        rivals.any(|rival| rival.ids.end == part.ids.end && rival.after == part.after)
    }

    /// Whether neither its ids nor its bytes were taken.
    fn is_free(&self, part: &Part, bytes: &TakenBytes) -> bool {
        self.rivals(&part.ids).next().is_none() && !bytes.overlap(part)
    }

    fn dispute_rivals(&mut self, ids: &Range<TxId>) {
        let rivals = self.rivals(ids).filter(|rival| rival.proven_from.is_none());
        let rivals = rivals.map(|rival| &rival.part.ids);
        let disputed: Vec<Range<TxId>> = rivals
            .map(|rival| rival.start.max(ids.start)..rival.end.min(ids.end))
            .collect();
        self.disputed.extend(disputed);
    }

    /// Where the record behind a place does not continue the one before it, one of both is not what was written.
    fn dispute_seams(&mut self) {
        let mut disputed = Vec::new();
        let neighbours = self.taken.values().zip(self.taken.values().skip(1));
        for (one, next) in neighbours.filter(|(one, next)| one.part.ids.end == next.part.ids.start)
        {
            let before = next.part.before.chain();
            if before.is_none_or(|chain| chain == one.part.after) {
                continue;
            }
            if one.proven_from.is_none() {
                disputed.extend(last_of(&one.part.ids));
            }
            if next
                .proven_from
                .is_none_or(|from| from > next.part.ids.start)
            {
                disputed.push(next.part.ids.start..next.part.ids.start.next());
            }
        }
        self.disputed.extend(disputed);
    }

    /// Behind what is taken a record stood, of which the header is left.
    fn trace_opposed(&mut self, pieces: &[Piece]) {
        for Taken { part, .. } in self.taken.values() {
            let piece = &pieces[part.piece];
            if piece.is_opposed && piece.ids.end == part.ids.end {
                self.last_trace = self.last_trace.max(part.ids.end.next());
            }
        }
    }

    fn take(&mut self, part: Part, proven_from: Option<TxId>, bytes: &mut TakenBytes) {
        self.last_trace = self.last_trace.max(part.ids.end);
        bytes.add(&part);
        let taken = Taken { part, proven_from };
        self.taken.insert(taken.part.ids.start, taken);
    }

    /// What was taken for some of these ids.
    fn rivals(&self, ids: &Range<TxId>) -> impl Iterator<Item = &Taken> {
        let start = ids.start;
        let before_their_end = self.taken.range(..ids.end).rev();
        before_their_end
            .map(|(_, taken)| taken)
            .take_while(move |taken| taken.part.ids.end > start)
    }
}

fn last_of(ids: &Range<TxId>) -> Option<Range<TxId>> {
    Some(ids.end.previous()?..ids.end)
}

/// The bytes of all that is taken: by file and start, where they end. They do not touch each other.
#[derive(Default)]
struct TakenBytes(BTreeMap<(usize, u64), u64>);

impl TakenBytes {
    fn overlap(&self, part: &Part) -> bool {
        let bytes = &part.own_bytes;
        let mut before_its_end = self.0.range((part.file, 0)..(part.file, bytes.end));
        before_its_end
            .next_back()
            .is_some_and(|(_, end)| *end > bytes.start)
    }

    fn add(&mut self, part: &Part) {
        let (mut start, mut end) = (part.own_bytes.start, part.own_bytes.end);
        if start >= end {
            return;
        }
        while let Some((&(file, before), &until)) =
            self.0.range((part.file, 0)..=(part.file, end)).next_back()
            && until >= start
        {
            self.0.remove(&(file, before));
            (start, end) = (start.min(before), end.max(until));
        }
        self.0.insert((part.file, start), end);
    }
}
